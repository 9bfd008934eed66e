"""Which columns make the segmenter's frames, and how they are read from each database.

Two readers share this: ``PartFacts`` here reads a few thousand profiles row by row over the open
connection, ``arrow.RangeFacts`` whole ranges through ADBC in a worker process.

What is to be read is said by names of frames: ``orders``, ``lines`` (with the products),
``refunds``, ``events``, ``traits``, and ``memberships:KEY`` for each segment whose history is asked
for (``memberships`` alone: of all); ``members`` and ``values`` are what the pass before stored.
Profiles are always read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from segmentd.segmenter.frames import ALL_COLUMNS, Frames, is_read

if TYPE_CHECKING:
    # worker processes start without what it brings along
    from segmentd.store.bulk import Bulk, Values


class Kind(Enum):
    """What a column of a frame holds; the value says whether it may be missing."""

    INTEGER = 0
    NUMBER = 1
    """Without a fraction, and may be missing; or with one, and never missing: float64."""
    MONEY = 2
    """As NUMBER; in a foreign currency it is missing."""
    REAL = 3
    """A number with a fraction that may be missing: float64."""
    INSTANT = 4
    LATER = 5
    """An instant that may be missing: float64."""
    TEXT = 6
    """May be missing; an empty one is missing."""
    LIST = 7


_OF_ORDER = {
    "placed_at": Kind.INSTANT,
    "cancelled_at": Kind.LATER,
    "counted": Kind.INTEGER,
}
COLUMNS: Mapping[str, Mapping[str, Kind]] = {
    "profiles": {
        "profile_id": Kind.INTEGER,
        "source": Kind.TEXT,
        "customer_id": Kind.TEXT,
        "created_at": Kind.LATER,
        "email": Kind.TEXT,
        "country": Kind.TEXT,
        "region": Kind.TEXT,
        "city": Kind.TEXT,
        "postcode": Kind.TEXT,
        "latitude": Kind.REAL,
        "longitude": Kind.REAL,
        "language": Kind.TEXT,
        "account_state": Kind.TEXT,
        "email_consent": Kind.TEXT,
        "sms_consent": Kind.TEXT,
        "tags": Kind.LIST,
        "due_at": Kind.LATER,
    },
    "orders": {
        "order_id": Kind.INTEGER,
        "profile_id": Kind.INTEGER,
        **_OF_ORDER,
        "total": Kind.MONEY,
        "discount": Kind.MONEY,
        "channel": Kind.TEXT,
        "country": Kind.TEXT,
        "discount_codes": Kind.LIST,
        "tags": Kind.LIST,
    },
    "lines": {
        "order_id": Kind.INTEGER,
        "profile_id": Kind.INTEGER,
        **_OF_ORDER,
        "product_id": Kind.INTEGER,
        "quantity": Kind.INTEGER,
        "amount": Kind.MONEY,
        "discount": Kind.MONEY,
    },
    "refunds": {
        "order_id": Kind.INTEGER,
        "profile_id": Kind.INTEGER,
        "created_at": Kind.INSTANT,
        "amount": Kind.MONEY,
        **_OF_ORDER,
    },
    "products": {
        "product_id": Kind.INTEGER,
        "remote_id": Kind.TEXT,
        "title": Kind.TEXT,
        "product_type": Kind.TEXT,
        "vendor": Kind.TEXT,
        "tags": Kind.LIST,
        "categories": Kind.LIST,
        "published_at": Kind.LATER,
        "price": Kind.NUMBER,
    },
    "events": {
        "event_id": Kind.INTEGER,
        "profile_id": Kind.INTEGER,
        "name": Kind.TEXT,
        "at": Kind.INSTANT,
        "amount": Kind.NUMBER,
        "ended_at": Kind.LATER,
        "properties": Kind.LIST,
    },
    "traits": {
        "profile_id": Kind.INTEGER,
        "name": Kind.TEXT,
        "value": Kind.TEXT,
    },
    "memberships": {
        "profile_id": Kind.INTEGER,
        "segment": Kind.TEXT,
        "entered_at": Kind.INSTANT,
        "left_at": Kind.LATER,
        "lapsing_at": Kind.LATER,
    },
    "members": {
        "profile_id": Kind.INTEGER,
        "segment": Kind.TEXT,
        "lapsing_at": Kind.LATER,
    },
    "values": {
        "profile_id": Kind.INTEGER,
        "name": Kind.TEXT,
        "value": Kind.NUMBER,
        "orders": Kind.NUMBER,
        "last_order_at": Kind.NUMBER,
    },
}
"""Frame → its columns, in the frame's order."""

