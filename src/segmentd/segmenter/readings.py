"""Texts of traits and of events' properties, read as the type that they are compared with."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np

from segmentd.segmenter.columns import TermColumn
from segmentd.segmenter.days import day_start
from segmentd.segmenter.fields import Kind
from segmentd.segmenter.predicates import Floats, Terms

_NUMBER = re.compile(r"\s*[+-]?\d+(\.\d+)?\s*")
_DATE = re.compile(r"(19|2[01])\d\d-\d\d-\d\d([T ].+)?")
"""Of the years that rules can name."""
_TRUTHS = {"true": 1.0, "1": 1.0, "yes": 1.0, "false": 0.0, "0": 0.0, "no": 0.0}
"""Shopify writes true, WooCommerce and its plugins write 1 or yes."""


def read(column: TermColumn, kind: Kind, zone: ZoneInfo) -> Floats:
    """Numbers, dates (epoch seconds; a day is its begin) or truths; NaN where it cannot be read."""
    if kind is Kind.DATE:
        return column.numbers(lambda terms: _instant(terms, zone))
    return column.numbers(_truth if kind is Kind.TRUTH else _number)


def _number(terms: Terms) -> float:
    return float(terms[0]) if terms and _NUMBER.fullmatch(terms[0]) else np.nan


def _truth(terms: Terms) -> float:
    return _TRUTHS.get(terms[0].strip().lower(), np.nan) if terms else np.nan


def _instant(terms: Terms, zone: ZoneInfo) -> float:
    text = terms[0].strip() if terms else ""
    if not _DATE.fullmatch(text):
        return np.nan
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return np.nan
    if len(text) == len("2026-05-30"):
        return float(day_start(zone, value.toordinal()))
    return float((value if value.tzinfo else value.replace(tzinfo=zone)).timestamp() // 1)
