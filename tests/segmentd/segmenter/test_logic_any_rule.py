"""What logic calls impossible nobody fulfils, and what it calls certain everybody does."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import combinations

import numpy as np
import pytest

from compiled_rules import compile_rules
from segmentd.domain.errors import RuleError
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import And, Expression, Not, Or, leaves
from segmentd.segmenter.logic import Logic
from segmentd.segmenter.parser import parse
from segmentd.segmenter.scenes import Scene
from segmentd.segmenter.spelling import text
from segmenter_oracle.cases import SEGMENTS, Crowd, at
from segmenter_oracle.rules import Rules

pytestmark = pytest.mark.unmeasured

CLOSE = [
    "number_of_orders = 1", "number_of_orders >= 2", "number_of_orders < 1",
    "amount_spent > 10", "amount_spent BETWEEN 5 AND 20", "amount_spent <= 10",
    "last_order_date >= -30d", "last_order_date < -60d", "last_order_date IS NULL",
    "last_order_date IN LAST MONTH", "last_order_date != today",
    "customer_language = 'de'", "customer_language IN ('en', 'de')", "customer_language != 'en'",
    "customer_tags CONTAINS 'vip'", "customer_tags IS NULL", "customer_tags NOT CONTAINS 'vip'",
    "orders_placed MATCHES (date >= -90d)", "orders_placed MATCHES (date >= -90d, count >= 2)",
    "orders_placed NOT MATCHES (date >= -90d, sum_amount > 10)", "segment('buyers')",
    "average_order_value IS NULL", "average_order_value > 5", "days_since_last_order < 30",
]  # fmt: skip
"""Conditions about the same few subjects: pairs of them exclude each other."""


def conditions(crowd: Crowd) -> list[Expression]:
    """Those, and some of random rules."""
    rules = Rules(random.Random(crowd.now), list(SEGMENTS))
    found = {text(leaf): leaf for rule in CLOSE for leaf in leaves(parse(rule))}
    while len(found) < len(CLOSE) + 20:
        for leaf in leaves(parse(rules.rule(depth=1))):
            try:
                compile_rules({**SEGMENTS, "asked": text(leaf)}, crowd.shop)
            except RuleError:
                continue
            found[text(leaf)] = leaf
    return list(found.values())


@pytest.mark.parametrize("seed", range(2))
def test_logic_says_nothing_that_people_disprove(seed: int) -> None:
    crowd = Crowd(seed, 30)
    asked = conditions(crowd)
    rules = {f"rule{n}": text(leaf) for n, leaf in enumerate(asked)}
    scene = Scene(compile_rules({**SEGMENTS, **rules}, crowd.shop), crowd.frames, at(crowd.now), {})
    columns = [scene.conditions.truth(leaf) for leaf in asked]  # type: ignore[arg-type]
    ahead = (at(crowd.now) + timedelta(days) for days in (0, 400))
    logic = Logic([Clock(crowd.shop.time_zone, then, crowd.shop.week_start) for then in ahead])
    impossible = 0
    for (one, first), (other, second) in combinations(zip(asked, columns, strict=True), 2):
        for rule, truth in (
            (And((one, other)), first & second),
            (And((one, Not(other))), first & ~second),
            (And((Not(one), Not(other))), ~(first | second)),
        ):
            if not logic.can_hold(rule):
                impossible += 1
                assert not truth.any(), text(rule)
                assert logic.always_holds(Not(rule))
        if logic.implies(one, other):
            assert np.all(second[first]), (text(one), text(other))
            assert not logic.can_hold(Not(Or((Not(one), other))))
    assert impossible > 20
