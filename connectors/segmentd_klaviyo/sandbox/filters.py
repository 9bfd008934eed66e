"""Klaviyo's filter language: ``equals(name,["VIP"]),greater-than(created,2026-01-01T00:00:00Z)``.

https://developers.klaviyo.com/en/docs/filtering_
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any

_CALL = re.compile(r"([a-z-]+)\(([\w.]+),")
_TEXT = re.compile(r"\"([^\"\\]*)\"|'([^'\\]*)'")
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+(?:Z|[+-]\d{2}:\d{2})")

Fields = Mapping[str, Mapping[str, Any]]
"""Field → its entry in ``x-klaviyo-filters``."""


@dataclass(frozen=True)
class Condition:
    """One call of a filter."""

    operator: str
    field: str
    value: str | frozenset[str] | datetime

    def holds(self, resource: Mapping[str, Any], aliases: Set[str] = frozenset()) -> bool:
        """Whether a JSON:API resource fulfils it; ``aliases``: further addresses it answers to."""
        known = resource["attributes"].get(self.field)
        actual = resource["id"] if self.field == "id" else known
        if isinstance(self.value, datetime):
            moment = datetime.fromisoformat(str(actual))
            return moment > self.value if self.operator == "greater-than" else moment < self.value
        wanted = {self.value} if isinstance(self.value, str) else self.value
        return actual in wanted or (self.field == "email" and not aliases.isdisjoint(wanted))


def parse(text: str, fields: Fields) -> list[Condition]:
    """The conditions of a filter; ValueError, in words, for what the document does not allow."""
    conditions: list[Condition] = []
    rest = text
    while rest:
        call = _CALL.match(rest)
        if call is None:
            raise ValueError("Invalid filter provided")
        value, rest = _value(rest[call.end() :])
        if not rest.startswith(")"):
            raise ValueError("Invalid filter provided")
        condition = Condition(call[1], call[2], value)
        _allow(condition, fields)
        conditions.append(condition)
        rest = rest[1:].removeprefix(",")
    return conditions


def _value(text: str) -> tuple[str | frozenset[str] | datetime, str]:
    if text.startswith("["):
        return _list(text[1:])
    if instant := _INSTANT.match(text):
        return datetime.fromisoformat(instant[0]), text[instant.end() :]
    return _text(text)


def _text(text: str) -> tuple[str, str]:
    found = _TEXT.match(text)
    if found is None:
        raise ValueError("Invalid filter provided")
    return found[1] if found[1] is not None else found[2], text[found.end() :]


def _list(text: str) -> tuple[frozenset[str], str]:
    values: list[str] = []
    while not text.startswith("]"):
        value, text = _text(text)
        values.append(value)
        text = text.removeprefix(",")
    return frozenset(values), text[1:]


def _allow(condition: Condition, fields: Fields) -> None:
    """Operators are allowed per field, apart for one value and for a list of values."""
    entry = fields.get(condition.field)
    if entry is None:
        raise ValueError(f"'{condition.field}' is not a field that can be filtered by")
    shape = "list" if isinstance(condition.value, frozenset) else "single"
    if condition.operator not in entry["operators"].get(shape, ()):
        raise ValueError(f"'{condition.operator}' does not work so for '{condition.field}'")
    allowed = entry["value"].get("enum")
    values = condition.value if isinstance(condition.value, frozenset) else [condition.value]
    if allowed and any(value not in allowed for value in values):
        raise ValueError(f"'{condition.field}' has no such value")
