"""Rules as plain words: short, true, and different for rules that differ."""

from __future__ import annotations

import re

import pytest

from fuzz.trees import Trees
from segmentd.segmenter.check import check
from segmentd.segmenter.fields import FIELDS, FUNCTIONS
from segmentd.segmenter.language import And, Condition, Not, Or
from segmentd.segmenter.parser import parse
from segmentd.segmenter.render import money, subject_words, words
from segmentd.segmenter.spelling import text


@pytest.mark.parametrize(
    ("rule", "phrase"),
    [
        # numbers and the whole store
        ("amount_spent > 100.50", "amount spent is above 100.50 EUR"),
        ("amount_spent != 5", "amount spent is not 5 EUR"),
        ("number_of_orders BETWEEN 2 AND 5", "number of orders is between 2 and 5 (both included)"),
        ("number_of_orders NOT IN (1, 2)", "number of orders is not one of 1, 2"),
        ("refund_rate >= 0.125", "refunded share of the money is at least 12.5%"),
        (
            "amount_spent IN TOP 10%",
            "amount spent is among the highest 10% of all who have ordered",
        ),
        (
            "amount_spent NOT IN BOTTOM 5%",
            "amount spent is not among the lowest 5% of all who have ordered",
        ),
        ("amount_spent > STORE MEDIAN", "amount spent is above the median of all who have ordered"),
        (
            "amount_spent >= STORE AVERAGE +2 DEVIATIONS",
            "amount spent is at least the average plus 2 standard deviations of all who have"
            " ordered",
        ),
        (
            "amount_spent < 0.5 * STORE PERCENTILE 75",
            "amount spent is below 0.5 times the value that 75% of all who have ordered do not"
            " exceed",
        ),
        ("amount_spent > average_order_value", "amount spent is above the average order value"),
        (
            "amount_spent > 2 * average_order_value",
            "amount spent is above 2 times the average order value",
        ),
        ("amount_spent >= $large_order", "amount spent is at least $large_order"),
        # dates
        ("last_order_date >= -90d", "last order is in the last 90 days"),
        ("last_order_date < -1m", "last order is over 1 month ago"),
        ("last_order_date >= -24h", "last order is in the last 24 hours"),
        ("last_order_date > -24h", "last order is after 24 hours ago"),
        ("last_order_date <= -7d", "last order is on or before 7 days ago"),
        ("last_order_date <= +7d", "last order is on or before 7 days from now"),
        ("last_order_date = yesterday", "last order is on yesterday"),
        ("last_order_date = 2026-01-31", "last order is on 2026-01-31"),
        ("last_order_date >= 2026-01-31T10:00:00", "last order is at or after 2026-01-31T10:00:00"),
        ("last_order_date IS NOT NULL", "last order is known"),
        ("last_order_date IS NULL", "last order is unknown"),
        ("first_order_date IN LAST MONTH", "first order is in the last calendar month"),
        (
            "first_order_date >= START OF THIS YEAR",
            "first order is on or after the first day of this calendar year",
        ),
        (
            "first_order_date < END OF LAST WEEK",
            "first order is before the last day of the last calendar week",
        ),
        ("last_order_date < -$at_risk_days", "last order is over $at_risk_days days ago"),
        ("last_order_date = +$at_risk_days", "last order is on $at_risk_days days from now"),
        (
            "last_order_date > first_order_date + 7d",
            "last order is after 7 days after the first order",
        ),
        (
            "last_order_date <= traits.renewal - 24h",
            "last order is at or before 24 hours before traits.renewal",
        ),
        ("anniversary('first_order_date') = today", "anniversary of first order is on today"),
        ("anniversary('traits.born') >= today", "anniversary of traits.born is on or after today"),
        # texts and lists
        ("customer_tags NOT CONTAINS 'VIP'", "tag list does not contain 'VIP'"),
        ("customer_tags CONTAINS ANY ('a', 'b')", "tag list contains any of 'a', 'b'"),
        ("customer_tags CONTAINS NONE ('a', 'b')", "tag list contains none of 'a', 'b'"),
        ("customer_tags NOT CONTAINS ALL ('it\\'s')", "tag list does not contain all of 'it\\'s'"),
        ("count OF customer_tags > 3", "number of entries in tag list is above 3"),
        ("customer_email_domain LIKE '%.edu'", "e-mail domain is like '%.edu'"),
        (
            "customer_email_domain NOT REGEX '^a' MATCHING CASE",
            "e-mail domain does not match the pattern '^a' (upper and lower case differ)",
        ),
        (
            "customer_postal_code STARTS WITH 'a' IGNORING ACCENTS",
            "postal code starts with 'a' (accents do not matter)",
        ),
        ("metafields.a.b = true", "metafields.a.b is true"),
        # events
        ("orders_placed MATCHES ()", "orders ever: at least one"),
        (
            "products_purchased NOT MATCHES (category = 'shoes', date >= -30d, count >= 2)",
            "not (products whose category is 'shoes' and date is in the last 30 days:"
            " number of orders is at least 2)",
        ),
        (
            "orders_placed MATCHES (amount > 5 OR NOT (discounted = true), share >= 50%)",
            "orders whose (order total is above 5 EUR or not (discount given is true)):"
            " share of all orders is at least 50%",
        ),
        (
            "events('Quiz') MATCHES (properties.score > 5, sum_properties.score > 9)",
            "events 'Quiz' whose properties.score is above 5:"
            " sum of the score is above 9",
        ),
        (
            "customer_within_distance MATCHES (coordinates = '45.4,-75.7', distance_km <= 10)",
            "lives at most 10 km from '45.4,-75.7'",
        ),
        (
            "customer_within_distance NOT MATCHES (distance_mi < 2.5, coordinates = '45,-75')",
            "not (lives less than 2.5 mi from '45,-75')",
        ),
        (
            "sum_amount OF orders_placed (date >= -90d) > 500",
            "total over orders (date is in the last 90 days) is above 500 EUR",
        ),
        ("count OF orders_placed (nth > 1) = 3",
         "number of orders (place among all orders is above 1) is 3"),
        (
            "count EVERY 3m OF shopify_email.opened () >= 2",
            "number of e-mails opened in every 3 months is at least 2",
        ),
        (
            "count OF products_purchased (tag = 'sale') >= 2",
            "number of orders over products (product tag is 'sale') is at least 2",
        ),
        (
            "products_purchased (title = 'Ring') THEN products_purchased () WITHIN 30d"
            " WITHOUT refunds_received () THEN NOT orders_placed ()",
            "products (title is 'Ring'), then within 30 days products with no refunds in between,"
            " then no orders",
        ),
        # the rest
        ("segment('vip')", "is a member of segment 'vip'"),
        ("ENTERED segment('vip') >= -7d", "entry into segment 'vip' is in the last 7 days"),
        ("LEFT segment('vip') IS NULL", "exit from segment 'vip' is unknown"),
        ("SAMPLE(10%, 'spring')", "is in the random part 10% of 'spring'"),
        ("SAMPLE(10% TO 20%, 'spring')", "is in the random part 10% to 20% of 'spring'"),
        (
            "(number_of_orders = 1 OR number_of_orders = 2) AND NOT (amount_spent > 5)",
            "(number of orders is 1 or number of orders is 2)"
            " and not (amount spent is above 5 EUR)",
        ),
        (
            "orders_placed MATCHES (count > 1, share > 5%) OR orders_placed MATCHES ()"
            " OR orders_placed NOT MATCHES (count > 1)",
            "(orders ever: number of orders is above 1 and share of all orders is above 5%)"
            " or orders ever: at least one or not (orders ever: number of orders is above 1)",
        ),
        (
            "orders_placed () THEN orders_placed () AND segment('vip')",
            "(orders, then orders) and is a member of segment 'vip'",
        ),
    ],
)  # fmt: skip
def test_words(rule: str, phrase: str) -> None:
    tree = parse(rule)
    check(tree)
    assert words(tree, "EUR") == phrase


