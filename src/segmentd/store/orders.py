"""Saves orders with their lines and refunds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from segmentd.domain.records import Order
from segmentd.segmenter.frames import pack
from segmentd.store.bulk import Found
from segmentd.store.content import Prepared, is_older
from segmentd.store.customers import address_key
from segmentd.store.guests import owners
from segmentd.store.products import product_ids
from segmentd.store.saving import Saving
from segmentd.store.tables import NOBODY

_ORDERS = (
    "order_id", "source", "remote_id", "profile_id", "customer_id", "email_key", "placed_at",
    "updated_at", "cancelled_at", "counted", "fx_missing", "total", "currency", "discount", "paid",
    "test", "status", "channel", "country", "discount_codes", "region", "city", "tags", "gone_at",
    "hash",
)  # fmt: skip
_LINES = (
    "profile_id", "order_id", "line", "placed_at", "cancelled_at", "counted", "fx_missing",
    "product_id", "quantity", "amount", "discount",
)  # fmt: skip
_REFUNDS = (
    "profile_id", "order_id", "refund", "created_at", "amount", "placed_at", "cancelled_at",
    "counted", "fx_missing",
)  # fmt: skip

_SHORT, _LONG = 60, 960
"""Characters of texts and bytes of lists that stand in an index: PostgreSQL takes 2,704 bytes for
all of them together, and a character has up to four."""


def save_orders(saving: Saving, orders: Mapping[str, Prepared[Order]]) -> None:
    """Write what is new or changed, whole; the profile it belonged to becomes dirty too."""
    if not orders:
        return
    stored = {
        row.remote_id: row
        for row in saving.bulk.rows(
            "SELECT remote_id, order_id, profile_id, updated_at, gone_at, hash FROM orders "
            "WHERE source = ? AND remote_id IN (?*)",
            saving.source,
            list(orders),
        )
    }
    changed = [p for key, p in orders.items() if _changed(saving, p, stored.get(key))]
    saving.written += len(changed)
    saving.unchanged += len(orders) - len(changed)
    if changed:
        _clear(saving, [row for p in changed if (row := stored.get(p.record.id)) is not None])
        _write(saving, changed, {key: row.order_id for key, row in stored.items()})


def remove_orders(saving: Saving, ids: list[str]) -> int:
    """Tombstone orders: nobody's from now on, and without lines and refunds."""
    rows = saving.bulk.rows(
        "SELECT order_id, profile_id FROM orders "
        "WHERE source = ? AND gone_at IS NULL AND remote_id IN (?*)",
        saving.source,
        ids,
    )
    _clear(saving, rows)
    saving.bulk.execute(
        "UPDATE orders SET gone_at = ?, profile_id = NULL WHERE order_id IN (?*)",
        saving.bulk.instant(saving.now),
        [row.order_id for row in rows],
    )
    return len(rows)


def _changed(saving: Saving, prepared: Prepared[Order], stored: Found | None) -> bool:
    if stored is None or stored.gone_at is not None:
        return True
    if is_older(saving.bulk.instant(prepared.record.updated_at), stored.updated_at):
        return False
    return bool(stored.hash != prepared.hash)


def _clear(saving: Saving, rows: Sequence[Found]) -> None:
    keys = [(row.profile_id, row.order_id) for row in rows if row.profile_id is not None]
    for table in ("order_lines", "refunds"):
        saving.bulk.execute_many(
            f"DELETE FROM {table} WHERE profile_id = ? AND order_id = ?",  # noqa: S608
            keys,
        )
    saving.dirty.update(profile_id for profile_id, _ in keys)


@dataclass(slots=True)
class _Facts:
    """What is repeated with each line and refund, in the order of the columns."""

    profile_id: int | None
    order_id: int
    placed_at: Any
    cancelled_at: Any
    counted: int
    fx_missing: int


def _write(saving: Saving, changed: list[Prepared[Order]], known: Mapping[str, int]) -> None:
    new = sum(p.record.id not in known for p in changed)
    numbers = iter(range(first := saving.bulk.take("orders", new), first + new) if new else ())
    currency = _currency(saving)
    profiles = owners(saving, [p.record for p in changed])
    products = product_ids(saving, (line for p in changed for line in p.record.lines))
    added: list[tuple[Any, ...]] = []
    altered: list[tuple[Any, ...]] = []
    lines: list[tuple[Any, ...]] = []
    refunds: list[tuple[Any, ...]] = []
    for prepared, profile_id in zip(changed, profiles, strict=True):
        order = prepared.record
        number = known.get(order.id) or next(numbers)
        facts = _facts(saving, order, profile_id, number, currency)
        (altered if order.id in known else added).append(_order(saving, prepared, facts))
        if profile_id is not None:
            saving.dirty.add(profile_id)
            _add_lines(lines, order, facts, products)
            _add_refunds(saving, refunds, order, facts)
    saving.bulk.insert("orders", _ORDERS, added)
    saving.bulk.upsert("orders", _ORDERS, altered)
    saving.bulk.insert("order_lines", _LINES, lines)
    saving.bulk.insert("refunds", _REFUNDS, refunds)


def _currency(saving: Saving) -> str | None:
    rows = saving.bulk.rows("SELECT currency FROM shops WHERE source = ?", saving.source)
    return rows[0].currency if rows else None


def _facts(
    saving: Saving, order: Order, profile_id: int | None, order_id: int, currency: str | None
) -> _Facts:
    instant = saving.bulk.instant
    foreign = currency is not None and order.currency != currency
    return _Facts(
        profile_id,
        order_id,
        instant(order.placed_at),
        instant(order.cancelled_at),
        int(order.paid and not order.test),
        int(foreign),
    )


def _order(saving: Saving, prepared: Prepared[Order], facts: _Facts) -> tuple[Any, ...]:
    o = prepared.record
    return (
        facts.order_id, saving.source, o.id, facts.profile_id, o.customer_id, address_key(o.email),
        facts.placed_at, saving.bulk.instant(o.updated_at), facts.cancelled_at, facts.counted,
        facts.fx_missing, o.total, o.currency, o.discount, int(o.paid), int(o.test), o.status,
        (o.channel or "")[:_SHORT], (o.country or "")[:_SHORT], _short_list(o.discount_codes),
        o.region, o.city, _short_list(o.tags), None, prepared.hash,
    )  # fmt: skip


def _add_lines(
    rows: list[tuple[Any, ...]], order: Order, facts: _Facts, products: Mapping[str | None, int]
) -> None:
    rows += [
        (facts.profile_id, facts.order_id, number, facts.placed_at, facts.cancelled_at,
         facts.counted, facts.fx_missing, products.get(line.product_id, NOBODY), line.quantity,
         line.amount, line.discount)
        for number, line in enumerate(order.lines)
    ]  # fmt: skip


def _add_refunds(saving: Saving, rows: list[tuple[Any, ...]], order: Order, facts: _Facts) -> None:
    rows += [
        (facts.profile_id, facts.order_id, number, saving.bulk.instant(refund.created_at),
         refund.amount, facts.placed_at, facts.cancelled_at, facts.counted, facts.fx_missing)
        for number, refund in enumerate(order.refunds)
    ]  # fmt: skip


def _short_list(elements: list[str]) -> str:
    if not elements:
        return ""
    data = pack(elements).encode()
    if len(data) <= _LONG:
        return data.decode()
    end = data.rfind(b"\n", 0, _LONG)
    return data[: end + 1].decode() if end else ""
