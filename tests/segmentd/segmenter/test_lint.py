"""What looks wrong with rules, and what does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest

from segmentd.segmenter.instants import Clock
from segmentd.segmenter.lint import reasoner, rule_findings, set_findings, window_findings
from segmentd.segmenter.parser import parse
from segmentd.segmenter.ruleset import Shop

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
LOGIC = reasoner(Shop("Europe/Berlin", "EUR"), NOW)


def alone(rule: str) -> list[tuple[str, str]]:
    """Kind and text of what is found in one rule."""
    return [(found.kind, found.text) for found in rule_findings({"a": parse(rule)}, LOGIC)]


@pytest.mark.parametrize(
    ("rule", "kind", "part"),
    [
        (
            "customer_tags CONTAINS 'x' AND amount_spent > 5 AND amount_spent < 3",
            "contradiction",
            "amount_spent > 5 AND amount_spent < 3 can never hold",
        ),
        (
            "customer_tags CONTAINS 'x' OR (number_of_orders = 1 AND number_of_orders = 2)",
            "contradiction",
            "number_of_orders = 1 AND number_of_orders = 2 can never hold",
        ),
        (
            "number_of_orders >= 0 AND customer_tags CONTAINS 'x'",
            "always",
            "number_of_orders >= 0 holds for everybody",
        ),
        ("NOT number_of_orders >= 0", "contradiction", "NOT (number_of_orders >= 0) can never"),
        (
            "orders_placed MATCHES (amount > 5, amount < 3, date >= -30d)",
            "contradiction",
            "amount > 5 AND amount < 3 can never hold",
        ),
        (
            "orders_placed MATCHES (count > 3) AND customer_tags CONTAINS 'x'"
            " AND customer_tags NOT CONTAINS 'x'",
            "contradiction",
            "customer_tags CONTAINS 'x' AND customer_tags NOT CONTAINS 'x' can never hold",
        ),
    ],
)
def test_the_smallest_part_is_named(rule: str, kind: str, part: str) -> None:
    ((found, said),) = alone(rule)
    assert found == kind
    assert part in said


@pytest.mark.parametrize(
    "rule",
    [
        "amount_spent >= 5 AND amount_spent < 30",
        "orders_placed MATCHES (date >= -30d, count >= 2) AND number_of_orders < 9",
        "last_order_date >= -90d OR customer_tags CONTAINS 'x'",
        "products_purchased MATCHES (tag = 'a', tag != 'b')",
    ],
)
def test_nothing_to_say(rule: str) -> None:
    assert alone(rule) == []


TIERS = {
    "gold": "amount_spent >= 500",
    "silver": "amount_spent >= 100",
    "bronze": "amount_spent > 0",
}


def together(
    rules: Mapping[str, str], sets: Mapping[str, Sequence[str]]
) -> list[tuple[str, tuple[str, ...]]]:
    """Kind and segments of what is found side by side."""
    trees = {key: parse(rule) for key, rule in rules.items()}
    return [(found.kind, found.segments) for found in set_findings(trees, sets, LOGIC)]


def test_tiers_from_the_top() -> None:
    assert together(TIERS, {"tier": ["gold", "silver", "bronze"]}) == []
    assert together(TIERS, {"tier": ["silver", "gold", "bronze"]}) == [("unreachable", ("gold",))]


def test_a_tier_that_two_earlier_ones_leave_nobody() -> None:
    rules = {
        "much": "amount_spent >= 50",
        "often": "number_of_orders > 3",
        "both": "amount_spent > 60 AND number_of_orders = 1 OR number_of_orders = 9",
    }
    assert together(rules, {"s": list(rules)}) == [("unreachable", ("both",))]


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("amount_spent BETWEEN 0 AND 250", "amount_spent BETWEEN 200 AND 999", True),
        ("amount_spent >= 0 AND amount_spent < 250", "amount_spent >= 250", False),
        ("amount_spent >= 100", "amount_spent >= 500", False),
        ("amount_spent BETWEEN 0 AND 250", "number_of_orders BETWEEN 1 AND 3", False),
        ("last_order_date >= -30d", "last_order_date < -20d", True),
        ("amount_spent < 250 OR amount_spent > 900", "amount_spent BETWEEN 200 AND 999", False),
    ],
)
def test_tiers_that_overlap(one: str, other: str, overlap: bool) -> None:
    found = together({"a": one, "b": other}, {})
    assert found == ([("overlap", ("a", "b"))] if overlap else [])
    in_a_set = together({"a": one, "b": other}, {"s": ["a", "b"]})
    assert "overlap" not in [kind for kind, _ in in_a_set]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        ("last_order_date >= -90d", 0),
        ("last_order_date >= -365d", 1),
        ("orders_placed MATCHES (date >= -2y, count > 3)", 1),
        ("sum_amount OF orders_placed (date BETWEEN -2y AND -30d) > 3", 1),
        ("customer_added_date < -5y", 0),
        ("events('Visit') MATCHES (date >= -5y)", 0),
        ("last_order_date >= 2019-01-01", 0),
    ],
)
def test_windows_beyond_the_oldest_order(rule: str, found: int) -> None:
    oldest = datetime(2026, 1, 2, tzinfo=UTC)
    told = list(window_findings({"a": parse(rule)}, oldest, Clock("UTC", NOW)))
    assert len(told) == found
    assert all(each.kind == "window" and "is of 2026-01-02" in each.text for each in told)
