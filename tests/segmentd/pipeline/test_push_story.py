"""What a push sends, holds back, leaves alone, and remembers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.domain.errors import AuthError, SafetyStop, TransientError
from segmentd.domain.records import Customer, Order
from segmentd.sdk.contract import Action
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.memory import MemoryShop, registered
from segmentd.sdk.testing.sandbox import SandboxClock

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
CONFIG = """
{top}
[store]
url = "sqlite:///s.db"
[sources.shop]
connector = "memory"
shop = "shop"
token_env = "SANDBOX_MEMORY_TOKEN"
[destinations.tags]
connector = "memory"
source = "shop"
batch_size = 5
[segments.buyer]
title = "Buyer"
where = "{rule}"
push = [{{ to = "tags", tag = "{tag}", restore = {restore} }}]
"""


class Story:
    """A shop with twenty buyers, and segmentd beside it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SandboxClock(NOON, frozen=True)
        self.shop = MemoryShop(self.clock)
        for number in range(1, 21):
            self.shop.put_customer(Customer(str(number), email=f"c{number}@shopper.example"))
            self.shop.put_order(
                Order(f"9{number}", NOON - timedelta(days=9), NOON, "EUR", number * 1000,
                      paid=True, customer_id=str(number))
            )  # fmt: skip
        self.app: App = self.configure()

    def configure(self, **parts: str) -> App:
        """Write the configuration anew and start again with it."""
        if hasattr(self, "app"):
            self.app.close()
        values = {"top": "", "rule": "number_of_orders >= 1", "tag": "Buyer", "restore": "false"}
        config = self.folder / "segmentd.toml"
        config.write_text(CONFIG.format(**{**values, **parts}))
        self.app = open_app(load_config(config), clock=self.clock.now, sleep=self.clock.advance)
        return self.app

    def sync(self) -> None:
        self.clock.advance(60)
        self.app.sync().check()

    def tagged(self, tag: str = "Buyer") -> set[str]:
        return {who for who, tags in self.shop.tags().items() if tag in tags}


@pytest.fixture
def story(tmp_path: Path, token: None) -> Iterator[Story]:
    made = Story(tmp_path)
    with registered("shop", made.shop):
        yield made
    made.app.close()


def test_members_are_tagged_in_batches_and_then_there_is_quiet(story: Story) -> None:
    story.sync()
    assert (len(story.tagged()), story.shop.writes()) == (20, 4)
    story.sync()
    assert story.shop.writes() == 4


def test_a_dry_run_and_a_plan_send_and_move_nothing(story: Story) -> None:
    story.app.pull().check()
    story.app.segment()
    (plan,) = story.app.plan().done
    assert (plan.count(Action.ADD)["Buyer"], plan.requests, plan.held) == (20, 4, [])
    assert story.shop.writes() == 0
    assert story.app.plan().done[0].id == plan.id


def test_many_removals_wait_for_the_person_who_confirms_this_very_plan(story: Story) -> None:
    story.sync()
    story.configure(rule="number_of_orders >= 2")
    with pytest.raises(SafetyStop, match="20 removals") as stop:
        story.sync()
    assert (len(story.tagged()), story.shop.writes()) == (20, 4)
    with pytest.raises(SafetyStop, match="another plan: not the plan of now; nothing was sent"):
        story.app.push(confirm=["another plan"])
    assert len(story.tagged()) == 20
    assert stop.value.hint is not None
    story.app.push(confirm=[stop.value.hint.rpartition(" ")[2]]).check()
    assert story.tagged() == set()


def test_a_merchants_own_tag_stays_when_the_member_leaves(story: Story) -> None:
    story.shop.set_tags("3", ["buyer", "Expo"])
    story.sync()
    story.configure(rule="amount_spent >= 50")
    story.sync()
    assert "3" not in story.tagged()
    assert story.shop.tags()["3"] == {"buyer", "Expo"}
    assert story.tagged() == {str(n) for n in range(5, 21)}


@pytest.mark.parametrize(("restore", "back"), [("false", False), ("true", True)])
def test_a_tag_taken_off_by_hand(story: Story, restore: str, back: bool) -> None:
    story.configure(restore=restore)
    story.sync()
    story.clock.advance(60)
    story.shop.set_tags("3", [])
    story.sync()
    assert ("3" in story.tagged()) is back
    writes = story.shop.writes()
    story.sync()
    assert story.shop.writes() == writes


def test_a_renamed_tag_moves_and_a_change_of_case_alone_sends_nothing(story: Story) -> None:
    story.sync()
    story.configure(tag="BUYER")
    story.sync()
    assert story.shop.writes() == 4
    story.configure(tag="Customer", top="[guard]\nfloor = 100")
    story.sync()
    assert (story.tagged(), len(story.tagged("Customer"))) == (set(), 20)


def test_what_was_confirmed_before_a_failure_is_kept(story: Story) -> None:
    story.app.pull().check()
    story.app.segment()
    story.shop.faults = [faults.none(), faults.none(), *[faults.status(500)] * 60]
    with pytest.raises(TransientError):
        story.app.push().check()
    assert len(story.tagged()) == 10
    story.shop.faults = []
    assert story.app.plan().done[0].count(Action.ADD)["Buyer"] == 10
    story.app.push().check()
    assert len(story.tagged()) == 20


def test_our_own_tag_is_not_taken_for_a_merchants_after_an_unnoted_success(story: Story) -> None:
    story.app.pull().check()
    story.app.segment()
    # the shop acted but every answer was lost
    story.shop.faults = [faults.drop_answer() for _ in range(60)]
    with pytest.raises(TransientError):
        story.app.push().check()
    story.shop.faults = []
    assert story.tagged()
    story.configure(rule="number_of_orders >= 2", top="[guard]\nfloor = 100")
    story.sync()
    assert story.tagged() == set()


def test_what_staff_tag_before_a_refused_push_goes_through_stays_theirs(story: Story) -> None:
    story.app.pull().check()
    story.app.segment()
    story.shop.faults = [faults.status(403)]
    with pytest.raises(AuthError):
        story.app.push().check()
    assert story.app.store.delivered("tags") == {"Buyer": 5}
    story.clock.advance(60)
    story.shop.set_tags("5", ["Buyer"])
    story.sync()
    assert len(story.tagged()) == 20
    story.configure(rule="amount_spent >= 60")
    story.sync()
    assert story.tagged() == {str(number) for number in range(5, 21)}


def test_a_refused_key_stops_the_destination_only(story: Story) -> None:
    story.app.pull().check()
    story.app.segment()
    story.shop.faults = [faults.status(403)]
    outcome = story.app.push()
    assert isinstance(outcome.failed["tags"], AuthError)
    assert (story.tagged(), len(list(story.app.store.memberships()))) == (set(), 20)


def test_paused_pushes_nothing(story: Story) -> None:
    story.configure(top="paused = true")
    story.sync()
    assert story.shop.writes() == 0
    with pytest.raises(SafetyStop, match="paused"):
        story.app.push()
