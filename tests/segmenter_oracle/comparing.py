"""One value and what a rule compares it with: numbers and texts."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from segmentd.segmenter.fields import Field, Kind
from segmentd.segmenter.language import Condition, Number, Text, Truth
from segmenter_oracle.days import COMPARED

LISTS = {Kind.LIST, Kind.TERMS}


def number_holds(operator: str, value: Any, others: Sequence[Any]) -> bool:
    """Compare numbers; a missing one (None) makes it false."""
    if any(other is None for other in others):
        return False
    match operator:
        case "IN":
            return value in others
        case "BETWEEN":
            return bool(others[0] <= value <= others[1])
    return bool(COMPARED[operator](value, others[0]))


def written_number(text: str) -> Fraction | None:
    """The number that a text spells."""
    return Fraction(text) if re.fullmatch(r"[+-]?\d+(\.\d+)?", text.strip()) else None


def text_holds(condition: Condition, field: Field, values: Sequence[str]) -> bool:
    """Whether any text fulfils it; of a list, any element."""
    wanted = [_literal(operand) for operand in condition.operands]
    operator = condition.operator
    if operator == "REGEX":
        return any(_finds(wanted[0], value, condition.mode, field) for value in values)
    values = [folded(value, condition.mode, field) for value in values]
    wanted = [folded(value, condition.mode, field) for value in wanted]
    part = "=" if field.kind in LISTS else "CONTAINS"
    match operator:
        case "IN":
            return any(_fits("=", value, each) for value in values for each in wanted)
        case "CONTAINS ANY":
            return any(_fits(part, value, each) for value in values for each in wanted)
        case "CONTAINS ALL":
            return all(any(_fits(part, value, each) for value in values) for each in wanted)
        case "CONTAINS":
            operator = part
    return any(_fits(operator, value, wanted[0]) for value in values)


def folded(text: str, mode: str, field: Field) -> str:
    """What is left of a text where case (and accents) do not matter."""
    if field.kind is Kind.ID:
        text = text.split("/")[-1]
    if mode == "IGNORING ACCENTS":
        return bare(text).casefold()
    if mode == "MATCHING CASE" or (field.exact and not mode):
        return text
    return text.casefold()


def bare(text: str) -> str:
    """Without accents."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(character for character in apart if not unicodedata.combining(character))


def _literal(operand: Any) -> str:
    match operand:
        case Text(value):
            return value
        case Number(value):
            return format(value, "f")
        case Truth(value):
            return str(value)
    raise AssertionError(operand)


def _fits(operator: str, value: str, wanted: str) -> bool:
    match operator:
        case "=":
            return value == wanted
        case "CONTAINS":
            return wanted in value
        case "STARTS WITH":
            return value.startswith(wanted)
        case "ENDS WITH":
            return value.endswith(wanted)
        case "LIKE":
            wild = "".join({"%": ".*", "_": "."}.get(x, re.escape(x)) for x in wanted)
            return re.fullmatch(wild, value, re.DOTALL) is not None
    raise AssertionError(operator)


def _finds(pattern: str, value: str, mode: str, field: Field) -> bool:
    """A pattern fits anywhere in the text."""
    exact = mode == "MATCHING CASE" or (field.exact and not mode)
    if mode == "IGNORING ACCENTS":
        pattern, value = bare(pattern), bare(value)
    return re.search(pattern, value, 0 if exact else re.IGNORECASE) is not None
