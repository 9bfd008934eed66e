"""Fill a store with an invented shop, past all pulling: a million customers in minutes.

    python -m benchmarks.fill --customers 200000 sqlite:////tmp/shop.db
    python -m benchmarks.fill --customers 200000 postgresql+psycopg://postgres@/shop?host=/tmp/pg

The database is created by the project's own migrations and must hold no customers yet. Afterwards
it stands as after a complete backfill of the source ``shop`` at the instant ``shops.END``, before
the first segment pass.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy import event
from sqlalchemy.pool import ConnectionPoolEntry

from benchmarks.shops import (
    CATEGORIES,
    CHANNELS,
    CODES,
    COUNTRIES,
    END,
    HOUR,
    PRODUCTS,
    REFUNDED_AFTER,
    TAGS,
    Ints,
    Shop,
    chunks,
    shop,
)
from segmentd.domain.cursor import Cursor
from segmentd.plugins import source
from segmentd.sdk.contract import ShopInfo
from segmentd.segmenter.frames import pack
from segmentd.store import open_store
from segmentd.store.bulk import TABLES, Bulk
from segmentd.store.engine import Database

SOURCE = "shop"
CONNECTOR = "shopify"
CURRENCY, TIME_ZONE = "EUR", "Europe/Berlin"

_ROWS = 50_000
_LARGE = ("profiles", "customers", "orders", "order_lines")
_ORDER = 5_000_000_000
"""What a shop's order ids begin with: as texts they stand in the order of the numbers."""

Rows = Iterator[list[tuple[Any, ...]]]


def fill(url: str, customers: int) -> Shop:
    """Create the database and put a whole shop into it."""
    made = shop(customers)
    _begin(url)
    database = Database(url)
    if database.sqlite:
        event.listen(database.engine, "connect", _trust_the_system)
    indexes = [index for name in _LARGE for index in TABLES[name].indexes]
    try:
        with database.write() as connection:
            for index in indexes:
                index.drop(connection)
        for table, columns, rows in _tables(made, database):
            for part in rows:
                with database.write() as connection:
                    Bulk(connection, sqlite=database.sqlite).insert(table, columns, part)
        with database.write() as connection:
            for index in indexes:
                index.create(connection)
            _count(Bulk(connection, sqlite=database.sqlite), made)
        _settle(database)
    finally:
        database.close()
    return made


def remote_customer(number: int) -> str:
    """The shop's id of an account."""
    return str(7_000_000_000 + number)


def remote_order(number: int) -> str:
    """The shop's id of an order."""
    return str(_ORDER + number)


def _begin(url: str) -> None:
    with open_store(url) as store:
        lease = store.acquire(f"source:{SOURCE}", "benchmark", timedelta(minutes=10), END)
        if any(store.ids(SOURCE, "customers")):
            raise SystemExit(f"{url} holds customers already; name a new database")
        store.save_shop(lease, SOURCE, ShopInfo("Bench", CURRENCY, TIME_ZONE, END))
        for stream in source(CONNECTOR).streams:
            store.save_cursor(lease, SOURCE, stream.name, Cursor(watermark=END))
        store.release(lease)


def _trust_the_system(connection: Any, _entry: ConnectionPoolEntry) -> None:
    # a crash while filling leaves nothing that anybody wants back
    connection.execute("PRAGMA synchronous = OFF")


def _count(bulk: Bulk, made: Shop) -> None:
    """Ids go on after those that were given here."""
    counts = {"profiles": made.customers, "customers": made.customers, "orders": made.orders,
              "products": PRODUCTS, "touched": 1}  # fmt: skip
    for counter, count in counts.items():
        bulk.take(counter, count)


def _settle(database: Database) -> None:
    """What a database that grew over years has long done."""
    if database.sqlite:
        with database.engine.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    else:
        with database.engine.connect() as connection:
            raw = connection.connection.dbapi_connection
            raw.autocommit = True
            raw.execute("VACUUM ANALYZE")
            raw.autocommit = False


