"""Properties of single orders, lines, refunds and events, and the fields made of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import Matches
from segmentd.segmenter.parser import parse
from segmentd.segmenter.ruleset import Shop
from segmenter_oracle.asking import NOW, ask, buyer, holds, instant, ranked
from segmenter_oracle.histories import PRODUCTS, Event, Line, Order, Person, Product, frames

SHOE, OTHER_SHOE, HAT, CARD = PRODUCTS


def at(local: str) -> int:
    return instant(local)


def number(
    function: str, filters: str, person: Person, products: Sequence[Product] = PRODUCTS
) -> int:
    """How many rows fulfil the filters."""
    matches = parse(f"{function} MATCHES ({filters})")
    assert isinstance(matches, Matches)
    clock = Clock("UTC", datetime.fromtimestamp(at(NOW), UTC))
    facts = Facts(frames([person], products), clock)
    return int(Conditions(facts, Shop("UTC", "EUR"), {}).rows(matches.events).sum())


def client() -> Person:
    return Person(
        1,
        orders=[
            Order(
                7,
                at("2026-05-01T23:00:00"),
                5000,
                codes=["WELCOME"],
                lines=[Line(SHOE, 2, 4000, 1000), Line(HAT, 0, 1000)],
                refunds=[(at("2026-05-05T00:00:00"), 3000), (at("2026-05-06T00:00:00"), 2000)],
            ),
            Order(
                3,
                at("2026-05-03T01:00:00"),
                2000,
                discount=300,
                lines=[Line(None, 4, 2000, None)],
                refunds=[(at("2026-05-04T00:00:00"), 1999)],
            ),
            Order(5, at("2026-05-03T02:00:00"), None, discount=None, lines=[Line(SHOE, 1, 700)]),
            Order(6, at("2026-06-01T00:00:00"), 1000, counted=False, lines=[Line(HAT, 9, 1)]),
        ],
    )


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ("nth = 1", 1),
        ("nth = 1, amount = 50", 1),
        ("nth = -1, amount IS NULL", 1),
        ("nth = -3, amount = 50", 1),
        ("gap = 2", 1),
        ("gap = 0", 1),
        ("gap IS NULL", 1),
        ("gap <= 2", 2),
        ("net_amount = 0", 1),
        ("net_amount = 0.01", 1),
        ("net_amount IS NULL", 1),
        ("discounted = true", 2),
        ("discounted = false", 1),
        ("discounted IS NULL", 0),
        ("discount = 3", 1),
        ("items = 2", 1),
        ("items >= 1", 3),
        ("hour = 23, weekday = 5", 1),
        ("location_id = 1", 0),
    ],
)
def test_orders(filters: str, count: int) -> None:
    assert number("orders_placed", filters, client()) == count


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ("unit_price = 25", 1),
        ("unit_price = 7", 1),
        # no pieces, or an unknown discount
        ("unit_price IS NULL", 2),
        ("discounted = true", 1),
        ("discounted = false", 3),
        ("discount IS NULL", 1),
        ("id = 11, discounted = false", 1),
        ("category = 'footwear' OR category = 'headwear'", 3),
        ("amount > 7, tag = 'red'", 1),
    ],
)
def test_lines(filters: str, count: int) -> None:
    assert number("products_purchased", filters, client()) == count


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ("launch_age = 0", 2),
        ("launch_age = 1", 1),
        ("launch_age <= 30", 3),
        # not on sale yet, of unknown age, not known at all
        ("launch_age IS NULL", 3),
        ("launch_age > 30", 0),
        ("launch_age != 0", 4),
    ],
)
def test_how_new_a_product_was(filters: str, count: int) -> None:
    new = Product(8, "18", published_at=at("2026-05-01T23:59:59"))
    announced = Product(9, "19", published_at=at("2026-06-01T00:00:00"))
    person = Person(
        1,
        orders=[
            Order(1, at("2026-05-01T23:00:00"), lines=[Line(new, 1, 5), Line(announced, 1, 5)]),
            Order(2, at("2026-05-02T00:00:00"), lines=[Line(new, 1, 5), Line(HAT, 1, 5)]),
            Order(3, at("2026-06-01T23:00:00"), lines=[Line(announced, 1, 5), Line(None, 1, 5)]),
        ],
    )
    assert number("products_purchased", filters, person, [*PRODUCTS, new, announced]) == count


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ("full = true", 2),
        ("full = false", 1),
        ("amount >= 20", 2),
        ("date = 2026-05-05", 1),
        ("full = true, date < 2026-05-06", 1),
    ],
)
def test_refunds(filters: str, count: int) -> None:
    assert number("refunds_received", filters, client()) == count


def test_a_refund_is_full_once_all_is_paid_back() -> None:
    rule = "refunds_received MATCHES (full = true)"
    assert not holds(rule, client(), now="2026-05-05T23:59:59")
    assert holds(rule, client(), now="2026-05-06T00:00:00")
    _, due = ask(rule, [client()], now="2026-05-05T12:00:00")
    assert due.to_list() == [at("2026-05-06T00:00:00")]


# what else happened


def visitor() -> Person:
    return Person(
        1,
        orders=[Order(1, at("2026-07-10T12:00:00"))],
        events=[
            Event(1, "checkout", at("2026-07-10T11:59:59"), 5000),
            Event(2, "checkout", at("2026-07-10T12:00:00"), 2000, properties={"items": "3"}),
            Event(3, "checkout", at("2026-07-11T12:00:00"), 900, at("2026-07-11T12:30:00")),
            Event(4, "checkout", at("2026-07-14T12:00:00"), 700, at("2026-07-16T00:00:00")),
            Event(5, "checkout", at("2026-07-17T12:00:00"), 700),
            Event(
                6,
                "shopify_email.opened",
                at("2026-07-01T00:00:00"),
                properties={"activity_id": "7"},
            ),
            Event(7, "shopify_email.opened", at("2026-07-02T00:00:00"), properties={"id": "7"}),
            Event(
                8, "storefront.product_viewed", at("2026-07-03T00:00:00"), properties={"id": "1"}
            ),
            Event(9, "Viewed", at("2026-07-04T00:00:00"), properties={"id": "1", "x": "a=b"}),
            Event(10, "viewed", at("2026-07-04T00:00:00")),
        ],
    )


@pytest.mark.parametrize(
    ("function", "filters", "count"),
    [
        ("checkouts_abandoned", "", 2),
        ("checkouts_abandoned", "amount >= 20", 1),
        ("checkouts_abandoned", "properties.items > 2", 1),
        ("checkouts_abandoned", "date >= -24h", 1),
        ("shopify_email.opened", "", 2),
        ("shopify_email.opened", "activity_id = 7", 1),
        ("shopify_email.clicked", "", 0),
        ("storefront.product_viewed", "id = 'gid://shopify/Product/1'", 1),
        ("storefront_event.product_viewed", "id IN (1, 2)", 1),
        ("storefront.collection_viewed", "", 0),
        ("events('Viewed')", "", 1),
        ("events('Viewed')", "properties.x = 'A=B'", 1),
        ("events('Viewed')", "properties.X = 'a=b'", 0),
        ("events('viewed')", "amount IS NULL", 1),
        ("events('VIEWED')", "", 0),
        ("product_reviews", "", 0),
    ],
)
def test_what_else_happened(function: str, filters: str, count: int) -> None:
    assert number(function, filters, visitor()) == count


def test_events_of_the_future_are_due() -> None:
    _, due = ask("checkouts_abandoned MATCHES (count >= 2)", [visitor()])
    assert due.to_list() == [at("2026-07-16T00:00:00")]
    _, due = ask("checkouts_abandoned MATCHES (count = 2)", [visitor()], now="2026-07-16T12:00:00")
    assert due.to_list() == [at("2026-07-17T12:00:00")]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("abandoned_checkout_date = 2026-07-14", True),
        ("abandoned_checkout_date > last_order_date", True),
        ("days_since_last_order = 5", True),
        ("average_days_between_orders IS NULL", True),
        ("distinct_products = 0", True),
        ("full_price_share IS NULL", True),
    ],
)
def test_fields_of_a_visitor(rule: str, expected: bool) -> None:
    assert holds(rule, visitor()) is expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("average_days_between_orders = 1", True),
        ("average_days_between_orders = average_gap OF orders_placed ()", True),
        ("days_since_last_order = 73", True),
        ("distinct_products = 2", True),
        # 37 of 77; the discount of one line is unknown
        ("full_price_share BETWEEN 48% AND 48.1%", True),
        ("customer_postal_code STARTS WITH '10'", True),
        ("customer_areas CONTAINS 'EU'", True),
        ("count OF customer_areas >= 3", True),
        ("customer_season = 'SUMMER'", True),
    ],
)
def test_fields_of_a_client(rule: str, expected: bool) -> None:
    person = client()
    person.country, person.postcode = "DE", "10115"
    assert holds(rule, person) is expected


# the whole store


def test_multiples_and_deviations_of_the_store() -> None:
    people = [buyer("2026-07-01T00:00:00", total=100 * n) for n in range(1, 31)]
    for number_, person in enumerate(people, start=1):
        person.id = person.orders[0].id = number_
    people.append(Person(31))
    # 1 to 30: mean 15.5, standard deviation 8.655
    for rule, expected in [
        ("amount_spent >= 1.5 * STORE AVERAGE", range(24, 31)),
        ("amount_spent > STORE AVERAGE + 1 DEVIATIONS", range(25, 31)),
        ("amount_spent < STORE AVERAGE - 1.5 DEVIATIONS", range(1, 3)),
        ("amount_spent > STORE PERCENTILE 90", range(28, 31)),
        ("amount_spent BETWEEN STORE MEDIAN AND STORE PERCENTILE 75", range(16, 23)),
        ("amount_spent NOT BETWEEN 0 AND STORE PERCENTILE 90", [*range(28, 31), 31]),
        ("max_amount OF orders_placed () IN TOP 10%", range(28, 31)),
        ("sum_amount OF orders_placed (nth = 2) < STORE MEDIAN", []),
        ("count OF orders_placed () = STORE MEDIAN", range(1, 31)),
    ]:
        assert ranked(rule, people) == list(expected), rule
