"""Saves orders with their lines and refunds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from segmentd.domain.memberships import Cause
from segmentd.domain.records import Order
from segmentd.segmenter.frames import pack
from segmentd.store.bulk import Bulk, Found
from segmentd.store.content import Prepared, clean, is_older, is_only_refunded
from segmentd.store.customers import address_key
from segmentd.store.guests import owners
from segmentd.store.products import product_ids
from segmentd.store.saving import Saving
from segmentd.store.tables import NOBODY

Row = tuple[Any, ...]

_SHARED = ("profile_id", "order_id", "placed_at", "cancelled_at", "counted", "fx_missing")
_ORDERS = (
    *_SHARED, "source", "remote_id", "customer_id", "email_key", "updated_at", "total", "currency",
    "discount", "paid", "test", "status", "channel", "country", "discount_codes", "region", "city",
    "tags", "gone_at", "hash",
)  # fmt: skip
_LINES = (*_SHARED, "line", "product_id", "quantity", "amount", "discount")
_REFUNDS = (*_SHARED, "refund", "created_at", "amount")

_SHORT, _LONG = 60, 960
"""Characters of texts and bytes of lists that stand in an index: PostgreSQL takes 2,704 bytes for
all of them together, and a character has up to four."""


def save_orders(saving: Saving, orders: Mapping[str, Prepared[Order]]) -> None:
    """Write what is new or changed, whole; the profile it belonged to becomes dirty too."""
    if not orders:
        return
    stored = _stored(saving, list(orders))
    changed = [p for key, p in orders.items() if _changed(saving, p, stored.get(key))]
    saving.written += len(changed)
    saving.unchanged += len(orders) - len(changed)
    if changed:
        _clear(saving, [row for p in changed if (row := stored.get(p.record.id)) is not None])
        _write(saving, changed, stored)


def remove_orders(saving: Saving, ids: list[str]) -> int:
    """Tombstone orders: nobody's from now on, and without lines and refunds."""
    rows = saving.bulk.rows(
        "SELECT order_id, profile_id FROM orders "
        "WHERE source = ? AND gone_at IS NULL AND remote_id IN (?*)",
        saving.source,
        ids,
    )
    _clear(saving, rows)
    owners_before = (row.profile_id for row in rows if row.profile_id is not None)
    saving.mark(owners_before, Cause.ORDER)
    saving.bulk.execute(
        "UPDATE orders SET gone_at = ?, profile_id = NULL WHERE order_id IN (?*)",
        saving.bulk.instant(saving.now),
        [row.order_id for row in rows],
    )
    return len(rows)


def _stored(saving: Saving, ids: list[str]) -> dict[str, Found]:
    rows = saving.bulk.rows(
        "SELECT remote_id, order_id, profile_id, updated_at, gone_at, hash, status FROM orders "
        "WHERE source = ? AND remote_id IN (?*)",
        saving.source,
        ids,
    )
    return {row.remote_id: row for row in rows}


def _changed(saving: Saving, prepared: Prepared[Order], stored: Found | None) -> bool:
    if stored is None or stored.gone_at is not None:
        return True
    if is_older(saving.bulk.instant(prepared.record.updated_at), stored.updated_at):
        return False
    return bool(stored.hash != prepared.hash or stored.status != _status(prepared.record.status))


@lru_cache(maxsize=256)
def _status(status: str | None) -> str | None:
    return None if status is None else clean(status)


def _clear(saving: Saving, rows: Sequence[Found]) -> None:
    keys = [(row.profile_id, row.order_id) for row in rows if row.profile_id is not None]
    for table in ("order_lines", "refunds"):
        saving.bulk.execute_many(
            f"DELETE FROM {table} WHERE profile_id = ? AND order_id = ?",  # noqa: S608
            keys,
        )


