"""Store-relative values: percentile cuts, means, medians, and the cuts of limited segments.

A cut is stored as text: the value itself where equal values stay together, else the value and what
breaks the tie, ``value orders last_order_at -profile_id``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from fractions import Fraction

import numpy as np
import pandas as pd

from segmentd.segmenter.predicates import Bools, Floats

MIN_POPULATION = 20
INSUFFICIENT = "insufficient"
LIMIT = "LIMIT "
"""How the names of the cuts of limited segments begin."""
_MAX_TIED = 1.5
"""A tie at the cut may grow the group up to so many times what was asked for."""
_EVERYBODY = repr(-math.inf)
"""The cut of a limited segment that is not full."""
_FORM = re.compile(r"(AVERAGE|MEDIAN|PERCENTILE|TOP|BOTTOM|LIMIT) (?:([+-]?[\d.]+)%?(?: |$))?")
_CUTS = frozenset({"TOP", "BOTTOM", "LIMIT"})


def limit_name(count: int, key: str) -> str:
    """The name of the cut that lets ``count`` into a segment; its values are such that the highest
    are let in, and missing for who would be no member anyway."""
    return f"{LIMIT}{count} {key}"


def threshold(expression: str, population: pd.DataFrame) -> str:
    """The threshold of an expression (see ``spelling.relative_name``, ``limit_name``), as text.

    ``population``: columns ``profile_id, value, orders, last_order_at``, one row for each profile
    that is ranked; the order of the rows does not matter. ``insufficient`` for a percentile of
    fewer than 20, and for a mean or median of nobody.
    """
    known = population[population["value"].notna()]
    kind, number = _read(expression)
    if kind == "LIMIT":
        return _limit(int(number), known)
    if len(known) < (1 if kind in {"AVERAGE", "MEDIAN"} else MIN_POPULATION):
        return INSUFFICIENT
    if kind in _CUTS:
        return _share(kind, number, known)
    return repr(_statistic(kind, float(number), known["value"].to_numpy(np.float64)))


def within(expression: str, cut: str | None, people: pd.DataFrame) -> Bools:
    """Who of the people (columns as for ``threshold``) lies at or beyond a percentile's or limit's
    cut."""
    side, _ = _read(expression)
    if cut is None or cut == INSUFFICIENT:
        return np.zeros(len(people), bool)
    bounds = [float(part) * _sign(side) for part in cut.split(" ")]
    ranked = _strength(side, people)
    inside = np.ones(len(people), bool)
    for name, bound in reversed(list(zip(_RANKING, bounds, strict=False))):
        column = ranked[name].to_numpy()
        inside = (column > bound) | ((column == bound) & inside)
    return inside


def leading(cut: str) -> float:
    """The value of a cut, without what breaks its ties."""
    return float(cut.split(" ")[0])


def moved(
    expression: str,
    old: str | None,
    new: str,
    population: pd.DataFrame,
    factors: Collection[float] = (1.0,),
) -> list[int]:
    """Profiles whose truth can differ between two thresholds; all of them if ``old`` is None.

    ``factors``: by which rules multiply a mean, median or percentile.
    """
    if old is None or INSUFFICIENT in {old, new}:
        touched = np.full(len(population), old != new)
    elif _read(expression)[0] in _CUTS:
        touched = within(expression, old, population) != within(expression, new, population)
    else:
        touched = np.zeros(len(population), bool)
        value = population["value"].to_numpy()
        for factor in factors:
            low, high = sorted((factor * float(old), factor * float(new)))
            # rules multiply exactly, and a product here may be off by half of the last place
            touched |= (value >= np.nextafter(low, -np.inf)) & (value <= np.nextafter(high, np.inf))
    return [int(number) for number in population["profile_id"].to_numpy()[touched]]


def _read(expression: str) -> tuple[str, Fraction]:
    """The kind of an expression and the number behind it: percent, deviations or a count."""
    found = _FORM.match(expression)
    assert found is not None, expression  # noqa: S101 - made by ourselves
    return found[1], Fraction(found[2] or 0)


def _statistic(kind: str, number: float, values: Floats) -> float:
    if kind == "MEDIAN":
        return float(np.median(values))
    if kind == "PERCENTILE":
        return float(np.percentile(values, number))
    # exact sums, so that the order of the rows does not matter
    mean = math.fsum(values) / len(values)
    if not number:
        return mean
    return mean + number * math.sqrt(math.fsum((values - mean) ** 2) / len(values))


def _share(side: str, percent: Fraction, known: pd.DataFrame) -> str:
    wanted = math.ceil(percent * len(known) / 100)
    values = known["value"].to_numpy(np.float64) * _sign(side)
    last = _highest(values, wanted)
    if int((values >= last).sum()) <= _MAX_TIED * wanted:
        return repr(_sign(side) * last)
    return _exact(side, wanted, known)


def _limit(count: int, known: pd.DataFrame) -> str:
    if len(known) <= count:
        return _EVERYBODY
    return _exact("LIMIT", count, known)


def _exact(side: str, count: int, known: pd.DataFrame) -> str:
    """The last of the ``count`` best, by all that ranks; a million are not sorted for one."""
    bounds, rest = [], _strength(side, known)
    for name in _RANKING:
        column = rest[name].to_numpy()
        last = _highest(column, count)
        bounds.append(repr(_sign(side) * last))
        count -= int((column > last).sum())
        rest = rest[column == last]
    return " ".join(bounds)


def _highest(values: Floats, count: int) -> float:
    """The ``count``-th of the values, from the highest down."""
    return float(np.partition(values, -count)[-count])


_RANKING = ("value", "orders", "last_order_at", "earlier")


def _sign(side: str) -> float:
    return -1.0 if side == "BOTTOM" else 1.0


def _strength(side: str, people: pd.DataFrame) -> pd.DataFrame:
    """Columns in which more is nearer to the wanted side; the older profile wins the last tie."""
    ranked = pd.DataFrame(
        {
            "value": people["value"],
            "orders": people["orders"],
            # who never ordered comes after all who did
            "last_order_at": people["last_order_at"].fillna(-math.inf),
            "earlier": -people["profile_id"],
        },
        dtype=np.float64,
    )
    return ranked * _sign(side)
