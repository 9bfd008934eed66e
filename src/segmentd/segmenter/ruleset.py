"""Rules compiled once: what they say, and what the evaluation must read for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from segmentd.domain.errors import ConfigError, RuleError
from segmentd.segmenter.check import check, fields_used
from segmentd.segmenter.fields import FIELDS, FUNCTIONS
from segmentd.segmenter.language import (
    Condition,
    Expression,
    Leaf,
    Matches,
    Name,
    expression_of,
    leaves,
)
from segmentd.segmenter.parser import parse


@dataclass(frozen=True, slots=True)
class Shop:
    """What a rule's words depend on: days are days of ``time_zone`` (an IANA name), money is in
    major units of ``currency`` (ISO 4217)."""

    time_zone: str
    currency: str


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Compiled rules; picklable, so that worker processes can be given it."""

    shop: Shop
    rules: Mapping[str, Expression]

    @property
    def keys(self) -> tuple[str, ...]:
        """Segment keys, in the order given."""
        return tuple(self.rules)

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """Every condition once, however many rules share it."""
        return tuple(dict.fromkeys(self._leaves()))

    @property
    def expressions(self) -> tuple[str, ...]:
        """Store-relative values that are needed, e.g. ``TOP 10% amount_spent``; sorted."""
        asked = (expression_of(leaf) for leaf in self._leaves() if isinstance(leaf, Condition))
        return tuple(sorted({expression for expression in asked if expression}))

    @property
    def fields(self) -> frozenset[str]:
        """Names of all facts that the rules ask for, as sources declare what they fill."""
        return frozenset(name for leaf in self._leaves() for name in fields_used(leaf))

    def fields_of(self, key: str) -> frozenset[str]:
        """The same for one rule."""
        return frozenset(name for leaf in leaves(self.rules[key]) for name in fields_used(leaf))

    @property
    def needs(self) -> frozenset[str]:
        """Which frames beside the profiles are read: of ``orders``, ``lines``, ``refunds``.

        Orders always: they tell who was known at a time. ``lines`` includes the products. Frames
        not named may be empty.
        """
        needed = (name for leaf in self._leaves() for name in _needs(leaf))
        return frozenset({"orders", *needed})

    def _leaves(self) -> Iterator[Leaf]:
        for rule in self.rules.values():
            yield from leaves(rule)


def _needs(leaf: Leaf) -> tuple[str, ...]:
    if isinstance(leaf, Matches):
        return FUNCTIONS[leaf.function].needs
    names = [leaf.field, *(o.value for o in leaf.operands if isinstance(o, Name))]
    return tuple(frame for name in names if name in FIELDS for frame in FIELDS[name].needs)


def compile_rules(rules: Mapping[str, str], shop: Shop) -> Ruleset:
    """Segment key → ``where``. RuleError names segment, line and column of the first mistake;
    ConfigError for a time zone that does not exist."""
    try:
        ZoneInfo(shop.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"there is no time zone {shop.time_zone!r}") from error
    return Ruleset(shop, {key: _compile(key, where) for key, where in rules.items()})


def _compile(key: str, where: str) -> Expression:
    try:
        expression = parse(where)
        check(expression)
    except RuleError as error:
        raise RuleError(
            f"segment '{key}': {error.message}", line=error.line, column=error.column
        ) from error
    return expression
