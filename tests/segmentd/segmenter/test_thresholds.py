"""Percentile cuts, mean and median, and who is touched when they move."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiled_rules import compile_rules
from segmentd.segmenter.evaluate import values
from segmentd.segmenter.ruleset import Shop
from segmentd.segmenter.thresholds import (
    PopulationTable,
    differing,
    limit_name,
    value_name,
    within,
)
from segmentd.segmenter.thresholds import moved as moved_of
from segmentd.segmenter.thresholds import threshold as threshold_of
from segmenter_oracle.asking import NOW, ask, instant
from segmenter_oracle.histories import Order, Person, frames

TOP10 = "TOP 10% amount_spent"


def population(
    spent: Sequence[float], orders: Sequence[int] = (), last: Sequence[int] = ()
) -> pd.DataFrame:
    count = len(spent)
    return pd.DataFrame(
        {
            "profile_id": range(1, count + 1),
            "value": [float(value) for value in spent],
            "orders": [float(n) for n in orders or [1] * count],
            "last_order_at": [float(n) for n in last or [0] * count],
        }
    )


def threshold(expression: str, table: pd.DataFrame) -> str:
    return threshold_of(expression, PopulationTable(table))


def moved(
    expression: str,
    old: str,
    new: str,
    table: pd.DataFrame,
    factors: Collection[float] = (1.0,),
) -> list[int]:
    return moved_of(expression, old, new, PopulationTable(table), factors)


def people(table: pd.DataFrame) -> list[Person]:
    """Somebody for each row: the money in the last order, all others free of charge."""
    return [
        Person(
            int(row["profile_id"]),
            orders=[
                Order(
                    int(row["profile_id"]) * 1000 + n,
                    instant("2026-01-01T00:00:00") + int(row["last_order_at"]),
                    int(row["value"]) if n == 0 else 0,
                )
                for n in range(int(row["orders"]))
            ],
        )
        for row in table.to_dict("records")
    ]


def members(expression: str, table: pd.DataFrame) -> list[int]:
    side, percent, field = expression.split(" ")
    table = table.assign(last_order_at=table["last_order_at"] + instant("2026-01-01T00:00:00"))
    cut = threshold(expression, table)
    persons = people(table.assign(last_order_at=table["last_order_at"] - instant("2026-01-01")))
    return ask(f"{field} IN {side} {percent}", persons, thresholds={expression: cut})[0]


def test_the_highest_tenth_is_rounded_up() -> None:
    assert threshold(TOP10, population(list(range(100, 141)))) == "136.0"
    assert members(TOP10, population(list(range(100, 141)))) == [37, 38, 39, 40, 41]
    assert members("BOTTOM 10% amount_spent", population(list(range(100, 141)))) == [1, 2, 3, 4, 5]


def test_few_customers_are_not_enough() -> None:
    assert threshold(TOP10, population([1] * 19)) == "insufficient"
    assert threshold(TOP10, population([1] * 20)) != "insufficient"
    assert members(TOP10, population([5] * 19)) == []
    assert threshold("AVERAGE amount_spent", population([])) == "insufficient"
    assert threshold("MEDIAN amount_spent", population([7])) == "7.0"


def test_equal_values_at_the_cut_stay_together_while_they_are_few() -> None:
    table = population([900] * 8 + [500] * 4 + [1] * 88)  # 10 wanted, 12 at or above
    assert threshold(TOP10, table) == "500.0"
    assert members(TOP10, table) == list(range(1, 13))


def test_many_equal_values_are_told_apart_by_orders_then_recency_then_id() -> None:
    spent = [900] * 5 + [500] * 300 + [1] * 695  # 100 wanted, 305 at or above
    orders = [1] * 5 + [3] * 50 + [2] * 40 + [1] * 210 + [1] * 695
    last = [0] * 95 + [9] * 3 + [5] * 207 + [0] * 695
    chosen = members(TOP10, population(spent, orders, last))
    assert chosen == list(range(1, 101))
    backwards = population(spent, orders, last).iloc[::-1]
    assert threshold(TOP10, backwards) == threshold(TOP10, population(spent, orders, last))


def test_the_lowest_are_told_apart_the_other_way_round() -> None:
    table = population([10] * 40, orders=[2] * 20 + [1] * 20)
    assert members("BOTTOM 10% amount_spent", table) == [37, 38, 39, 40]


def test_mean_and_median_are_of_those_with_a_value() -> None:
    table = population([100, 200, 600, float("nan")])
    assert threshold("AVERAGE average_order_value", table) == "300.0"
    assert threshold("MEDIAN average_order_value", table) == "200.0"


@pytest.mark.parametrize("expression", ["AVERAGE x", "AVERAGE +2 DEVIATIONS x"])
def test_a_mean_does_not_depend_on_the_order_of_rows(expression: str) -> None:
    table = population([0.1 * n for n in range(1, 1000)])
    shuffled = table.sample(frac=1, random_state=1)
    assert threshold(expression, table) == threshold(expression, shuffled)


def test_deviations_are_of_the_whole_population() -> None:
    table = population([2, 4, 4, 4, 5, 5, 7, 9, float("nan")])  # mean 5, deviation 2
    assert threshold("AVERAGE +2 DEVIATIONS x", table) == "9.0"
    assert threshold("AVERAGE -0.5 DEVIATIONS x", table) == "4.0"
    assert threshold("AVERAGE +1 DEVIATIONS x", population([3])) == "3.0"
    assert threshold("AVERAGE +1 DEVIATIONS x", population([])) == "insufficient"


def test_percentiles_are_interpolated() -> None:
    table = population(range(1, 22))
    assert threshold("PERCENTILE 75 x", table) == "16.0"
    assert float(threshold("PERCENTILE 33.3 x", table)) == pytest.approx(7.66)
    assert threshold("PERCENTILE 0 x", table) == "1.0"
    assert threshold("PERCENTILE 100 x", table) == "21.0"
    assert threshold("PERCENTILE 50 x", population(range(19))) == "insufficient"


@pytest.mark.parametrize("kind", ["AVERAGE", "MEDIAN"])
def test_comparisons_with_the_store_concern_those_who_have_ordered(kind: str) -> None:
    persons = [Person(1), *people(population([100, 300]))[1:]]
    cut = {f"{kind} amount_spent": "200.0"}
    assert ask(f"amount_spent < STORE {kind}", persons, thresholds=cut)[0] == []
    assert ask(f"amount_spent > STORE {kind}", persons, thresholds=cut)[0] == [2]
    assert ask(f"amount_spent != STORE {kind}", persons, thresholds=cut)[0] == [1, 2]
    assert ask(f"amount_spent > STORE {kind}", persons, thresholds={})[0] == []
    insufficient = {f"{kind} amount_spent": "insufficient"}
    assert ask(f"NOT amount_spent > STORE {kind}", persons, thresholds=insufficient)[0] == [1, 2]


def test_values_are_what_thresholds_are_made_from() -> None:
    ruleset = compile_rules(
        {"a": "amount_spent IN TOP 10%", "b": "average_order_value > STORE MEDIAN"},
        Shop("UTC", "EUR"),
    )
    order = Order(1, instant("2026-07-01T00:00:00"), 500, refunds=[(instant("2026-07-02"), 100)])
    now = datetime.fromtimestamp(instant(NOW), UTC)
    table = values(ruleset, frames([Person(1, orders=[order]), Person(2)]), now)
    assert table.columns.to_list() == [
        "average_order_value",
        "amount_spent",
        "orders",
        "last_order_at",
    ]
    assert list(table.loc[1]) == [500, 400, 1, instant("2026-07-01T00:00:00")]
    assert list(table.loc[2, ["orders", "amount_spent"]]) == [0, 0]
    assert list(table.loc[2].isna()) == [True, False, False, True]


def test_only_those_between_two_cuts_are_touched() -> None:
    table = population(list(range(1, 101)))
    assert moved(TOP10, "91.0", "89.0", table) == [89, 90]
    assert moved(TOP10, "91.0", "91.0 1.0 0.0 -91.0", table) == []
    assert moved(TOP10, "91.0", "91.0 2.0 0.0 0.0", table) == [91]
    assert moved("BOTTOM 10% amount_spent", "10.0", "12.0", table) == [11, 12]
    assert moved("AVERAGE amount_spent", "50.5", "52.0", table) == [51, 52]
    assert moved("AVERAGE amount_spent", "52.0", "50.5", table) == [51, 52]


def test_everybody_is_touched_by_a_first_threshold() -> None:
    table = population([1, 2, 3])
    assert moved(TOP10, "insufficient", "2.0", table) == [1, 2, 3]
    assert moved(TOP10, "2.0", "insufficient", table) == [1, 2, 3]
    assert moved(TOP10, "insufficient", "insufficient", table) == []


def test_who_never_ordered_is_no_part_of_the_lowest() -> None:
    persons = [Person(1), *people(population([0, 0, 300]))[1:]]
    cut = {"BOTTOM 50% amount_spent": "0.0"}
    assert ask("amount_spent IN BOTTOM 50%", persons, thresholds=cut)[0] == [2]
    assert ask("amount_spent NOT IN BOTTOM 50%", persons, thresholds=cut)[0] == [1, 3]


def test_a_limit_lets_in_exactly_so_many() -> None:
    name = limit_name(3, "vip")
    table = population([9, 5, 5, 5, 5, 1], orders=[1, 1, 2, 1, 1, 9], last=[1, 7, 1, 8, 8, 1])
    cut = threshold(name, table)
    inside = table["profile_id"][within(name, cut, table)]
    assert inside.to_list() == [1, 3, 4]  # most, more orders, later, and then the older profile


def test_a_limit_that_is_not_reached_lets_everybody_in_who_has_a_value() -> None:
    name = limit_name(3, "vip")
    table = population([9, -5, float("nan"), 0])
    assert threshold(name, table) == "-inf"
    assert within(name, "-inf", table).tolist() == [True, True, False, True]
    assert threshold(name, population([])) == "-inf"
    assert not within(name, None, table).any()


def test_who_never_ordered_is_ranked_behind_those_who_did() -> None:
    name = limit_name(1, "vip")
    table = population([0, 0, 0], orders=[1, 1, 1], last=[5, 6, 7])
    table.loc[:1, "last_order_at"] = float("nan")
    assert within(name, threshold(name, table), table).tolist() == [False, False, True]


def test_a_limit_that_moves_touches_those_between() -> None:
    name = limit_name(2, "vip")
    table = population([9, 8, 7, 6])
    assert moved(name, threshold(name, table), threshold(limit_name(3, "vip"), table), table) == [3]
    assert moved(name, "-inf", threshold(name, table), table) == [3, 4]


def test_multiplied_statistics_touch_those_between_the_multiples() -> None:
    table = population(range(1, 101))
    assert moved("MEDIAN x", "10.0", "12.0", table, {1.5}) == [15, 16, 17, 18]
    assert moved("MEDIAN x", "10.0", "11.0", table, {1.0, 5.0}) == [10, 11, *range(50, 56)]
    assert moved("MEDIAN x", "10.0", "12.0", table, {-1.0}) == []
    # 0.1 * 30 is a little more than 3 in floats
    assert moved("MEDIAN x", "30.0", "31.0", table, {0.1}) == [3]


def test_what_values_are_called() -> None:
    names = {
        "TOP 10% amount_spent": "amount_spent",
        "BOTTOM 33.3% amount_spent": "amount_spent",
        "PERCENTILE 75 trait.points": "trait.points",
        "AVERAGE amount_spent": "amount_spent",
        "AVERAGE -0.5 DEVIATIONS amount_spent": "amount_spent",
        "MEDIAN AVERAGE EVERY 7d OF orders_placed ()": "AVERAGE EVERY 7d OF orders_placed ()",
        "LIMIT 5 vip": "LIMIT 5 vip",
        "FITTED at_risk_days": "",
    }
    assert {name: value_name(name) for name in names} == names
    ruleset = compile_rules(
        {"a": "amount_spent > 2 * STORE AVERAGE +1 DEVIATIONS", "b": "amount_spent IN TOP 5%"},
        Shop("UTC", "EUR"),
    )
    assert {value_name(name) for name in ruleset.expressions} == {"amount_spent"}


@given(
    st.lists(st.floats(-1e9, 1e9) | st.integers(-3, 3).map(float), min_size=20, max_size=60),
    st.integers(0, 1000).map(lambda n: n / 10),
)
def test_percentiles_and_medians_are_those_of_numpy(spent: list[float], percent: float) -> None:
    table = population(spent)
    assert float(threshold(f"PERCENTILE {percent} x", table)) == np.percentile(spent, percent)
    assert float(threshold("MEDIAN x", table)) == np.median(spent)


def test_a_mean_is_rounded_once() -> None:
    tiny = [1e16, 1.0, -1e16, 0.1, 2.0**-1074]
    assert threshold("AVERAGE x", population(tiny)) == repr(float(sum(map(Fraction, tiny)) / 5))
    assert threshold("AVERAGE +1 DEVIATIONS x", population([1e300, -1e300])) == "inf"


def test_what_is_too_large_for_a_number_is_no_value() -> None:
    table = population([math.inf, -math.inf, 1, 3])
    assert threshold("AVERAGE x", table) == "2.0"
    assert within(limit_name(2, "vip"), "1.0", table).tolist() == [False, False, True, True]


def test_a_zero_has_no_sign() -> None:
    assert threshold("MEDIAN x", population([-0.0])) == "0.0"


def test_differences_are_of_both_sides() -> None:
    before, after = (
        np.array([[5, 1, 1, -2], [7, 1, 1, -1]]),
        np.array([[5, 1, 2, -2], [8, 1, 1, -3]]),
    )
    gone, come = differing(before, after)
    assert set(gone) == {(5, 1, 1, -2), (7, 1, 1, -1)}
    assert set(come) == {(5, 1, 2, -2), (8, 1, 1, -3)}
    assert differing(before, before[::-1]) == ([], [])
    assert differing(before[:0], after[:1]) == ([], [(5, 1, 2, -2)])
