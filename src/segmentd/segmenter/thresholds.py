"""Store-relative values: percentile cuts, means, medians, and the cuts of limited segments.

A cut is stored as text: the value itself where equal values stay together, else the value and what
breaks the tie, ``value orders last_order_at -profile_id``. All who have a value are ranked in one
order by these four; what is asked of a population can be answered without looking at everybody.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Sequence
from fractions import Fraction
from typing import Protocol

import numpy as np
import pandas as pd

from segmentd.segmenter.predicates import Bools, Floats
from segmentd.segmenter.ranks import HIGHEST, LOWEST, Numbers, Place, exact_sums

MIN_POPULATION = 20
INSUFFICIENT = "insufficient"
LIMIT = "LIMIT "
"""How the names of the cuts of limited segments begin."""
_MAX_TIED = Fraction(3, 2)
"""A tie at the cut may grow the group up to so many times what was asked for."""
_EVERYBODY = repr(-math.inf)
"""The cut of a limited segment that is not full."""
_FORM = re.compile(
    r"(AVERAGE|MEDIAN|PERCENTILE|TOP|BOTTOM|LIMIT) "
    r"(?:([+-]?[\d.]+)(?: DEVIATIONS |%? |%?$))?(?P<subject>.*)",
    re.DOTALL,
)
_CUTS = frozenset({"TOP", "BOTTOM", "LIMIT"})
FACTS = ("value", "orders", "last_order_at")
"""What is kept of each profile that is ranked; see ``PopulationTable``."""


class Population(Protocol):
    """All who have a value of one subject, ranked."""

    def count(self) -> int:
        """How many they are."""

    def sums(self) -> tuple[Fraction, Fraction]:
        """The exact sums of the values and of their squares."""

    def at(self, ranks: Sequence[int]) -> list[Place]:
        """Who is at these ranks, 1 being the highest. A rank beyond the last means the last, and
        LOWEST where there is nobody: profiles may vanish between two questions."""

    def between(self, low: Place, high: Place) -> list[int]:
        """Profiles from ``low`` up to, not including, ``high``; ascending by id."""


class PopulationTable:
    """A population in memory."""

    def __init__(self, people: pd.DataFrame) -> None:
        """``people``: columns ``profile_id, value, orders, last_order_at`` in any order of rows;
        who has no value is left out."""
        self._places = places(people)
        self._ids = people["profile_id"].to_numpy(np.int64)[has_value(people["value"])]

    def count(self) -> int:
        """How many have a value."""
        return len(self._places)

    def sums(self) -> tuple[Fraction, Fraction]:
        """The exact sums of the values and of their squares."""
        return exact_sums(self._places[:, 0].tolist())

    def at(self, ranks: Sequence[int]) -> list[Place]:
        """Who is at these ranks."""
        return [self._at(min(rank, self.count())) for rank in ranks]

    def between(self, low: Place, high: Place) -> list[int]:
        """Profiles from ``low`` up to, not including, ``high``."""
        inside = _at_least(self._places, low) & ~_at_least(self._places, high)
        return sorted(self._ids[inside].tolist())

    def _at(self, rank: int) -> Place:
        """A million are not sorted for one."""
        if not rank:
            return LOWEST
        found, rest = [], self._places
        for column in range(len(Place._fields)):
            values = rest[:, column]
            last = float(np.partition(values, -rank)[-rank])
            rank -= int((values > last).sum())
            rest = rest[values == last]
            found.append(last)
        return Place(*found)


def places(people: pd.DataFrame) -> Floats:
    """One row per person who has a value, one column for each part of a ``Place``."""
    known = people[has_value(people["value"])]
    columns = [
        # no zero with a sign: the store would not keep it
        known["value"] + 0.0,
        known["orders"],
        known["last_order_at"].fillna(-math.inf),
        -known["profile_id"],
    ]
    return np.column_stack([column.to_numpy(np.float64) for column in columns])


def facts_of(values: pd.DataFrame, name: str) -> pd.DataFrame:
    """By what everybody is ranked by a column of ``evaluate.values`` or ``candidates``: index
    ``profile_id``, columns FACTS."""
    return values[[name, *FACTS[1:]]].set_axis(list(FACTS), axis=1)


def ranked(name: str, values: pd.DataFrame) -> Floats:
    """The places of all who are ranked by a column of ``evaluate.values`` or ``candidates``: for a
    limited segment all who have a value, else all who have ordered."""
    counted = values if name.startswith(LIMIT) else values[values["orders"] > 0]
    return places(facts_of(counted, name).assign(profile_id=counted.index))


def differing(before: Floats, after: Floats) -> tuple[list[Numbers], list[Numbers]]:
    """Of two sets of places, as ``places`` gives them, those that are only in the one, and only in
    the other; ``before`` has nobody twice."""
    order = np.argsort(before[:, -1])
    found = np.searchsorted(before[:, -1], after[:, -1], sorter=order)
    known = np.append(order, -1)[found]
    same = known >= 0
    same[same] = (before[known[same]] == after[same]).all(axis=1)
    gone = np.ones(len(before), bool)
    gone[known[same]] = False
    return _as_tuples(before[gone]), _as_tuples(after[~same])


def has_value(values: pd.Series[float]) -> Bools:
    """Who is ranked; what is too large for a number is no value."""
    return np.isfinite(values.to_numpy(np.float64))


def limit_name(count: int, key: str) -> str:
    """The name of the cut that lets ``count`` into a segment; its values are such that the highest
    are let in, and missing for who would be no member anyway."""
    return f"{LIMIT}{count} {key}"


def value_name(expression: str) -> str:
    """What the values are called from which a threshold is made: the subject's text, and for the
    cut of a limited segment the cut's own name. Nothing for what is no store-relative value."""
    found = _FORM.fullmatch(expression)
    if found is None:
        return ""
    return expression if found[1] == "LIMIT" else found["subject"]


