"""Which columns make the segmenter's frames, and how they are read from each database.

Two readers share this: ``PartFacts`` here reads a few thousand profiles row by row over the open
connection, ``arrow.RangeFacts`` whole ranges through ADBC in a worker process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import numpy as np
import pandas as pd

from segmentd.segmenter.frames import Frames
from segmentd.store.bulk import Bulk


class Kind(Enum):
    """What a column of a frame holds; the value says whether it may be missing."""

    INTEGER = 0
    NUMBER = 1
    """May be missing: float64."""
    INSTANT = 2
    LATER = 3
    """An instant that may be missing: float64."""
    TEXT = 4
    """May be missing; an empty one is missing."""
    LIST = 5


_AMOUNT = "CASE WHEN fx_missing = 1 THEN NULL ELSE {} END"

COLUMNS: Mapping[str, Mapping[str, Kind]] = {
    "profiles": {
        "profile_id": Kind.INTEGER,
        "created_at": Kind.LATER,
        "email": Kind.TEXT,
        "country": Kind.TEXT,
        "region": Kind.TEXT,
        "city": Kind.TEXT,
        "language": Kind.TEXT,
        "account_state": Kind.TEXT,
        "email_consent": Kind.TEXT,
        "sms_consent": Kind.TEXT,
        "tags": Kind.LIST,
    },
    "orders": {
        "order_id": Kind.INTEGER,
        "profile_id": Kind.INTEGER,
        "placed_at": Kind.INSTANT,
        "cancelled_at": Kind.LATER,
        "counted": Kind.INTEGER,
        "total": Kind.NUMBER,
        "channel": Kind.TEXT,
        "country": Kind.TEXT,
        "discount_codes": Kind.LIST,
    },
    "order_lines": {
        "order_id": Kind.INTEGER,
        "profile_id": Kind.INTEGER,
        "placed_at": Kind.INSTANT,
        "cancelled_at": Kind.LATER,
        "counted": Kind.INTEGER,
        "product_id": Kind.INTEGER,
        "quantity": Kind.INTEGER,
        "amount": Kind.NUMBER,
    },
    "refunds": {
        "order_id": Kind.INTEGER,
        "profile_id": Kind.INTEGER,
        "created_at": Kind.INSTANT,
        "amount": Kind.NUMBER,
        "placed_at": Kind.INSTANT,
        "cancelled_at": Kind.LATER,
        "counted": Kind.INTEGER,
    },
    "products": {
        "product_id": Kind.INTEGER,
        "remote_id": Kind.TEXT,
        "title": Kind.TEXT,
        "product_type": Kind.TEXT,
        "vendor": Kind.TEXT,
        "tags": Kind.LIST,
        "categories": Kind.LIST,
    },
}
"""Table → columns of its frame, in the frame's order."""

EVERYTHING = frozenset({"orders", "lines", "refunds"})


def selected(column: str, kind: Kind) -> str:
    """The expression that gives a column; amounts in a foreign currency are missing."""
    return _AMOUNT.format(column) if kind is Kind.NUMBER else column


def array(kind: Kind, values: Sequence[Any]) -> Any:
    """Values of one column as the frame has them."""
    if kind in {Kind.INTEGER, Kind.INSTANT}:
        return np.array(values, dtype=np.int64)
    if kind in {Kind.NUMBER, Kind.LATER}:
        return np.array(values, dtype=np.float64)
    texts = [value or None for value in values] if kind is Kind.TEXT else values
    return np.array(texts, dtype=object)


def frame(table: str, arrays: Sequence[Any]) -> pd.DataFrame:
    """Arrays, one per column, as a frame; texts stay Python objects, ids stay integers."""
    columns = zip(COLUMNS[table].items(), arrays, strict=True)
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=object if values.dtype == object else None)
            for (name, _), values in columns
        },
        copy=False,
    )


def empty(table: str) -> pd.DataFrame:
    """A frame without rows."""
    return frame(table, [array(kind, ()) for kind in COLUMNS[table].values()])


class PartFacts:
    """Reads some profiles over the open connection."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk

    def read(self, profile_ids: Sequence[int], needs: frozenset[str] = EVERYTHING) -> Frames:
        """All facts of those of the profiles that are there and not gone."""
        profiles = self._profiles(profile_ids)
        ids = profiles["profile_id"].tolist()
        orders, lines, refunds = (
            self._of(table, ids) if need in needs else empty(table)
            for need, table in (
                ("orders", "orders"),
                ("lines", "order_lines"),
                ("refunds", "refunds"),
            )
        )
        bought = np.unique(lines["product_id"].to_numpy()).tolist()
        products = self._read("products", "product_id IN (?*)", bought)
        return Frames(profiles, orders, lines, refunds, products)

    def _profiles(self, profile_ids: Sequence[int]) -> pd.DataFrame:
        if isinstance(profile_ids, range) and profile_ids.step == 1:
            chosen = "profile_id BETWEEN ? AND ?"
            values: tuple[Any, ...] = (profile_ids.start, profile_ids.stop - 1)
        else:
            chosen, values = "profile_id IN (?*)", ([int(p) for p in profile_ids],)
        return self._read("profiles", f"gone_at IS NULL AND {chosen} ORDER BY profile_id", *values)

    def _of(self, table: str, ids: list[int]) -> pd.DataFrame:
        return self._read(table, "profile_id IN (?*)", ids)

    def _read(self, table: str, condition: str, *values: Any) -> pd.DataFrame:
        columns = COLUMNS[table]
        selection = ", ".join(self._spelled(name, kind) for name, kind in columns.items())
        rows = self._bulk.tuples(
            f"SELECT {selection} FROM {table} WHERE {condition}",  # noqa: S608 - constants
            *values,
        )
        if not rows:
            return empty(table)
        by_column = zip(*rows, strict=True)
        return frame(
            table,
            [array(kind, v) for kind, v in zip(columns.values(), by_column, strict=True)],
        )

    def _spelled(self, name: str, kind: Kind) -> str:
        expression = selected(name, kind)
        if self._bulk.sqlite or kind not in {Kind.INSTANT, Kind.LATER}:
            return expression
        return f"CAST(EXTRACT(EPOCH FROM {expression}) AS BIGINT)"
