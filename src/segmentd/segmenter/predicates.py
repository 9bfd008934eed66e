"""One comparison, on many values at once; a missing value fulfils none."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import re2

from segmentd.segmenter.fields import Field, Kind
from segmentd.segmenter.language import QUANTIFIED, Condition, Number, Operand, Text, Truth

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

Terms = tuple[str, ...]
"""The texts of one value: none if it is missing, several for a list."""
Test = Callable[[str], bool]


class Multiple(NamedTuple):
    """A factor times one number for all, or one for each."""

    factor: Fraction
    values: float | Floats


Bound = float | Floats | Multiple
"""What numbers are compared with: one number for all, or one for each."""

_COMPARED: dict[str, Callable[[Floats, float | Floats], Bools]] = {
    "=": np.equal,
    "IN": np.equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "<": np.less,
    "<=": np.less_equal,
}


def compare(values: Floats, operator: str, bounds: Sequence[Bound]) -> Bools:
    """Compare numbers; NaN is missing. ``bounds``: two for BETWEEN, any number for IN."""
    if operator == "BETWEEN":
        return _compared(values, ">=", bounds[0]) & _compared(values, "<=", bounds[1])
    if operator == "IN" and len(bounds) > 1:
        return np.isin(values, [bound for bound in bounds if isinstance(bound, float)])
    return _compared(values, operator, bounds[0])


def _compared(values: Floats, operator: str, bound: Bound) -> Bools:
    if not isinstance(bound, Multiple):
        return _COMPARED[operator](values, bound)
    # both sides times the factor's denominator: whole numbers stay exact
    numerator, denominator = bound.factor.as_integer_ratio()
    return _COMPARED[operator](values * denominator, bound.values * numerator)


def number(operand: Operand, scale: int = 0) -> float:
    """A literal as a number, moved by ``scale`` decimals: the nearest float of the exact value."""
    return float(operand.value.scaleb(scale)) if isinstance(operand, Number) else np.nan


def term_test(condition: Condition, field: Field) -> Callable[[Terms], bool]:
    """Whether a value fulfils the condition (its negation left aside): any of its texts does."""
    if condition.operator == "IS NULL":
        return lambda terms: not terms
    tests = _tests(condition, field)
    if condition.operator == "CONTAINS ALL":
        return lambda terms: all(any(map(test, terms)) for test in tests)
    return lambda terms: any(test(term) for term in terms for test in tests)


def _tests(condition: Condition, field: Field) -> list[Test]:
    """Those of which one has to hold, or for CONTAINS ALL every one."""
    wanted = [_literal(operand) for operand in condition.operands]
    if condition.operator == "REGEX":
        return [_regex(pattern, field, condition.mode) for pattern in wanted]
    prepare = prepared(field, condition.mode)
    wanted = [prepare(text) for text in wanted]
    operator = _meaning(condition.operator, field)
    if operator == "=" and condition.operator != "CONTAINS ALL":
        return [_prepared_first(prepare, frozenset(wanted).__contains__)]
    return [_prepared_first(prepare, _text_test(operator, text)) for text in wanted]


def _prepared_first(prepare: Callable[[str], str], test: Test) -> Test:
    return lambda text: test(prepare(text))


def _meaning(operator: str, field: Field) -> str:
    operator = "CONTAINS" if operator in QUANTIFIED else operator
    is_list = field.kind in {Kind.LIST, Kind.TERMS}
    return "=" if operator == "IN" or (is_list and operator == "CONTAINS") else operator


def _literal(operand: Operand) -> str:
    match operand:
        case Text(value):
            return value
        case Number(value):
            return format(value, "f")
        case Truth(value):
            return str(value)
        case _:
            return ""


def prepared(field: Field, mode: str = "") -> Callable[[str], str]:
    """What makes texts of a field equal that the language takes for equal."""
    fold = _folded(field, mode)
    if field.kind is Kind.ID:
        # Shopify writes ids as gid://shopify/Product/1 in its API and as 1 in segment queries
        return lambda text: fold(text.rpartition("/")[2])
    return fold


def _folded(field: Field, mode: str) -> Callable[[str], str]:
    if mode == "IGNORING ACCENTS":
        return lambda text: _without_accents(text).casefold()
    if mode == "MATCHING CASE" or field.exact:
        return str
    return str.casefold


def _without_accents(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _text_test(operator: str, wanted: str) -> Test:
    match operator:
        case "=":
            return wanted.__eq__
        case "CONTAINS":
            return lambda text: wanted in text
        case "STARTS WITH":
            return lambda text: text.startswith(wanted)
        case "ENDS WITH":
            return lambda text: text.endswith(wanted)
        case _:
            return like(wanted)


def like(pattern: str) -> Test:
    """SQL's LIKE: ``%`` stands for any text, ``_`` for one character.

    Every part between two ``%`` is taken at its first place and never tried again (atomic group):
    that finds a match if there is one, and keeps the time linear in the length of the text.
    """
    *parts, last = [_part(part) for part in pattern.split("%")]
    if not parts:
        return _matcher(last)
    inner = "".join(f"(?>.*?{part})" for part in parts[1:])
    return _matcher(f"{parts[0]}{inner}.*{last}")


def _part(text: str) -> str:
    return "".join("." if character == "_" else re.escape(character) for character in text)


def _matcher(expression: str) -> Test:
    compiled = re.compile(expression, re.DOTALL)
    return lambda text: compiled.fullmatch(text) is not None


def _regex(pattern: str, field: Field, mode: str) -> Test:
    """A pattern found anywhere in the text, by an engine whose time is linear in its length."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = _folded(field, mode) is str
    if mode != "IGNORING ACCENTS":
        search = re2.compile(pattern, options).search
        return lambda text: search(text) is not None
    bare = re2.compile(_pattern_without_accents(pattern), options).search
    return lambda text: bare(_without_accents(text)) is not None


def _pattern_without_accents(pattern: str) -> str:
    """Letters alone are changed: a decomposed sign might have a meaning in the pattern."""
    composed = unicodedata.normalize("NFC", pattern)
    return "".join(_without_accents(c) if c.isalpha() else c for c in composed)
