"""Whom the presets of recency, lifecycle, e-mails and site select."""

from __future__ import annotations

import dataclasses

from segmenter_oracle.small_shops import (
    AT,
    BAND,
    RING,
    SUBSCRIBER,
    Case,
    ago,
    bought,
    buys,
    checkout,
    did,
    event,
    on,
    order,
    person,
)

VIEW, CATEGORY = "storefront.product_viewed", "storefront.collection_viewed"
VISIT, CART = "Active on Site", "Added to Cart"
OPENED, CLICKED = "shopify_email.opened", "shopify_email.clicked"
HOLIDAYS = ["2025-11-27 to 2025-12-01", "2025-12-24"]
CASES = [
    # recency, lifecycle, activity
    Case("prospects", [person()], [buys(900)]),
    Case("new_customers", [buys(30), buys(1, 20)], [buys(31), buys(1, 31), person()]),
    Case("active", [buys(90), buys(400, 3)], [buys(91), person()]),
    Case("active", [buys(40)], [buys(50)], {"days": 45}),
    Case("at_risk", [buys(91, 300), buys(180, 300)], [buys(90, 300), buys(181, 300), buys(91)]),
    Case("dormant", [buys(181), buys(365)], [buys(180), buys(366), person()]),
    Case("lost", [buys(366)], [buys(365), person()]),
    Case("lapsed", [buys(91)], [buys(90), person()]),
    Case("idle", [buys(366)], [buys(365), person()]),
    Case(
        "idle",
        [dataclasses.replace(buys(400), events=[event(OPENED, 366)])],
        [
            dataclasses.replace(buys(400), events=[event(OPENED, 5)]),
            dataclasses.replace(buys(400), events=[event(CLICKED, 5)]),
            dataclasses.replace(buys(400), events=[event(VIEW, 5)]),
            dataclasses.replace(buys(400), events=[checkout(48)]),
        ],
        {"emails": True, "visits": True, "checkouts": True},
    ),
    Case(
        "win_back",
        [buys(200, total=90_000)],
        [buys(200), buys(20, total=90_000)],
        store=True,
    ),
    Case("reactivated", [buys(30, 211)], [buys(30, 210), buys(31, 300), buys(30), person()]),
    Case("lifecycle_acquisition", [person(), buys(30)], [buys(31), buys(3, 4)], store=True),
    Case("lifecycle_growth", [buys(31), buys(3, 4)], [buys(30), buys(91), person()], store=True),
    Case(
        "lifecycle_retention",
        [buys(90, 91, 92, 93), buys(60, 61, total=300_000)],
        [buys(91, 92, 93, 94), buys(3, 4), buys(5, total=900_000)],
        store=True,
    ),
    Case("lifecycle_reactivation", [buys(91), buys(91, 92)], [buys(90), person()], store=True),
    Case(
        "anniversary",
        [on("2025-07-15"), on("2024-07-22", "2026-01-01")],
        [on("2025-07-14"), on("2025-07-23"), on("2026-07-15"), person()],
    ),
    Case(
        "birthday",
        [person(traits={"metafields.facts.birth_date": "1990-07-22"})],
        [person(traits={"metafields.facts.birth_date": "1990-07-23"}), person()],
    ),
    Case(
        "seasonal",
        [
            on("2023-12-20", "2025-01-10", "2026-02-10"),
            on("2024-06-01", "2025-06-01", "2025-08-01", "2025-12-01"),
        ],
        [
            on("2025-12-01", "2025-12-10", "2026-01-10"),
            on("2024-06-01", "2025-06-01", "2025-10-01", "2025-12-01"),
            on("2024-06-01", "2025-06-01"),
        ],
    ),
    Case(
        "seasonal",
        [on("2023-12-20", "2024-12-10", "2025-12-10")],
        [on("2023-06-20", "2024-06-10", "2025-06-10")],
        {"months": [11, 12]},
    ),
    Case(
        "season_upcoming",
        [
            on("2024-08-30", "2025-07-15", "2025-08-30"),
            on("2023-08-01", "2024-08-10", "2025-09-05"),
        ],
        [
            on("2024-08-30", "2025-08-15", "2025-08-30"),
            on("2024-02-01", "2025-02-01", "2026-02-01"),
        ],
    ),
    Case(
        "holiday_only",
        [on("2025-11-28"), on("2025-12-01", "2025-12-24")],
        [on("2025-11-28", "2025-12-02"), on("2025-11-26"), person()],
        {"dates": HOLIDAYS},
    ),
    # engagement, site and cart
    Case(
        "abandoned_cart_24h",
        [did(checkout(2)), did(checkout(0.5)), did(checkout(2), orders=[order(1)])],
        [
            did(checkout(0.4)),
            did(checkout(24)),
            did(checkout(2, ended_at=AT - 60)),
            did(checkout(2), orders=[order(1 / 24)]),
            did(checkout(2), checkout(0.1)),
            person(),
        ],
    ),
    Case(
        "abandoned_cart_24h",
        [did(checkout(20))],
        [did(checkout(20, amount=4900)), did(checkout(3.9))],
        {"amount": 50, "minutes": 240},
    ),
    Case(
        "viewed_not_bought",
        [
            did(event(VIEW, 5, id="11")),
            did(event(VIEW, 5, id="11"), orders=[bought(RING, 6), bought(BAND, 1)]),
        ],
        [
            did(event(VIEW, 15, id="11")),
            did(event(VIEW, 5, id="12")),
            did(event(VIEW, 5, id="11"), orders=[bought(RING, 4)]),
        ],
        {"products": ["11"]},
    ),
    Case(
        "viewed_not_bought",
        [did(event(VIEW, 5, id="11"), event(VIEW, 6, id="11"))],
        [did(event(VIEW, 5, id="11"))],
        {"products": ["11"], "views": 2},
    ),
    Case(
        "indecisive",
        [did(*(event(VISIT, n) for n in range(5)), *(event(VIEW, n) for n in range(10)))],
        [
            did(*(event(VISIT, n) for n in range(4)), *(event(VIEW, n) for n in range(10))),
            did(*(event(VISIT, n) for n in range(5)), *(event(VIEW, n) for n in range(9))),
            did(
                *(event(VISIT, n) for n in range(5)),
                *(event(VIEW, n) for n in range(10)),
                orders=[order(80)],
            ),
        ],
    ),
    Case(
        "registered_browsers",
        [person(created_at=ago(8))],
        [person(created_at=ago(7)), person(order(1), created_at=ago(8)), person()],
    ),
    Case(
        "registered_browsers",
        [did(event(VISIT, 1), event(VISIT, 2), created_at=ago(8))],
        [did(event(VISIT, 1), created_at=ago(8))],
        {"visits": 2},
    ),
    Case(
        "curious_browsers",
        [did(event(VISIT, 14), orders=[order(181)])],
        [
            did(event(VISIT, 15), orders=[order(181)]),
            did(event(VISIT, 1), orders=[order(180)]),
            did(event(VISIT, 1)),
        ],
    ),
    Case("funnel_cart", [did(event(CART, 1), event(VIEW, 1))], [did(event(VIEW, 1))]),
    Case(
        "funnel_product",
        [did(event(VIEW, 1), event(CATEGORY, 1))],
        [did(event(VIEW, 1), event(CART, 1)), did(event(CATEGORY, 1))],
    ),
    Case(
        "funnel_category",
        [did(event(CATEGORY, 1), event(VISIT, 1), event(VIEW, 31))],
        [did(event(CATEGORY, 1), event(VIEW, 1)), did(event(VISIT, 1))],
    ),
    Case(
        "funnel_home",
        [did(event(VISIT, 1))],
        [did(event(VISIT, 1), event(CATEGORY, 1)), did(event(VISIT, 31)), person()],
    ),
    Case(
        "idle_on_site",
        [did(event("Idle on Site", 0.5, seconds="120"))],
        [
            did(event("Idle on Site", 0.5, seconds="119")),
            did(event("Idle on Site", 2, seconds="200")),
        ],
    ),
    Case(
        "newsletter_readers",
        [
            did(event(CLICKED, 5), **SUBSCRIBER),
            did(*(event(OPENED, n) for n in range(3)), **SUBSCRIBER),
        ],
        [did(event(OPENED, 5), **SUBSCRIBER), did(event(CLICKED, 5))],
    ),
    Case(
        "newsletter_readers",
        [did(event(CLICKED, 5), **SUBSCRIBER)],
        [did(*(event(OPENED, n) for n in range(3)), **SUBSCRIBER)],
        {"clicks_only": True},
    ),
    Case(
        "non_openers",
        [did(*(event("shopify_email.delivered", n) for n in range(3)))],
        [
            did(*(event("shopify_email.delivered", n) for n in range(3)), event(OPENED, 1)),
            did(event("shopify_email.delivered", 1)),
        ],
    ),
    Case(
        "social_engaged",
        [did(event("Social Interaction", 90))],
        [did(event("Social Interaction", 91)), person()],
    ),
    Case(
        "responds_to_marketing",
        [did(event(CLICKED, 100), event(CLICKED, 50), orders=[order(96), order(46)])],
        [
            did(event(CLICKED, 100), event(CLICKED, 50), orders=[order(96), order(44)]),
            did(event(CLICKED, 100), orders=[order(96), order(95)]),
        ],
    ),
]
