"""The demo, told once: what it proves, against figures that were computed without us."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.demo.history import CDNOW, load_history
from segmentd.demo.platforms import TAGS, Platforms, platforms
from segmentd.demo.story import BEGIN, SEGMENTS, Story


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """The story at its end, with everything still open."""
    folder: Path = tmp_path_factory.mktemp("demo")
    with platforms(BEGIN) as stage:
        history = load_history(CDNOW)
        stage.live(history, BEGIN)
        stage.write_config(folder / "segmentd.toml", "sqlite:///segmentd.db", SEGMENTS)
        app = open_app(
            load_config(folder / "segmentd.toml"), clock=stage.clock.now, sleep=stage.sleep
        )
        story = Story(app, stage, history, Console(record=True, width=120, quiet=True))
        story.tell()
        yield story
        app.close()


def sizes(app: App) -> dict[str, int]:
    return {state.segment: state.size for state in app.store.status().segments}


def test_everything_it_claims_holds(told: Story) -> None:
    assert len(told.checks) == 7
    assert [check.claim for check in told.checks if not check.holds] == []


def test_the_sizes_are_those_of_an_independent_computation(told: Story) -> None:
    # one_timer, repeat_3plus and active_30 of the sample at 1998-07-01, computed with DuckDB
    found = sizes(told.app)
    assert (found["one_timer"], found["repeat"], found["active"]) == (1205, 746, 138)
    assert found["vip"] == 236  # a tenth of 2,357 who ordered, rounded up


def test_the_shops_share_the_customers(told: Story) -> None:
    tagged = {
        source: sum("One order only" in tags for tags in told.stage.shop(source).tags().values())
        for source in TAGS.values()
    }
    assert sum(tagged.values()) == 1205
    assert min(tagged.values()) > 500


def test_a_tag_that_is_missing_at_the_shop_is_noticed(
    told: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(told, "checks", [])
    shop = told.stage.shop("woo")
    customer, tags = next((who, tags) for who, tags in shop.tags().items() if tags)
    shop.set_tags(customer, [])
    told.compare()
    failed = [check.claim for check in told.checks if not check.holds]
    shop.set_tags(customer, sorted(tags))
    assert len(failed) == 1
    assert failed[0].startswith("woo: ")


def test_the_waits_were_counted_and_not_waited(told: Story) -> None:
    shopify = told.app.meters["shop_tags"]
    assert shopify.waits > 0
    assert shopify.waited > 10


def test_secrets_stand_only_in_the_environment(told: Story) -> None:
    text = told.app.config.path.read_text()
    stage: Platforms = told.stage
    for sandbox in stage.sandboxes.values():
        assert not any(secret in text for secret in sandbox.credentials().values())
