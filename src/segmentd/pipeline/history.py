"""How segments and their rules came to be what they are: weeks, intervals, versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from segmentd.domain.memberships import Cause

SAID: Mapping[str, str] = {
    Cause.ORDER: "by order",
    Cause.REFUND: "by refund",
    Cause.MERGE: "by merge of two customers",
    Cause.PROFILE: "by change of the customer",
    Cause.PRODUCT: "by change of a product",
    Cause.TRAIT: "by trait",
    Cause.IMPORT: "by import",
    Cause.DATA: "by new data",
    Cause.TIME: "by time alone",
    Cause.THRESHOLD: "by moved threshold",
    Cause.RULE: "by rule",
    Cause.PIN: "by pin",
}
"""Cause → plain words."""


@dataclass(frozen=True, slots=True)
class Flow:
    """How many entered and left a segment in one pass, for one cause."""

    at: datetime
    cause: str
    entered: int
    left: int


@dataclass(slots=True)
class Period:
    """What became of a segment in one calendar week or month of the shop."""

    begin: date
    size: int
    """Members at its end, or now."""
    entered: int = 0
    left: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    """Cause → entries and exits together."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """The weeks or months of a shop."""

    time_zone: str
    """An IANA name."""
    week_start: int = 0
    """0 for Monday to 6 for Sunday."""
    months: bool = False

    def begin(self, instant: datetime) -> date:
        """The first day of the period in which an instant lies."""
        day = instant.astimezone(ZoneInfo(self.time_zone)).date()
        if self.months:
            return day.replace(day=1)
        return day - timedelta((day.weekday() - self.week_start) % 7)

    def periods(self, since: datetime, until: datetime) -> list[date]:
        """The first days of all periods from that of ``since`` to that of ``until``."""
        found, last = [self.begin(since)], self.begin(until)
        while found[-1] < last:
            found.append(self._next(found[-1]))
        return found

    def instant(self, day: date) -> datetime:
        """When a day begins."""
        midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(self.time_zone))
        return midnight.astimezone(UTC)

    def _next(self, begin: date) -> date:
        if self.months:
            return (begin + timedelta(31)).replace(day=1)
        return begin + timedelta(7)


@dataclass(frozen=True, slots=True)
class Interval:
    """A time that a profile was a member."""

    segment: str
    entered_at: datetime
    left_at: datetime | None
    """None: a member still."""
    cause: str
    left_cause: str | None
    version: str | None
    """Of the rule by which it entered."""


@dataclass(frozen=True, slots=True)
class RuleVersion:
    """A rule that memberships were made with."""

    version: str
    title: str
    rule: str
    since: datetime
    current: bool


@dataclass(frozen=True, slots=True)
class Edit:
    """Whom a version of a rule brought in and put out when it came into force."""

    entered: Sequence[int]
    """Profile ids, ascending."""
    left: Sequence[int]


def known_by(intervals: Sequence[Interval], now: datetime) -> list[Interval]:
    """The intervals as they were told at an instant: who left later is a member still."""
    return [
        each if each.left_at is None or each.left_at <= now
        else replace(each, left_at=None, left_cause=None)
        for each in intervals
        if each.entered_at <= now
    ]  # fmt: skip


def periods(
    flows: Sequence[Flow], calendar: Calendar, since: datetime, now: datetime
) -> list[Period]:
    """Periods from the one of ``since`` to that of ``now``, oldest first.

    ``flows`` from the beginning, oldest first: the sizes are what has entered and not left. Changes
    after ``now`` are left out.
    """
    found = {begin: Period(begin, 0) for begin in calendar.periods(since, now)}
    before = 0
    for flow in flows:
        if flow.at > now:
            break
        period = found.get(calendar.begin(flow.at))
        if period is None:
            before += flow.entered - flow.left
            continue
        period.entered += flow.entered
        period.left += flow.left
        period.causes[flow.cause] = period.causes.get(flow.cause, 0) + flow.entered + flow.left
    for period in found.values():
        before += period.entered - period.left
        period.size = before
    return list(found.values())
