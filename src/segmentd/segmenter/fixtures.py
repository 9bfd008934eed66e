"""Frames of made-up customers, for trying rules without a store."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pandas as pd

from segmentd.domain.records import Customer, Order, Product
from segmentd.segmenter import frames as columns
from segmentd.segmenter.frames import Frames, pack

SOURCE = "test"
"""The source of all of them."""

_INTEGERS = frozenset(
    {"profile_id", "order_id", "placed_at", "counted", "product_id", "quantity", "event_id", "at",
     "entered_at"}
)  # fmt: skip
_NUMBERS = frozenset(
    {"latitude", "longitude", "cancelled_at", "total", "discount", "amount", "published_at",
     "price", "ended_at", "left_at", "lapsing_at"}
)  # fmt: skip


@dataclass(slots=True)
class Happening:
    """Something that a customer did elsewhere than in an order."""

    name: str
    at: datetime
    amount: int | None = None
    ended_at: datetime | None = None
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Stay:
    """A time that a customer was in a segment, before the test."""

    segment: str
    entered_at: datetime
    left_at: datetime | None = None


@dataclass(slots=True)
class Person:
    """A customer with everything that is known of it."""

    customer: Customer
    orders: Sequence[Order] = ()
    events: Sequence[Happening] = ()
    stays: Sequence[Stay] = ()


def frames_of(people: Sequence[Person], products: Sequence[Product] = ()) -> Frames:
    """The frames of some people; their profile ids are their places, from 1.

    Amounts are in minor units of the store's currency. Lines name products by ``Product.id``.
    """
    numbered = list(enumerate(people, 1))
    orders = [(n, order) for n, person in numbered for order in person.orders]
    heads = [_head(number, *placed) for number, placed in enumerate(orders, 1)]
    by_order = list(zip(heads, (order for _, order in orders), strict=True))
    known = {product.id: number for number, product in enumerate(products, 1)}
    return Frames(
        profiles=_frame(columns.PROFILE_COLUMNS, (_profile(n, p.customer) for n, p in numbered)),
        orders=_frame(columns.ORDER_COLUMNS, (_order(h, order) for h, order in by_order)),
        lines=_frame(columns.LINE_COLUMNS, _lines(by_order, known)),
        refunds=_frame(columns.REFUND_COLUMNS, _refunds(by_order)),
        products=_frame(columns.PRODUCT_COLUMNS, map(_product, known.values(), products)),
        events=_frame(columns.EVENT_COLUMNS, _events(numbered)),
        traits=_frame(columns.TRAIT_COLUMNS, _traits(numbered)),
        memberships=_frame(columns.MEMBERSHIP_COLUMNS, _stays(numbered)),
    )


_Row = dict[str, Any]


def _frame(names: Sequence[str], rows: Iterable[_Row]) -> pd.DataFrame:
    found = list(rows)
    return pd.DataFrame(
        {
            name: pd.Series([row.get(name) for row in found], dtype=_type(name, names))
            for name in names
        }
    )


def _type(name: str, names: Sequence[str]) -> str:
    if name == "created_at":  # of a refund it is always known
        return "float64" if "email" in names else "int64"
    return "int64" if name in _INTEGERS else "float64" if name in _NUMBERS else "object"


def _profile(number: int, customer: Customer) -> _Row:
    return {
        "profile_id": number,
        "source": SOURCE,
        "customer_id": customer.id,
        "created_at": _seconds(customer.created_at),
        "tags": pack(customer.tags),
        **{
            name: getattr(customer, name)
            for name in (
                "email", "country", "region", "city", "postcode", "latitude", "longitude",
                "language", "account_state", "email_consent", "sms_consent",
            )
        },
    }  # fmt: skip


def _head(number: int, profile: int, order: Order) -> _Row:
    return {
        "order_id": number,
        "profile_id": profile,
        "placed_at": _seconds(order.placed_at),
        "cancelled_at": _seconds(order.cancelled_at),
        "counted": int(order.paid and not order.test),
    }


def _order(head: _Row, order: Order) -> _Row:
    return {
        **head,
        "total": order.total,
        "discount": order.discount,
        "channel": order.channel,
        "country": order.country,
        "discount_codes": pack(order.discount_codes),
        "tags": pack(order.tags),
    }


def _lines(orders: Iterable[tuple[_Row, Order]], products: Mapping[str, int]) -> Iterator[_Row]:
    for head, order in orders:
        for line in order.lines:
            yield {
                **head,
                "product_id": products.get(line.product_id or "", -1),
                "quantity": line.quantity,
                "amount": line.amount,
                "discount": line.discount,
            }


def _refunds(orders: Iterable[tuple[_Row, Order]]) -> Iterator[_Row]:
    for head, order in orders:
        for refund in order.refunds:
            yield {**head, "created_at": _seconds(refund.created_at), "amount": refund.amount}


def _product(number: int, product: Product) -> _Row:
    return {
        "product_id": number,
        "remote_id": product.id,
        "title": product.title,
        "product_type": product.product_type,
        "vendor": product.vendor,
        "tags": pack(product.tags),
        "categories": pack(product.categories),
        "published_at": _seconds(product.published_at),
        "price": product.price,
    }


def _events(people: Iterable[tuple[int, Person]]) -> Iterator[_Row]:
    numbered = ((profile, event) for profile, person in people for event in person.events)
    for number, (profile, event) in enumerate(numbered, 1):
        yield {
            "event_id": number,
            "profile_id": profile,
            "name": event.name,
            "at": _seconds(event.at),
            "amount": event.amount,
            "ended_at": _seconds(event.ended_at),
            "properties": pack(f"{key}={value}" for key, value in event.properties.items()),
        }


def _traits(people: Iterable[tuple[int, Person]]) -> Iterator[_Row]:
    for profile, person in people:
        for name, value in person.customer.traits.items():
            yield {"profile_id": profile, "name": name, "value": value}


def _stays(people: Iterable[tuple[int, Person]]) -> Iterator[_Row]:
    for profile, person in people:
        for stay in person.stays:
            yield {
                "profile_id": profile,
                "segment": stay.segment,
                "entered_at": _seconds(stay.entered_at),
                "left_at": _seconds(stay.left_at),
            }


def _seconds(instant: datetime | None) -> int | None:
    return None if instant is None else int(instant.timestamp())


def of_profiles(frames: Frames, profile_ids: Sequence[int]) -> Frames:
    """The facts of some of the people."""
    rows = {
        each.name: getattr(frames, each.name)
        for each in dataclasses.fields(frames)
        if each.name != "products"
    }
    chosen = {
        name: frame[frame["profile_id"].isin(profile_ids)]
        for name, frame in rows.items()
        if frame is not None
    }
    return dataclasses.replace(frames, **chosen)
