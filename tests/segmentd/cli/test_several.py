"""Several shops and destinations, of which some fail: what a command says of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemons import put
from segmentd.cli.exits import Exit
from segmentd.cli.main import run
from segmentd.sdk.testing.memory import MemoryLists, MemoryShop
from segmentd.sdk.testing.memory.protocol import TOKEN
from segmentd.sdk.testing.server import serve

BUYERS = 12
CONFIG = """
[store]
url = "sqlite:///s.db"
[shop]
time_zone = "UTC"
currency = "EUR"
"""
SEGMENT = '[segments.buyer]\nwhere = "{rule}"\npush = ["tags", "more_tags", "lists"]\n'


@dataclass
class Desk:
    """Two shops with twelve buyers each and a platform with lists, and what is typed."""

    shops: tuple[MemoryShop, MemoryShop]
    lists: MemoryLists
    tables: str
    capture: pytest.CaptureFixture[str]
    head: str = ""

    def configure(self, rule: str = "number_of_orders >= 1") -> None:
        """Write segmentd.toml."""
        text = self.head + CONFIG + self.tables + SEGMENT.format(rule=rule)
        Path("segmentd.toml").write_text(text, encoding="utf-8")

    def type(self, *words: str, code: Exit = Exit.OK) -> str:
        """Type a command; its output."""
        self.capture.readouterr()
        ended = run(list(words))
        seen = self.capture.readouterr()
        assert ended == code, seen.err
        self.errors = seen.err.splitlines()
        return seen.out

    def requests(self) -> int:
        """How many there were at the three platforms."""
        return sum(len(each.log) for each in (*self.shops, self.lists))


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    for name in ("SHOP_TOKEN", "OTHER_TOKEN", "LISTS_KEY"):
        monkeypatch.setenv(name, TOKEN)
    shops, lists = (MemoryShop(), MemoryShop()), MemoryLists()
    for number in range(1, BUYERS + 1):
        put(shops[0], number, 100)
        put(shops[1], BUYERS + number, 100)
    with serve(shops[0]) as url, serve(shops[1]) as other_url, serve(lists) as lists_url:
        tables = (
            _table("sources.shop", url, "SHOP_TOKEN")
            + _table("sources.other", other_url, "OTHER_TOKEN")
            + '[destinations.tags]\nconnector = "memory"\nsource = "shop"\n'
            + '[destinations.more_tags]\nconnector = "memory"\nsource = "other"\n'
            + _table("destinations.lists", lists_url, "LISTS_KEY")
            + 'kind = "lists"\n'
        )
        made = Desk(shops, lists, tables, capsys)
        made.configure()
        yield made


def _table(name: str, url: str, variable: str) -> str:
    return f'[{name}]\nconnector = "memory"\nbase_url = "{url}"\ntoken_env = "{variable}"\n'


@pytest.mark.parametrize(
    ("command", "missing"),
    [
        ("pull", {"shop": "SHOP_TOKEN"}),
        ("backfill", {"shop": "SHOP_TOKEN"}),
        ("push", {"lists": "LISTS_KEY"}),
        ("push", {"tags": "SHOP_TOKEN", "lists": "LISTS_KEY"}),
        ("sync", {"lists": "LISTS_KEY"}),
    ],
)
def test_nothing_is_read_or_sent_while_a_secret_is_missing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, command: str, missing: dict[str, str]
) -> None:
    desk.type("pull")
    desk.type("segment")
    before = desk.requests()
    for variable in missing.values():
        monkeypatch.delenv(variable)
    assert desk.type(command, code=Exit.CONFIG) == ""
    assert desk.requests() == before
    assert desk.errors == [
        f"segmentd: {name}: environment variable {variable}, named by token_env, is not set"
        for name, variable in missing.items()
    ]


def test_a_secret_that_the_chosen_ones_do_not_need_may_be_missing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LISTS_KEY")
    desk.type("pull")
    desk.type("segment")
    assert desk.type("push", "tags") == f"tags: {BUYERS} added, 0 removed\n"
    desk.head = "paused = true\n"
    desk.configure()
    assert "nothing is pushed" in desk.type("sync")


def test_every_source_that_fails_is_named_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHOP_TOKEN", "OTHER_TOKEN"):
        monkeypatch.setenv(name, "wrong")
    assert desk.type("pull", code=Exit.AUTH) == ""
    assert [line.split(" ")[:2] for line in desk.errors] == [
        ["segmentd:", "shop:"],
        ["segmentd:", "other:"],
    ]


def test_the_status_says_what_waits_and_for_what(desk: Desk) -> None:
    desk.type("pull", "shop")
    told = desk.type("status")
    assert told.endswith(
        "\nWaiting\n"
        "  other  not read to its end yet       segmentd backfill other\n"
        "  buyer  new or edited, not evaluated  segmentd segment\n"
    )
    desk.type("sync")
    assert "Waiting" not in desk.type("status")
    desk.configure("number_of_orders >= 2")
    assert "  buyer  new or edited, not evaluated  segmentd segment\n" in desk.type("status")
    desk.type("segment")
    assert desk.type("status").endswith(
        "\nWaiting\n"
        "  tags       0 to add, 12 to remove: HELD  segmentd plan\n"
        "  more_tags  0 to add, 12 to remove: HELD  segmentd plan\n"
        "  lists      0 to add, 24 to remove: HELD  segmentd plan\n"
    )
    waiting = json.loads(desk.type("status", "--json"))["waiting"]
    assert (waiting["unread"], waiting["edited"]) == ([], [])
    assert waiting["pushes"][2] == {
        "destination": "lists", "add": 0, "remove": 24, "held": ["buyer", "*"],
    }  # fmt: skip


def test_the_status_shows_what_it_can_where_a_rule_is_wrong(desk: Desk) -> None:
    desk.type("sync")
    desk.configure("number_of_order >= 1")
    assert "buyer  24 " in desk.type("status", code=Exit.CONFIG)
    assert "segment 'buyer': line 1, column 1:" in desk.errors[0]
    told = json.loads(desk.type("status", "--json", code=Exit.CONFIG))
    assert (told["segments"][0]["size"], told["waiting"]) == (24, None)


def test_every_plan_that_is_held_is_named_once_with_what_confirms_it(desk: Desk) -> None:
    desk.type("sync")
    desk.configure("number_of_orders >= 2")
    assert desk.type("plan", code=Exit.HELD) == ""
    desk.type("segment")
    desk.type("push", code=Exit.HELD)
    sentences, hints = desk.errors[::2], desk.errors[1::2]
    assert sentences == [
        f"segmentd: {name}: {count} removals in one push are more than the guard allows (buyer); "
        "nothing was sent"
        for name, count in (("tags", BUYERS), ("more_tags", BUYERS), ("lists", 2 * BUYERS))
    ]
    plans = [hint.rpartition(" ")[2] for hint in hints]
    assert len(set(plans)) == 3
    desk.type("push", "tags", "--confirm", plans[0], "--confirm", "outdated", code=Exit.HELD)
    assert desk.errors == [
        "segmentd: outdated: not the plan of now; nothing was sent", "try: segmentd plan",
    ]  # fmt: skip
    desk.type("push", *(word for plan in plans for word in ("--confirm", plan)))
    assert desk.lists.members() == {"buyer": set()}
