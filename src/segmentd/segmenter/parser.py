"""From the text of a rule to its tree; every mistake becomes a RuleError with line and column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Any, NoReturn

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from segmentd.domain.errors import RuleError
from segmentd.segmenter.language import (
    Aggregate,
    And,
    Boundary,
    Call,
    Condition,
    Day,
    Duration,
    Events,
    Expression,
    Literal,
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
    Position,
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
    children,
)

MAX_LENGTH = 20_000
MAX_DEPTH = 64
_MAX_FUNCTIONS = 8
"""Functions inside of one another's parentheses."""
_MAX_DIGITS = 18
_LIMITS = {"d": 36_525, "w": 5_218, "m": 1_200, "y": 100, "h": 876_600, "min": 52_596_000}
"""A hundred years in every unit."""

Nested = tuple[Expression, int]
"""A part of the rule and how deep it is nested."""
Parameters = tuple[tuple[Expression, ...], int]
"""What stands between the parentheses of a function, and how deep it is nested."""


def parse(text: str) -> Expression:
    """The tree of a rule. RuleError for a text that is no rule, too long or too deeply nested."""
    if len(text) > MAX_LENGTH:
        raise RuleError(
            f"the rule has {len(text):,} characters; {MAX_LENGTH:,} are allowed", line=1, column=1
        )
    if found := re.search("[\0\ud800-\udfff]", text):
        before = text[: found.start()]
        fail(_end(before), f"{found[0]!r} is no character that a text can carry")
    try:
        tree: Expression = _lark().parse(text)  # type: ignore[assignment]
    except UnexpectedInput as error:
        _refuse(text, error)
    _refuse_deep(tree)
    return tree


