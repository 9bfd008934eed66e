"""A process that dies at any point of a cycle costs nothing: the next ones repair it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from journeys import crash
from journeys.invariants import Facts, check_all
from journeys.world import SEGMENTS, START, World, customer, order, populate, world
from segmentd.bootstrap import open_app
from segmentd.config import load_config
from segmentd.sdk.testing.sandbox import Sandbox

FOREIGN = {"shopify": {"1": {"Wholesale"}, "2": {"vip@Expo"}}, "woocommerce": {}}
SAMPLED = 25


@dataclass
class Story:
    """A steady state, and the same changes to it again and again."""

    made: World
    url: str
    folder: Path
    remote: dict[str, Sandbox]

    @property
    def database(self) -> Path:
        return Path(self.url.removeprefix("sqlite:///"))

    def rewind(self) -> None:
        """Back to the moment after the changes, before the cycle."""
        self.made.restore(self.remote)
        for suffix in ("-wal", "-shm"):
            self.database.with_name(self.database.name + suffix).unlink(missing_ok=True)
        shutil.copy(self.folder / "steady.db", self.database)

    def cycle(self) -> int:
        """One undisturbed cycle."""
        return crash.run(self.made.config, self.made.now())

    def settle(self) -> None:
        """Two clean cycles, then everything holds, and a third one has nothing to do."""
        for _ in range(2):
            assert self.cycle() == 0
        check_all(self.made, self.url, FOREIGN)
        self._recompute()
        before = self.made.writes(), self._history()
        assert self.cycle() == 0
        assert (self.made.writes(), self._history()) == before

    def _recompute(self) -> None:
        """I2: evaluating everybody from scratch finds nothing that is not there already."""
        app = open_app(load_config(self.made.config), clock=self.made.now)
        try:
            summary = app.segment(full=True)
        finally:
            app.close()
        assert (summary.full, summary.entered, summary.left) == (True, 0, 0)

    def _history(self) -> int:
        facts = Facts(self.url)
        try:
            return len(facts.rows("SELECT change_id FROM membership_changes"))
        finally:
            facts.close()


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("crash")
    url = f"sqlite:///{folder / 'segmentd.db'}"
    with world(folder, url, segments=SEGMENTS + "\n[guard]\nfloor = 1000\n") as made:
        for shop in made.shops():
            populate(shop, 30)
        for number, tags in FOREIGN["shopify"].items():
            made.shopify.set_tags(number, sorted(tags))
        # as long as the search index lags behind, the shop shows less than it has
        made.advance(600)
        for _ in range(2):
            assert crash.run(made.config, made.now()) == 0
        story = Story(made, url, folder, {})
        shutil.copy(story.database, folder / "steady.db")
        made.advance(40 * 86400)
        _change(made)
        made.advance(600)
        story.remote = made.snapshot()
        yield story


def _change(made: World) -> None:
    """Entries and exits on three pages, a refund, a deletion, and tags by hand."""
    at = START + timedelta(days=39)
    for shop in made.shops():
        for number in range(1, 13):
            shop.put_order(order(90000 + number, number, 9900, at, updated_at=made.now()))
        for number in (40, 41, 42):
            shop.put_customer(customer(number, updated_at=made.now()))
            shop.put_order(order(91000 + number, number, 15000, at, updated_at=made.now()))
        shop.refund("2900", 1000, at)


def test_an_undisturbed_cycle_settles(story: Story) -> None:
    story.rewind()
    story.settle()


@pytest.mark.timeout(600)
def test_a_crash_at_any_boundary_is_repaired(story: Story) -> None:
    story.rewind()
    count = crash.count_boundaries(story.made.config, story.made.now(), story.folder)
    chosen = random.Random(7).sample(range(1, count + 1), SAMPLED)  # noqa: S311
    for at in chosen:
        story.rewind()
        code = crash.run(story.made.config, story.made.now(), crash.Kill("boundary", at))
        assert code == -9, at
        story.settle()
