"""Values, dates and comparisons as plain words."""

from __future__ import annotations

from decimal import Decimal

from segmentd.segmenter.fields import Field, Kind
from segmentd.segmenter.language import (
    Boundary,
    Condition,
    Day,
    Duration,
    Literal,
    Moment,
    Number,
    Offset,
    Operand,
    Period,
    Share,
    Shifted,
    Statistic,
    Text,
    Truth,
    Variable,
)
from segmentd.segmenter.spelling import operand_text

_UNITS = {"d": "day", "w": "week", "m": "month", "y": "year", "h": "hour", "min": "minute"}
_WHICH = {"LAST": "the last calendar", "THIS": "this calendar", "NEXT": "the next calendar"}
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
    "CONTAINS": ("contains", "does not contain"),
    "CONTAINS ANY": ("contains any of", "contains none of"),
    "CONTAINS ALL": ("contains all of", "does not contain all of"),
    "STARTS WITH": ("starts with", "does not start with"),
    "ENDS WITH": ("ends with", "does not end with"),
    "LIKE": ("is like", "is not like"),
    "REGEX": ("matches the pattern", "does not match the pattern"),
}
_MODES = {
    "": "",
    "MATCHING CASE": " (upper and lower case differ)",
    "IGNORING ACCENTS": " (accents do not matter)",
}


def span(length: Offset | Duration) -> str:
    """``90 days``, whichever the direction."""
    count = abs(length.amount)
    return f"{count} {_UNITS[length.unit]}{'' if count == 1 else 's'}"


def percent(value: Decimal) -> str:
    """``12.5%``"""
    return f"{value.normalize():f}%"


def literal_words(operand: Literal, field: Field, currency: str) -> str:
    """A value that stands in the rule itself."""
    match operand:
        case Number(value):
            return _number(value, field.kind, currency)
        case Offset():
            return _offset(operand)
        case Boundary(end, which, unit):
            side = "last" if end else "first"
            return f"the {side} day of {_WHICH[which]} {unit.lower()}"
        case Variable(name, "-" | "+" as sign):
            return f"${name} days {'ago' if sign == '-' else 'from now'}"
        case Text() | Truth() | Day() | Moment() | Variable():
            return operand_text(operand)


def relative_words(operand: Share | Statistic) -> str:
    """A value of the whole store."""
    match operand:
        case Share(side, share):
            rank = "highest" if side == "TOP" else "lowest"
            return f"among the {rank} {percent(share)} of all who have ordered"
        case Statistic("PERCENTILE", share):
            return f"the value that {percent(share)} of all who have ordered do not exceed"
        case Statistic(kind, _, deviations):
            side = "plus" if deviations > 0 else "minus"
            more = f" {side} {abs(deviations):f} standard deviations" if deviations else ""
            return f"the {kind.lower()}{more} of all who have ordered"


def period_words(period: Period) -> str:
    """``in the last calendar month``"""
    return f"in {_WHICH[period.which]} {period.unit.lower()}"


def patterned(condition: Condition, wanted: list[str]) -> str:
    """What a text or a list is like."""
    verb = _PATTERNS[condition.operator][condition.negated]
    return f"{verb} {', '.join(wanted)}{_MODES[condition.mode]}"


def since(condition: Condition) -> str | None:
    """``in the last 90 days`` and ``over 90 days ago``, which read better than a date."""
    operator, operand = condition.operator, condition.operands[0]
    match operand:
        case Offset(amount) if amount < 0:
            length = span(operand)
        case Variable(name, "-"):
            length = f"${name} days"
        case _:
            return None
    return {">=": f"in the last {length}", "<": f"over {length} ago"}.get(operator)


def comparison(operator: str, operand: Operand, field: Field) -> str:
    """The words between a subject and what it is compared with."""
    if field.kind is not Kind.DATE:
        return _COMPARED[operator]
    return (_EXACT if _is_exact(operand) else _DATED)[operator]


def _is_exact(operand: Operand) -> bool:
    match operand:
        case Shifted(_, offset):
            return _is_exact(offset)
        case Offset(_, unit):
            return unit in {"h", "min"}
        case _:
            return isinstance(operand, Moment)


def _number(value: Decimal, kind: Kind, currency: str) -> str:
    match kind:
        case Kind.MONEY:
            return f"{value:f} {currency}"
        case Kind.RATIO:
            return percent(value * 100)
        case _:
            return f"{value:f}"


def _offset(offset: Offset) -> str:
    if offset.unit == "d" and offset.amount in {0, -1, 1}:
        return {0: "today", -1: "yesterday", 1: "tomorrow"}[offset.amount]
    return f"{span(offset)} {'ago' if offset.amount < 0 else 'from now'}"
