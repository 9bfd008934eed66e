"""Whom the presets of purchases, value and price select."""

from __future__ import annotations

import dataclasses

from segmenter_oracle.small_shops import (
    BAND,
    HAT,
    NEW,
    NEWER,
    RING,
    Case,
    bought,
    bought_with,
    buys,
    code,
    order,
    person,
    refunded,
)

RINGS = {"names": ["Rings"], "by": "type"}
CASES = [
    # purchase history
    Case("first_time_buyers", [buys(10), buys(30)], [buys(31), buys(10, 200), person()]),
    Case("one_timers", [buys(31)], [buys(30), buys(40, 50), person()]),
    Case("one_timers", [buys(0), buys(900)], [buys(1, 2), person()], {"days": 0}),
    Case("repeat_customers", [buys(10, 400), buys(3, 3)], [buys(10), person()]),
    Case(
        "repeat_customers",
        [buys(10, 40)],
        [buys(10, 400), buys(3, 3.01)],
        {"days": 180, "distinct_days": True},
    ),
    Case("three_plus", [buys(1, 2, 3)], [buys(1, 2)]),
    Case("loyal", [buys(90, 200, 300)], [buys(91, 200, 300), buys(10, 20)]),
    Case(
        "loyal",
        [
            person(bought(RING, 5), bought(RING, 6), bought(BAND, 7)),
            person(bought(HAT, 5), bought(HAT, 6), bought(None, 7)),
        ],
        [person(bought(RING, 5), bought(None, 6), bought(None, 7)), buys(1, 2, 3)],
        {"focused": True},
    ),
    Case("product_line", [person(bought(RING, 500))], [person(bought(BAND, 5)), buys(1)], RINGS),
    Case(
        "product_line",
        [person(bought(BAND, 29))],
        [person(bought(BAND, 31)), person(bought(HAT, 5))],
        {"names": ["jewellery"], "days": 30},
    ),
    Case(
        "previous_purchase_cross_sell",
        [
            person(bought(RING, 8)),
            person(bought(RING, 30), bought(BAND, 40)),
            person(bought(RING, 400), bought(BAND, 300), bought(RING, 100)),
        ],
        [
            person(bought(RING, 7)),
            person(bought(RING, 366)),
            person(bought(RING, 30), bought(BAND, 20)),
            person(bought_with(RING, BAND, 30)),
            person(bought(RING, 30), bought(RING, 3)),
            person(bought(BAND, 30)),
        ],
        {**RINGS, "other": ["Bands"]},
    ),
    Case(
        "previous_purchase_cross_sell",
        [person(bought(RING, 30), bought(RING, 3))],
        [person(bought(RING, 400), bought(RING, 100))],
        {**RINGS, "other": ["Bands"], "clock": "first"},
    ),
    Case(
        "replenishment_due",
        [person(bought(RING, 28), bought(BAND, 1))],
        [person(bought(RING, 27)), person(bought(RING, 90), bought(RING, 5)), buys(90)],
        {**RINGS, "days": 27},
    ),
    Case(
        "frequently_buys_item",
        [person(bought(RING, 5, 2), bought(RING, 100))],
        [person(bought(RING, 5, 2), bought(RING, 200)), person(bought(BAND, 5, 9))],
        RINGS,
    ),
    Case(
        "trendy",
        [person(bought(NEW, 20), bought(NEWER, 10), bought(RING, 200))],
        [
            person(bought(NEW, 20), bought(NEW, 15)),
            person(bought(NEW, 5), bought(NEWER, 10)),
            person(bought(NEW, 20), bought(NEWER, 10), *(bought(RING, n) for n in (1, 2, 3))),
            person(),
        ],
    ),
    Case("pre_order", [person(order(5, tags=["Pre-Order"]))], [person(order(5, tags=["gift"]))]),
    Case(
        "refunders",
        [
            person(*(refunded(n, 9000, 100) for n in (10, 20, 30))),
            person(refunded(10, 1000, 500)),
        ],
        [
            person(refunded(10, 1000, 499)),
            person(refunded(10, 1000, 100), refunded(20, 1000, 100)),
            person(refunded(400, 1000, 1000)),
            buys(1, 2, 3),
        ],
    ),
    Case(
        "refunders",
        [person(*(refunded(n, 100, 100) for n in (10, 20, 30)), order(40, 9000))],
        [person(*(refunded(n, 9000, 100) for n in (10, 20, 30)))],
        {"full": True},
    ),
    # value, frequency, price behaviour
    Case("vip", [buys(5, total=900_000)], [buys(5), person()], store=True),
    Case(
        "vip",
        [buys(5, total=900_000)],
        [buys(400, total=900_000), buys(5)],
        {"days": 365, "share": "1%"},
        store=True,
    ),
    Case("high_spenders", [buys(5, total=90_000)], [buys(5), person()], store=True),
    Case(
        "high_spenders",
        [buys(5, 6, total=400_000)],
        [buys(5, total=400_000), buys(5, total=90_000), buys(*range(50), total=10_000)],
        {"factor": 1.5, "large_order": True, "repeated": True},
        store=True,
    ),
    Case("high_value", [buys(5, total=90_000)], [buys(5)], store=True),
    Case(
        "high_value",
        [buys(5, total=900_000)],
        [buys(5, total=90_000)],
        {"average": False},
        store=True,
    ),
    Case(
        "big_ticket",
        [person(bought(RING, 5, 2, 20_000), bought(BAND, 6, 2, 500))],
        [person(bought(RING, 5, 2, 20_000), bought(BAND, 6, 3, 500)), buys(5)],
    ),
    Case(
        "small_ticket",
        [person(bought(RING, 5, 2, 1000, discount=0)), person(bought(RING, 5, 1, 300, 200))],
        [person(bought(RING, 5, 1, 400, discount=101)), buys(5)],
    ),
    Case("aov_high", [buys(5, total=90_000)], [buys(5), buys(5, total=20_500)], store=True),
    Case("aov_mid", [buys(5, total=20_500)], [buys(5), buys(5, total=90_000)], store=True),
    Case("aov_low", [buys(5)], [buys(5, total=20_500), person()], store=True),
    Case("aov_low", [buys(5)], [buys(5, total=5000)], {"low": 50}),
    Case("frequent_buyers", [buys(*range(6))], [buys(1, 2), buys(*range(400, 410))], store=True),
    Case("occasional_buyers", [buys(1, 2)], [buys(*range(6)), buys(366), person()], store=True),
    # too few for a percentile: the fixed number alone decides
    Case("frequent_buyers", [buys(1, 2, 3)], [buys(1, 2)]),
    Case("occasional_buyers", [buys(1, 2)], [buys(1, 2, 3)]),
    Case(
        "coupon_lovers",
        [person(code(5), code(6)), person(code(5), code(6), code(7), order(8), order(9))],
        [person(code(5)), person(code(5), order(6)), buys(5, 6)],
    ),
    Case(
        "coupon_lovers",
        [person(order(5, discount=100), order(6, discount=100))],
        [buys(5, 6)],
        {"any_discount": True},
    ),
    Case(
        "full_price",
        [person(bought(RING, 5, 1, 800), bought(RING, 6, 1, 200, 100))],
        [
            person(bought(RING, 5, 1, 700), bought(RING, 6, 1, 300, 100)),
            person(bought(RING, 5)),
        ],
    ),
    Case(
        "promo_buyers",
        [person(bought(RING, 5, 1, 200), bought(RING, 6, 1, 800, 100))],
        [person(bought(RING, 5, 1, 300), bought(RING, 6, 1, 700, 100)), buys(5, 6)],
    ),
    Case(
        "thrifty",
        [person(*(bought(RING, n, 2, 500) for n in range(6)))],
        [
            person(*(bought(RING, n, 3, 500) for n in range(6))),
            person(*(bought(RING, n, 1, 90_000) for n in range(6))),
            person(*(bought(RING, n, 1, 500) for n in range(3))),
            person(*(dataclasses.replace(bought(RING, n), codes=["X"]) for n in range(6))),
        ],
        store=True,
    ),
    Case(
        "on_sale_buyers",
        [person(bought(RING, 300, discount=1))],
        [person(bought(RING, 366, discount=1)), person(bought(RING, 5))],
    ),
    Case(
        "spend_tier",
        [buys(5, total=25_000)],
        [buys(5, total=24_999), buys(5, total=100_000), person()],
        {"from": 250, "below": 1000},
    ),
    Case("spend_tier_platinum", [buys(5, total=500_000)], [buys(5, total=499_999)]),
    Case(
        "spend_tier_gold",
        [buys(5, total=100_000), buys(5, total=499_999)],
        [buys(5, total=500_000), buys(5, total=99_999)],
    ),
    Case("spend_tier_silver", [buys(5, total=25_000)], [buys(5, total=24_999)]),
    Case("spend_tier_bronze", [buys(5), buys(5, total=0)], [buys(5, total=25_000), person()]),
    Case(
        "spend_tier_bronze", [buys(5, 50, total=20_000)], [buys(5, 6, total=20_000)], {"days": 30}
    ),
    Case(
        "profitable",
        [person(traits={"traits.margin": "12.5"})],
        [person(traits={"traits.margin": "0"}), person()],
    ),
    Case(
        "unprofitable",
        [person(traits={"traits.margin": "-3"})],
        [person(traits={"traits.margin": "0"}), person()],
    ),
]
