"""The people of frames that were read from a store, as plain objects."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from segmentd.segmenter.frames import Frames, unpack
from segmenter_oracle.histories import Line, Membership, Order, Person, Product


@dataclass
class Stored(Person):
    """Somebody whose profile and account have different numbers."""

    account: str = ""

    @property
    def customer_id(self) -> str:
        return self.account


def people_of(frames: Frames) -> list[Stored]:
    """Everybody with orders and memberships; events and traits are left out."""
    people = {row["profile_id"]: _person(row) for row in _rows(frames.profiles)}
    products = {row["product_id"]: _product(row) for row in _rows(frames.products)}
    orders = {}
    for row in _rows(frames.orders):
        orders[row["order_id"]] = order = _order(row)
        people[row["profile_id"]].orders.append(order)
    for row in _rows(frames.lines):
        product = products.get(row["product_id"])
        line = Line(product, row["quantity"], _whole(row["amount"]) or 0, _whole(row["discount"]))
        orders[row["order_id"]].lines.append(line)
    for row in _rows(frames.refunds):
        orders[row["order_id"]].refunds.append((row["created_at"], int(row["amount"])))
    for row in _rows(frames.memberships):
        left, lapsing = _whole(row["left_at"]), _whole(row["lapsing_at"])
        membership = Membership(row["segment"], row["entered_at"], left, lapsing)
        people[row["profile_id"]].memberships.append(membership)
    return list(people.values())


def _rows(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    for row in frame.to_dict("records"):
        yield {str(name): value for name, value in row.items()}


def _whole(value: float) -> int | None:
    return None if math.isnan(value) else int(value)


def _person(row: dict[str, Any]) -> Stored:
    return Stored(
        row["profile_id"],
        _whole(row["created_at"]),
        row["email"],
        tags=unpack(row["tags"]),
        source=row["source"],
        account=row["customer_id"],
    )


def _product(row: dict[str, Any]) -> Product:
    return Product(
        row["product_id"],
        row["remote_id"],
        row["title"],
        row["product_type"],
        published_at=_whole(row["published_at"]),
        price=_whole(row["price"]),
    )


def _order(row: dict[str, Any]) -> Order:
    return Order(
        row["order_id"],
        row["placed_at"],
        _whole(row["total"]),
        _whole(row["cancelled_at"]),
        bool(row["counted"]),
        discount=_whole(row["discount"]),
    )