OF_PROFILES = ("orders", "lines", "refunds", "events", "traits")
"""Frames whose rows belong to one profile each."""
STORED = ("members", "values")
"""Frames with what the pass before stored."""
EVERYTHING = frozenset({*OF_PROFILES, "memberships"}) | ALL_COLUMNS

_TABLES = {
    "lines": "order_lines",
    "members": "memberships",
    # from the left: from the other side it would be looked for in all values of a subject
    "values": "relative_values LEFT JOIN relative_subjects USING (subject_id)",
}
_INSTANTS = frozenset({Kind.INSTANT, Kind.LATER})
_MEMBERSHIPS = "memberships"
# the time that a profile was a member ends with the next change; grace is only of the current one;
# where a pass went back in time, what it found ends what was found of later times before
_HISTORY = """
SELECT h.profile_id, h.segment, h.entered_at, h.left_at,
       CASE WHEN h.left_at IS NULL THEN m.lapsing_at END AS lapsing_at
FROM (SELECT profile_id, segment, entered,
             min(at) OVER (PARTITION BY profile_id, segment ORDER BY change_id
                           ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS entered_at,
             min(at) OVER (PARTITION BY profile_id, segment ORDER BY change_id
                           ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS left_at
      FROM membership_changes WHERE {chosen}) h
LEFT JOIN memberships m ON m.profile_id = h.profile_id AND m.segment = h.segment
WHERE h.entered = 1
"""


def stored_columns(name: str, needs: Collection[str]) -> Mapping[str, Kind]:
    """The columns of a frame that are read from its table: what lines have of their orders is not,
    see ``of_orders``."""
    elsewhere = _OF_ORDER if name == "lines" else ()
    return {
        column: kind
        for column, kind in COLUMNS[name].items()
        if is_read(name, column, needs) and column not in elsewhere
    }


def of_orders(lines: pd.DataFrame, orders: pd.DataFrame) -> pd.DataFrame:
    """The lines of these orders with what is known of the order: looked up here it takes a tenth of
    the time of reading it once more for each line."""
    positions = pd.Index(orders["order_id"]).get_indexer(pd.Index(lines["order_id"]))
    known = positions >= 0
    found = {column: lines[column].to_numpy()[known] for column in lines.columns}
    found |= {column: orders[column].to_numpy()[positions[known]] for column in _OF_ORDER}
    columns = [column for column in COLUMNS["lines"] if column in found]
    return frame(columns, [found[column] for column in columns])


def statement(
    name: str, columns: Mapping[str, Kind], chosen: str, spelled: Callable[[str, Kind], str]
) -> str:
    """The query for columns of a frame; ``chosen`` is the condition on the rows of its table,
    ``spelled`` gives the expression for a column as the reader needs it."""
    selection = ", ".join(spelled(column, kind) for column, kind in columns.items())
    if name == _MEMBERSHIPS:
        return f"SELECT {selection} FROM ({_HISTORY.format(chosen=chosen)}) history"  # noqa: S608
    table = _TABLES.get(name, name)
    return f"SELECT {selection} FROM {table} WHERE {chosen}"  # noqa: S608 - built from constants


def selected(column: str, kind: Kind) -> str:
    """The expression that gives a column; money in a foreign currency is missing."""
    return f"CASE WHEN fx_missing = 1 THEN NULL ELSE {column} END" if kind is Kind.MONEY else column


def among(profile_ids: Sequence[int]) -> tuple[str, Values]:
    """The condition that chooses profiles, and its values; of a ``range`` all that there are."""
    if isinstance(profile_ids, range) and profile_ids.step == 1:
        return "profile_id BETWEEN ? AND ?", (profile_ids.start, profile_ids.stop - 1)
    return "profile_id IN (?*)", ([int(profile_id) for profile_id in profile_ids],)


