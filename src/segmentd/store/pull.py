"""What a pull writes (``PullPort``): records, cursors, marks of dirtiness, one batch at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from segmentd.domain.cursor import BACKFILL, Cursor, Window
from segmentd.domain.memberships import Cause
from segmentd.domain.records import Record
from segmentd.pipeline.ports import Lease, Saved
from segmentd.sdk.contract import Rejection, ShopInfo
from segmentd.store.bulk import Bulk, Found
from segmentd.store.content import LONGEST_ID, Batch, clean, prepare
from segmentd.store.customers import PROFILE_COLUMNS, save_customers
from segmentd.store.engine import Database
from segmentd.store.gone import remove_accounts
from segmentd.store.orders import remove_orders, save_orders
from segmentd.store.products import remove_products, save_products
from segmentd.store.rejections import accept, reject
from segmentd.store.saving import Saving
from segmentd.store.types import moment

_REMOVE = {"customers": remove_accounts, "orders": remove_orders, "products": remove_products}
_IDS = {
    "customers": "SELECT customer_id FROM customers "
    "WHERE source = ? AND guest = 0 AND gone_at IS NULL",
    "orders": "SELECT remote_id FROM orders WHERE source = ? AND gone_at IS NULL",
    "products": "SELECT remote_id FROM products WHERE source = ? AND gone_at IS NULL",
}


class PullStore:
    """``PullPort`` on the tables."""

    _database: Database

    def shop(self, source: str) -> ShopInfo | None:
        """What the shop said about itself at the last contact at which it said something new."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.rows("SELECT * FROM shops WHERE source = ?", source)
        if not rows:
            return None
        row = rows[0]
        return ShopInfo(row.name, row.currency, row.time_zone, moment(row.seen_at))

    def save_shop(self, lease: Lease, source: str, info: ShopInfo) -> None:
        """Keep it; in another currency than before, every amount is judged anew."""
        before = self.shop(source)
        said = (clean(info.name), info.currency, info.time_zone)
        if before is not None and said == (before.name, before.currency, before.time_zone):
            return
        with self._database.write(lease) as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            columns = ("source", "name", "currency", "time_zone", "seen_at")
            bulk.upsert("shops", columns, [(source, *said, bulk.instant(info.now))])
            if before is not None and before.currency != info.currency:
                _judge_currency(Saving(bulk, source, info.now), info.currency)

    def cursor(self, source: str, stream: str) -> Cursor:
        """The stored cursor, or the empty one."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.rows(
                "SELECT * FROM cursors WHERE source = ? AND stream = ?", source, stream
            )
        return _cursor(rows[0]) if rows else Cursor()

    def save_batch(
        self,
        lease: Lease,
        source: str,
        stream: str,
        records: Sequence[Record],
        rejected: Sequence[Rejection],
        cursor: Cursor,
        now: datetime,
    ) -> Saved:
        """Upsert, mark the touched profiles dirty, store the cursor: one transaction."""
        batch = prepare(records)
        with self._database.write(lease) as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            saving = Saving(bulk, source, now, imported=stream.endswith(BACKFILL))
            save_products(saving, batch.products)
            save_customers(saving, batch.customers)
            save_orders(saving, batch.orders)
            _remove_gone(saving, batch)
            kind = stream.removesuffix(BACKFILL)
            accept(saving.bulk, f"source:{source}", kind, _ids(batch))
            reject(saving.bulk, f"source:{source}", kind, [*rejected, *batch.refused], now)
            _save_cursor(saving.bulk, source, stream, cursor)
            dirty = saving.mark_dirty()
        return Saved(saving.written, saving.unchanged, dirty)

    def save_cursor(self, lease: Lease, source: str, stream: str, cursor: Cursor) -> None:
        """Store a cursor alone."""
        with self._database.write(lease) as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            _save_cursor(bulk, source, stream, cursor)

    def knows(self, source: str, fields: Sequence[str]) -> list[str]:
        """Those of these fields of ``Customer`` in which any account of the source has a value."""
        columns = [name for name in fields if name in PROFILE_COLUMNS]
        if not columns:
            return []
        counts = ", ".join(f"COUNT(p.{column})" for column in columns)
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            (found,) = bulk.tuples(
                f"SELECT {counts} FROM customers c JOIN profiles p ON p.profile_id = c.profile_id "  # noqa: S608
                "WHERE c.source = ? AND c.guest = 0 AND c.gone_at IS NULL",
                source,
            )
        return [column for column, count in zip(columns, found, strict=True) if count]

    def ids(self, source: str, stream: str) -> Iterator[str]:
        """Ids of the stored records of a stream, without guests and without what is gone."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.tuples(_IDS[stream], source)
        for (record_id,) in rows:
            yield record_id

    def remove(
        self, lease: Lease, source: str, stream: str, ids: Sequence[str], now: datetime
    ) -> int:
        """Tombstone records that the shop confirmed gone; their profiles become dirty."""
        with self._database.write(lease) as connection:
            saving = Saving(Bulk(connection, sqlite=self._database.sqlite), source, now)
            removed = _REMOVE[stream](saving, list(ids))
            saving.mark_dirty()
        return removed

    def unread(self, sources: Mapping[str, Sequence[str]]) -> list[str]:
        """The sources of which a stream has not been read to its end even once."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.rows("SELECT source, stream FROM cursors WHERE watermark IS NOT NULL")
        read = {(row.source, row.stream) for row in rows}
        return [
            name for name, streams in sources.items() if any((name, s) not in read for s in streams)
        ]


def _remove_gone(saving: Saving, batch: Batch) -> None:
    for stream, remove in _REMOVE.items():
        ids = sorted({gone.id for gone in batch.gone if gone.stream == stream})
        if ids:
            removed = remove(saving, ids)
            saving.written += removed
            saving.unchanged += len(ids) - removed


def _ids(batch: Batch) -> list[str]:
    ids: Iterable[str] = [*batch.products, *batch.customers, *batch.orders]
    return [*ids, *(gone.id[:LONGEST_ID] for gone in batch.gone)]


def _judge_currency(saving: Saving, currency: str) -> None:
    bulk, source = saving.bulk, saving.source
    bulk.execute(
        "UPDATE orders SET fx_missing = CASE WHEN currency = ? THEN 0 ELSE 1 END WHERE source = ?",
        currency,
        source,
    )
    profiles = [
        row.profile_id
        for row in bulk.rows("SELECT profile_id FROM profiles WHERE source = ?", source)
    ]
    for table in ("order_lines", "refunds"):
        bulk.execute(
            f"UPDATE {table} SET fx_missing = (SELECT o.fx_missing FROM orders o "  # noqa: S608
            f"WHERE o.order_id = {table}.order_id) WHERE profile_id IN (?*)",
            profiles,
        )
    saving.mark(profiles, Cause.ORDER)
    saving.mark_dirty()


def _save_cursor(bulk: Bulk, source: str, stream: str, cursor: Cursor) -> None:
    window = cursor.window
    row = (
        source,
        stream,
        bulk.instant(cursor.watermark),
        bulk.instant(window.since) if window else None,
        bulk.instant(window.until) if window else None,
        cursor.position if cursor.position is None else clean(cursor.position),
    )
    columns = ("source", "stream", "watermark", "window_since", "window_until", "position")
    bulk.upsert("cursors", columns, [row])


def _cursor(row: Found) -> Cursor:
    window = None
    if row.window_until is not None:
        since = None if row.window_since is None else moment(row.window_since)
        window = Window(since, moment(row.window_until))
    watermark = None if row.watermark is None else moment(row.watermark)
    return Cursor(watermark, window, row.position)
