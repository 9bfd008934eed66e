"""One value out of many events: sums, averages, first and last, different and most frequent."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import Aggregate, Condition, Matches
from segmentd.segmenter.matching import conditions_of
from segmentd.segmenter.parser import parse
from segmentd.segmenter.ruleset import Shop
from segmentd.segmenter.spelling import text
from segmenter_oracle.asking import NOW, buyer, holds, instant
from segmenter_oracle.histories import PRODUCTS, Event, Line, Order, Person, frames

SHOE, OTHER_SHOE, HAT, CARD = PRODUCTS
NOBODY = Person(9)


def at(local: str) -> int:
    return instant(local)


def shopper() -> Person:
    """Four orders, two of them at the same second; the last one has no known money."""
    return Person(
        1,
        tags=["VIP", "wholesale"],
        orders=[
            Order(
                1,
                at("2026-01-10T10:00:00"),
                1000,
                channel="web",
                country="DE",
                codes=["Summer", "X"],
                lines=[Line(SHOE, 2, 800, 200), Line(HAT, 1, 200)],
            ),
            Order(
                2,
                at("2026-03-10T10:00:00"),
                3000,
                channel="POS",
                codes=["SUMMER"],
                discount=500,
                lines=[Line(OTHER_SHOE, 1, 3000, None)],
                refunds=[(at("2026-03-12T10:00:00"), 1000), (at("2026-07-01T10:00:00"), 2000)],
            ),
            Order(
                4,
                at("2026-07-10T10:00:00"),
                2000,
                channel="web",
                country="FR",
                tags=["gift"],
                lines=[Line(SHOE, 3, 1500), Line(None, 1, 500)],
                refunds=[(at("2026-07-11T10:00:00"), 500)],
            ),
            Order(3, at("2026-07-10T10:00:00"), None, channel="pos", country="DE"),
        ],
        events=[
            Event(1, "Viewed Product", at("2026-07-01T08:00:00"), 100, None, {"color": "Red"}),
            Event(2, "Viewed Product", at("2026-07-02T08:00:00"), None, None, {"color": "red"}),
            Event(3, "Viewed Product", at("2026-07-03T08:00:00"), 300, None, {"seconds": "12.5"}),
            Event(4, "viewed product", at("2026-07-04T08:00:00"), 999),
        ],
    )


def conditions(known: Frames) -> Conditions:
    clock = Clock("UTC", datetime.fromtimestamp(at(NOW), UTC))
    return Conditions(Facts(known, clock), Shop("UTC", "EUR"), {})


def value(subject: str, person: Person) -> float | None:
    """What a subject is for one person, NaN as None."""
    parsed = parse(f"{subject} = 0")
    assert isinstance(parsed, Condition)
    [number] = conditions(frames([person], PRODUCTS)).numbers(parsed.subject).tolist()
    return None if math.isnan(number) else number


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("count OF orders_placed ()", 4),
        ("sum_amount OF orders_placed ()", 6000),
        ("average_amount OF orders_placed ()", 2000),
        ("min_amount OF orders_placed ()", 1000),
        ("max_amount OF orders_placed ()", 3000),
        ("median_amount OF orders_placed ()", 2000),
        ("median_amount OF orders_placed (amount != 20)", 2000),
        ("median_amount OF orders_placed (amount <= 20)", 1500),
        ("share OF orders_placed (channel = 'web')", 0.5),
        ("share_amount OF orders_placed (channel = 'web')", 0.5),
        ("first_amount OF orders_placed ()", 1000),
        # at one second the lower number comes first
        ("last_amount OF orders_placed ()", 2000),
        ("last_amount OF orders_placed (nth = 3)", None),
        ("first_date OF orders_placed (amount > 10)", at("2026-03-10T10:00:00")),
        ("sum_net_amount OF orders_placed ()", 2500),
        ("sum_discount OF orders_placed ()", 500),
        ("sum_items OF orders_placed ()", 8),
        ("average_gap OF orders_placed ()", (59 + 122 + 0) / 3),
        ("max_gap OF orders_placed ()", 122),
        ("distinct_channel OF orders_placed ()", 2),
        ("distinct_country OF orders_placed ()", 2),
        ("distinct_discount_code OF orders_placed ()", 2),
        ("distinct_month OF orders_placed ()", 3),
        ("top_share_channel OF orders_placed ()", 0.5),
        # of all events, also of those that have no code
        ("top_share_discount_code OF orders_placed ()", 0.5),
        ("top_share_hour OF orders_placed ()", 1),
        ("days_since OF orders_placed ()", 5),
        ("days_since OF orders_placed (channel = 'web', nth <= 2)", 186),
        ("days_between OF orders_placed ()", 181),
        ("days_between OF orders_placed (nth = 1)", 0),
        ("count OF products_purchased ()", 3),
        ("quantity OF products_purchased ()", 8),
        ("sum_quantity OF products_purchased (type = 'shoes')", 6),
        ("share OF products_purchased (type = 'shoes')", 0.75),
        ("share_amount OF products_purchased (type = 'shoes')", 5300 / 6000),
        ("distinct_title OF products_purchased ()", 3),
        ("distinct_tag OF products_purchased ()", 3),
        ("top_share_type OF products_purchased ()", 3 / 5),
        ("top_share_tag OF products_purchased ()", 2 / 5),
        ("min_unit_price OF products_purchased ()", 200),
        ("max_unit_price OF products_purchased ()", 500),
        ("last_amount OF products_purchased ()", 1500),
        ("first_amount OF products_purchased ()", 800),
        ("count OF refunds_received ()", 2),
        ("share OF refunds_received ()", 0.5),
        ("count OF refunds_received (full = true)", 1),
        ("sum_amount OF refunds_received (full = true)", 3000),
        ("days_since OF refunds_received (full = true)", 14),
        ("count OF events('Viewed Product') ()", 3),
        ("sum_amount OF events('Viewed Product') ()", 400),
        ("average_amount OF events('Viewed Product') ()", 200),
        ("max_properties.seconds OF events('Viewed Product') ()", 12.5),
        ("count OF events('Viewed Product') (properties.color = 'red')", 2),
        ("count OF customer_tags", 2),
        ("count OF customer_countries", 0),
        ("count OF customer_areas", 0),
    ],
)
def test_values(subject: str, expected: float | None) -> None:
    assert value(subject, shopper()) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("count OF orders_placed ()", 0),
        ("sum_amount OF orders_placed ()", 0),
        ("quantity OF products_purchased ()", 0),
        ("sum_properties.seconds OF events('a') ()", 0),
        ("distinct_title OF products_purchased ()", 0),
        ("sum_amount EVERY 90d OF orders_placed (date >= -365d)", 0),
        ("count OF product_reviews ()", 0),
        ("distinct_weekday OF product_reviews ()", 0),
        ("count OF shopify_email.opened ()", 0),
        ("average_amount OF orders_placed ()", None),
        ("min_amount OF orders_placed ()", None),
        ("median_amount OF orders_placed ()", None),
        ("first_amount OF orders_placed ()", None),
        ("last_date OF orders_placed ()", None),
        ("share OF orders_placed ()", None),
        ("share_amount OF orders_placed ()", None),
        ("top_share_title OF products_purchased ()", None),
        ("days_since OF orders_placed ()", None),
        ("days_between OF orders_placed ()", None),
        ("max_rating OF product_reviews ()", None),
        ("days_since OF product_reviews ()", None),
    ],
)
def test_values_of_nothing(subject: str, expected: float | None) -> None:
    assert value(subject, NOBODY) == expected


def test_a_share_of_nothing_among_something_is_zero() -> None:
    assert value("share OF orders_placed (channel = 'nowhere')", shopper()) == 0
    assert value("share_amount OF orders_placed (channel = 'nowhere')", shopper()) == 0
    assert value("top_share_country OF orders_placed (nth = 2)", shopper()) is None


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("last_channel OF orders_placed () = 'web'", True),
        ("first_channel OF orders_placed () = last_channel OF orders_placed ()", True),
        ("last_country OF orders_placed () = 'FR'", True),
        ("last_country OF orders_placed () = last_order_country", True),
        ("first_discount_code OF orders_placed () = 'x'", True),
        ("first_title OF products_purchased () CONTAINS 'shoe'", True),
        ("last_tag OF orders_placed (nth = 1) IS NULL", True),
        ("last_country OF orders_placed (nth = 2) IS NULL", True),
        ("last_properties.color OF events('Viewed Product') () IS NULL", True),
        ("last_properties.seconds OF events('Viewed Product') () > 12", True),
        ("first_properties.color OF events('Viewed Product') () = 'RED'", True),
        ("last_date OF orders_placed () = 2026-07-10", True),
        ("last_date OF orders_placed () >= first_date OF refunds_received () + 120d", True),
        ("last_date OF orders_placed () > first_date OF refunds_received () + 120d", False),
        ("sum_amount OF orders_placed () > 1.5 * sum_amount OF refunds_received ()", True),
        ("sum_amount OF orders_placed () = 2 * sum_amount OF orders_placed (nth = 2)", True),
        ("sum_amount OF orders_placed () = average_order_value", False),
        ("count OF orders_placed (date >= -90d) > count OF orders_placed (date < -90d)", False),
        ("count OF orders_placed (date >= -90d) = count OF orders_placed (date < -90d)", True),
        ("average_order_value BETWEEN 0.5 * amount_spent AND 1.5 * amount_spent", True),
        ("amount_spent NOT BETWEEN 2 * average_order_value AND 100", True),
        ("count OF customer_tags >= 2", True),
        ("count OF customer_tags = number_of_orders", False),
    ],
)
def test_aggregates_compared(rule: str, expected: bool) -> None:
    assert holds(rule, shopper()) is expected


def test_a_multiple_is_exact() -> None:
    person = buyer("2026-07-01T00:00:00", "2026-07-02T00:00:00")
    person.orders[0].total, person.orders[1].total = 10, 11
    # 1.1 * 10 is 11.000000000000002 in floating point
    rule = "last_amount OF orders_placed () {} 1.1 * first_amount OF orders_placed ()"
    assert holds(rule.format("="), person)
    assert not holds(rule.format("<"), person)


def test_matches_is_made_of_conditions_on_aggregates() -> None:
    matches = parse("orders_placed NOT MATCHES (count >= 2, date >= -90d, sum_amount < 50)")
    assert isinstance(matches, Matches)
    assert [text(condition) for condition in conditions_of(matches)] == [
        "count OF orders_placed (date >= -90d) >= 2",
        "sum_amount OF orders_placed (date >= -90d) < 50",
    ]
    alone = parse("orders_placed MATCHES (nth = 1)")
    assert isinstance(alone, Matches)
    assert [text(condition) for condition in conditions_of(alone)] == [
        "count OF orders_placed (nth = 1) > 0"
    ]


def test_only_who_has_events_is_ranked() -> None:
    silent = replace(shopper(), id=2, events=[])
    known = frames([shopper(), silent, Person(3)], PRODUCTS)
    for rule, expected in [
        ("sum_amount OF events('Viewed Product') () > 0", [400, None, None]),
        ("count OF orders_placed (nth = 1) > 0", [1, 1, None]),
        ("number_of_orders > 0", [4, 4, 0]),
        ("count OF customer_tags > 0", [2, 2, 0]),
        ("max_rating OF product_reviews () > 0", [None, None, None]),
    ]:
        parsed = parse(rule)
        assert isinstance(parsed, Condition)
        numbers = conditions(known).ranked(parsed.subject).tolist()
        assert [None if math.isnan(number) else number for number in numbers] == expected, rule


def test_the_order_of_rows_changes_no_aggregate() -> None:
    twice = Person(2, orders=[Order(9, at("2026-07-01T00:00:00"), 100, lines=[Line(HAT, 1, 5)])])
    twice.orders[0].lines += [Line(SHOE, 1, 7), Line(HAT, 1, 3), Line(None, 1, 1)]
    known = frames([shopper(), twice], PRODUCTS)
    reversed_rows = replace(
        known,
        orders=known.orders.iloc[::-1],
        lines=known.lines.iloc[::-1],
        refunds=known.refunds.iloc[::-1],
        events=known.events.iloc[::-1],
        products=known.products.iloc[::-1],
    )
    asked = [
        "first_amount OF products_purchased ()",
        "last_amount OF products_purchased ()",
        "median_amount OF products_purchased ()",
        "last_amount OF refunds_received ()",
        "distinct_tag OF products_purchased ()",
        "top_share_title OF products_purchased ()",
        "max_gap OF orders_placed ()",
        "last_nth OF orders_placed ()",
    ]
    for subject in asked:
        parsed = parse(f"{subject} = 0")
        assert isinstance(parsed, Condition)
        assert isinstance(parsed.subject, Aggregate)
        straight, other = (
            conditions(each).numbers(parsed.subject).tolist() for each in (known, reversed_rows)
        )
        assert straight == pytest.approx(other, nan_ok=True), subject
    # of two lines with one product the smaller one comes first; unknown products come before all
    assert value("first_amount OF products_purchased ()", twice) == 1
    assert value("first_amount OF products_purchased (title = 'hat')", twice) == 3
