"""The table of presets: complete, and every rule in it can be read, checked and said in words."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from compiled_rules import compile_rules
from segmentd.config_tables import SegmentTable
from segmentd.domain import fields as filled
from segmentd.domain.errors import ConfigError
from segmentd.segmenter import presets_values
from segmentd.segmenter.fields import FITTED
from segmentd.segmenter.presets import PRESETS, Preset
from segmentd.segmenter.presets_values import KINDS, Parameter
from segmentd.segmenter.render import words
from segmentd.segmenter.ruleset import Shop

CATALOGUE = """
first_time_buyers one_timers repeat_customers three_plus loyal product_line
previous_purchase_cross_sell replenishment_due frequently_buys_item trendy pre_order subscription
refunders

vip high_spenders high_value big_ticket small_ticket aov_high aov_mid aov_low frequent_buyers
occasional_buyers coupon_lovers full_price promo_buyers thrifty on_sale_buyers spend_tier profitable
unprofitable

prospects new_customers active at_risk dormant lost idle win_back reactivated lifecycle anniversary
seasonal season_upcoming holiday_only

abandoned_cart_24h viewed_not_bought indecisive registered_browsers curious_browsers funnel_home
funnel_category funnel_product funnel_cart idle_on_site newsletter_readers non_openers
social_engaged responds_to_marketing reviewers

geo_country geo_region geo_city near_store climate_zone hemisphere_season demographic
organisation_type psychographic channel_of_acquisition preferred_channel accepts_marketing
can_receive b2b wholesale staff test_accounts language

