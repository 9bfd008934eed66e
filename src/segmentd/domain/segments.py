"""A segment as configured: its rule and where its members are pushed."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from segmentd.domain.errors import ConfigError
from segmentd.domain.suggest import did_you_mean

Value = str | bool | int | float | Decimal | date | datetime
"""What ``$name`` in a rule may stand for, beside a condition."""


@dataclass(frozen=True, slots=True)
class PushTo:
    """One destination of a segment, and the name (tag or list) that its members get there."""

    destination: str
    name: str
    restore: bool = False
    """Put a tag back that a person took off by hand."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``count`` members: those with the most (or ``least``) of ``by``, a number field or
    aggregate as rules write it."""

    count: int
    by: str
    least: bool = False


@dataclass(frozen=True, slots=True)
class Pin:
    """One customer kept in or out whatever the rule says, up to and including the day ``until``."""

    customer: str
    """``SOURCE:ID`` or an e-mail address."""
    member: bool
    reason: str
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment; ``key`` is its table name in the configuration."""

    key: str
    title: str
    where: str
    push: tuple[PushTo, ...] = ()
    stays: str = ""
    """A second rule: who is a member stays one while this holds, even when ``where`` does not."""
    grace: int = 0
    """Days that a member stays after both rules ceased to hold."""
    limit: Limit | None = None
    pins: tuple[Pin, ...] = ()
    preset: str | None = None
    """The preset that ``where`` was made from."""
    terms: str = ""
    """What the words of the rule depend on: the shop's time zone, currency and week, the named
    conditions and variables, and the set that the segment is in."""

    @property
    def version(self) -> str:
        """Changes exactly when anything changes that decides who is a member."""
        decisive = (self.terms, self.where, self.stays, self.grace, self.limit, self.pins)
        return hashlib.sha256(repr(decisive).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class ExclusiveSet:
    """Segments of which a customer is in one at most: the first whose rule holds."""

    key: str
    segments: tuple[str, ...]


def rivalry(sets: Sequence[ExclusiveSet], keys: Collection[str]) -> Mapping[str, tuple[str, ...]]:
    """Segment → the segments of its set. ConfigError for a segment that there is not (``keys`` are
    those that there are) or that is in a set already."""
    homes: dict[str, ExclusiveSet] = {}
    for each in sets:
        for key in each.segments:
            if key not in keys:
                raise ConfigError(f'there is no segment "{key}"{did_you_mean(key, keys)}')
            if key in homes:
                raise ConfigError(f'segment "{key}" is in set "{homes[key].key}" already')
            homes[key] = each
    return {key: home.segments for key, home in homes.items()}
