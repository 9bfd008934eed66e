"""Rules compiled once: what they say, and what the evaluation must read for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from segmentd.domain.errors import ConfigError, RuleError
from segmentd.segmenter import demands
from segmentd.segmenter.check import check
from segmentd.segmenter.language import Expression, Leaf, Subject, leaves
from segmentd.segmenter.parser import parse


@dataclass(frozen=True, slots=True)
class Shop:
    """What a rule's words depend on: days are days of ``time_zone`` (an IANA name), money is in
    major units of ``currency`` (ISO 4217), weeks begin with ``week_start`` (0 Monday, 6 Sunday)."""

    time_zone: str
    currency: str
    week_start: int = 0


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
        return tuple(dict.fromkeys(leaf for rule in self.rules.values() for leaf in leaves(rule)))

    @property
    def relatives(self) -> Mapping[str, Subject]:
        """Store-relative values that are needed, by name: what each is computed of."""
        found = dict(pair for leaf in self.leaves for pair in demands.relatives(leaf))
        return {name: found[name] for name in sorted(found)}

    @property
    def expressions(self) -> tuple[str, ...]:
        """Names of the store-relative values, e.g. ``TOP 10% amount_spent``; sorted."""
        return tuple(self.relatives)

    @property
    def fields(self) -> frozenset[str]:
        """Names of all facts that the rules ask for, as sources declare what they fill."""
        return frozenset(name for key in self.rules for name in self.fields_of(key))

    def fields_of(self, key: str) -> frozenset[str]:
        """The same for one rule."""
        return frozenset(demands.facts(self.rules[key]))

    @property
    def needs(self) -> frozenset[str]:
        """Which frames beside the profiles are read: ``orders``, ``lines``, ``refunds``,
        ``events``, ``traits``, and ``memberships:KEY`` for a segment's history.

        Orders always: they tell who was known at a time. ``lines`` includes the products. Frames
        not named may be empty.
        """
        needed = (name for rule in self.rules.values() for name in demands.frames(rule))
        return frozenset({"orders", *needed})


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
