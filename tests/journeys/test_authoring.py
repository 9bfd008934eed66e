"""A marketer writes a segment: pastes it, tries it, keeps it, changes it and puts it back."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from segmentd.cli.main import run
from segmentd.domain.records import Customer, Order, OrderLine, Product
from segmentd.sdk.testing.sandbox import SandboxClock
from segmentd.sdk.testing.server import serve
from segmentd_shopify.sandbox import ShopifySandbox

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CONFIG = """# a shop of thirty customers
[destinations.shop_tags]
connector = "shopify"
source = "shop"

[segments.regulars]  # agreed with Ann
title = "Regulars"
where = "number_of_orders >= 2"  # two are enough
push = ["shop_tags"]
"""


@dataclass
class Desk:
    """What is typed, and what was said."""

    shop: ShopifySandbox
    config: Path
    capture: pytest.CaptureFixture[str]
    now: datetime = NOW
    errors: str = field(default="", init=False)

    def type(self, *words: str, code: int = 0) -> str:
        """Type a command; its output."""
        ended = run(["--config", str(self.config), *words])
        seen = self.capture.readouterr()
        self.errors = seen.err
        assert ended == code, seen.err
        assert "Traceback" not in seen.err
        return seen.out

    def read(self, *words: str, code: int = 0) -> Any:
        """Type a command that answers in JSON."""
        return json.loads(self.type(*words, "--json", code=code))

    def tell(self, *words: str) -> str:
        """Type a command; its output with single blanks."""
        return " ".join(self.type(*words).split())

    def at(self) -> tuple[str, str]:
        """The option that makes it that time."""
        return "--now", self.now.isoformat()

    def segment(self, days: float = 0) -> Any:
        """Some days later the rules are applied."""
        self.now += timedelta(days)
        return self.read("segment", *self.at())

    def replace(self, old: str, new: str) -> None:
        """Edit the configuration."""
        text = self.config.read_text()
        assert text.count(old) == 1
        self.config.write_text(text.replace(old, new))

    def add(self, text: str) -> None:
        """Write more into the configuration."""
        with self.config.open("a") as file:
            file.write(text)


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    shop = ShopifySandbox(SandboxClock(NOW), currency="EUR", time_zone="UTC", index_lag=0)
    fill(shop)
    monkeypatch.chdir(tmp_path)
    text = f'[store]\nurl = "sqlite:///{tmp_path / "segmentd.db"}"\n'
    with serve(shop) as url:
        for key, value in shop.credentials().items():
            monkeypatch.setenv(f"SANDBOX_SHOPIFY_{key.upper()}", value)
        settings = {"connector": "shopify", **shop.settings(url)}
        text += "[sources.shop]\n" + "".join(
            f"{key} = {json.dumps(value)}\n" for key, value in settings.items()
        )
        config = tmp_path / "segmentd.toml"
        config.write_text(text + CONFIG)
        desk = Desk(shop, config, capsys)
        desk.type("backfill")
        desk.segment()
        yield desk


def fill(shop: ShopifySandbox) -> None:
    """Customer n of thirty has n % 4 orders of 10 EUR times n, one every thirty days."""
    shop.put_product(Product("70", "Sencha", "tea"))
    for number in range(1, 31):
        shop.put_customer(Customer(str(number), email=f"c{number}@shopper.example"))
        for nth in range(number % 4):
            placed = NOW - (10 + 30 * nth) * DAY
            lines = [OrderLine("1", "70", 1, number * 1000)]
            shop.put_order(
                Order(
                    f"{number}00{nth}", placed, placed, "EUR", number * 1000, paid=True,
                    customer_id=str(number), status="paid", lines=lines,
                )
            )  # fmt: skip


TWICE = {n for n in range(1, 31) if n % 4 >= 2}


def test_a_pasted_query_becomes_a_segment(desk: Desk) -> None:
    pasted = "FROM customers WHERE last_order_date >= 90_days_ago AND number_of_orders > 1"
    found = desk.read("rules", "convert", pasted, "--as", "fresh")
    assert found["rule"] == "last_order_date >= -90d AND number_of_orders > 1"
    assert found["words"] == "last order is in the last 90 days and number of orders is above 1"
    assert len(found["notes"]) == 2
    assert found["unfilled"] == []
    desk.add(found["toml"])
    assert desk.segment()["edited"] == ["fresh"]
    asked = desk.type("rules", "convert", "rfm_group = 'LOYAL'")
    assert "note: rfm_group is filled by no source that is configured" in asked
    assert asked.endswith("[segments.new_segment]\nwhere = \"rfm_group = 'LOYAL'\"\n")
    desk.type("rules", "convert", "number_of_orders > 1", "--as", "a b", code=2)
    assert '"a b" is no name of a segment' in desk.errors
    desk.type("rules", "convert", "rfm_grup = 'LOYAL'", code=2)
    assert 'did you mean "rfm_group"' in desk.errors


def test_a_rule_is_tried_before_it_is_kept(desk: Desk) -> None:
    rule = "number_of_orders >= 2 AND amount_spent > 100 AND customer_tags NOT CONTAINS 'x'"
    found = desk.read("preview", rule, *desk.at())
    members = {n for n in TWICE if n * 10 * (n % 4) > 100}
    assert (found["size"], found["profiles"]) == (len(members), 30)
    assert [(step["alone"], step["together"]) for step in found["funnel"]] == [
        (15, 15),
        (len({n for n in range(1, 31) if n * 10 * (n % 4) > 100}), len(members)),
        (30, len(members)),
    ]
    (overlap,) = found["overlap"]
    assert (overlap["segment"], overlap["size"], overlap["common"]) == (
        "regulars",
        15,
        len(members),
    )
    assert overlap["jaccard"] == pytest.approx(len(members) / 15)
    sizes = [point["size"] for point in found["curve"]]
    assert len(sizes) == 14
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (0, len(members))
    assert found["sample"][0]["reasons"] == (
        "number of orders is at least 2 (3); amount spent is above 100 EUR (810.00 EUR); "
        "tag list does not contain 'x' (none)"
    )
    text = desk.tell("preview", rule, *desk.at())
    assert "Alone and together with those before 15 15 number of orders is at least 2" in text
    assert "regulars 13 of 15 86.7 %" in text
    assert "2026-06-15 13 ####" in text
    assert "shop:27 c27@shopper.example number of orders is at least 2 (3)" in text


def test_a_configured_segment_is_previewed_with_its_limit(desk: Desk) -> None:
    desk.add('limit = { count = 3, by = "amount_spent" }\n')
    found = desk.read("preview", "--segment", "regulars", *desk.at())
    assert found["size"] == 3
    assert [person["customer_id"] for person in found["sample"]] == ["27", "23", "30"]
    text = desk.tell("preview", "--segment", "regulars", *desk.at())
    assert "3 after stays, grace, limit, pins and sets" in text
    spared = desk.tell("preview", "number_of_orders > 1 AND NOT (number_of_orders = 2)", *desk.at())
    assert "number of orders is above 1 (3); not: number of orders is 2 (3)" in spared
    desk.type("preview", "predicted_clv > 5", code=2)
    assert "the rule asks for predicted_clv, which no source fills" in desk.errors
    desk.type("preview", "number_of_orders >", code=2)
    assert desk.errors.startswith("segmentd: line 1, column 19: the rule ends where")
    desk.type("preview", "--segment", "regular", code=2)
    assert 'did you mean "regulars"' in desk.errors
    desk.type("preview", code=2)
    desk.type("preview", "number_of_orders > 1", "--segment", "regulars", code=2)


def test_why_and_what_would_change_it(desk: Desk) -> None:
    desk.add('[segments.recent]\nwhere = "last_order_date >= -30d"\n')
    desk.segment()
    (told,) = desk.read("explain", "c5@shopper.example", *desk.at())
    regulars, recent = told["segments"]
    assert (regulars["member"], regulars["why"]["change"]) == (False, "needs 1 more order")
    assert recent["member"]
    assert recent["until"] == "2026-07-06T00:00:00Z"
    assert recent["why"]["change"] == "ends on 2026-07-06 00:00 if nothing is ordered"
    text = desk.type("explain", "shop:5", "--segment", "recent", *desk.at())
    assert "Regulars" not in text
    desk.type("explain", "shop:5", "--segment", "rezent", code=2)
    assert 'did you mean "recent"' in desk.errors


def test_why_where_a_set_or_a_limit_decides(desk: Desk) -> None:
    desk.add(
        '[segments.gold]\nwhere = "amount_spent >= 150"\n'
        '[segments.silver]\nwhere = "amount_spent >= 50"\n'
        '[sets.tiers]\nsegments = ["gold", "silver"]\n'
        '[segments.few]\nwhere = "amount_spent >= 150"\n'
        'limit = { count = 5, by = "amount_spent" }\n'
    )
    desk.segment()
    spent = "amount spent is at least 150 EUR; it is 200.00 EUR; orders 10000, 10001"
    limit = "     at most 5 members, those with the most of amount spent: it is 200.00 EUR, "
    told = desk.read("explain", "shop:10", "--segment", "silver", *desk.at())
    (silver,) = told[0]["segments"]
    assert silver["why"]["notes"] == ["of its set, segment 'gold' comes first"]
    assert (silver["member"], silver["why"]["member"], silver["why"]["holds"]) == (
        False, False, True
    )  # fmt: skip
    few = "explain", "shop:10", "--segment", "few"
    assert desk.type(*few, *desk.at()).splitlines()[-3:] == [
        f"yes  {spent}",
        f"{limit}the last member has 520.00 EUR",
        "     so not a member, though the rule holds",
    ]
    before = (desk.now - timedelta(hours=1)).isoformat()
    assert desk.type(*few, "--as-of", before).splitlines()[-3:-1] == [
        f"yes  {spent}",
        f"{limit}and who they are is not computed yet",
    ]


def test_a_store_that_was_never_filled_knows_no_sizes(desk: Desk, tmp_path: Path) -> None:
    for file in tmp_path.glob("segmentd.db*"):
        file.unlink()
    text = desk.type("preview", "number_of_orders >= 0", *desk.at())
    assert "insufficient data; a source has not been read to its end yet" in text
    assert " of " not in text.partition("yet")[2]
    assert desk.read("preview", "number_of_orders >= 0")["insufficient_data"]
    assert desk.type("presets", *desk.at()).startswith("insufficient data; ")
    assert desk.read("presets", "repeat_customers")["size"] is None


def test_a_diff_says_of_how_many_it_names_ten(desk: Desk) -> None:
    desk.replace("number_of_orders >= 2", "number_of_orders >= 9")
    assert desk.segment(days=1)["left"] == 15
    told = desk.type("rules", "diff", "regulars")
    assert told.count("@shopper.example") == 10
    assert told.endswith("@shopper.example and 5 more\n")


def test_values_of_before_the_first_evaluation_are_not_known(desk: Desk) -> None:
    desk.add('[segments.best]\nwhere = "amount_spent > STORE AVERAGE"\n'
             '[segments.late]\npreset = "at_risk"\n')  # fmt: skip
    desk.segment()
    told = desk.type("explain", "shop:5", "--as-of", "2026-06-10")
    assert "(AVERAGE amount_spent is not computed yet)" in told
    assert "     $at_risk_days is not fitted yet\n" in told


def test_a_pin_on_nobody_is_told(desk: Desk) -> None:
    desk.add('pins = [{ customer = "shop:777", member = true, reason = "a friend" }]\n')
    said = "[segments.regulars] pins shop:777, who is no customer that is known"
    assert f"  warning: {said}" in desk.type("segment", *desk.at())
    assert desk.segment()["warnings"] == [said]


def test_the_past(desk: Desk) -> None:
    desk.add('[segments.recent]\nwhere = "last_order_date >= -30d"\n')
    desk.segment()
    began = desk.now
    desk.segment(days=30)
    ended = desk.now

    weeks = desk.read("history", "recent", *desk.at())["weeks"]
    assert (weeks[0]["size"], weeks[-1]["size"], weeks[-1]["left"]) == (0, 0, 23)
    assert weeks[-1]["causes"] == {"time": 23}
    assert desk.type("history", "recent", *desk.at()).startswith("week of")
    (person,) = desk.read("history", "c5@shopper.example", *desk.at())
    (stay,) = person["memberships"]
    assert (stay["segment"], stay["cause"], stay["left_cause"]) == ("recent", "rule", "time")
    assert "2026-06-15 12:00Z by rule  to  2026-07-15 12:00Z by time alone" in desk.type(
        "history", "shop:5", *desk.at()
    )
    assert "was in no segment" in desk.type("history", "shop:4")
    desk.type("history", "recent", *desk.at(), "--since", "2030-01-01", code=2)
    assert "--since lies in the future" in desk.errors
    desk.type("history", "rezent", code=2)
    assert 'did you mean "recent"' in desk.errors

    (then,) = desk.read("explain", "shop:5", "--segment", "recent", "--as-of", began.isoformat())
    (now,) = desk.read("explain", "shop:5", "--segment", "recent", "--as-of", ended.isoformat())
    assert [each["segments"][0]["member"] for each in (then, now)] == [True, False]
    assert then["segments"][0]["since"] == began.isoformat().replace("+00:00", "Z")
    desk.replace("last_order_date >= -30d", "last_order_date >= -1d")
    text = desk.type("explain", "shop:5", "--segment", "recent", "--as-of", began.isoformat())
    assert "recent (recent): member since" in text
    assert "the rule as it is now would make no member" in text
    desk.type("explain", "shop:5", "--as-of", "2026-01-01", "--now", "2026-01-01", code=2)
    for instant in ("0001-01-01", "9999-12-31T23:59:59Z"):
        desk.type("explain", "shop:5", "--as-of", instant, code=2)
        assert "is too far away; write a year from 1970 to 2999" in " ".join(desk.errors.split())
    for nobody in ("shop:77", "\udcff", "a@shopper.example", ":", ""):
        desk.type("explain", nobody, code=2)
        assert "nobody in the store is" in desk.errors


def test_a_rule_is_edited_and_put_back(desk: Desk) -> None:
    desk.type("rules", "diff", "regulars", code=2)
    assert "has had one rule only" in desk.errors
    before = desk.config.read_text()
    desk.replace("number_of_orders >= 2", "number_of_orders >= 3 AND amount_spent > 0")
    assert desk.segment(days=1)["left"] == 8

    newest, oldest = desk.read("rules", "versions", "regulars")
    assert (newest["rule"], newest["current"]) == (
        "number_of_orders >= 3 AND amount_spent > 0",
        True,
    )
    assert "in force" in desk.type("rules", "versions", "regulars")
    changed = desk.read("rules", "diff", "regulars")
    assert changed["lines"] == [
        "- number_of_orders >= 2",
        "+ number_of_orders >= 3",
        "+ amount_spent > 0",
    ]
    assert (changed["entered"], changed["left"]) == (0, 8)
    assert "c2@shopper.example" in changed["who_left"]
    text = desk.type("rules", "diff", "regulars")
    assert "+ amount_spent > 0" in text
    assert "0 entered by it\n8 left by it: c" in text
    assert " more" not in text
    swapped = desk.read("rules", "diff", "regulars", newest["version"], oldest["version"][:6])
    assert swapped["new"]["rule"] == "number_of_orders >= 2"
    assert "left" not in swapped
    desk.type("rules", "diff", "regulars", "zz", "yy", code=2)
    assert "has no version zz; known: " in desk.errors

    shown = desk.type("rules", "revert", "regulars")
    assert tomllib.loads(shown)["segments"]["regulars"]["where"] == "number_of_orders >= 2"
    assert desk.config.read_text() != before
    written = desk.read("rules", "revert", "regulars", oldest["version"], "--write")
    assert written["written"] == str(desk.config)
    assert written["note"] is None
    assert desk.config.read_text() == before
    assert desk.segment(days=1)["entered"] == 8
    desk.replace('title = "Regulars"', 'title = "Regulars"\ngrace = "5d"')
    desk.segment(days=1)
    text = desk.type("rules", "diff", "regulars")
    assert "the rule is the same: what decides beside it has changed" in text
    text = desk.type("rules", "revert", "regulars", newest["version"], "--write")
    assert "[segments.regulars] has the rule of 2026-06-16 12:00Z again" in text
    assert "note: the rule is the one of then, but something that decides beside it" in text
    desk.type("rules", "diff", "regulars", "a", code=2)
    desk.type("rules", "versions", "regular", code=2)
    assert "was never evaluated" in desk.errors


def test_rules_are_looked_over(desk: Desk) -> None:
    desk.add(
        '[segments.never]\nwhere = "amount_spent > 5 AND amount_spent < 3"\n'
        '[segments.old]\nwhere = "last_order_date < -2y"\n'
        '[segments.same]\nwhere = "number_of_orders BETWEEN 2 AND 99"\n'
        '[segments.gold]\nwhere = "amount_spent >= 50"\n'
        '[segments.silver]\nwhere = "amount_spent >= 90"\n'
        '[sets.tier]\nsegments = ["gold", "silver"]\n'
    )
    desk.segment()
    found = {
        (each["kind"], tuple(each["segments"])) for each in desk.read("rules", "lint", *desk.at())
    }
    assert {
        ("contradiction", ("never",)),
        ("nobody", ("never",)),
        ("window", ("old",)),
        ("nobody", ("old",)),
        ("similar", ("regulars", "same")),
        ("unreachable", ("silver",)),
        ("small", ("regulars",)),
    } <= found
    assert "contradiction  never" in desk.type("rules", "lint", *desk.at())
    desk.type("rules", "lint", "--strict", *desk.at(), code=3)
    desk.now += timedelta(days=200)
    kinds = {each["kind"] for each in desk.read("rules", "lint", *desk.at())}
    assert {"not reviewed", "no action"} <= kinds


def test_a_preset_is_found_and_added(desk: Desk) -> None:
    listed = {each["preset"]: each for each in desk.read("presets", *desk.at())}
    assert listed["repeat_customers"]["size"] == 15
    assert listed["repeat_customers"]["share"] == 0.5
    assert len(listed) > 50
    assert "repeat_customers 15 50.0 %" in desk.tell("presets", *desk.at())
    shown = desk.type("presets", "vip", *desk.at())
    assert "amount_spent IN TOP 10%" in shown
    assert "TOP 10% amount_spent is" in shown
    at_risk = desk.read("presets", "at_risk", *desk.at())
    assert at_risk["figures"]["$at_risk_days"] == "90"
    waiting = desk.type("presets", "likely_to_buy", *desk.at())
    assert "\nWaits for scores: expected orders" in waiting
    assert "to add it" not in waiting
    needy = desk.type("presets", "geo_country", *desk.at())
    assert 'add geo_country -p \'countries=["DE", "AT"]\'\n' in needy
    assert "place  e.g. " in desk.type("presets", "near_store", *desk.at())
    desk.type("presets", "wip", code=2)
    assert 'did you mean "vip"' in desk.errors

    before = desk.config.read_text()
    text = desk.type(
        "presets",
        "add",
        "first_time_buyers",
        "-p",
        "days=20",
        "--as",
        "fresh",
        "--push",
        "shop_tags",
    )
    assert "number of orders is 1 and first order is in the last 20 days" in text
    assert desk.config.read_text() == before + (
        '\n[segments.fresh]\ntitle = "First-time buyers"\npreset = "first_time_buyers"\n'
        'days = 20\npush = ["shop_tags"]\n'
    )
    assert desk.segment()["edited"] == ["fresh"]
    added = desk.read("presets", "add", "lapsed", "-p", "days=120")
    assert tomllib.loads(added["toml"])["segments"]["lapsed"]["days"] == 120
    for words, said in (
        (("first_time_buyers", "--as", "fresh"), 'there is a segment "fresh" already'),
        (("first_time_buyers", "--as", "a b"), "is no name of a segment"),
        (("first_time_buyers", "-p", "dayz=3"), 'has no key "dayz"'),
        (("first_time_buyers", "-p", "days"), '"days" is no parameter'),
        (("repeat_customers", "--push", "shop_tag"), 'did you mean "shop_tags"'),
        (("birthday",), 'add "facts.birth_date" to metafields in [sources.shop]'),
        (("likely_to_buy",), "cannot be used yet. Waits for scores"),
    ):
        before = desk.config.read_text()
        desk.type("presets", "add", *words, code=2)
        assert said in desk.errors
        assert desk.config.read_text() == before


def test_rules_are_tested_without_a_store(desk: Desk, tmp_path: Path) -> None:
    desk.type("rules", "test", code=2)
    assert "tests/rules/*.toml; name the files" in desk.errors
    tests = tmp_path / "tests" / "rules" / "regulars.toml"
    tests.parent.mkdir(parents=True)
    tests.write_text(
        "[customers.anna]\norders = [{ date = 2026-01-01, amount = 5 }, "
        "{ date = 2026-02-01, amount = 5 }]\n[customers.bob]\n"
        "[[tests]]\nnow = 2026-01-15\nexpect = { regulars = [] }\n"
        '[[tests]]\nnow = 2026-03-01\nexpect = { regulars = ["anna"] }\n'
    )
    (tmp_path / "segmentd.db").unlink()
    assert "4 memberships checked, 0 not as expected" in desk.type("rules", "test")
    assert not (tmp_path / "segmentd.db").exists()
    desk.replace("number_of_orders >= 2", "number_of_orders >= 3")
    text = desk.type("rules", "test", str(tests), code=3)
    assert f"FAIL  {tests}, test 2 at 2026-03-01 00:00Z" in text
    assert "anna is no member of regulars:" in text
    assert "it is 2; orders anna-2, anna-1; needs 1 more order" in text
    first, second = desk.read("rules", "test", code=3)
    assert (first["failures"], len(second["failures"])) == ([], 1)


def test_the_schema_fits_the_file(desk: Desk) -> None:
    schema = json.loads(desk.type("rules", "schema"))
    validator = jsonschema_rs.validator_for(schema)
    assert validator.is_valid(tomllib.loads(desk.config.read_text()))
    desk.replace("where =", "when =")
    assert not validator.is_valid(tomllib.loads(desk.config.read_text()))
