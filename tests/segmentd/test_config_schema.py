"""The schema of the configuration accepts what the program accepts."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from segmentd import config
from segmentd.config_schema import schema
from segmentd.config_tables import SegmentTable
from segmentd.segmenter.presets import PRESETS

ROOT = Path(__file__).parents[2]
SHOP = '[sources.shop]\nconnector = "shopify"\nshop = "a.myshopify.com"\ntoken_env = "T"\n'


@pytest.fixture(scope="module")
def made() -> dict[str, Any]:
    return schema()


@pytest.fixture(scope="module")
def validator(made: dict[str, Any]) -> jsonschema_rs.Validator:
    return jsonschema_rs.validator_for(made)


def accepted(validator: jsonschema_rs.Validator, text: str) -> bool:
    # editors hand dates over as texts
    raw = tomllib.loads(text)
    for segment in raw.get("segments", {}).values():
        for pin in segment.get("pins", []):
            pin["until"] = str(pin["until"])
    return bool(validator.is_valid(raw))


def test_it_knows_every_table_and_key(made: dict[str, Any]) -> None:
    assert made["properties"].keys() == config._TOP
    (plain, *_) = made["properties"]["segments"]["additionalProperties"]["anyOf"]
    assert plain["properties"].keys() == SegmentTable.model_fields.keys()


def test_the_example(validator: jsonschema_rs.Validator) -> None:
    assert accepted(validator, (ROOT / "config.example.toml").read_text())


@pytest.mark.parametrize(
    "text",
    [
        "",
        SHOP + 'every = "2m"\napi_version = "${VERSION}"\norders_page = "${PAGE}"\n',
        SHOP + '[destinations.tags]\nconnector = "shopify"\nsource = "shop"\n',
        '[shop]\ntime_zone = "Europe/Berlin"\nweek_start = "sunday"\n',
        'include = ["a/*.toml"]\npaused = true\n[variables]\nlimit = 5\nland = "DE"\n',
        '[conditions]\neu = "customer_countries CONTAINS \'DE\'"\n[sets.tier]\nsegments = ["a"]\n',
        '[segments.a]\ntitle = "A"\nwhere = "x"\npush = ["t", { to = "t", tag = "y" }]\n'
        'stays = "y"\ngrace = "30d"\nlimit = { count = 5, by = "amount_spent", least = true }\n'
        'pins = [{ customer = "a@shopper.example", member = true, reason = "r", '
        "until = 2026-01-01 }]\n",
        '[segments.a]\npreset = "first_time_buyers"\ndays = 14\npush = ["tags"]\n',
    ],
)
def test_what_is_right(validator: jsonschema_rs.Validator, text: str) -> None:
    assert accepted(validator, text)


@pytest.mark.parametrize(
    "text",
    [
        "[shops]\n",
        "[shop]\nzone = 'UTC'\n",
        '[sources.shop]\nconnector = "nothing"\n',
        '[sources.shop]\nconnector = "shopify"\nurl = "https://a.example"\n',
        SHOP + 'every = "often"\n',
        "[segments.a]\ntitle = 'A'\n",
        "[segments.a]\nwhere = 'x'\ndays = 5\n",
        "[segments.a]\nwhere = 'x'\ngrace = '30'\n",
        "[segments.a]\nwhere = 'x'\nlimit = { count = 0, by = 'y' }\n",
        "[segments.a]\npreset = 'nothing'\n",
        "[segments.a]\npreset = 'first_time_buyers'\ndays = true\n",
        "[segments.a]\nwhere = 'x'\npush = [{ tag = 'y' }]\n",
        "[guard]\nfloor = -1\n",
    ],
)
def test_what_is_wrong(validator: jsonschema_rs.Validator, text: str) -> None:
    assert not accepted(validator, text)


def test_every_preset(validator: jsonschema_rs.Validator) -> None:
    for key, preset in PRESETS.items():
        values: dict[str, object] = {"preset": key}
        for name, parameter in preset.parameters.items():
            given = parameter.default if parameter.default is not None else parameter.example
            values[name] = list(given) if isinstance(given, tuple) else given
        assert validator.is_valid({"segments": {"a": values}}), key


@pytest.mark.usefixtures("fake_connectors")
def test_a_broken_connector_hides_no_other() -> None:
    made = schema()["properties"]["sources"]["additionalProperties"]["anyOf"]
    named = [each["properties"]["connector"]["const"] for each in made]
    assert named == ["shop", "stall"]
