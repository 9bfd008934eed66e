"""Variables of the configuration in rules: what takes their place, and what cannot."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fuzz.trees import Trees
from segmentd.domain.errors import RuleError
from segmentd.segmenter.check import check
from segmentd.segmenter.language import (
    And,
    Condition,
    Name,
    Not,
    Number,
    Offset,
    Period,
    Position,
    Share,
    Text,
    Variable,
    nodes,
)
from segmentd.segmenter.parser import MAX_DEPTH, parse
from segmentd.segmenter.spelling import text
from segmentd.segmenter.variables import MAX_NODES, bind


def _days(number: str) -> Number:
    return Number(Decimal(number))


VARIABLES: dict[str, Any] = {
    "days": _days("90"),
    "half": _days("2.5"),
    "ages": _days("40000"),
    "code": Text("SUMMER"),
    "since": Offset(-30, "d"),
    "risk": Variable("at_risk_days"),
    "best": Share("TOP", Decimal(10)),
    "month": Period("LAST", "MONTH"),
    "loyal": parse("number_of_orders >= 3 AND NOT $lazy"),
    "lazy": parse("last_order_date < -$days"),
    "sales": parse("orders_placed MATCHES (discount_code = $code, date >= $since)"),
    "cheap": parse("amount < 10"),
    "me": parse("NOT $me"),
    "hen": parse("$egg AND segment('vip')"),
    "egg": parse("number_of_orders = 1 OR $hen"),
    "lost": parse("$nobody"),
    "odd": parse("amount_spent > $loyal"),
}


@pytest.mark.parametrize(
    ("rule", "bound"),
    [
        ("number_of_orders > 1", "number_of_orders > 1"),
        ("last_order_date < -$days", "last_order_date < -90d"),
        ("last_order_date = + $days", "last_order_date = +90d"),
        ("last_order_date < $since", "last_order_date < -30d"),
        ("number_of_orders IN (1, $days)", "number_of_orders IN (1, 90)"),
        ("customer_tags CONTAINS ANY ($code, 'x')", "customer_tags CONTAINS ANY ('SUMMER', 'x')"),
        ("$lazy", "last_order_date < -90d"),
        (
            "$loyal OR $lazy",
            "number_of_orders >= 3 AND NOT (last_order_date < -90d) OR last_order_date < -90d",
        ),
        ("NOT $sales", "NOT (orders_placed MATCHES (discount_code = 'SUMMER', date >= -30d))"),
        ("orders_placed MATCHES ($cheap, count > $days)",
         "orders_placed MATCHES (amount < 10, count > 90)"),
        (
            "sum_amount OF orders_placed (date > -$days) > sum_amount OF orders_placed ($cheap)",
            "sum_amount OF orders_placed (date > -90d)"
            " > sum_amount OF orders_placed (amount < 10)",
        ),
        (
            "orders_placed (date > -$days) THEN orders_placed () WITHOUT refunds_received"
            " (amount > $days)",
            "orders_placed (date > -90d) THEN orders_placed () WITHOUT refunds_received"
            " (amount > 90)",
        ),
        ("last_order_date < -$risk", "last_order_date < -$at_risk_days"),
        ("amount_spent > $large_order", "amount_spent > $large_order"),
    ],
)  # fmt: skip
def test_what_takes_their_place(rule: str, bound: str) -> None:
    tree = bind(parse(rule), VARIABLES)
    assert text(tree) == bound
    check(tree)


def test_what_is_fitted_stays_until_it_has_a_value() -> None:
    rule = parse("last_order_date < -$at_risk_days AND $lazy")
    kept = bind(rule, VARIABLES)
    assert bind(kept, {}) == kept
    assert text(bind(kept, {"at_risk_days": _days("78")})) == (
        "last_order_date < -78d AND last_order_date < -90d"
    )


def test_what_is_configured_goes_before_what_is_fitted() -> None:
    tree = bind(parse("last_order_date < -$lost_days"), {"lost_days": _days("365")})
    assert tree == Condition(Name("last_order_date"), "<", (Offset(-365, "d"),))


def test_it_stands_where_the_variable_stood() -> None:
    at = Position(2, 3)
    tree = bind(parse("segment('vip') AND\n  $loyal"), VARIABLES)
    assert isinstance(tree, And)
    assert {node.at for node in nodes(tree.parts[1]) if hasattr(node, "at")} == {at}
    with pytest.raises(RuleError, match=r"^line 2, column 3: unknown field 'spent'"):
        check(bind(parse("segment('vip') AND\n  $odd"), {"odd": parse("\n\n spent > 5")}))


@pytest.mark.parametrize(
    ("rule", "column", "message"),
    [
        ("$loyl", 1, "there is no variable $loyl; did you mean \"loyal\"?"),
        ("last_order_date < -$dys", 19, "there is no variable $dys; did you mean \"days\"?"),
        ("NOT $lost", 5, "there is no variable $nobody"),
        ("$days", 1, "$days is a value and no condition"),
        ("orders_placed MATCHES (NOT $code)", 28, "$code is a value and no condition"),
        ("amount_spent > $loyal", 16, "$loyal is a condition and no value"),
        ("NOT $odd", 5, "$loyal is a condition and no value"),
        ("amount_spent IN ($best)", 18, "TOP 10% cannot take the place of $best"),
        ("last_order_date = $month", 19, "LAST MONTH cannot take the place of $month"),
        ("last_order_date < -$half", 19, "-$half needs a whole number of days, it is 2.5"),
        ("last_order_date < -$ages", 19, "-$ages needs a whole number of days, it is 40000"),
        ("last_order_date < -$code", 19, "-$code needs a whole number of days, it is 'SUMMER'"),
        ("last_order_date < -$since", 19, "-$since needs a whole number of days, it is -30d"),
        ("$me", 1, "variables that refer to each other: $me, $me"),
        ("segment('vip') OR $egg", 19, "variables that refer to each other: $egg, $hen, $egg"),
    ],
)  # fmt: skip
def test_what_cannot(rule: str, column: int, message: str) -> None:
    with pytest.raises(RuleError) as caught:
        bind(parse(rule), VARIABLES)
    assert str(caught.value).startswith(f"line 1, column {column}: {message}")


def test_a_rule_does_not_grow_without_end() -> None:
    doubled: dict[str, Any] = {"x0": parse("number_of_orders = 1")}
    for number in range(1, 60):
        doubled[f"x{number}"] = parse(f"$x{number - 1} AND $x{number - 1}")
    assert len([*nodes(bind(parse("$x10"), doubled))]) < MAX_NODES
    with pytest.raises(RuleError, match=r"^line 1, column 5: .* make the rule too large"):
        bind(parse("NOT $x59"), doubled)


def test_a_rule_does_not_become_too_deep() -> None:
    deep: dict[str, Any] = {"x0": parse("number_of_orders = 1")}
    for number in range(1, 5_000):
        deep[f"x{number}"] = parse(f"NOT $x{number - 1}")
    whole = bind(parse(f"$x{MAX_DEPTH}"), deep)
    assert sum(isinstance(node, Not) for node in nodes(whole)) == MAX_DEPTH
    for name in ("x65", "x4999"):
        with pytest.raises(RuleError, match="nested more than 64 levels deep"):
            bind(parse(f"${name}"), deep)


@pytest.mark.parametrize("seed", range(10))
def test_a_condition_means_the_same_under_a_name(seed: int) -> None:
    trees = Trees(seed)
    for _ in range(20):
        part, other = trees.rule(2), trees.rule(1)
        assert bind(parse("NOT $part AND $other"), {"part": part, "other": other}) == And(
            (Not(part), other)
        )
