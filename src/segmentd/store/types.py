"""Column types that mean the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Dialect, TypeDecorator
from sqlalchemy.dialects.postgresql import TIMESTAMP
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.types import TypeEngine


def epoch(instant: datetime) -> int:
    """Whole seconds since 1970 of an aware instant."""
    return int(instant.timestamp())


def from_epoch(seconds: float) -> datetime:
    """The aware UTC instant of ``seconds`` since 1970."""
    return datetime.fromtimestamp(seconds, UTC)


def moment(value: Any) -> datetime:
    """The aware UTC instant of a column that was read as the driver gives it."""
    return value.astimezone(UTC) if isinstance(value, datetime) else from_epoch(value)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant of whole seconds: ``timestamptz``, or the epoch as an integer.

    Integers on SQLite because text or DateTime columns cost 1.5 times as much to read and cannot
    be compared with a sum of seconds.
    """

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """``timestamptz`` on PostgreSQL."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(TIMESTAMP(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """What the driver is given; a naive datetime is a mistake of ours."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        if dialect.name == "postgresql":
            return value.replace(microsecond=0)
        return epoch(value)

    def process_result_value(self, value: Any, _dialect: Dialect) -> datetime | None:
        """The instant, aware, in UTC."""
        return None if value is None else moment(value)


class RowId(BigInteger):
    """A 64-bit primary key that on SQLite is the row's own address.

    SQLite makes it so only if the type is spelled INTEGER (sqlite.org/rowidtable.html); any other
    spelling costs a second index for every table.
    """


@compiles(RowId, "sqlite")
def _spell_row_id(_type: RowId, _compiler: object, **_options: object) -> str:
    return "INTEGER"
