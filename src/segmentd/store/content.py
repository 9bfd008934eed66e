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
_MAIN, _REFUNDS = 16, 8
"""Bytes of hashes."""
# as bytes of JSON; may be a backslash and a "u0000" of the text itself, which cleaning lets be
_NUL = rb"\u0000"


@dataclass(slots=True)
class Prepared(Generic[R]):
    """A record that can be stored, with the hash of what the tables keep of it."""

    record: R
    hash: bytes
    """16 bytes, and for an order with refunds 8 more of those alone."""


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
                _keep(batch.orders, _hashed_order(record))
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


def _values_of(kind: type[Any], *without: str) -> Callable[[Any], Any]:
    # a first import hashes every order: this takes a third of the time of serialising dataclasses
    return attrgetter(*(f.name for f in fields(kind) if f.name not in without))


# without what the tables do not keep: names, phones, the ids and titles of lines. A status rules
# nothing, and a refund changes it: it is compared by itself
_of_customer = _values_of(
    Customer, "updated_at", "first_name", "last_name", "phone", "tags", "traits"
)
_of_product = _values_of(Product, "updated_at", "tags", "categories")
_of_order = _values_of(Order, "updated_at", "status", "lines", "refunds")
_of_line = _values_of(OrderLine, "id", "title", "vendor")
_of_refund = _values_of(Refund, "id")


def _customer_content(record: Customer) -> Any:
    return _of_customer(record), sorted(record.tags), sorted(record.traits.items())


def _product_content(record: Product) -> Any:
    return _of_product(record), sorted(record.tags), sorted(record.categories)


def _order_content(record: Order) -> Any:
    return _of_order(record), list(map(_of_line, record.lines))


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
    return Prepared(record, hashlib.blake2b(data, digest_size=_MAIN).digest())


def _hashed_order(record: Order) -> Prepared[Order]:
    prepared = _hashed(record, _order_content)
    if record.refunds:
        data = _dumps(list(map(_of_refund, record.refunds)))
        prepared.hash += hashlib.blake2b(data, digest_size=_REFUNDS).digest()
    return prepared


def is_only_refunded(before: bytes, after: bytes) -> bool:
    """Whether two hashes of an order say that nothing of it differs but its refunds."""
    return before != after and before[:_MAIN] == after[:_MAIN]


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
