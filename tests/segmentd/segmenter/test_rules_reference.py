"""``docs/rules.md`` names everything that rules can say, and every example in it is executed."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from compiled_rules import compile_rules
from segmentd.segmenter.check import check
from segmentd.segmenter.evaluate import evaluate
from segmentd.segmenter.examples import examples
from segmentd.segmenter.fields import (
    AGGREGATES,
    FIELDS,
    FITTED,
    FUNCTIONS,
)
from segmentd.segmenter.language import (
    COMPARISONS,
    PATTERNS,
    QUANTIFIED,
    Aggregate,
    Condition,
    Events,
    Name,
    Number,
    nodes,
)
from segmentd.segmenter.parser import parse
from segmentd.segmenter.presets import PRESETS
from segmentd.segmenter.reference import markdown
from segmentd.segmenter.render import words
from segmentd.segmenter.ruleset import Shop
from segmentd.segmenter.variables import bind
from segmenter_oracle.asking import NOW, cuts, instant
from segmenter_oracle.histories import (
    PRODUCTS,
    Event,
    Line,
    Membership,
    Order,
    Person,
    frames,
    needed,
)

PAGE = (Path(__file__).parents[3] / "docs/rules.md").read_text("utf-8")
EXAMPLES = [*dict.fromkeys(examples().all)]
BLOCKS = [
    (kind, block)
    for kind, block in re.findall(r"^```(\w*)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
]
SHOP = Shop("UTC", "EUR")


def test_the_page_is_up_to_date() -> None:
    assert markdown() == PAGE, "make docs writes it anew"


def test_every_name_has_an_example() -> None:
    assert {*examples().fields} == {*FIELDS}
    assert {*examples().aggregates} == {*AGGREGATES}
    families = {_representative(name) for name in FUNCTIONS}
    assert {*examples().properties} == families
    for name, rows in examples().properties.items():
        function = FUNCTIONS[name]
        more = ["properties.NAME"] if function.open else []
        assert {*rows} == {*function.properties, *function.totals, *more}


def _representative(function: str) -> str:
    """The one of its family whose parameters stand for all of them."""
    if function.startswith("shopify_email."):
        return "shopify_email.opened"
    return "storefront.product_viewed" if function.startswith("storefront") else function


@pytest.mark.parametrize("function", [name for name in FUNCTIONS if name != _representative(name)])
def test_functions_of_one_family_have_the_same_parameters(function: str) -> None:
    one, other = FUNCTIONS[function], FUNCTIONS[_representative(function)]
    assert (one.properties, one.totals) == (other.properties, other.totals)
    assert any(function in example for example in EXAMPLES) or function.startswith("storefront_")


def test_every_example_is_one_of_its_name() -> None:
    for table in (examples().fields, examples().open_fields):
        for name, example in table.items():
            assert name.partition(".")[0] in example.rule
    for function, rows in examples().properties.items():
        for name, example in rows.items():
            asked = [*_asked(example.rule)]
            wanted = name.removesuffix("NAME")
            assert any(
                _representative(called) == function and used.startswith(wanted)
                for called, used in asked
            ), example.rule
    for operation, example in examples().aggregates.items():
        assert any(
            FUNCTIONS[function].split(name) and name.startswith(f"{operation}_")
            for function, name in _asked(example.rule)
        ), example.rule


def _asked(rule: str) -> Iterator[tuple[str, str]]:
    """Functions, and the properties and totals that a rule asks of them."""
    for node in nodes(parse(rule)):
        match node:
            case Events(function, _, parameters):
                inner = [part for parameter in parameters for part in nodes(parameter)]
                yield from ((function, part.value) for part in inner if isinstance(part, Name))
            case Aggregate(name, Events(function)):
                yield function, name


def test_every_operator_has_an_example() -> None:
    rules = [form.rule for form in examples().operators]
    used = {n.operator for rule in rules for n in nodes(parse(rule)) if isinstance(n, Condition)}
    assert used >= {*PATTERNS, *QUANTIFIED, "BETWEEN", "IN", "IS NULL", "=", ">="}
    assert {*COMPARISONS} <= {*re.findall(r"`([<>=]+)`", PAGE)}


@pytest.mark.parametrize("rule", EXAMPLES)
def test_examples_are_rules(rule: str) -> None:
    tree = parse(rule)
    check(tree, ["vip"])
    assert words(tree, "EUR")
    assert f"`{rule}`".replace("|", "\\|") in PAGE or rule in PAGE


def test_what_is_shown_apart_is_right() -> None:
    shown = [line for kind, block in BLOCKS if not kind for line in block.splitlines()]
    assert len(shown) > 15
    for rule in shown:
        check(parse(rule), ["vip"])
    tables = tomllib.loads("\n".join(block for kind, block in BLOCKS if kind == "toml"))
    named = {name: Number(Decimal(value)) for name, value in tables["variables"].items()}
    conditions = {name: parse(rule) for name, rule in tables["conditions"].items()}
    for segment in tables["segments"].values():
        preset = PRESETS[segment.pop("preset")] if "preset" in segment else None
        rule = preset.where(segment) if preset else segment["where"]
        check(bind(parse(rule), {**named, **conditions}))


def test_every_preset_and_variable_is_described() -> None:
    for name in (*PRESETS, *(f"${name}" for name in FITTED)):
        assert f"| `{name}` |" in PAGE


def _people() -> list[Person]:
    """Twenty-five customers: the first has done everything, the second little, the rest nothing
    but ordered once."""
    shoe, hat = PRODUCTS[0], PRODUCTS[2]
    first = Person(
        1,
        created_at=instant("2026-01-10T00:00:00"),
        email="ada@uni-berlin.example",
        country="DE",
        region="BE",
        city="Berlin",
        postcode="10115",
        latitude=52.53,
        longitude=13.38,
        language="de",
        account_state="ENABLED",
        email_consent="SUBSCRIBED",
        sms_consent="UNSUBSCRIBED",
        tags=["VIP", "wholesale", "café", "season-2026"],
        traits={"metafields.facts.birth_date": "1990-07-18", "meta.loyalty_level": "gold"},
        memberships=[Membership("vip", instant("2026-03-01T00:00:00"))],
    )
    first.orders = [
        Order(
            1,
            instant("2026-06-13T20:00:00"),
            12_000,
            country="AT",
            codes=["SUMMER"],
            channel="pos",
            lines=[Line(shoe, 3, 9_000, 600), Line(hat, 1, 3_000)],
            discount=600,
        ),
        Order(2, instant("2026-06-16T09:00:00"), 3_000, country="DE", lines=[Line(hat, 1, 3_000)]),
    ]
    first.orders[1].refunds = [(instant("2026-06-20T09:00:00"), 3_000)]
    first.events = [
        Event(1, "checkout", instant("2026-07-15T02:00:00"), 6_000),
        Event(2, "Viewed Product", instant("2026-07-10T23:00:00"), None, None, {"color": "red"}),
        Event(
            3, "storefront.product_viewed", instant("2026-07-10T12:00:00"), None, None, {"id": "11"}
        ),
    ]
    second = Person(2, country="US", region="CA", city="Los Angeles", tags=["staff"])
    others = [
        Person(number, orders=[Order(number, instant("2026-02-01T12:00:00"), 1_000 + number)])
        for number in range(3, 26)
    ]
    return [first, second, *others]


PEOPLE = frames(_people(), PRODUCTS)
AT = datetime.fromtimestamp(instant(NOW), UTC)
FIT = {name: Number(Decimal(90 if name.endswith("_days") else 40)) for name in FITTED}


def _members(rule: str) -> list[int]:
    ruleset = compile_rules({"vip": "amount_spent >= 50", "asked": rule}, SHOP)
    ruleset = ruleset.bound(FIT)
    thresholds = cuts(ruleset, PEOPLE, AT)
    members = evaluate(ruleset, needed(PEOPLE, ruleset.needs), AT, thresholds).members["asked"]
    return [int(number) for number in members.index[members]]


@pytest.mark.parametrize("rule", EXAMPLES)
def test_examples_are_executed(rule: str) -> None:
    inside, outside = _members(rule), _members(f"NOT ({rule})")
    assert sorted([*inside, *outside]) == [*range(1, 26)]


BUYERS = [1, *range(3, 26)]


@pytest.mark.parametrize(
    ("rule", "members"),
    [
        ("orders_placed MATCHES (weekday IN (6, 7))", BUYERS),
        ("orders_placed MATCHES (hour BETWEEN 18 AND 23)", [1]),
        ("orders_placed MATCHES (discounted = false)", BUYERS),
        ("orders_placed MATCHES (nth = 1, amount >= 100)", [1]),
        ("orders_placed MATCHES (discount_code = 'SUMMER', date IN THIS YEAR)", [1]),
        ("orders_placed MATCHES (date > first_order_date, date <= first_order_date + 7d)", [1]),
        ("orders_placed NOT MATCHES (date >= -180d)", [2]),
        ("products_purchased MATCHES (id = 11, quantity >= 3)", [1]),
        ("products_purchased MATCHES (category = 'Shoes', date >= -1y, count >= 2)", []),
        ("products_purchased NOT MATCHES (tag = 'sale')", [*range(2, 26)]),
        ("share_amount OF products_purchased (type = 'Shoes') >= 30%", [1]),
        ("refunds_received MATCHES (amount >= 100)", []),
        ("checkouts_abandoned MATCHES (date >= -24h)", [1]),
        ("checkouts_abandoned () THEN NOT orders_placed () WITHIN 24h", []),
        ("events('Viewed Product') MATCHES (properties.color = 'red')", [1]),
        ("sum_amount EVERY 90d OF orders_placed (date >= -1y) >= 50", []),
        ("customer_tags CONTAINS 'cafe' IGNORING ACCENTS", [1]),
        ("customer_tags CONTAINS NONE ('staff')", BUYERS),
        ("customer_tags LIKE 'season-20__'", [1]),
        ("customer_areas CONTAINS ANY ('EU', 'AFRICA')", [1]),
        ("customer_season = 'WINTER'", []),
        ("customer_within_distance MATCHES (coordinates = '52.52,13.405', distance_km <= 50)", [1]),
        ("anniversary('metafields.facts.birth_date') BETWEEN today AND +7d", [1]),
        ("amount_spent IN TOP 10%", [1, 24, 25]),
        ("amount_spent > STORE AVERAGE", [1]),
        ("last_order_date < -$at_risk_days", [*range(3, 26)]),
        ("MEMBER OF segment('vip') FOR 30d", [1]),
        ("ENTERED segment('vip') >= -7d", []),
    ],
)
def test_what_examples_select(rule: str, members: list[int]) -> None:
    assert rule in EXAMPLES
    assert _members(rule) == members
