"""Rows of the frames that count now: orders, lines, refunds, and what else happened."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from segmentd.segmenter.columns import (
    NO_ROWS,
    Ints,
    TermColumn,
    floats,
    least,
    lists,
    positions_of,
    rows_of,
    texts,
)
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import Events
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

    @property
    def identity(self) -> tuple[Ints, ...]:
        """What tells rows of one instant apart, the most significant last."""
        columns = [name for name in ("product_id", "order_id", "event_id") if name in self._frame]
        return tuple(self.ints(name) for name in columns)

    @cached_property
    def orders(self) -> tuple[Ints, Ints]:
        """For each row the number of its order, and for each number the order's profile."""
        codes, distinct = pd.factorize(self.ints("order_id"))
        profile = np.zeros(len(distinct), np.int64)
        profile[codes] = self.profile
        return codes, profile

    @cached_property
    def sequence(self) -> tuple[Ints, Ints]:
        """The rows of orders by profile and time, and for each where those of its profile begin."""
        rows = np.lexsort((self.ints("order_id"), self.placed, self.profile))
        begins = np.flatnonzero(np.diff(self.profile[rows], prepend=-1))
        return rows, np.repeat(begins, np.diff(begins, append=len(rows)))

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

    def latest(self, rows: Bools | slice = ALL) -> Floats:
        """When the last of the rows happened, per profile; NaN for none."""
        return -self.least(-self.placed, rows)


class Tables:
    """All that happened to the profiles of a partition and counts now."""

    def __init__(self, frames: Frames, clock: Clock) -> None:
        self.frames = frames
        self.clock = clock
        self.profile_ids: Ints = frames.profiles["profile_id"].to_numpy(np.int64)
        self.index = pd.Index(self.profile_ids, name="profile_id")
        self.size = len(self.index)
        self._named: dict[str, EventTable] = {}

    @cached_property
    def orders(self) -> EventTable:
        """Orders that count now."""
        return self._ordered(self.frames.orders)

    @cached_property
    def lines(self) -> EventTable:
        """Lines of orders that count now."""
        return self._ordered(self.frames.lines)

    @cached_property
    def refunds(self) -> EventTable:
        """Refunds until now of orders that count now."""
        frame = self.frames.refunds
        live = self._counted(frame) & (floats(frame, "created_at") <= self.clock.now)
        return EventTable(frame, "created_at", live, self.index)

    @cached_property
    def checkouts(self) -> EventTable:
        """Checkouts that were begun and left open, with no order since."""
        begun = self.happened("checkout")
        ended = begun.floats("ended_at") <= self.clock.now
        ordered = self.orders.latest()[begun.profile] > begun.placed
        live = np.zeros(len(self.frames.events), bool)
        live[begun.rows[~ended & ~ordered]] = True
        return EventTable(self.frames.events, "at", live, self.index)

    def happened(self, name: str) -> EventTable:
        """Events of a name until now."""
        if name not in self._named:
            frame = self.frames.events
            live = np.zeros(len(frame), bool)
            live[self._events.get(name, NO_ROWS)] = True
            live &= floats(frame, "at") <= self.clock.now
            self._named[name] = EventTable(frame, "at", live, self.index)
        return self._named[name]

    def table(self, events: Events) -> EventTable | None:
        """What a function looks at; None where nothing fills it."""
        match events.function:
            case "orders_placed":
                return self.orders
            case "products_purchased":
                return self.lines
            case "refunds_received":
                return self.refunds
            case "checkouts_abandoned":
                return self.checkouts
            case "events":
                return self.happened(events.argument or "")
            case name if name.startswith(_NAMED):
                return self.happened(name.replace("storefront_event.", "storefront."))
            case _:
                return None

    @cached_property
    def _events(self) -> dict[str, Ints]:
        return rows_of(self.frames.events["name"])

    def _ordered(self, frame: pd.DataFrame) -> EventTable:
        return EventTable(frame, "placed_at", self._counted(frame), self.index)

    def _counted(self, frame: pd.DataFrame) -> Bools:
        """Of paid orders that stand."""
        live: Bools = floats(frame, "counted") == 1
        live &= floats(frame, "placed_at") <= self.clock.now
        live &= ~(floats(frame, "cancelled_at") <= self.clock.now)
        return live


_NAMED = ("shopify_email.", "storefront.", "storefront_event.")
