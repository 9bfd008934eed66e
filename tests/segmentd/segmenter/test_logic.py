"""What can be known of rules without customers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from segmentd.segmenter.fields import FUNCTIONS
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import Matches
from segmentd.segmenter.logic import Logic
from segmentd.segmenter.parser import parse

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
LOGIC = Logic([Clock("Europe/Berlin", NOW + timedelta(days)) for days in (0, 400, 4000)])


@pytest.mark.parametrize(
    "rule",
    [
        "amount_spent > 5 AND amount_spent < 3",
        "amount_spent > 5 AND amount_spent <= 5",
        "amount_spent BETWEEN 9 AND 3",
        "number_of_orders = 1 AND number_of_orders = 2",
        "number_of_orders IN (1, 2) AND number_of_orders NOT BETWEEN 1 AND 2",
        "number_of_orders < 0",
        "number_of_orders IS NULL",
        "customer_language = 'de' AND customer_language = 'en'",
        "customer_language IN ('de', 'fr') AND customer_language NOT IN ('fr', 'de', 'x')",
        "last_order_country = 'DE' AND last_order_country != 'de'",
        "customer_account_status NOT IN ('ENABLED', 'DISABLED', 'INVITED', 'DECLINED')"
        " AND customer_account_status IS NOT NULL",
        "customer_tags CONTAINS 'a' AND NOT (customer_tags CONTAINS 'a' OR number_of_orders > 1)",
        "customer_tags CONTAINS 'a' AND customer_tags IS NULL",
        "last_order_date >= -30d AND last_order_date < -60d",
        "last_order_date > -24h AND last_order_date < -2d",
        "last_order_date < 2020-01-01 AND last_order_date > -90d",
        "last_order_date IS NULL AND last_order_date < -90d",
        "first_order_date = 2026-01-01 AND first_order_date = 2026-01-02",
        "first_order_date IN LAST MONTH AND first_order_date IN THIS MONTH",
        "(amount_spent > 5 OR number_of_orders > 9) AND amount_spent < 3 AND number_of_orders = 2",
        "count OF orders_placed (date >= -30d) > 5 AND count OF orders_placed (date >= -30d) < 2",
        "segment('vip') AND NOT segment('vip')",
        "SAMPLE(10%, 'x') AND NOT SAMPLE(10%, 'x')",
        "metafields.a.b = 5 AND metafields.a.b > 9",
        "$eu AND NOT $eu",
        "orders_placed MATCHES () AND orders_placed NOT MATCHES ()",
        "orders_placed MATCHES (amount > 5, count >= 3)"
        " AND orders_placed NOT MATCHES (amount > 5, count >= 2)",
        "orders_placed MATCHES (count = 0, sum_amount < 5, count > 2)",
    ],
)
def test_never(rule: str) -> None:
    assert not LOGIC.can_hold(parse(rule))
    assert LOGIC.always_holds(parse(f"NOT ({rule})"))


@pytest.mark.parametrize(
    "rule",
    [
        "amount_spent >= 5 AND amount_spent <= 5",
        "amount_spent < 0",
        "number_of_orders = 1 OR number_of_orders = 2",
        "last_order_date != 2026-01-01 AND last_order_date IS NULL",
        "NOT last_order_date < -90d AND NOT last_order_date >= -90d",
        "customer_language != 'de' AND customer_language = 'De'",
        "customer_tags CONTAINS 'a' AND customer_tags CONTAINS 'b'",
        "last_order_date >= -90d AND last_order_date < -30d",
        "last_order_date >= 2026-01-01 AND last_order_date < -365d",
        "amount_spent > 5 AND average_order_value < 3",
        "metafields.a.b > 5 AND metafields.a.b < 2026-01-01",
        "metafields.a.b != 5 AND metafields.a.b = 'x'",
        "amount_spent > average_order_value AND amount_spent < average_order_value",
        "amount_spent IN TOP 10% AND amount_spent IN TOP 20%",
        "number_of_orders != 1 AND NOT (count EVERY 30d OF events('Viewed Product') () >= 0)",
    ],
)
def test_perhaps(rule: str) -> None:
    assert LOGIC.can_hold(parse(rule))
    assert not LOGIC.always_holds(parse(rule))


@pytest.mark.parametrize(
    "rule",
    [
        "number_of_orders >= 0",
        "number_of_orders > 5 OR number_of_orders <= 5",
        "amount_spent IS NOT NULL",
        "last_order_date IS NULL OR last_order_date < -90d OR last_order_date >= -90d",
        "count OF orders_placed () >= 0",
        "distinct_type OF products_purchased () >= 0",
        "NOT (amount_spent > 5 AND amount_spent < 3)",
    ],
)
def test_always(rule: str) -> None:
    assert LOGIC.always_holds(parse(rule))


@pytest.mark.parametrize(
    ("rule", "other", "implied"),
    [
        ("amount_spent >= 500", "amount_spent >= 100", True),
        ("amount_spent >= 100", "amount_spent >= 500", False),
        ("last_order_date >= -30d", "last_order_date >= -60d", True),
        ("last_order_date >= -30d", "last_order_date IS NOT NULL", True),
        ("customer_language = 'de'", "customer_language IN ('de', 'en')", True),
        ("amount_spent > 5 AND segment('a')", "segment('a') OR number_of_orders > 9", True),
        ("number_of_orders > 9", "customer_tags CONTAINS 'x'", False),
    ],
)
def test_implied(rule: str, other: str, implied: bool) -> None:
    assert LOGIC.implies(parse(rule), parse(other)) is implied


@pytest.mark.parametrize(
    ("parameters", "possible"),
    [
        ("amount > 5 AND amount < 3", False),
        ("amount > 3 AND amount < 5", True),
        ("tag = 'a' AND tag = 'b'", True),
        ("nth = 1 AND nth = -1", True),
        ("discounted = true AND discounted = false", False),
        ("month IN (11, 12) AND month = 3", False),
    ],
)
def test_single_orders(parameters: str, possible: bool) -> None:
    rule = parse(f"orders_placed MATCHES ({parameters})")
    assert isinstance(rule, Matches)
    (condition,) = rule.events.parameters
    assert LOGIC.can_hold(condition, FUNCTIONS[rule.events.function]) is possible


def test_a_rule_of_too_many_cases_is_let_be() -> None:
    one = " AND ".join(f"(amount_spent = {n} OR number_of_orders = {n})" for n in range(12))
    assert LOGIC.can_hold(parse(f"{one} AND number_of_orders < 0"))
