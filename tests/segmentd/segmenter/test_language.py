"""What the language accepts, and that its text means the same again."""

from __future__ import annotations

import random
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from fuzz.trees import SEGMENTS, Trees
from segmentd.segmenter.check import check
from segmentd.segmenter.language import (
    Aggregate,
    And,
    Boundary,
    Call,
    Condition,
    Day,
    Duration,
    Events,
    Expression,
    Matches,
    Member,
    Moment,
    Name,
    Not,
    Number,
    Offset,
    Operand,
    Or,
    Period,
    Sample,
    Scaled,
    Sequence,
    Share,
    Shifted,
    Statistic,
    Step,
    Text,
    Truth,
    Variable,
    children,
    leaves,
    nodes,
    rewrite,
)
from segmentd.segmenter.parser import parse
from segmentd.segmenter.spelling import text

SHOPIFY = [
    # accepted by Shopify's own parser
    "amount_spent > 100.50",
    "abandoned_checkout_date >= -30d",
    "companies IS NULL",
    "customer_countries CONTAINS 'CA'",
    "customer_tags NOT CONTAINS 'x'",
    "number_of_orders >= 1 AND customer_countries CONTAINS 'CA'",
    "(number_of_orders >= 1) OR (number_of_orders = 0)",
    "last_order_date >= -30d",
    "email_subscription_status = 'SUBSCRIBED'",
    # one of each row of its tables
    "number_of_orders BETWEEN 2 AND 5",
    "number_of_orders != 1",
    "first_order_date <= 2020-05-30",
    "last_order_date = 2020-05-30T18:30:00",
    "last_order_date BETWEEN 2020-01-01 AND -7d",
    "customer_added_date IS NOT NULL",
    "customer_added_date >= 12_months_ago",
    "first_order_date < 90_days_ago",
    "last_order_date = today",
    "last_order_date = yesterday",
    "last_order_date >= -2w AND last_order_date <= +30d",
    "last_order_date >= -1m OR last_order_date >= -1y",
    "customer_tags CONTAINS 'it\\'s'",
    "customer_tags IS NOT NULL",
    "customer_regions CONTAINS 'US-CA'",
    "customer_cities NOT CONTAINS 'US-CA-LosAngeles'",
    "companies CONTAINS '123'",
    "customer_email_domain = 'gmail.com'",
    "customer_language != 'en'",
    "customer_account_status = 'ENABLED'",
    "sms_subscription_status = 'REDACTED'",
    "predicted_spend_tier = 'HIGH'",
    "predicted_spend_tier IS NULL",
    "rfm_group = 'CHAMPIONS'",
    "product_subscription_status = 'NEVER_SUBSCRIBED'",
    "created_by_app_id = 123456",
    "metafields.facts.birth_date < 2000-01-01",
    "metafields.custom.points >= 100",
    "metafields.my-app.vip = true",
    "metafields.custom.size = 'XL'",
    "products_purchased MATCHES ()",
    "products_purchased NOT MATCHES ()",
    "products_purchased MATCHES (id = 2012162031638)",
    "products_purchased MATCHES (id IN (1012132033639, 2012162031638))",
    "products_purchased MATCHES (tag = 'red', date >= -30d, count >= 2)",
    "products_purchased MATCHES (category = 'Shoes', quantity > 3)",
    "products_purchased MATCHES (sum_quantity BETWEEN 1 AND 3)",
    "products_purchased(id: 1) = true",
    "products_purchased(tag: 'red', since: 30_days_ago) = false",
    "orders_placed MATCHES ()",
    "orders_placed MATCHES (date BETWEEN 2024-01-01 AND today)",
    "orders_placed MATCHES (amount >= 100, count >= 2, sum_amount > 500.00)",
    "orders_placed NOT MATCHES (location_id = 1, app_id = 2)",
    "shopify_email.opened MATCHES (activity_id = 5240029206, date >= -7d)",
    "shopify_email.clicked NOT MATCHES ()",
    "shopify_email.bounced(activity_id: 135195754518) = false",
    "shopify_email.delivered MATCHES (count >= 3)",
    "shopify_email.marked_as_spam MATCHES ()",
    "shopify_email.unsubscribed MATCHES (date >= -90d)",
    "storefront.product_viewed MATCHES (id = 1, date >= -7d, count >= 2)",
    "storefront_event.product_viewed(id: 1, since: -7d, count_at_least: 3) = true",
    "storefront.collection_viewed MATCHES (id IN (1, 2))",
    "store_credit_accounts MATCHES (balance >= 10, currency = 'USD')",
    "store_credit_accounts MATCHES (next_expiry_date <= +30d, last_credit_date >= -7d)",
    "customer_within_distance MATCHES (coordinates = '45.4,-75.7', distance_km = 10)",
    "customer_within_distance(coordinates: '45.4,-75.7', distance_mi: 10) = true",
    "anniversary('metafields.facts.birth_date') = today",
    "anniversary('metafields.facts.birth_date') <= +7d",
    "anniversary('metafields.facts.birth_date') NOT BETWEEN today AND +7d",
    "metafields.facts.birth_date IN LAST MONTH",
]

