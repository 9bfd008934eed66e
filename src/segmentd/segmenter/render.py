"""Rules and values as plain words."""

from __future__ import annotations

from decimal import Decimal

from segmentd.sdk.values import exponent
from segmentd.segmenter.fields import FUNCTIONS, Field, Kind, find_field
from segmentd.segmenter.language import (
    And,
    Condition,
    Day,
    Expression,
    Matches,
    Moment,
    Name,
    Not,
    Number,
    Offset,
    Operand,
    Or,
    Period,
    Share,
    Statistic,
    Text,
    Truth,
)

_UNITS = {"d": "day", "w": "week", "m": "month", "y": "year", "h": "hour", "min": "minute"}
_COMPARED = {"=": "", ">": "above ", ">=": "at least ", "<": "below ", "<=": "at most "}
_DATED = {
    "=": "on ",
    ">": "after ",
    ">=": "on or after ",
    "<": "before ",
    "<=": "on or before ",
}
_EXACT = {"=": "at ", ">": "after ", ">=": "at or after ", "<": "before ", "<=": "at or before "}
_PATTERNS = {
    "CONTAINS": ("contains", "contain"),
    "STARTS WITH": ("starts with", "start with"),
    "ENDS WITH": ("ends with", "end with"),
    "LIKE": ("is like", "be like"),
}
_WHICH = {"LAST": "the last calendar", "THIS": "this calendar", "NEXT": "the next calendar"}


def words(expression: Expression, currency: str) -> str:
    """A rule or a part of it as an English phrase about one customer."""
    match expression:
        case Condition():
            return _field_words(expression, currency)
        case Matches():
            return _function_words(expression, currency)
        case Not(part):
            return f"not ({words(part, currency)})"
        case And(parts):
            return " and ".join(_enclosed(part, currency) for part in parts)
        case Or(parts):
            return " or ".join(_enclosed(part, currency) for part in parts)


def money(minor: float, currency: str) -> str:
    """``(123450, "EUR")`` → ``1,234.50 EUR``."""
    digits = exponent(currency)
    return f"{Decimal(repr(minor)).scaleb(-digits):,.{digits}f} {currency}"


def _enclosed(part: Expression, currency: str) -> str:
    inner = words(part, currency)
    return f"({inner})" if isinstance(part, And | Or) else inner


def _field_words(condition: Condition, currency: str) -> str:
    field = find_field(condition.field)
    assert field is not None  # noqa: S101 - rules are checked before
    name = condition.field if field.kind is Kind.ANY else field.words
    return f"{name} {_predicate(condition, field, currency)}"


def _function_words(leaf: Matches, currency: str) -> str:
    function = FUNCTIONS[leaf.function]
    filters = [p for p in leaf.parameters if p.field in function.filters]
    asked = [p for p in leaf.parameters if p.field in function.aggregates]
    known = function.parameters
    where, what = (
        " and ".join(
            f"{known[p.field].words} {_predicate(p, known[p.field], currency)}" for p in group
        )
        for group in (filters, asked)
    )
    phrase = f"{function.words} {f'whose {where}' if where else 'ever'}: {what or 'at least one'}"
    return f"not ({phrase})" if leaf.negated else phrase


def _predicate(condition: Condition, field: Field, currency: str) -> str:
    no = " not" if condition.negated else ""
    operator = condition.operator
    if operator == "IS NULL":
        return "is known" if condition.negated else "is unknown"
    if operator in _PATTERNS:
        wanted = _operand(condition.operands[0], field, currency)
        return _pattern(operator, condition.negated, wanted)
    first = condition.operands[0]
    if isinstance(first, Offset) and operator in {">=", "<"} and first.amount < 0:
        since = _span(first)
        return f"is{no} in the last {since}" if operator == ">=" else f"is{no} over {since} ago"
    return f"is{no} {_compared(condition, field, currency)}"


def _pattern(operator: str, negated: bool, wanted: str) -> str:
    positive, plain = _PATTERNS[operator]
    return f"does not {plain} {wanted}" if negated else f"{positive} {wanted}"


def _compared(condition: Condition, field: Field, currency: str) -> str:
    operands = [_operand(operand, field, currency) for operand in condition.operands]
    match condition.operator:
        case "BETWEEN":
            return f"between {operands[0]} and {operands[1]} (both included)"
        case "IN" if isinstance(condition.operands[0], Share | Period):
            return operands[0]
        case "IN":
            return f"one of {', '.join(operands)}"
    if field.kind is not Kind.DATE:
        return _COMPARED[condition.operator] + operands[0]
    exact = isinstance(condition.operands[0], Moment) or _is_clock(condition.operands[0])
    return (_EXACT if exact else _DATED)[condition.operator] + operands[0]


def _is_clock(operand: Operand) -> bool:
    return isinstance(operand, Offset) and operand.unit in {"h", "min"}


def _operand(operand: Operand, field: Field, currency: str) -> str:
    match operand:
        case Text(value):
            return f"'{value}'"
        case Number(value):
            return f"{value:f} {currency}" if field.kind is Kind.MONEY else f"{value:f}"
        case Truth(value):
            return "true" if value else "false"
        case Day(value) | Moment(value):
            return value.isoformat()
        case Offset():
            return _offset(operand)
        case Period(which, unit):
            return f"in {_WHICH[which]} {unit.lower()}"
        case Share(side, percent):
            rank = "highest" if side == "TOP" else "lowest"
            return f"among the {rank} {percent:f}% of all who have ordered"
        case Statistic(kind):
            return f"the {kind.lower()} of all who have ordered"
        case Name(value):
            other = find_field(value)
            return f"the {other.words if other else value}"


def _offset(offset: Offset) -> str:
    if offset.unit == "d" and offset.amount in {0, -1, 1}:
        return {0: "today", -1: "yesterday", 1: "tomorrow"}[offset.amount]
    return f"{_span(offset)} {'ago' if offset.amount < 0 else 'from now'}"


def _span(offset: Offset) -> str:
    count = abs(offset.amount)
    return f"{count} {_UNITS[offset.unit]}{'' if count == 1 else 's'}"
