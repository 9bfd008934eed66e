"""What can be said of a rule without any customer: that it never holds, or always does.

A rule is taken apart into cases (conjunctions of conditions); for each case the values that every
subject may still have are worked out. What cannot be reasoned about (patterns, sequences, values of
the whole store) is a statement of its own that only contradicts its own negation. So an answer of
"never" is certain, and everything else means "perhaps".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product
from math import inf, prod

from segmentd.segmenter.fields import Field, Function, Kind, is_zero_of_nothing, subject_field
from segmentd.segmenter.instants import Clock, spans
from segmentd.segmenter.language import (
    Aggregate,
    And,
    Boundary,
    Call,
    Condition,
    Day,
    Expression,
    Leaf,
    Matches,
    Moment,
    Name,
    Not,
    Number,
    Offset,
    Or,
    Period,
    Subject,
    Text,
    Truth,
    Variable,
)
from segmentd.segmenter.matching import conditions_of

MAX_CASES = 2_000
"""A rule of more cases is not reasoned about."""

Cut = tuple[Decimal | float, int]
"""A place between numbers: just before one (0) or just after it (1)."""
Ranges = tuple[tuple[Cut, Cut], ...]
"""Each from a cut to a later one, ascending and apart."""

_ALL: Ranges = (((-inf, 0), (inf, 0)),)
_COUNTABLE: Ranges = (((Decimal(0), 0), (inf, 0)),)
_DATES = Day | Moment | Offset | Period | Boundary
_MANY = frozenset({Kind.LIST, Kind.TERMS})
_ZEROS = frozenset({"amount_spent", "distinct_products", "number_of_orders", "refunded_orders"})
"""Fields that everybody has: never to have ordered is a real zero."""


@dataclass(frozen=True, slots=True)
class _Possible:
    """What a subject may be."""

    ranges: Ranges = _ALL
    texts: frozenset[str] | None = None
    """None: any but ``not_texts``."""
    not_texts: frozenset[str] = frozenset()
    missing: bool = True

    def meet(self, other: _Possible) -> _Possible:
        """What both allow."""
        texts = self.texts
        if other.texts is not None:
            texts = other.texts if texts is None else texts & other.texts
        return _Possible(
            tuple(_common(self.ranges, other.ranges)),
            texts,
            self.not_texts | other.not_texts,
            self.missing and other.missing,
        )

    @property
    def nothing(self) -> bool:
        """Whether no value is left."""
        text = self.texts is None or bool(self.texts - self.not_texts)
        return not self.missing and not (self.ranges and text)


_PRESENT = _Possible(missing=False)
_MISSING = _Possible(())


class Logic:
    """Reasons at several instants: what is possible at one of them is possible."""

    def __init__(self, clocks: Sequence[Clock]) -> None:
        self._clocks = clocks

    def can_hold(self, rule: Expression, function: Function | None = None) -> bool:
        """False only if the rule holds for nobody at any time.

        ``function``: it stands in its parentheses, and is about single orders, lines or events.
        """
        cases = _cases(rule, positive=True)
        if cases is None:
            return True
        return any(_possible(case, function, clock) for clock in self._clocks for case in cases)

    def always_holds(self, rule: Expression, function: Function | None = None) -> bool:
        """True only if the rule holds for everybody at all times."""
        return not self.can_hold(Not(rule), function)

    def implies(self, rule: Expression, other: Expression) -> bool:
        """True only if the other holds for everybody for whom the rule holds."""
        return not self.can_hold(And((rule, Not(other))))


_Literal = tuple[Leaf | Variable, bool]
_Case = tuple[_Literal, ...]


def _cases(rule: Expression, *, positive: bool) -> list[_Case] | None:
    """The conjunctions of which one must hold; None if they are too many."""
    match rule:
        case Not(part):
            return _cases(part, positive=not positive)
        case And(parts) | Or(parts):
            found = [_cases(part, positive=positive) for part in parts]
            known = [cases for cases in found if cases is not None]
            if len(known) < len(found):
                return None
            if isinstance(rule, Or) == positive:
                return _limited(case for cases in known for case in cases)
            if prod(len(cases) for cases in known) > MAX_CASES:
                return None
            return [tuple(each for part in case for each in part) for case in product(*known)]
        case Matches(negated=negated):
            # none of a function that cannot be taken apart: a point and a distance
            conditions = conditions_of(rule)
            if conditions:
                return _cases(And(conditions), positive=positive != negated)
    return [((rule, positive),)]


def _limited(cases: Iterable[_Case]) -> list[_Case] | None:
    found = list(cases)
    return found if len(found) <= MAX_CASES else None


def _possible(case: _Case, function: Function | None, clock: Clock) -> bool:
    values: dict[tuple[Subject, bool], _Possible] = {}
    statements: dict[Leaf | Variable, bool] = {}
    for leaf, positive in case:
        statement, holds = _plain(leaf, positive=positive)
        if statements.setdefault(statement, holds) != holds:
            return False
        if not isinstance(statement, Condition):
            continue
        field = _field(statement.subject, function)
        key = (statement.subject, _is_date_of_any(statement, field))
        before = values.get(key) or _unconstrained(statement.subject, field)
        values[key] = before.meet(_allowed(statement, field, clock, holds=holds))
        if values[key].nothing:
            return False
    return True


def _field(subject: Subject, function: Function | None) -> Field | None:
    """None for what is not reasoned about: a date that comes again every year, and the place of an
    order, which has two (an only order is the first and the last)."""
    twice = function is not None and subject == Name("nth")
    yearly = isinstance(subject, Call) and subject.name == "anniversary"
    return None if twice or yearly else subject_field(subject, function)


def _plain(leaf: Leaf | Variable, *, positive: bool) -> tuple[Leaf | Variable, bool]:
    """The condition without its negation, and whether it is to hold."""
    if isinstance(leaf, Condition | Matches) and leaf.negated:
        return replace(leaf, negated=False), not positive
    return leaf, positive


def _is_date_of_any(condition: Condition, field: Field | None) -> bool:
    """A value of any type is read as a date or as a number: these do not meet."""
    is_any = field is None or field.kind is Kind.ANY
    return is_any and any(isinstance(operand, _DATES) for operand in condition.operands)


def _unconstrained(subject: Subject, field: Field | None) -> _Possible:
    if field is None:
        return _Possible()
    match subject:
        case Name(name):
            missing = name not in _ZEROS
        case Aggregate(name, every=every):
            # of windows there may be none that is complete
            missing = every is not None or not is_zero_of_nothing(name)
        case _:
            missing = True
    ranges = _COUNTABLE if field.kind is Kind.COUNT else _ALL
    choices = frozenset(choice.casefold() for choice in field.choices) or None
    return _Possible(ranges, choices, missing=missing)


def _allowed(condition: Condition, field: Field | None, clock: Clock, *, holds: bool) -> _Possible:
    if condition.operator == "IS NULL":
        return _MISSING if holds else _PRESENT
    if field is not None and field.kind not in _MANY:
        if (ranges := _ranges(condition, clock)) is not None:
            return replace(_PRESENT, ranges=ranges) if holds else _Possible(_others(ranges))
        if (texts := _texts(condition, field)) is not None:
            return replace(_PRESENT, texts=texts) if holds else _Possible(not_texts=texts)
    return _PRESENT if holds else _Possible()


def _ranges(condition: Condition, clock: Clock) -> Ranges | None:
    operands = condition.operands
    if all(isinstance(operand, _DATES) for operand in operands):
        found = [
            (
                (clock.at(span.low), 0) if span.low else (-inf, 0),
                (clock.at(span.high), 0) if span.high else (inf, 0),
            )
            for span in spans(condition)
        ]
        return tuple(_joined(found))
    numbers = [operand.value for operand in operands if isinstance(operand, Number)]
    return (
        tuple(_joined(_compared(condition.operator, numbers)))
        if (len(numbers) == len(operands))
        else None
    )


def _compared(operator: str, numbers: Sequence[Decimal]) -> list[tuple[Cut, Cut]]:
    first = numbers[0]
    match operator:
        case ">=":
            return [((first, 0), (inf, 0))]
        case ">":
            return [((first, 1), (inf, 0))]
        case "<":
            return [((-inf, 0), (first, 0))]
        case "<=":
            return [((-inf, 0), (first, 1))]
        case "BETWEEN":
            return [((first, 0), (numbers[1], 1))]
        case "=" | "IN":
            return [((number, 0), (number, 1)) for number in numbers]
    return list(_ALL)


def _texts(condition: Condition, field: Field) -> frozenset[str] | None:
    if condition.operator not in {"=", "IN"}:
        return None
    found = [
        str(operand.value) for operand in condition.operands if isinstance(operand, Text | Truth)
    ]
    if len(found) < len(condition.operands):
        return None
    return frozenset(text if field.exact else text.casefold() for text in found)


def _joined(ranges: Iterable[tuple[Cut, Cut]]) -> Iterator[tuple[Cut, Cut]]:
    """Ascending and apart; without empty ones."""
    open_: tuple[Cut, Cut] | None = None
    for low, high in sorted(each for each in ranges if each[0] < each[1]):
        if open_ is not None and low > open_[1]:
            yield open_
            open_ = None
        open_ = (low, high) if open_ is None else (open_[0], max(open_[1], high))
    if open_ is not None:
        yield open_


def _others(ranges: Ranges) -> Ranges:
    """What lies between and beside them."""
    (least, most) = _ALL[0]
    bounds = [least, *(cut for each in ranges for cut in each), most]
    gaps = zip(bounds[::2], bounds[1::2], strict=True)
    return tuple((low, high) for low, high in gaps if low < high)


def _common(some: Ranges, others: Ranges) -> Iterator[tuple[Cut, Cut]]:
    for low, high in some:
        for other_low, other_high in others:
            both = max(low, other_low), min(high, other_high)
            if both[0] < both[1]:
                yield both
