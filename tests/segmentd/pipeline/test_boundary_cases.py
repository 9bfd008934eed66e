"""Cases at the edge that only a shop, a store and a platform together can show."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.domain.records import Customer, Order
from segmentd.sdk.testing.memory import MemoryLists, MemoryShop, registered
from segmentd.sdk.testing.sandbox import SandboxClock

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
ADA, BOB = "ada@shopper.example", "bob@shopper.example"
CONFIG = """
[store]
url = "sqlite:///s.db"
[sources.shop]
connector = "memory"
shop = "shop"
token_env = "SANDBOX_MEMORY_TOKEN"
[destinations.tags]
connector = "memory"
source = "shop"
[destinations.news]
connector = "memory"
shop = "lists"
kind = "lists"
token_env = "SANDBOX_MEMORY_TOKEN"
[guard]
floor = 1000
[segments.buyer]
where = "amount_spent >= 100"
push = ["tags", "news"]
[segments.repeat]
where = "number_of_orders >= 2"
push = ["tags"]
"""


class Story:
    """A shop, an e-mail platform, and segmentd beside them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SandboxClock(NOON, frozen=True)
        self.shop, self.lists = MemoryShop(self.clock), MemoryLists(self.clock)
        (folder / "segmentd.toml").write_text(CONFIG)
        self.app: App = self.open()

    def open(self) -> App:
        config = load_config(self.folder / "segmentd.toml")
        self.app = open_app(config, clock=self.clock.now, sleep=self.clock.advance)
        return self.app

    def account(self, number: int, email: str) -> None:
        self.shop.put_customer(Customer(str(number), email=email))

    def order(self, number: int, total: int, customer: int | None = None, email: str = "") -> None:
        placed = self.clock.now() - timedelta(days=3)
        known = str(customer) if customer else None
        self.shop.put_order(
            Order(str(number), placed, self.clock.now(), "EUR", total, True, known, email or None)
        )

    def sync(self) -> None:
        """Twice: the second finds nothing to do."""
        for _ in range(2):
            self.clock.advance(60)
            self.app.sync().check()

    def changes(self) -> list[tuple[str, str, str]]:
        """Segment, what happened, and why, in order."""
        return [(each.segment, each.change, each.cause) for each in self.app.store.changes()]

    def tags(self, customer: int) -> set[str]:
        return self.shop.tags()[str(customer)]

    def writes(self) -> int:
        return self.shop.writes() + self.lists.writes()


@pytest.fixture
def story(tmp_path: Path, token: None) -> Iterator[Story]:
    made = Story(tmp_path)
    with ExitStack() as stack:
        stack.enter_context(registered("shop", made.shop))
        stack.enter_context(registered("lists", made.lists))
        made.sync()  # the rules are no news any more
        yield made
        made.app.close()


def test_guest_order_then_an_account_with_the_same_email_in_capitals(story: Story) -> None:
    story.order(900, 6000, email=ADA)
    story.sync()
    assert story.changes() == []
    story.account(1, ADA.upper())
    story.order(901, 6000, customer=1)
    story.sync()
    assert story.changes() == [("buyer", "entered", "order"), ("repeat", "entered", "order")]
    assert story.tags(1) == {"buyer", "repeat"}


def test_two_customers_merged_in_the_shop(story: Story) -> None:
    story.account(1, ADA)
    story.account(2, BOB)
    story.order(900, 20_000, customer=1)
    story.order(901, 15_000, customer=2)
    story.sync()
    assert story.changes() == [("buyer", "entered", "order")] * 2
    merged = story.shop.orders["901"]
    del story.shop.customers["2"]
    story.shop.set_tags("1", [])  # the shop keeps neither's tags
    story.shop.put_order(replace(merged, customer_id="1", updated_at=story.clock.now()))
    story.clock.advance(60)
    story.app.backfill(accept_removals=True).check()
    story.sync()
    # the other half is gone, what remains never left, and the pieces make a repeat customer
    assert story.changes().count(("buyer", "entered", "order")) == 2
    assert story.changes().count(("repeat", "entered", "import")) == 1
    remaining = {(each.customer_id, each.segment) for each in story.app.store.memberships()}
    assert remaining == {("1", "buyer"), ("1", "repeat")}


