"""Values of the whole store, computed from those of single customers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any


@dataclass
class Ranked:
    """Somebody who has ordered, and what is compared."""

    id: int
    value: Fraction
    orders: int
    last_order: int


MIN_POPULATION = 20


def statistic(name: str, values: Sequence[Fraction]) -> float | None:
    """``AVERAGE +1 DEVIATIONS``, ``MEDIAN`` or ``PERCENTILE 75`` of all values."""
    kind, _, rest = name.partition(" ")
    ordered = sorted(values)
    if len(ordered) < (MIN_POPULATION if kind == "PERCENTILE" else 1):
        return None
    if kind == "MEDIAN":
        return _between(ordered, Fraction(1, 2))
    if kind == "PERCENTILE":
        return _between(ordered, Fraction(rest) / 100)
    mean = sum(ordered) / Fraction(len(ordered))
    squares = sum((value - mean) ** 2 for value in ordered) / len(ordered)
    return float(mean) + float(rest.partition(" ")[0] or 0) * math.sqrt(squares)


def _between(ordered: Sequence[Fraction], part: Fraction) -> float:
    """The value at a part of the way from the lowest to the highest, in a straight line."""
    place = part * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (ordered[above] - ordered[below]) * (place - below))


def chosen(side: str, percent: Fraction, people: Sequence[Ranked]) -> set[int]:
    """Ids of the highest or lowest percent; equal values stay together while they are few."""
    if len(people) < MIN_POPULATION:
        return set()
    wanted = math.ceil(percent * len(people) / 100)
    best = sorted(people, key=_rank, reverse=side == "TOP")
    last = best[wanted - 1]
    if side == "TOP":
        tied = [each for each in best if each.value >= last.value]
    else:
        tied = [each for each in best if each.value <= last.value]
    return {each.id for each in (tied if 2 * len(tied) <= 3 * wanted else best[:wanted])}


def _rank(each: Ranked) -> tuple[Fraction, int, int, int]:
    return each.value, each.orders, each.last_order, -each.id


def within(side: str, cut: str, value: Any, orders: int, last_order: float, number: int) -> bool:
    """Whether somebody is at or beyond a percentile's cut; ties go to the older profile."""
    rank = [float(value), float(orders), float(last_order), -float(number)]
    bound = [float(part) for part in cut.split()]
    rank = rank[: len(bound)]
    return rank >= bound if side == "TOP" else rank <= bound
