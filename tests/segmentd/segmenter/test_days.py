"""Days are whole days of the shop, also where the clocks change; hours are exact."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from compiled_rules import compile_rules
from segmentd.segmenter.evaluate import evaluate
from segmentd.segmenter.instants import Clock, Edge
from segmentd.segmenter.language import Boundary, Offset, Period
from segmentd.segmenter.ruleset import Shop
from segmenter_oracle.asking import NOW, ask, buyer, holds, instant
from segmenter_oracle.histories import Order, Person, frames

BERLIN, NEW_YORK, TONGA, UTC_ZONE = "Europe/Berlin", "America/New_York", "Pacific/Tongatapu", "UTC"
ZONES = [BERLIN, NEW_YORK, TONGA, UTC_ZONE, "Asia/Kathmandu"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("operator", "before", "within", "after"),
    [
        ("=", False, True, False),
        ("!=", True, False, True),
        (">", False, False, True),
        (">=", False, True, True),
        ("<", True, False, False),
        ("<=", True, True, False),
    ],
)
def test_a_date_is_a_whole_day(
    zone: str, operator: str, before: bool, within: bool, after: bool
) -> None:
    rule = f"last_order_date {operator} 2026-05-30"
    for at, expected in [
        ("2026-05-29T23:59:59", before),
        ("2026-05-30T00:00:00", within),
        ("2026-05-30T23:59:59", within),
        ("2026-05-31T00:00:00", after),
    ]:
        assert holds(rule, buyer(at, zone=zone), zone=zone) is expected, at


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("offset", "first", "last"),
    [
        ("-90d", "2026-04-16T00:00:00", "2026-04-16T23:59:59"),
        ("90_days_ago", "2026-04-16T00:00:00", "2026-04-16T23:59:59"),
        ("-2w", "2026-07-01T00:00:00", "2026-07-01T23:59:59"),
        ("-1m", "2026-06-15T00:00:00", "2026-06-15T23:59:59"),
        ("-1y", "2025-07-15T00:00:00", "2025-07-15T23:59:59"),
        ("today", "2026-07-15T00:00:00", "2026-07-15T11:00:00"),
        ("yesterday", "2026-07-14T00:00:00", "2026-07-14T23:59:59"),
    ],
)
def test_offsets_name_a_day(zone: str, offset: str, first: str, last: str) -> None:
    for at in (first, last):
        assert holds(f"last_order_date = {offset}", buyer(at, zone=zone), zone=zone)
        assert holds(f"last_order_date >= {offset}", buyer(at, zone=zone), zone=zone)
        assert not holds(f"last_order_date < {offset}", buyer(at, zone=zone), zone=zone)


def test_the_day_before_an_offset() -> None:
    assert holds("last_order_date < -90d", buyer("2026-04-15T23:59:59"))
    assert not holds("last_order_date >= -90d", buyer("2026-04-15T23:59:59"))


@pytest.mark.parametrize(
    ("now", "offset", "day"),
    [
        ("2026-03-31T12:00:00", "-1m", "2026-02-28"),
        ("2024-03-31T12:00:00", "-1m", "2024-02-29"),
        ("2024-02-29T12:00:00", "-1y", "2023-02-28"),
        ("2026-01-15T12:00:00", "-2m", "2025-11-15"),
    ],
)
def test_months_are_clamped_to_their_last_day(now: str, offset: str, day: str) -> None:
    person = buyer(f"{day}T12:00:00")
    assert holds(f"last_order_date = {offset}", person, now=now)
    assert not holds(f"last_order_date > {offset}", person, now=now)


def test_hours_and_minutes_are_exact_across_a_change_of_the_clocks() -> None:
    # the clocks go forward on 29 March 2026: 24 hours before noon it is 11 o'clock
    for rule, at, expected in [
        ("last_order_date >= -24h", "2026-03-28T11:00:00", True),
        ("last_order_date >= -24h", "2026-03-28T10:59:59", False),
        ("last_order_date > -24h", "2026-03-28T11:00:00", False),
        ("last_order_date >= -1d", "2026-03-28T00:00:00", True),
        ("last_order_date < -30min", "2026-03-29T11:30:00", False),
        ("last_order_date < -30min", "2026-03-29T11:29:59", True),
        ("last_order_date <= -30min", "2026-03-29T11:30:00", True),
    ]:
        person = buyer(at, zone=BERLIN)
        assert holds(rule, person, now="2026-03-29T12:00:00", zone=BERLIN) is expected, (rule, at)


def test_a_moment_is_a_second_of_the_shop() -> None:
    rule = "last_order_date {} 2026-05-30T18:00:00"
    exact, next_second = (buyer(f"2026-05-30T18:00:0{n}", zone=TONGA) for n in (0, 1))
    assert holds(rule.format("="), exact, zone=TONGA)
    assert not holds(rule.format(">"), exact, zone=TONGA)
    assert holds(rule.format(">"), next_second, zone=TONGA)
    assert not holds(rule.format("<="), next_second, zone=TONGA)


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("LAST DAY", "2026-07-14T00:00:00", "2026-07-14T23:59:59"),
        ("THIS WEEK", "2026-07-13T00:00:00", "2026-07-15T11:00:00"),
        ("LAST WEEK", "2026-07-06T00:00:00", "2026-07-12T23:59:59"),
        ("LAST MONTH", "2026-06-01T00:00:00", "2026-06-30T23:59:59"),
        ("THIS QUARTER", "2026-07-01T00:00:00", "2026-07-15T11:00:00"),
        ("LAST QUARTER", "2026-04-01T00:00:00", "2026-06-30T23:59:59"),
        ("LAST YEAR", "2025-01-01T00:00:00", "2025-12-31T23:59:59"),
    ],
)
@pytest.mark.parametrize("zone", [BERLIN, TONGA])
def test_calendar_periods(zone: str, period: str, first: str, last: str) -> None:
    start = instant(first, zone)
    for at in (first, last):
        assert holds(f"last_order_date IN {period}", buyer(at, zone=zone), zone=zone)
    person = buyer(first, zone=zone)
    person.orders[0].placed_at = start - 1
    assert not holds(f"last_order_date IN {period}", person, zone=zone)


@pytest.mark.parametrize(
    ("boundary", "day"),
    [
        ("START OF THIS DAY", "2026-07-15"),
        ("END OF LAST DAY", "2026-07-14"),
        ("START OF THIS WEEK", "2026-07-13"),
        ("END OF LAST WEEK", "2026-07-12"),
        ("START OF THIS MONTH", "2026-07-01"),
        ("END OF LAST MONTH", "2026-06-30"),
        ("START OF LAST QUARTER", "2026-04-01"),
        ("END OF LAST YEAR", "2025-12-31"),
    ],
)
@pytest.mark.parametrize("zone", [BERLIN, TONGA])
def test_first_and_last_days_of_periods(zone: str, boundary: str, day: str) -> None:
    for at in ("T00:00:00", "T11:59:59"):
        assert holds(f"last_order_date = {boundary}", buyer(day + at, zone=zone), zone=zone)
    person = buyer(f"{day}T00:00:00", zone=zone)
    assert holds(f"last_order_date BETWEEN {boundary} AND today", person, zone=zone)
    person.orders[0].placed_at -= 1
    assert holds(f"last_order_date < {boundary}", person, zone=zone)
    assert not holds(f"last_order_date >= {boundary}", person, zone=zone)


@pytest.mark.parametrize(
    ("week_start", "first", "last"),
    [
        (0, "2026-07-06", "2026-07-12"),
        (6, "2026-07-05", "2026-07-11"),
        (2, "2026-07-08", "2026-07-14"),
    ],
)
def test_weeks_begin_when_the_shop_says(week_start: int, first: str, last: str) -> None:
    ruleset = compile_rules(
        {"asked": "last_order_date IN LAST WEEK AND last_order_date >= START OF LAST WEEK"},
        Shop("UTC", "EUR", week_start),
    )
    now = datetime.fromtimestamp(instant(NOW), UTC)
    for at, expected in [
        (instant(f"{first}T00:00:00") - 1, False),
        (instant(f"{first}T00:00:00"), True),
        (instant(f"{last}T23:59:59"), True),
        (instant(f"{last}T23:59:59") + 1, False),
    ]:
        person = Person(1, orders=[Order(1, at)])
        decided = evaluate(ruleset, frames([person]), now, {})
        assert decided.members["asked"].to_list() == [expected]


def test_a_moment_with_an_offset_is_the_same_everywhere() -> None:
    for zone in ZONES:
        person = buyer("2026-05-30T18:00:00")
        assert holds("last_order_date = 2026-05-30T18:00:00Z", person, zone=zone)
        assert holds("last_order_date = 2026-05-30T20:00:00+02:00", person, zone=zone)
        assert not holds("last_order_date > 2026-05-30T13:00:00-05:00", person, zone=zone)
        assert holds("last_order_date > 2026-05-30T17:59:59Z", person, zone=zone)


@pytest.mark.parametrize(
    ("at", "zone", "month", "weekday", "hour"),
    [
        ("2026-03-28T23:30:00", BERLIN, 3, 7, 0),  # Sunday, half past midnight
        ("2026-03-29T00:59:59", BERLIN, 3, 7, 1),
        ("2026-03-29T01:00:00", BERLIN, 3, 7, 3),  # the clocks have gone forward
        ("2026-10-25T00:30:00", BERLIN, 10, 7, 2),
        ("2026-10-25T01:30:00", BERLIN, 10, 7, 2),  # and back
        ("2026-10-25T02:00:00", BERLIN, 10, 7, 3),
        ("2025-12-31T10:59:59", TONGA, 12, 3, 23),
        ("2025-12-31T11:00:00", TONGA, 1, 4, 0),
        ("2026-01-05T18:14:59", "Asia/Kathmandu", 1, 1, 23),
        ("2026-01-05T18:15:00", "Asia/Kathmandu", 1, 2, 0),
        ("2026-11-01T05:59:59", NEW_YORK, 11, 7, 1),
        ("2026-11-01T06:00:00", NEW_YORK, 11, 7, 1),
        ("2026-11-01T07:00:00", NEW_YORK, 11, 7, 2),
    ],
)
def test_month_weekday_and_hour_of_the_shop(
    at: str, zone: str, month: int, weekday: int, hour: int
) -> None:
    rule = f"orders_placed MATCHES (month = {month}, weekday = {weekday}, hour = {hour})"
    assert holds(rule, buyer(at), now="2026-12-01T00:00:00", zone=zone)


def test_between_takes_both_days_whole_and_may_mix_kinds() -> None:
    rule = "last_order_date BETWEEN 2026-07-01 AND -7d"
    for at, expected in [
        ("2026-06-30T23:59:59", False),
        ("2026-07-01T00:00:00", True),
        ("2026-07-08T23:59:59", True),
        ("2026-07-09T00:00:00", False),
    ]:
        assert holds(rule, buyer(at)) is expected


@pytest.mark.parametrize(
    ("zone", "now", "rule", "placed", "due"),
    [
        (BERLIN, "2026-07-15T12:00:00", "last_order_date >= -90d", "2026-07-15T10:00:00",
         "2026-10-14T00:00:00"),
        # over the change of the clocks in October: still midnight
        (BERLIN, "2026-10-01T12:00:00", "last_order_date >= -30d", "2026-10-01T09:00:00",
         "2026-11-01T00:00:00"),
        (BERLIN, "2026-03-01T12:00:00", "last_order_date < -30d", "2026-02-28T09:00:00",
         "2026-03-31T00:00:00"),
        (TONGA, "2026-07-15T12:00:00", "last_order_date = today", "2026-07-15T00:00:00",
         "2026-07-16T00:00:00"),
        (BERLIN, "2026-07-15T12:00:00", "last_order_date = -7d", "2026-07-15T00:00:00",
         "2026-07-22T00:00:00"),
        (BERLIN, "2026-07-15T12:00:00", "last_order_date IN LAST MONTH", "2026-07-15T00:00:00",
         "2026-08-01T00:00:00"),
        (BERLIN, "2026-07-15T12:00:00", "last_order_date >= -24h", "2026-07-15T11:00:00",
         "2026-07-16T11:00:01"),
        (BERLIN, "2026-07-15T12:00:00", "last_order_date < -30min", "2026-07-15T12:00:00",
         "2026-07-15T12:30:01"),
        (UTC_ZONE, "2023-03-01T12:00:00", "last_order_date >= -1y", "2023-02-28T12:00:00",
         "2024-03-01T00:00:00"),
        (BERLIN, "2026-07-15T12:00:00",
         "orders_placed MATCHES (date >= -30d, count >= 2)", "2026-07-10T10:00:00",
         "2026-08-10T00:00:00"),
        (BERLIN, "2026-07-15T12:00:00", "last_order_date >= START OF LAST WEEK",
         "2026-07-15T10:00:00", "2026-07-27T00:00:00"),
        (BERLIN, "2026-07-15T12:00:00", "last_order_date < END OF LAST WEEK", "2026-07-15T10:00:00",
         "2026-07-20T00:00:00"),
        (BERLIN, "2026-07-15T12:00:00", "last_order_date = END OF LAST WEEK", "2026-07-12T10:00:00",
         "2026-07-20T00:00:00"),
        # the third of the month is inside of this span from the fourth to the sixth
        (BERLIN, "2026-07-03T12:00:00", "last_order_date BETWEEN -3d AND -1d",
         "2026-07-03T10:00:00", "2026-07-04T00:00:00"),
        (BERLIN, "2026-10-25T02:30:00", "days_since_last_order >= 1", "2026-10-25T01:00:00",
         "2026-10-26T00:00:00"),
        (BERLIN, "2026-07-15T12:00:00", "last_order_date >= -3650d", "2026-07-15T10:00:00",
         "2036-07-13T00:00:00"),
    ],
)  # fmt: skip
def test_due(zone: str, now: str, rule: str, placed: str, due: str) -> None:
    _, got = ask(rule, [buyer(placed, zone=zone)], now, zone)
    assert got.to_list() == [instant(due, zone)]


@pytest.mark.parametrize(
    "rule",
    [
        "last_order_date >= 2026-01-01",
        "last_order_date > 2026-01-01T10:00:00",
        "number_of_orders >= 1",
        "last_order_date >= -30d",
        "last_order_date IS NULL",
        "last_order_date = first_order_date",
        "last_order_date > first_order_date + 30d",
        "last_order_date = END OF LAST WEEK",
        "last_order_date BETWEEN -30d AND -60d",
        "last_order_date BETWEEN 2026-01-01 AND -30d",
        "last_order_date > first_order_date AND last_order_date IN LAST MONTH",
        "orders_placed NOT MATCHES (date >= -30d)",
        "orders_placed MATCHES (date >= 2020-01-01)",
        "abandoned_checkout_date >= -30d",
        "storefront.product_viewed MATCHES (date >= -30d)",
    ],
)
def test_never_due(rule: str) -> None:
    _, due = ask(rule, [buyer("2025-02-01T12:00:00")])
    assert due.isna().all()


def test_the_earliest_order_in_the_window_is_due_first() -> None:
    person = buyer("2026-05-01T12:00:00", "2026-06-20T12:00:00", "2026-07-10T12:00:00")
    _, due = ask("orders_placed MATCHES (date >= -30d)", [person])
    assert due.to_list() == [instant("2026-07-21T00:00:00")]
    _, due = ask("orders_placed MATCHES (date BETWEEN -60d AND -30d)", [person])
    assert due.to_list() == [instant("2026-07-20T00:00:00")]


def test_days_of_zones_that_skip_or_repeat_midnight() -> None:
    def midnight(zone: str, day: str) -> datetime:
        clock = Clock(zone, datetime.fromisoformat(f"{day}T18:00:00").replace(tzinfo=UTC))
        start = next(
            t for t in range(clock.now - 86_400, clock.now + 1, 1800) if clock.day(t) == clock.today
        )
        return datetime.fromtimestamp(start, UTC)

    # no midnight on this day in Brazil: the day began at one o'clock
    assert midnight("America/Sao_Paulo", "2018-11-04") == datetime(2018, 11, 4, 3, tzinfo=UTC)
    # clocks put back at 00:01: the day that had begun goes on
    assert midnight("America/St_Johns", "2010-11-07") == datetime(2010, 11, 7, 2, 30, tzinfo=UTC)
    # Samoa had no 30 December 2011
    assert midnight("Pacific/Apia", "2011-12-30") == datetime(2011, 12, 30, 10, tzinfo=UTC)


def test_clocks_put_back_across_midnight_do_not_bring_yesterday_back() -> None:
    # at 00:01 of 7 November 2010 the clocks of St. John's went back to 23:01
    days = [
        Clock("America/St_Johns", datetime(2010, 11, 7, 2, minute, tzinfo=UTC)).today
        for minute in (29, 30, 31, 59)
    ]
    assert [day - days[0] for day in days] == [0, 1, 1, 1]


@pytest.mark.parametrize(
    "zone",
    [*ZONES, "America/Sao_Paulo", "America/St_Johns", "Pacific/Apia", "Africa/Casablanca"],
)
def test_days_of_many_instants_are_those_of_each(zone: str) -> None:
    clock = Clock(zone, datetime(2026, 7, 15, tzinfo=UTC))
    edges = [clock.starts(np.arange(733_000.0 + n, 739_500, 97)) for n in range(5)]
    instants = np.concatenate([edge + shift for edge in edges for shift in (-1, 0, 1, 5_400)])
    instants = np.append(instants, [instant("2011-12-30T10:00:00"), instant("2010-11-07T02:45:00")])
    assert clock.days(instants).tolist() == [clock.day(int(each)) for each in instants]
    strange = np.array([np.nan, 0.0, -6.3e10, 2.6e11, -6.2e10, 2.5e11])
    assert np.isnan(clock.days(strange)).tolist() == [True, False, True, True, False, False]
    hours = [datetime.fromtimestamp(each, clock.zone).hour for each in instants]
    assert clock.hours(instants).tolist() == hours


@pytest.mark.parametrize(
    "edge",
    [
        Edge(Offset(-90, "d")),
        Edge(Offset(-1, "m"), after=True),
        Edge(Period("LAST", "MONTH")),
        Edge(Boundary(False, "THIS", "WEEK")),
    ],
)
def test_an_instant_is_left_on_the_first_day_whose_edge_lies_after_it(edge: Edge) -> None:
    clock = Clock(BERLIN, datetime(2026, 7, 15, 9, tzinfo=UTC))
    begins = clock.starts(clock.today + np.arange(1.0, 150.0))
    edges = [Clock(BERLIN, datetime.fromtimestamp(begin, UTC)).at(edge) for begin in begins]
    now = clock.at(edge)
    instants = np.array([now + 90 * 86_400, now, now + 86_400 - 1, now - 1, now + 86_400, 9e10])
    left = clock.leaves(edge, instants)
    first = [next(b for e, b in zip(edges, begins, strict=True) if e > i) for i in instants[:3]]
    assert left[:3].tolist() == first
    assert np.isnan(left[3])
    # so far away that it is looked at again
    assert left[5] == clock.horizon
    alone = [clock.leaves(edge, np.array([each]))[0] for each in instants]
    assert np.array_equal(left, alone, equal_nan=True)
