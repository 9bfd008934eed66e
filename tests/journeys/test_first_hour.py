"""A shop's developer in the first hour: from check to a quiet second sync, command by command."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet

from segmentd.cli.main import run
from segmentd.domain.records import Customer, Order, OrderLine, Product
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import SandboxClock
from segmentd.sdk.testing.server import serve
from segmentd_klaviyo.sandbox import KlaviyoSandbox
from segmentd_shopify.sandbox import ShopifySandbox

NOW = datetime.now(UTC).replace(microsecond=0)
SEGMENTS = """
[destinations.shop_tags]
connector = "shopify"
source = "shop"
[segments.spender]
title = "Big spender"
where = "amount_spent >= 100"
push = ["shop_tags", "newsletter"]
[segments.tea]
title = "Tea"
where = "products_purchased MATCHES (category = 'tea', date >= -90d)"
push = [{ to = "shop_tags", tag = "tea-90d" }]
"""


@dataclass
class Hour:
    """The platforms, and what was typed and seen."""

    shop: ShopifySandbox
    lists: KlaviyoSandbox
    config: Path
    capture: pytest.CaptureFixture[str]

    def type(self, *words: str, code: int = 0) -> str:
        """Type a command; its output."""
        ended = run([words[0], "--config", str(self.config), *words[1:]])
        seen = self.capture.readouterr()
        assert ended == code, seen.err
        assert "Traceback" not in seen.err
        self.errors = seen.err
        return seen.out

    def read(self, *words: str) -> Any:
        """Type a command that answers in JSON."""
        return json.loads(self.type(*words, "--json"))


@pytest.fixture
def hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Hour]:
    clock = SandboxClock(NOW)
    shop = ShopifySandbox(clock, currency="EUR", time_zone="UTC", index_lag=0)
    lists = KlaviyoSandbox(SandboxClock(NOW))
    fill(shop)
    text = f'[store]\nurl = "sqlite:///{tmp_path / "segmentd.db"}"\n'
    with serve(shop) as shop_url, serve(lists) as lists_url:
        for table, name, sandbox, url in (
            ("sources.shop", "shopify", shop, shop_url),
            ("destinations.newsletter", "klaviyo", lists, lists_url),
        ):
            for key, value in sandbox.credentials().items():
                monkeypatch.setenv(f"SANDBOX_{name.upper()}_{key.upper()}", value)
            settings = {"connector": name, **sandbox.settings(url)}
            text += f"[{table}]\n" + "".join(
                f"{k} = {json.dumps(v)}\n" for k, v in settings.items()
            )
        config = tmp_path / "segmentd.toml"
        config.write_text(text + SEGMENTS)
        yield Hour(shop, lists, config, capsys)


def fill(shop: ShopifySandbox) -> None:
    """Thirty customers; those with an even number bought tea for ten times their number."""
    shop.put_product(Product("70", "Sencha", "tea"))
    for number in range(1, 31):
        shop.put_customer(Customer(str(number), email=f"c{number}@shopper.example"))
        if number % 2 == 0:
            shop.put_order(order(str(1000 + number), str(number), number * 1000))


def order(order_id: str, customer_id: str, total: int) -> Order:
    placed = NOW - timedelta(days=3)
    lines = [OrderLine(order_id, "70", 1, total)]
    return Order(order_id, placed, NOW, "EUR", total, paid=True, customer_id=customer_id,
                 status="paid", lines=lines)  # fmt: skip


SPENDERS = {str(number) for number in range(10, 31, 2)}
TEA = {str(number) for number in range(2, 31, 2)}


def tagged(hour: Hour, tag: str) -> set[str]:
    return {who for who, tags in hour.shop.tags().items() if tag in tags}


def test_from_check_to_quiet(hour: Hour) -> None:
    assert hour.type("check").count("ok ") >= 7
    assert "insufficient data" in hour.type("segment")

    hour.type("backfill")
    summary = hour.read("segment")
    assert (summary["entered"], summary["edited"]) == (len(SPENDERS) + len(TEA), ["spender", "tea"])

    plan = hour.read("plan")["destinations"]
    assert plan["shop_tags"]["add"] == {"Big spender": len(SPENDERS), "tea-90d": len(TEA)}
    assert plan["newsletter"]["new_contacts"] == len(SPENDERS)
    hour.type("plan", "--detailed-exitcode", code=10)
    assert "to add" in hour.type("push", "--dry-run")
    assert hour.shop.writes() + hour.lists.writes() == 0

    hour.type("push")
    assert (tagged(hour, "Big spender"), tagged(hour, "tea-90d")) == (SPENDERS, TEA)
    wanted = {f"c{number}@shopper.example" for number in SPENDERS}
    assert hour.lists.members() == {"Big spender": wanted}

    writes = hour.shop.writes() + hour.lists.writes()
    for _ in range(2):
        again = hour.read("sync")
        assert (again["segment"]["entered"], again["segment"]["left"]) == (0, 0)
    assert hour.shop.writes() + hour.lists.writes() == writes
    assert hour.type("plan").count("nothing to do") == 2


def test_a_new_order_moves_one_customer_and_nobody_else(hour: Hour) -> None:
    hour.type("sync")
    writes = hour.shop.writes(), hour.lists.writes()
    hour.shop.put_order(order("2001", "1", 50_000))
    pushed = hour.read("sync")["push"]["destinations"]
    assert pushed["shop_tags"] == {"added": 2, "removed": 0, "rejected": 0}
    assert pushed["newsletter"] == {"added": 1, "removed": 0, "rejected": 0}
    assert hour.shop.tags()["1"] == {"Big spender", "tea-90d"}
    # both tags of the customer in one request
    assert hour.shop.writes() == writes[0] + 1


def test_exports_say_the_same_in_every_format(hour: Hour) -> None:
    hour.type("sync")
    rows = list(csv.DictReader(io.StringIO(hour.type("export", "memberships"))))
    assert {row["customer_id"] for row in rows if row["segment"] == "tea"} == TEA
    assert list(rows[0]) == ["segment", "profile_id", "source", "customer_id", "email", "since"]
    lines = hour.type("export", "memberships", "--format", "jsonl").splitlines()
    assert [json.loads(line)["email"] for line in lines] == [row["email"] for row in rows]
    past = hour.type("export", "memberships", "--as-of", "2020-01-01")
    assert past.splitlines()[1:] == []
    tomorrow = (NOW + timedelta(days=1)).isoformat()
    assert hour.type("export", "memberships", "--as-of", tomorrow, code=2) == ""
    assert "Z lies in the future" in hour.errors
    changes = list(csv.DictReader(io.StringIO(hour.type("export", "changes"))))
    assert {(row["change"], row["cause"]) for row in changes} == {("entered", "rule")}
    assert len(hour.type("export", "profiles").splitlines()) == 31


def test_parquet_goes_to_stdout(hour: Hour, monkeypatch: pytest.MonkeyPatch) -> None:
    hour.type("sync")
    output = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(output))
    hour.type("export", "memberships", "--format", "parquet")
    table = parquet.read_table(io.BytesIO(output.getvalue()))
    assert table.num_rows == len(SPENDERS) + len(TEA)


def test_questions(hour: Hour) -> None:
    hour.type("sync")
    found = hour.read("preview", "amount_spent IN TOP 10%")
    assert found["words"].startswith("amount spent is among the highest 10%")
    # too few buyers for a percentile
    assert (found["size"], found["profiles"]) == (0, 30)
    found = hour.read("preview", "number_of_orders = 0")
    assert (found["size"], found["share"], found["revenue_share"]) == (15, 0.5, 0.0)
    assert "15 of 30 customers (50.0 %), 0.0 % of revenue" in hour.type(
        "preview", "number_of_orders = 0"
    )
    (told,) = hour.read("explain", "c30@shopper.example")
    assert [(s["segment"], s["member"]) for s in told["segments"]] == [
        ("spender", True),
        ("tea", True),
    ]
    text = hour.type("explain", "shop:1")
    assert "Big spender (spender): not a member" in text
    status = hour.type("status")
    assert "spender  11" in status
    assert hour.read("status")["counts"]["orders"] == 15


def test_the_status_needs_no_secret(hour: Hour, monkeypatch: pytest.MonkeyPatch) -> None:
    hour.type("sync")
    for variable in [name for name in os.environ if name.startswith("SANDBOX_")]:
        monkeypatch.delenv(variable)
    assert "Waiting" not in hour.type("status")
    hour.config.write_text(hour.config.read_text().replace(">= 100", ">= 290"))
    hour.type("segment")
    assert hour.type("status").endswith(
        "\nWaiting\n"
        "  newsletter  0 to add, 10 to remove  segmentd push\n"
        "  shop_tags   0 to add, 10 to remove  segmentd push\n"
    )


def test_wrong_words_get_one_sentence(hour: Hour) -> None:
    hour.type("sync")
    hour.type("explain", "nobody@shopper.example", code=2)
    assert "write an e-mail address or SOURCE:ID" in hour.errors
    hour.type("preview", "amount_spend > 3", code=2)
    assert 'did you mean "amount_spent"' in hour.errors
    hour.type("pull", "shopp", code=2)
    assert "there is no source 'shopp'" in hour.errors
    hour.type("push", "shop_tag", code=2)
    assert "there is no destination 'shop_tag'" in hour.errors
    hour.type("export", "changes", "--as-of", "2020-01-01", code=2)


def test_a_page_for_people_instead_of_an_answer_changes_nothing(hour: Hour) -> None:
    hour.type("sync")
    before = hour.type("export", "memberships")
    hour.shop.faults = [faults.redirect("https://elsewhere.example/login")]
    hour.type("pull", code=2)
    assert "elsewhere.example" in hour.errors
    hour.shop.faults = []
    assert hour.type("export", "memberships") == before


def test_one_rejected_customer_does_not_stop_the_others(hour: Hour) -> None:
    hour.shop.set_tags("10", [f"own-{n}" for n in range(250)])
    hour.type("backfill")
    hour.type("segment")
    hour.type("push", code=3)
    assert tagged(hour, "Big spender") == SPENDERS - {"10"}
    assert "250" in hour.type("status")
    writes = hour.shop.writes()
    hour.type("sync")
    assert hour.shop.writes() == writes


def test_sync_tells_like_push_that_changes_were_refused(hour: Hour) -> None:
    hour.shop.set_tags("10", [f"own-{n}" for n in range(250)])
    assert "shop_tags: 24 added, 0 removed, 2 rejected" in hour.type("sync", code=3)
    # they are refused for good, and not tried again
    hour.type("sync")


def test_while_it_is_paused_everyone_who_waits_for_a_push_is_told(hour: Hour) -> None:
    running = hour.config.read_text()
    hour.config.write_text("paused = true\n" + running)
    told = f"nothing is pushed: {hour.config} says paused = true"
    assert hour.type("sync").splitlines()[-1] == told
    assert hour.type("plan").splitlines()[0] == told
    hour.type("push", code=6)
    assert hour.errors == f"segmentd: {told}\ntry: set paused = false, then: segmentd push\n"
    assert hour.shop.writes() + hour.lists.writes() == 0
    hour.config.write_text(running)
    assert "nothing is pushed" not in hour.type("plan")
    hour.type("push")
    assert tagged(hour, "Big spender") == SPENDERS
