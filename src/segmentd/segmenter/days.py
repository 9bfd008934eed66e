"""Days and clocks of a time zone; a day is the ordinal of its date."""

from __future__ import annotations

import calendar
from collections.abc import Callable
from datetime import UTC, date, datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

EPOCH = date(1970, 1, 1).toordinal()
_MONTHS = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}
FIRST, LAST = date(1, 1, 3).toordinal(), date(9999, 12, 29).toordinal()
"""Days whose neighbours are in the calendar too, whatever the zone."""


@lru_cache(maxsize=65_536)
def day_start(zone: ZoneInfo, ordinal: int) -> int:
    """Epoch seconds of the first instant of a day.

    A midnight that the clocks skip or repeat is its first reading (``fold=0``): the instant of the
    change itself where midnight is skipped.
    """
    day = date.fromordinal(ordinal)
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def each_day(days: Floats, change: Callable[[int], int]) -> Floats:
    """What becomes of each day, computed once per distinct day; NaN stays, and so becomes what lies
    beyond the calendar."""
    known = (days >= FIRST) & (days <= LAST)
    if not known.any():
        return np.full(len(days), np.nan)
    first = int(days[known].min())
    places = (days[known] - first).astype(np.int64)
    present = np.flatnonzero(np.bincount(places))
    changed = np.zeros(int(present[-1]) + 1)
    changed[present] = [change(first + place) for place in present.tolist()]
    result = np.full(len(days), np.nan)
    result[known] = changed[places]
    return result


def add_months(ordinal: int, months: int) -> int:
    """The same day of another month, or its last day if it is shorter."""
    day = date.fromordinal(ordinal)
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    last = calendar.monthrange(year, month)[1]
    return date(year, month, min(day.day, last)).toordinal()


def period_start(today: int, unit: str, shift: int, week_start: int) -> int:
    """The first day of the calendar unit ``shift`` units after the one that today is in."""
    day = date.fromordinal(today)
    if unit == "DAY":
        return today + shift
    if unit == "WEEK":
        return today - (day.weekday() - week_start) % 7 + 7 * shift
    months = _MONTHS[unit]
    into = (day.month - 1) % months
    return add_months(day.replace(day=1).toordinal(), months * shift - into)


def months_of(days: Floats) -> Floats:
    """The calendar month (1 to 12) of each day."""
    months = (days - EPOCH).astype("M8[D]").astype("M8[M]").astype(np.int64)
    return (months % 12 + 1).astype(np.float64)


def weekdays_of(days: Floats) -> Floats:
    """The weekday of each day, 1 for Monday."""
    return (days - 1) % 7 + 1


def offsets(zone: ZoneInfo, first: float, last: float) -> tuple[Floats, Floats]:
    """From when on (epoch seconds) the zone's clock is how many seconds ahead of UTC."""
    years = range(_year(first), _year(last) + 1)
    changes = [change for year in years for change in _changes(zone, year)]
    begins, shifts = zip(*changes, strict=True)
    return np.array(begins, float), np.array(shifts, float)


def _year(instant: float) -> int:
    return datetime.fromtimestamp(instant, UTC).year


@lru_cache(maxsize=1_024)
def _changes(zone: ZoneInfo, year: int) -> tuple[tuple[int, int], ...]:
    """The offset at the begin of a year (UTC), and every change of it in the year."""
    start, end = (int(datetime(y, 1, 1, tzinfo=UTC).timestamp()) for y in (year, year + 1))
    found = [(start, _offset(zone, start))]
    for low in range(start, end, 86_400):
        if _offset(zone, low + 86_400) != found[-1][1]:
            change = _bisect(zone, low, low + 86_400)
            found.append((change, _offset(zone, change)))
    return tuple(found)


def _bisect(zone: ZoneInfo, low: int, high: int) -> int:
    """The first second with the offset of ``high``, after ``low`` that has another."""
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == _offset(zone, low):
            low = middle
        else:
            high = middle
    return high


def _offset(zone: ZoneInfo, instant: int) -> int:
    offset = datetime.fromtimestamp(instant, zone).utcoffset()
    return round(offset.total_seconds()) if offset else 0
