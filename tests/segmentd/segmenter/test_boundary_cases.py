"""Cases at the edge that rules must decide as expected; what is decided elsewhere is tested there.

Days are whole days of the shop (as in Shopify), and an order that was refunded in full is still an
order whose money nets to zero.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from compiled_rules import compile_rules
from segmentd.domain.errors import RuleError
from segmentd.segmenter.evaluate import evaluate
from segmentd.segmenter.ruleset import Shop
from segmenter_oracle.asking import NOW, ask, buyer, holds, instant, ranked
from segmenter_oracle.histories import Event, Order, Person, frames

FIRST_TIME = "number_of_orders = 1 AND first_order_date >= -30d"
VIP = "amount_spent IN TOP 10%"
CART = "checkouts_abandoned MATCHES (date BETWEEN -24h AND -30min)"
BIRTHDAY = "anniversary('metafields.facts.birth_date')"
TONGA, NEW_YORK = "Pacific/Tongatapu", "America/New_York"


def spender(number: int, total: int, orders: int = 1) -> Person:
    """Somebody whose first order has the whole money."""
    totals = [total, *[0] * (orders - 1)]
    placed = instant("2026-07-01T00:00:00")
    made = [Order(number * 100 + n, placed, money) for n, money in enumerate(totals)]
    return Person(number, orders=made)


def born(day: str) -> Person:
    return Person(1, traits={"metafields.facts.birth_date": day})


def test_order_exactly_30_days_old_to_the_second() -> None:
    assert holds(FIRST_TIME, buyer("2026-06-15T12:00:00"))
    assert holds(FIRST_TIME, buyer("2026-06-15T00:00:00"))
    assert not holds(FIRST_TIME, buyer("2026-06-14T23:59:59"))
    _, due = ask(FIRST_TIME, [buyer("2026-06-15T12:00:00")])
    assert due.to_list() == [instant("2026-07-16T00:00:00")]


def test_order_exactly_720_hours_old_to_the_second() -> None:
    rule = "first_order_date >= -720h"
    assert holds(rule, buyer("2026-06-15T12:00:00"))
    assert not holds(rule, buyer("2026-06-15T11:59:59"))
    _, due = ask(rule, [buyer("2026-06-15T12:00:00")])
    assert due.to_list() == [instant("2026-07-15T12:00:01")]


@pytest.mark.parametrize(
    ("zone", "now"),
    [
        (TONGA, "2026-07-15T00:30:00"),
        (NEW_YORK, "2026-04-07T12:00:00"),  # 8 March has 23 hours
        (NEW_YORK, "2026-11-30T12:00:00"),  # 1 November has 25 hours
    ],
)
def test_the_same_by_store_midnights_in_utc_plus_13_and_with_dst_inside(
    zone: str, now: str
) -> None:
    today = datetime.fromisoformat(now)
    first = datetime.fromordinal(today.toordinal() - 30).isoformat()
    before = datetime.fromordinal(today.toordinal() - 31).replace(hour=23, minute=59, second=59)
    assert holds(FIRST_TIME, buyer(first, zone=zone), now, zone)
    assert not holds(FIRST_TIME, buyer(before.isoformat(), zone=zone), now, zone)


def test_one_order_fully_refunded() -> None:
    order = Order(1, instant("2026-07-01T00:00:00"), 1000)
    order.refunds = [(instant("2026-07-02T00:00:00"), 1000)]
    person = Person(1, orders=[order])
    assert holds("number_of_orders = 1 AND amount_spent = 0 AND refunded_orders = 1", person)
    assert holds("refunds_received MATCHES (full = true)", person)
    order.refunds = [(instant("2026-07-02T00:00:00"), 400)]
    assert holds("number_of_orders = 1 AND amount_spent = 6", person)
    assert not holds("refunds_received MATCHES (full = true)", person)


def test_refund_larger_than_the_payment() -> None:
    order = Order(1, instant("2026-07-01T00:00:00"), 1000)
    order.refunds = [(instant("2026-07-02T00:00:00"), 1500)]
    others = [spender(number, 0) for number in range(2, 31)]
    assert holds("amount_spent = -5", Person(1, orders=[order]))
    assert holds("average_net_amount OF orders_placed () = -5", Person(1, orders=[order]))
    assert 1 not in ranked(VIP, [Person(1, orders=[order]), *others])


def test_300_of_1000_customers_tied_at_the_threshold() -> None:
    best = [spender(number, 9000) for number in range(1, 11)]
    tied = [spender(number, 5000, 1 + number % 2) for number in range(11, 311)]
    others = [spender(number, 1000) for number in range(311, 1001)]
    got = ranked(VIP, [*best, *tied, *others])
    # 100 are wanted: the ties go to those with more orders, then to the older records
    assert got == [*range(1, 11), *range(11, 191, 2)]


def test_15_customers_are_too_few_for_a_percentile() -> None:
    people = [spender(number, number * 1000) for number in range(1, 16)]
    assert ranked(VIP, people) == []
    assert ranked("amount_spent > STORE PERCENTILE 90", people) == []


@pytest.mark.parametrize(("minutes", "member"), [(29, False), (30, True), (31, True)])
def test_cart_abandoned_29_and_31_minutes_ago(minutes: int, member: bool) -> None:
    begun = instant(NOW) - minutes * 60
    person = Person(1, events=[Event(1, "checkout", begun, 2500)])
    members, due = ask(CART, [person])
    assert bool(members) is member
    ends = begun + 24 * 3600 + 1
    assert due.to_list() == [ends if member else begun + 30 * 60]


def test_cart_abandoned_and_ordered_on_another_device_with_the_same_email() -> None:
    begun = instant(NOW) - 31 * 60
    person = Person(1, events=[Event(1, "checkout", begun, 2500)])
    person.orders = [Order(1, begun + 60)]
    assert not holds(CART, person)
    assert holds("abandoned_checkout_date IS NULL", person)
    completed = Person(1, events=[Event(1, "checkout", begun, 2500, ended_at=begun + 120)])
    assert not holds(CART, completed)


def test_rule_that_references_a_segment_defined_later() -> None:
    rules = {
        "both": "segment('vip') AND segment('recent')",
        "vip": "amount_spent >= 5 AND NOT segment('lapsed')",
        "recent": "last_order_date >= -30d",
        "lapsed": "NOT segment('recent')",
    }
    ruleset = compile_rules(rules, Shop("UTC", "EUR"))
    now = datetime.fromtimestamp(instant(NOW), UTC)
    known = frames([buyer("2026-07-01T00:00:00"), Person(2)])
    members = evaluate(ruleset, known, now, {}).members
    assert members.loc[1].to_dict() == {"both": True, "vip": True, "recent": True, "lapsed": False}
    assert members.loc[2].to_dict() == {
        "both": False,
        "vip": False,
        "recent": False,
        "lapsed": True,
    }


def test_segments_that_reference_each_other_are_refused_by_name() -> None:
    rules = {
        "first": "segment('second')",
        "second": "NOT segment('third')",
        "third": "ENTERED segment('first') >= -7d",
        "bystander": "number_of_orders = 1",
    }
    with pytest.raises(RuleError) as error:
        compile_rules(rules, Shop("UTC", "EUR"))
    assert all(name in error.value.message for name in ("first", "second", "third"))
    assert "bystander" not in error.value.message


@pytest.mark.parametrize(
    ("today", "birthday"),
    [
        ("2026-02-27", False),
        ("2026-02-28", True),
        ("2026-03-01", False),
        ("2028-02-28", False),
        ("2028-02-29", True),
        ("2028-03-01", False),
    ],
)
def test_birthday_on_29_february(today: str, birthday: bool) -> None:
    assert holds(f"{BIRTHDAY} = today", born("1992-02-29"), f"{today}T09:00:00") is birthday


@pytest.mark.parametrize(
    ("today", "soon"),
    [("2026-12-26", False), ("2026-12-27", True), ("2027-01-03", True), ("2027-01-04", False)],
)
def test_birthday_soon_after_the_turn_of_the_year(today: str, soon: bool) -> None:
    rule = f"{BIRTHDAY} BETWEEN today AND +7d"
    assert holds(rule, born("1990-01-03"), f"{today}T09:00:00") is soon


def test_a_month_and_a_year_back_across_the_turn_of_the_year() -> None:
    now = "2026-01-01T00:00:00"
    assert holds("last_order_date IN LAST YEAR", buyer("2025-12-31T23:59:59"), now)
    assert holds("last_order_date IN LAST MONTH", buyer("2025-12-31T23:59:59"), now)
    assert holds("last_order_date IN THIS YEAR", buyer("2026-01-01T00:00:00"), now)
    assert holds("last_order_date = START OF THIS YEAR", buyer("2026-01-01T00:00:00"), now)
    assert holds("last_order_date = END OF LAST QUARTER", buyer("2025-12-31T23:59:59"), now)


@pytest.mark.parametrize(
    ("day", "last_week"),
    [
        ("2026-12-27", False),
        ("2026-12-28", True),  # week 53 of 2026 goes on until 3 January
        ("2027-01-03", True),
        ("2027-01-04", False),
    ],
)
def test_iso_week_53(day: str, last_week: bool) -> None:
    person = buyer(f"{day}T12:00:00")
    assert holds("last_order_date IN LAST WEEK", person, "2027-01-05T12:00:00") is last_week


def test_equal_values_are_equal_where_55_percent_have_one_order() -> None:
    people = [spender(number, 1000, 1 if number <= 55 else 3) for number in range(1, 101)]
    one_timers = list(range(1, 56))
    assert ranked("number_of_orders <= STORE PERCENTILE 30", people) == one_timers
    assert ranked("number_of_orders IN BOTTOM 40%", people) == one_timers
    assert ranked("number_of_orders IN TOP 80%", people) == list(range(1, 101))
