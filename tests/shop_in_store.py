"""Short ways to fill a store and to look into it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import text

from segmentd.domain.cursor import Cursor, Window
from segmentd.domain.memberships import Cause
from segmentd.domain.records import Customer, Order, OrderLine, Record
from segmentd.pipeline.ports import Lease, Saved
from segmentd.sdk.contract import Rejection, ShopInfo
from segmentd.segmenter.frames import Frames
from segmentd.store import Store
from segmentd.store.engine import adbc_address, parse_url
from segmentd.store.tables import CursorRow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TTL = timedelta(minutes=10)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def customer(customer_id: str, email: str | None = None, *, at: datetime = NOW,
             tags: Iterable[str] = ()) -> Customer:  # fmt: skip
    """An account, last changed ``at``."""
    return Customer(customer_id, at, NOW - 400 * DAY, email, tags=list(tags))


def order(order_id: str, customer_id: str | None = None, email: str | None = None, *,
          total: int = 1000, at: datetime = NOW, placed: datetime = NOW - DAY,
          lines: Sequence[OrderLine] = (), **rest: Any) -> Order:  # fmt: skip
    """A paid order, last changed ``at``."""
    rest.setdefault("currency", "EUR")
    rest.setdefault("paid", True)
    return Order(
        order_id, placed, at, total=total, customer_id=customer_id, email=email,
        lines=list(lines), **rest,
    )  # fmt: skip


def rows(store: Store, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """What stands in the tables."""
    with store._database.read() as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


def lease_of(store: Store, name: str = "segment") -> Lease:
    """A lease, taken."""
    return store.acquire(name, "host:1", TTL, NOW)


class Shop:
    """One source of an open store, under its lease; its currency is EUR."""

    def __init__(self, store: Store, source: str = "shop") -> None:
        self.store = store
        self.source = source
        self.lease = lease_of(store, f"source:{source}")
        store.save_shop(self.lease, source, ShopInfo("A shop", "EUR", "UTC", NOW))

    def save(
        self,
        *records: Record,
        rejected: Sequence[Rejection] = (),
        stream: str = "orders",
        at: datetime = NOW,
    ) -> Saved:
        """One batch, read ``at``."""
        cursor = Cursor(window=Window(None, NOW))
        return self.store.save_batch(self.lease, self.source, stream, records, rejected, cursor, at)

    def remove(self, stream: str, *ids: str) -> int:
        """The shop confirmed that they are gone."""
        return self.store.remove(self.lease, self.source, stream, ids, NOW)

    def insert(self, table: str, **values: Any) -> None:
        """A row of a table that no record fills; events come from this source."""
        if table == "events":
            values = {"source": self.source, "properties": "", **values}
        with self.store._database.write() as connection:
            connection.execute(CursorRow.metadata.tables[table].insert().values(values))

    def profile(self, customer_id: str) -> int:
        """The profile of a customer."""
        ((profile_id,),) = rows(
            self.store,
            "SELECT profile_id FROM customers WHERE source = :s AND customer_id = :c",
            s=self.source,
            c=customer_id,
        )
        return int(profile_id)

    def orders(self, profile_id: int) -> set[str]:
        """Ids of a profile's orders."""
        found = rows(self.store, "SELECT remote_id FROM orders WHERE profile_id = :p", p=profile_id)
        return {remote_id for (remote_id,) in found}

    def profiles(self) -> int:
        """How many profiles there are."""
        ((count,),) = rows(self.store, "SELECT count(*) FROM profiles WHERE gone_at IS NULL")
        return int(count)

    def dirty(self) -> set[int]:
        """Profiles that wait to be evaluated."""
        return set(self.store.pending(NOW).dirty)

    def causes(self) -> dict[str, Cause]:
        """Customer id of each profile that waits to be evaluated → why."""
        found = rows(
            self.store,
            "SELECT p.customer_id, d.cause FROM dirty d JOIN profiles p USING (profile_id)",
        )
        return {customer_id: Cause(cause) for customer_id, cause in found}

    def clean(self) -> None:
        """As after a pass that changed nothing."""
        with self.store._database.write() as connection:
            connection.execute(text("DELETE FROM dirty"))


def read_range(url: str, low: int, high: int, needs: frozenset[str]) -> Frames:
    """What a worker process reads; to be called in a process of its own only (``store.arrow``)."""
    from segmentd.store.arrow import RangeFacts

    facts = RangeFacts(adbc_address(parse_url(url)), "the database")
    try:
        return facts.read(low, high, needs)
    finally:
        facts.close()
