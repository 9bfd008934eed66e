"""The meaning of rules, written down as slowly and plainly as possible: one customer at a time.

It shares the syntax tree and the catalogue of names with the segmenter, and nothing of its
evaluation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from segmentd.segmenter import language
from segmentd.segmenter.fields import FUNCTIONS, NUMERIC, Field, Kind, subject_field
from segmentd.segmenter.language import (
    Aggregate,
    And,
    Call,
    Condition,
    Events,
    Expression,
    Matches,
    Member,
    Name,
    Not,
    Number,
    Or,
    Period,
    Sample,
    Scaled,
    Share,
    Shifted,
    Statistic,
    Step,
    Subject,
    Text,
    Truth,
)
from segmentd.segmenter.spelling import relative_name
from segmenter_oracle import places
from segmenter_oracle.comparing import folded, number_holds, text_holds, written_number
from segmenter_oracle.days import (
    Exactly,
    Reference,
    World,
    anniversary,
    date_holds,
    reference,
    shifted,
    written_date,
)
from segmenter_oracle.facts import drawn, fact, is_known
from segmenter_oracle.happenings import (
    Happening,
    aggregate,
    counted_orders,
    happenings,
    places_of,
    property_of,
)
from segmenter_oracle.histories import Person
from segmenter_oracle.memories import entered, left
from segmenter_oracle.rolling import first_day, least_of_any_window
from segmenter_oracle.sequences import Stage, in_sequence
from segmenter_oracle.statistics import within

Decide = Callable[[str], bool]
"""Whether the person is a member of another segment."""


def member(
    rule: Expression, person: Person, world: World, decide: Decide = lambda _: False
) -> bool:
    """Whether the person fulfils a rule; ``decide``: membership of other segments."""
    asked = Asked(person, world, decide)
    return is_known(person, world) and asked.truth(rule)


class Asked:
    """One person, asked at one time."""

    def __init__(self, person: Person, world: World, decide: Decide) -> None:
        self.person = person
        self.world = world
        self.decide = decide

    def truth(self, rule: Expression) -> bool:
        match rule:
            case And(parts):
                return all(self.truth(part) for part in parts)
            case Or(parts):
                return any(self.truth(part) for part in parts)
            case Not(part):
                return not self.truth(part)
            case Matches(events, negated):
                return self._matches(events) != negated
            case language.Sequence(first, steps):
                return self._in_sequence(first, steps)
            case Member(segment):
                return self.decide(segment)
            case Sample(low, high, salt):
                return Fraction(low) <= drawn(self.person, salt) < Fraction(high)
            case Condition():
                return self._condition(rule) != rule.negated
        raise AssertionError(rule)

    def value(self, subject: Subject) -> Any:
        """A number, an instant, a text, a list of texts, or None where it is missing."""
        match subject:
            case Name(name):
                return fact(name, self.person, self.world)
            case Call("anniversary", argument):
                return self._date(Name(argument))
            case Call("ENTERED", segment):
                return entered(self.person, segment, self.decide(segment), self.world)
            case Call("LEFT", segment):
                return left(self.person, segment, self.decide(segment), self.world)
            case Aggregate("count", Name(name)):
                return len(fact(name, self.person, self.world))
            case Aggregate(name, Events() as events, None):
                return aggregate(events, name, self.found(events), self.person, self.world)
            case Aggregate(_, Events()):
                return self._least(subject)
        raise AssertionError(subject)

    # conditions

    def _condition(self, condition: Condition) -> bool:
        field = subject_field(condition.subject)
        assert field
        first = condition.operands[0] if condition.operands else None
        if isinstance(first, Share):
            return self._within(first, condition.subject)
        value = self.value(condition.subject)
        if any(_is_relative(operand) for operand in condition.operands):
            value = self.ranked(condition.subject)
        if isinstance(condition.subject, Call) and condition.subject.name == "anniversary":
            return self._anniversary(condition, value)
        return self._holds(condition, field, value)

    def _holds(self, condition: Condition, field: Field, value: Any) -> bool:
        """A condition about a value that is known, its negation left aside."""
        if value is None or value == []:
            return condition.operator == "IS NULL"
        if condition.operator == "IS NULL":
            return False
        kind = field.kind
        if kind is Kind.ANY:
            return self._any_holds(condition, field, value)
        if kind is Kind.DATE:
            return date_holds(
                condition.operator, value, self._references(condition.operands), self.world
            )
        if kind in NUMERIC:
            numbers = [self._number(operand, condition, kind) for operand in condition.operands]
            if any(_is_relative(operand) for operand in condition.operands):
                value = Fraction(float(value))
            return number_holds(condition.operator, value, numbers)
        if kind is Kind.TRUTH:
            return bool(value == getattr(condition.operands[0], "value", None))
        return self._terms_hold(condition, field, value)

    def _terms_hold(self, condition: Condition, field: Field, value: Any) -> bool:
        first = condition.operands[0]
        if isinstance(first, Name | Call | Aggregate):
            other = self.value(first)
            return other is not None and folded(other, "", field) == folded(value, "", field)
        return text_holds(condition, field, value if isinstance(value, list) else [value])

    def _any_holds(self, condition: Condition, field: Field, text: str) -> bool:
        """What is written in a trait is read as what it is compared with."""
        operator, operands = condition.operator, condition.operands
        if operator == "IN" and not isinstance(operands[0], Period):
            return any(
                self._any_holds(Condition(condition.subject, "=", (operand,)), field, text)
                for operand in operands
            )
        if isinstance(operands[0], Text):
            return text_holds(condition, field, [text])
        if isinstance(operands[0], Truth):
            truth = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
            return truth.get(text.strip().casefold()) == operands[0].value
        if isinstance(operands[0], Number):
            number = written_number(text)
            numbers = [self._number(operand, condition, Kind.COUNT) for operand in operands]
            return number is not None and number_holds(operator, number, numbers)
        instant = written_date(text, self.world)
        return instant is not None and date_holds(
            operator, instant, self._references(operands), self.world
        )

    def _number(self, operand: Any, condition: Condition, kind: Kind) -> Any:
        match operand:
            case Number(value):
                return Fraction(value) * (self.world.cents if kind is Kind.MONEY else 1)
            case Scaled(factor, inner):
                found = self._number(inner, condition, kind)
                return None if found is None else Fraction(factor) * found
            case Statistic():
                cut = self._threshold(operand, condition.subject)
                return None if cut is None else Fraction(float(cut))
        return self.value(operand)

    def _references(self, operands: Sequence[Any]) -> list[Reference | Period | None]:
        return [self._reference(operand) for operand in operands]

    def _reference(self, operand: Any) -> Reference | Period | None:
        match operand:
            case Period():
                return operand
            case Shifted(subject, offset):
                instant = self._date(subject)
                return None if instant is None else shifted(instant, offset, self.world)
            case Name() | Call() | Aggregate():
                instant = self._date(operand)
                return None if instant is None else self.world.day(instant)
        return reference(operand, self.world)

    def _date(self, subject: Subject) -> int | None:
        value = self.value(subject)
        return written_date(value, self.world) if isinstance(value, str) else value

    def _anniversary(self, condition: Condition, instant: int | None) -> bool:
        """Whether its day comes round to fulfil it; without two ends, in the current year."""
        if instant is None or condition.operator == "IS NULL":
            return (instant is None) == (condition.operator == "IS NULL")
        first, this_year = self.world.day(instant), self.world.today.year
        years = range(this_year - 5, this_year + 6)
        if condition.operator in {"<", "<=", ">", ">="}:
            years = range(this_year, this_year + 1)
        return any(self._on(anniversary(first, year), condition) for year in years)

    def _on(self, day: date, condition: Condition) -> bool:
        """Whether any instant of a day fulfils a condition."""
        begin, end = self.world.begin(day), self.world.begin(day + timedelta(1))
        references = self._references(condition.operands)
        named = [each.instant for each in references if isinstance(each, Exactly)]
        near = [instant + step for instant in named for step in (-1, 0, 1)]
        return any(
            date_holds(condition.operator, instant, references, self.world)
            for instant in [begin, end - 1, *near]
            if begin <= instant < end
        )

    # the whole store

    def _threshold(self, operand: Share | Statistic, subject: Subject) -> str | None:
        cut = self.world.thresholds.get(relative_name(operand, subject), "insufficient")
        return None if cut == "insufficient" else cut

    def ranked(self, subject: Subject) -> Any:
        """The value of somebody who is part of the population."""
        if not counted_orders(self.person, self.world):
            return None
        match subject:
            case Aggregate(_, Events() as events) if not self.found(events):
                return None
        return self.value(subject)

    def _within(self, share: Share, subject: Subject) -> bool:
        value, cut = self.ranked(subject), self._threshold(share, subject)
        if value is None or cut is None:
            return False
        orders = counted_orders(self.person, self.world)
        return within(share.side, cut, value, len(orders), orders[-1].placed_at, self.person.id)

    # events

    def found(self, events: Events) -> list[Happening]:
        """Those that fulfil all filters."""
        every = happenings(events, self.person, self.world)
        filters = [each for each in events.parameters if not _is_total(each, events)]
        return [one for one in every if all(self._fulfils(each, one, events) for each in filters)]

    def _matches(self, events: Events) -> bool:
        if events.function == "customer_within_distance":
            return places.is_within(events, self.person)
        totals = [each for each in events.parameters if _is_total(each, events)]
        if not totals:
            return bool(self.found(events))
        return all(self._total_holds(each, events) for each in totals)

    def _total_holds(self, total: Expression, events: Events) -> bool:
        assert isinstance(total, Condition)
        assert isinstance(total.subject, Name)
        field = subject_field(total.subject, FUNCTIONS[events.function])
        assert field
        value = self.value(Aggregate(total.subject.value, events))
        return self._holds(total, field, value) != total.negated

    def _fulfils(self, rule: Expression, one: Happening, events: Events) -> bool:
        match rule:
            case And(parts):
                return all(self._fulfils(part, one, events) for part in parts)
            case Or(parts):
                return any(self._fulfils(part, one, events) for part in parts)
            case Not(part):
                return not self._fulfils(part, one, events)
        assert isinstance(rule, Condition)
        assert isinstance(rule.subject, Name)
        field = FUNCTIONS[events.function].find(rule.subject.value)
        assert field
        values = [property_of(rule.subject.value, one, self.person, self.world)]
        if rule.subject.value == "nth" and rule.operator in {"=", "IN"}:
            values = list(places_of(one.ordered, self.person, self.world))
        return any(self._holds(rule, field, value) for value in values) != rule.negated

    def _least(self, rolling: Aggregate) -> Any:
        events, length = rolling.of, rolling.every
        assert isinstance(events, Events)
        assert length
        found = self.found(events)
        if not found:
            return 0
        days = [self.world.day(one.at) for one in found]

        def value(first: date, last: date) -> Any:
            inside = [one for one, day in zip(found, days, strict=True) if first <= day <= last]
            return aggregate(events, rolling.name, inside, self.person, self.world)

        since = first_day(events, self._reference, self.world) or days[0]
        return least_of_any_window(length, since, value, self.world)

    def _in_sequence(self, first: Events, steps: Sequence[Step]) -> bool:
        came = [Stage(step, self._times(step.events), self._times(step.without)) for step in steps]
        return in_sequence(self._times(first), came, self.world.now)

    def _times(self, events: Events | None) -> list[int]:
        return [one.at for one in self.found(events)] if events else []


def _is_relative(operand: Any) -> bool:
    inner = operand.operand if isinstance(operand, Scaled) else operand
    return isinstance(inner, Statistic)


def _is_total(parameter: Expression, events: Events) -> bool:
    match parameter:
        case Condition(Name(name)):
            return FUNCTIONS[events.function].find(name) is None
    return False