def _refuse_deep(tree: Expression) -> None:
    """Parsing knows the depth of parentheses and NOT; functions nest in operands too."""
    rest: list[tuple[Any, int, int]] = [(tree, 0, 0)]
    while rest:
        node, depth, functions = rest.pop()
        if isinstance(node, Events):
            functions += 1
            if functions > _MAX_FUNCTIONS:
                fail(node.at, f"functions are nested more than {_MAX_FUNCTIONS} levels deep")
            if depth > MAX_DEPTH + 1:  # AND and OR of the whole rule need no parentheses
                fail(node.at, f"the rule is nested more than {MAX_DEPTH} levels deep")
        depth += isinstance(node, Not | And | Or | Events)
        rest.extend((part, depth, functions) for part in children(node))


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
        # others are no deeper for it: NOT ( … ) is what NOT alone is written as
        return (part[0], _deeper(part, token)) if isinstance(part[0], And | Or) else part

    def named(self, token: Token) -> Nested:
        return Variable(token[1:], at=_at(token)), 0

    def single(self, condition: Condition) -> Nested:
        return condition, 0

    # events

    def matches(
        self, subject: Subject, no: Token | None, token: Token, parameters: Parameters | None
    ) -> Nested:
        if isinstance(subject, Aggregate):
            fail(subject.at, "MATCHES follows a function such as orders_placed")
        events = _events(subject, token, parameters)
        return Matches(events, no is not None, subject.at), 0

    def old_matches(self, name: Token, _: Token, *rest: Condition | Token) -> Nested:
        parameters = tuple(part for part in rest if isinstance(part, Condition))
        operator, truth = (str(part).lower() for part in rest[len(parameters) :])
        if operator not in {"=", "!=", "<>"}:
            fail(_at(name), f"{name}(…) is compared with = true or = false")
        events = Events(str(name), None, parameters, _at(name))
        return Matches(events, (operator == "=") != (truth == "true"), _at(name)), 0

    def old_parameter(self, name: Token, *values: Operand | Token) -> Condition:
        operands = tuple(value for value in values if not isinstance(value, Token))
        new, operator = _OLD_PARAMETERS.get(name, (str(name), "="))
        if len(operands) > 1:
            operator = "IN"
        return Condition(Name(new, _at(name)), operator, operands, at=_at(name))

    def events(self, name: Token, token: Token, parameters: Parameters | None) -> Events:
        return _events(Name(str(name), _at(name)), token, parameters)

    def argued_events(self, call: Call, token: Token, parameters: Parameters | None) -> Events:
        return _events(call, token, parameters)

    def parameters(self, *parameters: Nested) -> Parameters:
        return _parts(parameters)

    def sequence(self, first: Events, *steps: Step) -> Nested:
        for step in steps[:-1]:
            if step.negated:
                fail(step.at, "THEN NOT can only stand at the end of a sequence")
        return Sequence(first, steps, first.at), 0

    def step(
        self, no: Token | None, events: Events, within: Duration | None, without: Events | None
    ) -> Step:
        if no is not None and without is not None:
            fail(without.at, "WITHOUT cannot follow THEN NOT")
        return Step(events, no is not None, _elapsed(within), without, events.at)

    # segments and samples

    def member(self, call: Call) -> Nested:
        return Member(_segment(call), call.at), 0

    def member_for(self, call: Call, duration: Duration | None) -> Nested:
        member = Member(_segment(call), call.at)
        if duration is None:
            return member, 0
        entered = Call("ENTERED", member.segment, call.at)
        since = Offset(-duration.amount, duration.unit, duration.at)
        return And((member, Condition(entered, "<=", (since,), at=call.at))), 0

    def was_member(self, call: Call, since: Literal | None) -> Nested:
        member = Member(_segment(call), call.at)
        left = Call("LEFT", member.segment, call.at)
        if since is None:
            gone = Condition(left, "IS NULL", (), negated=True, at=call.at)
        else:
            gone = Condition(left, ">=", (since,), at=call.at)
        return Or((member, gone)), 0

    def sample(self, opening: Token, first: Token, second: Token | None, salt: Token) -> Nested:
        low, high = (_decimal(first), _decimal(second)) if second else (Decimal(0), _decimal(first))
        if not 0 <= low < high <= 100 or -high.as_tuple().exponent > 2:  # type: ignore[operator]
            fail(_at(first), "a sample is a part of 0% to 100%, in steps of 0.01%")
        return Sample(low, high, self.text(salt).value, _at(opening)), 0

    # conditions

    def compared(self, subject: Subject, operator: Token, operand: Operand) -> Condition:
        if operator in {"!=", "<>"}:
            return Condition(subject, "=", (operand,), negated=True, at=subject.at)
        return Condition(subject, str(operator), (operand,), at=subject.at)

    def between(self, subject: Subject, no: Token | None, low: Operand, high: Operand) -> Condition:
        return Condition(subject, "BETWEEN", (low, high), no is not None, at=subject.at)

    def among(self, subject: Subject, no: Token | None, _: Token, *operands: Operand) -> Condition:
        return Condition(subject, "IN", operands, no is not None, at=subject.at)

    def ranked(self, subject: Subject, no: Token | None, side: Token, percent: Token) -> Condition:
        share = Share(side.upper(), _decimal(percent), _at(side))
        if not 0 < share.percent <= 100:
            fail(_at(percent), "a share lies above 0% and up to 100%")
        return Condition(subject, "IN", (share,), no is not None, at=subject.at)

    def during(self, subject: Subject, no: Token | None, which: Token, unit: Token) -> Condition:
        period = Period(which.upper(), unit.upper(), _at(which))
        return Condition(subject, "IN", (period,), no is not None, at=subject.at)

    def pattern(
        self, subject: Subject, no: Token | None, kind: Token, operand: Operand, mode: Token | None
    ) -> Condition:
        written = _words(mode) if mode else ""
        return Condition(subject, _words(kind), (operand,), no is not None, written, subject.at)

    def quantified(
        self, subject: Subject, no: Token | None, kind: Token, which: Token, *operands: Operand
    ) -> Condition:
        if _words(kind) != "CONTAINS":
            fail(_at(which), f"{which.upper()} follows CONTAINS only")
        quantity, none = which.upper(), which.upper() == "NONE"
        operator = "CONTAINS ANY" if none else f"CONTAINS {quantity}"
        negated = (no is not None) != none
        return Condition(subject, operator, operands[1:], negated, at=subject.at)

    def missing(self, subject: Subject, no: Token | None) -> Condition:
        return Condition(subject, "IS NULL", (), no is not None, at=subject.at)

    # subjects and operands

    def field(self, token: Token) -> Name:
        return Name(str(token), _at(token))

    def subject(self, subject: Subject) -> Subject:
        return subject

    def call(self, name: Token, _: Token, argument: Token) -> Call:
        return Call(str(name), self.text(argument).value, _at(name))

    def moved(self, move: Token, call: Call) -> Call:
        return Call(move.upper(), _segment(call), _at(move))

    def aggregate_field(self, name: Token, every: Duration | None, field: Token) -> Aggregate:
        return Aggregate(str(name), Name(str(field), _at(field)), every, _at(name))

    def aggregate_events(self, name: Token, every: Duration | None, events: Events) -> Aggregate:
        return Aggregate(str(name), events, every, _at(name))

    def shifted(self, subject: Subject, offset: Token) -> Shifted:
        return Shifted(subject, self.offset(offset), subject.at)

    def scaled(self, factor: Token, operand: Subject | Statistic) -> Scaled:
        return Scaled(_decimal(factor), operand, _at(factor))

    def statistic(self, token: Token, step: Token | None) -> Statistic:
        deviations = _decimal(step) if step else Decimal(0)
        return Statistic(token.upper(), Decimal(0), deviations, _at(token))

    def percentile(self, token: Token) -> Statistic:
        percent = _decimal(token)
        if not 0 <= percent <= 100:
            fail(_at(token), "a percentile lies between 0 and 100")
        return Statistic("PERCENTILE", percent, Decimal(0), _at(token))

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
        sign, amount, unit = _measured(token)
        return _offset(token, sign + amount, unit)

    def ago(self, token: Token) -> Offset:
        amount, unit, _ = token.split("_")
        return _offset(token, f"-{amount}", unit[0].lower())

    def today(self, token: Token) -> Offset:
        return Offset(0 if token.lower() == "today" else -1, "d", _at(token))

    def boundary(self, bound: Token, which: Token, unit: Token) -> Boundary:
        return Boundary(bound[0] in "eE", which.upper(), unit.upper(), _at(bound))

    def variable(self, token: Token) -> Variable:
        return Variable(token[1:], at=_at(token))

    def variable_offset(self, token: Token) -> Variable:
        return Variable(token[1:].lstrip()[1:], token[0], _at(token))

    def DURATION(self, token: Token) -> Duration:  # noqa: N802 - lark calls terminals by name
        _, amount, unit = _measured(token)
        length = _offset(token, amount, unit)
        if not length.amount:
            fail(_at(token), f"{token} is no length of time")
        return Duration(length.amount, length.unit, length.at)


