"""A segment's changes by calendar week."""

from __future__ import annotations

from datetime import UTC, date, datetime

from segmentd.pipeline.history import Flow, weeks

MONDAY = datetime(2026, 3, 2, 12, tzinfo=UTC)


def at(day: int, hour: int = 12) -> datetime:
    """In March 2026."""
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def test_weeks_carry_the_size_on() -> None:
    flows = [
        Flow(at(1), "rule", 10, 0),
        Flow(at(2), "data", 3, 1),
        Flow(at(8), "time", 0, 2),
        Flow(at(16), "data", 1, 0),
    ]
    found = weeks(flows, since=at(3), now=at(17), time_zone="UTC")
    assert [(week.begin.day, week.size, week.entered, week.left) for week in found] == [
        (2, 10, 3, 3),
        (9, 10, 0, 0),
        (16, 11, 1, 0),
    ]
    assert found[0].causes == {"data": 4, "time": 2}
    assert found[1].causes == {}


def test_weeks_are_the_shops() -> None:
    flows = [Flow(at(8, 23), "data", 1, 0)]
    (berlin,) = weeks(flows, at(9), at(9), "Europe/Berlin")
    assert (berlin.begin, berlin.entered) == (date(2026, 3, 9), 1)
    (utc,) = weeks(flows, at(9), at(9), "UTC")
    assert (utc.begin, utc.entered, utc.size) == (date(2026, 3, 9), 0, 1)
    (sunday,) = weeks(flows, at(9), at(9), "UTC", week_start=6)
    assert (sunday.begin, sunday.entered) == (date(2026, 3, 8), 1)


def test_what_comes_later_is_not_there_yet() -> None:
    flows = [Flow(at(2), "data", 2, 0), Flow(at(4), "data", 5, 0)]
    (week,) = weeks(flows, at(2), at(3), "UTC")
    assert (week.size, week.entered) == (2, 2)
    assert [week.size for week in weeks([], at(2), at(9), "UTC")] == [0, 0]
