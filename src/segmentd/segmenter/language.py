"""What a rule can say: the syntax tree, and its text.

Nodes are immutable, comparable and hashable, so that a condition shared by several rules is
evaluated once; ``at`` is where the words stood and takes no part in comparisons. ``!=``, ``NOT IN``
and their like are the positive condition with ``negated``: logic is two-valued, so a negation is
the complement.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple


class Position(NamedTuple):
    """Line and column in the text of the rule, from 1."""

    line: int
    column: int


_NOWHERE = Position(1, 1)


@dataclass(frozen=True, slots=True)
class Text:
    """``'VIP'``"""

    value: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    """``100.50``"""

    value: Decimal
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Truth:
    """``true``"""

    value: bool
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Day:
    """``2020-05-30``: a whole day of the shop."""

    value: date
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Moment:
    """``2020-05-30T18:00:00``: a naive instant on the shop's clock."""

    value: datetime
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Offset:
    """``-90d``: from today (units d, w, m, y) or from now (units h, min)."""

    amount: int
    unit: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Period:
    """``LAST MONTH``: a whole calendar unit beside the current one."""

    which: str
    unit: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Share:
    """``TOP 10%`` of all who have ordered."""

    side: str
    percent: Decimal
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Statistic:
    """``STORE AVERAGE`` or ``STORE MEDIAN`` of all who have ordered."""

    kind: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """Another field of the same customer."""

    value: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


Operand = Text | Number | Truth | Day | Moment | Offset | Period | Share | Statistic | Name

COMPARISONS = ("=", ">", ">=", "<", "<=")
PATTERNS = ("CONTAINS", "STARTS WITH", "ENDS WITH", "LIKE")


@dataclass(frozen=True, slots=True)
class Condition:
    """A field, an operator and its operands.

    ``operator``: one of COMPARISONS, PATTERNS, ``BETWEEN``, ``IN`` (a list, a Share or a Period)
    or ``IS NULL``. ``field`` includes the argument of a call: ``anniversary('…')``.
    """

    field: str
    operator: str
    operands: tuple[Operand, ...] = ()
    negated: bool = False
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Matches:
    """Orders or other events that fulfil all parameters; aggregates are taken over them."""

    function: str
    parameters: tuple[Condition, ...] = ()
    negated: bool = False
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The complement."""

    part: Expression


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of the parts."""

    parts: tuple[Expression, ...]


Leaf = Condition | Matches
Expression = Leaf | Not | And | Or


def leaves(expression: Expression) -> Iterator[Leaf]:
    """Every condition of a rule, from left to right."""
    match expression:
        case Condition() | Matches():
            yield expression
        case Not(part):
            yield from leaves(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)


def expression_of(condition: Condition) -> str | None:
    """The name of the store-relative value that a condition compares with, if it does."""
    operand = condition.operands[0] if condition.operands else None
    match operand:
        case Share(side, percent):
            return f"{side} {format(percent.normalize(), 'f')}% {condition.field}"
        case Statistic(kind):
            return f"{kind} {condition.field}"
        case _:
            return None


def field_of(expression: str) -> str:
    """The field of an expression."""
    return expression.rpartition(" ")[2]


def text(expression: Expression) -> str:
    """The rule as text, in one form for all spellings; parsing it gives the same tree again."""
    match expression:
        case Condition():
            return _condition(expression)
        case Matches(function, parameters, negated):
            inner = ", ".join(_condition(parameter) for parameter in parameters)
            return f"{function} {'NOT ' if negated else ''}MATCHES ({inner})"
        case Not(part):
            return f"NOT ({text(part)})"
        case And(parts):
            return " AND ".join(_enclosed(part, (And, Or)) for part in parts)
        case Or(parts):
            return " OR ".join(_enclosed(part, (Or,)) for part in parts)


def _enclosed(part: Expression, kinds: tuple[type, ...]) -> str:
    return f"({text(part)})" if isinstance(part, kinds) else text(part)


def _condition(condition: Condition) -> str:
    name, operator, operands = condition.field, condition.operator, condition.operands
    no = "NOT " if condition.negated else ""
    first = operand_text(operands[0]) if operands else ""
    if operator in COMPARISONS:
        return f"{name} {'!=' if condition.negated else operator} {first}"
    if operator == "IS NULL":
        return f"{name} IS {no}NULL"
    if operator == "BETWEEN":
        return f"{name} {no}BETWEEN {first} AND {operand_text(operands[1])}"
    if operator == "IN" and not isinstance(operands[0], Share | Period):
        return f"{name} {no}IN ({', '.join(operand_text(operand) for operand in operands)})"
    return f"{name} {no}{operator} {first}"


def operand_text(operand: Operand) -> str:
    """One operand as it is written in a rule."""
    match operand:
        case Text(value):
            escaped = value.replace("\\", "\\\\").replace("'", "\\'")
            return f"'{escaped}'"
        case Number(value):
            return format(value, "f")
        case Truth(value):
            return "true" if value else "false"
        case Day(value) | Moment(value):
            return value.isoformat()
        case Offset(amount, unit):
            return "today" if amount == 0 and unit == "d" else f"{amount:+d}{unit}"
        case Period(which, unit):
            return f"{which} {unit}"
        case Share(side, percent):
            return f"{side} {format(percent, 'f')}%"
        case Statistic(kind):
            return f"STORE {kind}"
        case Name(value):
            return value
