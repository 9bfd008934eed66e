"""Lists that people made, filled or deleted in Klaviyo, over many syncs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from daemons import put
from segmentd.bootstrap import open_app
from segmentd.config import load_config
from segmentd.domain.errors import SafetyStop
from segmentd.sdk.testing.memory import MemoryShop, registered
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
        self._config = folder / "segmentd.toml"
        self._url = url
        self._sandbox = sandbox
        enter(registered("first", self.shop))

    def sync(self, segment: str | None = None) -> None:
        """One sync with the segment VIP as usual, or with this one instead."""
        vip = VIP.format(spent=100, list="VIP") if segment is None else segment
        self._config.write_text(CONFIG.format(url=self._url) + vip)
        app = open_app(load_config(self._config), sleep=self._sandbox.clock.advance)
        try:
            app.sync().check()
        finally:
            app.close()


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
