"""How segments and their rules came to be what they are: weeks, intervals, versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Flow:
    """How many entered and left a segment in one pass, for one cause."""

    at: datetime
    cause: str
    entered: int
    left: int


@dataclass(slots=True)
class Week:
    """What became of a segment in one calendar week of the shop."""

    begin: date
    size: int
    """Members at its end, or now."""
    entered: int = 0
    left: int = 0
    causes: dict[str, int] = field(default_factory=dict)
    """Cause → entries and exits together."""


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


def weeks(
    flows: Sequence[Flow], since: datetime, now: datetime, time_zone: str, week_start: int = 0
) -> list[Week]:
    """Calendar weeks from the one of ``since`` to that of ``now``, oldest first.

    ``flows`` from the beginning, oldest first: the sizes are what has entered and not left.
    ``week_start``: 0 for Monday to 6 for Sunday. Changes after ``now`` are left out.
    """
    zone = ZoneInfo(time_zone)

    def begin(instant: datetime) -> date:
        day = instant.astimezone(zone).date()
        return day - timedelta((day.weekday() - week_start) % 7)

    first, last = begin(since), begin(now)
    count = (last - first).days // 7 + 1
    found = {first + timedelta(7 * n): Week(first + timedelta(7 * n), 0) for n in range(count)}
    before = 0
    for flow in flows:
        if flow.at > now:
            break
        week = found.get(begin(flow.at))
        if week is None:
            before += flow.entered - flow.left
            continue
        week.entered += flow.entered
        week.left += flow.left
        week.causes[flow.cause] = week.causes.get(flow.cause, 0) + flow.entered + flow.left
    for week in found.values():
        before += week.entered - week.left
        week.size = before
    return list(found.values())