OURS = [
    "NOT (amount_spent > 5)",
    "NOT amount_spent > 5",
    "not not number_of_orders = 1",
    "((((number_of_orders = 1))))",
    "number_of_orders NOT IN (1, 2)",
    "number_of_orders NOT BETWEEN 1 AND 2",
    "customer_email_domain STARTS WITH 'shop'",
    "customer_email_domain NOT ENDS WITH '.edu'",
    "customer_language LIKE 'en%'",
    "customer_language IN ('de', 'fr')",
    "last_order_date >= -24h AND last_order_date > -30min",
    "last_order_date > first_order_date",
    "amount_spent > average_order_value",
    "amount_spent IN TOP 10%",
    "amount_spent NOT IN BOTTOM 2.5 %",
    "amount_spent > STORE AVERAGE",
    "average_order_value <= store median",
    "first_order_date IN LAST MONTH",
    "last_order_date NOT IN this year",
    "orders_placed MATCHES (date IN LAST QUARTER, month NOT IN (11, 12), share >= 50%)",
    "orders_placed MATCHES (discount_code = 'SUMMER', channel = 'web', country = 'DE')",
    "products_purchased MATCHES (type = 'Shoes', vendor != 'Acme', title CONTAINS 'red')",
    "products_purchased MATCHES (sum_amount >= 10.50)",
    "coupon_share > 50% AND refund_rate < 0.1 AND refunded_orders = 0",
    "last_order_country = 'DE'",
    "number_of_orders <> 1",
    "count OF customer_tags >= 3",
    "sum_amount OF orders_placed (date >= -90d) >= 250",
    "sum_amount OF orders_placed (date >= -90d)"
    " > 1.5 * sum_amount OF orders_placed (date BETWEEN -180d AND -91d)",
    "sum_amount EVERY 90d OF orders_placed (date >= -1y) >= 50",
    "amount_spent > STORE PERCENTILE 75 OR amount_spent >= STORE AVERAGE +1.5 DEVIATIONS",
    "amount_spent > 2 * STORE MEDIAN AND amount_spent > 1.5 * average_order_value",
    "amount_spent BETWEEN STORE MEDIAN AND STORE AVERAGE",
    "orders_placed MATCHES (date <= first_order_date + 7d, date > first_order_date, count >= 2)",
    "orders_placed MATCHES (NOT (amount > 5 OR discounted = true) AND nth = -1, share > 50%)",
    "orders_placed MATCHES (date < last_date OF events('Newsletter') () + 3d)",
    "last_order_date > first_order_date + 24h",
    "last_order_date >= START OF LAST MONTH AND last_order_date < END OF THIS YEAR",
    "products_purchased (title = 'Ring') THEN products_purchased (title = 'Band') WITHIN 365d"
    " WITHOUT refunds_received ()",
    "orders_placed (nth = 1) THEN events('Quiz') () THEN NOT orders_placed () WITHIN 30d",
    "segment('vip') AND NOT segment('lapsed 90d')",
    "ENTERED segment('vip') >= -7d OR LEFT segment('vip') IS NULL",
    "MEMBER OF segment('vip') FOR 30d",
    "WAS MEMBER OF segment('vip') SINCE 2026-01-01",
    "SAMPLE(10%, 'spring') OR SAMPLE(10% TO 12.5%, 'spring')",
    "last_order_date < -$at_risk_days AND amount_spent >= $large_order",
    "customer_tags CONTAINS ANY ('a', 'b') AND customer_tags CONTAINS NONE ('c')",
    "customer_tags NOT CONTAINS ALL ('a', 'b')",
    "customer_email_domain REGEX '^(mail|web)\\.' MATCHING CASE",
    "customer_tags CONTAINS 'Zuerich' IGNORING ACCENTS",
    "events('Viewed Product') MATCHES (properties.price >= 50, sum_properties.price > 100)",
    "checkouts_abandoned (amount >= 50) THEN NOT orders_placed () WITHIN 24h",
    "anniversary('first_order_date') BETWEEN today AND +7d",
    "traits.points > number_of_orders AND last_order_date < traits.expires",
    "number_of_orders\n  >= 1\n\tand\nnumber_of_orders = 1",
    "customer_tags CONTAINS 'C:\\x'",
]


@pytest.mark.parametrize("rule", [*SHOPIFY, *OURS])
def test_accepted_and_written_back(rule: str) -> None:
    tree = parse(rule)
    check(tree)
    assert parse(text(tree)) == tree
    assert text(parse(text(tree))) == text(tree)


