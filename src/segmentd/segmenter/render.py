"""Rules as plain words."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import assert_never

from segmentd.sdk.values import exponent
from segmentd.segmenter.fields import FUNCTIONS, Field, Function, Kind, subject_field
from segmentd.segmenter.language import (
    PATTERNS,
    QUANTIFIED,
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
    Operand,
    Or,
    Period,
    Sample,
    Scaled,
    Sequence,
    Share,
    Shifted,
    Statistic,
    Step,
    Subject,
    Text,
    Variable,
)
from segmentd.segmenter.phrases import (
    comparison,
    literal_words,
    patterned,
    percent,
    period_words,
    relative_words,
    since,
    span,
)
from segmentd.segmenter.spelling import operand_text

_PLACE = "customer_within_distance"


def words(expression: Expression, currency: str) -> str:
    """A checked rule or a part of it as an English phrase about one customer."""
    return _Words(currency).rule(expression)


def subject_words(subject: Subject, currency: str) -> str:
    """What a condition is about: ``total over orders (date is in the last 90 days)``."""
    return _Words(currency).subject(subject)


def money(minor: float, currency: str) -> str:
    """``(123450, "EUR")`` → ``1,234.50 EUR``."""
    digits = exponent(currency)
    return f"{Decimal(repr(minor)).scaleb(-digits):,.{digits}f} {currency}"


class _Words:
    def __init__(self, currency: str) -> None:
        self._currency = currency

    def rule(self, expression: Expression, function: Function | None = None) -> str:
        """``function``: the rule stands inside of its parentheses."""
        match expression:
            case Condition(subject):
                field = subject_field(subject, function)
                assert field is not None  # noqa: S101 - rules are checked before
                name = self.subject(subject, function)
                return f"{name} {self._predicate(expression, field)}"
            case Matches():
                return self._matches(expression)
            case Sequence(first, steps):
                return ", ".join([self._events(first), *(self._step(step) for step in steps)])
            case Member(segment):
                return f"is a member of segment {_quoted(segment)}"
            case Sample(low, high, salt):
                part = f"{percent(low)} to {percent(high)}" if low else percent(high)
                return f"is in the random part {part} of {_quoted(salt)}"
            case Variable():
                return operand_text(expression)
            case Not(part):
                return f"not ({self.rule(part, function)})"
            case And(parts):
                return " and ".join(self._part(part, function) for part in parts)
            case Or(parts):
                return " or ".join(self._part(part, function) for part in parts)
            case _:
                assert_never(expression)

    def _part(self, part: Expression, function: Function | None) -> str:
        inner = self.rule(part, function)
        return f"({inner})" if _is_several(part) else inner

    # events

    def _matches(self, leaf: Matches) -> str:
        function = FUNCTIONS[leaf.events.function]
        asked: list[Expression] = []
        filters: list[Expression] = []
        for parameter in leaf.events.parameters:
            (asked if _is_total(parameter, function) else filters).append(parameter)
        if leaf.events.function == _PLACE:
            phrase = self._near(leaf.events)
        else:
            where = f"whose {self._all(filters, function)}" if filters else "ever"
            what = self._all(asked, function) if asked else "at least one"
            phrase = f"{_called(leaf.events)} {where}: {what}"
        return f"not ({phrase})" if leaf.negated else phrase

    def _all(self, parameters: Iterable[Expression], function: Function) -> str:
        return " and ".join(self._part(parameter, function) for parameter in parameters)

    def _near(self, events: Events) -> str:
        """A point and a distance, as the check has seen."""
        given = {
            condition.subject.value: condition
            for condition in events.parameters
            if isinstance(condition, Condition) and isinstance(condition.subject, Name)
        }
        name = next(name for name in given if name != "coordinates")
        how = "less than" if given[name].operator == "<" else "at most"
        distance, place = (operand_text(given[each].operands[0]) for each in (name, "coordinates"))
        return f"lives {how} {distance} {name.removeprefix('distance_')} from {place}"

    def _events(self, events: Events) -> str:
        if not events.parameters:
            return _called(events)
        return f"{_called(events)} ({self._all(events.parameters, FUNCTIONS[events.function])})"

    def _step(self, step: Step) -> str:
        within = f" within {span(step.within)}" if step.within else ""
        no = " no" if step.negated else ""
        without = f" with no {self._events(step.without)} in between" if step.without else ""
        return f"then{within}{no} {self._events(step.events)}{without}"

    # subjects

    def subject(self, subject: Subject, function: Function | None = None) -> str:
        """What a condition is about; ``function`` as for a rule."""
        match subject:
            case Name(value):
                field = subject_field(subject, function)
                return value if field is None or field.kind is Kind.ANY else field.words
            case Call("ENTERED", segment):
                return f"entry into segment {_quoted(segment)}"
            case Call("LEFT", segment):
                return f"exit from segment {_quoted(segment)}"
            case Call(_, argument):
                return f"anniversary of {self.subject(Name(argument))}"
            case Aggregate():
                return self._aggregate(subject)

    def _aggregate(self, aggregate: Aggregate) -> str:
        if isinstance(aggregate.of, Name):
            return f"number of entries in {self.subject(aggregate.of)}"
        field = subject_field(aggregate)
        assert field is not None  # noqa: S101 - rules are checked before
        events = self._events(aggregate.of)
        rolling = f" in every {span(aggregate.every)}" if aggregate.every else ""
        named = FUNCTIONS[aggregate.of.function].words
        if aggregate.name == "count" and field.words in {f"number of {named}", "number of times"}:
            return f"number of {events}{rolling}"
        return f"{field.words} over {events}{rolling}"

    # predicates

    def _predicate(self, condition: Condition, field: Field) -> str:
        operator, operands = condition.operator, condition.operands
        if operator == "IS NULL":
            return "is known" if condition.negated else "is unknown"
        if operator in {*PATTERNS, *QUANTIFIED}:
            return patterned(condition, [self._operand(each, field) for each in operands])
        return f"is{' not' if condition.negated else ''} {self._compared(condition, field)}"

    def _compared(self, condition: Condition, field: Field) -> str:
        operator, first = condition.operator, condition.operands[0]
        operands = [self._operand(operand, field) for operand in condition.operands]
        if operator == "BETWEEN":
            return f"between {operands[0]} and {operands[1]} (both included)"
        if operator == "IN":
            relative = isinstance(first, Share | Period)
            return operands[0] if relative else f"one of {', '.join(operands)}"
        return since(condition) or comparison(operator, first, field) + operands[0]

    def _operand(self, operand: Operand, field: Field) -> str:
        match operand:
            case Share() | Statistic():
                return relative_words(operand)
            case Period():
                return period_words(operand)
            case Scaled(factor, inner):
                return f"{factor:f} times {self._operand(inner, field)}"
            case Shifted(subject, offset):
                side = "before" if offset.amount < 0 else "after"
                return f"{span(offset)} {side} {self._other(subject)}"
            case Name() | Call() | Aggregate():
                return self._other(operand)
            case _:
                return literal_words(operand, field, self._currency)

    def _other(self, subject: Subject) -> str:
        name = self.subject(subject)
        return name if isinstance(subject, Name) and name == subject.value else f"the {name}"


def _is_several(part: Expression) -> bool:
    """Whether its words would run into those of its neighbours."""
    match part:
        case Matches(Events(name, _, parameters), negated=False):
            return any(_is_total(parameter, FUNCTIONS[name]) for parameter in parameters)
        case _:
            return isinstance(part, And | Or | Sequence)


def _is_total(parameter: Expression, function: Function) -> bool:
    match parameter:
        case Condition(Name(name)):
            return function.find(name) is None
        case _:
            return False


def _called(events: Events) -> str:
    argument = "" if events.argument is None else f" {_quoted(events.argument)}"
    return f"{FUNCTIONS[events.function].words}{argument}"


def _quoted(value: str) -> str:
    return operand_text(Text(value))