def segments_in(needs: Iterable[str]) -> list[str] | None:
    """Keys of the segments whose history is asked for; None: of all."""
    if _MEMBERSHIPS in needs:
        return None
    prefix = f"{_MEMBERSHIPS}:"
    return sorted(need.removeprefix(prefix) for need in needs if need.startswith(prefix))


def array(kind: Kind, values: Sequence[Any]) -> Any:
    """Values of one column as the frame has them."""
    if kind in {Kind.INTEGER, Kind.INSTANT}:
        return np.array(values, dtype=np.int64)
    if kind not in {Kind.TEXT, Kind.LIST}:
        return np.array(values, dtype=np.float64)
    texts = [value or None for value in values] if kind is Kind.TEXT else values
    return np.array(texts, dtype=object)


def frame(columns: Iterable[str], arrays: Sequence[Any]) -> pd.DataFrame:
    """Arrays, one per column, as a frame; texts stay Python objects, ids stay integers."""
    # objects in an index stay what they are, where a bare array of texts becomes pandas' own; and
    # by number columns are put together in a third of the time
    numbered = {
        number: pd.Index(values, dtype=object) if values.dtype == object else values
        for number, values in enumerate(arrays)
    }
    made = pd.DataFrame(numbered, copy=False)
    made.columns = _labels(tuple(columns))
    return made


@cache
def _labels(columns: tuple[str, ...]) -> pd.Index[Any]:
    return pd.Index(columns)


def empty(name: str) -> pd.DataFrame:
    """A frame without rows."""
    return _empty(name).copy(deep=False)


@cache
def _empty(name: str) -> pd.DataFrame:
    # a pass over a few profiles spent a third of its time on making what it does not read
    return frame(COLUMNS[name], [array(kind, ()) for kind in COLUMNS[name].values()])


class PartFacts:
    """Reads some profiles over the open connection."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk

    def read(self, profile_ids: Sequence[int], needs: frozenset[str] = EVERYTHING) -> Frames:
        """All facts of those of the profiles that are there and not gone."""
        chosen, values = among(profile_ids)
        there = f"gone_at IS NULL AND {chosen} ORDER BY profile_id"
        profiles = self._read("profiles", needs, there, *values)
        ids = profiles["profile_id"].tolist()
        stored = {
            name: self._read(name, needs, chosen, *values) for name in STORED if name in needs
        }
        facts = {
            name: self._read(name, needs, "profile_id IN (?*)", ids)
            if name in needs
            else empty(name)
            for name in OF_PROFILES
        }
        products = empty("products")
        if "lines" in needs:
            facts["lines"] = of_orders(facts["lines"], facts["orders"])
            bought = np.unique(facts["lines"]["product_id"].to_numpy()).tolist()
            products = self._read("products", needs, "product_id IN (?*)", bought)
        return Frames(
            profiles=profiles,
            products=products,
            memberships=self._memberships(ids, segments_in(needs)),
            **stored,
            **facts,
        )

    def _memberships(self, ids: list[int], segments: list[str] | None) -> pd.DataFrame:
        if segments is None:
            return self._read(_MEMBERSHIPS, (), "profile_id IN (?*)", ids)
        if not segments:
            return empty(_MEMBERSHIPS)
        chosen = "profile_id IN (?*) AND segment IN (?*)"
        return self._read(_MEMBERSHIPS, (), chosen, ids, segments)

    def _read(self, name: str, needs: Collection[str], chosen: str, *values: Any) -> pd.DataFrame:
        columns = stored_columns(name, needs)
        rows = self._bulk.tuples(statement(name, columns, chosen, self._spelled), *values)
        if not rows:
            return empty(name)
        arrays = zip(columns.values(), zip(*rows, strict=True), strict=True)
        return frame(columns, [array(kind, values) for kind, values in arrays])

    def _spelled(self, column: str, kind: Kind) -> str:
        expression = selected(column, kind)
        return self._bulk.seconds(expression) if kind in _INSTANTS else expression
