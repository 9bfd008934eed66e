"""Two shops know people with one e-mail address, and a list holds the address once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemons import put
from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.sdk.testing.memory import MemoryLists, MemoryShop, registered

CONFIG = """
[store]
url = "sqlite:///segmentd.db"
[sources.one]
connector = "memory"
shop = "first"
[sources.two]
connector = "memory"
shop = "second"
[destinations.lists]
connector = "memory"
shop = "platform"
kind = "lists"
[segments.buyers]
where = "number_of_orders >= 1"
push = ["lists"]
"""
SHARED = "c1@shopper.example"


class Bench:
    """Customer 1 of both shops has the same address, and is on the list."""

    def __init__(self, app: App, one: MemoryShop, two: MemoryShop, lists: MemoryLists) -> None:
        self.app, self.one, self.two, self._lists = app, one, two, lists
        put(one, 1, 10_000)
        put(two, 1, 10_000)
        self.sync()

    def sync(self) -> None:
        """Twice: the second push finds nothing to do, and later ones look at changes only."""
        for _ in range(2):
            self.app.sync().check()

    def listed(self) -> set[str]:
        return self._lists.members()["buyers"]


def rename(shop: MemoryShop, email: str) -> None:
    shop.customers["1"].email = email
    shop.customers["1"].updated_at = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    path = tmp_path / "segmentd.toml"
    path.write_text(CONFIG)
    one, two, lists = MemoryShop(), MemoryShop(), MemoryLists()
    with ExitStack() as stack:
        for name, sandbox in (("first", one), ("second", two), ("platform", lists)):
            stack.enter_context(registered(name, sandbox))
        app = open_app(load_config(path), sleep=lambda _: None)
        stack.callback(app.close)
        yield Bench(app, one, two, lists)


def test_i3_the_address_stays_while_one_of_them_has_it(bench: Bench) -> None:
    rename(bench.one, "new@shopper.example")
    bench.sync()
    assert bench.listed() == {SHARED, "new@shopper.example"}


@pytest.mark.parametrize("first", ["one", "two"])
def test_i3_the_address_goes_when_both_gave_it_up(bench: Bench, first: str) -> None:
    shops = [bench.one, bench.two] if first == "one" else [bench.two, bench.one]
    for number, shop in enumerate(shops):
        rename(shop, f"new{number}@shopper.example")
        bench.sync()
    assert bench.listed() == {"new0@shopper.example", "new1@shopper.example"}


def test_i3_the_address_goes_when_the_last_who_has_it_leaves(bench: Bench) -> None:
    rename(bench.one, "new@shopper.example")
    bench.sync()
    bench.two.cancel("1001", bench.two.clock.now())
    bench.sync()
    assert bench.listed() == {"new@shopper.example"}
