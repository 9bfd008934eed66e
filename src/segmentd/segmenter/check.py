"""What a rule's names and types must fulfil, beyond its form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from segmentd.domain.suggest import did_you_mean
from segmentd.segmenter.fields import (
    FIELDS,
    FUNCTIONS,
    NUMERIC,
    UNFILLED_PARAMETERS,
    Field,
    Kind,
    find_field,
)
from segmentd.segmenter.language import (
    COMPARISONS,
    PATTERNS,
    Condition,
    Day,
    Expression,
    Leaf,
    Matches,
    Moment,
    Name,
    Number,
    Offset,
    Operand,
    Period,
    Share,
    Statistic,
    Text,
    Truth,
    leaves,
    operand_text,
)
from segmentd.segmenter.parser import fail

_RANGE = frozenset({*COMPARISONS, "BETWEEN", "IN", "IS NULL"})
_OPERATORS: Mapping[Kind, frozenset[str]] = {
    Kind.MONEY: _RANGE,
    Kind.COUNT: _RANGE,
    Kind.RATIO: _RANGE,
    Kind.DATE: _RANGE,
    Kind.TEXT: frozenset({"=", "IN", "IS NULL", *PATTERNS}),
    Kind.CHOICE: frozenset({"=", "IN", "IS NULL"}),
    Kind.ID: frozenset({"=", "IN", "IS NULL"}),
    Kind.LIST: frozenset({"IS NULL", *PATTERNS}),
    Kind.TERMS: frozenset({"=", "IN", "IS NULL", *PATTERNS}),
    Kind.TRUTH: frozenset({"=", "IS NULL"}),
    Kind.ANY: _RANGE | frozenset(PATTERNS),
}
_DATES: tuple[type, ...] = (Day, Moment, Offset)
_VALUES: Mapping[Kind, tuple[type, ...]] = {
    Kind.MONEY: (Number,),
    Kind.COUNT: (Number,),
    Kind.RATIO: (Number,),
    Kind.DATE: _DATES,
    Kind.TEXT: (Text,),
    Kind.CHOICE: (Text,),
    Kind.ID: (Text, Number),
    Kind.LIST: (Text,),
    Kind.TERMS: (Text,),
    Kind.TRUTH: (Truth,),
    Kind.ANY: (Text, Number, Truth, *_DATES),
}
_EXAMPLES: Mapping[Kind, str] = {
    Kind.MONEY: "a number such as 100.50",
    Kind.COUNT: "a number such as 3",
    Kind.RATIO: "a number such as 0.5 or 50%",
    Kind.DATE: "a date such as 2026-01-31, -90d or today",
    Kind.ID: "an id such as 123 or 'abc'",
    Kind.TRUTH: "true or false",
    Kind.ANY: "a value",
}


def check(expression: Expression) -> None:
    """Raise RuleError at the first name that is unknown or use that has no meaning."""
    for leaf in leaves(expression):
        if isinstance(leaf, Matches):
            _matches(leaf)
        else:
            _condition(leaf, _field(leaf), top=True)


def fields_used(leaf: Leaf) -> frozenset[str]:
    """The names that a source must fill for this condition to mean anything."""
    if isinstance(leaf, Matches):
        unfilled = [
            p.field for p in leaf.parameters if (leaf.function, p.field) in UNFILLED_PARAMETERS
        ]
        return frozenset({leaf.function, *(f"{leaf.function}.{name}" for name in unfilled)})
    others = {operand.value for operand in leaf.operands if isinstance(operand, Name)}
    return frozenset({leaf.field.partition("(")[0], *others})


def _field(condition: Condition) -> Field:
    name = condition.field
    field = find_field(name)
    if field is None:
        if name in FUNCTIONS:
            fail(condition.at, f"{name} is a function: write {name} MATCHES ( … )")
        fail(condition.at, f"unknown field '{name}'" + did_you_mean(name, [*FIELDS, *FUNCTIONS]))
    return field


def _matches(leaf: Matches) -> None:
    function = FUNCTIONS.get(leaf.function)
    if function is None:
        if find_field(leaf.function):
            fail(leaf.at, f"{leaf.function} is a field and has no MATCHES; compare it with a value")
        suggestion = did_you_mean(leaf.function, FUNCTIONS)
        fail(leaf.at, f"unknown function '{leaf.function}'" + suggestion)
    known = function.parameters
    seen: set[str] = set()
    for parameter in leaf.parameters:
        name = parameter.field
        if name not in known:
            suggestion = did_you_mean(name, known)
            fail(parameter.at, f"{leaf.function} has no parameter '{name}'" + suggestion)
        if name in seen:
            fail(parameter.at, f"parameter '{name}' is given twice")
        seen.add(name)
        _condition(parameter, known[name], top=False)


def _condition(condition: Condition, field: Field, *, top: bool) -> None:
    operator, name = condition.operator, condition.field
    if operator not in _OPERATORS[field.kind]:
        written = "!=" if operator == "=" and condition.negated else operator
        allowed = _spelled(_OPERATORS[field.kind])
        fail(
            condition.at, f"{name} is {field.kind}: {written} is no operator for it; use {allowed}"
        )
    for operand in condition.operands:
        _operand(condition, field, operand, top=top)


def _spelled(operators: Iterable[str]) -> str:
    order = [*COMPARISONS, "BETWEEN", "IN", *PATTERNS, "IS NULL"]
    names = sorted(operators, key=order.index)
    return " or ".join([", ".join(names[:-1]), names[-1]])


def _operand(condition: Condition, field: Field, operand: Operand, *, top: bool) -> None:
    match operand:
        case Name():
            _other_field(condition, field, operand, top=top)
        case Share() | Statistic():
            if field.kind not in NUMERIC or not top:
                fail(operand.at, f"{operand_text(operand)} needs a number field of the customer")
        case Period():
            if field.kind not in {Kind.DATE, Kind.ANY}:
                fail(
                    operand.at,
                    f"{operand_text(operand)} needs a date, {condition.field} is {field.kind}",
                )
        case _:
            _literal(condition, field, operand)


def _other_field(condition: Condition, field: Field, other: Name, *, top: bool) -> None:
    found = FIELDS.get(other.value) if top else None
    if found is None:
        expected = _EXAMPLES.get(field.kind, "a text in single quotes")
        suggestion = did_you_mean(other.value, FIELDS) if top else ""
        fail(other.at, f"expected {expected}, found '{other.value}'" + suggestion)
    same = found.kind is field.kind or {found.kind, field.kind} <= NUMERIC - {Kind.MONEY}
    if not same or field.kind is Kind.LIST:
        fail(
            other.at,
            f"{condition.field} is {field.kind} and {other.value} is {found.kind}:"
            " they cannot be compared",
        )


def _literal(condition: Condition, field: Field, operand: Operand) -> None:
    if not isinstance(operand, _VALUES[field.kind]):
        expected = _EXAMPLES.get(field.kind, "a text in single quotes")
        fail(operand.at, f"{condition.field} expects {expected}, found {operand_text(operand)}")
    if field.choices and isinstance(operand, Text) and operand.value not in field.choices:
        fail(
            operand.at,
            f"{condition.field} is never '{operand.value}'; known: {', '.join(field.choices)}",
        )
