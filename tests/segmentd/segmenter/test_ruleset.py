"""Segments compiled: words put in, dependencies in order, and what the evaluation must read."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from compiled_rules import compile_rules
from segmentd.domain.errors import ConfigError, RuleError
from segmentd.domain.segments import ExclusiveSet, Limit, Pin, Segment, Value
from segmentd.segmenter.demands import is_filled
from segmentd.segmenter.language import Number
from segmentd.segmenter.parser import parse
from segmentd.segmenter.ruleset import NOBODY, Ruleset, Shop, compile_segments
from segmentd.segmenter.spelling import text

SHOP = Shop("Europe/Berlin", "EUR")
ORDERED = "number_of_orders > 0"


def compiled(*segments: Segment, **rest: object) -> Ruleset:
    return compile_segments(segments, SHOP, **rest)  # type: ignore[arg-type]


def rule(where: str, **rest: Mapping[str, object]) -> str:
    """The rule with its words put in."""
    ruleset = compile_rules({"asked": where}, SHOP, **rest)  # type: ignore[arg-type]
    return text(ruleset.rules["asked"])


def segment(key: str, where: str = ORDERED, **rest: object) -> Segment:
    return Segment(key, key, where, **rest)  # type: ignore[arg-type]


# words


@pytest.mark.parametrize(
    ("value", "where", "expected"),
    [
        (500, "amount_spent >= $it", "amount_spent >= 500"),
        (0.1, "refund_rate > $it", "refund_rate > 0.1"),
        (Decimal("9.99"), "amount_spent = $it", "amount_spent = 9.99"),
        ("VIP", "customer_tags CONTAINS $it", "customer_tags CONTAINS 'VIP'"),
        (True, "orders_placed MATCHES (discounted = $it)", None),
        (date(2026, 1, 31), "last_order_date > $it", "last_order_date > 2026-01-31"),
        (
            datetime(2026, 1, 31, 18, 30),  # noqa: DTZ001 - a reading of the shop's clock
            "last_order_date > $it",
            "last_order_date > 2026-01-31T18:30:00",
        ),
        (90, "last_order_date < -$it", "last_order_date < -90d"),
    ],
)
def test_variables_stand_for_values(value: Value, where: str, expected: str | None) -> None:
    assert rule(where, variables={"it": value}) == (expected or where.replace("$it", "true"))


def test_conditions_may_use_variables_and_each_other() -> None:
    conditions = {"good": "$rich AND NOT $gone", "rich": "amount_spent > $much", "gone": ORDERED}
    assert rule("$good", variables={"much": 5}, conditions=conditions) == text(
        parse("amount_spent > 5 AND NOT (number_of_orders > 0)")
    )


@pytest.mark.parametrize(
    ("conditions", "variables", "sentence"),
    [
        ({"a": "$b", "b": "NOT $a"}, {}, "conditions refer to each other in a circle: a -> b -> a"),
        ({"a": "$a"}, {}, "conditions refer to each other in a circle: a -> a"),
        ({"a": ORDERED}, {"a": 5}, '"a" is a variable and a condition: $a can mean only one'),
        (
            {"a": "\n number_of_odrers = 1"},
            {},
            "condition 'a': line 2, column 2: unknown field 'number_of_odrers'; "
            'did you mean "number_of_orders"?',
        ),
        (
            {"a": "amount_spent >"},
            {},
            "condition 'a': line 1, column 15: the rule ends where a value should follow",
        ),
        (
            {"a": "segment('vipp')"},
            {},
            "condition 'a': line 1, column 1: there is no segment 'vipp'; did you mean \"vip\"?",
        ),
    ],
)
def test_a_mistake_in_the_words_names_them(
    conditions: dict[str, str], variables: dict[str, Value], sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        compile_rules({"vip": ORDERED}, SHOP, variables=variables, conditions=conditions)
    assert caught.value.message == sentence


def test_a_word_that_nobody_knows() -> None:
    with pytest.raises(RuleError, match=r"^segment 'vip': line 1, column 16: .*\$mutch"):
        compile_rules({"vip": "amount_spent > $mutch"}, SHOP, variables={"much": 5})


def test_a_mistake_is_told_of_every_segment_that_has_one() -> None:
    with pytest.raises(RuleError) as caught:
        compiled(
            segment("a", "number_of_ordres > 1 AND amount_spnt > 5"),
            segment("b"),
            segment("c", stays="segment('bb')"),
        )
    of_a, of_c = caught.value.message.splitlines()
    assert of_a.startswith("segment 'a': line 1, column 1: ")
    assert of_c.startswith("segment 'c', stays: line 1, column 1: there is no segment 'bb'")
    assert (caught.value.line, caught.value.column) == (1, 1)


# fitted variables


def test_what_is_fitted_to_the_store_is_put_in_later() -> None:
    where = "last_order_date < -$at_risk_days AND amount_spent > $large_order"
    ruleset = compiled(segment("late", where), segment("ever", stays=where))
    assert ruleset.fitted == {"at_risk_days", "large_order"}
    numbers = {"at_risk_days": Number(Decimal(78)), "large_order": Number(Decimal("99.50"))}
    bound = ruleset.bound(numbers)
    expected = "last_order_date < -78d AND amount_spent > 99.50"
    assert text(bound.rules["late"]) == expected
    stays = bound.standing("ever").stays
    assert stays is not None
    assert text(stays) == expected
    assert bound.fitted == frozenset()


def test_what_cannot_be_fitted_holds_for_nobody() -> None:
    limit = Limit(3, "sum_amount OF orders_placed (amount > $large_order)")
    ruleset = compiled(
        segment("a", "NOT amount_spent > $large_order"),
        segment("b", stays="amount_spent < $large_order"),
        segment("c", limit=limit),
        segment("d"),
    ).bound({})
    assert ruleset.rules["a"] == NOBODY
    assert (ruleset.rules["b"], ruleset.standing("b").stays) == (parse(ORDERED), NOBODY)
    assert ruleset.rules["c"] == NOBODY
    assert ruleset.rules["d"] == parse(ORDERED)


def test_a_variable_that_is_set_is_not_fitted() -> None:
    ruleset = compile_rules(
        {"a": "last_order_date < -$at_risk_days"}, SHOP, variables={"at_risk_days": 60}
    )
    assert ruleset.fitted == frozenset()
    assert text(ruleset.rules["a"]) == "last_order_date < -60d"


# dependencies


def test_segments_are_decided_after_those_they_depend_on() -> None:
    ruleset = compiled(
        segment("a", "segment('b') OR NOT LEFT segment('c') >= -7d"),
        segment("b", stays="segment('c')"),
        segment("c"),
        segment("d"),
        sets=[ExclusiveSet("tiers", ("d", "c"))],
    )
    assert ruleset.keys == ("a", "b", "c", "d")
    place = ruleset.order.index
    assert place("d") < place("c") < place("b") < place("a")
    assert ruleset.depending(["c"]) == {"a", "b", "c"}
    assert ruleset.depending(["d", "gone"]) == {"a", "b", "c", "d", "gone"}


@pytest.mark.parametrize(
    ("segments", "sets", "circle"),
    [
        ([segment("a", "segment('b')"), segment("b", "segment('a')")], [], "a -> b -> a"),
        ([segment("a", "NOT segment('a')")], [], "a -> a"),
        (
            [segment("a", "segment('b')"), segment("b")],
            [ExclusiveSet("tiers", ("a", "b"))],
            "b -> a -> b",
        ),
        (
            [segment("a", stays="ENTERED segment('b') >= -7d"), segment("b", "segment('a')")],
            [],
            "a -> b -> a",
        ),
    ],
)
def test_a_circle_is_named(segments: list[Segment], sets: list[ExclusiveSet], circle: str) -> None:
    with pytest.raises(RuleError) as caught:
        compiled(*segments, sets=sets)
    said, _, found = caught.value.message.partition(": ")
    assert said == "segments refer to each other in a circle"
    # it may be entered anywhere
    assert sorted(found.split(" -> ")[1:]) == sorted(circle.split(" -> ")[1:])


@pytest.mark.parametrize(
    ("segments", "sets", "sentence"),
    [
        (
            [segment("vip", "segment('gld')"), segment("gold")],
            [],
            "segment 'vip': line 1, column 1: there is no segment 'gld'; did you mean \"gold\"?",
        ),
        (
            [segment("vip", stays="segment('gld')"), segment("gold")],
            [],
            "segment 'vip', stays: line 1, column 1: there is no segment 'gld'; "
            'did you mean "gold"?',
        ),
        (
            [segment("vip"), segment("gold")],
            [ExclusiveSet("tiers", ("gld", "vip"))],
            'there is no segment "gld"; did you mean "gold"?',
        ),
        (
            [segment("vip"), segment("gold")],
            [ExclusiveSet("tiers", ("gold", "vip")), ExclusiveSet("more", ("vip",))],
            'segment "vip" is in set "tiers" already',
        ),
        (
            [segment("vip"), segment("gold")],
            [ExclusiveSet("tiers", ("gold", "gold"))],
            'segment "gold" is in set "tiers" already',
        ),
        (
            [
                segment("a", limit=Limit(5, "amount_spent")),
                segment("b", "segment('a')"),
                segment("c", "segment('b')", limit=Limit(5, "amount_spent")),
            ],
            [],
            "segment 'c' has a limit and depends on segment 'a', which has one too",
        ),
        (
            [segment("a", limit=Limit(5, "last_order_date"))],
            [],
            "segment 'a', limit: line 1, column 1: it ranks by a number, "
            "and last_order_date is a date",
        ),
        (
            [segment("a", limit=Limit(5, "customer_tags"))],
            [],
            "segment 'a', limit: line 1, column 1: it ranks by a number, "
            "and customer_tags is a list",
        ),
        (
            [segment("a", limit=Limit(5, "amount_spent > 1 AND number_of_orders"))],
            [],
            "segment 'a', limit: line 1, column 1: it ranks by one number, not by a rule",
        ),
        (
            [segment("a", limit=Limit(5, "amount_spnt"))],
            [],
            "segment 'a', limit: line 1, column 1: unknown field 'amount_spnt'; "
            'did you mean "amount_spent"?',
        ),
        (
            [
                segment("a", "sum_amount OF orders_placed (date > ENTERED segment('b')) IN TOP 5%"),
                segment("b"),
            ],
            [],
            "segment 'a': line 1, column 37: a value of the whole store cannot depend on a segment",
        ),
    ],
)
def test_one_sentence_for_every_mistake(
    segments: list[Segment], sets: list[ExclusiveSet], sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        compiled(*segments, sets=sets)
    assert caught.value.message == sentence


def test_limited_segments_of_one_set_do_not_depend_on_each_other_by_that() -> None:
    limit = Limit(5, "amount_spent")
    sets = [ExclusiveSet("tiers", ("a", "b"))]
    ruleset = compiled(segment("a", limit=limit), segment("b", limit=limit), sets=sets)
    assert ruleset.limits == {"LIMIT 5 a": "a", "LIMIT 5 b": "b"}


# what is read


def test_frames_of_operands_parameters_and_steps_are_read() -> None:
    def needs(where: str, **rest: object) -> frozenset[str]:
        return compiled(segment("a", where, **rest), segment("b")).needs

    assert needs(ORDERED) == {"orders"}
    assert needs("number_of_orders > refunded_orders") == {"orders", "refunds"}
    assert needs("orders_placed MATCHES (items > 2)") == {"orders", "lines", "lines.quantity"}
    assert needs("last_order_country = 'DE'") == {"orders", "orders.country"}
    assert needs("SAMPLE(10%, 'a')") == {"orders", "profiles.source", "profiles.customer_id"}
    assert needs("average_net_amount OF orders_placed () > 5") == {"orders", "refunds"}
    assert needs("orders_placed MATCHES (average_net_amount > 5)") == {"orders", "refunds"}
    assert needs("events('X') () THEN products_purchased () WITHIN 7d") == {
        "orders",
        "events",
        "lines",
    }
    assert needs("anniversary('metafields.facts.birth') = today") == {"orders", "traits"}
    assert needs("MEMBER OF segment('b') FOR 30d") == {"orders", "memberships:b"}
    assert needs("segment('b')") == {"orders"}
    assert needs(ORDERED, grace=3) == {"orders", "memberships:a"}
    assert needs(ORDERED, stays="refund_rate < 1") == {"orders", "refunds", "memberships:a"}
    assert needs(ORDERED, limit=Limit(5, "distinct_products")) == {"orders", "lines"}


def test_the_segments_whose_history_is_read() -> None:
    ruleset = compiled(
        segment("a", "LEFT segment('b') > -7d"), segment("b"), segment("c", grace=2), segment("d")
    )
    assert ruleset.remembered == {"b", "c"}


def test_facts_are_named_as_sources_declare_them() -> None:
    ruleset = compiled(
        segment("a", "storefront_event.product_viewed MATCHES (id = 5)"),
        segment("b", "anniversary('metafields.facts.birth') = today AND traits.age > 5"),
        segment("c", "orders_placed MATCHES (location_id = 1, date > first_order_date)"),
        segment("d", stays="customer_tags IS NULL", limit=Limit(5, "refund_rate")),
        segment("e", "ENTERED segment('a') > -7d AND SAMPLE(10%, 'x')"),
    )
    assert ruleset.fields_of("a") == {"storefront.product_viewed"}
    assert ruleset.fields_of("b") == {"metafields.facts.birth", "traits.age"}
    assert ruleset.fields_of("c") == {
        "orders_placed",
        "orders_placed.location_id",
        "first_order_date",
    }
    assert ruleset.fields_of("d") == {"number_of_orders", "customer_tags", "refund_rate"}
    assert ruleset.fields_of("e") == frozenset()


@pytest.mark.parametrize(
    ("fields", "asked", "filled"),
    [
        ({"metafields"}, "metafields.facts.birth_date", True),
        ({"meta"}, "meta.level", True),
        ({"meta"}, "metafields.facts.birth_date", False),
        ({"traits.age"}, "traits.age", True),
        ({"traits.age"}, "traits.club", False),
        ({"orders_placed"}, "orders_placed.location_id", False),
        ({"shopify_email.opened"}, "shopify_email.opened", True),
        ({"amount_spent"}, "amount_spent", True),
    ],
)
def test_a_namespace_stands_for_all_that_begins_so(
    fields: set[str], asked: str, filled: bool
) -> None:
    assert is_filled(asked, frozenset(fields)) is filled


def test_values_of_the_store_are_named_once_with_all_factors() -> None:
    ruleset = compiled(
        segment("a", "amount_spent > STORE AVERAGE OR amount_spent > 1.5 * STORE AVERAGE"),
        segment("b", stays="amount_spent IN TOP 10%"),
    )
    assert ruleset.expressions == ("AVERAGE amount_spent", "TOP 10% amount_spent")
    assert ruleset.factors["AVERAGE amount_spent"] == {1.0, 1.5}
    assert ruleset.factors["TOP 10% amount_spent"] == {1.0}


# pins and terms


def test_pins_are_on_profiles_until_their_day_is_over() -> None:
    until = date(2026, 3, 29)  # a day of 23 hours in Berlin
    pins = (
        Pin("shop:7", member=True, reason="asked", until=until),
        Pin("ada@shopper.example", member=False, reason="staff"),
    )
    ruleset = compiled(
        segment("a", pins=pins),
        segment("b"),
        segment("c", pins=pins[:1]),
        sets=[ExclusiveSet("x", ("b", "c"))],
    )
    assert ruleset.customers == {"shop:7", "ada@shopper.example"}
    found = {"shop:7": [7], "ada@shopper.example": [1, 2]}
    pinned = ruleset.pinning(found).pinned
    everybody = {
        "a": frozenset({1, 2, 7}),
        "b": frozenset({7}),
        "c": frozenset({7}),
    }
    assert pinned(datetime(2026, 3, 29, 21, 59, 59, tzinfo=UTC)) == everybody
    assert pinned(datetime(2026, 3, 29, 22, 0, tzinfo=UTC)) == {"a": frozenset({1, 2})}
    assert ruleset.pinning({}).pinned(datetime(2026, 3, 1, tzinfo=UTC)) == {}


def test_the_terms_follow_all_that_decides() -> None:
    base = compiled(segment("a", "$x"), segment("b"), conditions={"x": ORDERED, "y": ORDERED})
    terms = base.terms("a")

    def changed(*segments: Segment, shop: Shop = SHOP, **rest: object) -> bool:
        words = {"conditions": {"x": ORDERED}, **rest}
        given = segments or (segment("a", "$x"), segment("b"))
        return compile_segments(given, shop, **words).terms("a") != terms  # type: ignore[arg-type]

    assert not changed()
    assert changed(shop=Shop("UTC", "EUR"))
    assert changed(shop=Shop("Europe/Berlin", "USD"))
    assert changed(shop=Shop("Europe/Berlin", "EUR", 6))
    assert changed(conditions={"x": "number_of_orders > 1"})
    assert changed(sets=[ExclusiveSet("s", ("a", "b"))])
    assert changed(segment("a", "$x", stays=ORDERED), segment("b"))
    assert not changed(segment("a", "$x"), segment("b", stays=ORDERED))


def test_a_ruleset_can_be_handed_to_another_process() -> None:
    pins = (Pin("shop:1", member=True, reason="asked"),)
    ruleset = compiled(
        segment("a", "amount_spent IN TOP 10%", pins=pins, grace=3, limit=Limit(5, "amount_spent"))
    ).pinning({"shop:1": [1]})
    assert pickle.loads(pickle.dumps(ruleset)) == ruleset


def test_a_time_zone_that_does_not_exist() -> None:
    with pytest.raises(ConfigError, match="there is no time zone 'Europe/Berlim'"):
        compile_rules({}, Shop("Europe/Berlim", "EUR"))


def test_an_edit_of_one_of_a_set_affects_the_others_and_all_that_depend_on_them() -> None:
    sets = [ExclusiveSet("tiers", ("b", "a"))]
    dependant = segment("c", "NOT segment('b')")
    ruleset = compiled(segment("a"), segment("b"), dependant, segment("d"), sets=sets)
    assert ruleset.affected(["a"]) == {"a", "b", "c"}
    assert ruleset.affected(["d"]) == {"d"}
    assert ruleset.affected(["gone"]) == set()