def _write(saving: Saving, changed: list[Prepared[Order]], stored: Mapping[str, Found]) -> None:
    numbers = _numbers(saving, [p.record.id for p in changed], stored)
    currency = _currency(saving)
    profiles = owners(saving, [p.record for p in changed])
    products = product_ids(saving, (line for p in changed for line in p.record.lines))
    rows = _Rows()
    for prepared, profile_id in zip(changed, profiles, strict=True):
        order = prepared.record
        facts = _facts(saving, order, profile_id, numbers[order.id], currency)
        (rows.altered if order.id in stored else rows.added).append(_order(saving, prepared, facts))
        if profile_id is not None:
            _add_lines(rows.lines, order, facts, products)
            _add_refunds(saving, rows.refunds, order, facts)
    rows.write(saving.bulk)
    _mark(saving, changed, profiles, stored)


@dataclass(slots=True)
class _Rows:
    """What is to be written of some orders."""

    added: list[Row] = field(default_factory=list)
    altered: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    refunds: list[Row] = field(default_factory=list)

    def write(self, bulk: Bulk) -> None:
        bulk.insert("orders", _ORDERS, self.added)
        bulk.upsert("orders", _ORDERS, self.altered)
        bulk.insert("order_lines", _LINES, self.lines)
        bulk.insert("refunds", _REFUNDS, self.refunds)


def _numbers(saving: Saving, ids: list[str], stored: Mapping[str, Found]) -> dict[str, int]:
    """The shop's id of each order → ours."""
    new = [key for key in ids if key not in stored]
    first = saving.bulk.take("orders", len(new)) if new else 0
    return {key: row.order_id for key, row in stored.items()} | {
        key: first + n for n, key in enumerate(new)
    }


def _mark(
    saving: Saving,
    changed: list[Prepared[Order]],
    profiles: list[int | None],
    stored: Mapping[str, Found],
) -> None:
    """Whose facts differ from what was stored: where it is a status alone, nobody's."""
    concerned: set[int | None] = set()
    refunded: set[int | None] = set()
    for prepared, owner in zip(changed, profiles, strict=True):
        row = stored.get(prepared.record.id)
        if row is None:
            concerned.add(owner)
        elif row.profile_id != owner or row.gone_at is not None:
            concerned.update((row.profile_id, owner))
        elif row.hash != prepared.hash:
            only = is_only_refunded(row.hash, prepared.hash)
            (refunded if only else concerned).add(owner)
    saving.mark((profile for profile in concerned if profile is not None), Cause.ORDER)
    saving.mark((profile for profile in refunded if profile is not None), Cause.REFUND)


def _currency(saving: Saving) -> str | None:
    rows = saving.bulk.rows("SELECT currency FROM shops WHERE source = ?", saving.source)
    return rows[0].currency if rows else None


def _facts(
    saving: Saving, order: Order, profile_id: int | None, order_id: int, currency: str | None
) -> Row:
    """What is repeated with each line and refund: the columns ``_SHARED``."""
    instant = saving.bulk.instant
    return (
        profile_id,
        order_id,
        instant(order.placed_at),
        instant(order.cancelled_at),
        1 if order.paid and not order.test else 0,
        0 if currency is None or order.currency == currency else 1,
    )


def _order(saving: Saving, prepared: Prepared[Order], facts: Row) -> Row:
    o = prepared.record
    return (
        *facts, saving.source, o.id, o.customer_id, address_key(o.email),
        saving.bulk.instant(o.updated_at), o.total, o.currency, o.discount, int(o.paid),
        int(o.test), _status(o.status), (o.channel or "")[:_SHORT], (o.country or "")[:_SHORT],
        _short_list(o.discount_codes), o.region, o.city, _short_list(o.tags), None, prepared.hash,
    )  # fmt: skip


def _add_lines(
    rows: list[Row], order: Order, facts: Row, products: Mapping[str | None, int]
) -> None:
    for number, line in enumerate(order.lines):
        product_id = products.get(line.product_id, NOBODY)
        rows.append((*facts, number, product_id, line.quantity, line.amount, line.discount))


def _add_refunds(saving: Saving, rows: list[Row], order: Order, facts: Row) -> None:
    for number, refund in enumerate(order.refunds):
        rows.append((*facts, number, saving.bulk.instant(refund.created_at), refund.amount))


def _short_list(elements: list[str]) -> str:
    if not elements:
        return ""
    data = pack(elements).encode()
    if len(data) <= _LONG:
        return data.decode()
    end = data.rfind(b"\n", 0, _LONG)
    return data[: end + 1].decode() if end else ""
