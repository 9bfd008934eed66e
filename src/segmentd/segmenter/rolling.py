"""The least sum or count of any window of a length, e.g. of all 90 days in a row of a year.

A window is named by its last day. What happened on a day lies in the windows from that day on until
the first that lies wholly after it: only at these two days the sum over a window changes, so only
they are looked at. Days are ordinals of the shop's calendar.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from segmentd.segmenter.aggregates import Chosen
from segmentd.segmenter.columns import least
from segmentd.segmenter.comparisons import edge_at
from segmentd.segmenter.days import add_months, each_day
from segmentd.segmenter.evaluation import Evaluation
from segmentd.segmenter.instants import Clock, Edge, spans
from segmentd.segmenter.language import Aggregate, Condition, Duration, Events, Name
from segmentd.segmenter.predicates import Floats

_DAYS = {"d": 1, "w": 7}
_MONTHS = {"m": 1, "y": 12}


def windows_of(aggregate: Aggregate, evaluation: Evaluation) -> Windows | None:
    """The windows of ``EVERY …``; None where the aggregate is taken over all, or over nothing."""
    if aggregate.every is None or not isinstance(aggregate.of, Events):
        return None
    table = evaluation.table(aggregate.of)
    if table is None:
        return None
    chosen = Chosen(table, evaluation.rows(aggregate.of))
    begins = _begins(aggregate.of, evaluation)
    return Windows(aggregate.every, chosen, begins, evaluation.facts.clock)


def _begins(events: Events, evaluation: Evaluation) -> Floats:
    """The first day that the filters of events let in, of each profile; NaN without a limit."""
    facts = evaluation.facts
    begins = np.full(facts.size, np.nan)
    for edges in low_edges(events):
        lows = [np.broadcast_to(edge_at(edge, evaluation), facts.size) for edge in edges]
        begins = np.fmax(begins, facts.clock.days(np.fmin.reduce(lows)))
    return begins


def low_edges(events: Events) -> Iterator[list[Edge]]:
    """For each filter that lets no date before an edge in: all edges at which its spans begin."""
    for parameter in events.parameters:
        match parameter:
            case Condition(Name("date"), negated=False):
                lows = [span.low for span in spans(parameter)]
                known = [low for low in lows if low is not None]
                if known and len(known) == len(lows):
                    yield known


class Windows:
    """All windows of a length of whole days up to today.

    ``begins``: the first day of each profile that may lie in a window, NaN for that of the first
    event.
    """

    def __init__(self, length: Duration, chosen: Chosen, begins: Floats, clock: Clock) -> None:
        self._length = length
        self._chosen = chosen
        self._clock = clock
        self._rows = np.flatnonzero(chosen.rows)
        self.profiles = chosen.table.profile[self._rows]
        """The position of the profile of every event."""
        self._days = clock.days(chosen.table.placed[self._rows])
        self._over = each_day(self._days, self._first_after)
        firsts = least(self.profiles, self._days, chosen.table.size)
        begins = np.where(np.isnan(begins), firsts, begins)
        self._complete = each_day(begins - 1, self._first_after)
        """The last day of the first window of each profile."""

    def least_sum(self, values: Floats) -> Floats:
        """The least sum of ``values`` (one for each row of the table); 0 without an event, NaN as
        long as no window is complete."""
        return self._least(self._days, np.nan_to_num(values[self._rows]))

    def least_count(self, *, of_orders: bool) -> Floats:
        """The least number of events, or of the different orders that they belong to."""
        begins = self._days
        if of_orders:
            begins = begins.copy()
            codes = self._chosen.table.orders[0][self._rows]
            order = np.lexsort((self._days, codes))
            same = np.flatnonzero(np.diff(codes[order]) == 0)
            # the windows that hold an earlier event of the order have counted it already
            again, before = order[same + 1], order[same]
            begins[again] = np.maximum(begins[again], self._over[before])
        return self._least(begins, np.ones(len(begins)))

    def due(self) -> Floats:
        """When the next window differs from the one before it, or the first one is complete."""
        size, today = self._chosen.table.size, self._clock.today
        ahead = self._over > today
        changes = least(self.profiles[ahead], self._over[ahead], size)
        coming = np.where(
            (self._complete > today) & (self._chosen.count > 0), self._complete, np.nan
        )
        return self._clock.starts(np.fmin(changes, coming))

    def before(self) -> Floats:
        """For each row of the events the begin of the day before the windows that end with the day
        before it: once windows must begin later than that, these are no longer among them."""
        return self._clock.starts(each_day(self._days, self._back))

    def _least(self, begins: Floats, values: Floats) -> Floats:
        size, today = self._chosen.table.size, self._clock.today
        first = np.where(self._complete <= today, self._complete, np.nan)
        some = np.flatnonzero(~np.isnan(first))
        profiles = np.concatenate((self.profiles, self.profiles, some))
        days = np.concatenate((begins, self._over, first[some]))
        # whatever changed before the first window is part of it
        days = np.fmax(days, first[profiles])
        changes = np.concatenate((values, -values, np.zeros(len(some))))
        order = np.lexsort((days, profiles))
        profiles, days, sums = profiles[order], days[order], np.cumsum(changes[order])
        ends = (np.diff(profiles, append=-1) != 0) | (np.diff(days, append=-1) != 0)
        asked = ends & (days <= today) & ~np.isnan(first[profiles])
        result = least(profiles[asked], sums[asked], size)
        return np.where(self._chosen.count > 0, result, 0.0)

    def _back(self, day: int) -> int:
        """The first day of the window that ends with the day before."""
        if self._length.unit in _DAYS:
            return day - self._length.amount * _DAYS[self._length.unit]
        return add_months(day, -self._length.amount * _MONTHS[self._length.unit])

    def _first_after(self, day: int) -> int:
        """The last day of the first window that lies wholly after a day."""
        if self._length.unit in _DAYS:
            return day + self._length.amount * _DAYS[self._length.unit]
        # near the end of months several days go back to the same one
        last = add_months(day, self._length.amount * _MONTHS[self._length.unit]) - 4
        while self._back(last + 1) <= day:
            last += 1
        return last
