"""What the configuration says of segments, and one exact sentence for every mistake in it."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from importlib.resources import files
from pathlib import Path

import pytest

from segmentd.config import Config, load_config
from segmentd.domain.errors import ConfigError
from segmentd.domain.segments import ExclusiveSet, Limit, Pin, PushTo, Segment
from segmentd.segmenter.ruleset import Shop, compile_segments

VIP = '[segments.vip]\nwhere = "number_of_orders > 5"\n'
GOLD = '[segments.gold]\nwhere = "number_of_orders > 9"\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGMENTD_CONFIG", raising=False)
    return tmp_path


def load(text: str) -> Config:
    """The configuration of ``text`` as ``segmentd.toml`` of the working directory."""
    Path("segmentd.toml").write_text(text, encoding="utf-8")
    return load_config()


def segment(text: str) -> Segment:
    """The last segment."""
    return load(text).segments[-1]


def test_all_that_a_segment_may_say() -> None:
    vip = segment(
        VIP
        + 'title = "VIP"\nstays = "number_of_orders > 3"\ngrace = "30d"\n'
        + 'limit = { count = 500, by = "amount_spent", least = true }\n'
        + "[[segments.vip.pins]]\n"
        + 'customer = "shop:7"\nmember = true\nreason = "the owner"\n'
        + "[[segments.vip.pins]]\n"
        + 'customer = "ada@shopper.example"\nmember = false\nreason = "staff"\nuntil = 2026-12-31\n'
    )
    assert vip == Segment(
        "vip",
        "VIP",
        "number_of_orders > 5",
        stays="number_of_orders > 3",
        grace=30,
        limit=Limit(500, "amount_spent", least=True),
        pins=(
            Pin("shop:7", member=True, reason="the owner"),
            Pin("ada@shopper.example", member=False, reason="staff", until=date(2026, 12, 31)),
        ),
    )


def test_a_segment_that_is_its_rule_alone() -> None:
    assert segment(VIP) == Segment("vip", "vip", "number_of_orders > 5")


def test_a_preset_is_written_out_with_its_parameters() -> None:
    plain = segment('[segments.best]\npreset = "vip"\n')
    assert (plain.preset, plain.title, plain.where, plain.stays) == (
        "vip",
        "VIP",
        "amount_spent IN TOP 10% AND amount_spent > 0",
        "amount_spent IN TOP 12% AND amount_spent > 0",
    )
    own = segment(
        '[segments.best]\npreset = "vip"\nshare = "5%"\nmargin = "1%"\ntitle = "Best"\n'
        'stays = "amount_spent > 1"\ngrace = "7d"\n'
    )
    assert (own.title, own.where) == ("Best", "amount_spent IN TOP 5% AND amount_spent > 0")
    assert (own.stays, own.grace) == ("amount_spent > 1", 7)


def test_sets_variables_and_conditions() -> None:
    config = load(
        VIP
        + GOLD
        + '[sets.tiers]\nsegments = ["gold", "vip"]\n'
        + '[variables]\nmuch = 500\nshare = 0.5\ntag = "VIP"\non = true\nsince = 2026-01-31\n'
        + "at = 2026-01-31T18:00:00Z\n"
        + '[conditions]\ngood = "amount_spent > $much"\n'
    )
    assert config.sets == (ExclusiveSet("tiers", ("gold", "vip")),)
    assert config.conditions == {"good": "amount_spent > $much"}
    assert config.variables == {
        "much": 500,
        "share": 0.5,
        "tag": "VIP",
        "on": True,
        "since": date(2026, 1, 31),
        "at": datetime(2026, 1, 31, 18, tzinfo=UTC),
    }


def test_all_of_it_may_be_in_included_files(folder: Path) -> None:
    (folder / "more.toml").write_text(
        GOLD
        + '[sets.tiers]\nsegments = ["gold", "vip"]\n'
        + '[variables]\nless = 5\n[conditions]\nworse = "$less = 5"\n'
    )
    config = load(
        'include = ["more.toml"]\n' + VIP + '[variables]\nmuch = 9\n[conditions]\nbad = "x = 1"\n'
    )
    assert [each.key for each in config.segments] == ["vip", "gold"]
    assert [each.key for each in config.sets] == ["tiers"]
    assert list(config.variables) == ["much", "less"]
    assert list(config.conditions) == ["bad", "worse"]


def test_what_the_example_shows_is_right() -> None:
    """With the choices of its last part taken, which are commented there."""
    example = files("segmentd").joinpath("config.example.toml").read_text("utf-8")
    before, _, rest = example.partition("# [segments.thrifty]")
    choices, _, _ = rest.partition("# --- Limits")
    config = load(f"{before}[segments.thrifty]" + re.sub("(?m)^# ", "", choices))
    ruleset = compile_segments(
        config.segments,
        Shop("UTC", "EUR"),
        sets=config.sets,
        variables=config.variables,
        conditions=config.conditions,
    )
    assert ruleset.keys == ("vip", "lapsed", "newcomers", "thrifty", "best")
    assert ruleset.standing("best").cap is not None
    assert config.segments[-1].push == (PushTo("shop_tags", "best", restore=True),)
    assert config.variables == {"large": 250, "at_risk_days": 90}


PIN = VIP + "[[segments.vip.pins]]\n"
WRONG = {
    "grace as a number": (
        VIP + "grace = 30\n",
        '[segments.vip] key "grace": must be a number of days such as 30d',
    ),
    "grace of nothing": (
        VIP + 'grace = "0d"\n',
        '[segments.vip] key "grace": must be a number of days such as 30d',
    ),
    "grace of hours": (
        VIP + 'grace = "12h"\n',
        '[segments.vip] key "grace": must be a number of days such as 30d',
    ),
    "no rule to stay": (
        VIP + 'stays = ""\n',
        '[segments.vip] key "stays" must not be empty',
    ),
    "limit as a number": (
        VIP + "limit = 5\n",
        '[segments.vip] key "limit" must be a table',
    ),
    "limit of nothing to rank by": (
        VIP + "limit = { count = 5 }\n",
        '[segments.vip.limit] key "by" is missing',
    ),
    "limit of nobody": (
        VIP + 'limit = { count = 0, by = "amount_spent" }\n',
        '[segments.vip.limit] key "count" must be at least 1',
    ),
    "misspelt limit": (
        VIP + 'limit = { cuont = 5, by = "amount_spent" }\n',
        '[segments.vip.limit] has no key "cuont"; did you mean "count"?',
    ),
    "pin without a reason": (
        PIN + 'customer = "shop:1"\nmember = true\n',
        '[segments.vip.pins, number 1] key "reason" is missing',
    ),
    "misspelt reason of a second pin": (
        PIN
        + 'customer = "shop:1"\nmember = true\nreason = "x"\n'
        + '[[segments.vip.pins]]\ncustomer = "shop:2"\nmember = true\nreson = "y"\n',
        '[segments.vip.pins, number 2] has no key "reson"; did you mean "reason"?',
    ),
    "pin to nothing": (
        PIN + 'customer = "shop:1"\nreason = "staff"\n',
        '[segments.vip.pins, number 1] key "member" is missing',
    ),
    "pin until a text": (
        PIN + 'customer = "shop:1"\nmember = true\nreason = "staff"\nuntil = "soon"\n',
        '[segments.vip.pins, number 1] key "until" must be a day such as 2026-12-31',
    ),
    "pin until the end of time": (
        PIN + 'customer = "shop:1"\nmember = true\nreason = "staff"\nuntil = 9999-12-31\n',
        '[segments.vip.pins, number 1] key "until": 9999-12-31 '
        "lies outside of the years 1900 to 2199",
    ),
    "pin that is neither in nor out": (
        PIN + 'customer = "shop:1"\nmember = "yes"\nreason = "staff"\n',
        '[segments.vip.pins, number 1] key "member" must be true or false',
    ),
    "pins that are no list": (
        VIP + 'pins = "shop:1"\n',
        '[segments.vip] key "pins" must be a list in [ ]',
    ),
    "one customer pinned twice": (
        PIN
        + 'customer = "shop:1"\nmember = true\nreason = "x"\n'
        + '[[segments.vip.pins]]\ncustomer = "shop:1"\nmember = false\nreason = "y"\n',
        '[segments.vip.pins, number 2] key "customer": "shop:1" is pinned already',
    ),
    "segment that is no table": (
        '[segments]\nvip = "x > 1"\n',
        "[segments.vip] must be a table",
    ),
    "unknown preset": (
        '[segments.vip]\npreset = "lapsde"\n',
        '[segments.vip] key "preset": there is no preset "lapsde"; did you mean "lapsed"?',
    ),
    "preset and rule": (
        VIP + 'preset = "vip"\n',
        '[segments.vip] has both "preset" and "where"; keep one of them',
    ),
    "preset that waits": (
        '[segments.dear]\npreset = "profitable"\n',
        '[segments.dear] key "preset": "profitable" waits for the cost of goods, '
        "from which a margin of each customer is made",
    ),
    "unknown parameter of a preset": (
        '[segments.vip]\npreset = "vip"\nshaer = "5%"\n',
        '[segments.vip] has no key "shaer" for preset "vip"; did you mean "share"?',
    ),
    "preset as a number": (
        "[segments.vip]\npreset = 5\n",
        '[segments.vip] key "preset" must be a text in quotes',
    ),
    "set of a segment that is not there": (
        VIP + GOLD + '[sets.tiers]\nsegments = ["gold", "vpi"]\n',
        '[sets.tiers] key "segments": there is no segment "vpi"; did you mean "vip"?',
    ),
    "segment in two sets": (
        VIP
        + GOLD
        + '[sets.tiers]\nsegments = ["gold", "vip"]\n[sets.more]\nsegments = ["vip", "gold"]\n',
        '[sets.more] key "segments": segment "vip" is in set "tiers" already',
    ),
    "set of one": (
        VIP + '[sets.tiers]\nsegments = ["vip"]\n',
        '[sets.tiers] key "segments" must name two segments or more',
    ),
    "set without segments": (
        "[sets.tiers]\n",
        '[sets.tiers] key "segments" is missing',
    ),
    "set that is no table": (
        '[sets]\ntiers = ["vip"]\n',
        "[sets.tiers] must be a table",
    ),
    "set with blanks": (
        VIP + GOLD + '[sets."the tiers"]\nsegments = ["vip", "gold"]\n',
        "[sets.the tiers] must be named by letters, digits, _ and - only",
    ),
    "variable as a list": (
        "[variables]\nmuch = [1]\n",
        '[variables] key "much" must be a number, a text, a date, or true or false',
    ),
    "variable as a time": (
        "[variables]\nmuch = 07:30:00\n",
        '[variables] key "much" must be a number, a text, a date, or true or false',
    ),
    "variable as infinity": (
        "[variables]\nmuch = inf\n",
        '[variables] key "much" must be a number, a text, a date, or true or false',
    ),
    "variable with a dash": (
        "[variables]\nvery-much = 1\n",
        '[variables] key "very-much" must be made of letters, digits and _ only',
    ),
    "condition as a number": (
        "[conditions]\ngood = 5\n",
        '[conditions] key "good" must be a condition, as a text in quotes',
    ),
    "empty condition": (
        '[conditions]\ngood = " "\n',
        '[conditions] key "good" must be a condition, as a text in quotes',
    ),
    "condition with a dash": (
        '[conditions]\nvery-good = "x = 1"\n',
        '[conditions] key "very-good" must be made of letters, digits and _ only',
    ),
    "week that begins in between": (
        "[shop]\n" + 'week_start = "midweek"\n',
        "[shop] key \"week_start\" must be 'monday', 'tuesday', 'wednesday', 'thursday', "
        "'friday', 'saturday' or 'sunday'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_one_sentence_for_every_mistake(case: str) -> None:
    text, sentence = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert caught.value.message == f"segmentd.toml: {sentence}"


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("[variables]\nmuch = 1\n", "[variables.much] is in segmentd.toml already"),
        ('[conditions]\ngood = "x = 1"\n', "[conditions.good] is in segmentd.toml already"),
    ],
)
def test_a_word_in_two_files(folder: Path, table: str, sentence: str) -> None:
    (folder / "more.toml").write_text(table)
    with pytest.raises(ConfigError) as caught:
        load('include = ["more.toml"]\n' + table)
    assert caught.value.message == f"more.toml: {sentence}"
