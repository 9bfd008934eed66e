"""What commands read: how things stand, exports, and who somebody is. Nothing here writes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Table, func, select

from segmentd.store.history import HistoryStore
from segmentd.store.tables import CursorRow

_T = CursorRow.metadata.tables
_PROFILES: Table = _T["profiles"]
_MEMBERSHIPS: Table = _T["memberships"]
_CHANGES: Table = _T["membership_changes"]
_CUSTOMERS: Table = _T["customers"]
_BLOCK = 5_000


@dataclass(frozen=True, slots=True)
class Membership:
    """A profile is (or was) in a segment."""

    segment: str
    profile_id: int
    source: str
    customer_id: str
    email: str | None
    since: datetime


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A profile entered or left a segment."""

    segment: str
    profile_id: int
    source: str | None
    customer_id: str | None
    email: str | None
    change: str
    """``entered`` or ``left``."""
    at: datetime
    cause: str


@dataclass(frozen=True, slots=True)
class Person:
    """A profile."""

    profile_id: int
    source: str
    customer_id: str
    email: str | None
    created_at: datetime | None
    country: str | None
    due_at: datetime | None
    """When time alone may next change a membership."""


@dataclass(frozen=True, slots=True)
class StreamState:
    """How far one stream of one source is read."""

    source: str
    stream: str
    watermark: datetime | None
    """Everything that changed up to here is stored; None: never read to its end."""
    unfinished: bool
    """A window was opened and not yet read to its end."""


@dataclass(frozen=True, slots=True)
class SegmentState:
    """How large a segment is and when it last changed."""

    segment: str
    size: int
    changed_at: datetime | None


