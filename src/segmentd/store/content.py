"""What a record says, as bytes: to see whether it changed, and whether it can be stored at all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, is_dataclass, replace
from operator import attrgetter
from typing import Any, Generic, TypeVar

import orjson

from segmentd.domain.records import Customer, Gone, Order, OrderLine, Product, Record, Refund
from segmentd.sdk.contract import Rejection

R = TypeVar("R", Customer, Order, Product)

LONGEST_ID = 500
"""Characters; PostgreSQL indexes at most 2,700 bytes, and no platform comes near it."""
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
                _keep(batch.orders, _hashed(record, _order_content))
            elif isinstance(record, Customer):
                _keep(batch.customers, _hashed(record, _customer_content))
            elif isinstance(record, Product):
                _keep(batch.products, _hashed(record, _product_content))
            else:
                batch.gone.append(Gone(record.stream, clean(record.id)))
        except (ValueError, orjson.JSONEncodeError) as error:
            batch.refused.append(Rejection(clean(record.id)[:LONGEST_ID], str(error)))
    return batch


def clean(text: str) -> str:
    """PostgreSQL refuses NUL, and both drivers lone surrogates: they become U+FFFD."""
    return _UNSTORABLE.sub("\ufffd", text)


def _keep(kept: dict[str, Prepared[R]], prepared: Prepared[R]) -> None:
    record = prepared.record
    before = kept.get(record.id)
    if before is None or not is_older(record.updated_at, before.record.updated_at):
        kept[record.id] = prepared


def is_older(change_time: Any, than: Any) -> bool:
    """Whether a change time says that its record is older; an unknown one says nothing."""
    return change_time is not None and than is not None and bool(change_time < than)


def _customer_content(record: Customer) -> Any:
    lists = {"tags": sorted(record.tags), "traits": sorted(record.traits.items())}
    return {**_without_change_time(record), **lists}


def _product_content(record: Product) -> Any:
    lists = {"tags": sorted(record.tags), "categories": sorted(record.categories)}
    return {**_without_change_time(record), **lists}


def _without_change_time(record: Customer | Product) -> dict[str, Any]:
    return {f.name: getattr(record, f.name) for f in fields(record) if f.name != "updated_at"}


def _values_of(kind: type[Any], *without: str) -> Callable[[Any], Any]:
    # a first import hashes every order: this takes a third of the time of serialising dataclasses
    return attrgetter(*(f.name for f in fields(kind) if f.name not in without))


_of_order = _values_of(Order, "updated_at", "lines", "refunds")
_of_line = _values_of(OrderLine)
_of_refund = _values_of(Refund)


def _order_content(record: Order) -> Any:
    return (
        _of_order(record),
        [_of_line(line) for line in record.lines],
        [_of_refund(refund) for refund in record.refunds],
    )


def _hashed(record: R, content: Callable[[R], Any]) -> Prepared[R]:
    if not 0 < len(record.id) <= LONGEST_ID:
        raise ValueError("its id is empty or too long to be one")
    try:
        data = _dumps(content(record))
    except orjson.JSONEncodeError:
        data = _NUL
    if _NUL in data:
        record = _clean(record)
        data = _dumps(content(record))
    return Prepared(record, hashlib.blake2b(data, digest_size=16).digest())


def _dumps(content: Any) -> bytes:
    # integers beyond 2**53 are no amounts, and would not be exact in the frames
    return orjson.dumps(content, option=orjson.OPT_STRICT_INTEGER)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_clean(element) for element in value]
    if isinstance(value, dict):
        return {_clean(key): _clean(element) for key, element in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _clean(getattr(value, f.name)) for f in fields(value)})
    return value
