"""Columns of values, and sums over the rows of one profile.

Groups are sums over row positions (``bincount``): money in whole minor units stays exact in
float64. Texts are looked at once per distinct text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentd.segmenter.frames import unpack
from segmentd.segmenter.predicates import Bools, Floats, Terms

Ints = npt.NDArray[np.int64]

NO_ROWS: Ints = np.zeros(0, np.int64)


class TermColumn:
    """A column of texts or lists of texts: for each row the number of its distinct value."""

    def __init__(self, codes: Ints, distinct: list[Terms]) -> None:
        self.codes = codes
        self.distinct = distinct

    def test(self, fulfils: Callable[[Terms], bool]) -> Bools:
        """Which rows fulfil a test."""
        return np.fromiter((fulfils(terms) for terms in self.distinct), bool)[self.codes]

    def numbers(self, read: Callable[[Terms], float]) -> Floats:
        """Every row read as a number."""
        return np.fromiter((read(terms) for terms in self.distinct), np.float64)[self.codes]

    def map(self, change: Callable[[Terms], Terms]) -> TermColumn:
        """Every distinct value changed."""
        return TermColumn(self.codes, [change(terms) for terms in self.distinct])

    def take(self, rows: npt.NDArray[Any]) -> TermColumn:
        """Some of the rows, by mask or position."""
        return TermColumn(self.codes[rows], self.distinct)

    def same(self, other: TermColumn) -> Bools:
        """Which rows have the same known text in both columns."""
        numbers: dict[Terms, int] = {}
        for terms in (*self.distinct, *other.distinct):
            numbers.setdefault(terms, len(numbers) if terms else -1)
        mine = np.array([numbers[terms] for terms in self.distinct])[self.codes]
        theirs = np.array([numbers[terms] for terms in other.distinct])[other.codes]
        same: Bools = (mine == theirs) & (mine >= 0)
        return same


def unknown(size: int) -> TermColumn:
    """A column in which every text is missing."""
    return TermColumn(np.zeros(size, np.int64), [()])


def texts(column: pd.Series[Any]) -> TermColumn:
    """Single texts; missing and empty ones have no term."""
    return _terms(column, lambda text: (text,) if text else ())


def lists(column: pd.Series[Any]) -> TermColumn:
    """Packed lists (see ``frames.pack``)."""
    return _terms(column, lambda text: tuple(unpack(text)))


def _terms(column: pd.Series[Any], split: Callable[[str], Terms]) -> TermColumn:
    codes, distinct = pd.factorize(column)
    known: list[Terms] = [split(text) for text in distinct.tolist()]
    missing = len(known)
    return TermColumn(np.where(codes < 0, missing, codes), [*known, ()])


def combined(*columns: TermColumn) -> tuple[Ints, list[tuple[Terms, ...]]]:
    """For each row the number of what stands in all columns, and for each number what it is."""
    widths = [len(column.distinct) for column in columns]
    mixed = np.ravel_multi_index([column.codes for column in columns], widths)
    codes, found = pd.factorize(mixed)
    parts = [
        [column.distinct[place] for place in places]
        for column, places in zip(columns, np.unravel_index(found, widths), strict=True)
    ]
    return codes.astype(np.int64), list(zip(*parts, strict=True))


def rows_of(names: pd.Series[Any]) -> dict[str, Ints]:
    """For each name where it stands in the column, in ascending order."""
    if names.empty:
        return {}
    found = names.groupby(names, sort=False).indices
    return {str(name): np.asarray(rows, np.int64) for name, rows in found.items()}


def floats(frame: pd.DataFrame, name: str) -> Floats:
    """A column as float64, NaN where missing."""
    return frame[name].to_numpy(np.float64, na_value=np.nan)


def positions_of(index: pd.Index[Any], ids: pd.Series[Any]) -> Ints:
    """Where each id stands in the index; -1 for one that is not in it."""
    return index.get_indexer(pd.Index(ids.to_numpy(np.int64)))


def least(positions: Ints, values: Floats, size: int) -> Floats:
    """The least value at each position; NaN for none."""
    result = np.full(size, np.inf)
    np.minimum.at(result, positions, values)
    result[np.isinf(result)] = np.nan
    return result


def divide(part: Floats, whole: Floats) -> Floats:
    """Quotients; NaN where there is nothing to divide by."""
    result = np.full(len(part), np.nan)
    np.divide(part, whole, out=result, where=whole != 0)
    return result


def soonest(instants: list[Floats | None]) -> Floats | None:
    """The earliest of several instants for each profile; None if there is none for anybody."""
    result = None
    for candidate in instants:
        if candidate is not None:
            result = candidate if result is None else np.fmin(result, candidate)
    return result
