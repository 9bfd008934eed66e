"""Many rows in one statement, the way each driver does it fastest (performance.md, section 2.2).

SQLite: ``executemany`` with tuples past SQLAlchemy. PostgreSQL: COPY, for upserts into a temporary
table first. Mapped objects would be 95 times slower. Statements are written with ``?`` for one
value and ``IN (?*)`` for a list of values; instants are what the driver takes, see ``instant``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Connection, Row, Table

from segmentd.store.tables import CursorRow
from segmentd.store.types import epoch

Values = tuple[Any, ...]
Found = Row[*tuple[Any, ...]]
TABLES = CursorRow.metadata.tables


class Bulk:
    """One open transaction, spoken to in plain SQL."""

    def __init__(self, connection: Connection, *, sqlite: bool) -> None:
        self.connection = connection
        self.sqlite = sqlite
        self.instant: Callable[[datetime | None], Any] = _seconds if sqlite else _same
        """An instant as statements take it here and rows return it."""

    def seconds(self, column: str) -> str:
        """The expression that gives an instant as epoch seconds on either database."""
        return column if self.sqlite else f"CAST(EXTRACT(EPOCH FROM {column}) AS BIGINT)"

    def joined(self, column: str) -> str:
        """The expression that gives whole numbers as one text with commas: for a million it takes a
        fifth of the time of a million rows."""
        return f"group_concat({column})" if self.sqlite else f"string_agg({column}::text, ',')"

    def rows(self, statement: str, *values: Any) -> Sequence[Found]:
        """All rows that a statement returns."""
        return self.connection.exec_driver_sql(self._spell(statement), self._pass(values)).all()

    def tuples(self, statement: str, *values: Any) -> list[Values]:
        """As ``rows``, for very many: without the names, which cost as much as the reading."""
        result = self.connection.exec_driver_sql(self._spell(statement), self._pass(values))
        cursor: Any = result.cursor
        found: list[Values] = cursor.fetchall()
        result.close()
        return found

    def execute(self, statement: str, *values: Any) -> int:
        """Run a statement; the number of rows that it changed."""
        return self.connection.exec_driver_sql(self._spell(statement), self._pass(values)).rowcount

    def execute_many(self, statement: str, rows: Sequence[Values]) -> None:
        """Run a statement once for each row."""
        if rows:
            self.connection.exec_driver_sql(self._spell(statement), list(rows))

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Values]) -> None:
        """Add rows that are known to be new."""
        if not rows:
            return
        if self.sqlite:
            self.execute_many(_insert(table, columns), rows)
        else:
            self._copy(table, columns, rows)

    def upsert(self, table: str, columns: Sequence[str], rows: Sequence[Values]) -> None:
        """Add rows, or overwrite ``columns`` of those that have the same primary key."""
        if not rows:
            return
        conflict = _on_conflict(TABLES[table], columns)
        if self.sqlite:
            self.execute_many(_insert(table, columns) + conflict, rows)
            return
        names = ", ".join(columns)
        self._stage(table, f"(LIKE {table})", columns, rows)
        self.execute(f"INSERT INTO {table} ({names}) SELECT {names} FROM stage_{table}{conflict}")  # noqa: S608

    def update_due(self, rows: Sequence[Values]) -> None:
        """Set ``due_at`` (first) of profiles (second) that are not gone."""
        if self.sqlite:
            self.execute_many(
                "UPDATE profiles SET due_at = ? WHERE profile_id = ? AND gone_at IS NULL", rows
            )
        elif rows:
            columns = ("due_at", "profile_id")
            self._stage("due", "(due_at timestamptz, profile_id bigint)", columns, rows)
            self.execute(
                "UPDATE profiles p SET due_at = d.due_at FROM stage_due d "
                "WHERE p.profile_id = d.profile_id AND p.gone_at IS NULL"
            )

    def take(self, counter: str, count: int) -> int:
        """Count a counter up by ``count``; returns the first of the new numbers."""
        ((value,),) = self.rows(
            "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) "
            "DO UPDATE SET value = counters.value + excluded.value RETURNING value",
            counter,
            count,
        )
        return int(value) - count + 1

    def _stage(
        self, table: str, definition: str, columns: Sequence[str], rows: Iterable[Values]
    ) -> None:
        """Fill the temporary table ``stage_<table>``, of which a connection makes but one."""
        stage = f"stage_{table}"
        self.execute(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {stage} {definition} ON COMMIT DELETE ROWS"
        )
        # of an earlier use in this transaction; TRUNCATE would make a new file each time
        self.execute(f"DELETE FROM {stage}")  # noqa: S608
        self._copy(stage, columns, rows)

    def _copy(self, table: str, columns: Sequence[str], rows: Iterable[Values]) -> None:
        raw: Any = self.connection.connection.dbapi_connection
        statement = f"COPY {table} ({', '.join(columns)}) FROM STDIN"
        with raw.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)

    def _spell(self, statement: str) -> str:
        if self.sqlite:
            return statement.replace("IN (?*)", "IN (SELECT value FROM json_each(?))")
        return statement.replace("IN (?*)", "= ANY(?)").replace("?", "%s")

    def _pass(self, values: Values) -> Values:
        if self.sqlite:
            return tuple(
                orjson.dumps(value).decode() if isinstance(value, list) else value
                for value in values
            )
        return values


def _seconds(value: datetime | None) -> int | None:
    return None if value is None else epoch(value)


def _same(value: datetime | None) -> datetime | None:
    return value


def _insert(table: str, columns: Sequence[str]) -> str:
    places = ", ".join("?" * len(columns))
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608


def _on_conflict(table: Table, columns: Sequence[str]) -> str:
    keys = [column.name for column in table.primary_key.columns]
    rest = ", ".join(f"{name} = excluded.{name}" for name in columns if name not in keys)
    return f" ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {rest}"
