"""A rule as text, in one form for all spellings; parsing it gives the same tree again."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from segmentd.segmenter.language import (
    COMPARISONS,
    QUANTIFIED,
    Aggregate,
    And,
    Boundary,
    Call,
    Condition,
    Day,
    Duration,
    Events,
    Expression,
    Matches,
    Member,
    Moment,
    Name,
    Not,
    Number,
    Offset,
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
    Truth,
    Variable,
)


def text(expression: Expression) -> str:
    """The rule as text."""
    match expression:
        case Condition():
            return _condition(expression)
        case Matches(events, negated):
            no = "NOT " if negated else ""
            return f"{_called(events)} {no}MATCHES ({_parameters(events)})"
        case Sequence(first, steps):
            return " ".join([events_text(first), *(_step(step) for step in steps)])
        case Member(segment):
            return f"segment({quoted(segment)})"
        case Sample(low, high, salt):
            share = f"{_plain(low)}% TO {_plain(high)}%" if low else f"{_plain(high)}%"
            return f"SAMPLE({share}, {quoted(salt)})"
        case Variable(name):
            return f"${name}"
        case Not(part):
            return f"NOT ({text(part)})"
        case And(parts):
            return " AND ".join(_enclosed(part, (And, Or)) for part in parts)
        case Or(parts):
            return " OR ".join(_enclosed(part, (Or,)) for part in parts)
        case _:
            assert_never(expression)


def subject_text(subject: Subject) -> str:
    """What a condition is about, as it is written."""
    match subject:
        case Name(value):
            return value
        case Call("ENTERED" | "LEFT", argument):
            return f"{subject.name} segment({quoted(argument)})"
        case Call(name, argument):
            return f"{name}({quoted(argument)})"
        case Aggregate(name, of, every):
            rolling = f" EVERY {duration_text(every)}" if every else ""
            source = of.value if isinstance(of, Name) else events_text(of)
            return f"{name}{rolling} OF {source}"


def events_text(events: Events) -> str:
    """``orders_placed (date >= -90d)``"""
    return f"{_called(events)} ({_parameters(events)})"


def duration_text(duration: Duration) -> str:
    """``7d``"""
    return f"{duration.amount}{duration.unit}"


def operand_text(operand: Operand) -> str:
    """One operand as it is written in a rule."""
    match operand:
        case Text() | Number() | Truth() | Variable():
            return _value(operand)
        case Day() | Moment() | Offset() | Boundary() | Period():
            return _date(operand)
        case Share() | Statistic():
            return _relative(operand)
        case Shifted(subject, offset):
            return f"{subject_text(subject)} {offset.amount:+d}{offset.unit}"
        case Scaled(factor, inner):
            return f"{_plain(factor)} * {operand_text(inner)}"
        case _:
            return subject_text(operand)


def quoted(value: str) -> str:
    """A text as it is written in a rule."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def relative_name(operand: Share | Statistic, subject: Subject) -> str:
    """The name of a store-relative value, e.g. ``TOP 10% amount_spent``."""
    return f"{_relative(operand).removeprefix('STORE ')} {subject_text(subject)}"


def _value(operand: Text | Number | Truth | Variable) -> str:
    match operand:
        case Text(value):
            return quoted(value)
        case Number(value):
            return format(value, "f")
        case Truth(value):
            return "true" if value else "false"
        case Variable(name, sign):
            return f"{sign}${name}"


def _date(operand: Day | Moment | Offset | Boundary | Period) -> str:
    match operand:
        case Day(value) | Moment(value):
            return value.isoformat()
        case Offset(amount, unit):
            return "today" if amount == 0 and unit == "d" else f"{amount:+d}{unit}"
        case Period(which, unit):
            return f"{which} {unit}"
        case Boundary(end, which, unit):
            return f"{'END' if end else 'START'} OF {which} {unit}"


def _relative(operand: Share | Statistic) -> str:
    match operand:
        case Share(side, percent):
            return f"{side} {_plain(percent)}%"
        case Statistic("PERCENTILE", percent):
            return f"STORE PERCENTILE {_plain(percent)}"
        case Statistic(kind, _, deviations):
            step = f" {_plain(deviations, sign='+')} DEVIATIONS" if deviations else ""
            return f"STORE {kind}{step}"


def _plain(number: Decimal, sign: str = "") -> str:
    return format(number.normalize(), sign + "f")


def _enclosed(part: Expression, kinds: tuple[type, ...]) -> str:
    return f"({text(part)})" if isinstance(part, kinds) else text(part)


def _called(events: Events) -> str:
    argument = "" if events.argument is None else f"({quoted(events.argument)})"
    return f"{events.function}{argument}"


def _parameters(events: Events) -> str:
    return ", ".join(text(parameter) for parameter in events.parameters)


def _step(step: Step) -> str:
    parts = ["THEN NOT" if step.negated else "THEN", events_text(step.events)]
    if step.within:
        parts.append(f"WITHIN {duration_text(step.within)}")
    if step.without:
        parts.append(f"WITHOUT {events_text(step.without)}")
    return " ".join(parts)


def _condition(condition: Condition) -> str:
    name, operator, operands = (
        subject_text(condition.subject),
        condition.operator,
        condition.operands,
    )
    no = "NOT " if condition.negated else ""
    first = operand_text(operands[0]) if operands else ""
    if operator in COMPARISONS:
        return f"{name} {'!=' if condition.negated else operator} {first}"
    if operator == "IS NULL":
        return f"{name} IS {no}NULL"
    if operator == "BETWEEN":
        return f"{name} {no}BETWEEN {first} AND {operand_text(operands[1])}"
    if operator in QUANTIFIED or (operator == "IN" and not isinstance(operands[0], Share | Period)):
        return f"{name} {no}{operator} ({', '.join(operand_text(each) for each in operands)})"
    mode = f" {condition.mode}" if condition.mode else ""
    return f"{name} {no}{operator} {first}{mode}"
