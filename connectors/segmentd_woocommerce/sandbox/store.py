"""What a store holds: rows in plain types, from which the documents of the API are made."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar
from zoneinfo import ZoneInfo

from segmentd.sdk import OrderLine
from segmentd_woocommerce.sandbox.host import Host

STATUSES = (
    "pending",
    "processing",
    "on-hold",
    "completed",
    "cancelled",
    "refunded",
    "failed",
    "checkout-draft",
)
"""What ``status=any`` shows."""


class Dated(Protocol):
    """What every row has."""

    id: int
    created: datetime
    modified: datetime | None


Row = TypeVar("Row", bound=Dated)


class Table(Generic[Row]):
    """Rows by id, and sorted lists of them that are made again only after a change."""

    def __init__(self) -> None:
        self.rows: dict[int, Row] = {}
        self._sorted: dict[str, list[Row]] = {}

    def put(self, row: Row) -> None:
        """Add or change a row; to be called after each change of one."""
        self.rows[row.id] = row
        self._sorted.clear()

    def remove(self, id_: int) -> None:
        """Delete a row for good."""
        del self.rows[id_]
        self._sorted.clear()

    def in_order(self, name: str, key: Callable[[Row], Any]) -> Sequence[Row]:
        """All rows by ``key``, which ``name`` stands for."""
        if name not in self._sorted:
            self._sorted[name] = sorted(self.rows.values(), key=key)
        return self._sorted[name]


@dataclass
class Meta:
    """An entry of the customer meta."""

    id: int
    key: str
    value: Any


@dataclass
class CustomerRow:
    """A WordPress user."""

    id: int
    created: datetime
    modified: datetime | None
    email: str
    first_name: str = ""
    last_name: str = ""
    role: str = "customer"
    paying: bool = False
    billing: dict[str, str] = field(default_factory=dict)
    shipping: dict[str, str] = field(default_factory=dict)
    meta: list[Meta] = field(default_factory=list)


@dataclass
class RefundRow:
    """Money given back for an order; its id is one of the orders' sequence."""

    id: int
    order_id: int
    created: datetime
    modified: datetime | None
    amount: int
    reason: str = ""


@dataclass
class OrderRow:
    """An order; amounts in minor units of its currency."""

    id: int
    created: datetime
    modified: datetime | None
    status: str
    currency: str
    total: int
    customer_id: int
    paid_at: datetime | None = None
    email: str = ""
    country: str = ""
    state: str = ""
    city: str = ""
    channel: str = "checkout"
    discount: int = 0
    codes: list[str] = field(default_factory=list)
    lines: list[OrderLine] = field(default_factory=list)
    refunds: list[RefundRow] = field(default_factory=list)
    before_trash: str = ""


@dataclass
class ProductRow:
    """A product; names of categories and tags as people type them."""

    id: int
    created: datetime
    modified: datetime | None
    name: str
    categories: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    brand: str | None = None
    price: int | None = None
    """In minor units of the store's currency."""


@dataclass
class Store:
    """All of it."""

    zone: ZoneInfo
    currency: str
    customers: Table[CustomerRow] = field(default_factory=Table)
    orders: Table[OrderRow] = field(default_factory=Table)
    refunds: Table[RefundRow] = field(default_factory=Table)
    products: Table[ProductRow] = field(default_factory=Table)
    terms: dict[str, int] = field(default_factory=dict)
    """Name of a category, tag or brand → its id."""
    poisoned: set[tuple[str, int]] = field(default_factory=set)
    """Stream and id of records that a plugin shows wrongly."""
    misreads_dates: bool = False
    """A plugin lets bounds of change times count in the store's time, whatever was asked for."""
    host: Host = field(default_factory=Host)
    meta_ids: Iterable[int] = field(default_factory=lambda: itertools.count(8707))
    post_ids: Iterable[int] = field(default_factory=lambda: itertools.count(90_000_001))

    def term(self, name: str) -> int:
        """The id of a category, tag or brand, given at first sight."""
        return self.terms.setdefault(name, 15 + len(self.terms))

    def is_taken(self, id_: int) -> bool:
        """Whether a refund cannot have the id: orders and refunds share one sequence."""
        return id_ < 1 or id_ in self.orders.rows or id_ in self.refunds.rows

    def next_post(self) -> int:
        """An id for a refund."""
        return next(id_ for id_ in self.post_ids if not self.is_taken(id_))

    def next_meta(self) -> int:
        """An id for a meta entry."""
        return next(iter(self.meta_ids))
