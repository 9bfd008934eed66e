"""Values fitted to the store: day limits from gaps between orders, what is large, what is dear."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from compiled_rules import compile_rules
from segmentd.segmenter.fitted import EVERY, Counts, Habits, bound, fit, habits, outdated
from segmentd.segmenter.language import Number
from segmentd.segmenter.ruleset import NOBODY, Shop
from segmentd.segmenter.spelling import text
from segmenter_oracle.histories import Order, Person, frames

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
SHOP = Shop("Europe/Berlin", "EUR")
DAYS = ["at_risk_days", "dormant_days", "lost_days"]


def at(*moment: int) -> int:
    return int(datetime(*moment, tzinfo=UTC).timestamp())  # type: ignore[arg-type, misc]


def person(number: int, *placed: int, totals: Sequence[int | None] = ()) -> Person:
    amounts = [*totals, *[1000] * len(placed)]
    orders = [
        Order(number * 100 + n, instant, amounts[n]) for n, instant in enumerate(placed, start=0)
    ]
    return Person(number, orders=orders)


def found(*people: Person, shop: Shop = SHOP) -> Habits:
    return habits(shop, frames(people), NOW)


def many(counts: Counts) -> dict[int, int]:
    return dict(zip(counts.values.tolist(), counts.counts.tolist(), strict=True))


def gaps(*days: int) -> Habits:
    return Habits(gaps=Counts.of(days))


def days(habit: Habits, stored: Mapping[str, str] | None = None) -> list[str]:
    fitted = fit(DAYS, [habit], [], "EUR", stored or {})
    return [fitted[f"FITTED {name}"] for name in DAYS]


# what is seen


def test_gaps_are_days_of_the_shop_between_days_with_orders() -> None:
    late = at(2026, 7, 1, 21, 30)  # 23:30 in Berlin
    night = at(2026, 7, 1, 22, 30)  # the 2nd already
    one = person(1, at(2026, 6, 1, 9), at(2026, 6, 1, 18), late)
    two = person(2, late, night)
    assert many(found(one, two).gaps) == {1: 1, 30: 1}


def test_gaps_lie_between_orders_of_one_customer_in_any_order_of_rows() -> None:
    one = person(1, at(2026, 6, 11), at(2026, 6, 1))
    two = person(2, at(2026, 6, 5), at(2026, 6, 25))
    assert many(found(one, two).gaps) == {10: 1, 20: 1}


def test_only_counted_orders_of_the_last_24_months_are_seen() -> None:
    first = at(2024, 7, 14, 22)  # the midnight that begins the 15th in Berlin
    assert many(found(person(1, first, first + 864_000)).gaps) == {10: 1}
    assert many(found(person(1, first - 1, first + 864_000)).gaps) == {}
    cancelled = person(1, first, first + 864_000)
    cancelled.orders[0].counted = False
    assert many(found(cancelled).totals) == {1000: 1}
    assert many(found(person(1, at(2026, 7, 15, 13), at(2026, 7, 1))).totals) == {1000: 1}


def test_totals_without_a_rate_are_left_out() -> None:
    seen = found(person(1, at(2026, 7, 1), at(2026, 7, 1), totals=[None, 500]))
    assert many(seen.totals) == {500: 1}


def test_nobody_has_no_habits() -> None:
    assert found().gaps.size == 0
    assert (Habits() + Habits()).totals.size == 0


def test_the_habits_of_all_are_the_sum_of_those_of_parts() -> None:
    people = [person(n, at(2026, 5, n), at(2026, 6, 2 * n), at(2026, 7, n)) for n in range(1, 9)]
    whole, parts = found(*people), sum((found(p) for p in people), Habits())
    assert (many(whole.gaps), many(whole.totals)) == (many(parts.gaps), many(parts.totals))


@pytest.mark.parametrize("percent", [0, 10, 50, 80, 95, 100])
def test_percentiles_are_those_of_numpy(percent: int) -> None:
    values = np.random.default_rng(percent).integers(1, 40, 333)
    counts = Counts.of(values[:100]) + Counts.of(values[100:])
    assert counts.size == 333
    assert counts.percentile(percent) == pytest.approx(float(np.percentile(values, percent)))


# what is fitted


def test_few_gaps_give_the_defaults() -> None:
    assert days(gaps(*[5] * 49)) == ["90", "180", "365"]
    assert days(gaps(*[5] * 50)) == ["30", "60", "180"]


def test_day_limits_are_percentiles_rounded_up() -> None:
    # of 101 gaps the 80th percentile is the 81st, the 90th the 91st
    assert days(gaps(*range(1, 101), 100)) == ["81", "91", "182"]
    assert days(gaps(*range(0, 1010, 10))) == ["180", "365", "730"]


def test_a_new_fit_moves_by_a_tenth_at_most() -> None:
    stored = {"FITTED at_risk_days": "40", "FITTED dormant_days": "99", "FITTED lost_days": "700"}
    assert days(gaps(*range(1, 101), 100), stored) == ["44", "91", "630"]
    stored = {"FITTED at_risk_days": "81", "FITTED dormant_days": "insufficient"}
    assert days(gaps(*range(1, 101), 100), stored)[:2] == ["81", "91"]


def test_amounts_are_in_major_units_of_the_currency() -> None:
    totals = Habits(totals=Counts.of(range(0, 10_001, 100)))
    prices = range(1_000, 2_001, 10)
    names = ["large_order", "high_price", "low_price"]

    def fitted(currency: str, stored: Mapping[str, str] | None = None) -> list[str]:
        return list(fit(names, [totals], prices, currency, stored or {}).values())

    assert fitted("EUR") == ["95.00", "19.00", "11.00"]
    assert fitted("JPY") == ["9500", "1900", "1100"]
    assert fitted("KWD") == ["9.500", "1.900", "1.100"]
    old = {"FITTED large_order": "50.00", "FITTED high_price": "20.00", "FITTED low_price": "0.05"}
    assert fitted("EUR", old) == ["55.00", "19.00", "0.06"]


def test_too_few_amounts_are_not_fitted() -> None:
    few = Habits(totals=Counts.of(range(19)))
    fitted = fit(["large_order", "high_price"], [few], range(19), "EUR", {})
    assert fitted == {"FITTED large_order": "insufficient", "FITTED high_price": "insufficient"}


# when, and what becomes of the rules

LATE = compile_rules(
    {"late": "last_order_date < -$at_risk_days", "large": "amount_spent > $large_order"}, SHOP
)


def test_all_is_fitted_anew_after_a_week_and_what_is_new_at_once() -> None:
    stored = {"FITTED at_risk_days": "78", "FITTED large_order": "insufficient"}
    both = ["at_risk_days", "large_order"]
    assert outdated(LATE, {}, None, NOW) == both
    assert outdated(LATE, stored, NOW, NOW + EVERY - timedelta(seconds=1)) == []
    assert outdated(LATE, stored, NOW, NOW + EVERY) == both
    assert outdated(LATE, {"FITTED at_risk_days": "78"}, NOW, NOW) == ["large_order"]
    assert outdated(compile_rules({"a": "amount_spent > 1"}, SHOP), {}, None, NOW) == []


def test_rules_get_their_values() -> None:
    rules = bound(LATE, {"FITTED at_risk_days": "78", "FITTED large_order": "99.50"}).rules
    assert text(rules["late"]) == "last_order_date < -78d"
    assert text(rules["large"]) == "amount_spent > 99.50"


def test_rules_whose_values_could_not_be_fitted_hold_for_nobody() -> None:
    rules = bound(LATE, {"FITTED at_risk_days": "78", "FITTED large_order": "insufficient"}).rules
    assert rules["large"] == NOBODY
    assert bound(LATE, {}).rules["late"] == NOBODY


def test_a_fitted_number_is_a_plain_number() -> None:
    ruleset = compile_rules({"a": "days_since_last_order > $lost_days"}, SHOP)
    rule = bound(ruleset, {"FITTED lost_days": "365"}).rules["a"]
    assert Number(365) in rule.operands  # type: ignore[arg-type, union-attr]
