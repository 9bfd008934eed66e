"""Files of rule tests, and what is said of wrong ones."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from segmentd.config_fixtures import RuleTests, read_tests
from segmentd.domain.errors import ConfigError
from segmentd.domain.records import OrderLine, Refund
from segmentd.segmenter.fixtures import Happening, Stay, frames_of
from segmentd.segmenter.ruleset import Shop

WHOLE = """
[products.tea]
title = "Sencha"
type = "Tea"
tags = ["green"]
published = 2025-12-01
price = 19.99

[customers.anna]
email = "anna@shopper.example"
created = 2025-01-01T00:00:00Z
country = "DE"
latitude = 52.5
tags = ["wholesale"]
traits = { "metafields.facts.birth_date" = 1990-02-03, "traits.age" = 36, "meta.vip" = true }
orders = [
  { date = 2026-01-02, amount = 120.10, codes = ["SUMMER"], discount = 5, country = "FR" },
  { date = 2026-02-02T10:00:00, id = "4711", lines = [
    { product = "tea", amount = 19.99, quantity = 2, discount = 1.01 },
    { amount = 5 },
  ], refunds = [{ date = 2026-02-05, amount = 5 }] },
]
events = [{ name = "Viewed", date = 2026-01-01, amount = 3.5, properties = { x = 1 } }]
memberships = [{ segment = "vip", entered = 2025-01-01, left = 2025-02-01T00:00:00Z }]

[customers.bob]
orders = [{ date = 2026-01-01, amount = 1, paid = false, cancelled = 2026-01-02 }]

[[tests]]
now = 2026-03-01T12:00:00+01:00
expect = { vip = ["anna"], lapsed = [] }
values = { "TOP 10% amount_spent" = 100 }
"""


def read(tmp_path: Path, text: str) -> RuleTests:
    path = tmp_path / "tests.toml"
    path.write_text(text)
    return read_tests(path, Shop("Europe/Berlin", "EUR", 3))


def test_everything_that_can_be_written(tmp_path: Path) -> None:
    tests = read(tmp_path, WHOLE)
    anna, bob = tests.people
    assert (anna.customer.id, anna.customer.tags) == ("anna", ["wholesale"])
    assert anna.customer.created_at == datetime(2025, 1, 1, tzinfo=UTC)
    assert anna.customer.traits == {
        "metafields.facts.birth_date": "1990-02-03",
        "traits.age": "36",
        "meta.vip": "true",
    }
    first, second = anna.orders
    # midnight in Berlin
    assert first.placed_at == datetime(2026, 1, 1, 23, tzinfo=UTC)
    assert (first.id, first.total, first.discount, first.country) == ("anna-1", 12010, 500, "FR")
    assert (second.id, second.total, second.discount) == ("4711", 2499, 101)
    assert second.lines == [
        OrderLine("", "tea", 2, 1999, 101),
        OrderLine("", None, 1, 500, 0),
    ]
    assert second.refunds == [Refund("", datetime(2026, 2, 4, 23, tzinfo=UTC), 500)]
    viewed = datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert anna.events == [Happening("Viewed", viewed, 350, None, {"x": "1"})]
    entered, left = datetime(2024, 12, 31, 23, tzinfo=UTC), datetime(2025, 2, 1, tzinfo=UTC)
    assert anna.stays == [Stay("vip", entered, left)]
    assert not bob.orders[0].paid
    (test,) = tests.tests
    assert test.now == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert test.expect == {"vip": ["anna"], "lapsed": []}
    assert test.values == {"TOP 10% amount_spent": 100}


def test_as_frames(tmp_path: Path) -> None:
    tests = read(tmp_path, WHOLE)
    frames = frames_of(tests.people, tests.products)
    assert frames.profiles["customer_id"].tolist() == ["anna", "bob"]
    assert frames.profiles["tags"].tolist() == ["\nwholesale\n", ""]
    assert frames.orders["profile_id"].tolist() == [1, 1, 2]
    assert frames.orders["counted"].tolist() == [1, 1, 0]
    assert frames.lines["product_id"].tolist() == [1, -1]
    assert frames.lines["order_id"].tolist() == [2, 2]
    assert frames.refunds["amount"].tolist() == [500.0]
    assert frames.events["properties"].tolist() == ["\nx=1\n"]
    assert frames.memberships["left_at"].tolist() == [1738368000.0]
    assert frames.traits["name"].tolist()[1:] == ["traits.age", "meta.vip"]
    assert frames.products["price"].tolist() == [1999.0]
    empty = frames_of([])
    assert all(len(frame) == 0 for frame in (empty.profiles, empty.orders, empty.memberships))
    assert empty.refunds["created_at"].dtype == "int64"
    assert empty.profiles["created_at"].dtype == "float64"


def test_its_own_zone_and_currency(tmp_path: Path) -> None:
    text = '[shop]\ntime_zone = "UTC"\ncurrency = "JPY"\nweek_start = "sunday"\n' + WHOLE.replace(
        "19.99", "20"
    ).replace("120.10", "120").replace("1.01", "1").replace("3.5", "3")
    tests = read(tmp_path, text)
    assert tests.shop == Shop("UTC", "JPY", 6)
    assert tests.people[0].orders[0].total == 120
    assert tests.people[0].orders[0].placed_at == datetime(2026, 1, 2, tzinfo=UTC)


TEST = "[[tests]]\nnow = 2026-01-01\nexpect = {}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", r"holds no \[\[tests\]\]"),
        (TEST + "[customer.a]\n", 'is called "customer"; did you mean "customers"'),
        (TEST + "[customers.a]\ntag = ['x']\n", r'\[customers.a\] has no key "tag"; did you mean'),
        (
            TEST + "[customers.a]\norders = [{ amount = 5 }]\n",
            r'\[customers.a.orders\[1\]\] key "date" is missing',
        ),
        (
            TEST + "[customers.a]\norders = [{ date = 2026-01-01 }]\n",
            r'\[customers.a.orders\[1\]\] key "amount" is missing, and there are no lines',
        ),
        (
            TEST + "[customers.a]\norders = [{ date = 2026-01-01, lines = [{ amount = 'x' }] }]\n",
            r'\[customers.a.orders\[1\].lines\[1\]\] key "amount"',
        ),
        (
            TEST + "[products.tea]\n[customers.a]\norders = [{ date = 2026-01-01, "
            "lines = [{ product = 'tee', amount = 3 }] }]\n",
            'no product is called "tee"; did you mean "tea"',
        ),
        (
            "[customers.anna]\n[[tests]]\nnow = 2026-01-01\nexpect = { vip = ['ana'] }\n",
            'key "expect", vip: no customer is called "ana"; did you mean "anna"',
        ),
        ("[[tests]]\nexpect = {}\n", r'\[tests, number 1\] key "now" is missing'),
        ("tests = [1]\n", r"\[tests, number 1\] must be a table"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, text)