def _events(subject: Name | Call, token: Token, parameters: Parameters | None) -> Events:
    expressions, depth = parameters or ((), 0)
    if depth >= MAX_DEPTH:
        fail(_at(token), f"the rule is nested more than {MAX_DEPTH} levels deep")
    if isinstance(subject, Call):
        return Events(subject.name, subject.argument, expressions, subject.at)
    return Events(subject.value, None, expressions, subject.at)


def _segment(call: Call) -> str:
    if call.name != "segment":
        fail(call.at, f"expected segment('…'), found {call.name}('…'), which is to be compared")
    return call.argument


def _elapsed(within: Duration | None) -> Duration | None:
    if within is not None and within.unit in {"m", "y"}:
        fail(within.at, "WITHIN is counted in min, h, d or w: months and years differ in length")
    return within


_OLD_PARAMETERS = {
    "since": ("date", ">="),
    "until": ("date", "<="),
    "count_at_least": ("count", ">="),
}


def _words(token: Token) -> str:
    return " ".join(token.upper().split())


def _decimal(token: Token) -> Decimal:
    digits = "".join(token.split())
    if len(digits) > _MAX_DIGITS:
        fail(_at(token), f"the number {digits[:_MAX_DIGITS]}… is too long")
    return Decimal(digits)


def _measured(token: Token) -> tuple[str, str, str]:
    """Sign, digits and unit of a length of time."""
    found = re.match(r"([+-]?)\s*(\d+)", token)
    assert found is not None  # noqa: S101 - the terminals begin so
    return found[1], found[2], token[found.end() :]


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
        expected = _expected(error.accepts)
        if error.token.type == "$END":
            fail(_end(text), f"the rule ends where {expected} should follow")
        fail(at, f"expected {expected}, found {_found(error.token, expected)}")
    if isinstance(error, UnexpectedCharacters):
        allowed = error.allowed or set()
        if "_AND" in allowed:  # what closes parentheses is in it whether or not one is open
            allowed = {"$END", "_AND", "_OR"}
        fail(at, _unreadable(text[error.pos_in_stream :], _expected(allowed)))
    raise error


