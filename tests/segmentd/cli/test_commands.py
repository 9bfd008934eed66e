"""init, check, db, connectors: as they are typed."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from segmentd.cli.main import run
from segmentd.config import load_config
from segmentd.domain.errors import ConfigError

SHOP = '[sources.main]\nconnector = "shop"\nshop = "a.example"\ntoken_env = "SHOP_TOKEN"\n'
TAGS = '[destinations.tags]\nconnector = "shop"\nsource = "main"\n'
VIP = '[segments.vip]\nwhere = "number_of_orders > 5"\npush = ["tags"]\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGMENTD_CONFIG", raising=False)
    monkeypatch.setenv("SHOP_TOKEN", "accepted")
    return tmp_path


def configure(*parts: str) -> None:
    """Write segmentd.toml."""
    Path("segmentd.toml").write_text("".join(parts), encoding="utf-8")


class TestInit:
    def test_writes_the_example(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["init"]) == 0
        assert "segmentd check" in capsys.readouterr().out
        config = load_config()
        assert config.sources["shop"].connector == "shopify"
        assert config.destinations["shop_tags"].source == "shop"
        assert [segment.key for segment in config.segments] == ["vip", "lapsed", "newcomers"]

    def test_never_overwrites(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure("paused = true")
        assert run(["init"]) == 2
        assert load_config().paused
        assert "there is a segmentd.toml already" in capsys.readouterr().err

    def test_another_name(self) -> None:
        assert run(["init", "--config", "shop.toml"]) == 0
        assert Path("shop.toml").exists()
        assert not Path("segmentd.toml").exists()

    def test_nowhere(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["init", "--config", "none/shop.toml"]) == 2
        assert "none/shop.toml cannot be written: No such file" in capsys.readouterr().err


def test_every_choice_in_the_example_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commented lines, too, are what the program takes."""
    run(["init"])
    text = Path("segmentd.toml").read_text()
    choices = [
        line.removeprefix("# ")
        for line in text.splitlines()
        if line.startswith("# ") and (" = " in line or line.startswith(("# [", "# ]")))
    ]
    for values in _tables(choices):
        # as if the table stood alone: without clashes between alternatives
        tomllib.loads("\n".join(values))
    woo = next(values for values in _tables(choices) if values[0].startswith("[sources.shop]"))
    klaviyo = next(values for values in _tables(choices) if "newsletter" in values[0])
    guard = next(values for values in _tables(choices) if values[0].startswith("[guard]"))
    web = next(values for values in _tables(choices) if values[0].startswith("[web]"))
    line = {choice.partition(" ")[0]: choice for choice in choices}
    said = [line["paused"], "[store]", line["lease"], "[shop]", line["week_start"]]
    configure("\n".join([*said, *woo, *klaviyo, *guard, *web]))
    config = load_config()
    assert config.sources["shop"].connector == "woocommerce"
    assert config.destinations["newsletter"].connector == "klaviyo"
    settings = config.sources["shop"].settings
    assert settings.model_dump()["load"] == type(settings).model_fields["load"].default
    configure("")
    none = load_config()
    assert (config.paused, config.lease, config.shop) == (none.paused, none.lease, none.shop)
    assert (config.guard, config.web) == (none.guard, none.web)


def _tables(lines: Sequence[str]) -> Iterator[list[str]]:
    table: list[str] = []
    for line in lines:
        if line.startswith("[") and table:
            yield table
            table = []
        table.append(line)
    yield table


