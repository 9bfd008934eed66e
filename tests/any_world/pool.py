"""The segments that random worlds choose from, and how they are compiled once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from any_world.shop import START, ZONE
from segmentd.domain.segments import ExclusiveSet, Limit, Pin, PushTo, Segment
from segmentd.segmenter.ruleset import Ruleset, Shop, compile_segments

TAGS = "tags"
"""The name of the destination."""

BASE = "number_of_orders >= 1"
RECENT = Segment("recent", "", "last_order_date >= -3d")


def _one(key: str, *rules: str, **decisive: object) -> list[tuple[Segment, ...]]:
    return [(Segment(key, "", rule, **decisive),) for rule in rules]  # type: ignore[arg-type]


FAMILIES: Mapping[str, Sequence[tuple[Segment, ...]]] = {
    "window": _one(
        "window",
        "orders_placed MATCHES (date >= -36h, count >= 1)",
        "sum_amount OF orders_placed (date >= -20d) > 50",
        "last_order_date IN THIS MONTH",
        "first_order_date < -30d AND NOT last_order_date >= -24h",
        "days_since_last_order BETWEEN 2 AND 9",
    ),
    "share": _one(
        "share",
        "amount_spent IN TOP 20%",
        "days_since_last_order IN BOTTOM 30%",
        "sum_amount OF orders_placed (date >= -20d) IN TOP 25%",
        "NOT number_of_orders IN TOP 50%",
    ),
    "mean": _one(
        "mean",
        "amount_spent > STORE AVERAGE",
        "average_order_value >= 1.5 * STORE MEDIAN",
        "days_since_last_order > STORE AVERAGE +0.5 DEVIATIONS",
        "sum_amount OF orders_placed (date >= -15d) >= STORE PERCENTILE 60",
    ),
    "few": [
        (Segment("few", "", BASE, limit=Limit(2, "amount_spent")),),
        (Segment("few", "", BASE, limit=Limit(3, "days_since_last_order", least=True), grace=2),),
        (Segment("few", "", "amount_spent > 0", stays="last_order_date >= -10d",
                 limit=Limit(1, "count OF orders_placed (date >= -7d)")),),
    ],
    "tiers": [
        (Segment("gold", "", "amount_spent >= 100"),
         Segment("silver", "", "number_of_orders >= 2", grace=3),
         Segment("bronze", "", BASE)),
        (Segment("silver", "", "last_order_date >= -5d"),
         Segment("gold", "", "amount_spent > STORE AVERAGE", stays="last_order_date >= -10d"),
         Segment("bronze", "", BASE, grace=1, limit=Limit(2, "amount_spent"))),
    ],
    "grace": [
        (Segment("grace", "", "last_order_date >= -10d", grace=3),),
        (Segment("grace", "", "amount_spent > 60", stays="customer_tags CONTAINS 'vip'", grace=1),),
    ],
    "ex": [
        (Segment("recent", "", RECENT.where), Segment("ex", "", "LEFT segment('recent') >= -4d")),
        (Segment("recent", "", RECENT.where, grace=1),
         Segment("ex", "", "ENTERED segment('recent') >= -36h AND NOT amount_spent > 100")),
    ],
    "loyal": [
        (Segment("base", "", BASE), Segment("loyal", "", "MEMBER OF segment('base') FOR 3d")),
        (Segment("base", "", "amount_spent >= 30"),
         Segment("loyal", "", "WAS MEMBER OF segment('base') SINCE -6d AND NOT segment('base')")),
        (Segment("base", "", "amount_spent >= 30"),
         Segment("loyal", "", "segment('base') OR customer_tags CONTAINS 'vip'")),
    ],
    "sequence": _one(
        "sequence",
        "orders_placed () THEN NOT orders_placed () WITHIN 4d",
        "orders_placed (amount >= 30) THEN orders_placed () WITHIN 10d",
        "products_purchased (type = 'Hats') THEN products_purchased (type = 'Shoes')",
    ),
    "every": _one("every", "count EVERY 7d OF orders_placed (date >= -21d) >= 1"),
    "record": _one(
        "record",
        "customer_tags CONTAINS 'vip' AND NOT last_order_date >= -2d",
        "customer_countries CONTAINS 'DE' OR last_order_date IS NULL",
        "customer_added_date >= -30d AND customer_email_domain = 'shopper.example'",
        "metafields.loyalty.level = 'gold' AND number_of_orders < 3",
    ),
    "bought": _one(
        "bought",
        "products_purchased MATCHES (type = 'Shoes', date >= -15d)",
        "sum_amount OF products_purchased (type = 'Hats') > STORE AVERAGE",
        "distinct_products >= 2",
    ),
    "back": _one(
        "back",
        "refund_rate > 0.2",
        "refunded_orders >= 1 AND amount_spent > 20",
        "amount_spent BETWEEN 10 AND 60",
    ),
    "late": _one("late", "last_order_date < -$at_risk_days"),
    "drawn": _one("drawn", "SAMPLE(50%, 'x') AND last_order_date >= -6d"),
}  # fmt: skip
"""Family → its variants: an edit of the rules puts one in the place of another."""

TIERS = {"tiers"}
Choice = tuple[tuple[str, int], ...]
"""Families with the number of the variant; ascending."""
Pins = tuple[tuple[str, str, bool, int | None], ...]
"""Segment, customer, in or out, days after the start until when."""


@dataclass(frozen=True)
class Rules:
    """The segments at one time."""

    segments: Sequence[Segment]
    sets: Sequence[ExclusiveSet]
    ruleset: Ruleset


@lru_cache(maxsize=4096)
def rules_of(choice: Choice, pins: Pins) -> Rules:
    """The chosen segments, compiled; a segment that is in two families is that of the first."""
    segments: dict[str, Segment] = {}
    sets = []
    for family, number in choice:
        variant = FAMILIES[family][number]
        for each in variant:
            segments.setdefault(each.key, _pinned(each, pins))
        if family in TIERS:
            sets.append(ExclusiveSet(family, tuple(each.key for each in variant)))
    made = list(segments.values())
    return Rules(made, sets, compile_segments(made, Shop(ZONE, "EUR"), sets=sets))


def _pinned(segment: Segment, pins: Pins) -> Segment:
    mine = tuple(
        Pin(who, member, "asked for it", None if days is None else _day(days))
        for key, who, member, days in pins
        if key == segment.key
    )
    to = (PushTo(TAGS, f"In {segment.key}"),)
    return dataclasses.replace(segment, pins=mine, push=to)


def _day(days: int) -> date:
    return (START + timedelta(days)).date()
