"""The least of all windows of a length."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

from segmentd.segmenter.language import Condition, Duration, Events, Name, Period
from segmenter_oracle.days import Exactly, Reference, World, moved, period


def first_day(
    events: Events, reference: Callable[[Any], Reference | Period | None], world: World
) -> date | None:
    """Where the filters say that the dates begin; ``reference`` tells what an operand names."""
    begins = []
    for each in events.parameters:
        match each:
            case Condition(Name("date"), ">=" | "BETWEEN" | "=" | "IN", (low,) | (low, _)):
                begin = _begin(reference(low), world, after=False)
            case Condition(Name("date"), ">", (low,)):
                begin = _begin(reference(low), world, after=True)
            case _:
                continue
        if begin is not None and not each.negated:
            begins.append(begin)
    return max(begins, default=None)


def _begin(named: Reference | Period | None, world: World, *, after: bool) -> date | None:
    match named:
        case None:
            return None
        case Period():
            return period(named, world)[0]
        case Exactly(instant):
            return world.day(instant + after)
    return named + timedelta(after)


def least_of_any_window(
    length: Duration, since: date, value: Callable[[date, date], Any], world: World
) -> Any:
    """The least value of all windows of a length between a day and today; None without one."""
    least = None
    last = since
    while last <= world.today:
        first = moved(last + timedelta(1), Duration(-length.amount, length.unit))
        if first >= since:
            found = value(first, last)
            least = found if least is None or found < least else least
        last += timedelta(1)
    return least
