"""``verify``, and ``history`` and ``explain`` about the past, as they are typed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from segmentd.cli.main import run
from segmentd.domain.records import Customer, Order
from segmentd.sdk.testing.memory import MemoryShop, registered
from segmentd.sdk.testing.memory.protocol import TOKEN, TOKEN_VARIABLE
from segmentd.sdk.testing.sandbox import SandboxClock
from segmentd.store import open_store

BEGIN = datetime(2026, 1, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CONFIG = """
[store]
url = "sqlite:///s.db"
[shop]
time_zone = "UTC"
[sources.shop]
connector = "memory"
shop = "shop"
token_env = "SANDBOX_MEMORY_TOKEN"
[destinations.tags]
connector = "memory"
source = "shop"
[guard]
floor = 1000
[segments.recent]
where = "last_order_date >= -30d"
push = ["tags"]
"""


@dataclass
class Desk:
    """A shop whose six customers order one after the other, 10 days apart, and what is typed."""

    shop: MemoryShop
    capture: pytest.CaptureFixture[str]

    def type(self, *words: str, code: int = 0) -> str:
        """Type a command; its output."""
        self.capture.readouterr()
        ended = run(list(words))
        seen = self.capture.readouterr()
        assert ended == code, seen
        assert "Traceback" not in seen.err
        return seen.err if code == 2 else seen.out

    def read(self, *words: str, code: int = 0) -> Any:
        """Type a command that answers in JSON."""
        return json.loads(self.type(*words, "--json", code=code))

    def order(self, number: str, who: str, placed: datetime) -> None:
        """An order that the shop shows from now on."""
        now = self.shop.clock.now()
        self.shop.put_order(Order(number, placed, now, "EUR", 900, paid=True, customer_id=who))

    def sync(self, now: datetime) -> None:
        """It is then; everything is brought up to date."""
        self.shop.clock.advance((now - self.shop.clock.now()).total_seconds())
        self.type("sync", "--now", now.isoformat())


@pytest.fixture
def fresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Desk]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    Path("segmentd.toml").write_text(CONFIG)
    shop = MemoryShop(SandboxClock(BEGIN, frozen=True))
    for number in range(6):
        shop.put_customer(Customer(str(number), email=f"c{number}@shopper.example"))
    with registered("shop", shop):
        made = Desk(shop, capsys)
        made.order("90", "0", BEGIN)
        yield made


@pytest.fixture
def desk(fresh: Desk) -> Desk:
    fresh.sync(BEGIN)
    for number in range(1, 6):
        fresh.order(f"9{number}", str(number), BEGIN + number * 10 * DAY)
        fresh.sync(BEGIN + number * 10 * DAY)
    return fresh


def test_verify_says_what_differs_and_what_mends_it(desk: Desk) -> None:
    now = ("--now", (BEGIN + 50 * DAY).isoformat())
    desk.sync(BEGIN + 50 * DAY)
    clean = desk.type("verify", *now)
    assert "6 customers computed anew as of 2026-02-20 12:00:00Z\n" in clean
    assert "tags: 4 entries in the ledger\n" in clean
    assert clean.endswith("no difference\n")
    with open_store("sqlite:///s.db") as store, store._database.write() as connection:
        connection.execute(
            text(
                "DELETE FROM memberships WHERE profile_id = "
                "(SELECT profile_id FROM customers WHERE customer_id = '3')"
            )
        )
        connection.execute(text("UPDATE ledger SET target = '77' WHERE target = '5'"))
    told = desk.read("verify", *now, code=3)
    assert told["same"] is False
    assert told["differing"] == [
        {"what": "missing", "of": "recent", "count": 1, "examples": ["shop:3"]}
    ]
    said = desk.type("verify", *now, code=3)
    assert "belong to recent and are not stored as members  for example shop:3\n" in said
    assert "entries of tags in the ledger belong to nobody" in said
    assert "for example recent on 77\n" in said
    assert "\ntry: segmentd segment --full\n" in said
    desk.type("segment", "--full", *now)
    assert "not stored" not in desk.type("verify", *now, code=3)
    assert "the memberships are those of" in desk.type("verify", "--now", BEGIN.isoformat(), code=2)


def test_verify_says_that_there_is_too_little(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    Path("segmentd.toml").write_text(CONFIG)
    assert run(["verify"]) == 0
    assert capsys.readouterr().out.startswith("insufficient data")


def test_the_past_is_explained_by_what_had_happened_by_then(desk: Desk) -> None:
    desk.order("96", "0", BEGIN + 20 * DAY)
    desk.sync(BEGIN + 50 * DAY)
    then = ("--as-of", (BEGIN + 5 * DAY).isoformat())
    ((ordered,), (waiting,)) = (
        person["segments"] for who in "01" for person in desk.read("explain", f"shop:{who}", *then)
    )
    assert (ordered["member"], ordered["due"], ordered["until"]) == (
        True, "2026-02-01T00:00:00Z", "2026-02-01T00:00:00Z"
    )  # fmt: skip
    assert (waiting["member"], waiting["due"], waiting["until"]) == (False, None, None)
    assert "may change" not in desk.type("explain", "shop:1", *then)
    said = desk.type("explain", "shop:1", "--as-of", "2999-01-01", code=2)
    assert "Z lies in the future" in said


def test_a_preview_of_an_empty_shop_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(TOKEN_VARIABLE, TOKEN)
    Path("segmentd.toml").write_text(CONFIG)
    with registered("shop", MemoryShop()):
        assert run(["pull"]) == 0
    capsys.readouterr()
    assert run(["preview", "amount_spent > 5"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["0 of 0 customers"]


def test_history_by_week_and_by_month_with_causes(desk: Desk) -> None:
    now = ("--now", (BEGIN + 50 * DAY).isoformat())
    months = desk.read("history", "recent", "--by", "month", *now)["months"]
    assert [(m["begin"], m["size"], m["entered"], m["left"]) for m in months[-2:]] == [
        ("2026-01-01", 4, 4, 0),
        ("2026-02-01", 4, 2, 2),
    ]
    assert months[-1]["causes"] == {"order": 2, "time": 2}
    table = desk.type("history", "recent", "--by", "month", *now)
    assert table.startswith("month of    size  entered  left  causes\n")
    assert "2 by order, 2 by time alone\n" in table
    assert "to  2026-02-10 12:00Z by time alone" in desk.type("history", "shop:0", *now)
    assert "member since 2026-02-20 12:00Z by order\n" in desk.type("explain", "shop:5", *now)
    assert desk.read("explain", "shop:5", *now)[0]["segments"][0]["cause"] == "order"


def test_history_of_a_person_at_an_earlier_time(desk: Desk) -> None:
    def told(days: int) -> list[str | None]:
        now = (BEGIN + days * DAY).isoformat()
        (person,) = desk.read("history", "shop:1", "--now", now)
        return [stay["left_at"] for stay in person["memberships"]]

    assert [told(days) for days in (9, 10, 49)] == [[], [None], [None]]
    assert told(50) == ["2026-02-20T12:00:00Z"]


def test_history_goes_on_after_a_pass_of_a_later_time(desk: Desk) -> None:
    desk.type("segment", "--now", (BEGIN + 400 * DAY).isoformat())
    for number, who in (("96", "0"), ("97", "1")):
        desk.order(number, who, BEGIN + 51 * DAY)
    desk.sync(BEGIN + 51 * DAY)
    now = ("--now", (BEGIN + 51 * DAY).isoformat())
    assert desk.read("preview", "--segment", "recent", *now)["size"] == 5
    *_, before, week = desk.read("history", "recent", *now)["weeks"]
    assert (before["begin"], before["size"]) == ("2026-02-09", 4)
    assert (week["size"], week["entered"] - week["left"]) == (5, 1)


def test_explain_says_where_the_stored_membership_is_another(desk: Desk) -> None:
    def told(who: str, days: int) -> tuple[bool, str | None]:
        now = (BEGIN + days * DAY).isoformat()
        (person,) = desk.read("explain", who, "--now", now)
        (recent,) = person["segments"]
        assert person["insufficient_data"] is False
        return recent["member"], recent["differs"]

    was = "stored as a member by the last pass, as of 2026-02-20 12:00:00Z"
    assert told("shop:2", 50) == (True, None)
    assert told("shop:2", 51) == (False, was)
    assert told("shop:0", 51) == (False, None)
    later = ("--now", (BEGIN + 51 * DAY).isoformat())
    assert f"(recent): not a member\n{was}\n" in desk.type("explain", "shop:2", *later)
    desk.order("96", "0", BEGIN + 51 * DAY)
    desk.type("pull")
    assert told("shop:0", 51) == (True, was.replace("a member", "no member"))


def test_explain_says_that_there_is_too_little(desk: Desk) -> None:
    other = """
    [sources.other]
    connector = "memory"
    shop = "other"
    token_env = "SANDBOX_MEMORY_TOKEN"
    [segments.never]
    where = "number_of_orders = 0"
    """
    Path("segmentd.toml").write_text(CONFIG + other)
    now = ("--now", (BEGIN + 51 * DAY).isoformat())
    lines = desk.type("explain", "shop:1", "--segment", "never", *now).splitlines()
    assert lines[0] == "shop:1  c1@shopper.example"
    assert lines[1].startswith("insufficient data; a source has not been read to its end yet")
    assert desk.read("explain", "shop:1", *now)[0]["insufficient_data"] is True


def test_explain_before_the_first_pass(fresh: Desk) -> None:
    fresh.type("pull")
    (person,) = fresh.read("explain", "shop:0", "--now", BEGIN.isoformat())
    (recent,) = person["segments"]
    assert (recent["member"], recent["differs"]) == (True, "not stored: no pass was made yet")


def test_a_new_rule_shows_the_past_that_it_would_have_had(desk: Desk) -> None:
    now = ("--now", (BEGIN + 50 * DAY).isoformat())
    stored = desk.read("history", "recent", "--by", "month", *now)["months"]
    rules = '[segments.lately]\nwhere = "last_order_date >= -30d"\n[segments.tagged]\n'
    rules += "where = \"customer_tags CONTAINS 'recent'\"\n"
    Path("segmentd.toml").write_text(CONFIG + rules)
    before = Path("s.db").read_bytes()
    told = desk.read("history", "lately", "--reconstruct", "--by", "month", *now)
    assert told["reconstructed"] is True
    columns = ("begin", "size", "entered", "left")
    wanted = [{name: month[name] for name in columns} for month in stored]
    assert [{name: month[name] for name in columns} for month in told["months"]] == wanted
    table = desk.type("history", "tagged", "--reconstruct", *now)
    assert table.startswith("reconstructed from what is known today; nothing of it was stored\n")
    assert "as they are today, since nobody knows how they were: customer_tags\n" in table
    assert Path("s.db").read_bytes() == before
    assert "there is no segment" in desk.type("history", "x", "--reconstruct", code=2)
    assert "goes with a segment" in desk.type("history", "shop:1", "--reconstruct", code=2)
