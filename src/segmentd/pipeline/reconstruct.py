"""Reconstruct: the past that a rule would have had, from what is known of it today.

Nothing of it is stored, and it need not be what was stored: facts that came late or were mended are
in it, facts without a date are as they are today, and who came and went again between two instants
is not seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial, reduce

from segmentd.pipeline.ask import Asking
from segmentd.pipeline.history import Calendar, Period
from segmentd.segmenter.reconstruct import Moves, moves, undated

_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """A past that was computed afterwards."""

    periods: list[Period]
    """Oldest first, without causes: what came and went is told by comparing their ends."""
    notes: tuple[str, ...]
    """What it does not know, in sentences."""


def reconstruct(ask: Asking, key: str, calendar: Calendar, since: datetime) -> Reconstruction:
    """The periods of a segment from the one of ``since`` to that of now."""
    begins = calendar.periods(since, ask.now)
    # what happens at midnight belongs to the day that begins
    at = [*(calendar.instant(day) - _SECOND for day in begins), ask.now]
    ask = ask.of(key)
    ruleset, thresholds = ask.settled(at)
    work = partial(moves, ruleset, key=key, at=at, thresholds=thresholds)
    parts = ask.each_range(ruleset.needs, work)
    total = reduce(Moves.__add__, parts, Moves.none(len(at)))
    periods = [
        Period(begin, int(total.size[n]), int(total.entered[n]), int(total.left[n]))
        for n, begin in enumerate(begins, start=1)
    ]
    return Reconstruction(periods, tuple(_notes(ask)))


def _notes(ask: Asking) -> Iterator[str]:
    names = undated(ask.ruleset)
    if names:
        yield f"as they are today, since nobody knows how they were: {', '.join(names)}"
    yield "descriptions and prices of products are those of today"
    if ask.ruleset.fitted:
        yield "limits fitted to the store are those of today"
    if ask.ruleset.remembered:
        yield "who was a member before is known from what was stored then, and of new rules not"