@dataclass(frozen=True, slots=True)
class NameState:
    """How many we know to have one name at a destination, by ledger state."""

    destination: str
    name: str
    states: dict[str, int]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record or change that was refused."""

    origin: str
    kind: str
    id: str
    reason: str
    last_at: datetime
    times: int


@dataclass(frozen=True, slots=True)
class Status:
    """How things stand."""

    database: str
    streams: list[StreamState]
    segments: list[SegmentState]
    names: list[NameState]
    counts: dict[str, int]
    """Rows of ``profiles``, ``customers``, ``orders``, ``products``; ``dirty`` profiles;
    ``fx_missing`` orders."""
    next_due: datetime | None
    rejections: list[Refusal] = field(default_factory=list)
    """The latest 20."""
    rejected: int = 0


class ReadStore(HistoryStore):
    """The questions of the command line."""

    def status(self) -> Status:
        """How things stand, in one consistent view."""
        with self._database.read() as connection:

            def rows(statement: Any) -> Sequence[Row[Any]]:
                return connection.execute(statement).all()

            def count(name: str, *conditions: Any) -> int:
                return int(
                    rows(select(func.count()).select_from(_T[name]).where(*conditions))[0][0]
                )

            orders = _T["orders"]
            counts = {
                "profiles": count("profiles", _PROFILES.c.gone_at.is_(None)),
                "customers": count("customers", _CUSTOMERS.c.gone_at.is_(None)),
                "orders": count("orders", orders.c.gone_at.is_(None)),
                "products": count("products"),
                "dirty": count("dirty"),
                "fx_missing": count("orders", orders.c.fx_missing == 1),
            }
            return Status(
                database=self._engine_name(),
                streams=[
                    _stream(row) for row in rows(select(_T["cursors"]).order_by("source", "stream"))
                ],
                segments=_segment_states(rows),
                names=_name_states(rows),
                counts=counts,
                next_due=rows(_next_due())[0][0],
                rejections=_refusals(rows, 20),
                rejected=count("rejections"),
            )

    def memberships(self, as_of: datetime | None = None) -> Iterator[Membership]:
        """Who is in which segment; ``as_of``: as the history says it was then."""
        if as_of is not None:
            yield from self._memberships_as_of(as_of)
            return
        statement = (
            select(
                _MEMBERSHIPS.c.segment, _PROFILES.c.profile_id, _PROFILES.c.source,
                _PROFILES.c.customer_id, _PROFILES.c.email, _MEMBERSHIPS.c.since,
            )
            .join(_PROFILES, _PROFILES.c.profile_id == _MEMBERSHIPS.c.profile_id)
            .order_by(_MEMBERSHIPS.c.segment, _PROFILES.c.profile_id)
        )  # fmt: skip
        for row in self._stream_rows(statement):
            yield Membership(*tuple(row))

    def changes(self) -> Iterator[HistoryEntry]:
        """The history of all memberships, oldest first."""
        for row in self._stream_rows(_history().order_by(_CHANGES.c.change_id)):
            yield HistoryEntry(
                row.segment, row.profile_id, row.source, row.customer_id, row.email,
                "entered" if row.entered else "left", row.at, row.cause,
            )  # fmt: skip

    def profiles(self) -> Iterator[Person]:
        """Everybody who is not gone."""
        statement = _people().where(_PROFILES.c.gone_at.is_(None))
        for row in self._stream_rows(statement.order_by(_PROFILES.c.profile_id)):
            yield Person(*tuple(row))

    def people(self, profile_ids: Sequence[int]) -> list[Person]:
        """The named profiles, in the order asked."""
        with self._database.read() as connection:
            found = connection.execute(_people().where(_PROFILES.c.profile_id.in_(profile_ids)))
            by_id = {row.profile_id: Person(*tuple(row)) for row in found}
        return [by_id[profile_id] for profile_id in profile_ids if profile_id in by_id]

    def _memberships_as_of(self, as_of: datetime) -> Iterator[Membership]:
        inside: dict[tuple[str, int], Membership] = {}
        statement = _history().where(_CHANGES.c.at <= as_of).order_by(_CHANGES.c.change_id)
        for row in self._stream_rows(statement):
            key = (row.segment, row.profile_id)
            if row.entered:
                inside[key] = Membership(
                    row.segment, row.profile_id, row.source or "", row.customer_id or "",
                    row.email, row.at,
                )  # fmt: skip
            else:
                inside.pop(key, None)
        for key in sorted(inside):
            yield inside[key]

    def _stream_rows(self, statement: Any) -> Iterator[Row[Any]]:
        with self._database.read() as connection:
            yield from connection.execution_options(yield_per=_BLOCK).execute(statement)

    def _engine_name(self) -> str:
        if self._database.sqlite:
            return f"SQLite {sqlite3.sqlite_version}"
        with self._database.read() as connection:
            return f"PostgreSQL {connection.exec_driver_sql('SHOW server_version').scalar_one()}"


def _people() -> Any:
    columns = _PROFILES.c
    return select(
        columns.profile_id, columns.source, columns.customer_id, columns.email,
        columns.created_at, columns.country, columns.due_at,
    )  # fmt: skip


def _next_due() -> Any:
    # the condition is that of the index: without it SQLite looks at everybody
    due = _PROFILES.c.due_at
    return select(func.min(due)).where(due.is_not(None))


def _history() -> Any:
    return select(
        _CHANGES.c.segment, _CHANGES.c.profile_id, _PROFILES.c.source, _PROFILES.c.customer_id,
        _PROFILES.c.email, _CHANGES.c.entered, _CHANGES.c.at, _CHANGES.c.cause,
    ).outerjoin(_PROFILES, _PROFILES.c.profile_id == _CHANGES.c.profile_id)  # fmt: skip


def _stream(row: Row[Any]) -> StreamState:
    return StreamState(row.source, row.stream, row.watermark, row.window_until is not None)


def _segment_states(rows: Any) -> list[SegmentState]:
    sizes = dict(map(tuple, rows(select(_MEMBERSHIPS.c.segment, func.count()).group_by("segment"))))
    changed = dict(
        map(tuple, rows(select(_CHANGES.c.segment, func.max(_CHANGES.c.at)).group_by("segment")))
    )
    segments = _T["segments"]
    current = rows(select(segments.c.segment).where(segments.c.current == 1).order_by("segment"))
    return [SegmentState(key, int(sizes.get(key, 0)), changed.get(key)) for (key,) in current]


def _name_states(rows: Any) -> list[NameState]:
    columns = _T["ledger"].c
    found: dict[tuple[str, str], dict[str, int]] = {}
    statement = select(columns.destination, columns.name, columns.state, func.count()).group_by(
        columns.destination, columns.name, columns.state
    )
    for destination, name, state, count in rows(statement):
        found.setdefault((destination, name), {})[state] = int(count)
    return [NameState(*key, states) for key, states in sorted(found.items())]


def _refusals(rows: Any, limit: int) -> list[Refusal]:
    columns = _T["rejections"].c
    statement = select(
        columns.origin, columns.kind, columns.id, columns.reason, columns.last_at, columns.times
    )
    return [Refusal(*row) for row in rows(statement.order_by(columns.last_at.desc()).limit(limit))]