def test_a_named_condition_that_is_left_is_called_by_its_name() -> None:
    assert words(parse("$loyal AND $rich"), "EUR") == "$loyal and $rich"


def test_a_subject_alone() -> None:
    condition = parse("sum_discount OF orders_placed (amount > 5) > 1")
    assert isinstance(condition, Condition)
    assert (
        subject_words(condition.subject, "USD")
        == "sum of the discount over orders (order total is above 5 USD)"
    )


def test_names_in_words_are_different() -> None:
    for named in (FIELDS, *(function.properties for function in FUNCTIONS.values())):
        told = [field.words for name, field in named.items() if name != "app_id"]  # the channel
        assert len(set(told)) == len(told)
    for function in FUNCTIONS.values():
        told = [field.words for name, field in function.aggregates.items() if _counts(name)]
        assert len(set(told)) == len(told)


def _counts(name: str) -> bool:
    return "app_id" not in name and name != "sum_quantity"


_SAME = [(r"(distance_..) =", r"\1 <="), ("storefront_event", "storefront"), ("app_id", "channel"),
         ("sum_quantity", "quantity")]  # fmt: skip


def _meaning(rule: str) -> str:
    for synonym, word in _SAME:
        rule = re.sub(synonym, word, rule)
    return rule


@pytest.mark.parametrize("seed", range(4))
def test_conditions_that_differ_have_different_words(seed: int) -> None:
    trees, seen = Trees(seed), dict[str, str]()
    for _ in range(2_000):
        leaf = trees.leaf()
        rule = _meaning(text(leaf))
        assert seen.setdefault(words(leaf, "EUR"), rule) == rule


def test_how_conditions_are_joined_can_be_told_apart() -> None:
    seen = dict[str, str]()
    one, two, three = (Trees(seed).leaf() for seed in (1, 2, 3))
    for rule in (
        And((one, two, three)),
        And((one, Or((two, three)))),
        Or((one, And((two, three)))),
        Or((And((one, two)), three)),
        And((Or((one, two)), three)),
        Or((one, two, three)),
        Not(And((one, two, three))),
        And((Not(one), two, three)),
        And((Not(And((one, two))), three)),
        And((one, And((two, three)))),
    ):
        assert seen.setdefault(words(rule, "EUR"), text(rule)) == text(rule)
    assert len(seen) == 10


def test_money() -> None:
    assert money(123_450, "EUR") == "1,234.50 EUR"
    assert money(-5, "JPY") == "-5 JPY"
    assert money(1234.5, "KWD") == "1.234 KWD"
