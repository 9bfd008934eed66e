"""The earliest instant after now at which time alone can change what a condition says.

Never too late; too early only where a value moves without changing the truth.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from segmentd.segmenter import anniversaries, sequences
from segmentd.segmenter.columns import Ints, least, soonest
from segmentd.segmenter.comparisons import asked_kind, edge_at
from segmentd.segmenter.evaluation import Evaluation
from segmentd.segmenter.events import EventTable
from segmentd.segmenter.fields import Kind, subject_field
from segmentd.segmenter.instants import Edge, Reference, Span, spans
from segmentd.segmenter.language import (
    Aggregate,
    Call,
    Condition,
    Day,
    Events,
    Expression,
    Leaf,
    Matches,
    Moment,
    Name,
    Number,
    Operand,
    Sequence,
    Subject,
    leaves,
)
from segmentd.segmenter.matching import conditions_of, filters_of
from segmentd.segmenter.operands import subject_of
from segmentd.segmenter.predicates import Bools, Floats
from segmentd.segmenter.rolling import low_edges, windows_of


class Dues:
    """All instants are epoch seconds, one per profile, NaN or None for never."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._clock = evaluation.facts.clock
        self._events: dict[Events, Floats | None] = {}

    def of(self, leaf: Leaf) -> Floats | None:
        """When a condition may change."""
        match leaf:
            case Condition(Call("anniversary")):
                return anniversaries.due(leaf, self._evaluation)
            case Condition():
                return self._condition(leaf)
            case Matches(Events("customer_within_distance")):
                return None
            case Matches():
                return soonest([self._condition(each) for each in conditions_of(leaf)])
            case Sequence():
                return sequences.due(leaf, self._evaluation)
            case _:
                return None

    def of_events(self, events: Events) -> Floats | None:
        """When other events may fulfil the filters than now."""
        filters = filters_of(events)
        if filters not in self._events:
            self._events[filters] = soonest(list(self._windows(filters)))
        return self._events[filters]

    # conditions

    def _condition(self, condition: Condition) -> Floats | None:
        return soonest([*self._passed(condition), *self._moved(condition)])

    def _passed(self, condition: Condition) -> Iterator[Floats]:
        """When a moving date passes the date that the condition is about."""
        field = subject_field(condition.subject)
        if field is not None and asked_kind(condition, field) is Kind.DATE:
            dates = self._evaluation.numbers(condition.subject, Kind.DATE)
            for span in spans(condition):
                yield self._span(span, dates)

    def _span(self, span: Span, dates: Floats) -> Floats:
        """When each date will be inside of a span, or outside if it is inside now.

        Edges only move on: a date below both will never be inside again.
        """
        enters, leaves = (self._leaves(edge, dates) for edge in (span.high, span.low))
        # a span may jump over a date: its end and its begin pass it at once
        opens = (enters < leaves) | np.isnan(leaves) | (enters >= self._clock.horizon)
        changes = np.where(self._beyond(span.high, dates), np.where(opens, enters, np.nan), leaves)
        return np.where(self._beyond(span.low, dates) | (span.low is None), changes, np.nan)

    def _leaves(self, edge: Edge | None, dates: Floats) -> Floats:
        if edge is None or not isinstance(edge.reference, Reference):
            return np.full(len(dates), np.nan)
        return self._clock.leaves(edge, dates)

    def _beyond(self, edge: Edge | None, dates: Floats, profiles: Ints | None = None) -> Bools:
        """Which dates lie at or after an edge; without one, none does."""
        if edge is None:
            return np.zeros(len(dates), bool)
        edges = edge_at(edge, self._evaluation)
        return dates >= (edges if profiles is None or isinstance(edges, float) else edges[profiles])

    def _moved(self, condition: Condition) -> Iterator[Floats | None]:
        """When one of the compared values moves by itself."""
        yield self._subject(condition.subject)
        for operand in condition.operands:
            other = subject_of(operand)
            if other is not None:
                yield self._subject(other)
                if _counts_days(other):
                    yield self._tomorrow(other)
        if condition.operands and _counts_days(condition.subject):
            if all(isinstance(operand, Number) for operand in condition.operands):
                yield from self._counted(condition)
            else:
                yield self._tomorrow(condition.subject)

    def _counted(self, condition: Condition) -> Iterator[Floats]:
        """When a number of days reaches the numbers that it is compared with."""
        days = self._evaluation.numbers(condition.subject)
        for limit in _limits(condition):
            ahead = np.where(days < limit, limit - days, np.nan)
            yield self._clock.starts(self._clock.today + ahead)

    def _tomorrow(self, subject: Subject) -> Floats:
        known = ~np.isnan(self._evaluation.numbers(subject))
        midnight = self._clock.starts(np.full(1, self._clock.today + 1.0))
        return np.where(known, midnight, np.nan)

    def _subject(self, subject: Subject) -> Floats | None:
        """When the value of a subject may move, beside the days that it counts."""
        match subject:
            case Name("customer_season"):
                return self._evaluation.facts.homes.season_due(self._clock)
            case Aggregate(_, Events() as events):
                return soonest([self.of_events(events), *self._rolling(subject, events)])
            case _:
                return None

    # events

    def _windows(self, events: Events) -> Iterator[Floats | None]:
        table = self._evaluation.table(events)
        moving = [parameter for parameter in events.parameters if any(_moving(parameter))]
        if table is None or not moving:
            return
        fixed = tuple(parameter for parameter in events.parameters if parameter not in moving)
        rows = self._evaluation.rows(replace(events, parameters=fixed))
        for condition in (leaf for parameter in moving for leaf in _moving(parameter)):
            assert isinstance(condition.subject, Name)  # noqa: S101 - rules are checked before
            dates = self._evaluation.dates(events, condition.subject.value)
            known = rows & ~np.isnan(dates)
            for span in spans(condition):
                yield from self._rows(span, table, known, dates)
            others = [subject_of(operand) for operand in condition.operands]
            for other in (other for other in others if other is not None):
                yield self._subject(other)

    def _rows(self, span: Span, table: EventTable, rows: Bools, dates: Floats) -> Iterator[Floats]:
        """When the first of the rows enters a span, and when the first leaves it."""
        if span.low is not None:
            rows = rows & self._beyond(span.low, dates, table.profile)
        ahead = rows & self._beyond(span.high, dates, table.profile)
        for edge, some in ((span.high, ahead), (span.low, rows & ~ahead)):
            if edge is not None and _is_relative(edge.reference):
                yield self._clock.leaves(edge, table.least(dates, some))

    def _rolling(self, aggregate: Aggregate, events: Events) -> Iterator[Floats | None]:
        windows = windows_of(aggregate, self._evaluation)
        if windows is None:
            return
        yield windows.due()
        before = windows.before()
        for edge in (edge for edges in low_edges(events) for edge in edges):
            if isinstance(edge.reference, Reference):
                ahead = before >= self._clock.at(edge)
                first = least(windows.profiles[ahead], before[ahead], self._evaluation.facts.size)
                yield self._clock.leaves(edge, first)


def _is_relative(operand: Operand) -> bool:
    return isinstance(operand, Reference) and not isinstance(operand, Day | Moment)


def _moving(parameter: Expression) -> Iterator[Condition]:
    """The conditions of a filter whose other side moves with time."""
    for leaf in leaves(parameter):
        if isinstance(leaf, Condition) and any(map(_moves, leaf.operands)):
            yield leaf


def _moves(operand: Operand) -> bool:
    return _is_relative(operand) or isinstance(subject_of(operand), Aggregate)


def _counts_days(subject: Subject) -> bool:
    return subject == Name("days_since_last_order") or (
        isinstance(subject, Aggregate) and subject.name == "days_since"
    )


def _limits(condition: Condition) -> Iterator[int]:
    """The whole numbers at which a growing number changes the truth of a comparison."""
    numbers = [operand.value for operand in condition.operands if isinstance(operand, Number)]
    reached = [math.ceil(number) for number in numbers]
    passed = [math.floor(number) + 1 for number in numbers]
    match condition.operator:
        case ">=" | "<":
            yield from reached
        case ">" | "<=":
            yield from passed
        case "BETWEEN":
            yield from (reached[0], passed[1])
        case _:
            yield from (*reached, *passed)
