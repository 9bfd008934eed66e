"""Dates that come back every year."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentd.segmenter import anniversaries
from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import Condition
from segmentd.segmenter.parser import parse
from segmentd.segmenter.predicates import Bools, Floats
from segmentd.segmenter.ruleset import Shop
from segmenter_oracle.asking import ask, buyer, instant
from segmenter_oracle.histories import Person, frames

BERLIN = "Europe/Berlin"
BIRTHDAYS = [date(2000, 1, 1) + timedelta(days) for days in range(366)]
BORN_IN_MAY = frames([Person(1, traits={"traits.born": "1990-05-30"})])
EVERY_BIRTHDAY = frames(
    [Person(n, traits={"traits.born": day.isoformat()}) for n, day in enumerate(BIRTHDAYS)]
)


def condition(operator: str, of: str = "traits.born") -> Condition:
    parsed = parse(f"anniversary('{of}') {operator}")
    assert isinstance(parsed, Condition)
    return parsed


def conditions(known: Frames, now: int, zone: str) -> Conditions:
    clock = Clock(zone, datetime.fromtimestamp(now, UTC))
    return Conditions(Facts(known, clock), Shop(zone, "EUR"), {})


def asked(operator: str, known: Frames, now: int, zone: str = "UTC") -> tuple[Bools, Floats]:
    """For whom it holds, and when it is due."""
    evaluation = conditions(known, now, zone)
    due = anniversaries.due(condition(operator), evaluation)
    truth = anniversaries.truth(condition(operator), evaluation)
    return truth, np.full(len(truth), np.nan) if due is None else due


def birthdays(operator: str, today: str) -> list[date]:
    """The birthdays of those for whom it holds at noon."""
    truth, _ = asked(operator, EVERY_BIRTHDAY, instant(f"{today}T12:00:00"))
    return [day for day, holds in zip(BIRTHDAYS, truth, strict=True) if holds]


def days(*written: str) -> list[date]:
    return [date.fromisoformat(f"2000-{day}") for day in written]


@pytest.mark.parametrize(
    ("operator", "today", "expected"),
    [
        ("= today", "2026-05-30", days("05-30")),
        ("= yesterday", "2026-05-30", days("05-29")),
        ("= +3d", "2026-05-30", days("06-02")),
        ("= -1y", "2026-05-30", days("05-30")),
        ("= 2031-05-30", "2026-01-01", days("05-30")),
        ("= today", "2026-02-28", days("02-28", "02-29")),
        ("= today", "2028-02-28", days("02-28")),
        ("= today", "2028-02-29", days("02-29")),
        ("= today", "2026-03-01", days("03-01")),
        ("BETWEEN today AND +2d", "2026-12-30", days("01-01", "12-30", "12-31")),
        ("BETWEEN -2d AND today", "2027-01-01", days("01-01", "12-30", "12-31")),
        ("BETWEEN today AND +2d", "2028-02-27", days("02-27", "02-28", "02-29")),
        ("BETWEEN today AND +1d", "2026-02-27", days("02-27", "02-28", "02-29")),
        ("BETWEEN +2d AND today", "2026-05-30", []),
        ("BETWEEN -1y AND today", "2026-05-30", BIRTHDAYS),
        ("IN (2026-05-30, 2027-02-28)", "2026-05-30", days("02-28", "02-29", "05-30")),
        ("IN THIS MONTH", "2026-02-10", [day for day in BIRTHDAYS if day.month == 2]),
        ("IN NEXT MONTH", "2026-12-10", [day for day in BIRTHDAYS if day.month == 1]),
        ("IN LAST QUARTER", "2026-01-10", [day for day in BIRTHDAYS if day.month > 9]),
        ("IN THIS YEAR", "2026-01-10", BIRTHDAYS),
        # open comparisons are about the anniversary of the current year
        (">= 2026-12-30", "2026-05-30", days("12-30", "12-31")),
        ("> 2026-12-30", "2026-05-30", days("12-31")),
        ("<= 2026-01-02", "2026-05-30", days("01-01", "01-02")),
        ("< 2026-01-02", "2026-05-30", days("01-01")),
        (">= +2d", "2026-12-28", days("12-30", "12-31")),
        (">= +2d", "2026-12-30", []),
        ("< today", "2027-01-02", days("01-01")),
        (">= 2027-01-01", "2026-12-31", []),
        (">= 2027-01-01", "2027-01-01", BIRTHDAYS),
        # any instant of the day counts
        ("= -24h", "2026-05-30", days("05-29")),
        ("BETWEEN -12h AND +11h", "2026-05-30", days("05-30")),
        ("BETWEEN -13h AND +12h", "2026-05-30", days("05-29", "05-30", "05-31")),
        ("= 2026-05-30T18:00:00", "2026-05-30", days("05-30")),
        ("<= 2026-01-02T00:00:00", "2026-05-30", days("01-01", "01-02")),
        ("< 2026-01-02T00:00:00", "2026-05-30", days("01-01")),
        ("IS NULL", "2026-05-30", []),
    ],
)
def test_whose_anniversary_it_is(operator: str, today: str, expected: list[date]) -> None:
    assert birthdays(operator, today) == expected


DAYS = st.dates(date(2023, 1, 1), date(2033, 12, 31))


def is_one(day: date, birthday: date) -> bool:
    """Whether the birthday is celebrated on that day."""
    moved = birthday.month == 2 and birthday.day == 29 and not calendar.isleap(day.year)
    return (day.month, day.day) == ((2, 28) if moved else (birthday.month, birthday.day))


@given(DAYS, st.integers(-40, 800), DAYS)
@settings(max_examples=30, deadline=None)
def test_a_span_of_days(first: date, length: int, today: date) -> None:
    last = first + timedelta(length)
    inside = [first + timedelta(n) for n in range(length + 1)]
    expected = [b for b in BIRTHDAYS if any(is_one(day, b) for day in inside)]
    assert birthdays(f"BETWEEN {first} AND {last}", today.isoformat()) == expected


def test_a_missing_date() -> None:
    known = frames([Person(1), Person(2, traits={"traits.born": "unknown"})])
    for operator, expected in [("= today", False), (">= -1y", False), ("IS NULL", True)]:
        truth, due = asked(operator, known, instant("2026-05-30T12:00:00"))
        assert truth.tolist() == [expected, expected]
        assert np.isnan(due).all()


def test_nobody_at_all() -> None:
    truth, due = asked("BETWEEN today AND +7d", frames([]), instant("2026-05-30T12:00:00"))
    assert truth.tolist() == due.tolist() == []


def test_the_shop_tells_the_day_of_an_instant() -> None:
    """An order late in the evening of New York is one of the next day in Berlin."""
    known = frames([buyer("2025-05-30T23:30:00", zone="America/New_York")])
    for zone, day in [("America/New_York", "30"), (BERLIN, "31")]:
        now = instant("2026-05-10T12:00:00", zone)
        evaluation = conditions(known, now, zone)
        for asked_for in ("30", "31"):
            ordered = condition(f"= 2026-05-{asked_for}", "first_order_date")
            truth = anniversaries.truth(ordered, evaluation).tolist()
            assert truth == [asked_for == day], (zone, asked_for)


def test_a_date_of_the_customer_is_compared_by_its_day() -> None:
    """Bought on the birthday."""
    now = instant("2026-07-15T12:00:00")
    person = buyer("2026-05-30T10:00:00")
    person.traits["traits.born"] = "1990-05-30"
    later = buyer("2026-05-31T10:00:00")
    later.id, later.traits["traits.born"] = 2, "1990-05-30"
    known = frames([person, later, Person(3, traits={"traits.born": "1990-05-30"})])
    for operator, expected in [
        ("= first_order_date", [True, False, False]),
        ("= first_order_date -1d", [False, True, False]),
        ("= first_order_date +365d", [True, False, False]),
        (">= first_order_date", [True, False, False]),
        ("< first_order_date", [False, True, False]),
        ("BETWEEN first_order_date AND today", [True, False, False]),
        ("BETWEEN first_order_date -1d AND first_order_date +23h", [True, True, False]),
    ]:
        truth, _ = asked(operator, known, now)
        assert truth.tolist() == expected, operator


# due


def walk(operator: str, first: str, count: int, zone: str) -> Iterator[tuple[Bools, Floats, int]]:
    """Truth and due at the begin of coming days, and that begin."""
    day = date.fromisoformat(first)
    for n in range(count):
        now = instant(f"{day + timedelta(n)}T00:00:00", zone)
        yield (*asked(operator, EVERY_BIRTHDAY, now, zone), now)


CLOSED = [
    "= today",
    "= -1m",
    "BETWEEN -1d AND +7d",
    "BETWEEN 2027-12-28 AND today",
    "BETWEEN today AND 2028-03-02",
    "BETWEEN START OF THIS MONTH AND today",
    "IN NEXT MONTH",
    "IN THIS WEEK",
    "IN (today, 2028-02-29, +10d)",
]
OPEN = [">= today", "> +7d", "< -1m", "<= START OF NEXT QUARTER", ">= 2028-02-29"]


@pytest.mark.parametrize("first", ["2027-12-25", "2028-02-22"])
@pytest.mark.parametrize("operator", CLOSED + OPEN)
def test_it_changes_when_due(operator: str, first: str) -> None:
    before: tuple[Bools, Floats, int] | None = None
    for truth, due, now in walk(operator, first, 14, BERLIN):
        assert not (due <= now).any()
        if before is not None:
            was, was_due, _ = before
            changed = truth != was
            assert (was_due[changed] == now).all()
            waiting = was_due > now
            assert not changed[waiting].any()
        before = truth, due, now


@pytest.mark.parametrize("operator", ["= today", "BETWEEN -1d AND +7d", "IN NEXT MONTH"])
@pytest.mark.parametrize("first", ["2027-12-25", "2028-02-22"])
def test_it_is_not_due_before_it_changes(operator: str, first: str) -> None:
    steps = list(walk(operator, first, 14, BERLIN))
    for (was, due, _), (truth, _, now) in pairwise(steps):
        assert (was != truth)[due == now].all()


@pytest.mark.parametrize(
    ("operator", "now", "expected"),
    [
        ("= today", "2026-05-20T12:00:00", "2026-05-30T00:00:00"),
        ("= today", "2026-05-30T12:00:00", "2026-05-31T00:00:00"),
        ("= today", "2026-05-31T00:00:00", "2027-05-30T00:00:00"),
        ("= +7d", "2026-05-20T12:00:00", "2026-05-23T00:00:00"),
        ("BETWEEN today AND +7d", "2026-05-25T12:00:00", "2026-05-31T00:00:00"),
        ("IN NEXT MONTH", "2026-05-30T12:00:00", "2027-04-01T00:00:00"),
        ("IN THIS MONTH", "2026-05-30T12:00:00", "2026-06-01T00:00:00"),
        (">= today", "2026-05-20T12:00:00", "2026-05-31T00:00:00"),
        (">= today", "2026-06-20T12:00:00", "2027-01-01T00:00:00"),
        (">= 2027-01-01", "2026-05-20T12:00:00", "2027-01-01T00:00:00"),
        ("= -6h", "2026-05-30T05:59:59", "2026-05-30T06:00:00"),
        ("= -6h", "2026-05-30T06:00:00", "2026-05-31T06:00:00"),
        ("= 2026-05-30", "2026-05-20T12:00:00", None),
        ("BETWEEN 2026-05-01 AND 2026-05-30", "2026-05-20T12:00:00", None),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", BERLIN, "America/Santiago"])
def test_due_instants(operator: str, now: str, expected: str | None, zone: str) -> None:
    _, due = asked(operator, BORN_IN_MAY, instant(now, zone), zone)
    assert due.tolist() == (
        [instant(expected, zone)] if expected else pytest.approx([np.nan], nan_ok=True)
    )


def test_due_when_a_date_of_the_customer_leaves_its_window() -> None:
    person = buyer("2026-05-30T10:00:00")
    person.traits["traits.born"] = "1990-05-30"
    operator = "= last_date OF orders_placed (date >= -30d)"
    truth, due = asked(operator, frames([person]), instant("2026-06-10T12:00:00"))
    assert truth.tolist() == [True]
    assert due.tolist() == [instant("2026-06-30T00:00:00")]
    truth, _ = asked(operator, frames([person]), int(due[0]))
    assert truth.tolist() == [False]


def test_a_negation_keeps_those_of_whom_nothing_is_known() -> None:
    born = {"traits.born": "1990-07-15"}
    people = [Person(1, traits=born), Person(2), Person(3, traits={"traits.born": "1990-07-16"})]
    ids, due = ask("anniversary('traits.born') != today", people, "2026-07-15T12:00:00")
    assert ids == [2, 3]
    assert due[1] == due[3] == instant("2026-07-16T00:00:00")
    assert np.isnan(due[2])
