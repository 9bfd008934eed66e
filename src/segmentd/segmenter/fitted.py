"""Values of rules that are fitted to the store: when customers are at risk, what a large order is.

Day limits come from the gaps between orders of the last 24 months. Gaps that are not over yet are
not seen, so the limits drift upwards as a shop grows older; they are fitted anew once a week at
most and then move by a tenth at most, so that segments do not jump.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from segmentd.sdk.values import exponent
from segmentd.segmenter.columns import Ints
from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import Condition, Events, Name, Number, Offset
from segmentd.segmenter.predicates import Floats
from segmentd.segmenter.ruleset import Ruleset, Shop
from segmentd.segmenter.thresholds import INSUFFICIENT
from segmentd.segmenter.words import used

EVERY = timedelta(days=7)
HABITS = frozenset({"orders"})
"""The frames that habits are read from."""
_MIN_GAPS = 50
_MIN_AMOUNTS = 20
_STEP = 10
"""A tenth: so much a value may move when it is fitted anew."""
_RECENT = Events("orders_placed", None, (Condition(Name("date"), ">=", (Offset(-24, "m"),)),))


@dataclass(frozen=True, slots=True)
class Counts:
    """Distinct values, ascending, and how often each occurs: small, however many there are."""

    values: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    counts: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    @classmethod
    def of(cls, values: Iterable[int] | Floats) -> Counts:
        """Count whole numbers."""
        return cls(*np.unique(np.asarray(values, np.int64), return_counts=True))

    def __add__(self, other: Counts) -> Counts:
        values = np.concatenate([self.values, other.values])
        counts = np.concatenate([self.counts, other.counts])
        distinct, places = np.unique(values, return_inverse=True)
        summed = np.zeros(len(distinct), np.int64)
        np.add.at(summed, places, counts)
        return Counts(distinct, summed)

    @property
    def size(self) -> int:
        """How many were counted."""
        return int(self.counts.sum())

    def percentile(self, percent: int) -> float:
        """As ``numpy.percentile`` of all that were counted: between two it is interpolated."""
        place = (self.size - 1) * percent / 100
        low, high = self._at(math.floor(place)), self._at(math.ceil(place))
        return low + (high - low) * (place - math.floor(place))

    def _at(self, place: int) -> int:
        return int(self.values[np.searchsorted(np.cumsum(self.counts), place, side="right")])


@dataclass(frozen=True, slots=True)
class Habits:
    """What the orders of the last 24 months are like."""

    gaps: Counts = field(default_factory=Counts)
    """Whole days of the shop from a customer's day with orders to the next."""
    totals: Counts = field(default_factory=Counts)
    """Minor units."""

    def __add__(self, other: Habits) -> Habits:
        return Habits(self.gaps + other.gaps, self.totals + other.totals)


def habits(shop: Shop, frames: Frames, now: datetime) -> Habits:
    """The habits of some profiles; those of all are their sum."""
    clock = Clock(shop.time_zone, now, shop.week_start)
    conditions = Conditions(Facts(frames, clock), shop, {})
    orders, recent = conditions.table(_RECENT), conditions.rows(_RECENT)
    assert orders is not None  # noqa: S101 - every store has orders
    profile, days = orders.profile[recent], clock.days(orders.placed[recent])
    order = np.lexsort((days, profile))
    gaps = np.diff(days[order])[np.diff(profile[order]) == 0]
    totals = orders.floats("total")[recent]
    return Habits(Counts.of(gaps[gaps > 0]), Counts.of(totals[~np.isnan(totals)]))


def fitted_name(variable: str) -> str:
    """What a variable is called among the thresholds."""
    return f"FITTED {variable}"


def outdated(
    ruleset: Ruleset, stored: Mapping[str, str], at: datetime | None, now: datetime
) -> list[str]:
    """The variables that must be fitted: all, a week after ``at`` when they were fitted last, else
    those that are not among the stored thresholds."""
    everything = at is None or now - at >= EVERY
    return sorted(v for v in ruleset.fitted if everything or fitted_name(v) not in stored)


def fitted_before(ruleset: Ruleset, stored: Mapping[str, str]) -> dict[str, str]:
    """The stored thresholds of the variables that the rules use."""
    names = map(fitted_name, ruleset.fitted)
    return {name: stored[name] for name in names if name in stored}


def fit(
    variables: Iterable[str],
    parts: Iterable[Habits],
    prices: Iterable[int],
    currency: str,
    stored: Mapping[str, str],
) -> dict[str, str]:
    """New thresholds for variables, by their names there: days, or major units of the currency.

    ``parts``: the habits of all profiles, in any division; ``prices``: of all products, in minor
    units. ``insufficient`` where too few were seen.
    """
    found, priced = sum(parts, Habits()), Counts.of(prices)
    decimals = exponent(currency)
    fitted = {}
    for variable in variables:
        name = fitted_name(variable)
        scale = 0 if variable in _DAYS else decimals
        units, old = _units(variable, found, priced), stored.get(name, INSUFFICIENT)
        if units is not None and old != INSUFFICIENT:
            units = _damped(units, int(Decimal(old).scaleb(scale)))
        fitted[name] = INSUFFICIENT if units is None else str(Decimal(units).scaleb(-scale))
    return fitted


def refitted(ruleset: Ruleset, before: Mapping[str, str], now: Mapping[str, str]) -> frozenset[str]:
    """The segments that use a value which is another than before."""
    moved = {v for v in ruleset.fitted if before.get(fitted_name(v)) != now.get(fitted_name(v))}
    return frozenset(
        key for key in ruleset.keys if any(used(tree) & moved for tree in ruleset.trees(key))
    )


def bound(ruleset: Ruleset, thresholds: Mapping[str, str]) -> Ruleset:
    """The rules with their fitted values; what uses one that could not be fitted is for nobody."""
    found = {variable: thresholds.get(fitted_name(variable)) for variable in ruleset.fitted}
    known = {v: text for v, text in found.items() if text is not None and text != INSUFFICIENT}
    return ruleset.bound({variable: Number(Decimal(text)) for variable, text in known.items()})


class _Days(NamedTuple):
    percent: int
    times: int
    least: int
    most: int
    default: int
    """While there are few gaps."""


_DAYS: Mapping[str, _Days] = {
    "at_risk_days": _Days(80, 1, 30, 180, default=90),
    "dormant_days": _Days(90, 1, 60, 365, default=180),
    "lost_days": _Days(90, 2, 180, 730, default=365),
}
_PERCENTS: Mapping[str, int] = {"large_order": 95, "high_price": 90, "low_price": 10}


def _units(variable: str, found: Habits, prices: Counts) -> int | None:
    """Days or minor units; None where too little was seen."""
    if variable in _DAYS:
        return _days(_DAYS[variable], found.gaps)
    amounts = found.totals if variable == "large_order" else prices
    if amounts.size < _MIN_AMOUNTS:
        return None
    return round(amounts.percentile(_PERCENTS[variable]))


def _days(limit: _Days, gaps: Counts) -> int:
    if gaps.size < _MIN_GAPS:
        return limit.default
    # rounded up: so many per cent have come by the end of that day
    return min(
        max(math.ceil(limit.times * gaps.percentile(limit.percent)), limit.least), limit.most
    )


def _damped(new: int, old: int) -> int:
    step = max(abs(old) // _STEP, 1)
    return min(max(new, old - step), old + step)