def test_customer_changes_email(story: Story) -> None:
    story.account(1, ADA)
    story.order(900, 20_000, customer=1)
    story.sync()
    assert story.lists.members()["buyer"] == {ADA}
    story.shop.customers["1"].email = "new@shopper.example"
    story.shop.set_tags("1", story.shop.customers["1"].tags)
    story.sync()
    assert story.lists.members()["buyer"] == {"new@shopper.example"}
    assert story.changes() == [("buyer", "entered", "order")]
    del story.lists.profiles[ADA]
    story.order(901, 500, customer=1)
    story.sync()
    assert ADA not in story.lists.profiles


def test_order_edited_after_two_years(story: Story) -> None:
    story.account(1, ADA)
    story.order(900, 20_000, customer=1)
    long_past = replace(story.shop.orders["900"], placed_at=NOON - timedelta(days=730))
    story.shop.put_order(long_past)
    story.sync()
    story.clock.advance(3600)
    edited = replace(long_past, total=5000, updated_at=story.clock.now())
    story.shop.put_order(edited)
    story.sync()
    assert story.changes() == [("buyer", "entered", "order"), ("buyer", "left", "order")]
    assert (story.tags(1), story.lists.members()["buyer"]) == (set(), set())


def test_admin_tags_somebody_by_hand_who_is_no_member(story: Story) -> None:
    story.account(1, ADA)
    story.order(900, 500, customer=1)
    story.sync()
    story.shop.set_tags("1", ["Buyer"])
    story.sync()
    assert story.tags(1) == {"Buyer"}
    story.order(901, 20_000, customer=1)
    story.sync()
    story.shop.cancel("901", story.clock.now())
    story.sync()
    assert story.tags(1) == {"Buyer"}


def test_platform_answers_an_empty_page_by_mistake(story: Story) -> None:
    for number in range(1, 31):
        story.account(number, f"c{number}@shopper.example")
        story.order(900 + number, 20_000, customer=number)
    story.sync()
    before = story.shop.tags()
    kept, story.shop.customers = story.shop.customers, {}
    orders, story.shop.orders = story.shop.orders, {}
    story.app.backfill()
    story.clock.advance(60)
    story.app.sync()
    story.shop.customers, story.shop.orders = kept, orders
    story.sync()
    assert story.shop.tags() == before
    assert story.changes() == [("buyer", "entered", "order")] * 30


def test_clock_jumps_back(story: Story) -> None:
    story.account(1, ADA)
    story.order(900, 20_000, customer=1)
    story.sync()
    changes, writes = story.changes(), story.writes()
    story.clock.advance(-3600)
    story.sync()
    story.clock.advance(3600)
    story.sync()
    assert (story.changes(), story.writes()) == (changes, writes)
    assert story.tags(1) == {"buyer"}


def test_database_restored_from_a_backup(story: Story) -> None:
    story.account(1, ADA)
    story.account(2, BOB)
    story.order(900, 20_000, customer=1)
    story.sync()
    story.app.close()
    shutil.copy(story.folder / "s.db", story.folder / "backup.db")
    story.open()
    story.order(901, 20_000, customer=2)
    story.shop.cancel("900", story.clock.now())
    story.sync()
    state = (story.shop.tags(), story.lists.members())
    assert state == ({"1": set(), "2": {"buyer"}}, {"buyer": {BOB}})
    story.app.close()
    shutil.copy(story.folder / "backup.db", story.folder / "s.db")
    story.open()
    story.sync()
    assert (story.shop.tags(), story.lists.members()) == state
    expected = [
        ("buyer", "entered", "order"),
        ("buyer", "entered", "order"),
        ("buyer", "left", "order"),
    ]
    assert sorted(story.changes()) == expected


def test_a_customer_with_250_tags_is_refused_and_others_continue(story: Story) -> None:
    story.account(1, ADA)
    story.account(2, BOB)
    story.shop.set_tags("1", [f"own-{n}" for n in range(250)])
    story.order(900, 20_000, customer=1)
    story.order(901, 20_000, customer=2)
    story.clock.advance(60)
    done = story.app.sync()
    assert story.tags(2) == {"buyer"}
    assert len(story.tags(1)) == 250
    assert {push.destination: push.rejected for push in done.pushed.done} == {"tags": 1, "news": 0}
