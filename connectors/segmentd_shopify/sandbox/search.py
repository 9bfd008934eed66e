"""Shopify's search syntax with its traps, for the fields that are instants or ids.

https://shopify.dev/docs/api/usage/search-syntax. ``AND`` is implied, ``OR`` binds tighter, ``-``
and ``NOT`` negate. Values that hold a colon must be quoted: of an unquoted timestamp the real API
takes the hour in the shop's time zone, makes a junk term of the rest, and says so only in
``extensions.search``. ``>`` and ``<`` on instants act as ``>=`` and ``<=``. A field that the
resource does not know is ignored: everything matches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Any

from segmentd.sdk import instant

Parsed = dict[str, Any]
"""A query as ``extensions.search[].parsed`` shows it."""
Values = Callable[[str], int]
"""The value of a search field for one record: epoch seconds or the numeric id."""

_TOKEN = re.compile(
    r"""\s*(?: (?P<open>\() | (?P<close>\)) | (?P<word>AND|OR|NOT)(?=[\s(]|$) | (?P<minus>-)
    | (?P<field>[\w.]+):(?P<op>>=|<=|>|<|)(?:'(?P<single>[^']*)'|"(?P<double>[^"]*)"
      |(?P<bare>[^\s:()'"]*)) :?
    | (?P<text>[^\s()]+) )""",
    re.VERBOSE,
)
_RANGES = {">=": "range_gte", ">": "range_gt", "<=": "range_lte", "<": "range_lt", "": "match_all"}
_TIME_RANGES = {**_RANGES, ">": "range_gte", "<": "range_lte"}


class EmptyValue(Exception):  # noqa: N818 - the real API falls over it
    """A comparison without a value: an internal error of the real API (airbyte#33827)."""


class Unserved(Exception):  # noqa: N818 - a limit of the sandbox, not an error of the client
    """A search that the real API knows and this sandbox does not."""


@dataclass(frozen=True)
class Fields:
    """What a resource can be searched by."""

    instants: frozenset[str]
    numbers: frozenset[str] = frozenset({"id"})
    unserved: frozenset[str] = frozenset()
    """The real API knows them, this sandbox does not."""


@dataclass
class Query:
    """A search, ready to be applied; ``warnings`` is what the real API would warn of."""

    parsed: Parsed | None = None
    warnings: list[dict[str, str]] = field(default_factory=list)
    _tests: list[Callable[[Values], bool]] = field(default_factory=list)
    _ranges: list[tuple[str, str, int]] = field(default_factory=list)

    def bounds(self, name: str) -> tuple[int | None, int | None]:
        """Inclusive limits that every match keeps for the field ``name``."""
        lows = [
            value for field, kind, value in self._ranges if (field, kind) == (name, "range_gte")
        ]
        highs = [
            value for field, kind, value in self._ranges if (field, kind) == (name, "range_lte")
        ]
        return max(lows, default=None), min(highs, default=None)

    def matches(self, values: Values) -> bool:
        """Whether a record with these ``values`` is found."""
        return all(test(values) for test in self._tests)


def parse_query(text: str | None, fields: Fields, zone: tzinfo) -> Query:
    """Understand ``text`` as the real API would; ``zone`` is the shop's time zone.

    Raises EmptyValue and Unserved.
    """
    if not text or not text.strip():
        return Query()
    parsed = _Parser(text, fields, zone).parse()
    query = Query(parsed)
    for part in parsed.get("and", [parsed]):
        test = _test(part, fields, zone, query)
        if test is not None:
            query._tests.append(test)  # noqa: SLF001 - filled by its own factory
    return query


class _Parser:
    def __init__(self, text: str, fields: Fields, zone: tzinfo) -> None:
        self._tokens = [match.groupdict() for match in _TOKEN.finditer(text.rstrip())]
        self._fields = fields
        self._zone = zone

    def parse(self) -> Parsed:
        parts = []
        while self._tokens and not self._tokens[0]["close"]:
            if self._tokens[0]["word"] == "AND":
                self._tokens.pop(0)
                continue
            parts.append(self._alternatives())
        return parts[0] if len(parts) == 1 else {"and": parts}

    def _alternatives(self) -> Parsed:
        parts = [self._operand()]
        while self._tokens and self._tokens[0]["word"] == "OR":
            self._tokens.pop(0)
            parts.append(self._operand())
        return parts[0] if len(parts) == 1 else {"or": parts}

    def _operand(self) -> Parsed:
        if not self._tokens:
            raise EmptyValue
        token = self._tokens.pop(0)
        if token["minus"] or token["word"] == "NOT":
            return {"not": self._operand()}
        if token["open"]:
            inner = self.parse()
            if self._tokens:
                self._tokens.pop(0)
            return inner
        if not token["field"]:
            raise Unserved(f"search for the bare word {token['text']!r}")
        return self._term(token)

    def _term(self, token: Mapping[str, str]) -> Parsed:
        name, op = token["field"], token["op"]
        quoted = token["single"] if token["single"] is not None else token["double"]
        value = token["bare"] if quoted is None else quoted
        if not value:
            raise EmptyValue
        if name not in self._fields.instants:
            return {"field": name, _RANGES[op]: value}
        if quoted is None:
            value = _to_the_hour(value, self._zone)
        return {"field": name, _TIME_RANGES[op]: value}


def _to_the_hour(value: str, zone: tzinfo) -> str:
    """What is left of an unquoted timestamp: the text before its first colon, in shop time."""
    try:
        return datetime.fromisoformat(value).replace(tzinfo=zone).isoformat()
    except ValueError:
        return value


def _test(
    part: Parsed, fields: Fields, zone: tzinfo, query: Query, *, top: bool = True
) -> Callable[[Values], bool] | None:
    """How to tell whether ``part`` holds; None where the real API would ignore it."""
    if "field" in part:
        return _term_test(part, fields, zone, query, top=top)
    kind, inner = next(iter(part.items()))
    parts = inner if isinstance(inner, list) else [inner]
    tests = [test for p in parts if (test := _test(p, fields, zone, query, top=False)) is not None]
    if not tests:
        return None
    if kind == "not":
        return lambda values: not tests[0](values)
    return lambda values: (any if kind == "or" else all)(test(values) for test in tests)


def _term_test(
    part: Parsed, fields: Fields, zone: tzinfo, query: Query, *, top: bool
) -> Callable[[Values], bool] | None:
    name = part["field"]
    kind, text = next((key, value) for key, value in part.items() if key != "field")
    if name in fields.unserved:
        raise Unserved(f"search field {name}")
    if name not in fields.instants | fields.numbers:
        query.warnings.append(
            _warning(name, "Invalid search field for this query.", "invalid_field")
        )
        return None
    try:
        value = _instant(text, zone) if name in fields.instants else int(text)
    except ValueError:
        query.warnings.append(
            _warning(name, f"Input `{text}` is not an accepted value.", "invalid_value")
        )
        return None
    if top:
        query._ranges.append((name, kind, value))  # noqa: SLF001 - see parse_query
    return _compare(name, kind, value)


def _instant(text: str, zone: tzinfo) -> int:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return int(instant(moment.isoformat()).timestamp())


def _compare(name: str, kind: str, value: int) -> Callable[[Values], bool]:
    comparisons: dict[str, Callable[[Values], bool]] = {
        "range_gte": lambda values: values(name) >= value,
        "range_gt": lambda values: values(name) > value,
        "range_lte": lambda values: values(name) <= value,
        "range_lt": lambda values: values(name) < value,
        "match_all": lambda values: values(name) == value,
    }
    return comparisons[kind]


def _warning(name: str, message: str, code: str) -> dict[str, str]:
    return {"field": name, "message": message, "code": code}
