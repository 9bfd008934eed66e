"""Reads whole ranges of profiles through ADBC into frames: column by column, no Python rows.

Never imported by the main process when the store is a SQLite file. The driver brings a SQLite
library of its own; two of them with one file open in one process drop each other's POSIX locks
(sqlite.org/howtocorrupt.html, 2.2.1), and another process then takes the write lock while ours
still holds it (measured: performance.md, section 7).
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_manager import DataError, Error, OperationalError

from segmentd.domain.errors import SegmentdError, TransientError
from segmentd.segmenter.frames import Frames
from segmentd.store.facts import (
    OF_PROFILES,
    STORED,
    Kind,
    empty,
    frame,
    of_orders,
    segments_in,
    selected,
    statement,
    stored_columns,
)

_MISSING = {Kind.TEXT: "''", Kind.REAL: "9e999"}
"""What stands for a missing value on SQLite: an empty text, and infinity."""


class RangeFacts:
    """A read-only connection of its own, opened when first needed; ``close`` ends it."""

    def __init__(self, address: str, place: str) -> None:
        """``address``: see ``engine.adbc_address``; ``place``: the database as errors call it."""
        self._address = address
        self._place = place
        self._sqlite = address.startswith("file:")

    def read(self, low: int, high: int, needs: frozenset[str]) -> Frames:
        """All facts of the profiles ``low`` to ``high`` inclusive, of one state of the store.

        Raises errors of the domain: the driver's own cannot be sent to the process that asked.
        """
        try:
            return self._state(low, high, needs)
        except Error as error:
            raise _unread(error, self._place) from None

    def close(self) -> None:
        """Let go of the connection."""
        if "_connection" in vars(self):
            self._connection.close()

    @cached_property
    def _connection(self) -> Any:
        try:
            return _sqlite(self._address) if self._sqlite else _postgres(self._address)
        except Error as error:
            raise _unreached(error, self._place) from None

    def _state(self, low: int, high: int, needs: frozenset[str]) -> Frames:
        connection = self._connection
        chosen = f"profile_id BETWEEN {int(low)} AND {int(high)}"
        try:
            there = f"gone_at IS NULL AND {chosen} ORDER BY profile_id"
            profiles = self._read("profiles", needs, there)
            gone = self._gone(chosen)
            facts = {
                name: _without(gone, self._read(name, needs, chosen))
                if name in needs
                else empty(name)
                for name in OF_PROFILES
            }
            products = (
                self._read("products", needs, "1 = 1") if "lines" in needs else empty("products")
            )
            memberships = _without(gone, self._memberships(chosen, segments_in(needs)))
            stored = {name: self._read(name, needs, chosen) for name in STORED if name in needs}
        finally:
            # ends the transaction: the next range sees what was written meanwhile; where the
            # connection is lost, what told so first is the cause
            with suppress(Error):
                connection.rollback()
        if "lines" in needs:
            facts["lines"] = of_orders(facts["lines"], facts["orders"])
        return Frames(
            profiles=profiles, products=products, memberships=memberships, **stored, **facts
        )

    def _gone(self, chosen: str) -> Any:
        gone = f"SELECT profile_id FROM profiles WHERE gone_at IS NOT NULL AND {chosen}"  # noqa: S608
        return self._arrow(gone).column(0).to_numpy()

    def _memberships(self, chosen: str, segments: list[str] | None) -> pd.DataFrame:
        if segments is None:
            return self._read("memberships", (), chosen)
        if not segments:
            return empty("memberships")
        keys = ", ".join("'" + segment.replace("'", "''") + "'" for segment in segments)
        return self._read("memberships", (), f"{chosen} AND segment IN ({keys})")

    def _read(self, name: str, needs: Collection[str], chosen: str) -> pd.DataFrame:
        columns = stored_columns(name, needs)
        found = self._arrow(statement(name, columns, chosen, self._spelled))
        if found.num_rows == 0:
            return empty(name)
        arrays = zip(columns.values(), found.columns, strict=True)
        return frame(columns, [_array(kind, column) for kind, column in arrays])

    def _arrow(self, query: str) -> Any:
        with self._connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetch_arrow_table()

    def _spelled(self, column: str, kind: Kind) -> str:
        expression = selected(column, kind)
        if self._sqlite and kind in _MISSING:
            # the driver decides by the first 1,024 rows, and takes a column of NULLs for integers
            return f"coalesce({expression}, {_MISSING[kind]})"
        return expression


def _unreached(error: Error, place: str) -> SegmentdError:
    """Without the driver's text, which may hold a part of the address."""
    from segmentd.store.errors import expected_connecting

    return expected_connecting(str(error), place)


def _unread(error: Error, place: str) -> SegmentdError:
    # imported late: with it comes SQLAlchemy, which workers need for nothing else
    from segmentd.store.errors import expected_postgres

    # of what is wrong with a value the text names the value, and that is people's
    unnamed = isinstance(error, DataError)
    told = error.sqlstate if unnamed else str(error).partition("\n")[0]
    known = expected_postgres(error.sqlstate or "", place)
    if known is not None:
        return type(known)(f"{known.message}: {told}")
    kind = TransientError if isinstance(error, OperationalError) else SegmentdError
    return kind(f"{place} cannot be read: {told}")


def _sqlite(address: str) -> Any:
    from adbc_driver_sqlite import dbapi

    return dbapi.connect(address)


def _postgres(address: str) -> Any:
    from adbc_driver_postgresql import dbapi

    connection = dbapi.connect(address)
    with connection.cursor() as cursor:
        cursor.execute("SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL "
                       "REPEATABLE READ, READ ONLY")  # fmt: skip
    connection.commit()
    return connection


def _array(kind: Kind, column: Any) -> Any:
    if kind in {Kind.TEXT, Kind.LIST}:
        texts = pc.if_else(pc.equal(column, ""), None, column) if kind is Kind.TEXT else column
        # few different values among many rows: one object for each instead of one for each row
        return texts.to_pandas(deduplicate_objects=True).to_numpy(dtype=object, na_value=None)
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("s", tz=column.type.tz)).cast(pa.int64())
    if kind is Kind.REAL:
        numbers = column.to_numpy()
        return np.where(np.isinf(numbers), np.nan, numbers)
    if kind in {Kind.NUMBER, Kind.MONEY, Kind.LATER}:
        return column.cast(pa.float64()).to_numpy()
    return column.cast(pa.int64()).to_numpy()


def _without(gone: Any, facts: pd.DataFrame) -> pd.DataFrame:
    if not len(gone):
        return facts
    kept = ~np.isin(facts["profile_id"].to_numpy(), gone)
    return facts[kept].reset_index(drop=True)
