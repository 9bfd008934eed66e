"""From the memory protocol to our words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from segmentd.domain.records import Customer, Order, Product, Record
from segmentd.sdk.contract import Rejection
from segmentd.sdk.values import clean

_ADAPTERS: dict[str, TypeAdapter[Any]] = {
    "customers": TypeAdapter(Customer),
    "orders": TypeAdapter(Order),
    "products": TypeAdapter(Product),
}


def read_records(
    stream: str, raw: Sequence[Mapping[str, Any]]
) -> tuple[list[Record], list[Rejection]]:
    """The records of a page, and those that nobody can read."""
    records: list[Record] = []
    rejected: list[Rejection] = []
    for entry in raw:
        try:
            records.append(_ADAPTERS[stream].validate_python(_cleaned(entry)))
        except ValidationError as error:
            wrong = error.errors()[0]
            place = ".".join(map(str, wrong["loc"]))
            rejected.append(Rejection(str(entry.get("id")), f"{place}: {wrong['msg']}"))
    return records, rejected


def _cleaned(value: Any) -> Any:
    """Texts that both databases can hold, at every depth."""
    if isinstance(value, dict):
        return {key: _cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return clean(value) if isinstance(value, str) else value
