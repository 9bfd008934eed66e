"""Rows of the frames that count now: orders, lines, refunds, and what else happened."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from segmentd.segmenter.columns import Ints, TermColumn, floats, least, lists, positions_of, texts
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.predicates import Bools, Floats

ALL = slice(None)


class EventTable:
    """Rows of a frame that count now, with the position of their profile."""

    def __init__(
        self, frame: pd.DataFrame, time: str, live: Bools, profiles: pd.Index[Any]
    ) -> None:
        """``time``: the column that tells when; ``live``: which rows of the frame count."""
        self._frame = frame
        self._time = time
        positions = positions_of(profiles, frame["profile_id"])
        self.rows = np.flatnonzero(live & (positions >= 0))
        """Positions in the frame."""
        self.profile: Ints = positions[self.rows]
        """Positions of the profiles in the partition."""
        self.size = len(profiles)
        """Profiles in the partition."""

    def floats(self, name: str) -> Floats:
        """A number column of the frame, of these rows."""
        return floats(self._frame, name)[self.rows]

    def ints(self, name: str) -> Ints:
        """An integer column of the frame, of these rows."""
        return self._frame[name].to_numpy(np.int64)[self.rows]

    def terms(self, name: str, *, packed: bool = False) -> TermColumn:
        """A text column of the frame, of these rows."""
        column = self._frame[name].iloc[self.rows]
        return lists(column) if packed else texts(column)

    @cached_property
    def placed(self) -> Floats:
        """When it happened."""
        return self.floats(self._time)

    @cached_property
    def orders(self) -> tuple[Ints, Ints]:
        """For each row the number of its order, and for each number the order's profile."""
        codes, distinct = pd.factorize(self.ints("order_id"))
        profile = np.zeros(len(distinct), np.int64)
        profile[codes] = self.profile
        return codes, profile

    def count(self, rows: Bools | slice = ALL) -> Floats:
        """Rows of each profile."""
        return np.bincount(self.profile[rows], minlength=self.size).astype(np.float64)

    def count_orders(self, rows: Bools | slice = ALL) -> Floats:
        """Distinct orders of each profile."""
        codes, profile = self.orders
        seen = np.zeros(len(profile), bool)
        seen[codes[rows]] = True
        return np.bincount(profile[seen], minlength=self.size).astype(np.float64)

    def sum(self, values: Floats, rows: Bools | slice = ALL) -> Floats:
        """Sums per profile; missing values add nothing."""
        weights = np.nan_to_num(values[rows])
        return np.bincount(self.profile[rows], weights, minlength=self.size).astype(np.float64)

    def least(self, values: Floats, rows: Bools | slice = ALL) -> Floats:
        """The least of the rows' values per profile; NaN for none."""
        return least(self.profile[rows], values[rows], self.size)


def counted(frame: pd.DataFrame, clock: Clock) -> Bools:
    """Which orders, lines or refunds count now: of paid orders that stand."""
    live: Bools = (floats(frame, "counted") == 1) & (floats(frame, "placed_at") <= clock.now)
    live &= ~(floats(frame, "cancelled_at") <= clock.now)
    return live