rfm likely_to_buy churn_risk predicted_clv_top next_order_due cluster
"""
"""The slugs part by part: purchases, value, recency, engagement, people, scores."""

FAMILIES = {
    "lifecycle": "acquisition growth retention reactivation",
    "spend_tier": "bronze silver gold platinum",
    "demographic": "age gender income education marital_status occupation",
    "psychographic": "eco health tech_savvy adventure budget values attitudes personality",
    "rfm": "new promising champion loyal potential_loyalist needs_attention about_to_sleep at_risk"
    " hibernating lost cant_lose",
    "churn_risk": "high medium low new",
}
SETS = {
    "aov": "aov_high aov_mid aov_low",
    "funnel": "funnel_cart funnel_product funnel_category funnel_home",
    **{
        name: " ".join(f"{name}_{member}" for member in FAMILIES[name].split())
        for name in ("lifecycle", "spend_tier", "rfm", "churn_risk")
    },
}
SHOP = Shop("UTC", "EUR")


def examples(preset: Preset) -> dict[str, object]:
    """A value for every parameter that has no default."""
    return {key: p.example for key, p in preset.parameters.items() if p.default is None}


def needed(preset: Preset) -> dict[str, object]:
    """The least that must be given."""
    given: dict[str, object] = {}
    while missing := re.match(r'key "(\w+)" is missing', _refusal(preset, given)):
        given[missing[1]] = preset.parameters[missing[1]].example
    return given


def _refusal(preset: Preset, values: dict[str, object]) -> str:
    try:
        preset.where(values)
    except ConfigError as error:
        return error.message
    return ""


def rules() -> Iterator[tuple[str, str]]:
    """Every preset with as little and with as much as can be given."""
    for key, preset in PRESETS.items():
        on = {name: True for name, p in preset.parameters.items() if p.kind == "truth"}
        for values in (needed(preset), examples(preset), {**needed(preset), **on}):
            yield key, preset.where(values)
            if preset.stays(values):
                yield key, preset.stays(values)


@pytest.mark.parametrize("slug", CATALOGUE.split())
def test_everything_in_the_catalogue_is_there(slug: str) -> None:
    members = [f"{slug}_{member}" for member in FAMILIES.get(slug, "").split()] or [slug]
    assert [key for key in members if key not in PRESETS] == []


def test_sets() -> None:
    found: dict[str, set[str]] = {}
    for key, preset in PRESETS.items():
        found.setdefault(preset.set, set()).add(key)
    del found[""]
    assert found == {name: set(members.split()) for name, members in SETS.items()}


@pytest.mark.parametrize(("key", "rule"), sorted(set(rules())))
def test_a_rule_is_understood_and_said_in_words(key: str, rule: str) -> None:
    compiled = compile_rules({key: rule}, SHOP)
    assert compiled.fitted <= FITTED.keys()
    said = words(compiled.rules[key], "EUR")
    assert said
    assert "None" not in said


@pytest.mark.parametrize("key", PRESETS)
def test_what_it_says_of_itself(key: str) -> None:
    preset = PRESETS[key]
    sentences = [preset.words, preset.waits_for] if preset.waits_for else [preset.words]
    assert [s for s in sentences if not re.fullmatch(r"[A-Z][^.]*\.|RFM: [^.]*\.", s)] == []
    assert not preset.waits_for or preset.waits_for.startswith("Waits for ")
    assert preset.key == key
    assert preset.title
    assert all(preset.articles)


@pytest.mark.parametrize("key", PRESETS)
def test_it_waits_exactly_for_what_no_connector_fills(key: str) -> None:
    preset = PRESETS[key]
    fields = compile_rules({key: preset.where(needed(preset))}, SHOP).fields
    known = frozenset[str]().union(
        *(value for name, value in vars(filled).items() if name.endswith("FIELDS"))
    )
    missing = {name for name in fields if name.partition(".")[0] not in known}
    assert bool(missing) == bool(preset.waits_for), missing


@pytest.mark.parametrize("key", PRESETS)
def test_parameters(key: str) -> None:
    preset = PRESETS[key]
    for name, parameter in preset.parameters.items():
        assert name not in SegmentTable.model_fields
        assert parameter.kind in KINDS
        assert parameter.words
        assert (parameter.default is None) == (parameter.example is not None)
        parameter.read(name, parameter.example if parameter.default is None else parameter.default)


OTHERS: dict[str, object] = {
    "days": 17, "count": 17, "number": 17, "money": 17, "share": "17%", "text": "1.7,17",
    "list": ["Seventeen"], "months": [7], "dates": ["2017-07-17"], "field": "meta.seventeen",
}  # fmt: skip
"""A value that is no default and no example, by the kind of the parameter."""


def other(parameter: Parameter) -> object:
    if parameter.kind == "truth":
        return not parameter.default
    for word in parameter.choices:
        if word not in str(parameter.default or parameter.example):
            return [word] if parameter.kind == "list" else word
    return OTHERS[parameter.kind]


@pytest.mark.parametrize("key", PRESETS)
def test_every_parameter_has_an_effect(key: str) -> None:
    preset = PRESETS[key]
    for name, parameter in preset.parameters.items():
        pairs = [
            (given, {**given, name: other(parameter)})
            for given in (needed(preset), examples(preset), {**needed(preset), "focused": True})
        ]
        made = [pair for pair in pairs if not any(_refusal(preset, given) for given in pair)]
        assert made
        assert any(
            (preset.where(one), preset.stays(one)) != (preset.where(two), preset.stays(two))
            for one, two in made
        ), name


def where(key: str, **values: object) -> str:
    return PRESETS[key].where(values)


def test_values_are_put_in_as_rules_write_them() -> None:
    assert where("lapsed") == "last_order_date < -90d"
    assert where("lapsed", days=45) == "last_order_date < -45d"
    assert where("active", days="$quiet") == "last_order_date >= -$quiet"
    assert where("active", days=45) == "last_order_date >= -45d"
    assert where("reactivated", pause=45).endswith("gap > 45)")
    assert where("full_price", share=0.755).endswith(" full_price_share >= 75.5%")
    assert where("spend_tier", **{"from": 19.9}).endswith(" amount_spent >= 19.9")
    assert where("product_line", names=["Men's", "a\\b"], by="tag") == (
        r"products_purchased MATCHES (tag IN ('Men\'s', 'a\\b'))"
    )
    assert where("seasonal", months=[12, 1]).count("month IN (12, 1)") == 1
    assert where("holiday_only", dates=["2025-11-28 to 2025-12-01", "2025-12-24"]) == (
        "number_of_orders > 0 AND orders_placed NOT MATCHES (NOT (date BETWEEN 2025-11-28 AND"
        " 2025-12-01 OR date BETWEEN 2025-12-24 AND 2025-12-24))"
    )
    assert where("season_upcoming", days=10).endswith("(date BETWEEN -730d AND -720d))")


def test_parts_of_a_rule_come_and_go_with_their_parameter() -> None:
    assert where("one_timers", days=0) == "number_of_orders = 1"
    assert where("high_spenders", factor=2) == "amount_spent > 2 * STORE AVERAGE"
    assert where("repeat_customers", days=180, orders=4) == (
        "count OF orders_placed (date >= -180d) >= 4"
    )
    assert where("aov_mid", low=20) == (
        "average_order_value >= 20 AND average_order_value < STORE PERCENTILE 67"
    )
    assert where("channel_of_acquisition", sources=["google"]) == "first_source IN ('google')"


def test_members_stay_in_a_larger_share() -> None:
    vip = PRESETS["vip"]
    assert vip.stays({}) == "amount_spent IN TOP 12% AND amount_spent > 0"
    assert "IN TOP 25%" in vip.stays({"share": "20%", "margin": 0.05})
    assert "IN TOP 100%" in vip.stays({"share": 1})
    assert PRESETS["lapsed"].stays({}) == ""


DAYS = "a whole number of days from 0 to 36525"
SHARE = 'a share such as "10%" or 0.1'
WHAT = "category, type, tag, vendor, title, id"
DATES = 'a list of days such as ["2025-11-28 to 2025-12-01", "2025-12-24"]'
FIELD = 'a field such as "metafields.facts.birth_date"'


@pytest.mark.parametrize(
    ("key", "values", "sentence"),
    [
        ("vip", {"shares": 1}, 'has no key "shares" for preset "vip"; did you mean "share"?'),
        ("vip", {"x": 1}, 'has no key "x" for preset "vip"; known: days, margin, share'),
        ("prospects", {"days": 1}, 'has no key "days" for preset "prospects"'),
        ("lapsed", {"days": "90"}, f'key "days" must be {DAYS}, not "90"'),
        ("lapsed", {"days": "$quiet"}, f'key "days" must be {DAYS}, not "$quiet"'),
        ("lapsed", {"days": -1}, f'key "days" must be {DAYS}, not -1'),
        ("lapsed", {"days": 36526}, f'key "days" must be {DAYS}, not 36526'),
        ("lapsed", {"days": 9.5}, f'key "days" must be {DAYS}, not 9.5'),
        ("lapsed", {"days": True}, f'key "days" must be {DAYS}, not true'),
        ("lapsed", {"days": {"a": 1}}, f'key "days" must be {DAYS}, not a table'),
        (
            "active",
            {"days": "$no name"},
            f'key "days" must be {DAYS}, or a variable such as "$at_risk_days", not "$no name"',
        ),
        (
            "anniversary",
            {"days": 365},
            'key "days" must be a whole number of days from 0 to 364, not 365',
        ),
        (
            "three_plus",
            {"orders": [3]},
            'key "orders" must be a whole number from 0 to 36525, not [3]',
        ),
        ("vip", {"share": 10}, f'key "share" must be {SHARE}, not 10'),
        ("vip", {"share": "101%"}, f'key "share" must be {SHARE}, not "101%"'),
        ("vip", {"share": "ten"}, f'key "share" must be {SHARE}, not "ten"'),
        ("vip", {"share": 0.0}, f'key "share" must be {SHARE}, not 0.0'),
        ("vip", {"share": float("nan")}, f'key "share" must be {SHARE}, not nan'),
        (
            "high_spenders",
            {"factor": "2"},
            'key "factor" must be a number such as 1.5, not "2"',
        ),
        (
            "spend_tier",
            {"from": -5},
            'key "from" must be an amount of money such as 19.99, not -5',
        ),
        ("loyal", {"focused": 1}, 'key "focused" must be true or false, not 1'),
        ("near_store", {"place": " "}, 'key "place" must be a text in quotes, not " "'),
        (
            "product_line",
            {"names": "Rings"},
            'key "names" must be a list of texts in quotes, not "Rings"',
        ),
        (
            "product_line",
            {"names": []},
            'key "names" must be a list of texts in quotes, not []',
        ),
        (
            "product_line",
            {"names": ["a", 0.5]},
            'key "names" must be a list of texts in quotes, not ["a", 0.5]',
        ),
        (
            "product_line",
            {"names": ["a"], "by": "types"},
            'key "by" cannot be "types"; did you mean "type"?',
        ),
        ("product_line", {"by": 1}, f'key "by" must be one of {WHAT}, not 1'),
        (
            "climate_zone",
            {"zones": ["ARID"]},
            'key "zones" cannot be "ARID"; known: CONTINENTAL, DRY, POLAR, TEMPERATE, TROPICAL',
        ),
        (
            "climate_zone",
            {"zones": "DRY"},
            'key "zones" must be a list of texts in quotes of TROPICAL, DRY, TEMPERATE,'
            ' CONTINENTAL, POLAR, not "DRY"',
        ),
        ("birthday", {"field": "birthday"}, f'key "field" must be {FIELD}, not "birthday"'),
        (
            "seasonal",
            {"months": [0]},
            'key "months" must be a list of months such as [11, 12], not [0]',
        ),
        (
            "holiday_only",
            {"dates": ["2025-12-24 to 2025-11-30"]},
            f'key "dates" must be {DATES}, not ["2025-12-24 to 2025-11-30"]',
        ),
        (
            "holiday_only",
            {"dates": ["2025-02-29"]},
            f'key "dates" must be {DATES}, not ["2025-02-29"]',
        ),
        ("holiday_only", {"dates": [5]}, f'key "dates" must be {DATES}, not [5]'),
        (
            "product_line",
            {},
            'key "names" is missing for preset "product_line"; write names = ["Rings"]',
        ),
        (
            "replenishment_due",
            {"names": ["Pads"]},
            'key "days" is missing for preset "replenishment_due"; write days = 27',
        ),
        (
            "organisation_type",
            {"field": "meta.kind"},
            'key "types" is missing for preset "organisation_type"; write types = ["school"]',
        ),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(
    key: str, values: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        PRESETS[key].where(values)
    assert caught.value.message == sentence
    with pytest.raises(ConfigError):
        PRESETS[key].where({**values, "never heard of": 1})


def test_titles_differ() -> None:
    # they become the names of tags and lists, which are compared without regard to case
    titles = [preset.title.casefold() for preset in PRESETS.values()]
    assert sorted(set(titles)) == sorted(titles)


def test_it_is_a_mapping() -> None:
    assert len(PRESETS) == len(list(PRESETS)) > 100
    assert "vip" in PRESETS
    assert PRESETS.get("vipp") is None


def test_a_parameter_says_what_may_be_given() -> None:
    assert Parameter("days", "x", default=3, most=9).allowed.endswith("from 0 to 9")
    assert presets_values.shown(["a", False, 2]) == '["a", false, 2]'