def _number(value: str) -> Number:
    return Number(Decimal(value))


def _about(name: str, operator: str, *operands: Operand, negated: bool = False) -> Condition:
    return Condition(Name(name), operator, operands, negated)


LATE = _about("date", ">=", Offset(-90, "d"))
VIP, ENTERED, LEFT = Member("vip"), Call("ENTERED", "vip"), Call("LEFT", "vip")


@pytest.mark.parametrize(
    ("rule", "tree"),
    [
        ("number_of_orders >= 2", _about("number_of_orders", ">=", _number("2"))),
        (
            "customer_tags NOT CONTAINS 'a\\\\b\\'c'",
            _about("customer_tags", "CONTAINS", Text("a\\b'c"), negated=True),
        ),
        ("amount_spent != 1", _about("amount_spent", "=", _number("1"), negated=True)),
        ("refund_rate = 12.5%", _about("refund_rate", "=", _number("0.125"))),
        ("last_order_date IS NOT NULL", _about("last_order_date", "IS NULL", negated=True)),
        ("last_order_date = 2020-05-30", _about("last_order_date", "=", Day(date(2020, 5, 30)))),
        (
            "last_order_date < 2020-05-30T01:02:03",
            _about("last_order_date", "<", Moment(datetime(2020, 5, 30, 1, 2, 3))),  # noqa: DTZ001
        ),
        (
            "last_order_date < 2020-05-30T01:02Z",
            _about("last_order_date", "<", Moment(datetime(2020, 5, 30, 1, 2, tzinfo=UTC))),
        ),
        ("last_order_date = TODAY", _about("last_order_date", "=", Offset(0, "d"))),
        ("last_order_date = yesterday", _about("last_order_date", "=", Offset(-1, "d"))),
        ("last_order_date = 12_months_ago", _about("last_order_date", "=", Offset(-12, "m"))),
        ("last_order_date = -30min", _about("last_order_date", "=", Offset(-30, "min"))),
        ("last_order_date = - 2w", _about("last_order_date", "=", Offset(-2, "w"))),
        (
            "last_order_date IN last week",
            _about("last_order_date", "IN", Period("LAST", "WEEK")),
        ),
        (
            "last_order_date < end of NEXT quarter",
            _about("last_order_date", "<", Boundary(True, "NEXT", "QUARTER")),
        ),
        ("amount_spent IN top 10%", _about("amount_spent", "IN", Share("TOP", Decimal(10)))),
        ("amount_spent < STORE MEDIAN", _about("amount_spent", "<", Statistic("MEDIAN"))),
        (
            "amount_spent > 1.5 * STORE AVERAGE -2 DEVIATIONS",
            _about(
                "amount_spent",
                ">",
                Scaled(Decimal("1.5"), Statistic("AVERAGE", deviations=Decimal(-2))),
            ),
        ),
        (
            "last_order_date < -$days AND $loyal",
            And((_about("last_order_date", "<", Variable("days", "-")), Variable("loyal"))),
        ),
        (
            "products_purchased(id: 1) = true",
            Matches(Events("products_purchased", None, (_about("id", "=", _number("1")),))),
        ),
        (
            "products_purchased(id: (1, 2), since: -3d, count_at_least: 2) != true",
            Matches(
                Events(
                    "products_purchased",
                    None,
                    (
                        _about("id", "IN", _number("1"), _number("2")),
                        _about("date", ">=", Offset(-3, "d")),
                        _about("count", ">=", _number("2")),
                    ),
                ),
                negated=True,
            ),
        ),
        (
            "events('Quiz') NOT MATCHES (date >= -90d)",
            Matches(Events("events", "Quiz", (LATE,)), negated=True),
        ),
        (
            "count EVERY 4w OF orders_placed (date >= -90d) = 1",
            Condition(
                Aggregate("count", Events("orders_placed", None, (LATE,)), Duration(4, "w")),
                "=",
                (_number("1"),),
            ),
        ),
        (
            "count OF customer_tags = number_of_orders",
            Condition(Aggregate("count", Name("customer_tags")), "=", (Name("number_of_orders"),)),
        ),
        (
            "last_order_date = first_order_date +1m",
            _about("last_order_date", "=", Shifted(Name("first_order_date"), Offset(1, "m"))),
        ),
        (
            "orders_placed () THEN NOT refunds_received () WITHIN 7d",
            Sequence(
                Events("orders_placed"),
                (Step(Events("refunds_received"), negated=True, within=Duration(7, "d")),),
            ),
        ),
        (
            "orders_placed () THEN orders_placed () WITHOUT refunds_received ()",
            Sequence(
                Events("orders_placed"),
                (Step(Events("orders_placed"), without=Events("refunds_received")),),
            ),
        ),
        ("segment('vip')", VIP),
        ("MEMBER OF segment('vip')", VIP),
        (
            "member of segment('vip') for 30d",
            And((VIP, Condition(ENTERED, "<=", (Offset(-30, "d"),)))),
        ),
        (
            "WAS MEMBER OF segment('vip')",
            Or((VIP, Condition(LEFT, "IS NULL", negated=True))),
        ),
        (
            "WAS MEMBER OF segment('vip') SINCE -30d",
            Or((VIP, Condition(LEFT, ">=", (Offset(-30, "d"),)))),
        ),
        ("SAMPLE(10%, 'x')", Sample(Decimal(0), Decimal(10), "x")),
        ("SAMPLE(10% TO 12.5%, 'x')", Sample(Decimal(10), Decimal("12.5"), "x")),
        (
            "customer_tags CONTAINS NONE ('a', 'b')",
            _about("customer_tags", "CONTAINS ANY", Text("a"), Text("b"), negated=True),
        ),
        (
            "customer_tags NOT CONTAINS NONE ('a')",
            _about("customer_tags", "CONTAINS ANY", Text("a")),
        ),
        (
            "customer_language LIKE 'e%' ignoring   accents",
            Condition(Name("customer_language"), "LIKE", (Text("e%"),), mode="IGNORING ACCENTS"),
        ),
        (
            "customer_language NOT REGEX '^e'",
            _about("customer_language", "REGEX", Text("^e"), negated=True),
        ),
        ("metafields.a.b = TRUE", _about("metafields.a.b", "=", Truth(True))),
    ],
)
def test_trees(rule: str, tree: Expression) -> None:
    assert parse(rule) == tree
    assert parse(text(tree)) == tree


