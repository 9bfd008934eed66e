"""One comparison, on many values at once; a missing value fulfils none."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from segmentd.segmenter.fields import Field, Kind
from segmentd.segmenter.language import Condition, Number, Operand, Text, Truth

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

Terms = tuple[str, ...]
"""The texts of one value: none if it is missing, several for a list."""


def compare(values: Floats, operator: str, bounds: list[float]) -> Bools:
    """Compare numbers; NaN is missing. ``bounds``: two for BETWEEN, any number for IN."""
    first = bounds[0] if bounds else 0.0
    match operator:
        case "=" | "IN":
            return np.isin(values, bounds)
        case ">":
            return values > first
        case ">=":
            return values >= first
        case "<":
            return values < first
        case "<=":
            return values <= first
        case "BETWEEN":
            return (values >= first) & (values <= bounds[1])
        case _:
            return np.isnan(values)


def number(operand: Operand, scale: int = 0) -> float:
    """A literal as a number, moved by ``scale`` decimals: the nearest float of the exact value."""
    return float(operand.value.scaleb(scale)) if isinstance(operand, Number) else np.nan


def term_test(condition: Condition, field: Field) -> Callable[[Terms], bool]:
    """Whether any text of a value fulfils the condition (its negation left aside)."""
    if condition.operator == "IS NULL":
        return lambda terms: not terms
    prepare = _prepared(field)
    wanted = [prepare(_literal(operand)) for operand in condition.operands]
    test = _text_test(_meaning(condition.operator, field), wanted)
    return lambda terms: any(test(prepare(term)) for term in terms)


def _meaning(operator: str, field: Field) -> str:
    is_list = field.kind in {Kind.LIST, Kind.TERMS}
    return "IN" if operator == "=" or (is_list and operator == "CONTAINS") else operator


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


def _prepared(field: Field) -> Callable[[str], str]:
    if field.exact:
        return str
    if field.kind is Kind.ID:
        # Shopify writes ids as gid://shopify/Product/1 in its API and as 1 in segment queries
        return lambda text: text.rpartition("/")[2].casefold()
    return str.casefold


def _text_test(operator: str, wanted: list[str]) -> Callable[[str], bool]:
    first = wanted[0]
    match operator:
        case "IN":
            return frozenset(wanted).__contains__
        case "CONTAINS":
            return lambda text: first in text
        case "STARTS WITH":
            return lambda text: text.startswith(first)
        case "ENDS WITH":
            return lambda text: text.endswith(first)
        case _:
            return like(first)


def like(pattern: str) -> Callable[[str], bool]:
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


def _matcher(expression: str) -> Callable[[str], bool]:
    compiled = re.compile(expression, re.DOTALL)
    return lambda text: compiled.fullmatch(text) is not None
