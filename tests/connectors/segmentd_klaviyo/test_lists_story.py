"""Lists that people made, filled or deleted in Klaviyo, over many syncs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from daemons import put
from segmentd.bootstrap import open_app
from segmentd.config import load_config
from segmentd.domain.errors import SafetyStop, TransientError
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.memory import MemoryShop, registered
from segmentd_klaviyo import members
from segmentd_klaviyo.destination import KlaviyoDestination
from segmentd_klaviyo.sandbox import API_KEY, KlaviyoSandbox

CONFIG = """
[store]
url = "sqlite:///segmentd.db"
[sources.shop]
connector = "memory"
shop = "first"
[destinations.mail]
connector = "klaviyo"
base_url = "{url}"
api_key_env = "SANDBOX_KLAVIYO_API_KEY"
{settings}
[segments.buyers]
title = "Buyers"
where = "amount_spent >= 1"
push = ["mail"]
"""
VIP = """
[segments.vip]
where = "amount_spent >= {spent}"
push = [{{ to = "mail", list = "{list}" }}]
"""


class Story:
    """A shop, segmentd and a Klaviyo account; who spent 100 is on the list VIP."""

    def __init__(
        self, folder: Path, url: str, sandbox: KlaviyoSandbox, enter: Callable[..., object]
    ) -> None:
        self.shop = MemoryShop()
        self.settings = ""
        self.rejected = 0
        """What the last sync left on the list of rejections."""
        self._config = folder / "segmentd.toml"
        self._url = url
        self._sandbox = sandbox
        enter(registered("first", self.shop))

    def sync(self, segment: str | None = None) -> None:
        """One sync with the segment VIP as usual, or with this one instead."""
        vip = VIP.format(spent=100, list="VIP") if segment is None else segment
        config = CONFIG.format(url=self._url, settings=self.settings)
        self._config.write_text(config + vip)
        app = open_app(load_config(self._config), sleep=self._sandbox.clock.advance)
        try:
            app.sync().check()
            self.rejected = app.store.status().rejected
        finally:
            app.close()

    def leave(self, number: int) -> None:
        """A customer is a member of no segment any more."""
        self.shop.cancel(f"100{number}", self.shop.clock.now())

    def rename(self, number: int, email: str) -> None:
        """A customer has another address."""
        customer = self.shop.customers[str(number)]
        customer.email = email
        # whole seconds, as shops have them
        customer.updated_at = self.shop.clock.now().replace(microsecond=0)

    def lose_the_database(self) -> None:
        for path in self._config.parent.glob("segmentd.db*"):
            path.unlink()


@pytest.fixture
def story(
    tmp_path: Path, url: str, sandbox: KlaviyoSandbox, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Story]:
    monkeypatch.setenv("SANDBOX_KLAVIYO_API_KEY", API_KEY)
    with ExitStack() as stack:
        yield Story(tmp_path, url, sandbox, stack.enter_context)


@pytest.fixture
def deleted(story: Story, sandbox: KlaviyoSandbox) -> Story:
    """The list VIP was filled, and a person deleted it."""
    put(story.shop, 1, 20_000)
    story.sync()
    sandbox.delete_list("VIP")
    put(story.shop, 2, 20_000)
    with pytest.raises(SafetyStop, match=r'"VIP".*exists no longer'):
        story.sync()
    return story


def test_a_list_that_was_deleted_holds_up_no_other(deleted: Story, sandbox: KlaviyoSandbox) -> None:
    assert sandbox.members() == {"Buyers": {"c1@shopper.example", "c2@shopper.example"}}
    put(deleted.shop, 3, 20_000)
    deleted.leave(1)
    with pytest.raises(SafetyStop, match=r'"VIP".*exists no longer'):
        deleted.sync()
    assert sandbox.members() == {"Buyers": {"c2@shopper.example", "c3@shopper.example"}}


def test_a_list_that_triggers_flows_holds_up_no_other(
    story: Story, sandbox: KlaviyoSandbox
) -> None:
    sandbox.put_list("VIP", flows=1)
    put(story.shop, 1, 20_000)
    with pytest.raises(SafetyStop, match="triggers flows"):
        story.sync()
    assert sandbox.members() == {"Buyers": {"c1@shopper.example"}, "VIP": set()}


def test_after_a_list_was_deleted_another_one_takes_its_place(
    deleted: Story, sandbox: KlaviyoSandbox
) -> None:
    deleted.sync(VIP.format(spent=100, list="VIP two"))
    both = {"c1@shopper.example", "c2@shopper.example"}
    assert sandbox.members() == {"Buyers": both, "VIP two": both}
    writes = sandbox.writes()
    deleted.sync(VIP.format(spent=100, list="VIP two"))
    assert sandbox.writes() == writes


def test_after_a_list_was_deleted_its_segment_can_go(
    deleted: Story, sandbox: KlaviyoSandbox
) -> None:
    deleted.sync("")
    assert sandbox.members() == {"Buyers": {"c1@shopper.example", "c2@shopper.example"}}


def test_who_leaves_a_list_that_was_deleted_holds_nothing_up(
    story: Story, sandbox: KlaviyoSandbox
) -> None:
    put(story.shop, 1, 20_000)
    story.sync()
    sandbox.delete_list("VIP")
    put(story.shop, 2, 5_000)
    story.sync(VIP.format(spent=1000, list="VIP"))
    assert sandbox.members() == {"Buyers": {"c1@shopper.example", "c2@shopper.example"}}


def test_who_was_put_on_a_list_by_hand_stays_when_they_leave_the_segment(
    story: Story, sandbox: KlaviyoSandbox
) -> None:
    sandbox.put_member(sandbox.put_list("VIP"), "c1@shopper.example")
    put(story.shop, 1, 20_000)
    put(story.shop, 2, 20_000)
    story.sync()
    assert sandbox.members()["VIP"] == {"c1@shopper.example", "c2@shopper.example"}
    story.sync(VIP.format(spent=1000, list="VIP"))
    assert sandbox.members()["VIP"] == {"c1@shopper.example"}


def test_who_was_put_on_our_own_list_by_hand_stays_too(
    story: Story, sandbox: KlaviyoSandbox
) -> None:
    put(story.shop, 1, 20_000)
    story.sync()
    (vip,) = [one_id for one_id, made in sandbox.account.lists.items() if made.name == "VIP"]
    sandbox.put_member(vip, "c2@shopper.example")
    put(story.shop, 2, 20_000)
    story.sync()
    story.sync(VIP.format(spent=1000, list="VIP"))
    assert sandbox.members()["VIP"] == {"c2@shopper.example"}


def test_whom_a_push_that_broke_off_put_on_a_list_is_ours(
    story: Story, sandbox: KlaviyoSandbox
) -> None:
    put(story.shop, 1, 20_000)
    # Klaviyo acts, but no answer to it arrives
    to_members = faults.when(
        lambda request: request.path.endswith("/relationships/profiles"), faults.drop_answer()
    )
    sandbox.faults[:] = [to_members] * 60
    with pytest.raises(TransientError):
        story.sync()
    assert sandbox.members() == {"Buyers": {"c1@shopper.example"}, "VIP": set()}
    sandbox.faults.clear()
    story.sync()
    story.shop.cancel("1001", story.shop.clock.now())
    story.sync()
    assert sandbox.members() == {"Buyers": set(), "VIP": set()}


def test_after_the_database_was_lost_members_can_be_taken_for_ours(
    story: Story, sandbox: KlaviyoSandbox
) -> None:
    put(story.shop, 1, 20_000)
    story.sync()
    story.lose_the_database()
    story.settings = "adopt_members = true"
    story.sync()
    story.sync(VIP.format(spent=1000, list="VIP"))
    assert sandbox.members() == {"Buyers": {"c1@shopper.example"}, "VIP": set()}


def test_a_list_renamed_in_klaviyo_and_in_the_configuration_stays_ours(
    story: Story, sandbox: KlaviyoSandbox
) -> None:
    put(story.shop, 1, 20_000)
    put(story.shop, 2, 20_000)
    story.sync()
    (record,) = [made for made in sandbox.account.lists.values() if made.name == "VIP"]
    record.name = "Gold"
    story.sync(VIP.format(spent=100, list="Gold"))
    assert len(sandbox.members()["Gold"]) == 2
    story.shop.cancel("1001", story.shop.clock.now())
    story.sync(VIP.format(spent=100, list="Gold"))
    assert sandbox.members()["Gold"] == {"c2@shopper.example"}


@pytest.fixture
def refused(story: Story, sandbox: KlaviyoSandbox) -> Story:
    """Klaviyo does not take the address of customer 1."""
    sandbox.account.refused.add("c1@shopper.example")
    put(story.shop, 1, 20_000)
    story.sync()
    assert sandbox.members() == {"Buyers": set(), "VIP": set()}
    return story


def test_an_address_that_was_refused_is_not_asked_for_again(
    refused: Story, sandbox: KlaviyoSandbox
) -> None:
    before = sandbox.writes()
    put(refused.shop, 2, 20_000)
    refused.sync()
    assert sandbox.members()["VIP"] == {"c2@shopper.example"}
    asked = [entry.request.body for entry in sandbox.log if entry.write][before:]
    assert not [body for body in asked if b"c1@shopper.example" in body]


def test_who_was_refused_is_asked_for_by_another_address(
    refused: Story, sandbox: KlaviyoSandbox
) -> None:
    refused.rename(1, "right@shopper.example")
    refused.sync()
    assert sandbox.members()["VIP"] == {"right@shopper.example"}
    assert refused.rejected == 0


def test_who_was_refused_is_asked_for_when_they_come_back(
    refused: Story, sandbox: KlaviyoSandbox
) -> None:
    sandbox.account.refused.clear()
    refused.leave(1)
    refused.sync()
    assert refused.rejected == 0
    again = copy.deepcopy(refused.shop.orders["1001"])
    again.id, again.cancelled_at = "1002", None
    refused.shop.put_order(again)
    refused.sync()
    assert sandbox.members()["VIP"] == {"c1@shopper.example"}


@pytest.fixture(params=["one by one", "by jobs"])
def one_there(
    story: Story,
    sandbox: KlaviyoSandbox,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Story:
    """To Klaviyo the customers 1 and 2 are one profile, whose first address is that of 1."""
    if request.param == "by jobs":
        monkeypatch.setattr(members, "FEW", 0)
    one_id = sandbox.put_profile("c1@shopper.example")
    sandbox.account.aliases[one_id] = {"c2@shopper.example"}
    return story


@pytest.mark.parametrize("numbers", [(1, 2), (2, 1)])
@pytest.mark.parametrize("at_once", [False, True])
def test_two_who_are_one_profile_stay_until_the_last_of_them_leaves(
    one_there: Story, sandbox: KlaviyoSandbox, numbers: tuple[int, int], at_once: bool
) -> None:
    for number in numbers:
        put(one_there.shop, number, 20_000)
        if not at_once:
            one_there.sync()
    one_there.sync()
    one_there.leave(1)
    one_there.sync()
    assert sandbox.members()["VIP"] == {"c1@shopper.example"}
    one_there.leave(2)
    one_there.sync()
    assert sandbox.members()["VIP"] == set()


@pytest.fixture(params=[1, 1000])
def portions(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large push comes in portions."""
    sizes = replace(KlaviyoDestination.capabilities, batch_size=request.param)
    monkeypatch.setattr(KlaviyoDestination, "capabilities", sizes)