def threshold(expression: str, population: Population) -> str:
    """The threshold of an expression (see ``spelling.relative_name``, ``limit_name``), as text.

    ``insufficient`` for a percentile of fewer than 20, and for a mean or median of nobody.
    """
    kind, number = _read(expression)
    count = population.count()
    if kind == "LIMIT":
        return _EVERYBODY if count <= number else _text(population.at([int(number)])[0])
    if count < (1 if kind in {"AVERAGE", "MEDIAN"} else MIN_POPULATION):
        return INSUFFICIENT
    if kind in _CUTS:
        return _share(kind, number, count, population)
    return repr(_statistic(kind, float(number), count, population))


def within(expression: str, cut: str | None, people: pd.DataFrame) -> Bools:
    """Who of the people (columns as for ``PopulationTable``) lies at or beyond a percentile's or
    limit's cut."""
    inside = np.zeros(len(people), bool)
    if cut is not None and cut != INSUFFICIENT:
        side, _ = _read(expression)
        reached = _at_least(places(people), _edge(side, cut))
        inside[has_value(people["value"])] = reached if side != "BOTTOM" else ~reached
    return inside


def leading(cut: str) -> float:
    """The value of a cut, without what breaks its ties."""
    return float(cut.split(" ")[0])


def moved(
    expression: str,
    old: str,
    new: str,
    population: Population,
    factors: Collection[float] = (1.0,),
) -> list[int]:
    """Profiles whose truth can differ between two thresholds, ascending.

    ``factors``: by which rules multiply a mean, median or percentile.
    """
    if old == new:
        return []
    if INSUFFICIENT in {old, new}:
        return population.between(LOWEST, HIGHEST)
    kind, _ = _read(expression)
    if kind in _CUTS:
        return population.between(*sorted((_edge(kind, old), _edge(kind, new))))
    touched: set[int] = set()
    for factor in factors:
        low, high = sorted((factor * float(old), factor * float(new)))
        # rules multiply exactly, and a product here may be off by half of the last place
        below, above = math.nextafter(low, -math.inf), math.nextafter(high, math.inf)
        touched.update(population.between(LOWEST._replace(value=below), _just_above([above])))
    return sorted(touched)


def _as_tuples(rows: Floats) -> list[Numbers]:
    return list(zip(*rows.T.tolist(), strict=True))


def _read(expression: str) -> tuple[str, Fraction]:
    """The kind of an expression and the number behind it: percent, deviations or a count."""
    found = _FORM.fullmatch(expression)
    assert found is not None, expression  # noqa: S101 - made by ourselves
    return found[1], Fraction(found[2] or 0)


def _statistic(kind: str, number: float, count: int, population: Population) -> float:
    if kind == "MEDIAN":
        high, low = population.at([(count + 1) // 2, count // 2 + 1])
        return (low.value + high.value) / 2
    if kind == "PERCENTILE":
        return _percentile(number / 100, count, population)
    total, squares = population.sums()
    # rounded once at the end, so that it does not matter how the sums came about
    mean = float(total / count)
    if not number:
        return mean
    return mean + number * _root((squares - total * total / count) / count)


def _root(square: Fraction) -> float:
    try:
        return math.sqrt(square)
    except OverflowError:
        return math.inf


def _percentile(part: float, count: int, population: Population) -> float:
    """As ``numpy.percentile`` has it, by its method ``linear``."""
    place = part * (count - 1)
    below = math.floor(place)
    low, high = (each.value for each in population.at([count - below, max(count - below - 1, 1)]))
    share = place - below
    # from the nearer end, as numpy does: the last digit depends on it
    return high - (high - low) * (1 - share) if share >= 0.5 else low + (high - low) * share


def _share(side: str, percent: Fraction, count: int, population: Population) -> str:
    wanted = math.ceil(percent * count / 100)
    too_many = math.floor(_MAX_TIED * wanted) + 1
    ranks = [wanted, min(too_many, count)]
    last, beyond = population.at(ranks if side == "TOP" else [count + 1 - rank for rank in ranks])
    if beyond.value == last.value and too_many <= count:
        return _text(last)
    return repr(last.value)


def _text(place: Place) -> str:
    return " ".join(map(repr, place))


def _edge(side: str, cut: str) -> Place:
    """The first place at which one is inside; for the lowest, outside."""
    parts = [float(part) for part in cut.split(" ")]
    return _just_above(parts) if side == "BOTTOM" else Place(*parts, *LOWEST[len(parts) :])


def _just_above(parts: Sequence[float]) -> Place:
    """The first place above all that begin with these parts."""
    place = Place(*parts, *HIGHEST[len(parts) :])
    # ids are whole numbers
    return place._replace(earlier=place.earlier + 0.5)


def _at_least(standing: Floats, low: Place) -> Bools:
    """Which rows are at or above a place."""
    inside = np.ones(len(standing), bool)
    for column, bound in reversed(list(enumerate(low))):
        values = standing[:, column]
        inside = (values > bound) | ((values == bound) & inside)
    return inside
