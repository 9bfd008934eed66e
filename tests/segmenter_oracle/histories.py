"""Customers as plain objects, the frames made from them, and random ones."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

from segmentd.segmenter.frames import (
    LINE_COLUMNS,
    ORDER_COLUMNS,
    PRODUCT_COLUMNS,
    PROFILE_COLUMNS,
    REFUND_COLUMNS,
    Frames,
    pack,
)


@dataclass
class Product:
    id: int
    remote_id: str
    title: str | None = None
    type: str | None = None
    vendor: str | None = None
    tags: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)


@dataclass
class Line:
    product: Product | None
    quantity: int
    amount: int


@dataclass
class Order:
    id: int
    placed_at: int
    total: int | None = 1000
    cancelled_at: int | None = None
    counted: bool = True
    channel: str | None = None
    country: str | None = None
    codes: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    refunds: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Person:
    id: int
    created_at: int | None = None
    email: str | None = None
    country: str | None = None
    region: str | None = None
    city: str | None = None
    language: str | None = None
    account_state: str | None = None
    email_consent: str | None = None
    sms_consent: str | None = None
    tags: list[str] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)


def frames(people: Sequence[Person], products: Sequence[Product] = ()) -> Frames:
    """The frames of some people, as the store would read them."""
    return Frames(
        _frame(PROFILE_COLUMNS, (_profile(person) for person in people)),
        _frame(ORDER_COLUMNS, (_order(p, o) for p in people for o in p.orders)),
        _frame(LINE_COLUMNS, (_line(p, o, n) for p in people for o in p.orders for n in o.lines)),
        _frame(
            REFUND_COLUMNS, (_refund(p, o, r) for p in people for o in p.orders for r in o.refunds)
        ),
        _frame(PRODUCT_COLUMNS, (_product(product) for product in products)),
    )


_INTEGERS = {"profile_id", "order_id", "placed_at", "counted", "product_id", "quantity"}
_FLOATS = {"cancelled_at", "total", "amount", "created_at"}


def _frame(columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    for name in columns:
        if name in _INTEGERS:
            frame[name] = frame[name].astype("int64")
        if name in _FLOATS:
            frame[name] = frame[name].astype("float64")
    return frame


def _profile(p: Person) -> tuple[Any, ...]:
    place = (p.country, p.region, p.city)
    states = (p.language, p.account_state, p.email_consent, p.sms_consent)
    return (p.id, p.created_at, p.email, *place, *states, pack(p.tags))


def _head(person: Person, order: Order) -> tuple[Any, ...]:
    return (order.id, person.id, order.placed_at, order.cancelled_at, int(order.counted))


def _order(person: Person, order: Order) -> tuple[Any, ...]:
    return (
        *_head(person, order),
        order.total,
        order.channel,
        order.country,
        pack(order.codes),
    )


def _line(person: Person, order: Order, line: Line) -> tuple[Any, ...]:
    product_id = line.product.id if line.product else -1
    return (*_head(person, order), product_id, line.quantity, line.amount)


def _refund(person: Person, order: Order, refund: tuple[int, int]) -> tuple[Any, ...]:
    order_id, profile_id, placed, cancelled, counted = _head(person, order)
    return (order_id, profile_id, *refund, placed, cancelled, counted)


def _product(p: Product) -> tuple[Any, ...]:
    return (p.id, p.remote_id, p.title, p.type, p.vendor, pack(p.tags), pack(p.categories))


PRODUCTS = [
    Product(
        1, "gid://shopify/Product/11", "Red Shoe", "Shoes", "Acme", ["red", "Sale"], ["Footwear"]
    ),
    Product(2, "12", "Blue Shoe", "Shoes", "Bolt", ["blue"], []),
    Product(3, "13", "Hat", None, None, [], ["Headwear", "Sale Items"]),
    Product(4, "14", None, "Gift Card", "Acme", ["red"], []),
]


class Inventor:
    """Makes people up around an instant, with many events near to the edges of days."""

    def __init__(self, seed: int, zone: ZoneInfo, now: int) -> None:
        self.random = random.Random(seed)
        self.zone = zone
        self.now = now
        self.order_id = 0

    def people(self, count: int) -> list[Person]:
        """People with ids from 1."""
        return [self._person(number) for number in range(1, count + 1)]

    def instant(self) -> int:
        """An instant: at an edge of a day, an exact number of hours ago, or anywhere."""
        pick = self.random.random()
        today = datetime.fromtimestamp(self.now, self.zone).date()
        if pick < 0.5:
            back = self.random.choice(
                [0, 1, 2, 6, 7, 8, 29, 30, 31, 60, 89, 90, 91, 364, 365, -1, -3]
            )
            return self._midnight(today - timedelta(back)) + self.random.choice([-1, 0, 1, 43_200])
        if pick < 0.7:
            hours = self.random.choice([0, 1, 24, 48, -1])
            return self.now - hours * 3600 + self.random.choice([-1, 0, 1])
        return self.now - self.random.randrange(-5 * 86_400, 500 * 86_400)

    def _midnight(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp())

    def _maybe(self, *choices: Any) -> Any:
        return self.random.choice([None, *choices])

    def _person(self, number: int) -> Person:
        pick = self.random.choice
        return Person(
            number,
            self._maybe(self.instant(), self.instant(), self.instant()),
            self._maybe(f"p{number}@Mail.example", f"p{number}@shopper.example"),
            self._maybe("DE", "US"),
            self._maybe("CA", "BE"),
            self._maybe("Los Angeles", "Berlin"),
            self._maybe("de", "en", "EN"),
            self._maybe("ENABLED", "DISABLED"),
            self._maybe("SUBSCRIBED", "UNSUBSCRIBED"),
            self._maybe("SUBSCRIBED", "PENDING"),
            self.random.sample(["VIP", "wholesale", "new-ish", "O'Hara"], pick([0, 0, 1, 2])),
            [self._order() for _ in range(pick([0, 0, 1, 1, 2, 3, 6]))],
        )

    def _order(self) -> Order:
        self.order_id += 1
        placed = self.instant()
        pick, chance = self.random.choice, self.random.random
        total = pick([0, 999, 1000, 1001, 5000, 12_345])
        refunds = [
            (placed + pick([0, 3600, 86_400 * 20]), pick([1, 500, 1000]))
            for _ in range(pick([0, 0, 0, 1, 2]))
        ]
        return Order(
            self.order_id,
            placed,
            None if chance() < 0.05 else total,
            placed + pick([60, 86_400, 86_400 * 40]) if chance() < 0.15 else None,
            chance() < 0.9,
            self._maybe("web", "POS", "42"),
            self._maybe("DE", "FR"),
            pick([[], [], ["SUMMER"], ["Winter", "x"]]),
            [self._line() for _ in range(pick([0, 1, 1, 2, 3]))],
            refunds,
        )

    def _line(self) -> Line:
        product = self.random.choice([None, *PRODUCTS])
        return Line(product, self.random.choice([1, 2, 5]), self.random.choice([0, 500, 1000]))
