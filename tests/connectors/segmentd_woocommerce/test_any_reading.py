"""Whatever pages the host can make, whatever fails, whatever changes: every record is read.

Against the whole sandbox; only the network is left out.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from segmentd.sdk import Customer, HttpResponse, Order, Runtime, TransientError, Window
from segmentd.sdk.testing.sandbox import Request, Response, SandboxClock
from segmentd_woocommerce.client import WooClient
from segmentd_woocommerce.errors import classify
from segmentd_woocommerce.pages import BEHIND, FAILURE, Row
from segmentd_woocommerce.paging import Changes, Place, Sweep, SweepPlace, place_of
from segmentd_woocommerce.sandbox import WooCommerceSandbox
from segmentd_woocommerce.settings import WooCommerceSettings

pytestmark = pytest.mark.unmeasured

START = datetime(2026, 11, 1, tzinfo=UTC)
UNTIL = START + timedelta(days=30)
MOST_IN_A_ROW = 5
"""More failures one after the other, with answers before and behind, tell of a broken record."""
OUTAGE = 40


class Direct(WooClient):
    """A client that asks the sandbox itself."""

    sandbox: WooCommerceSandbox

    def _send(self, method: str, path: str, **options: Any) -> HttpResponse:
        key = self.sandbox.credentials()
        params = dict(options.get("params") or {})
        query = urlencode(params | {f"consumer_{name}": key[name] for name in key})
        begun = self._runtime.monotonic()
        response = self.sandbox.respond(
            Request(method, path, query, {"host": "store.example"}, b"")
        )
        self._took = self._runtime.monotonic() - begun
        url = f"https://store.example{path}"
        headers = response.headers
        found = HttpResponse(response.status, headers, response.body, url, self._runtime.now())
        classify(found)
        found.json()
        return found


@dataclass
class Shop:
    """A store that changes and fails by a script, one event before each request."""

    script: list[str]
    per_page: int
    seed: int
    size: int
    sandbox: WooCommerceSandbox = field(init=False)
    chance: random.Random = field(init=False)
    down: int = 0
    in_a_row: int = 0

    def __post_init__(self) -> None:
        self.sandbox = WooCommerceSandbox(SandboxClock(UNTIL, frozen=True))
        self.sandbox.door.https = True
        self.sandbox.faults = [self._event] * 3_000
        self.chance = random.Random(self.seed)
        self.stamps = (START + timedelta(days=10, seconds=n) for n in itertools.count())
        self.ids = itertools.count(self.size + 1)

    @property
    def host(self) -> Any:
        return self.sandbox.store.host

    def client(self) -> WooClient:
        clock = self.sandbox.clock
        runtime = Runtime(
            clock.advance, lambda: clock.now().timestamp(), clock.now, random.Random(self.seed)
        )
        settings = WooCommerceSettings(
            url="https://store.example", key_env="K", secret_env="K", per_page=self.per_page
        )
        made = Direct(settings, runtime)
        made.sandbox = self.sandbox
        return made

    def _event(self, request: Request, handle: Callable[[Request], Response]) -> Response:
        event = self.script.pop(0) if self.script else "none"
        if event == "outage":
            self.down = OUTAGE
        if self.down or (event == "fail" and self.in_a_row < MOST_IN_A_ROW):
            self.down = max(0, self.down - 1)
            self.in_a_row += 1
            return Response(500, {"content-type": "text/html"}, b"<title>Error</title>")
        self.in_a_row = 0
        if event not in {"none", "fail", "outage"}:
            getattr(self, event)()
        return handle(request)

    def slow(self) -> None:
        self.sandbox.clock.advance(20)

    def put(self, id_: int, stamp: datetime) -> None:
        self.sandbox.put_order(
            Order(str(id_), placed_at=START, updated_at=stamp, currency="USD", total=1, paid=True)
        )
        self.sandbox.put_customer(Customer(str(id_), updated_at=stamp))

    def _one(self) -> int | None:
        ids = list(self.sandbox.store.orders.rows)
        return self.chance.choice(ids) if ids else None

    def touch(self) -> None:
        """Changed after the window, so it leaves the list."""
        if (id_ := self._one()) is not None:
            self.put(id_, UNTIL + timedelta(seconds=5))

    def touch_first(self) -> None:
        """The same with the first five of the list: those that were just read."""
        rows = sorted(
            self.sandbox.store.orders.rows.values(), key=lambda row: row.modified or START
        )
        for row in rows[:5]:
            self.put(row.id, UNTIL + timedelta(seconds=5))

    def change(self) -> None:
        """Changed within the window, so it moves to the end of the list."""
        if (id_ := self._one()) is not None:
            self.put(id_, next(self.stamps))

    def add(self) -> None:
        self.put(next(self.ids), next(self.stamps))

    def delete(self) -> None:
        if (id_ := self._one()) is not None:
            self.sandbox.delete_order(str(id_))
            self.sandbox.store.customers.remove(id_)


EVENTS = ["none", "none", "fail", "fail", "slow", "touch", "touch_first", "change", "add", "delete"]
shops = st.builds(
    Shop,
    script=st.lists(st.sampled_from([*EVENTS, "outage"]), max_size=40),
    per_page=st.sampled_from([1, 2, 3, 7, 20, 100]),
    seed=st.integers(0, 99),
    size=st.integers(0, 30),
)
steps = st.sampled_from([0, 1, 600, 5_000])
memories = st.sampled_from([None, None, 1, 2, 5, 30])
broken = st.sets(st.integers(1, 30), max_size=3)
thorough = examples(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def _secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K", "ck_5a4db0c0ffee5a4db0c0ffee5a4db0c0ffee0001")


Page = tuple[list[Row], Any]


def read_to_the_end(
    shop: Shop, begin: Callable[[WooClient, str | None], Iterator[Page]], text: Callable[[Any], str]
) -> tuple[list[Row], int]:
    """All rows, going on from the last position after each failure; and how many there were."""
    rows: list[Row] = []
    position: str | None = None
    for failures in range(80):
        try:
            for part, place in begin(shop.client(), position):
                rows += part
                position = text(place)
        except TransientError:
            shop.down = 0
            continue
        return rows, failures
    raise AssertionError("no end")


@thorough
@given(shop=shops, step=steps, memory=memories, crashing=broken, too_large=broken)
def test_every_order_is_read(
    shop: Shop, step: int, memory: int | None, crashing: set[int], too_large: set[int]
) -> None:
    for number in range(1, shop.size + 1):
        shop.put(number, START + timedelta(seconds=step * number))
    shop.host.memory = memory
    shop.host.crashing = {("orders", id_) for id_ in crashing}
    shop.host.too_large = {("orders", id_) for id_ in too_large}

    def begin(client: WooClient, position: str | None) -> Iterator[Page]:
        place = place_of(position)[1] if position else Place(None)
        return Changes(client, "orders", {}, Window(None, UNTIL), place).pages()

    rows, failures = read_to_the_end(shop, begin, lambda place: place.text("any"))
    read = {(row["id"], row["date_modified_gmt"]) for row in rows if BEHIND not in row}
    there = [
        row for row in shop.sandbox.store.orders.rows.values() if (row.modified or START) <= UNTIL
    ]
    for row in there:
        assert row.modified
        if row.id not in crashing:
            assert (row.id, row.modified.strftime("%Y-%m-%dT%H:%M:%S")) in read
    _check_failed(rows, crashing, too_large)
    assert all(BEHIND in row for row in rows if row.get("id") in crashing)
    if any(row.id in crashing for row in there):
        assert any(BEHIND in row for row in rows)
    if not failures:
        whole = [(row["id"], row["date_modified_gmt"]) for row in rows if BEHIND not in row]
        assert max(Counter(whole).values(), default=0) <= 1, "nothing is read twice"


def _check_failed(rows: list[Row], crashing: set[int], too_large: set[int]) -> None:
    for row in rows:
        if BEHIND in row:
            assert crashing
        elif FAILURE in row:
            assert row["id"] in too_large


@thorough
@given(shop=shops, memory=memories, crashing=broken, too_large=broken)
def test_every_customer_is_read(
    shop: Shop, memory: int | None, crashing: set[int], too_large: set[int]
) -> None:
    for number in range(1, shop.size + 1):
        shop.put(number, START)
    shop.host.memory = memory
    shop.host.crashing = {("customers", id_) for id_ in crashing}
    shop.host.too_large = {("customers", id_) for id_ in too_large}

    def begin(client: WooClient, position: str | None) -> Iterator[Page]:
        return Sweep(client, "customers", {"role": "all"}, SweepPlace.of(position)).pages()

    rows, _ = read_to_the_end(shop, begin, lambda place: place.text())
    read = {row["id"] for row in rows if BEHIND not in row}
    assert set(shop.sandbox.store.customers.rows) - crashing <= read
    _check_failed(rows, crashing, too_large)