def _end(text: str) -> Position:
    lines = text.split("\n")
    return Position(len(lines), len(lines[-1]) + 1)


def _found(token: Token, expected: str) -> str:
    if token.type == "NAME" and expected == _VALUE:
        return f"'{token}'; write texts in single quotes"
    return str(token) if token.type == "TEXT" else f"'{token}'"


def _unreadable(rest: str, expected: str) -> str:
    first = rest[0]
    if first == "'":
        return "the text that begins here has no closing '"
    if first in '"`\u2018\u2019\u201c\u201d':
        return f"{first} does not begin a text; write texts in single quotes: 'VIP'"
    if first in _SPELLED:
        return f"{first} is written {_SPELLED[first]}"
    found = re.match(r"[\w.%+-]+|.", rest, re.DOTALL)
    return f"expected {expected}, found '{found[0] if found else first}'"


_SPELLED = {"\u2265": ">=", "\u2264": "<=", "\u2260": "!=", "$": "with a name, such as $limit"}
_VALUE = "a value"
_SIGNS = (
    ({"MOMENT"}, _VALUE),
    ({"OPERATOR", "PATTERN"}, "an operator such as =, >=, IN, CONTAINS, BETWEEN or MATCHES"),
    ({"NAME", "NOT", "LPAR"}, "a condition"),
    ({"NAME"}, "the name of a field or function"),
)
"""Terminals that are only accepted together, and the words for all that may stand there."""
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
    "STATISTIC": "AVERAGE, MEDIAN or PERCENTILE",
    "_DEVIATIONS": "DEVIATIONS",
    "DURATION": "a length of time such as 7d",
    "TEXT": "a text in single quotes",
    "UNIT": "DAY, WEEK, MONTH, QUARTER or YEAR",
    "NUMBER": "a number",
    "TRUTH": "true or false",
    "OPERATOR": "=",
}
_RARE = {
    "_THEN": "THEN, or MATCHES in front of the parentheses",
    "_MEMBER": "MEMBER OF segment('\u2026')",
    "_OF": "OF",
    "WHICH": "LAST, THIS or NEXT",
}
"""Said only where nothing else may follow."""


def _expected(terminals: Iterable[str]) -> str:
    known = set(terminals)
    for together, words in _SIGNS:
        if together <= known:
            return words
    if "_AND" in known:
        known.discard("LPAR")  # a word that could have been a function
    names = [word for terminal, word in _WORDS.items() if terminal in known]
    names = names or [word for terminal, word in _RARE.items() if terminal in known]
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
