"""Two daemons on one PostgreSQL, and one of them is killed in the middle of its work."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import orjson
import pytest

from daemons import Process, World, put, world
from segmentd.bootstrap import open_app
from segmentd.config import load_config
from segmentd.sdk.testing.faults import DropConnection, Handler
from segmentd.sdk.testing.memory import MemoryShop
from segmentd.sdk.testing.sandbox import Request, Response
from segmentd.store import open_store

pytestmark = pytest.mark.unmeasured

LEASE = 4.0
"""Seconds; as users set it, only shorter than the default."""
NEWCOMERS = range(4, 10)


class Stuck:
    """Lets some requests pass, keeps the next one waiting, and then it never arrives."""

    def __init__(self, shop: MemoryShop, method: str, path: str, passing: int) -> None:
        self.reached = threading.Event()
        self.release = threading.Event()
        self._shop = shop
        self._wanted = (method, path)
        self._passing = passing
        shop.faults.append(self)

    def __call__(self, request: Request, handle: Handler) -> Response:
        if (request.method, request.path) == self._wanted:
            if self._passing == 0:
                self.reached.set()
                self.release.wait(60)
                raise DropConnection
            self._passing -= 1
        self._shop.faults.append(self)
        return handle(request)


@pytest.fixture
def made(tmp_path: Path, postgres_url: str) -> Iterator[World]:
    with world(tmp_path) as opened:
        opened.store = {"url": postgres_url, "lease": f"{LEASE:g}s"}
        opened.tables["sources.shop"] |= {"batch_size": 2, "page_size": 2}
        opened.write(web=None)
        yield opened


def both(made: World, *, leading_elsewhere: bool) -> tuple[Process, Process]:
    """Two daemons that have nothing left to do for an hour."""
    leading = made.start(elsewhere=leading_elsewhere)
    pushes = [{"connector": "tags", "added": 2}, {"connector": "lists", "added": 2}]
    leading.wait_for_each("cycle", *pushes)
    other = made.start()
    other.wait_for("cycle", connector="shop")
    for number in NEWCOMERS:
        put(made.shop, number, 20_000)
    return leading, other


def kill(leading: Process, stuck: Stuck) -> float:
    """Have it read the shop now, and kill it where it is stuck; when that was."""
    leading.send(signal.SIGHUP)
    assert stuck.reached.wait(60)
    leading.end(signal.SIGKILL)
    stuck.release.set()
    return time.monotonic()


def test_killed_while_it_reads_the_other_machine_reads_on(made: World, tmp_path: Path) -> None:
    leading, other = both(made, leading_elsewhere=True)
    killed = kill(leading, Stuck(made.shop, "GET", "/orders", passing=2))
    other.wait_for("taking_over", lease="source:shop")
    assert time.monotonic() - killed < 2 * LEASE
    settled(made, other, tmp_path)


@pytest.mark.parametrize("elsewhere", [True, False], ids=["other machine", "same machine"])
def test_killed_while_it_pushes_the_other_sends_the_rest(
    made: World, tmp_path: Path, elsewhere: bool
) -> None:
    leading, other = both(made, leading_elsewhere=elsewhere)
    killed = kill(leading, Stuck(made.shop, "POST", "/tags", passing=1))
    other.wait_for("taking_over")
    # who died on this machine is known to be dead
    assert time.monotonic() - killed < (2 * LEASE if elsewhere else LEASE)
    settled(made, other, tmp_path)


def test_who_slept_while_it_pushed_sends_nothing_more(made: World, tmp_path: Path) -> None:
    leading, other = both(made, leading_elsewhere=True)
    stuck = Stuck(made.shop, "POST", "/tags", passing=1)
    leading.send(signal.SIGHUP)
    assert stuck.reached.wait(60)
    # else it may fall asleep in a transaction, for whose end others wait
    leading.wait_for("cycle", connector="lists", added=len(NEWCOMERS))
    leading.send(signal.SIGSTOP)
    stuck.release.set()
    # of that lease or of the daemon's own: whichever ends first, the push is then made again
    other.wait_for("taking_over")
    settled(made, other, tmp_path)
    leading.send(signal.SIGCONT)
    # it finds its request broken, and does not make it again
    leading.wait_for("cycle", connector="tags", busy=["tags"])
    assert set(writes(made.shop).values()) == {1}
    assert leading.end()[0] == 0


def settled(made: World, other: Process, folder: Path) -> None:
    """Everything is as one daemon alone would have left it, and nobody was written to twice."""
    everybody = {"1", "2", *map(str, NEWCOMERS)}
    while tagged(made.shop) != everybody or listed(made) != len(everybody):
        other.wait_for("cycle")
    assert other.end()[0] == 0
    assert writes(made.shop) == dict.fromkeys(everybody, 1)
    with open_store(made.store["url"]) as store:
        found = {(each.segment, each.customer_id) for each in store.memberships()}
        assert not store.waiting(store.now()).dirty
    assert found == alone(made, folder)


def tagged(shop: MemoryShop) -> set[str]:
    return {customer for customer, tags in shop.tags().items() if tags == {"Big spender"}}


def listed(made: World) -> int:
    return len(made.lists.members()["Big spender"])


def writes(shop: MemoryShop) -> Counter[str]:
    """Customer → how often a tag was added or taken away."""
    arrived = [e for e in shop.log if e.request.path == "/tags" and e.status == 200]
    bodies: Sequence[bytes] = [entry.request.body for entry in arrived]
    wishes = [wish for body in bodies for wish in orjson.loads(body)["customers"]]
    return Counter(wish["id"] for wish in wishes if wish["add"] or wish["remove"])


def alone(made: World, folder: Path) -> set[tuple[str, str]]:
    """What one process finds in the same shop, with a store of its own."""
    made.store = {"url": f"sqlite:///{folder / 'alone.db'}"}
    made.write(web=None)
    with closing(open_app(load_config(made.config))) as app:
        app.pull().check()
        app.segment()
        return {(each.segment, each.customer_id) for each in app.store.memberships()}
