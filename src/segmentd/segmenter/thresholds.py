"""Store-relative values: percentile cuts, mean and median of all who have ordered.

A cut is stored as text: the value itself where equal values stay together, else the value and what
breaks the tie, ``value orders last_order_at profile_id``.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pandas as pd

from segmentd.segmenter.predicates import Bools

MIN_POPULATION = 20
INSUFFICIENT = "insufficient"
_MAX_TIED = 1.5
"""A tie at the cut may grow the group up to so many times what was asked for."""


def threshold(expression: str, population: pd.DataFrame) -> str:
    """The threshold of an expression, as text.

    ``population``: columns ``profile_id, value, orders, last_order_at``, one row for each profile
    with at least one counted order; the order of the rows does not matter. ``insufficient`` for a
    percentile of fewer than 20, and for a mean or median of nobody.
    """
    known = population[population["value"].notna()]
    kind, rest = expression.split(" ", 1)
    if len(known) < (MIN_POPULATION if "%" in rest else 1):
        return INSUFFICIENT
    if kind == "AVERAGE":
        return repr(math.fsum(known["value"]) / len(known))
    if kind == "MEDIAN":
        return repr(float(known["value"].median()))
    return _cut(kind, Fraction(rest.partition("%")[0]), known)


def _cut(side: str, percent: Fraction, known: pd.DataFrame) -> str:
    wanted = math.ceil(percent * len(known) / 100)
    ranked = _strength(side, known).sort_values(list(_RANKING), ascending=False, ignore_index=True)
    last = ranked.iloc[wanted - 1]
    tied = int((ranked["value"] >= last["value"]).sum())
    if tied <= _MAX_TIED * wanted:
        return repr(_sign(side) * float(last["value"]))
    return " ".join(repr(_sign(side) * float(last[name])) for name in _RANKING)


_RANKING = ("value", "orders", "last_order_at", "earlier")


def _sign(side: str) -> float:
    return 1.0 if side == "TOP" else -1.0


def _strength(side: str, people: pd.DataFrame) -> pd.DataFrame:
    """Columns in which more is nearer to the wanted side; the older profile wins the last tie."""
    ranked = pd.DataFrame(
        {
            "value": people["value"],
            "orders": people["orders"],
            "last_order_at": people["last_order_at"],
            "earlier": -people["profile_id"],
        },
        dtype=np.float64,
    )
    return ranked * _sign(side)


def within(expression: str, cut: str | None, people: pd.DataFrame) -> Bools:
    """Who of the people (columns as for ``threshold``) lies at or beyond a percentile's cut."""
    side = expression.partition(" ")[0]
    if cut is None or cut == INSUFFICIENT:
        return np.zeros(len(people), bool)
    bounds = [float(part) * _sign(side) for part in cut.split(" ")]
    ranked = _strength(side, people)
    inside = np.ones(len(people), bool)
    for name, bound in reversed(list(zip(_RANKING, bounds, strict=False))):
        column = ranked[name].to_numpy()
        inside = (column > bound) | ((column == bound) & inside)
    return inside


def moved(expression: str, old: str | None, new: str, population: pd.DataFrame) -> list[int]:
    """Profiles whose truth can differ between two thresholds; all of them if ``old`` is None."""
    if old is None or INSUFFICIENT in {old, new}:
        touched = np.full(len(population), old != new)
    elif "%" in expression:
        touched = within(expression, old, population) != within(expression, new, population)
    else:
        low, high = sorted((float(old), float(new)))
        value = population["value"].to_numpy()
        touched = (value >= low) & (value <= high)
    return [int(number) for number in population["profile_id"].to_numpy()[touched]]
