"""Queries as they are pasted from the Shopify admin."""

from __future__ import annotations

import pytest

from segmentd.domain.errors import RuleError
from segmentd.segmenter.convert import convert
from segmentd.segmenter.parser import parse

LISTED = "columns and order were left out"


@pytest.mark.parametrize(
    ("pasted", "rule", "notes"),
    [
        (
            "amount_spent > 100.50 and number_of_orders>=1",
            "amount_spent > 100.50 AND number_of_orders >= 1",
            [],
        ),
        (
            "SHOW customer_name, orders\nFROM customers\nWHERE number_of_orders > 2\n"
            "ORDER BY updated_at DESC LIMIT 10",
            "number_of_orders > 2",
            [LISTED],
        ),
        ("FROM customers WHERE companies IS NULL", "companies IS NULL", [LISTED]),
        ("last_order_date < 90_days_ago", "last_order_date < -90d", ["older spelling of -90d"]),
        (
            "last_order_date BETWEEN 12_months_ago AND 30_days_ago",
            "last_order_date BETWEEN -12m AND -30d",
            ["-12m", "-30d"],
        ),
        (
            "products_purchased(id: (1, 2), since: 2026-01-01) = true",
            "products_purchased MATCHES (id IN (1, 2), date >= 2026-01-01)",
            ["older form of products_purchased MATCHES"],
        ),
        (
            "storefront_event.product_viewed MATCHES (count > 2)",
            "storefront.product_viewed MATCHES (count > 2)",
            ["older name of storefront."],
        ),
        ("customer_language <> 'en'", "customer_language != 'en'", ["<> is written !="]),
        ("customer_tags CONTAINS “it's”", r"customer_tags CONTAINS 'it\'s'", ["straight"]),
        ("customer_tags CONTAINS \u2018VIP\u2019", "customer_tags CONTAINS 'VIP'", ["straight"]),
        (
            "customer_tags CONTAINS 'ORDER BY 5_days_ago <> “x”'",
            "customer_tags CONTAINS 'ORDER BY 5_days_ago <> “x”'",
            [],
        ),
    ],
)
def test_queries(pasted: str, rule: str, notes: list[str]) -> None:
    found = convert(pasted)
    assert found.text == rule
    assert parse(found.text) == found.rule
    assert len(found.notes) == len(notes)
    for note, part in zip(found.notes, notes, strict=True):
        assert part in note


def test_a_mistake_is_named_where_it_was_pasted() -> None:
    with pytest.raises(RuleError) as failure:
        convert("FROM customers\nWHERE number_of_orders > 1\nAND > 3")
    assert (failure.value.line, failure.value.column) == (3, 5)
