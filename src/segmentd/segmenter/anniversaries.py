"""Dates that come back every year: birthdays, and the days of the first order or account.

The anniversary of a date is its day in every year on the shop's calendar, before the date itself
too; that of 29 February is 28 February in common years. It fulfils a comparison if any instant of
its day does. Spans with two ends (``=``, ``IN``, ``BETWEEN``) may hold the anniversary of any year
and may reach across the year's end; comparisons that are open at one end (``>=`` and its like) are
about the anniversary of the current year.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import get_args

import numpy as np

from segmentd.segmenter.columns import Ints, soonest
from segmentd.segmenter.comparisons import edge_at
from segmentd.segmenter.days import EPOCH, day_start
from segmentd.segmenter.evaluation import Evaluation
from segmentd.segmenter.fields import Kind
from segmentd.segmenter.instants import Clock, Edge, Reference, Span, spans
from segmentd.segmenter.language import Aggregate, Call, Condition, Events, Name, Operand
from segmentd.segmenter.operands import subject_of
from segmentd.segmenter.predicates import Bools, Floats


def truth(condition: Condition, conditions: Evaluation) -> Bools:
    """Whose anniversary fulfils the condition; its negation is left aside."""
    days = _days(condition, conditions)
    if condition.operator == "IS NULL":
        return np.isnan(days)
    yearly = _yearly(days, conditions.facts.clock.today)
    fulfilled = np.zeros(len(days), bool)
    for span in spans(condition):
        first, last = _bounds(span, conditions)
        fulfilled |= _inside(yearly, first, last, conditions.facts.clock)
    return fulfilled & ~np.isnan(days)


def due(condition: Condition, conditions: Evaluation) -> Floats | None:
    """When time alone may change that: the exact midnight, or the begin of the next year."""
    if condition.operator == "IS NULL":
        return None
    days = _days(condition, conditions)
    yearly = _yearly(days, conditions.facts.clock.today)
    changes = [_change(span, yearly, conditions) for span in spans(condition)]
    first = soonest([*changes, *(_moved(operand, conditions) for operand in condition.operands)])
    return None if first is None else np.where(np.isnan(days), np.nan, first)


@dataclass(frozen=True, slots=True)
class _Yearly:
    """A month and a day of it for each profile; days are ordinals of dates."""

    months: Ints
    days: Ints

    def of(self, years: Ints) -> Floats:
        """The anniversary of each year."""
        begins = ((years - 1970) * 12 + self.months - 1).astype("M8[M]")
        first = begins.astype("M8[D]").astype(np.int64)
        last = (begins + 1).astype("M8[D]").astype(np.int64) - 1
        found: Floats = (np.minimum(first + self.days - 1, last) + EPOCH).astype(np.float64)
        return found

    def since(self, days: Floats) -> Floats:
        """The first anniversary on or after each day."""
        years = _years(days)
        found = self.of(years)
        return np.where(found < days, self.of(years + 1), found)

    def until(self, days: Floats) -> Floats:
        """The last anniversary on or before each day."""
        years = _years(days)
        found = self.of(years)
        return np.where(found > days, self.of(years - 1), found)


def _yearly(days: Floats, today: int) -> _Yearly:
    """``today`` stands in for what is missing."""
    dates = (np.where(np.isnan(days), today, days) - EPOCH).astype("M8[D]")
    months = dates.astype("M8[M]")
    within = (dates - months.astype("M8[D]")).astype(np.int64)
    return _Yearly(months.astype(np.int64) % 12 + 1, within + 1)


def _years(days: Floats) -> Ints:
    return (days - EPOCH).astype("M8[D]").astype("M8[Y]").astype(np.int64) + 1970


def _days(condition: Condition, conditions: Evaluation) -> Floats:
    """The shop's day of each date; NaN where missing."""
    assert isinstance(condition.subject, Call)  # noqa: S101 - dispatched by that
    instants = conditions.numbers(Name(condition.subject.argument), Kind.DATE)
    return conditions.facts.clock.days(instants)


def _bounds(span: Span, conditions: Evaluation) -> tuple[Floats | None, Floats | None]:
    """The first and the last day of which any instant is in the span, for each profile; None is
    without end, NaN where a date of the customer's own is missing."""
    days, size = conditions.facts.clock.days, conditions.facts.size
    first = days(np.full(size, edge_at(span.low, conditions))) if span.low else None
    last = days(np.full(size, edge_at(span.high, conditions)) - 1) if span.high else None
    return first, last


def _inside(yearly: _Yearly, first: Floats | None, last: Floats | None, clock: Clock) -> Bools:
    """Whose anniversary lies in these days."""
    if first is not None and last is not None:
        known = ~np.isnan(first) & ~np.isnan(last)
        return known & (yearly.since(np.where(known, first, clock.today)) <= last)
    found = _this_year(yearly, clock)
    after = np.ones(len(found), bool) if first is None else found >= first
    return after if last is None else found <= last


def _this_year(yearly: _Yearly, clock: Clock) -> Floats:
    return yearly.of(np.full(len(yearly.days), date.fromordinal(clock.today).year))


def _change(span: Span, yearly: _Yearly, conditions: Evaluation) -> Floats:
    """When the anniversary may come to lie in the span, or to lie outside."""
    clock = conditions.facts.clock
    first, last = _bounds(span, conditions)
    if first is None or last is None:
        found = _this_year(yearly, clock)
        next_year = date(date.fromordinal(clock.today).year + 1, 1, 1)
        turn = float(day_start(clock.zone, next_year.toordinal()))
        return np.fmin(turn, _passing(span, found, found, clock))
    inside = _inside(yearly, first, last, clock)
    known = np.where(np.isnan(last), clock.today, last)
    coming = np.where(inside, np.nan, yearly.since(known + 1))
    going = np.where(inside, yearly.until(known), np.nan)
    return _passing(span, coming, going, clock)


def _passing(span: Span, coming: Floats, going: Floats, clock: Clock) -> Floats:
    """When the high end passes the begin of a day, or the low end the end of one.

    Both ends of a span only move forward.
    """
    comes = _leaves(span.high, clock.starts(coming), clock)
    goes = _leaves(span.low, clock.starts(going + 1) - 1, clock)
    first: Floats = np.fmin(comes, goes)
    return first


def _leaves(edge: Edge | None, instants: Floats, clock: Clock) -> Floats:
    """When an edge passes by; dates of the customer's own do not move."""
    if edge is None or not isinstance(edge.reference, get_args(Reference)):
        return np.full(len(instants), np.nan)
    return clock.leaves(edge, instants)


def _moved(operand: Operand, conditions: Evaluation) -> Floats | None:
    """When a date of the customer's own may become another."""
    match subject_of(operand):
        case Aggregate(_, Events() as events):
            return conditions.events_due(events)
        case _:
            return None
