"""Which operators and operands go with which kind of subject."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NoReturn, assert_never

from segmentd.domain.suggest import did_you_mean
from segmentd.segmenter.fields import (
    FIELDS,
    FITTED,
    NUMERIC,
    Field,
    Kind,
    find_field,
    subject_field,
)
from segmentd.segmenter.language import (
    COMPARISONS,
    PATTERNS,
    QUANTIFIED,
    Aggregate,
    Boundary,
    Call,
    Condition,
    Day,
    Literal,
    Moment,
    Name,
    Number,
    Offset,
    Operand,
    Period,
    Scaled,
    Share,
    Shifted,
    Statistic,
    Subject,
    Text,
    Truth,
    Variable,
)
from segmentd.segmenter.names import label, refuse_variable
from segmentd.segmenter.parser import fail
from segmentd.segmenter.spelling import operand_text

_RANGE = frozenset({*COMPARISONS, "BETWEEN", "IN", "IS NULL"})
_SAME = frozenset({"=", "IN", "IS NULL"})
_WORDS = frozenset({*PATTERNS, *QUANTIFIED})
OPERATORS: Mapping[Kind, frozenset[str]] = {
    Kind.MONEY: _RANGE,
    Kind.COUNT: _RANGE,
    Kind.PLACE: _RANGE,
    Kind.RATIO: _RANGE,
    Kind.DATE: _RANGE,
    Kind.TEXT: _SAME | _WORDS,
    Kind.CHOICE: _SAME,
    Kind.ID: _SAME,
    Kind.LIST: _WORDS | {"IS NULL"},
    Kind.TERMS: _SAME | _WORDS,
    Kind.TRUTH: frozenset({"=", "IS NULL"}),
    Kind.ANY: _RANGE | _WORDS,
}
"""What a value of a kind can be asked."""
_DATES: tuple[type, ...] = (Day, Moment, Offset, Boundary)
_VALUES: Mapping[Kind, tuple[type, ...]] = {
    Kind.MONEY: (Number,),
    Kind.COUNT: (Number,),
    Kind.PLACE: (Number,),
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
_A_TEXT = "a text in single quotes"
_EXAMPLES: Mapping[Kind, str] = {
    Kind.MONEY: "a number such as 100.50",
    Kind.COUNT: "a number such as 3",
    Kind.PLACE: "a whole number such as 1",
    Kind.RATIO: "a number such as 0.5 or 50%",
    Kind.DATE: "a date such as 2026-01-31, -90d or today",
    Kind.ID: "an id such as 123 or 'abc'",
    Kind.TRUTH: "true or false",
    Kind.ANY: "a value",
}
_COMPARABLE = (
    *({kind} for kind in (Kind.MONEY, Kind.DATE, Kind.TEXT, Kind.CHOICE, Kind.ID, Kind.TRUTH)),
    *({Kind.ANY, kind} for kind in (Kind.DATE, Kind.COUNT, Kind.PLACE, Kind.RATIO)),
)
"""Kinds of two fields that can be compared, beside any two kinds of numbers that are no money."""
_ORDER = [*COMPARISONS, "BETWEEN", "IN", *PATTERNS, *QUANTIFIED, "IS NULL"]


def subject_of(operand: Operand) -> Subject | None:
    """The other field, call or aggregate that is compared with, moved or not."""
    match operand:
        case Shifted(subject, _):
            return subject
        case Scaled(_, inner):
            return None if isinstance(inner, Statistic) else inner
        case Name() | Call() | Aggregate():
            return operand
        case _:
            return None


def is_relative(operand: Operand) -> bool:
    """Whether it is a value of the whole store: ``TOP 10%``, ``1.5 * STORE AVERAGE``."""
    inner = operand.operand if isinstance(operand, Scaled) else operand
    return isinstance(inner, Share | Statistic)


def check_operator(condition: Condition, field: Field) -> None:
    """Refuse an operator that has no meaning for the subject's kind."""
    if condition.operator not in OPERATORS[field.kind]:
        _refuse_operator(condition, field.kind)


def check_types(condition: Condition, field: Field) -> None:
    """What has no type of its own takes that of its operands, each of IN by itself."""
    if field.kind is not Kind.ANY or condition.operator in _WORDS:
        return
    kinds = [_type(operand) for operand in condition.operands]
    for kind in kinds:
        if condition.operator not in OPERATORS[kind]:
            _refuse_operator(condition, kind)
    if condition.operator == "BETWEEN" and kinds[0] is not kinds[1]:
        name, high = label(condition.subject), condition.operands[1]
        fail(high.at, f"{name} cannot lie between {kinds[0]} and {kinds[1]}")


def _type(operand: Operand) -> Kind:
    match operand:
        case Text():
            return Kind.TEXT
        case Truth():
            return Kind.TRUTH
        case Name() | Call() | Aggregate():
            return Kind.DATE if _kind(operand) is Kind.DATE else Kind.COUNT
        case Number() | Share() | Statistic() | Scaled() | Variable(_, ""):
            return Kind.COUNT
        case _:
            return Kind.DATE


