"""Dates of a rule as half-open spans of instants, and when the passing of time moves them.

Every edge of a span is a function of now that never decreases. So "the instant lies at or after
the edge" can only turn from true to false, and it does so at the first now whose edge lies above.
Days are days of the shop: their midnights come from the time zone's table, 23 and 25 hours apart
where the clocks change.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from segmentd.segmenter.days import (
    EPOCH,
    FIRST,
    LAST,
    Floats,
    add_months,
    day_start,
    each_day,
    offsets,
    period_start,
)
from segmentd.segmenter.language import (
    Aggregate,
    Boundary,
    Call,
    Condition,
    Day,
    Moment,
    Name,
    Offset,
    Period,
    Shifted,
)

_SECONDS = {"h": 3600, "min": 60}
_DAYS = {"d": 1, "w": 7}
_MONTHS = {"m": 1, "y": 12}
_SHIFTS = {"LAST": -1, "THIS": 0, "NEXT": 1}
_LOOKAHEAD = 4_000
"""Days that are searched for the next change; then the profile is looked at again."""

Reference = Day | Moment | Offset | Period | Boundary
"""A date that is the same for everybody."""
Own = Name | Call | Aggregate | Shifted
"""A date of the customer's own."""


@dataclass(frozen=True, slots=True)
class Edge:
    """The begin of what ``reference`` names, or with ``after`` the begin of what follows it."""

    reference: Reference | Own
    after: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """From an edge up to, not including, another; None is without end."""

    low: Edge | None
    high: Edge | None


def spans(condition: Condition) -> tuple[Span, ...]:
    """The spans in which a date fulfils the condition (its negation left aside)."""
    references = [operand for operand in condition.operands if isinstance(operand, Reference | Own)]
    if not references:
        return ()
    first = references[0]
    match condition.operator:
        case "=" | "IN":
            return tuple(Span(Edge(r), Edge(r, after=True)) for r in references)
        case "BETWEEN":
            return (Span(Edge(first), Edge(references[-1], after=True)),)
        case ">=":
            return (Span(Edge(first), None),)
        case ">":
            return (Span(Edge(first, after=True), None),)
        case "<":
            return (Span(None, Edge(first)),)
        case _:
            return (Span(None, Edge(first, after=True)),)