def _tables(made: Shop, database: Database) -> Iterator[tuple[str, tuple[str, ...], Rows]]:
    writer = _Writer(made, sqlite=database.sqlite)
    yield "products", _PRODUCT, writer.products()
    yield "profiles", _PROFILE, writer.profiles()
    yield "customers", _CUSTOMER, writer.customers()
    yield "orders", _ORDERS, writer.orders()
    yield "order_lines", _LINES, writer.lines()
    yield "refunds", _REFUNDS, writer.refunds()


_PRODUCT = ("product_id", "source", "remote_id", "title", "product_type", "vendor", "categories",
            "tags", "price", "published_at", "updated_at", "hash")  # fmt: skip
_PROFILE = ("profile_id", "source", "customer_id", "email", "email_key", "created_at", "country",
            "city", "language", "account_state", "email_consent", "tags", "touched")  # fmt: skip
_CUSTOMER = ("row_id", "source", "customer_id", "profile_id", "guest", "email", "email_key",
             "tag_keys", "updated_at", "hash")  # fmt: skip
_ORDERS = ("order_id", "source", "remote_id", "profile_id", "customer_id", "email_key",
           "placed_at", "updated_at", "cancelled_at", "counted", "fx_missing", "total", "currency",
           "discount", "paid", "test", "status", "channel", "country", "discount_codes", "tags",
           "hash")  # fmt: skip
_LINES = ("profile_id", "order_id", "line", "placed_at", "cancelled_at", "counted", "fx_missing",
          "product_id", "quantity", "amount", "discount")  # fmt: skip
_REFUNDS = ("profile_id", "order_id", "refund", "created_at", "amount", "placed_at",
            "cancelled_at", "counted", "fx_missing")  # fmt: skip


