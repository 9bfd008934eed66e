"""Why, why not, until when; and rules as words."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from compiled_rules import compile_rules
from segmentd.segmenter.explain import Explanation, explain
from segmentd.segmenter.parser import parse
from segmentd.segmenter.render import money, words
from segmentd.segmenter.ruleset import Shop
from segmenter_oracle.asking import NOW, buyer, instant
from segmenter_oracle.histories import PRODUCTS, Line, Order, Person, frames

BERLIN = "Europe/Berlin"


def why(rule: str, person: Person, thresholds: dict[str, str] | None = None) -> Explanation:
    ruleset = compile_rules({"asked": rule}, Shop(BERLIN, "EUR"))
    now = datetime.fromtimestamp(instant(NOW, BERLIN), UTC)
    return explain(ruleset, "asked", frames([person], PRODUCTS), now, thresholds or {})


def test_a_rule_of_several_conditions() -> None:
    person = buyer("2026-07-01T10:00:00", "2026-06-01T10:00:00", zone=BERLIN)
    person.tags = ["VIP", "wholesale"]
    told = why(
        "amount_spent >= 20 AND NOT (last_order_date < -30d OR customer_tags CONTAINS 'x')", person
    )
    assert told.to_text().splitlines() == [
        "yes  amount spent is at least 20 EUR and not (last order is over 30 days ago"
        " or tag list contains 'x'); ends on 2026-08-01 00:00 if nothing is ordered",
        "  yes  amount spent is at least 20 EUR; it is 20.00 EUR; orders 1, 2;"
        " ends with 0.01 EUR given back",
        "  yes  not (last order is over 30 days ago or tag list contains 'x');"
        " ends on 2026-08-01 00:00 if nothing is ordered",
        "    no   last order is over 30 days ago or tag list contains 'x';"
        " needs the tag 'x' put on; begins on 2026-08-01 00:00 if nothing is ordered",
        "      no   last order is over 30 days ago; it is 2026-07-01 10:00; orders 1;"
        " begins on 2026-08-01 00:00 if nothing is ordered",
        "      no   tag list contains 'x'; it is VIP, wholesale; needs the tag 'x' put on",
    ]


def test_a_function_names_the_orders_that_matched() -> None:
    orders = [
        Order(n, instant(f"2026-07-0{n}T10:00:00"), lines=[Line(PRODUCTS[n % 2], 1, 500)])
        for n in range(1, 9)
    ]
    told = why(
        "products_purchased MATCHES (tag = 'blue', count >= 2, sum_amount > 5)",
        Person(1, orders=orders),
    )
    assert told.holds
    assert told.value == "number of orders 4, total 20.00 EUR"
    assert told.orders == (7, 5, 3, 1)
    assert told.due is None
    unfilled = why("product_reviews MATCHES ()", Person(1))
    assert (unfilled.holds, unfilled.value, unfilled.orders) == (False, "unknown", ())


def test_at_most_ten_orders_latest_first() -> None:
    orders = [Order(n, instant("2026-07-01T00:00:00") - n) for n in range(1, 20)]
    assert why("orders_placed MATCHES ()", Person(1, orders=orders)).orders == tuple(range(1, 11))


@pytest.mark.parametrize(
    ("rule", "value", "orders"),
    [
        ("last_order_date IS NULL", "2026-07-03 10:00", (2,)),
        ("first_order_date IS NULL", "2026-07-01 10:00", (1,)),
        ("last_order_country = 'DE'", "FR", (2,)),
        ("number_of_orders = 1", "2", (2, 1)),
        ("refunded_orders = 1", "1", (1,)),
        ("refund_rate > 0", "12.5 %", (1,)),
        ("customer_language = 'x'", "unknown", ()),
        ("metafields.a.b = 1", "unknown", ()),
        (
            "amount_spent > average_order_value",
            "35.00 EUR (average_order_value is 20.00 EUR)",
            (2, 1),
        ),
        ("amount_spent IN TOP 10%", "35.00 EUR (TOP 10% amount_spent is 30.00 EUR)", (2, 1)),
        (
            "number_of_orders > STORE AVERAGE",
            "2 (AVERAGE number_of_orders is not computed yet)",
            (2, 1),
        ),
    ],
)
def test_values(rule: str, value: str, orders: tuple[int, ...]) -> None:
    person = buyer("2026-07-01T10:00:00", "2026-07-03T10:00:00", zone=BERLIN, total=2000)
    person.orders[0].refunds = [(instant("2026-07-02T00:00:00"), 500)]
    person.orders[1].country = "FR"
    told = why(rule, person, {"TOP 10% amount_spent": "3000.0 2.0 5.0 -1.0"})
    assert (told.value, told.orders) == (value, orders)


def test_a_future_order_is_due() -> None:
    person = buyer("2026-07-20T10:00:00", zone=BERLIN)
    told = why("number_of_orders = 0", person)
    assert told.holds
    assert told.due is not None
    assert told.due.isoformat() == "2026-07-20T10:00:00+02:00"


def test_who_is_not_known_yet() -> None:
    told = why("number_of_orders = 0", Person(1, created_at=instant("2026-08-01T00:00:00")))
    assert not told.holds
    assert told.value == "a customer that is not known yet"
    assert told.due is not None


def test_as_json() -> None:
    told = why("last_order_date >= -30d OR number_of_orders = 0", buyer("2026-07-01T10:00:00"))
    tree = json.loads(json.dumps(told.to_dict()))
    assert (tree["holds"], tree["member"]) == (True, True)
    assert tree["due"] == "2026-08-01T00:00:00+02:00"
    assert [part["text"] for part in tree["parts"]] == [
        "last_order_date >= -30d",
        "number_of_orders = 0",
    ]
    assert tree["parts"][0] == {
        "text": "last_order_date >= -30d",
        "words": "last order is in the last 30 days",
        "holds": True,
        "member": None,
        "value": "2026-07-01 12:00",
        "orders": [1],
        "due": "2026-08-01T00:00:00+02:00",
        "until": "2026-08-01T00:00:00+02:00",
        "change": "ends on 2026-08-01 00:00 if nothing is ordered",
        "notes": [],
        "parts": [],
    }


@pytest.mark.parametrize(
    ("rule", "phrase"),
    [
        ("amount_spent > 100.50", "amount spent is above 100.50 EUR"),
        ("amount_spent != 5", "amount spent is not 5 EUR"),
        ("number_of_orders BETWEEN 2 AND 5", "number of orders is between 2 and 5 (both included)"),
        ("number_of_orders NOT IN (1, 2)", "number of orders is not one of 1, 2"),
        (
            "amount_spent IN TOP 10%",
            "amount spent is among the highest 10% of all who have ordered",
        ),
        (
            "amount_spent NOT IN BOTTOM 5%",
            "amount spent is not among the lowest 5% of all who have ordered",
        ),
        ("amount_spent > STORE MEDIAN", "amount spent is above the median of all who have ordered"),
        ("amount_spent > average_order_value", "amount spent is above the average order value"),
        ("last_order_date >= -90d", "last order is in the last 90 days"),
        ("last_order_date < -1m", "last order is over 1 month ago"),
        ("last_order_date >= -24h", "last order is in the last 24 hours"),
        ("last_order_date > -24h", "last order is after 24 hours ago"),
        ("last_order_date <= -7d", "last order is on or before 7 days ago"),
        ("last_order_date = yesterday", "last order is on yesterday"),
        ("last_order_date = 2026-01-31", "last order is on 2026-01-31"),
        ("last_order_date >= 2026-01-31T10:00:00", "last order is at or after 2026-01-31T10:00:00"),
        ("last_order_date IS NOT NULL", "last order is known"),
        ("last_order_date IS NULL", "last order is unknown"),
        ("first_order_date IN LAST MONTH", "first order is in the last calendar month"),
        ("customer_tags NOT CONTAINS 'VIP'", "tag list does not contain 'VIP'"),
        ("customer_email_domain LIKE '%.edu'", "e-mail domain is like '%.edu'"),
        ("metafields.a.b = true", "metafields.a.b is true"),
        ("orders_placed MATCHES ()", "orders ever: at least one"),
        (
            "products_purchased NOT MATCHES (category = 'shoes', date >= -30d, count >= 2)",
            "not (products whose category is 'shoes' and date is in the last 30 days:"
            " number of orders is at least 2)",
        ),
        (
            "(number_of_orders = 1 OR number_of_orders = 2) AND NOT (amount_spent > 5)",
            "(number of orders is 1 or number of orders is 2)"
            " and not (amount spent is above 5 EUR)",
        ),
    ],
)
def test_words(rule: str, phrase: str) -> None:
    assert words(parse(rule), "EUR") == phrase


def test_money() -> None:
    assert money(123_450, "EUR") == "1,234.50 EUR"
    assert money(-5, "JPY") == "-5 JPY"
    assert money(1234.5, "KWD") == "1.234 KWD"
