"""When a rule is asked, and what its dates mean then."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from operator import eq, ge, gt, le, lt
from typing import Any
from zoneinfo import ZoneInfo

from segmentd.segmenter.language import Boundary, Day, Duration, Moment, Offset, Period

COMPARED = {"=": eq, ">": gt, ">=": ge, "<": lt, "<=": le}
SECONDS = {"min": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400}


@dataclass
class World:
    """When and where a rule is asked."""

    now: int
    zone: ZoneInfo
    thresholds: Mapping[str, str] = field(default_factory=dict)
    cents: int = 100
    week_start: int = 0
    """0 for Monday."""

    @property
    def today(self) -> date:
        return self.day(self.now)

    def day(self, instant: int) -> date:
        """The shop's day; one that begins twice (clocks go back over midnight) has begun once."""
        local = datetime.fromtimestamp(instant, UTC).astimezone(self.zone).date()
        after = local + timedelta(1)
        return after if self.begin(after) <= instant else local

    def begin(self, day: date) -> int:
        """The first instant of a day."""
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp())

    def clock(self, instant: int) -> datetime:
        """What the shop's clock says."""
        return datetime.fromtimestamp(instant, UTC).astimezone(self.zone)


@dataclass
class Exactly:
    """A date that is compared by the second; every other one is a ``date``, a whole day."""

    instant: int


Reference = date | Exactly


def reference(operand: Any, world: World) -> Reference:
    """What a date literal names."""
    match operand:
        case Moment(value):
            aware = value if value.tzinfo else value.replace(tzinfo=world.zone)
            return Exactly(int(aware.timestamp()))
        case Offset(amount, unit) if unit in {"h", "min"}:
            return Exactly(world.now + amount * SECONDS[unit])
        case Offset():
            return moved(world.today, operand)
        case Day(value):
            return value
        case Boundary(end, which, unit):
            first, after = period(Period(which, unit), world)
            return after - timedelta(1) if end else first
    raise AssertionError(operand)


def moved(day: date, offset: Offset | Duration) -> date:
    """A day so many days, weeks, months or years away."""
    if offset.unit in {"d", "w"}:
        return day + timedelta(offset.amount * (7 if offset.unit == "w" else 1))
    return months_later(day, offset.amount * (12 if offset.unit == "y" else 1))


def shifted(instant: int, offset: Offset, world: World) -> Reference:
    """A customer's own date, moved."""
    if offset.unit in {"h", "min"}:
        return Exactly(instant + offset.amount * SECONDS[offset.unit])
    return moved(world.day(instant), offset)


def months_later(day: date, months: int) -> date:
    """The same day of another month, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def anniversary(day: date, year: int) -> date:
    """The same day of another year; 29 February is 28 February where there is none."""
    last = calendar.monthrange(year, day.month)[1]
    return date(year, day.month, min(day.day, last))


def period(asked: Period, world: World) -> tuple[date, date]:
    """The first day of a calendar unit, and the first after it."""
    today = world.today
    shift = {"LAST": -1, "THIS": 0, "NEXT": 1}[asked.which]
    if asked.unit == "DAY":
        return today + timedelta(shift), today + timedelta(shift + 1)
    if asked.unit == "WEEK":
        start = today + timedelta(7 * shift)
        while start.weekday() != world.week_start:
            start -= timedelta(1)
        return start, start + timedelta(7)
    length = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[asked.unit]
    first = date(today.year, today.month - (today.month - 1) % length, 1)
    return months_later(first, length * shift), months_later(first, length * (shift + 1))


def date_holds(
    operator: str, instant: int, references: Sequence[Reference | Period | None], world: World
) -> bool:
    """Compare an instant; a missing reference (None) makes it false."""
    if any(each is None for each in references):
        return False
    first = references[0]
    if isinstance(first, Period):
        begin, after = period(first, world)
        return begin <= world.day(instant) < after
    sides = [_side(instant, each, world) for each in references]
    match operator:
        case "IN":
            return 0 in sides
        case "BETWEEN":
            return sides[0] >= 0 and sides[1] <= 0
    return bool(COMPARED[operator](sides[0], 0))


def _side(instant: int, other: Any, world: World) -> int:
    """Below, on or above what the reference names: -1, 0, 1."""
    if isinstance(other, Exactly):
        return (instant > other.instant) - (instant < other.instant)
    day = world.day(instant)
    return int(day > other) - int(day < other)


def written_date(text: str, world: World) -> int | None:
    """The instant that a trait's text names: a day's first, or a reading of a clock."""
    try:
        if len(text) == 10:
            return world.begin(date.fromisoformat(text))
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=world.zone)
    return int(aware.timestamp())
