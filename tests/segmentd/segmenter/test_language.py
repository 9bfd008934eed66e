"""What the language accepts, and that its text means the same again."""

from __future__ import annotations

import pickle
from datetime import date, datetime
from decimal import Decimal

import pytest

from segmentd.segmenter.check import check
from segmentd.segmenter.language import (
    And,
    Condition,
    Day,
    Matches,
    Moment,
    Not,
    Number,
    Offset,
    Or,
    Period,
    Share,
    Statistic,
    Text,
    text,
)
from segmentd.segmenter.parser import parse
from segmentd.segmenter.ruleset import Shop, compile_rules

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
    "number_of_orders\n  >= 1\n\tand\nnumber_of_orders = 1",
    "customer_tags CONTAINS 'C:\\x'",
]


@pytest.mark.parametrize("rule", [*SHOPIFY, *OURS])
def test_accepted_and_written_back(rule: str) -> None:
    tree = parse(rule)
    check(tree)
    assert parse(text(tree)) == tree
    assert text(parse(text(tree))) == text(tree)


@pytest.mark.parametrize(
    ("rule", "tree"),
    [
        (
            "number_of_orders >= 2",
            Condition("number_of_orders", ">=", (Number(Decimal(2)),)),
        ),
        (
            "customer_tags NOT CONTAINS 'a\\\\b\\'c'",
            Condition("customer_tags", "CONTAINS", (Text("a\\b'c"),), negated=True),
        ),
        ("amount_spent != 1", Condition("amount_spent", "=", (Number(Decimal(1)),), negated=True)),
        ("refund_rate = 12.5%", Condition("refund_rate", "=", (Number(Decimal("0.125")),))),
        ("last_order_date IS NOT NULL", Condition("last_order_date", "IS NULL", (), negated=True)),
        (
            "last_order_date = 2020-05-30",
            Condition("last_order_date", "=", (Day(date(2020, 5, 30)),)),
        ),
        (
            "last_order_date < 2020-05-30T01:02:03",
            Condition("last_order_date", "<", (Moment(datetime(2020, 5, 30, 1, 2, 3)),)),  # noqa: DTZ001
        ),
        ("last_order_date = TODAY", Condition("last_order_date", "=", (Offset(0, "d"),))),
        ("last_order_date = yesterday", Condition("last_order_date", "=", (Offset(-1, "d"),))),
        ("last_order_date = 12_months_ago", Condition("last_order_date", "=", (Offset(-12, "m"),))),
        ("last_order_date = -30min", Condition("last_order_date", "=", (Offset(-30, "min"),))),
        (
            "last_order_date IN last week",
            Condition("last_order_date", "IN", (Period("LAST", "WEEK"),)),
        ),
        ("amount_spent IN top 10%", Condition("amount_spent", "IN", (Share("TOP", Decimal(10)),))),
        ("amount_spent < STORE MEDIAN", Condition("amount_spent", "<", (Statistic("MEDIAN"),))),
        (
            "products_purchased(id: 1) = true",
            Matches("products_purchased", (Condition("id", "=", (Number(Decimal(1)),)),)),
        ),
        (
            "products_purchased(id: (1, 2)) != true",
            Matches(
                "products_purchased",
                (Condition("id", "IN", (Number(Decimal(1)), Number(Decimal(2)))),),
                negated=True,
            ),
        ),
    ],
)
def test_trees(rule: str, tree: Condition | Matches) -> None:
    assert parse(rule) == tree


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


def test_a_ruleset_survives_pickling_and_names_what_it_needs() -> None:
    ruleset = compile_rules(
        {
            "vip": "amount_spent IN TOP 10.0% OR average_order_value > STORE AVERAGE",
            "fans": "products_purchased MATCHES (tag = 'x') AND NOT (customer_tags IS NULL)",
            "there": "orders_placed MATCHES (location_id = 1)"
            " AND last_order_date > first_order_date",
            "born": "anniversary('metafields.facts.birth_date') = today AND metafields.a.b = 1",
        },
        Shop("Europe/Berlin", "EUR"),
    )
    assert ruleset.keys == ("vip", "fans", "there", "born")
    assert ruleset.expressions == ("AVERAGE average_order_value", "TOP 10% amount_spent")
    assert ruleset.needs == {"orders", "lines", "refunds"}
    assert ruleset.fields_of("fans") == {"products_purchased", "customer_tags"}
    assert ruleset.fields_of("born") == {"anniversary", "metafields.a.b"}
    assert ruleset.fields_of("there") == {
        "orders_placed",
        "orders_placed.location_id",
        "last_order_date",
        "first_order_date",
    }
    assert pickle.loads(pickle.dumps(ruleset)) == ruleset


def test_frames_that_no_rule_asks_for_are_not_needed() -> None:
    shop = Shop("UTC", "EUR")
    assert compile_rules({"a": "customer_tags CONTAINS 'x'"}, shop).needs == {"orders"}
    assert compile_rules({"a": "number_of_orders = 1"}, shop).needs == {"orders"}
    assert compile_rules({"a": "amount_spent = 1"}, shop).needs == {"orders", "refunds"}
    assert compile_rules({"a": "last_order_date > customer_added_date"}, shop).needs == {"orders"}
