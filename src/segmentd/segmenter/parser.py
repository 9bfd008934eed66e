"""From the text of a rule to its tree; every mistake becomes a RuleError with line and column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import NoReturn

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from segmentd.domain.errors import RuleError
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
    Position,
    Share,
    Statistic,
    Text,
    Truth,
)

MAX_LENGTH = 20_000
MAX_DEPTH = 64
_MAX_DIGITS = 18
_LIMITS = {"d": 36_525, "w": 5_218, "m": 1_200, "y": 100, "h": 876_600, "min": 52_596_000}
"""A hundred years in every unit."""

Nested = tuple[Expression, int]
"""A part of the rule and how deep it is nested."""


def parse(text: str) -> Expression:
    """The tree of a rule. RuleError for a text that is no rule, too long or too deeply nested."""
    if len(text) > MAX_LENGTH:
        raise RuleError(
            f"the rule has {len(text):,} characters; {MAX_LENGTH:,} are allowed", line=1, column=1
        )
    try:
        tree: Expression = _lark().parse(text)  # type: ignore[assignment]
    except UnexpectedInput as error:
        _refuse(text, error)
    return tree


@cache
def _lark() -> Lark:
    grammar = resources.files("segmentd.segmenter").joinpath("grammar.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", transformer=_Builder())


def fail(at: Position, message: str) -> NoReturn:
    """Refuse a rule at a place in its text."""
    raise RuleError(
        f"line {at.line}, column {at.column}: {message}", line=at.line, column=at.column
    )


def _at(token: Token) -> Position:
    return Position(token.line or 1, token.column or 1)


def _deeper(part: Nested, token: Token) -> int:
    depth = part[1] + 1
    if depth > MAX_DEPTH:
        fail(_at(token), f"the rule is nested more than {MAX_DEPTH} levels deep")
    return depth


def _parts(parts: Iterable[Nested]) -> tuple[tuple[Expression, ...], int]:
    expressions, depths = zip(*parts, strict=True)
    return expressions, max(depths)


@v_args(inline=True)
class _Builder(Transformer[Token, Expression]):
    """Called while parsing, so that no deep tree is ever walked."""

    def start(self, part: Nested) -> Expression:
        return part[0]

    def either(self, *parts: Nested) -> Nested:
        expressions, depth = _parts(parts)
        return Or(expressions), depth

    def both(self, *parts: Nested) -> Nested:
        expressions, depth = _parts(parts)
        return And(expressions), depth

    def negation(self, token: Token, part: Nested) -> Nested:
        return Not(part[0]), _deeper(part, token)

    def group(self, token: Token, part: Nested) -> Nested:
        return part[0], _deeper(part, token)

    def single(self, condition: Condition) -> Nested:
        return condition, 0

    def matches(
        self, name: Token, no: Token | None, _: Token, parameters: tuple[Condition, ...] | None
    ) -> Nested:
        return Matches(str(name), parameters or (), no is not None, _at(name)), 0

    def old_matches(self, name: Token, _: Token, *rest: Condition | Token) -> Nested:
        parameters = tuple(part for part in rest if isinstance(part, Condition))
        operator, truth = (str(part).lower() for part in rest[len(parameters) :])
        if operator not in {"=", "!=", "<>"}:
            fail(_at(name), f"{name}(…) is compared with = true or = false")
        return Matches(str(name), parameters, (operator == "=") != (truth == "true"), _at(name)), 0

    def parameters(self, *parameters: Condition) -> tuple[Condition, ...]:
        return parameters

    def old_parameter(self, name: Token, *values: Operand | Token) -> Condition:
        operands = tuple(value for value in values if not isinstance(value, Token))
        new, operator = _OLD_PARAMETERS.get(name, (str(name), "="))
        if len(operands) > 1:
            operator = "IN"
        return Condition(new, operator, operands, at=_at(name))

    def compared(self, name: Token, operator: Token, operand: Operand) -> Condition:
        return _compared(str(name), operator, operand, _at(name))

    def called(
        self, name: Token, _: Token, argument: Token, operator: Token, operand: Operand
    ) -> Condition:
        return _compared(f"{name}({argument})", operator, operand, _at(name))

    def called_between(
        self,
        name: Token,
        _: Token,
        argument: Token,
        no: Token | None,
        low: Operand,
        high: Operand,
    ) -> Condition:
        field = f"{name}({argument})"
        return Condition(field, "BETWEEN", (low, high), no is not None, _at(name))

    def between(self, name: Token, no: Token | None, low: Operand, high: Operand) -> Condition:
        return Condition(str(name), "BETWEEN", (low, high), no is not None, _at(name))

    def among(self, name: Token, no: Token | None, _: Token, *operands: Operand) -> Condition:
        return Condition(str(name), "IN", operands, no is not None, _at(name))

    def ranked(self, name: Token, no: Token | None, side: Token, percent: Token) -> Condition:
        share = Share(side.upper(), _decimal(percent), _at(side))
        if not 0 < share.percent <= 100:
            fail(_at(percent), "a share lies above 0% and up to 100%")
        return Condition(str(name), "IN", (share,), no is not None, _at(name))

    def during(self, name: Token, no: Token | None, which: Token, unit: Token) -> Condition:
        period = Period(which.upper(), unit.upper(), _at(which))
        return Condition(str(name), "IN", (period,), no is not None, _at(name))

    def pattern(self, name: Token, no: Token | None, kind: Token, operand: Operand) -> Condition:
        operator = " ".join(kind.upper().split())
        return Condition(str(name), operator, (operand,), no is not None, _at(name))

    def missing(self, name: Token, no: Token | None) -> Condition:
        return Condition(str(name), "IS NULL", (), no is not None, _at(name))

    def name(self, token: Token) -> Name:
        return Name(str(token), _at(token))

    def statistic(self, token: Token) -> Statistic:
        return Statistic(token.upper(), _at(token))

    def text(self, token: Token) -> Text:
        return Text(re.sub(r"\\(['\\])", r"\1", token[1:-1]), _at(token))

    def number(self, token: Token) -> Number:
        return Number(_decimal(token), _at(token))

    def percent(self, token: Token) -> Number:
        return Number(_decimal(token).scaleb(-2), _at(token))

    def truth(self, token: Token) -> Truth:
        return Truth(token.lower() == "true", _at(token))

    def day(self, token: Token) -> Day:
        return Day(_calendar(token).date(), _at(token))

    def moment(self, token: Token) -> Moment:
        return Moment(_calendar(token), _at(token))

    def offset(self, token: Token) -> Offset:
        digits = re.match(r"[+-]\d+", token)
        assert digits is not None  # noqa: S101 - the terminal begins so
        return _offset(token, digits[0], token[digits.end() :])

    def ago(self, token: Token) -> Offset:
        amount, unit, _ = token.split("_")
        return _offset(token, f"-{amount}", unit[0].lower())

    def today(self, token: Token) -> Offset:
        return Offset(0 if token.lower() == "today" else -1, "d", _at(token))


_OLD_PARAMETERS = {
    "since": ("date", ">="),
    "until": ("date", "<="),
    "count_at_least": ("count", ">="),
}


def _compared(name: str, operator: Token, operand: Operand, at: Position) -> Condition:
    if operator in {"!=", "<>"}:
        return Condition(name, "=", (operand,), negated=True, at=at)
    return Condition(name, str(operator), (operand,), at=at)


def _decimal(token: Token) -> Decimal:
    if len(token) > _MAX_DIGITS:
        fail(_at(token), f"the number {token[:_MAX_DIGITS]}… is too long")
    return Decimal(token)


def _offset(token: Token, amount: str, unit: str) -> Offset:
    if len(amount) > _MAX_DIGITS or abs(int(amount)) > _LIMITS[unit]:
        fail(_at(token), f"{token[:30]} lies more than 100 years away")
    return Offset(int(amount), unit, _at(token))


def _calendar(token: Token) -> datetime:
    try:
        value = datetime.fromisoformat(token)
    except ValueError:
        fail(_at(token), f"{token} is no date of the calendar")
    if not date(1900, 1, 1) <= value.date() <= date(2199, 12, 31):
        fail(_at(token), f"{token} lies outside of the years 1900 to 2199")
    return value


def _refuse(text: str, error: UnexpectedInput) -> NoReturn:
    at = Position(max(error.line, 1), max(error.column, 1))
    if isinstance(error, UnexpectedToken):
        if error.token.type == "$END":
            fail(_end(text), f"the rule ends where {_expected(error.accepts)} should follow")
        fail(at, f"expected {_expected(error.accepts)}, found '{error.token}'")
    if isinstance(error, UnexpectedCharacters):
        fail(at, _unreadable(text[error.pos_in_stream :], _expected(error.allowed or set())))
    raise error


def _end(text: str) -> Position:
    lines = text.split("\n")
    return Position(len(lines), len(lines[-1]) + 1)


def _unreadable(rest: str, expected: str) -> str:
    if rest[0] == "'":
        return "the text that begins here has no closing '"
    if rest[0] in '"`\u2018\u2019\u201c\u201d':
        return f"{rest[0]} does not begin a text; write texts in single quotes: 'VIP'"
    found = re.match(r"[\w.%+-]+|.", rest, re.DOTALL)
    return f"expected {expected}, found '{found[0] if found else rest[0]}'"


_SIGNS = (
    ("MOMENT", "a value"),
    ("OPERATOR", "an operator such as =, >=, IN, CONTAINS, BETWEEN or MATCHES"),
    ("NAME", "a condition"),
)
_WORDS = {
    "$END": "the end of the rule",
    "_AND": "AND",
    "_OR": "OR",
    "_RPAR": ")",
    "LPAR": "(",
    "_COMMA": "a comma",
    "_COLON": ":",
    "_PERCENT": "%",
    "_NULL": "NULL",
    "NOT": "NOT",
    "_IN": "IN",
    "_BETWEEN": "BETWEEN",
    "_MATCHES": "MATCHES",
    "PATTERN": "CONTAINS",
    "STATISTIC": "AVERAGE or MEDIAN",
    "UNIT": "DAY, WEEK, MONTH, QUARTER or YEAR",
    "NUMBER": "a number",
    "TRUTH": "true or false",
    "OPERATOR": "=",
}


def _expected(terminals: Iterable[str]) -> str:
    known = set(terminals)
    for sign, words in _SIGNS:
        if sign in known:
            return words
    names = [word for terminal, word in _WORDS.items() if terminal in known]
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