def _refuse_operator(condition: Condition, kind: Kind) -> NoReturn:
    written = "!=" if condition.operator == "=" and condition.negated else condition.operator
    fail(
        condition.at,
        f"{label(condition.subject)} is {kind}: {written} is no operator for it;"
        f" use {_listed(OPERATORS[kind])}",
    )


def check_word(field: Field, name: Name) -> None:
    """Refuse a word that stands in the place of a value, unless it is a field of the customer."""
    if find_field(name.value) is None:
        wanted = _EXAMPLES.get(field.kind, _A_TEXT)
        near = did_you_mean(name.value, FIELDS)
        fail(name.at, f"expected {wanted}, found '{name.value}'{near}")


def check_operand(condition: Condition, field: Field, operand: Operand) -> None:
    """Refuse an operand whose type is not that of the subject; other subjects are known names."""
    match operand:
        case Share() | Statistic():
            _relative(field, operand)
        case Scaled():
            _scaled(condition, field, operand)
        case Shifted():
            _shifted(condition, field, operand)
        case Period():
            if field.kind not in {Kind.DATE, Kind.ANY}:
                name = label(condition.subject)
                fail(operand.at, f"{operand_text(operand)} needs a date, {name} is {field.kind}")
        case Name() | Call() | Aggregate():
            _other(condition, field, operand)
        case Variable():
            _fitted(condition, field, operand)
        case Text() | Number() | Truth() | Day() | Moment() | Offset() | Boundary():
            _literal(condition, field, operand)
        case _:
            assert_never(operand)


def refuse_operand(
    condition: Condition, field: Field, operand: Operand, more: str = ""
) -> NoReturn:
    """An operand of another type than the subject's."""
    fail(
        operand.at,
        f"{label(condition.subject)} expects {_expected(condition, field)},"
        f" found {operand_text(operand)}{more}",
    )


def _listed(operators: Iterable[str]) -> str:
    names = sorted(operators, key=_ORDER.index)
    return " or ".join([", ".join(names[:-1]), names[-1]])


def _relative(field: Field, operand: Share | Statistic | Scaled) -> None:
    if field.kind not in NUMERIC:
        fail(operand.at, f"{operand_text(operand)} needs a number of the customer")


def _scaled(condition: Condition, field: Field, operand: Scaled) -> None:
    if isinstance(operand.operand, Statistic):
        _relative(field, operand)
        return
    kind = _kind(operand.operand)
    if kind not in NUMERIC:
        name = label(operand.operand)
        fail(operand.at, f"only numbers can be multiplied, {name} is {kind}")
    _other(condition, field, operand.operand)


def _shifted(condition: Condition, field: Field, operand: Shifted) -> None:
    kind = _kind(operand.subject)
    if kind not in {Kind.DATE, Kind.ANY}:
        moved = operand_text(operand.offset)
        fail(operand.at, f"only dates can be moved by {moved}, {label(operand.subject)} is {kind}")
    if field.kind not in {Kind.DATE, Kind.ANY}:
        refuse_operand(condition, field, operand)
    _other(condition, field, operand.subject)


def _other(condition: Condition, field: Field, other: Subject) -> None:
    if isinstance(other, Call) and other.name == "anniversary":
        # it is a day of every year, no date that something else could be compared with
        fail(other.at, f"{label(other)} stands before an operator only; write it first")
    kind = _kind(other)
    both = {kind, field.kind}
    if both not in _COMPARABLE and not both <= NUMERIC - {Kind.MONEY}:
        fail(
            other.at,
            f"{label(condition.subject)} is {field.kind} and {label(other)} is {kind}:"
            " they cannot be compared",
        )


def _kind(subject: Subject) -> Kind:
    field = subject_field(subject)
    assert field is not None  # noqa: S101 - names are checked before types
    return field.kind


def _fitted(condition: Condition, field: Field, variable: Variable) -> None:
    """A variable that gets its value from the store: a number of days, or an amount of money."""
    if variable.name not in FITTED:
        refuse_variable(variable)
    days = variable.name.endswith("_days")
    kinds = {Kind.COUNT, Kind.PLACE} if days else {Kind.MONEY}
    if variable.sign:
        kinds = {Kind.DATE} if days else set()
    if field.kind not in {*kinds, Kind.ANY} or condition.operator in _WORDS:
        what = "a number of days" if days else "an amount of money"
        refuse_operand(condition, field, variable, f", which is {what}")


def _literal(condition: Condition, field: Field, operand: Literal) -> None:
    kinds = (Text,) if condition.operator in _WORDS else _VALUES[field.kind]
    name = label(condition.subject)
    if not isinstance(operand, kinds):
        refuse_operand(condition, field, operand)
    if field.choices and isinstance(operand, Text) and operand.value not in field.choices:
        known = ", ".join(field.choices)
        fail(operand.at, f"{name} is never '{operand.value}'; known: {known}")


def _expected(condition: Condition, field: Field) -> str:
    return _A_TEXT if condition.operator in _WORDS else _EXAMPLES.get(field.kind, _A_TEXT)
