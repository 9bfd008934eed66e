"""Whom the presets of people, places and scores select."""

from __future__ import annotations

from segmenter_oracle.small_shops import (
    BAND,
    HAT,
    RING,
    SUBSCRIBER,
    Case,
    bought,
    buys,
    did,
    event,
    order,
    person,
)

CASES = [
    # who and where
    Case(
        "geo_country",
        [person(country="DE"), person(country="AT")],
        [person(country="US"), person()],
        {"countries": ["DE", "AT"]},
    ),
    Case(
        "geo_region",
        [person(country="US", region="CA")],
        [person(country="US", region="NY")],
        {"regions": ["US-CA"]},
    ),
    Case(
        "geo_city",
        [person(country="US", region="CA", city="Los Angeles")],
        [person(country="US", region="CA", city="Fresno")],
        {"cities": ["US-CA-LosAngeles"]},
    ),
    Case("geo_area", [person(country="DE")], [person(country="US")], {"areas": ["EU"]}),
    Case(
        "near_store",
        [person(latitude=52.4, longitude=13.06)],
        [person(latitude=48.1, longitude=11.6), person()],
        {"place": "52.52,13.405"},
    ),
    Case("climate_zone", [person(country="SG")], [person(country="DE")], {"zones": ["TROPICAL"]}),
    Case(
        "hemisphere_season",
        [person(country="AU")],
        [person(country="DE"), person()],
        {"seasons": ["WINTER"]},
    ),
    Case(
        "demographic_age",
        [
            person(traits={"metafields.facts.birth_date": "2008-07-15"}),
            person(traits={"metafields.facts.birth_date": "1996-07-16"}),
        ],
        [
            person(traits={"metafields.facts.birth_date": "2008-07-16"}),
            person(traits={"metafields.facts.birth_date": "1996-07-15"}),
            person(),
        ],
        {"from": 18, "below": 30},
    ),
    *(
        Case(
            f"demographic_{fact}",
            [person(traits={f"metafields.facts.{fact}": "one"})],
            [person(traits={f"metafields.facts.{fact}": "two"}), person()],
            {"field": f"metafields.facts.{fact}", "names": ["one"]},
        )
        for fact in ("gender", "education", "marital_status", "occupation")
    ),
    Case(
        "demographic_income",
        [person(traits={"meta.income": "30000"})],
        [person(traits={"meta.income": "29999"}), person(traits={"meta.income": "60000"})],
        {"field": "meta.income", "from": 30000, "below": 60000},
    ),
    Case(
        "organisation_type",
        [person(email="a@school.edu"), person(email="a@x.ac.uk"), person(email="a@b.edu.au")],
        [person(email="a@edu.shopper.example"), person(email="a@shopper.example"), person()],
    ),
    Case(
        "organisation_type",
        [person(traits={"meta.kind": "school"})],
        [person(email="a@school.edu")],
        {"field": "meta.kind", "types": ["school"]},
    ),
    *(
        Case(
            f"psychographic_{interest}",
            [person(bought(product, 5), bought(product, 6), bought(other, 7))],
            [person(bought(product, 5)), person(*(bought(other, n) for n in (5, 6)))],
        )
        for interest, product, other in (
            ("eco", RING, HAT),
            ("health", RING, HAT),
            ("tech_savvy", BAND, HAT),
            ("budget", BAND, HAT),
            ("adventure", HAT, RING),
        )
    ),
    *(
        Case(
            f"psychographic_{interest}",
            [person(traits={"meta.answer": "yes"})],
            [person(traits={"meta.answer": "no"}), person(bought(RING, 5), bought(RING, 6))],
            {"field": "meta.answer", "answers": ["yes"]},
        )
        for interest in ("eco", "values", "attitudes", "personality")
    ),
    Case(
        "channel_of_acquisition",
        [person(order(9, channel="web"), order(5, channel="pos"))],
        [person(order(9, channel="pos"), order(5, channel="web"))],
        {"channels": ["web"]},
    ),
    Case(
        "preferred_channel",
        [person(**SUBSCRIBER, traits={"traits.preferred_channel": "email"})],
        [person(**SUBSCRIBER), person(traits={"traits.preferred_channel": "email"})],
    ),
    Case("accepts_marketing", [person(**SUBSCRIBER)], [person()]),
    Case(
        "accepts_marketing",
        [person(sms_consent="SUBSCRIBED")],
        [person(**SUBSCRIBER)],
        {"channel": "sms"},
    ),
    Case("can_receive", [person(**SUBSCRIBER)], [person(email_consent="SUBSCRIBED")]),
    Case(
        "can_receive",
        [person(**SUBSCRIBER)],
        [did(event("shopify_email.bounced", 500), **SUBSCRIBER)],
        {"suppressed": True},
    ),
    Case("b2b", [person(tags=["B2B"])], [person(tags=["vip"])]),
    Case("wholesale", [person(tags=["Wholesale"])], [person(tags=["vip"])]),
    Case(
        "staff",
        [person(tags=["staff"]), person(email="a@our.shopper.example")],
        [person(email="a@shopper.example")],
        {"domains": ["our.shopper.example"]},
    ),
    Case(
        "test_accounts",
        [person(tags=["test"]), person(email="a@example.com")],
        [person(email="a@shopper.example"), person()],
    ),
    Case(
        "language",
        [person(language="de")],
        [person(language="en"), person()],
        {"languages": ["de"]},
    ),
    # scores
    Case("churn_risk_new", [buys(900)], [buys(1, 2), person()]),
    Case(
        "cluster",
        [person(traits={"traits.cluster": "3"})],
        [person(traits={"traits.cluster": "13"}), person()],
        {"names": ["3"]},
    ),
]
RFM = {
    "champion": buys(*range(5, 13), total=100_000),
    "loyal": buys(*range(120, 128), total=100_000),
    "potential_loyalist": buys(5, 6),
    "new": buys(5, total=100),
    "promising": buys(120, total=100),
    "needs_attention": buys(200, 201, 202, total=7000),
    "about_to_sleep": buys(200, total=100),
    "at_risk": buys(300, 301, 302, total=20_000),
    "cant_lose": buys(*range(390, 398), total=100_000),
    "hibernating": buys(300, total=100),
    "lost": buys(395, total=100),
}
CASES += [
    Case(
        f"rfm_{group}",
        [member],
        [*(other for name, other in RFM.items() if name != group), person()],
        store=True,
    )
    for group, member in RFM.items()
]
