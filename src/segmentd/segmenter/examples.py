"""A rule for everything that rules can say, from the table ``examples.toml``.

The documents show them, and the tests execute every one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class Example:
    """A name of the catalogue in a rule."""

    rule: str
    note: str = ""
    """What it is, where its words in the catalogue do not say enough."""


@dataclass(frozen=True, slots=True)
class Form:
    """A way of writing something, and a rule that is written so."""

    written: str
    rule: str
    meaning: str = ""
    goes_with: str = ""
    """What an operator can be asked of."""
    shopify: bool = False
    """Shopify has it too."""


@dataclass(frozen=True, slots=True)
class Examples:
    """All of them, each table in the order in which it is to be read."""

    fields: Mapping[str, Example]
    open_fields: Mapping[str, Example]
    """Fields that are known by how their names begin."""
    properties: Mapping[str, Mapping[str, Example]]
    """Properties and totals by function; of functions of one family, for one of them."""
    aggregates: Mapping[str, Example]
    """By operation."""
    operators: tuple[Form, ...]
    dates: tuple[Form, ...]
    relative: tuple[Form, ...]
    """Values of the whole store, and multiples of others."""
    others: tuple[Form, ...]
    """Conditions that are about neither a field nor an event."""
    events: tuple[Form, ...]
    rules: tuple[str, ...]
    """Whole rules, as people write them."""
    shopify: frozenset[str]
    """Names that Shopify's own segments have; properties as ``FUNCTION.PROPERTY``."""

    @property
    def all(self) -> Iterator[str]:
        """Every rule."""
        named = [self.fields, self.open_fields, self.aggregates, *self.properties.values()]
        yield from (example.rule for table in named for example in table.values())
        forms = (self.operators, self.dates, self.relative, self.others, self.events)
        yield from (form.rule for table in forms for form in table)
        yield from self.rules


@cache
def examples() -> Examples:
    """The table, read once."""
    text = resources.files("segmentd.segmenter").joinpath("examples.toml").read_text("utf-8")
    table = tomllib.loads(text)
    return Examples(
        fields=_named(table["fields"]),
        open_fields=_named(table["open_fields"]),
        properties={name: _named(rows) for name, rows in table["properties"].items()},
        aggregates=_named(table["aggregates"]),
        operators=_forms(table["operators"]),
        dates=_forms(table["dates"]),
        relative=_forms(table["relative"]),
        others=_forms(table["others"]),
        events=_forms(table["events"]),
        rules=tuple(table["rules"]),
        shopify=frozenset(table["shopify"]),
    )


def _named(rows: Mapping[str, list[str]]) -> Mapping[str, Example]:
    return {name: Example(*row) for name, row in rows.items()}


def _forms(rows: list[dict[str, Any]]) -> tuple[Form, ...]:
    return tuple(Form(**row) for row in rows)
