"""Sizes, funnels, curves and overlaps, against counting people one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from compiled_rules import compile_rules
from segmentd.domain.segments import Limit, Segment
from segmentd.segmenter.evaluate import evaluate
from segmentd.segmenter.figures import Overlap
from segmentd.segmenter.preview import (
    EVERYBODY,
    Preview,
    candidates_at,
    cuts,
    instants,
    parts_of,
    summarised,
    survey,
    values_at,
    worths,
)
from segmentd.segmenter.ruleset import Ruleset, Shop, compile_segments
from segmentd.segmenter.spelling import text
from segmenter_oracle.asking import NOW, buyer, instant
from segmenter_oracle.histories import PRODUCTS, Person, frames

AT = datetime.fromtimestamp(instant(NOW), UTC)
DAY = 86_400


def people(count: int = 40) -> list[Person]:
    """Customer n has n % 4 orders of n EUR, one every thirty days."""
    found = []
    for number in range(1, count + 1):
        person = buyer(total=number * 100)
        person.id = number
        for nth in range(number % 4):
            (order,) = buyer("2026-07-05T12:00:00", total=number * 100).orders
            order.id, order.placed_at = number * 10 + nth, order.placed_at - nth * 30 * DAY
            person.orders.append(order)
        found.append(person)
    return found


def ruleset(**rules: str) -> Ruleset:
    return compile_rules(rules, Shop("UTC", "EUR"))


def previewed(rules: Ruleset, key: str, size: int, **others: list[int]) -> Preview:
    """As a preview of a store that is read in ranges of ``size``."""
    everyone = people()
    ranges = [frames(everyone[n : n + size], PRODUCTS) for n in range(0, len(everyone), size)]
    at = instants(AT)
    thresholds: list[dict[str, str]] = [{} for _ in at]
    values = cuts(rules.expressions, [values_at(rules, part, at) for part in ranges])
    for known, found in zip(thresholds, values, strict=True):
        known.update(found)
    ranked = [candidates_at(rules, part, at, thresholds) for part in ranges]
    for known, found in zip(thresholds, cuts(rules.limits, ranked), strict=True):
        known.update(found)
    work = partial(survey, rules, key=key, at=at, thresholds=thresholds)
    members = {name: np.array(ids, np.int64) for name, ids in others.items()}
    return summarised(rules.rules[key], map(work, ranges), at, members)


def test_every_week_back_to_ninety_days() -> None:
    at = instants(AT)
    assert (at[0], at[-1], len(at)) == (AT - timedelta(90), AT, 14)
    assert {later - earlier for earlier, later in pairwise(at[1:])} == {timedelta(7)}
    assert list(at) == sorted(at)


@pytest.mark.parametrize("size", [40, 7])
def test_a_rule_of_three_parts(size: int) -> None:
    rules = ruleset(asked="number_of_orders >= 2 AND amount_spent > 50 AND last_order_date >= -30d")
    found = previewed(rules, "asked", size, some=[30, 31, 32], nobody=[])
    inside = [n for n in range(1, 41) if n % 4 >= 2 and n * (n % 4) > 50]
    assert found.size == len(inside)
    assert found.worth.revenue == sum(n * (n % 4) * 100 for n in inside)
    assert found.everybody.size == 40
    assert found.everybody.revenue == sum(n * (n % 4) * 100 for n in range(1, 41))
    assert found.share == len(inside) / 40
    assert found.revenue_share == found.worth.revenue / found.everybody.revenue
    assert [(text(step.part), step.alone, step.together) for step in found.funnel] == [
        ("number_of_orders >= 2", 20, 20),
        ("amount_spent > 50", len([n for n in range(1, 41) if n * (n % 4) > 50]), len(inside)),
        ("last_order_date >= -30d", 30, len(inside)),
    ]
    assert found.overlaps == {
        "some": (3, Overlap(2, 2 / (len(inside) + 1))),
        "nobody": (0, Overlap(0, 0.0)),
    }
    spenders = sorted(inside, key=lambda n: (-n * (n % 4), n))
    assert found.sample == tuple(spenders[:10])


def test_the_curve_is_what_was_known_then() -> None:
    rules = ruleset(asked="number_of_orders >= 2")
    found = previewed(rules, "asked", 9)
    for at, size in found.curve:
        members = evaluate(rules, frames(people(), PRODUCTS), at, {}).members["asked"]
        assert size == members.sum()
    assert found.curve[0][1] == 0
    assert found.curve[-1] == (AT, 20)


def test_values_of_the_store_are_those_of_each_instant() -> None:
    rules = ruleset(asked="amount_spent IN TOP 10%")
    found = previewed(rules, "asked", 9)
    # thirty customers have ordered
    assert found.size == 3
    # until June too few for a percentage had ordered, and twenty of them until July
    assert [size for _, size in found.curve] == [0] * 8 + [2] * 4 + [3] * 2


def test_a_limit_is_kept_at_every_instant() -> None:
    segment = Segment("asked", "Asked", "number_of_orders >= 1", limit=Limit(5, "amount_spent"))
    rules = compile_segments([segment], Shop("UTC", "EUR"))
    found = previewed(rules, "asked", 9)
    assert (found.size, found.funnel[0].together) == (5, 30)
    assert {size for _, size in found.curve} == {0, 5}


def test_nobody_at_all() -> None:
    rules = ruleset(asked="number_of_orders >= 1 AND amount_spent > 5")
    found = summarised(rules.rules["asked"], [], instants(AT), {})
    assert (found.size, found.share, found.revenue_share, found.sample) == (0, 0.0, 0.0, ())
    assert [(step.alone, step.together) for step in found.funnel] == [(0, 0), (0, 0)]
    assert cuts(["AVERAGE amount_spent"], []) == []


def test_the_parts_of_a_rule() -> None:
    rules = ruleset(
        both="number_of_orders > 1 AND (amount_spent > 1 OR amount_spent < 0)",
        either="number_of_orders > 1 OR amount_spent > 1",
    )
    assert [text(part) for part in parts_of(rules.rules["both"])] == [
        "number_of_orders > 1",
        "amount_spent > 1 OR amount_spent < 0",
    ]
    assert parts_of(rules.rules["either"]) == (rules.rules["either"],)


def test_sizes_of_many_rules_at_once() -> None:
    rules = ruleset(one="number_of_orders = 1", two="segment('one') OR number_of_orders = 2")
    found = worths(rules, frames(people(), PRODUCTS), ["two"], AT, {})
    assert found["two"].size == 20
    assert found[EVERYBODY].size == 40
    assert "one" not in found
