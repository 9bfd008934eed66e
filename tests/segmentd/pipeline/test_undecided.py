"""Nothing is pushed by memberships that are not by the configured sources and rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons import put
from segmentd.bootstrap import App, open_app
from segmentd.cli.exits import Exit
from segmentd.cli.main import run
from segmentd.config import load_config
from segmentd.domain.errors import AuthError, TransientError, UndecidedError
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.memory import MemoryLists, MemoryShop, registered

CONFIG = """
[store]
url = "sqlite:///s.db"
[sources.shop]
connector = "memory"
shop = "first"
[destinations.tags]
connector = "memory"
source = "shop"
[destinations.lists]
connector = "memory"
shop = "platform"
kind = "lists"
[segments.spender]
where = "amount_spent >= {least}"
push = [{{ to = "lists", list = "{name}" }}]
[segments.regular]
where = "{regular}"
push = ["tags"]
"""
SECOND = '[sources.other]\nconnector = "memory"\nshop = "second"\n'
REGULAR = "number_of_orders >= 1"
OTHER = '[segments.other]\nwhere = "number_of_orders >= 9"\npush = ["tags"]\n'
BOTH = {"c1@shopper.example", "c2@shopper.example"}


class Story:
    """A shop, of whose customers one spent 100 and another one 500; both are on the list."""

    def __init__(self, folder: Path) -> None:
        self.shop, self.other, self.lists = MemoryShop(), MemoryShop(), MemoryLists()
        self.config = folder / "segmentd.toml"
        put(self.shop, 1, 10_000)
        put(self.shop, 2, 50_000)
        self.app: App = self.configure()

    def configure(
        self, more: str = "", *, least: int = 100, name: str = "VIP", regular: str = REGULAR
    ) -> App:
        """Write the configuration anew and start again with it."""
        if hasattr(self, "app"):
            self.app.close()
        self.config.write_text(CONFIG.format(least=least, name=name, regular=regular) + more)
        self.app = open_app(load_config(self.config), sleep=lambda _: None)
        return self.app

    def type(self, *words: str) -> int:
        return run([*words, "--config", str(self.config)])


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    made = Story(tmp_path)
    with (
        registered("first", made.shop),
        registered("second", made.other),
        registered("platform", made.lists),
    ):
        made.app.sync().check()
        assert made.lists.members() == {"VIP": BOTH}
        yield made
    made.app.close()


def test_nothing_is_pushed_before_a_new_source_is_read(story: Story) -> None:
    app = story.configure(SECOND, least=300, name="Best")
    story.other.faults = [faults.status(403)]
    with pytest.raises(AuthError):
        app.sync().check()
    assert app.segment().insufficient_data
    failed = app.push(["lists"]).failed["lists"]
    assert isinstance(failed, UndecidedError)
    assert "not read to its end yet: other;" in failed.message
    assert failed.hint == "segmentd pull other"
    assert story.lists.members() == {"VIP": BOTH}
    app.sync().check()
    assert story.lists.members() == {"VIP": set(), "Best": {"c2@shopper.example"}}


def test_a_sync_of_some_sources_says_that_the_others_come_first(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    story.configure(SECOND)
    assert story.type("sync", "shop") == Exit.HELD
    assert "try: segmentd pull other\n" in capsys.readouterr().err
    assert story.type("pull", "other") == Exit.OK
    assert story.type("sync", "shop") == Exit.OK


def test_a_source_that_fails_for_now_is_what_a_sync_ends_with(story: Story) -> None:
    app = story.configure(SECOND)
    story.other.faults = [faults.status(500)] * 60
    with pytest.raises(TransientError):
        app.sync().check()


def test_an_edited_rule_is_evaluated_before_anything_is_pushed_by_it(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    story.configure(least=300, name="Best")
    for command in ("plan", "push"):
        assert story.type(command) == Exit.HELD
        told = capsys.readouterr().err
        assert "new or edited since segments were last evaluated: spender;" in told
        assert "try: segmentd segment\n" in told
    assert story.lists.members() == {"VIP": BOTH}
    assert story.type("segment") == Exit.OK
    assert story.type("push") == Exit.OK
    assert story.lists.members() == {"VIP": set(), "Best": {"c2@shopper.example"}}


def test_where_no_rule_was_edited_pushes_go_on(story: Story) -> None:
    outcome = story.configure(least=300).push()
    assert list(outcome.failed) == ["lists"]
    assert [summary.destination for summary in outcome.done] == ["tags"]
    # another name is no other rule
    app = story.configure(name="Best")
    app.push().check()
    assert story.lists.members() == {"VIP": set(), "Best": BOTH}


def test_what_depends_on_an_edited_rule_waits_with_it(story: Story) -> None:
    depending = "segment('spender')"
    story.configure(regular=depending).sync().check()
    app = story.configure(regular=depending, least=300)
    assert "regular" in app.push(["tags"]).failed["tags"].message


def test_a_segment_that_is_configured_no_more_is_taken_off_without_a_pass(story: Story) -> None:
    text = story.config.read_text()
    story.app.close()
    story.config.write_text(text[: text.index("[segments.spender]")] + OTHER)
    story.app = open_app(load_config(story.config), sleep=lambda _: None)
    story.app.push(["lists"]).check()
    assert story.lists.members() == {"VIP": set()}
