"""Customers as plain objects, and the frames made from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from segmentd.segmenter.frames import (
    EVENT_COLUMNS,
    LINE_COLUMNS,
    MEMBERSHIP_COLUMNS,
    ORDER_COLUMNS,
    PRODUCT_COLUMNS,
    PROFILE_COLUMNS,
    REFUND_COLUMNS,
    TRAIT_COLUMNS,
    Frames,
    is_read,
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
    published_at: int | None = None
    price: int | None = None


@dataclass
class Line:
    product: Product | None
    quantity: int
    amount: int
    discount: int | None = 0


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
    """When and how much."""
    discount: int | None = 0
    tags: list[str] = field(default_factory=list)


@dataclass
class Event:
    """Something that happened at ``at``: a page that was seen, a checkout that was begun."""

    id: int
    name: str
    at: int
    amount: int | None = None
    ended_at: int | None = None
    properties: dict[str, str] = field(default_factory=dict)


@dataclass
class Membership:
    """One time of being a member: a row of the stored history."""

    segment: str
    entered_at: int
    left_at: int | None = None
    lapsing_at: int | None = None


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
    postcode: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    events: list[Event] = field(default_factory=list)
    traits: dict[str, str] = field(default_factory=dict)
    memberships: list[Membership] = field(default_factory=list)
    source: str = "shop"

    @property
    def customer_id(self) -> str:
        return f"c{self.id}"


def needed(known: Frames, needs: Collection[str]) -> Frames:
    """What is read for rules that need no more, see ``Ruleset.needs``: other columns are not there,
    other frames are empty."""
    kept = {}
    for name in ("profiles", "orders", "lines", "refunds", "events", "traits"):
        frame = getattr(known, name)
        columns = [column for column in frame.columns if is_read(name, column, needs)]
        if name != "profiles" and name not in needs:
            kept[name] = frame.iloc[:0]
        elif len(columns) < len(frame.columns):
            kept[name] = frame[columns]
    return dataclasses.replace(known, **kept)


def frames(people: Sequence[Person], products: Sequence[Product] = ()) -> Frames:
    """The frames of some people, as the store would read them."""
    orders = [(person, order) for person in people for order in person.orders]
    lines = [_line(p, order, line) for p, order in orders for line in order.lines]
    refunds = [_refund(p, order, refund) for p, order in orders for refund in order.refunds]
    return Frames(
        _frame(PROFILE_COLUMNS, map(_profile, people), {"profile_id"}),
        _frame(ORDER_COLUMNS, (_order(*each) for each in orders), _HEAD),
        _frame(LINE_COLUMNS, lines, {*_HEAD, "product_id", "quantity"}),
        _frame(REFUND_COLUMNS, refunds, {*_HEAD, "created_at"}),
        _frame(PRODUCT_COLUMNS, map(_product, products), {"product_id"}),
        _frame(
            EVENT_COLUMNS,
            (_event(p, event) for p in people for event in p.events),
            {"event_id", "profile_id", "at"},
        ),
        _frame(
            TRAIT_COLUMNS,
            (_trait(p, name, value) for p in people for name, value in p.traits.items()),
            {"profile_id"},
        ),
        _frame(
            MEMBERSHIP_COLUMNS,
            (_membership(p, row) for p in people for row in p.memberships),
            {"profile_id", "entered_at"},
        ),
    )


Row = Mapping[str, Any]
_HEAD = {"order_id", "profile_id", "placed_at", "counted"}
_FLOATS = {
    "amount",
    "cancelled_at",
    "created_at",
    "discount",
    "ended_at",
    "lapsing_at",
    "latitude",
    "left_at",
    "longitude",
    "price",
    "published_at",
    "total",
}


def _frame(columns: Sequence[str], rows: Iterable[Row], integers: set[str]) -> pd.DataFrame:
    listed = list(rows)
    # columns by number and texts in an index: thousands of tests make eight of these
    made = pd.DataFrame(
        {
            n: _column(name, [row[name] for row in listed], integers)
            for n, name in enumerate(columns)
        }
    )
    made.columns = _labels(tuple(columns))
    return made


def _column(name: str, values: list[Any], integers: set[str]) -> Any:
    if name in integers:
        return np.array(values, np.int64)
    if name in _FLOATS:
        return np.array(values, np.float64)
    return pd.Index(values, dtype=object)


@cache
def _labels(columns: tuple[str, ...]) -> pd.Index[Any]:
    return pd.Index(columns)


def _profile(person: Person) -> Row:
    named = {name: getattr(person, name, None) for name in PROFILE_COLUMNS}
    return {**named, "profile_id": person.id, "tags": pack(person.tags)}


def _head(person: Person, order: Order) -> Row:
    return {
        "order_id": order.id,
        "profile_id": person.id,
        "placed_at": order.placed_at,
        "cancelled_at": order.cancelled_at,
        "counted": int(order.counted),
    }


def _order(person: Person, order: Order) -> Row:
    return {
        **_head(person, order),
        "total": order.total,
        "discount": None if order.total is None else order.discount,
        "channel": order.channel,
        "country": order.country,
        "discount_codes": pack(order.codes),
        "tags": pack(order.tags),
    }


def _line(person: Person, order: Order, line: Line) -> Row:
    return {
        **_head(person, order),
        "product_id": line.product.id if line.product else -1,
        "quantity": line.quantity,
        "amount": line.amount,
        "discount": line.discount,
    }


def _refund(person: Person, order: Order, refund: tuple[int, int]) -> Row:
    return {**_head(person, order), "created_at": refund[0], "amount": refund[1]}


def _product(product: Product) -> Row:
    return {
        "product_id": product.id,
        "remote_id": product.remote_id,
        "title": product.title,
        "product_type": product.type,
        "vendor": product.vendor,
        "tags": pack(product.tags),
        "categories": pack(product.categories),
        "published_at": product.published_at,
        "price": product.price,
    }


def _event(person: Person, event: Event) -> Row:
    return {
        "event_id": event.id,
        "profile_id": person.id,
        "name": event.name,
        "at": event.at,
        "amount": event.amount,
        "ended_at": event.ended_at,
        "properties": pack(f"{key}={value}" for key, value in event.properties.items()),
    }


def _trait(person: Person, name: str, value: str) -> Row:
    return {"profile_id": person.id, "name": name, "value": value}


def _membership(person: Person, row: Membership) -> Row:
    return {
        "profile_id": person.id,
        "segment": row.segment,
        "entered_at": row.entered_at,
        "left_at": row.left_at,
        "lapsing_at": row.lapsing_at,
    }


PRODUCTS = [
    Product(
        1,
        "gid://shopify/Product/11",
        "Red Shoe",
        "Shoes",
        "Acme",
        ["red", "Sale"],
        ["Footwear"],
        1_735_689_600,
        9900,
    ),
    Product(2, "12", "Blue Shoe", "Shoes", "Bolt", ["blue"], [], 1_769_900_400, 500),
    Product(3, "13", "Hat", None, None, [], ["Headwear", "Sale Items"]),
    Product(4, "14", None, "Gift Card", "Acme", ["red"], [], 1_700_000_000, 2500),
]
