"""What ``MATCHES (…)`` asks, taken apart: filters of single events, and aggregates of the rest."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from functools import reduce

import numpy as np

from segmentd.segmenter.comparisons import Comparisons, Values
from segmentd.segmenter.evaluation import Evaluation
from segmentd.segmenter.fields import FUNCTIONS
from segmentd.segmenter.language import (
    Aggregate,
    And,
    Condition,
    Events,
    Expression,
    Matches,
    Name,
    Not,
    Number,
    Or,
)
from segmentd.segmenter.predicates import Bools
from segmentd.segmenter.subjects import Subjects


def conditions_of(matches: Matches) -> tuple[Condition, ...]:
    """The conditions that must all hold; the negation of ``matches`` is left aside.

    Each aggregate among the parameters is taken over the events that fulfil all others; without any
    there must be an event. Nothing at all is asked of what has no number of events.
    """
    events = filters_of(matches.events)
    asked = [_on_aggregate(parameter, events) for parameter in matches.events.parameters]
    conditions = tuple(condition for condition in asked if condition)
    if conditions or FUNCTIONS[events.function].aggregate("count") is None:
        return conditions
    return (Condition(Aggregate("count", events), ">", (Number(Decimal(0)),)),)


def filters_of(events: Events) -> Events:
    """The same events without the aggregates among their parameters."""
    filters = tuple(p for p in events.parameters if not _on_aggregate(p, events))
    return events if len(filters) == len(events.parameters) else replace(events, parameters=filters)


def _on_aggregate(parameter: Expression, events: Events) -> Condition | None:
    match parameter:
        case Condition(Name(name)) if FUNCTIONS[events.function].find(name) is None:
            return replace(parameter, subject=Aggregate(name, events, at=parameter.at))
        case _:
            return None


class Filters:
    """Which events fulfil a function's parameters; each parameter is looked at once."""

    def __init__(
        self, evaluation: Evaluation, subjects: Subjects, comparisons: Comparisons
    ) -> None:
        self._evaluation = evaluation
        self._subjects = subjects
        self._comparisons = comparisons
        self._fulfilled: dict[Events, Bools] = {}
        self._single: dict[tuple[str, str | None, Condition], Bools] = {}

    def rows(self, events: Events) -> Bools:
        """One truth for every row of the events' table; aggregates are left aside."""
        filters = filters_of(events)
        if filters not in self._fulfilled:
            table = self._evaluation.table(filters)
            fulfilled = np.ones(len(table.rows) if table else 0, bool)
            if table:
                for parameter in filters.parameters:
                    fulfilled &= self._expression(filters, parameter)
            self._fulfilled[filters] = fulfilled
        return self._fulfilled[filters]

    def _expression(self, events: Events, expression: Expression) -> Bools:
        match expression:
            case Not(part):
                return ~self._expression(events, part)
            case And(parts):
                return reduce(np.logical_and, [self._expression(events, part) for part in parts])
            case Or(parts):
                return reduce(np.logical_or, [self._expression(events, part) for part in parts])
            case Condition():
                positive = self._condition(events, replace(expression, negated=False))
                return ~positive if expression.negated else positive
            case _:
                raise TypeError(expression)

    def _condition(self, events: Events, condition: Condition) -> Bools:
        key = (events.function, events.argument, condition)
        if key not in self._single:
            self._single[key] = self._holds(events, condition)
        return self._single[key]

    def _holds(self, events: Events, condition: Condition) -> Bools:
        assert isinstance(condition.subject, Name)  # noqa: S101 - rules are checked before
        name = condition.subject.value
        positive = self._compared(events, condition, name)
        if name == "nth" and condition.operator in {"=", "IN"}:
            # an order is the last one and the third one: both of its places are its
            positive = positive | self._compared(events, condition, "nth from the end")
        return positive

    def _compared(self, events: Events, condition: Condition, name: str) -> Bools:
        assert isinstance(condition.subject, Name)  # noqa: S101 - rules are checked before
        field = FUNCTIONS[events.function].find(condition.subject.value)
        table = self._evaluation.table(events)
        assert field is not None  # noqa: S101 - rules are checked before
        assert table is not None  # noqa: S101 - only rows are asked
        values = Values(
            field,
            lambda kind: self._subjects.property_numbers(events, name, kind),
            lambda: self._subjects.property_terms(events, name),
            table.profile,
        )
        return self._comparisons.holds(condition, values)
