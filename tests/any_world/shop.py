"""The shop of the random worlds: one in memory, read without HTTP, that also tells what is gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

from segmentd.domain.cursor import Window
from segmentd.domain.records import Customer, Gone, Order, OrderLine, Product, Record
from segmentd.sdk.contract import Batch, ShopInfo, Source, Stream
from segmentd.sdk.settings import ConnectorSettings
from segmentd.sdk.testing.memory import MemoryShop
from segmentd.sdk.testing.sandbox import SandboxClock

START = datetime(2026, 3, 20, 12, tzinfo=UTC)
ZONE = "Europe/Berlin"
HOUR = timedelta(hours=1)
STREAMS = ("products", "customers", "orders")
PAGE = 4
MOST_ORDERS = 12


def email_of(who: str) -> str:
    """Accounts are 1 to 5; 6 and 7 have only an address until they open an account."""
    return f"c{who}@shopper.example"


class WorldShop(MemoryShop):
    """Keeps what was deleted, as a platform that tells of it would."""

    time_zone = ZONE

    def __init__(self) -> None:
        super().__init__(SandboxClock(START, frozen=True))
        self.gone: list[tuple[datetime, Gone]] = []
        self.merchants: dict[str, set[str]] = {}
        """Customer → the tags that are not ours."""

    @property
    def now(self) -> datetime:
        """Whole seconds, as platforms stamp changes."""
        return self._now()

    def tick(self, seconds: float = 2.0) -> None:
        """Time passes; what happens in one second cannot be told apart."""
        self.clock.advance(seconds)

    def put_account(self, who: str, **facts: Any) -> None:
        """Open an account, or change some facts of one."""
        known = self.customers.get(who)
        if known is None:
            self.put_customer(Customer(who, self.now, self.now, email_of(who), **facts))
            return
        for name, value in facts.items():
            setattr(known, name, value)
        known.updated_at = self.now

    def place(self, who: str, ago: timedelta, total: int, products: Sequence[str], *,
              guest: bool) -> None:  # fmt: skip
        """A new order, or one of the known ones replaced if there are many already."""
        number = str(101 + len(self.orders) % MOST_ORDERS)
        account = self.customers.get(who)
        lines = [
            OrderLine(f"{number}{n}", each, 1 + n, total // (2 + n))
            for n, each in enumerate(products)
        ]
        self.orders[number] = Order(
            number, self.now - ago, self.now, "EUR", total, paid=True,
            customer_id=None if guest or account is None else who,
            email=account.email if account else email_of(who), lines=lines,
        )  # fmt: skip

    def delete_account(self, who: str) -> None:
        """Its orders become a guest's."""
        self.delete_customer(who)
        self.merchants.pop(who, None)
        self.gone.append((self.now, Gone("customers", who)))

    def delete_order(self, number: str) -> None:
        """As if there had never been one."""
        del self.orders[number]
        self.gone.append((self.now, Gone("orders", number)))

    def retitle(self, number: str, kind: str, price: int) -> None:
        """A product becomes another one."""
        self.put_product(Product(number, f"A {kind}", kind, updated_at=self.now, price=price))

    def changed(self, stream: str, window: Window) -> list[Record]:
        """What changed in a window, in the order in which it is listed."""
        kinds: Mapping[str, Mapping[str, Any]] = {
            "customers": self.customers, "orders": self.orders, "products": self.products,
        }  # fmt: skip
        found: list[Record] = [r for r in kinds[stream].values() if _within(r.updated_at, window)]
        known = kinds[stream].keys()
        ended = {gone.id for at, gone in self.gone if gone.stream == stream and _within(at, window)}
        return [*found, *(Gone(stream, number) for number in sorted(ended - known))]


def _within(at: datetime, window: Window) -> bool:
    return (window.since is None or window.since <= at) and at <= window.until


class WorldSource(Source):
    """Lists what changed, a few records at a time."""

    Settings = ConnectorSettings
    # no lag: what a crash loses must not be found again because changes are read twice anyway
    streams: ClassVar[Sequence[Stream]] = tuple(Stream(name, lag=timedelta(0)) for name in STREAMS)
    fields: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, shop: WorldShop) -> None:
        self._shop = shop

    def info(self) -> ShopInfo:
        return ShopInfo("A shop", "EUR", ZONE, self._shop.now)

    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        records = sorted(self._shop.changed(stream, window), key=lambda r: int(r.id))
        records = [record for record in records if int(record.id) > int(position or 0)]
        for start in range(0, len(records), PAGE):
            page = records[start : start + PAGE]
            yield Batch(page, page[-1].id)

    def gone(self, stream: str, ids: Sequence[str]) -> set[str]:
        raise AssertionError("only sweeps ask for it")
