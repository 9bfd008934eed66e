"""What the peers read: only the rows and columns that the thirty rules need."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
from sqlalchemy import create_engine

from benchmarks.fill import TIME_ZONE
from benchmarks.shops import END
from segmentd.store.engine import adbc_address, parse_url

ZONE = ZoneInfo(TIME_ZONE)
_COUNTS = "counted = 1 AND cancelled_at IS NULL"
_TABLES = {
    "profiles": ("profiles", ("profile_id", "tags", "email_consent"), "gone_at IS NULL"),
    "orders": (
        "orders",
        ("profile_id", "order_id", "placed_at", "total", "country", "discount_codes"),
        f"profile_id IS NOT NULL AND {_COUNTS}",
    ),
    "lines": (
        "order_lines",
        ("profile_id", "order_id", "placed_at", "product_id", "amount", "discount"),
        _COUNTS,
    ),
    "refunds": ("refunds", ("profile_id", "order_id", "amount"), _COUNTS),
    "products": ("products", ("product_id", "remote_id", "product_type"), "1 = 1"),
    "memberships": ("memberships", ("profile_id", "segment"), "1 = 1"),
}


def days_ago(days: int) -> int:
    """The epoch at which the day began that was so many days ago in the shop."""
    today = END.astimezone(ZONE).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((today - timedelta(days=days)).timestamp())


def hours_ago(hours: int) -> int:
    """The epoch so many hours ago."""
    return int((END - timedelta(hours=hours)).timestamp())


def midnights() -> list[int]:
    """The epochs at which the days of the shop began, from the first to the last of its orders."""
    return [days_ago(days) for days in range(3 * 366, -1, -1)]


def months() -> tuple[list[int], list[int]]:
    """The epochs at which months began in the shop, and the number of each month."""
    pairs = [(year, month) for year in range(2023, END.year + 1) for month in range(1, 13)]
    begins = [int(datetime(year, month, 1, tzinfo=ZONE).timestamp()) for year, month in pairs]
    return begins, [month for _, month in pairs]


def arrow(url: str) -> Mapping[str, Any]:
    """Arrow tables, read through ADBC; instants are epochs."""
    connection = _adbc(url)
    try:
        with connection.cursor() as cursor:
            return {name: _table(cursor, name, url) for name in _TABLES}
    finally:
        connection.close()


def frames(url: str) -> Mapping[str, pd.DataFrame]:
    """As ``arrow``, for pandas."""
    # column by column into NumPy's own types, as the store's columns are integers and texts
    return {name: table.to_pandas(self_destruct=True) for name, table in arrow(url).items()}


def frames_by_sql(url: str) -> Mapping[str, pd.DataFrame]:
    """As ``frames``, read by ``pandas.read_sql`` over SQLAlchemy."""
    engine = create_engine(url)
    try:
        return {name: pd.read_sql(_statement(name, url), engine) for name in _TABLES}
    finally:
        engine.dispose()


def _table(cursor: Any, name: str, url: str) -> Any:
    cursor.execute(_statement(name, url))
    return cursor.fetch_arrow_table()


def _statement(name: str, url: str) -> str:
    table, columns, chosen = _TABLES[name]
    return f"SELECT {', '.join(_column(c, url) for c in columns)} FROM {table} WHERE {chosen}"


def _column(name: str, url: str) -> str:
    if name == "placed_at" and not url.startswith("sqlite"):
        return "extract(epoch FROM placed_at)::bigint AS placed_at"
    # the driver of SQLite takes a column that begins with NULLs for integers
    return f"coalesce({name}, '') AS {name}" if name in {"email_consent", "product_type"} else name


def _adbc(url: str) -> Any:
    address = adbc_address(parse_url(url))
    if address.startswith("file:"):
        from adbc_driver_sqlite import dbapi

        return dbapi.connect(address)
    from adbc_driver_postgresql import dbapi as postgresql

    return postgresql.connect(address)