class Clock:
    """``now`` on the clock of a shop, whose weeks begin at ``week_start`` (0 for Monday)."""

    def __init__(self, time_zone: str, now: datetime, week_start: int = 0) -> None:
        self.zone = ZoneInfo(time_zone)
        self.now = int(now.timestamp() // 1)
        """Epoch seconds; instants are whole seconds, so nothing is lost."""
        self.today = self.day(self.now)
        self._week_start = week_start

    def day(self, instant: int) -> int:
        """The shop's day of an instant, as the ordinal of a date."""
        local = datetime.fromtimestamp(instant, UTC).astimezone(self.zone).date().toordinal()
        # clocks put back across midnight make a date begin twice: its first begin counts
        return local + 1 if day_start(self.zone, local + 1) <= instant else local

    def days(self, instants: Floats) -> Floats:
        """The shop's days of many instants; NaN stays, and so becomes what is in no calendar."""
        known = (instants > (FIRST - EPOCH) * 86_400) & (instants < (LAST - EPOCH) * 86_400)
        if not known.any():
            return np.full(len(instants), np.nan)
        # no zone is more than a day away from UTC
        utc = np.where(known, instants, self.now) // 86_400
        first = utc.min()
        places = (utc - first).astype(np.int64)
        midnights = np.zeros(int(places.max()) + 2)
        for place in np.flatnonzero(np.bincount(places)):
            for near in (place, place + 1):
                midnights[near] = day_start(self.zone, int(first + near) + EPOCH)
        begun = (instants >= midnights[places]).astype(np.float64)
        begun += instants >= midnights[places + 1]
        return np.where(known, utc + (EPOCH - 1) + begun, np.nan)

    def starts(self, days: Floats) -> Floats:
        """When days (ordinals) begin, in epoch seconds; NaN stays."""
        return each_day(days, lambda day: day_start(self.zone, day))

    def moved(self, instants: Floats, offset: Offset, *, after: bool = False) -> Floats:
        """Each instant moved: by hours to the second, by days to the begin of the day there."""
        if offset.unit in _SECONDS:
            return instants + offset.amount * _SECONDS[offset.unit] + after
        days = self.days(instants)
        if offset.unit in _DAYS:
            days = days + offset.amount * _DAYS[offset.unit]
        else:
            days = each_day(days, lambda day: _moved_day(day, offset))
        return self.starts(days + after)

    def hours(self, instants: Floats) -> Floats:
        """The hour that the shop's clock shows, 0 to 23."""
        if not len(instants):
            return instants
        begins, shifts = offsets(self.zone, float(instants.min()), float(instants.max()))
        found = np.searchsorted(begins, instants, side="right") - 1
        return (instants + shifts[found]) % 86_400 // 3600

    @property
    def horizon(self) -> int:
        """From here on ``leaves`` tells only when to look again."""
        return day_start(self.zone, self.today + _LOOKAHEAD)

    def at(self, edge: Edge) -> int:
        """Where the edge of a Reference is now, in epoch seconds."""
        return self._at(edge, self.now, self.today)

    def leaves(self, edge: Edge, instants: Floats) -> Floats:
        """When each instant that lies at or after the edge will lie before it; NaN for never."""
        result = np.full(len(instants), np.nan)
        ahead = instants >= self.at(edge)
        if not ahead.any() or isinstance(edge.reference, Day | Moment):
            return result
        if isinstance(edge.reference, Offset) and edge.reference.unit in _SECONDS:
            result[ahead] = instants[ahead] + (self.now - self.at(edge)) + 1
            return result
        edges, starts = self._coming(edge, instants[ahead])
        found = np.searchsorted(edges, instants[ahead], side="right")
        result[ahead] = starts[np.minimum(found, len(starts) - 1)]
        return result

    def _coming(self, edge: Edge, instants: Floats) -> tuple[Floats, Floats]:
        """The edge as it will be on coming days, and the begins of these days: from the day on
        which it will have passed the first of the instants to that of the last."""

        def at(day: int) -> int:
            return self._at(edge, day_start(self.zone, day), day)

        days = range(self.today + 1, self.today + 1 + _LOOKAHEAD)
        # of one profile all days but one would be looked at for nothing
        begin = min(bisect_right(days, instants.min(), key=at), _LOOKAHEAD - 1)
        end = bisect_right(days, instants.max(), lo=begin, key=at)
        chosen = days[begin : end + 1]
        starts = [day_start(self.zone, day) for day in chosen]
        edges = [self._at(edge, *each) for each in zip(starts, chosen, strict=True)]
        return np.array(edges, float), np.array(starts, float)

    def _at(self, edge: Edge, now: int, today: int) -> int:
        match edge.reference:
            case Moment(value):
                aware = value if value.tzinfo else value.replace(tzinfo=self.zone)
                return int(aware.timestamp()) + edge.after
            case Offset(amount, unit) if unit in _SECONDS:
                return now + amount * _SECONDS[unit] + edge.after
            case Period(which, unit):
                shift = _SHIFTS[which] + edge.after
                return day_start(self.zone, period_start(today, unit, shift, self._week_start))
            case reference:
                return day_start(self.zone, self._day(reference, today) + edge.after)

    def _day(self, reference: Reference | Own, today: int) -> int:
        match reference:
            case Day(value):
                return value.toordinal()
            case Boundary(end, which, unit):
                shift = _SHIFTS[which] + end
                return period_start(today, unit, shift, self._week_start) - end
            case Offset():
                return _moved_day(today, reference)
            case _:
                raise TypeError(reference)


def _moved_day(day: int, offset: Offset) -> int:
    if offset.unit in _DAYS:
        return day + offset.amount * _DAYS[offset.unit]
    return add_months(day, offset.amount * _MONTHS[offset.unit])