def test_and_binds_tighter_than_or() -> None:
    one, two, three = (parse(f"number_of_orders = {number}") for number in (1, 2, 3))
    rule = "number_of_orders = 1 OR number_of_orders = 2 AND number_of_orders = 3"
    assert parse(rule) == Or((one, And((two, three))))
    grouped = "(number_of_orders = 1 OR number_of_orders = 2) AND number_of_orders = 3"
    assert parse(grouped) == And((Or((one, two)), three))
    assert parse("NOT number_of_orders = 1 AND number_of_orders = 2") == And((Not(one), two))


def test_places_take_no_part_in_comparisons() -> None:
    near, far = parse("amount_spent > 5"), parse("\n\n   amount_spent   >   5")
    assert near == far
    assert hash(near) == hash(far)
    assert isinstance(far, Condition)
    assert (far.at.line, far.at.column) == (3, 4)
    assert far.operands[0].at.column == 23


@pytest.mark.parametrize("seed", range(20))
def test_random_trees_are_written_and_read_again(seed: int) -> None:
    trees = Trees(seed)
    for _ in range(50):
        tree = trees.rule()
        check(tree, SEGMENTS)
        written = text(tree)
        assert parse(written) == tree, written
        assert text(parse(written)) == written


@pytest.mark.parametrize("seed", range(5))
def test_keywords_may_be_written_in_any_case(seed: int) -> None:
    trees, chooser = Trees(seed), random.Random(seed)
    for _ in range(50):
        tree = trees.rule()
        assert parse(_written(text(tree), chooser)) == tree


def _written(rule: str, chooser: random.Random) -> str:
    """The same with other blanks, and with some of the keywords in small letters."""
    parts = re.split(r"('(?:\\.|[^'\\])*')", rule, flags=re.DOTALL)
    for number in range(0, len(parts), 2):  # what stands between texts
        words = parts[number].split(" ")
        parts[number] = chooser.choice([" ", "  ", "\n", "\t"]).join(
            word.lower() if word.isalpha() and word.isupper() and chooser.random() < 0.5 else word
            for word in words
        )
    return "".join(parts)


def test_leaves_are_conditions_and_nodes_are_everything() -> None:
    rule = parse(
        "NOT (amount_spent > 5 AND $x OR orders_placed MATCHES (date > first_order_date + 7d))"
    )
    assert [type(leaf) for leaf in leaves(rule)] == [Condition, Matches]
    found = [type(node) for node in nodes(rule)]
    assert found == [
        *[Not, Or, And, Condition, Name, Number, Variable],
        *[Matches, Events, Condition, Name, Shifted, Name, Offset],
    ]
    assert [type(node) for node in children(rule)] == [Or]


def test_rewriting_changes_what_it_is_told_to() -> None:
    def older(node: Any) -> Any:
        match node:
            case Offset(amount, unit):
                return Offset(amount * 2, unit)
        return None

    rule = "last_order_date >= {0} AND NOT (orders_placed MATCHES (date < first_order_date {0}))"
    assert text(rewrite(parse(rule.format("-7d")), older)) == rule.format("-14d")