class _Writer:
    """A shop's rows as the tables hold them, in the order in which they stand there."""

    def __init__(self, made: Shop, *, sqlite: bool) -> None:
        self._made = made
        self._sqlite = sqlite
        self._total = made.total
        self._refunds = np.flatnonzero(made.refunded & made.paid & ~made.cancelled)
        self._off = np.add.reduceat(made.discount, made.first_line[:-1])

    def products(self) -> Rows:
        published = datetime(2022, 1, 1, tzinfo=UTC)
        yield [
            (number + 1, SOURCE, str(8_000_000_000 + number), f"Thing {number}",
             f"Type {number % CATEGORIES}", f"Maker {number % 30}",
             pack([f"Category {number % CATEGORIES}"]), "", price,
             self._instant(published), self._instant(published), b"")
            for number, price in enumerate(self._made.price.tolist())
        ]  # fmt: skip

    def profiles(self) -> Rows:
        tags = {-1: "", **{number: pack([tag]) for number, tag in enumerate(TAGS)}}
        for part in chunks(self._made.customers, _ROWS):
            yield [
                (number + 1, SOURCE, *who, None if guest else at, COUNTRIES[country], "Town",
                 *((None, None, None) if guest else
                   ("en", "ENABLED", "SUBSCRIBED" if subscribed else "NOT_SUBSCRIBED")),
                 "" if guest else tags[tag], 1)
                for number, who, guest, at, country, subscribed, tag in self._people(part)
            ]  # fmt: skip

    def customers(self) -> Rows:
        tags = {-1: "", **{number: pack([tag]) for number, tag in enumerate(TAGS)}}
        for part in chunks(self._made.customers, _ROWS):
            yield [
                (number + 1, SOURCE, who[0], number + 1, int(guest), who[1], who[2],
                 "" if guest else tags[tag], at, b"")
                for number, who, guest, at, _, _, tag in self._people(part)
            ]  # fmt: skip

    def orders(self) -> Rows:
        made = self._made
        codes = {-1: "", **{number: pack([code]) for number, code in enumerate(CODES)}}
        for part in chunks(made.orders, _ROWS):
            who = made.customer[part]
            facts = zip(
                range(part.start, part.stop), who.tolist(), made.guest[who].tolist(),
                self._instants(made.placed[part]), self._cancelled(part),
                made.paid[part].tolist(), self._total[part].tolist(), self._off[part].tolist(),
                made.channel[part].tolist(), made.country[who].tolist(),
                made.code[part].tolist(), made.refunded[part].tolist(),
                strict=True,
            )  # fmt: skip
            yield [
                (number + 1, SOURCE, remote_order(number), customer + 1,
                 None if guest else remote_customer(customer), _email(customer, guest),
                 at, at, cancelled, int(paid), 0, total, CURRENCY, off, int(paid), 0,
                 _status(paid, refunded), CHANNELS[channel], COUNTRIES[country], codes[code], "",
                 b"")
                for (number, customer, guest, at, cancelled, paid, total, off, channel, country,
                     code, refunded) in facts
            ]  # fmt: skip

    def lines(self) -> Rows:
        """By profile: their table is kept in that order."""
        made = self._made
        counts = np.diff(made.first_line)
        by_customer = np.argsort(made.customer, kind="stable")
        for part in chunks(made.orders, _ROWS // 2):
            order = by_customer[part]
            repeated = np.repeat(order, counts[order])
            line = np.arange(len(repeated)) - np.repeat(
                np.cumsum(counts[order]) - counts[order], counts[order]
            )
            row = made.first_line[repeated] + line
            yield list(
                zip(
                    (made.customer[repeated] + 1).tolist(), (repeated + 1).tolist(), line.tolist(),
                    self._instants(made.placed[repeated]), self._cancelled(repeated),
                    made.paid[repeated].astype(int).tolist(), [0] * len(row),
                    (made.product[row] + 1).tolist(), made.quantity[row].tolist(),
                    made.amount[row].tolist(), made.discount[row].tolist(),
                    strict=True,
                )
            )  # fmt: skip

    def refunds(self) -> Rows:
        made = self._made
        ranked = self._refunds[np.argsort(made.customer[self._refunds], kind="stable")]
        for part in chunks(len(ranked), _ROWS):
            order = ranked[part]
            yield list(
                zip(
                    (made.customer[order] + 1).tolist(), (order + 1).tolist(), [0] * len(order),
                    self._instants(made.placed[order] + REFUNDED_AFTER),
                    (self._total[order] // np.where(order % 2, 1, 2)).tolist(),
                    self._instants(made.placed[order]), self._cancelled(order),
                    made.paid[order].astype(int).tolist(), [0] * len(order),
                    strict=True,
                )
            )  # fmt: skip

    def _people(
        self, part: slice
    ) -> Iterator[tuple[int, tuple[str, str, str], bool, Any, Any, Any, Any]]:
        made = self._made
        numbers = range(part.start, part.stop)
        guests = made.guest[part].tolist()
        who = [_who(number, guest) for number, guest in zip(numbers, guests, strict=True)]
        yield from zip(
            numbers, who, guests, self._instants(made.registered[part]),
            made.country[part].tolist(), made.subscribed[part].tolist(), made.tag[part].tolist(),
            strict=True,
        )  # fmt: skip

    def _cancelled(self, rows: slice | Ints) -> list[Any]:
        flags = self._made.cancelled[rows].tolist()
        times = self._instants(self._made.placed[rows] + HOUR)
        return [at if flag else None for flag, at in zip(flags, times, strict=True)]

    def _instants(self, epochs: Ints) -> list[Any]:
        seconds: list[int] = epochs.tolist()
        return seconds if self._sqlite else [datetime.fromtimestamp(s, UTC) for s in seconds]

    def _instant(self, at: datetime) -> Any:
        return int(at.timestamp()) if self._sqlite else at


def _who(number: int, guest: bool) -> tuple[str, str, str]:
    """The shop's id, the address and its key."""
    email = _email(number, guest)
    return (f"guest:{email}" if guest else remote_customer(number)), email, email


def _email(number: int, guest: bool) -> str:
    return f"{'g' if guest else 'c'}{number:07}@shopper.example"


def _status(paid: bool, refunded: bool) -> str:
    if not paid:
        return "pending"
    return "partially_refunded" if refunded else "paid"


def main() -> None:
    """Fill the database that is named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--customers", type=int, default=200_000)
    parser.add_argument("url")
    given = parser.parse_args()
    begun = time.perf_counter()
    made = fill(given.url, given.customers)
    print(
        f"{made.customers} customers, {made.orders} orders, {made.lines} lines "
        f"in {time.perf_counter() - begun:.0f} s"
    )


if __name__ == "__main__":
    main()