@pytest.mark.usefixtures("portions")
def test_who_changed_their_address_in_klaviyo_too_is_still_ours(
    story: Story, sandbox: KlaviyoSandbox
) -> None:
    put(story.shop, 1, 20_000)
    story.sync()
    (profile,) = sandbox.account.profiles.values()
    sandbox.account.write(profile, {"email": "new@shopper.example"}, sandbox.clock.now())
    story.rename(1, "new@shopper.example")
    story.sync()
    assert sandbox.members()["VIP"] == {"new@shopper.example"}
    story.leave(1)
    story.sync()
    assert sandbox.members()["VIP"] == set()


@pytest.mark.parametrize(("leaving", "entering"), [(1, 2), (2, 1)])
@pytest.mark.usefixtures("portions")
def test_one_of_them_may_enter_as_the_other_one_leaves(
    one_there: Story, sandbox: KlaviyoSandbox, leaving: int, entering: int
) -> None:
    put(one_there.shop, leaving, 20_000)
    one_there.sync()
    one_there.leave(leaving)
    put(one_there.shop, entering, 20_000)
    one_there.sync()
    assert sandbox.members()["VIP"] == {"c1@shopper.example"}
    one_there.leave(entering)
    one_there.sync()
    assert sandbox.members()["VIP"] == set()


def test_who_of_two_was_put_there_by_hand_stays(one_there: Story, sandbox: KlaviyoSandbox) -> None:
    sandbox.put_member(sandbox.put_list("VIP"), "c1@shopper.example")
    for number in (1, 2):
        put(one_there.shop, number, 20_000)
        one_there.sync()
    for number in (1, 2):
        one_there.leave(number)
        one_there.sync()
        assert sandbox.members()["VIP"] == {"c1@shopper.example"}
