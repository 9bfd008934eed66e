"""What would change it, told for every kind of condition."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from compiled_rules import compile_rules
from segmentd.segmenter.explain import Explanation, explain
from segmentd.segmenter.ruleset import Shop
from segmenter_oracle.asking import NOW, buyer, instant
from segmenter_oracle.histories import PRODUCTS, Event, Person, frames

BERLIN = "Europe/Berlin"
CUT = {"TOP 10% amount_spent": "7000.0"}


def ann() -> Person:
    """Three orders of 20 EUR, the last a fortnight ago; lives in Berlin."""
    person = buyer(
        "2026-07-01T10:00:00", "2026-06-01T10:00:00", "2026-01-03T08:00:00", zone=BERLIN, total=2000
    )
    person.tags = ["VIP"]
    person.country, person.latitude, person.longitude = "DE", 52.5, 13.4
    person.events = [Event(1, "Visit", instant("2026-07-10T00:00:00", BERLIN))]
    return person


def why(rule: str, person: Person | None = None) -> Explanation:
    ruleset = compile_rules({"asked": rule, "often": "number_of_orders >= 2"}, Shop(BERLIN, "EUR"))
    now = datetime.fromtimestamp(instant(NOW, BERLIN), UTC)
    return explain(ruleset, "asked", frames([person or ann()], PRODUCTS), now, CUT)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("number_of_orders >= 5", "needs 2 more orders"),
        ("number_of_orders > 3", "needs 1 more order"),
        ("number_of_orders NOT BETWEEN 1 AND 5", "needs 3 more orders"),
        ("number_of_orders = 2", "needs 1 order cancelled"),
        ("number_of_orders IN (1, 9)", "needs 2 orders cancelled"),
        ("NOT number_of_orders IN (1, 2)", "ends with 1 order cancelled"),
        ("amount_spent >= 180", "needs 120.00 EUR more spent"),
        ("amount_spent > 60", "needs 0.01 EUR more spent"),
        ("amount_spent < 50", "needs 10.01 EUR given back"),
        ("amount_spent <= 60", "ends with 0.01 EUR more spent"),
        ("amount_spent IN TOP 10%", "needs 10.00 EUR more spent"),
        ("amount_spent > STORE MEDIAN", None),
        ("amount_spent > 4 * average_order_value", "needs 20.01 EUR more spent"),
        ("average_order_value BETWEEN 30 AND 40", "needs 10.00 EUR more"),
        ("refund_rate >= 10%", "needs 10 percentage points more"),
        ("refund_rate >= 0.07", "needs 7 percentage points more"),
        ("refund_rate >= 12.345%", "needs 12.35 percentage points more"),
        ("coupon_share > 0", "needs 0.01 percentage points more"),
        ("refund_rate <= 0", "ends with 0.01 percentage points more"),
        ("average_days_between_orders >= 100", "needs 10.5 more"),
        ("average_days_between_orders > 89.5", "needs 0.01 more"),
        ("count OF customer_tags >= 3", "needs 2 more entries"),
        ("orders_placed MATCHES (date >= -90d, count >= 4)", "needs 2 more orders"),
        (
            "orders_placed MATCHES (amount > 5, count >= 4, sum_amount >= 100)",
            "needs 1 more order and 40.00 EUR more",
        ),
        ("orders_placed NOT MATCHES (amount > 5)", "needs 3 orders cancelled"),
        ("products_purchased MATCHES (quantity > 4)", "needs 5 more pieces"),
        ("events('Visit') MATCHES (count > 2)", "needs 2 more events"),
        ("last_order_date >= -7d", "needs a new order"),
        ("last_order_date < -30d", "begins on 2026-08-01 00:00 if nothing is ordered"),
        ("last_order_date >= -30d", "ends on 2026-08-01 00:00 if nothing is ordered"),
        ("last_order_date >= 2027-01-01", None),
        ("first_order_date >= -7d", None),
        ("days_since_last_order > 20", "begins on 2026-07-22 00:00 if nothing is ordered"),
        (
            "anniversary('first_order_date') BETWEEN today AND +7d",
            "begins on 2026-12-27 00:00 if nothing is ordered",
        ),
        ("customer_season = 'SUMMER'", "ends on 2026-09-01 00:00 if nothing else changes"),
        (
            "customer_within_distance MATCHES (coordinates = '48.1,11.5', distance_km = 100)",
            "needs another address",
        ),
        ("SAMPLE(10%, 'x')", None),
        ("segment('often')", "ends with leaving segment 'often'"),
        ("NOT segment('often')", "needs leaving segment 'often'"),
        ("customer_tags CONTAINS 'x'", "needs the tag 'x' put on"),
        ("customer_tags NOT CONTAINS 'VIP'", "needs the tag 'VIP' taken off"),
        (
            "customer_countries CONTAINS 'FR'",
            "needs a change so that country contains 'FR'",
        ),
        ("metafields.a.b IS NOT NULL", "needs a value for metafields.a.b"),
        (
            "orders_placed () THEN orders_placed (amount > 30) WITHIN 60d",
            "needs a new order (order total is above 30 EUR)",
        ),
        (
            "orders_placed (amount > 99) THEN events('Visit') ()",
            "needs a new order (order total is above 99 EUR)",
        ),
        ("events('Visit') () THEN NOT events('Visit') ()", "ends with one more of: events 'Visit'"),
        (
            "amount_spent >= 180 AND number_of_orders >= 5 AND customer_tags CONTAINS 'VIP'",
            "needs 120.00 EUR more spent and 2 more orders",
        ),
        (
            "amount_spent >= 180 OR number_of_orders >= 5",
            "needs 120.00 EUR more spent or 2 more orders",
        ),
        ("amount_spent >= 180 AND SAMPLE(10%, 'x')", None),
        (
            "last_order_date >= -30d AND customer_tags CONTAINS 'VIP'",
            "ends on 2026-08-01 00:00 if nothing is ordered",
        ),
    ],
)
def test_change(rule: str, change: str | None) -> None:
    assert why(rule).change == change


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("last_order_date >= -7d", "needs a first order"),
        ("average_order_value > 5", "needs a first order"),
        ("last_order_date IS NOT NULL", "needs a first order"),
        ("max_amount OF orders_placed () > 5", "needs a new order"),
        ("number_of_orders >= 1", "needs 1 more order"),
    ],
)
def test_somebody_who_never_ordered(rule: str, change: str) -> None:
    assert why(rule, Person(1)).change == change


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("orders_placed () THEN orders_placed (amount > 30)", "1 of 2 steps"),
        ("orders_placed () THEN orders_placed () WITHOUT events('Visit') ()", "2 of 2 steps"),
        ("segment('often')", "a member"),
        ("SAMPLE(10%, 'x')", "at 28.79 %"),
        (
            "customer_within_distance MATCHES (coordinates = '48.1,11.5', distance_km = 100)",
            "507.5 km away",
        ),
        ("anniversary('first_order_date') = today", "2026-01-03 08:00"),
        ("events('Visit') MATCHES ()", "number of times 1"),
        ("last_order_date > first_order_date + 7d",
         "2026-07-01 10:00 (first_order_date is 2026-01-03 08:00)"),
        ("amount_spent > 1.5 * STORE MEDIAN",
         "60.00 EUR (MEDIAN amount_spent is not computed yet)"),
    ],
)  # fmt: skip
def test_value(rule: str, value: str) -> None:
    assert why(rule).value == value


def test_another_segment_is_told_too() -> None:
    told = why("segment('often') AND amount_spent > 5")
    assert [part.text for part in told.parts[0].parts] == ["number_of_orders >= 2"]


def test_one_line_names_what_decided() -> None:
    assert why("amount_spent > 5 AND (number_of_orders > 9 OR customer_tags CONTAINS 'VIP')"
               ).to_line() == (
        "amount spent is above 5 EUR (60.00 EUR); tag list contains 'VIP' (VIP)"
    )  # fmt: skip
    assert why("amount_spent > 5 AND number_of_orders > 9").to_line() == (
        "not: number of orders is above 9 (3)"
    )
