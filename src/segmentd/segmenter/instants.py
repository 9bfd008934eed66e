"""Dates of a rule as half-open spans of instants, and when the passing of time moves them.

Every edge of a span is a function of now that never decreases. So "the instant lies at or after
the edge" can only turn from true to false, and it does so at the first now whose edge lies above.
Days are days of the shop: their midnights come from the time zone's table, 23 and 25 hours apart
where the clocks change.
"""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from segmentd.segmenter.language import Condition, Day, Moment, Offset, Period

Floats = npt.NDArray[np.float64]

_SECONDS = {"h": 3600, "min": 60}
_DAYS = {"d": 1, "w": 7}
_MONTHS = {"m": 1, "y": 12, "MONTH": 1, "QUARTER": 3, "YEAR": 12}
_SHIFTS = {"LAST": -1, "THIS": 0, "NEXT": 1}
_LOOKAHEAD = 4_000
"""Days that are searched for the next change; then the profile is looked at again."""

Reference = Day | Moment | Offset | Period


@dataclass(frozen=True, slots=True)
class Edge:
    """The begin of what ``reference`` names, or with ``after`` the begin of what follows it."""

    reference: Reference
    after: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """From an edge up to, not including, another; None is without end."""

    low: Edge | None
    high: Edge | None


def spans(condition: Condition) -> tuple[Span, ...]:
    """The spans in which a date fulfils the condition (its negation left aside)."""
    references = [operand for operand in condition.operands if isinstance(operand, Reference)]
    first = references[0]
    match condition.operator:
        case "=" | "IN":
            return tuple(Span(Edge(r), Edge(r, after=True)) for r in references)
        case "BETWEEN":
            return (Span(Edge(first), Edge(references[1], after=True)),)
        case ">=":
            return (Span(Edge(first), None),)
        case ">":
            return (Span(Edge(first, after=True), None),)
        case "<":
            return (Span(None, Edge(first)),)
        case _:
            return (Span(None, Edge(first, after=True)),)


class Clock:
    """``now`` on the clock of a shop."""

    def __init__(self, time_zone: str, now: datetime) -> None:
        self.zone = ZoneInfo(time_zone)
        self.now = int(now.timestamp() // 1)
        """Epoch seconds; instants are whole seconds, so nothing is lost."""
        self.today = self.day(self.now)

    def day(self, instant: int) -> int:
        """The shop's day of an instant, as the ordinal of a date."""
        local = datetime.fromtimestamp(instant, UTC).astimezone(self.zone).date().toordinal()
        # clocks put back across midnight make a date begin twice: its first begin counts
        return local + 1 if day_start(self.zone, local + 1) <= instant else local

    def days(self, instants: Floats) -> Floats:
        """The shop's days of many instants; NaN stays."""
        known = instants[~np.isnan(instants)]
        if not len(known):
            return instants.copy()
        first, last = self.day(int(known.min())), self.day(int(known.max()))
        starts = [day_start(self.zone, day) for day in range(first, last + 1)]
        found = np.searchsorted(starts, instants, side="right") - 1.0 + first
        return np.where(np.isnan(instants), np.nan, found)

    def at(self, edge: Edge) -> int:
        """Where the edge is now, in epoch seconds."""
        return self._at(edge, self.now, self.today)

    def leaves(self, edge: Edge, instants: Floats) -> Floats:
        """When each instant that lies at or after the edge will lie before it; NaN for never."""
        result = np.full(len(instants), np.nan)
        ahead = instants >= self.at(edge)
        if not ahead.any() or isinstance(edge.reference, Day | Moment):
            return result
        if _is_exact(edge.reference):
            result[ahead] = instants[ahead] + (self.now - self.at(edge)) + 1
            return result
        edges, starts = self._coming(edge, float(instants[ahead].max()))
        found = np.searchsorted(edges, instants[ahead], side="right")
        result[ahead] = starts[np.minimum(found, len(starts) - 1)]
        return result

    def _coming(self, edge: Edge, last: float) -> tuple[Floats, Floats]:
        """The edge as it will be on the coming days, and the begins of these days."""
        edges: list[int] = []
        starts: list[int] = []
        day = self.today
        while len(edges) < _LOOKAHEAD and (not edges or edges[-1] <= last):
            day += 1
            starts.append(day_start(self.zone, day))
            edges.append(self._at(edge, starts[-1], day))
        return np.array(edges, float), np.array(starts, float)

    def _at(self, edge: Edge, now: int, today: int) -> int:
        match edge.reference:
            case Moment(value):
                return int(value.replace(tzinfo=self.zone).timestamp()) + edge.after
            case Offset(amount, unit) if unit in _SECONDS:
                return now + amount * _SECONDS[unit] + edge.after
            case Offset(amount, unit) if unit in _DAYS:
                return day_start(self.zone, today + amount * _DAYS[unit] + edge.after)
            case Offset(amount, unit):
                day = _add_months(today, amount * _MONTHS[unit])
                return day_start(self.zone, day + edge.after)
            case Day(value):
                return day_start(self.zone, value.toordinal() + edge.after)
            case Period(which, unit):
                shift = _SHIFTS[which] + edge.after
                return day_start(self.zone, _period_start(today, unit, shift))


@lru_cache(maxsize=65_536)
def day_start(zone: ZoneInfo, ordinal: int) -> int:
    """Epoch seconds of the first instant of a day.

    A midnight that the clocks skip or repeat is its first reading (``fold=0``): the instant of the
    change itself where midnight is skipped.
    """
    day = date.fromordinal(ordinal)
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def local_months(zone: ZoneInfo, instants: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The shop's calendar month (1 to 12) of each instant."""
    if not len(instants):
        return np.zeros(0, np.int64)
    day = datetime.fromtimestamp(int(instants.min()), UTC).astimezone(zone).date()
    first = day.replace(day=1).toordinal()
    starts: list[int] = []
    months: list[int] = []
    while not starts or starts[-1] <= instants.max():
        starts.append(day_start(zone, first))
        months.append(date.fromordinal(first).month)
        first = _add_months(first, 1)
    found = np.searchsorted(starts, instants, side="right") - 1
    return np.array(months)[found]


def _is_exact(reference: Reference) -> bool:
    return isinstance(reference, Offset) and reference.unit in _SECONDS


def _add_months(ordinal: int, months: int) -> int:
    day = date.fromordinal(ordinal)
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    last = calendar.monthrange(year, month)[1]
    return date(year, month, min(day.day, last)).toordinal()


def _period_start(today: int, unit: str, shift: int) -> int:
    day = date.fromordinal(today)
    if unit == "DAY":
        return today + shift
    if unit == "WEEK":
        return today - day.weekday() + 7 * shift
    months = _MONTHS[unit]
    into = (day.month - 1) % months
    return _add_months(day.replace(day=1).toordinal(), months * shift - into)
