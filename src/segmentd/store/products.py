"""Saves products, and remembers what they were like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from segmentd.domain.memberships import Cause
from segmentd.domain.records import OrderLine, Product
from segmentd.segmenter.frames import pack
from segmentd.store.content import LONGEST_ID, Prepared, clean, is_older
from segmentd.store.saving import Saving

_COLUMNS = (
    "product_id", "source", "remote_id", "title", "product_type", "vendor", "tags", "categories",
    "price", "published_at", "updated_at", "gone_at", "hash",
)  # fmt: skip
_HISTORY = ("product_id", "since", "title", "product_type", "vendor", "tags", "categories", "price")


def save_products(saving: Saving, products: Mapping[str, Prepared[Product]]) -> None:
    """Write what is new or changed; who bought a product that changed becomes dirty."""
    if not products:
        return
    stored = {
        row.remote_id: row
        for row in saving.bulk.rows(
            "SELECT remote_id, product_id, updated_at, gone_at, hash FROM products "
            "WHERE source = ? AND remote_id IN (?*)",
            saving.source,
            list(products),
        )
    }
    changed = [p for key, p in products.items() if _changed(saving, p, stored.get(key))]
    saving.written += len(changed)
    saving.unchanged += len(products) - len(changed)
    new = [p for p in changed if p.record.id not in stored]
    ids = dict(zip((p.record.id for p in new), _new_ids(saving, len(new)), strict=True))
    known = {key: row.product_id for key, row in stored.items()}
    _write(saving, changed, {**known, **ids})
    altered = [
        row.product_id
        for p in changed
        if (row := stored.get(p.record.id)) is not None and row.hash != p.hash
    ]
    saving.mark(_buyers(saving, altered), Cause.PRODUCT)


def product_ids(saving: Saving, lines: Iterable[OrderLine]) -> dict[str | None, int]:
    """Remote id → ours for every product that the lines name; unknown ones are entered."""
    named = {line.product_id: line for line in lines}
    named = {key: line for key, line in named.items() if key and len(key) <= LONGEST_ID}
    if not named:
        return {}
    found: dict[str | None, int] = dict(
        saving.bulk.tuples(
            "SELECT remote_id, product_id FROM products WHERE source = ? AND remote_id IN (?*)",
            saving.source,
            list(named),
        )
    )
    missing = [line for key, line in named.items() if key not in found]
    for line, product_id in zip(missing, _new_ids(saving, len(missing)), strict=True):
        found[line.product_id] = product_id
    saving.bulk.insert(
        "products",
        _COLUMNS,
        [
            (found[line.product_id], saving.source, line.product_id, _clean(line.title), None,
             _clean(line.vendor), "", "", None, None, None, None, b"")
            for line in missing
        ],
    )  # fmt: skip
    return found


def _clean(text: str | None) -> str | None:
    """Of a line no more is hashed than is kept with it, so nobody has looked at this yet."""
    return None if text is None else clean(text)


def remove_products(saving: Saving, ids: list[str]) -> int:
    """Tombstone products; what was bought stays bought."""
    return saving.bulk.execute(
        "UPDATE products SET gone_at = ? "
        "WHERE source = ? AND gone_at IS NULL AND remote_id IN (?*)",
        saving.bulk.instant(saving.now),
        saving.source,
        ids,
    )


def _changed(saving: Saving, prepared: Prepared[Product], stored: Any) -> bool:
    if stored is None or stored.gone_at is not None:
        return True
    if is_older(saving.bulk.instant(prepared.record.updated_at), stored.updated_at):
        return False
    return bool(stored.hash != prepared.hash)


def _new_ids(saving: Saving, count: int) -> range:
    first = saving.bulk.take("products", count) if count else 0
    return range(first, first + count)


def _write(saving: Saving, changed: list[Prepared[Product]], ids: Mapping[str, int]) -> None:
    instant = saving.bulk.instant
    rows, history = [], []
    for prepared in changed:
        p = prepared.record
        facts = (p.title, p.product_type, p.vendor, pack(p.tags), pack(p.categories), p.price)
        product_id = ids[p.id]
        rows.append((product_id, saving.source, p.id, *facts, instant(p.published_at),
                     instant(p.updated_at), None, prepared.hash))  # fmt: skip
        history.append((product_id, instant(saving.now), *facts))
    saving.bulk.upsert("products", _COLUMNS, rows)
    saving.bulk.upsert("product_history", _HISTORY, history)


def _buyers(saving: Saving, product_ids: list[int]) -> set[int]:
    if not product_ids:
        return set()
    rows = saving.bulk.rows(
        "SELECT DISTINCT profile_id FROM order_lines WHERE product_id IN (?*)", product_ids
    )
    return {row.profile_id for row in rows}
