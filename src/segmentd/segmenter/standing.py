"""What decides about membership beside the rule: staying, grace, limits, pins, exclusive sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from segmentd.domain.segments import Pin
from segmentd.segmenter.columns import NO_ROWS, Ints, floats, positions_of, rows_of
from segmentd.segmenter.days import day_start
from segmentd.segmenter.language import Condition, Expression
from segmentd.segmenter.predicates import Bools, Floats
from segmentd.segmenter.thresholds import limit_name

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Cap:
    """At most ``count`` members: those who rank highest (or with ``least`` lowest)."""

    count: int
    ranking: Condition
    """Its subject is what ranks; what it says of it does not matter."""
    least: bool

    def name(self, key: str) -> str:
        """What its cut is called among the thresholds."""
        return limit_name(self.count, key)


@dataclass(frozen=True, slots=True)
class Hold:
    """A pin on a profile, until an instant (epoch seconds; infinity for ever)."""

    profile_id: int
    member: bool
    ends: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How one segment departs from its rule; see ``domain.segments.Segment``."""

    stays: Expression | None = None
    grace: int = 0
    """Days of 24 hours."""
    cap: Cap | None = None
    pins: tuple[Pin, ...] = ()
    rivals: tuple[str, ...] = ()
    """The exclusive set that it is in, itself included, in the order in which they win."""

    @property
    def remembers(self) -> bool:
        """Whether it matters who is a member already."""
        return self.stays is not None or self.grace > 0


PLAIN = Standing()
"""A segment that is nothing but its rule."""


def holds(pins: Sequence[Pin], found: Mapping[str, Sequence[int]], time_zone: str) -> list[Hold]:
    """The pins on those customers who are known; a pin ends with its day in the time zone."""
    zone = ZoneInfo(time_zone)
    return [
        Hold(profile_id, pin.member, _end(pin.until, zone))
        for pin in pins
        for profile_id in found.get(pin.customer, ())
    ]


def _end(until: date | None, zone: ZoneInfo) -> float:
    return np.inf if until is None else float(day_start(zone, until.toordinal() + 1))


@dataclass(frozen=True, slots=True)
class Pinned:
    """The pins of one segment on a partition of profiles, as far as they last."""

    inside: Bools
    outside: Bools
    """Wins where both are given."""
    ends: Floats
    """When the first pin on a profile ends; NaN for never."""


def pinned(holds: Sequence[Hold], index: pd.Index[Any], now: int) -> Pinned:
    """Pins that have not ended by now."""
    size = len(index)
    found = Pinned(np.zeros(size, bool), np.zeros(size, bool), np.full(size, np.nan))
    lasting = [hold for hold in holds if now < hold.ends]
    positions = index.get_indexer(pd.Index([hold.profile_id for hold in lasting]))
    for hold, position in zip(lasting, positions.tolist(), strict=True):
        if position >= 0:
            (found.inside if hold.member else found.outside)[position] = True
            ends = hold.ends if np.isfinite(hold.ends) else np.nan
            found.ends[position] = np.fmin(found.ends[position], ends)
    found.inside[found.outside] = False
    return found


class Past:
    """Who is a member already, and since when only by grace; as of then if now is in the past."""

    def __init__(self, memberships: pd.DataFrame, index: pd.Index[Any], now: int) -> None:
        self._size = len(index)
        self._positions = positions_of(index, memberships["profile_id"])
        self._lapsing = floats(memberships, "lapsing_at")
        begun, left = (floats(memberships, name) <= now for name in ("entered_at", "left_at"))
        later = ~begun | (floats(memberships, "left_at") > now)
        known = self._positions >= 0
        self._open, self._later = known & begun & ~left, known & later
        self._by_grace = known & ~left & ~np.isnan(self._lapsing)
        self._of = rows_of(memberships["segment"])

    def was(self, key: str) -> Bools:
        """Who is a member."""
        return self._marked(self._open, key)

    def changes(self, key: str) -> Bools:
        """Of whom later changes are stored already, as the clock was put back."""
        return self._marked(self._later, key)

    def lapsing(self, key: str) -> Floats:
        """Since when a member is one only by grace (epoch seconds), NaN for who is not."""
        result = np.full(self._size, np.nan)
        rows = self._rows(self._by_grace, key)
        result[self._positions[rows]] = self._lapsing[rows]
        return result

    def _marked(self, chosen: Bools, key: str) -> Bools:
        result = np.zeros(self._size, bool)
        result[self._positions[self._rows(chosen, key)]] = True
        return result

    def _rows(self, chosen: Bools, key: str) -> Ints:
        rows = self._of.get(key, NO_ROWS)
        return rows[chosen[rows]]


@dataclass(frozen=True, slots=True)
class Tenure:
    """Who fulfils a segment's rules, or is a member by having been one."""

    kept: Bools
    """By one of the two rules."""
    graced: Bools
    """By them or by grace."""
    lapsing: Floats
    """Since when neither rule holds; NaN where one does."""
    ends: Floats
    """When grace ends; NaN for who is no member by grace."""


def tenure(
    standing: Standing, raw: Bools, stays: Bools, was: Bools, lapsing: Floats, now: int
) -> Tenure:
    """``raw``: for whom the rule holds; ``was`` and ``lapsing``: the state before."""
    kept = raw | (was & stays)
    began = np.where(kept, np.nan, np.fmin(lapsing, now))
    ends = began + standing.grace * _DAY
    by_grace = was & ~kept & (now < ends)
    return Tenure(kept, kept | by_grace, began, np.where(by_grace, ends, np.nan))


def exclusive(
    key: str,
    rivals: Sequence[str],
    inside: Bools,
    members: Mapping[str, Bools],
    pins: Mapping[str, Pinned],
) -> Bools:
    """Who stays in a segment of a set: nobody who is in an earlier one (all are in ``members``),
    or whom a pin puts into a later one and none into this. ``pins``: of all of the set, or none."""
    place = rivals.index(key)
    for earlier in rivals[:place]:
        inside = inside & ~members[earlier]
    for later in rivals[place + 1 :] if key in pins else ():
        inside = inside & (pins[key].inside | ~pins[later].inside)
    return inside
