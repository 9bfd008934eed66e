"""Values compared with operands: literals, other subjects of the customer, values of the store."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from segmentd.sdk.values import exponent
from segmentd.segmenter.columns import Ints, TermColumn
from segmentd.segmenter.evaluation import Evaluation
from segmentd.segmenter.fields import NUMERIC, Field, Kind, subject_field
from segmentd.segmenter.instants import Edge, spans
from segmentd.segmenter.language import (
    PATTERNS,
    QUANTIFIED,
    Aggregate,
    Call,
    Condition,
    Name,
    Number,
    Offset,
    Operand,
    Scaled,
    Share,
    Shifted,
    Statistic,
    Subject,
    Text,
    Truth,
)
from segmentd.segmenter.operands import is_relative
from segmentd.segmenter.predicates import (
    Bools,
    Bound,
    Floats,
    Multiple,
    compare,
    number,
    term_test,
)
from segmentd.segmenter.spelling import relative_name
from segmentd.segmenter.thresholds import INSUFFICIENT, within

_SAME_DAY = Offset(0, "d")


@dataclass(frozen=True, slots=True)
class Values:
    """What a condition is about: one value for each profile, or for each row of a table."""

    field: Field
    numbers: Callable[[Kind], Floats]
    """Read as numbers of a kind."""
    terms: Callable[[], TermColumn]
    profiles: Ints | None = None
    """The position of each row's profile."""


class Comparisons:
    """Evaluates single conditions; their negation is left aside."""

    def __init__(
        self, evaluation: Evaluation, currency: str, thresholds: Mapping[str, str]
    ) -> None:
        self._evaluation = evaluation
        self._scale = exponent(currency)
        self._thresholds = thresholds

    def of_subject(self, condition: Condition) -> Bools:
        """For which profiles it holds."""
        if any(map(is_relative, condition.operands)):
            return self._relative(condition)
        ask, subject = self._evaluation, condition.subject
        field = subject_field(subject)
        assert field is not None  # noqa: S101 - rules are checked before
        values = Values(field, lambda k: ask.numbers(subject, k), lambda: ask.terms(subject))
        return self.holds(condition, values)

    def holds(self, condition: Condition, values: Values) -> Bools:
        """For which profiles or rows it holds."""
        kind = asked_kind(condition, values.field)
        if kind in NUMERIC or kind in {Kind.DATE, Kind.TRUTH}:
            numbers = values.numbers(kind)
            if condition.operator == "IS NULL":
                return np.isnan(numbers)
            if kind is Kind.DATE:
                return self._dates(condition, numbers, values.profiles)
            bounds = [self._bound(condition, each, kind) for each in condition.operands]
            return compare(numbers, condition.operator, bounds)
        if condition.operands and isinstance(condition.operands[0], Subject):
            return values.terms().same(self._evaluation.terms(condition.operands[0]))
        return values.terms().test(term_test(condition, values.field))

    # dates

    def _dates(self, condition: Condition, instants: Floats, profiles: Ints | None) -> Bools:
        inside = np.zeros(len(instants), bool)
        for span in spans(condition):
            fulfilled = ~np.isnan(instants)
            if span.low:
                fulfilled &= instants >= self._at(span.low, profiles)
            if span.high:
                fulfilled &= instants < self._at(span.high, profiles)
            inside |= fulfilled
        return inside

    def _at(self, edge: Edge, profiles: Ints | None) -> float | Floats:
        edges = edge_at(edge, self._evaluation)
        return edges if profiles is None or isinstance(edges, float) else edges[profiles]

    # numbers

    def _bound(self, condition: Condition, operand: Operand, kind: Kind) -> Bound:
        match operand:
            case Number():
                return number(operand, self._scale if kind is Kind.MONEY else 0)
            case Truth(value):
                return float(value)
            case Statistic():
                return self._statistic(condition.subject, operand)
            case Scaled(factor, inner):
                bound = self._bound(condition, inner, kind)
                assert not isinstance(bound, Multiple)  # noqa: S101 - no factor of a factor
                return Multiple(Fraction(factor), bound)
            case Name() | Call() | Aggregate():
                return self._evaluation.numbers(operand, kind)
            case _:
                return np.nan

    def _statistic(self, subject: Subject, statistic: Statistic) -> float:
        value = self._thresholds.get(relative_name(statistic, subject), INSUFFICIENT)
        return np.nan if value == INSUFFICIENT else float(value)

    # the whole store

    def _relative(self, condition: Condition) -> Bools:
        """Nobody but those who have ordered and have a value is compared with all of them."""
        ordered = self._evaluation.facts.numbers("number_of_orders") > 0
        values = self._evaluation.ranked(condition.subject)
        share = condition.operands[0]
        if isinstance(share, Share):
            name = relative_name(share, condition.subject)
            people = self._evaluation.facts.population({"value": values}).reset_index()
            return ordered & within(name, self._thresholds.get(name), people)
        field = subject_field(condition.subject)
        assert field is not None  # noqa: S101 - rules are checked before
        kind = asked_kind(condition, field)
        bounds = [self._bound(condition, operand, kind) for operand in condition.operands]
        return ordered & compare(values, condition.operator, bounds)


def edge_at(edge: Edge, evaluation: Evaluation) -> float | Floats:
    """Where the edge of a span is: for all, or for each profile."""
    clock = evaluation.facts.clock
    match edge.reference:
        case Shifted(subject, offset):
            return clock.moved(evaluation.numbers(subject, Kind.DATE), offset, after=edge.after)
        case Name() | Call() | Aggregate() as subject:
            instants = evaluation.numbers(subject, Kind.DATE)
            return clock.moved(instants, _SAME_DAY, after=edge.after)
        case _:
            return float(clock.at(edge))


def asked_kind(condition: Condition, field: Field) -> Kind:
    """As what the subject is read: what has no type of its own, as what it is compared with."""
    if field.kind is not Kind.ANY:
        return field.kind
    if condition.operator in {*PATTERNS, *QUANTIFIED, "IS NULL"}:
        return Kind.TEXT
    match condition.operands[0]:
        case Text():
            return Kind.TEXT
        case Truth():
            return Kind.TRUTH
        case Number() | Share() | Statistic() | Scaled():
            return Kind.COUNT
        case Name() | Call() | Aggregate() as other:
            found = subject_field(other)
            return found.kind if found else Kind.TEXT
        case _:
            return Kind.DATE
