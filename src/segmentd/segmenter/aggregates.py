"""One value per profile out of the events that fulfil a function's filters.

Sums and counts of nothing are 0; every other aggregate of nothing is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentd.segmenter.columns import Ints, TermColumn, divide
from segmentd.segmenter.events import EventTable
from segmentd.segmenter.predicates import Bools, Floats


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows of a table that an aggregate is taken over."""

    table: EventTable
    rows: Bools

    @property
    def count(self) -> Floats:
        """Rows of each profile."""
        return self.table.count(self.rows)

    def known(self, values: Floats) -> Chosen:
        """Those of the rows that have a value."""
        return Chosen(self.table, self.rows & ~np.isnan(values))


def of_numbers(operation: str, values: Floats, chosen: Chosen) -> Floats:
    """An aggregate of a number property; ``values`` has one for every row of the table."""
    return _OF_NUMBERS[operation](values, chosen)


def of_texts(operation: str, column: TermColumn, chosen: Chosen) -> Floats:
    """How many different values there are, or the share of the most frequent one.

    ``column`` has a value for every row of the table; what counts as equal is written equally.
    """
    profiles, codes = _entries(column, chosen)
    return _OF_CODES[operation](profiles, codes, chosen)


def outermost_texts(operation: str, column: TermColumn, chosen: Chosen) -> TermColumn:
    """The text of the first or last event of each profile."""
    rows = _outermost(operation, chosen, ())
    codes = np.full(chosen.table.size, len(column.distinct), np.int64)
    codes[chosen.table.profile[rows]] = column.codes[rows]
    return TermColumn(codes, [*column.distinct, ()])


# numbers


def _average(values: Floats, chosen: Chosen) -> Floats:
    known = chosen.known(values)
    return divide(known.table.sum(values, known.rows), known.count)


def _least(values: Floats, chosen: Chosen) -> Floats:
    return chosen.table.least(values, chosen.known(values).rows)


def _median(values: Floats, chosen: Chosen) -> Floats:
    known = chosen.known(values)
    rows = np.flatnonzero(known.rows)
    rows = rows[np.lexsort((values[rows], known.table.profile[rows]))]
    counts = known.count
    some = counts > 0
    begins = np.cumsum(counts) - counts
    low, high = (
        values[rows[(begins + rank)[some].astype(np.int64)]]
        for rank in ((counts - 1) // 2, counts // 2)
    )
    result = np.full(len(counts), np.nan)
    result[some] = (low + high) / 2
    return result


def _share(values: Floats, chosen: Chosen) -> Floats:
    return divide(chosen.table.sum(values, chosen.rows), chosen.table.sum(values))


def _outermost_number(operation: str) -> Callable[[Floats, Chosen], Floats]:
    def of(values: Floats, chosen: Chosen) -> Floats:
        rows = _outermost(operation, chosen, (values,))
        result = np.full(chosen.table.size, np.nan)
        result[chosen.table.profile[rows]] = values[rows]
        return result

    return of


def _outermost(operation: str, chosen: Chosen, ties: Iterable[npt.NDArray[Any]]) -> Ints:
    """The rows of the first or last instant of each profile; of several the wanted one stands last.

    At one instant the lower id comes first, then the lower product, then what has less of ``ties``.
    """
    table = chosen.table
    sign = 1.0 if operation == "first" else -1.0
    rows = np.flatnonzero(chosen.rows)
    best = table.least(sign * table.placed, chosen.rows)
    rows = rows[sign * table.placed[rows] == best[table.profile[rows]]]
    keys = [key[rows] for key in (*ties, *table.identity)]
    ordered: Ints = rows[np.lexsort(keys)]
    return ordered[::-1] if operation == "first" else ordered


_OF_NUMBERS: dict[str, Callable[[Floats, Chosen], Floats]] = {
    "sum": lambda values, chosen: chosen.table.sum(values, chosen.rows),
    "average": _average,
    "min": _least,
    "max": lambda values, chosen: -_least(-values, chosen),
    "median": _median,
    "first": _outermost_number("first"),
    "last": _outermost_number("last"),
    "share": _share,
    "distinct": lambda values, chosen: _distinct(*_places(values, chosen), chosen),
    "top_share": lambda values, chosen: _top_share(*_places(values, chosen), chosen),
}


# different values


def _places(values: Floats, chosen: Chosen) -> tuple[Ints, Ints]:
    """Profile and number of the value, for each row that has one."""
    known = chosen.known(values).rows
    return chosen.table.profile[known], pd.factorize(values[known])[0]


def _entries(column: TermColumn, chosen: Chosen) -> tuple[Ints, Ints]:
    """Profile and number of the text, for each different text of each row."""
    numbers: dict[str, int] = {}
    entries = [
        sorted({numbers.setdefault(term, len(numbers)) for term in terms})
        for terms in column.distinct
    ]
    lengths = np.array([len(entry) for entry in entries], np.int64)
    flat = np.array([number for entry in entries for number in entry], np.int64)
    codes = column.codes[chosen.rows]
    repeats = lengths[codes]
    ends = np.cumsum(repeats)
    begins = (np.cumsum(lengths) - lengths)[codes]
    within = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - repeats, repeats)
    profiles = np.repeat(chosen.table.profile[chosen.rows], repeats)
    return profiles, flat[np.repeat(begins, repeats) + within]


def _distinct(profiles: Ints, codes: Ints, chosen: Chosen) -> Floats:
    pairs, width = _pairs(profiles, codes)
    counts = np.bincount(pd.unique(pairs) // width, minlength=chosen.table.size)
    return counts.astype(np.float64)


def _top_share(profiles: Ints, codes: Ints, chosen: Chosen) -> Floats:
    pairs, width = _pairs(profiles, codes)
    numbers, distinct = pd.factorize(pairs)
    most = np.zeros(chosen.table.size)
    np.maximum.at(most, distinct // width, np.bincount(numbers).astype(np.float64))
    return divide(most, np.where(most > 0, chosen.count, 0))


def _pairs(profiles: Ints, codes: Ints) -> tuple[Ints, int]:
    width = int(codes.max()) + 1 if len(codes) else 1
    return profiles * width + codes, width


_OF_CODES: dict[str, Callable[[Ints, Ints, Chosen], Floats]] = {
    "distinct": _distinct,
    "top_share": _top_share,
}
