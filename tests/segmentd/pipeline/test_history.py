"""A segment's changes by calendar week and month."""

from __future__ import annotations

from datetime import UTC, date, datetime

from segmentd.domain.memberships import Cause
from segmentd.pipeline.history import SAID, Calendar, Flow, Interval, known_by, periods

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
    found = periods(flows, Calendar("UTC"), since=at(3), now=at(17))
    assert [(week.begin.day, week.size, week.entered, week.left) for week in found] == [
        (2, 10, 3, 3),
        (9, 10, 0, 0),
        (16, 11, 1, 0),
    ]
    assert found[0].causes == {"data": 4, "time": 2}
    assert found[1].causes == {}


def test_weeks_are_the_shops() -> None:
    flows = [Flow(at(8, 23), "data", 1, 0)]
    (berlin,) = periods(flows, Calendar("Europe/Berlin"), at(9), at(9))
    assert (berlin.begin, berlin.entered) == (date(2026, 3, 9), 1)
    (utc,) = periods(flows, Calendar("UTC"), at(9), at(9))
    assert (utc.begin, utc.entered, utc.size) == (date(2026, 3, 9), 0, 1)
    (sunday,) = periods(flows, Calendar("UTC", week_start=6), at(9), at(9))
    assert (sunday.begin, sunday.entered) == (date(2026, 3, 8), 1)


def test_what_comes_later_is_not_there_yet() -> None:
    flows = [Flow(at(2), "data", 2, 0), Flow(at(4), "data", 5, 0)]
    (week,) = periods(flows, Calendar("UTC"), at(2), at(3))
    assert (week.size, week.entered) == (2, 2)
    assert [week.size for week in periods([], Calendar("UTC"), at(2), at(9))] == [0, 0]


def test_where_somebody_was_as_it_was_told_then() -> None:
    stays = [
        Interval("vip", at(2), at(4), "order", "refund", "v1"),
        Interval("new", at(3), None, "order", None, "v1"),
    ]
    assert known_by(stays, at(1)) == []
    still = Interval("vip", at(2), None, "order", None, "v1")
    assert known_by(stays, at(3)) == [still, stays[1]]
    assert known_by(stays, at(4)) == stays


def test_months_begin_with_the_shops_first_day() -> None:
    calendar = Calendar("Europe/Berlin", months=True)
    # 23:30 in London, half past midnight in Berlin
    flows = [Flow(datetime(2026, 1, 31, 23, 30, tzinfo=UTC), "order", 2, 0), Flow(at(9), "t", 0, 1)]
    found = periods(flows, calendar, datetime(2025, 12, 24, tzinfo=UTC), at(9))
    assert [(month.begin.isoformat(), month.size) for month in found] == [
        ("2025-12-01", 0),
        ("2026-01-01", 0),
        ("2026-02-01", 2),
        ("2026-03-01", 1),
    ]
    assert calendar.instant(date(2026, 7, 1)) == datetime(2026, 6, 30, 22, tzinfo=UTC)


def test_every_cause_has_its_words() -> None:
    assert SAID.keys() == set(Cause)
