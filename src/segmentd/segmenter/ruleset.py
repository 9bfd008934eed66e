"""Rules compiled once: what they say, and what the evaluation must read for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Shop:
    """What a rule's words mean depends on: days are days of ``time_zone`` (an IANA name), money
    is in major units of ``currency`` (ISO 4217)."""

    time_zone: str
    currency: str


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Compiled rules; picklable, so that worker processes can be given it."""

    shop: Shop
    rules: tuple[tuple[str, str], ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Segment keys, in the order given."""
        return tuple(key for key, _ in self.rules)

    @property
    def expressions(self) -> tuple[str, ...]:
        """Store-relative values that are needed, e.g. ``TOP 10% amount_spent``; sorted."""
        raise NotImplementedError

    @property
    def fields(self) -> frozenset[str]:
        """Names of all facts that the rules ask for."""
        raise NotImplementedError

    @property
    def needs(self) -> frozenset[str]:
        """Which frames beside the profiles are read: of ``orders``, ``lines``, ``refunds``.

        ``lines`` includes the products. Frames not named may be empty.
        """
        raise NotImplementedError


def compile_rules(rules: Mapping[str, str], shop: Shop) -> Ruleset:
    """Segment key → ``where``; RuleError names segment, line and column."""
    return Ruleset(shop, tuple(rules.items()))