class TestDb:
    def test_upgrade_makes_it_and_check_approves(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure()
        assert run(["db", "check"]) == 2
        assert "try: segmentd db upgrade" in capsys.readouterr().err
        assert run(["db", "upgrade"]) == 0
        made = capsys.readouterr().out
        assert made.startswith("schema ")
        assert made.endswith(", was empty\n")
        assert run(["db", "upgrade"]) == 0
        assert capsys.readouterr().out.endswith(" already\n")
        assert run(["db", "check"]) == 0
        assert Path("segmentd.db").exists()


@pytest.mark.usefixtures("fake_connectors")
class TestConnectors:
    def test_for_people(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["connectors"]) == 0
        out = capsys.readouterr().out
        assert "source shop\n  settings: base_url, allow_insecure_http, shop (required)" in out
        assert "destination lists\n" in out
        assert "  lists by email, 100 a request\n" in out

    def test_for_programs(self) -> None:
        listed = {(item["kind"], item["connector"]): item for item in printed(["connectors"])}
        shop = listed["source", "shop"]
        assert shop["settings"]["page"] == {"required": False, "default": 100}
        assert shop["settings"]["shop"]["required"]
        assert shop["streams"] == {"customers": "delta", "orders": "delta"}
        assert "number_of_orders" in shop["fields"]
        assert listed["destination", "lists"]["capabilities"]["needs"] == "email"

    def test_a_broken_one_is_named_and_the_others_are_listed(self) -> None:
        listed = {(item["kind"], item["connector"]): item for item in printed(["connectors"])}
        assert "cannot be loaded" in listed["source", "broken"]["error"]
        assert "error" not in listed["source", "stall"]


def printed(args: list[str], code: int = 0) -> Any:
    """The one JSON document on stdout."""
    from segmentd.cli.main import program

    result = CliRunner().invoke(program, [*args, "--json"], standalone_mode=False)
    assert result.exception is None
    assert (result.return_value or 0) == code
    return json.loads(result.stdout)


@pytest.mark.usefixtures("fake_connectors")
class TestCheck:
    def test_all_is_well(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure(SHOP, TAGS, VIP)
        assert run(["check"]) == 0
        assert capsys.readouterr().out.splitlines() == [
            "ok    segmentd.toml: 1 sources, 1 destinations, 1 segments",
            "ok    [sources.main] secrets: token",
            "ok    [destinations.tags] secrets: token",
            "ok    rules: 1 understood",
            "ok    [destinations.tags] names: vip",
            f"ok    database: {Path.cwd()}/segmentd.db will be made by the first command that "
            "needs it",
            "ok    [sources.main] platform: Made up, EUR, Europe/Berlin",
            "ok    [destinations.tags] platform: Made up; warning: may write more than it needs",
        ]
        assert not Path("segmentd.db").exists()

    def test_everything_wrong_is_said_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SHOP_TOKEN")
        configure(SHOP, TAGS, VIP.replace("5", "five"), 'title = "a, b"\n')
        wrong = {item["about"]: item["text"] for item in printed(["check"], 2) if not item["ok"]}
        assert wrong.keys() == {
            "[sources.main] secrets",
            "[destinations.tags] secrets",
            "rules",
            "[destinations.tags] names",
            "[sources.main] platform",
        }
        assert wrong["[sources.main] secrets"] == (
            "environment variable SHOP_TOKEN, named by token_env, is not set"
        )

    def test_every_segment_that_is_wrong_has_its_line(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        configure(SHOP, TAGS, VIP.replace("5", "five"), "[segments.best]\nwhere = 'sum > 5'\n")
        assert run(["check", "--offline"]) == 2
        said = capsys.readouterr().out.splitlines()
        at = said.index(next(line for line in said if line.startswith("FAIL")))
        assert said[at].startswith("FAIL  rules: segment 'vip': line 1, column 20: ")
        assert said[at + 1].startswith("      segment 'best': line 1, column 1: ")

    def test_offline_contacts_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SHOP_TOKEN", "refused")
        configure(SHOP, TAGS, VIP)
        assert all(item["ok"] for item in printed(["check", "--offline"]))

    def test_a_refused_token(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setenv("SHOP_TOKEN", "refused")
        configure(SHOP, TAGS, VIP)
        assert run(["check"]) == 4
        assert "FAIL  [sources.main] platform: the shop refuses" in capsys.readouterr().out

    def test_a_fact_that_no_source_fills(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure(SHOP, TAGS, "[segments.vip]\nwhere = \"customer_tags CONTAINS 'x'\"\n")
        assert run(["check", "--offline"]) == 2
        assert (
            "FAIL  rules: [segments.vip] asks for customer_tags, which no source fills"
            in capsys.readouterr().out
        )

    def test_a_pin_on_a_customer_of_no_source(self, capsys: pytest.CaptureFixture[str]) -> None:
        pin = 'pins = [{{ customer = "{}", member = true, reason = "a friend" }}]\n'
        configure(SHOP, TAGS, VIP, pin.format("mian:9"))
        assert run(["check", "--offline"]) == 2
        assert (
            "FAIL  rules: [segments.vip] pins mian:9, which is no e-mail address, and no source is "
            'called "mian"; did you mean "main"?\n'
        ) in capsys.readouterr().out
        for customer in ("main:9", "c9@shopper.example"):
            configure(SHOP, TAGS, VIP, pin.format(customer))
            assert run(["check", "--offline"]) == 0

    def test_an_old_database(self, capsys: pytest.CaptureFixture[str]) -> None:
        import sqlite3

        configure(SHOP)
        run(["db", "upgrade"])
        with sqlite3.connect("segmentd.db") as connection:
            connection.execute("UPDATE alembic_version SET version_num = '0000'")
        connection.close()
        assert run(["check", "--offline"]) == 8
        assert "try: segmentd db upgrade" in capsys.readouterr().out

    def test_no_place_for_the_database(self, folder: Path) -> None:
        configure('[store]\nurl = "sqlite:///none/x.db"\n')
        wrong = [item for item in printed(["check", "--offline"], 2) if not item["ok"]]
        assert [item["about"] for item in wrong] == ["database"]

    def test_a_wrong_configuration_stops_it(self, capsys: pytest.CaptureFixture[str]) -> None:
        configure("[store]\nulr = 1\n")
        with pytest.raises(ConfigError):
            load_config()
        assert run(["check"]) == 2
        assert capsys.readouterr().out == ""
