"""What a record says, as bytes: to see whether it changed, and whether it can be stored at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

import orjson

from segmentd.domain.records import Customer, Gone, Order, Product, Record
from segmentd.sdk.contract import Rejection

R = TypeVar("R", Customer, Order, Product)

LONGEST_ID = 500
"""Characters; PostgreSQL indexes at most 2,700 bytes, and no platform comes near it."""
_LARGEST = 2**63
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# as bytes of JSON; may be a backslash and a "u0000" of the text itself, which cleaning lets be
_NUL = rb"\u0000"


@dataclass(slots=True)
class Prepared(Generic[R]):
    """A record that can be stored, with the hash of its content."""

    record: R
    hash: bytes


@dataclass(slots=True)
class Batch:
    """Records by kind and id; of several with one id the newest."""

    customers: dict[str, Prepared[Customer]]
    orders: dict[str, Prepared[Order]]
    products: dict[str, Prepared[Product]]
    gone: list[Gone]
    refused: list[Rejection]


def prepare(records: Iterable[Record]) -> Batch:
    """Hash and sort records; those that no database could hold are refused, the rest goes on."""
    batch = Batch({}, {}, {}, [], [])
    for record in records:
        try:
            if isinstance(record, Order):
                _keep(batch.orders, *_order(record))
            elif isinstance(record, Customer):
                _keep(batch.customers, *_hashed(record, _customer_content))
            elif isinstance(record, Product):
                _keep(batch.products, *_hashed(record, _product_content))
            else:
                batch.gone.append(Gone(record.stream, clean(record.id)))
        except ValueError as error:
            batch.refused.append(Rejection(clean(record.id)[:LONGEST_ID], str(error)))
    return batch


def clean(text: str) -> str:
    """PostgreSQL refuses NUL, and both drivers lone surrogates: they become U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def _keep(kept: dict[str, Prepared[R]], record: R, content_hash: bytes) -> None:
    before = kept.get(record.id)
    if before is None or not is_older(record.updated_at, before.record.updated_at):
        kept[record.id] = Prepared(record, content_hash)


def is_older(change_time: Any, than: Any) -> bool:
    """Whether a change time says that its record is older; an unknown one says nothing."""
    return change_time is not None and than is not None and bool(change_time < than)


def _customer_content(record: Customer) -> Any:
    return {**_without_change_time(record), "tags": sorted(record.tags)}


def _product_content(record: Product) -> Any:
    lists = {"tags": sorted(record.tags), "categories": sorted(record.categories)}
    return {**_without_change_time(record), **lists}


def _without_change_time(record: Customer | Product) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in fields(record) if f.name != "updated_at"}


def _order_content(o: Order) -> Any:
    # spelled out: a first import hashes every order, and going by field names takes twice as long
    return (
        o.id, o.placed_at, o.currency, o.total, o.paid, o.customer_id, o.email, o.cancelled_at,
        o.test, o.status, o.channel, o.discount, o.discount_codes, o.tags, o.country, o.region,
        o.city, o.lines, o.refunds,
    )  # fmt: skip


def _order(record: Order) -> tuple[Order, bytes]:
    amounts = [record.total, record.discount]
    for line in record.lines:
        amounts += (line.amount, line.quantity)
    amounts += [refund.amount for refund in record.refunds]
    if max(amounts) >= _LARGEST or min(amounts) < -_LARGEST:
        raise ValueError("an amount or quantity is too large to be true")
    return _hashed(record, _order_content)


def _hashed(record: R, content: Callable[[R], Any]) -> tuple[R, bytes]:
    if not 0 < len(record.id) <= LONGEST_ID:
        raise ValueError("its id is empty or too long to be one")
    try:
        data = orjson.dumps(content(record))
    except orjson.JSONEncodeError:
        data = _NUL
    if _NUL in data:
        record = _clean(record)
        data = orjson.dumps(content(record))
    return record, hashlib.blake2b(data, digest_size=16).digest()


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_clean(element) for element in value]
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _clean(getattr(value, f.name)) for f in fields(value)})
    return value


def whole_seconds(instant: datetime) -> datetime:
    """Both databases keep whole seconds."""
    return instant.replace(microsecond=0)
