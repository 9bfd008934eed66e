"""What a pass looks at after rules were edited, and what it leaves alone."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from passes import World
from segmentd.domain.errors import TransientError
from segmentd.domain.segments import ExclusiveSet, Limit, Segment
from segmentd.pipeline import segment as passing
from segmentd.segmenter.unstored import OF_NEWS, OF_VALUES
from segmentd.store import open_store
from shop_in_store import DAY, rows


class Watched(World):
    """Notes what passes read."""

    def __init__(self, folder: Path) -> None:
        super().__init__(open_store(f"sqlite:///{folder}/s.db"))
        self.read: list[tuple[int, frozenset[str]]] = []
        right = self.store.frames

        def frames(profile_ids, needs=None):  # type: ignore[no-untyped-def]
            self.read.append((len(profile_ids), needs))
            return right(profile_ids, needs)

        self.store.frames = frames  # type: ignore[method-assign]

    def evaluated_at(self) -> object:
        return self.store.evaluated_at()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Watched]:
    watched = Watched(tmp_path)
    for who, euros in enumerate((50, 40, 30, 20), start=1):
        watched.spend(who, euros)
    watched.segments = [RICH, RECENT]
    watched.run()
    watched.read.clear()
    yield watched
    watched.store.close()


RICH = Segment("rich", "Rich", "amount_spent >= 40")
RECENT = Segment("recent", "Recent", "last_order_date >= -9d")
NEEDS = frozenset({"orders", "refunds"})


def test_an_edit_reads_only_what_the_edited_rule_needs(world: Watched) -> None:
    world.segments = [RICH, Segment("recent", "Recent", "last_order_date >= -5d")]
    summary = world.run()
    assert (summary.edited, summary.evaluated, summary.full) == (["recent"], 4, True)
    assert world.read == [(4, OF_NEWS | {"orders"})]


def test_an_edit_decides_what_depends_on_it_too(world: Watched) -> None:
    friend = Segment("friend", "Friend", "NOT segment('rich')")
    world.segments = [RICH, RECENT, friend]
    world.run()
    assert world.members("friend") == [3, 4]
    world.segments = [Segment("rich", "Rich", "amount_spent >= 25"), RECENT, friend]
    assert world.run().edited == ["rich"]
    assert (world.members("rich"), world.members("friend")) == ([1, 2, 3], [4])
    assert {cause for *_, cause in world.history()[-2:]} == {"rule"}


def test_what_changed_meanwhile_is_decided_in_the_same_pass(world: Watched) -> None:
    world.spend(4, 100)
    world.spend(5, 5)
    world.segments = [RICH, Segment("recent", "Recent", "last_order_date >= -5d")]
    assert world.run().evaluated == 5
    assert (world.members("rich"), world.members("recent")) == ([1, 2, 4], [1, 2, 3, 4, 5])
    state = world.state()
    assert world.run().evaluated == 0
    assert world.run(full=True).entered == 0
    assert world.state() == state


def test_a_limit_of_an_edited_segment_is_placed_anew(world: Watched) -> None:
    best = Segment("rich", "Rich", "number_of_orders > 0", limit=Limit(2, "amount_spent"))
    world.segments = [best, RECENT]
    world.run()
    assert world.members("rich") == [1, 2]
    rule = "amount_spent < 45"
    world.segments = [Segment("rich", "Rich", rule, limit=Limit(2, "amount_spent")), RECENT]
    world.run()
    assert world.members("rich") == [2, 3]


def test_a_percentile_that_is_new_is_computed_of_everybody(world: Watched) -> None:
    for who in range(5, 25):
        world.spend(who, 10)
    world.run()
    world.read.clear()
    world.segments = [RICH, RECENT, Segment("top", "Top", "amount_spent IN TOP 10%")]
    world.run()
    assert world.members("top") == [1, 2, 3]
    # its values of everybody, then everybody by its rule
    needs = frozenset({"orders", "refunds"})
    assert world.read == [(24, needs | OF_VALUES), (24, needs | OF_NEWS)]
    world.segments = [*world.segments, Segment("low", "Low", "amount_spent IN BOTTOM 20%")]
    world.read.clear()
    world.run()
    # another cut through values that are there already
    assert world.read == [(24, needs | OF_NEWS)]


def ranked(world: Watched) -> None:
    """Twenty-four people, of whom the fifth part are in a segment by rank."""
    for who in range(5, 25):
        world.spend(who, who)
    world.segments = [RICH, RECENT, Segment("top", "Top", "amount_spent IN TOP 20%")]
    world.run()
    assert world.members("top") == [1, 2, 3, 23, 24]
    world.read.clear()


def test_a_full_pass_reads_everybody_once(world: Watched) -> None:
    ranked(world)
    assert world.run(full=True).evaluated == 24
    assert world.read == [(24, NEEDS | OF_VALUES | OF_NEWS)]


@pytest.mark.parametrize("step", ["save_values", "publish"])
def test_workers_end_with_a_pass_that_fails(
    world: Watched, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object) -> None:
        left.append(len(multiprocessing.active_children()))
        raise TransientError("the disk is full")

    left: list[int] = []
    monkeypatch.setattr(passing, "CHUNK", 0)
    world.segments = [Segment("top", "Top", "amount_spent > STORE AVERAGE")]
    monkeypatch.setattr(world.store, step, fail)
    with pytest.raises(TransientError):
        world.run()
    assert bool(left[0]) == (step == "save_values")
    assert not multiprocessing.active_children()
    monkeypatch.undo()
    world.run()
    assert world.members("top") == [1, 2]


def test_a_full_pass_decides_again_who_stands_between_two_cuts(world: Watched) -> None:
    ranked(world)
    before = len(world.history())
    world.spend(10, 100)
    summary = world.run(full=True)
    assert (summary.evaluated, summary.entered, summary.left) == (24, 2, 1)
    assert (world.members("top"), world.members("rich")) == ([1, 2, 3, 10, 24], [1, 2, 10])
    # the one who enters was beyond both cuts, the other was the last one inside
    assert world.read == [(24, NEEDS | OF_VALUES | OF_NEWS), (1, NEEDS)]
    assert sorted(world.history()[before:]) == [
        ("rich", "10", "entered", "order"),
        ("top", "10", "entered", "order"),
        ("top", "23", "left", "threshold"),
    ]


def test_a_full_pass_decides_everybody_again_when_a_cut_has_moved_far(
    world: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "FULL_FLOOR", 0)
    ranked(world)
    for who in range(5, 16):
        world.spend(who, 100 + who)
    world.run(full=True)
    assert world.members("top") == [11, 12, 13, 14, 15]
    assert world.read == [(24, NEEDS | OF_VALUES | OF_NEWS), (24, NEEDS | OF_NEWS)]


def test_the_members_of_a_set_are_decided_together(world: Watched) -> None:
    world.segments = [RICH, Segment("poor", "Poor", "amount_spent >= 10"), RECENT]
    world.sets = [ExclusiveSet("tiers", ("rich", "poor"))]
    world.run()
    assert (world.members("rich"), world.members("poor")) == ([1, 2], [3, 4])
    world.segments = [Segment("rich", "Rich", "amount_spent >= 45"), *world.segments[1:]]
    world.run()
    assert (world.members("rich"), world.members("poor")) == ([1], [2, 3, 4])


def test_nobody_is_due_later_than_before_for_rules_that_were_not_edited(world: Watched) -> None:
    before = rows(world.store, "SELECT profile_id, due_at FROM profiles ORDER BY profile_id")
    world.segments = [Segment("rich", "Rich", "amount_spent >= 25"), RECENT]
    world.run()
    assert rows(world.store, "SELECT profile_id, due_at FROM profiles ORDER BY 1") == before
    world.now += 9 * DAY
    world.run()
    assert world.members("recent") == []


def test_a_pass_with_nothing_to_decide_writes_nothing(world: Watched) -> None:
    evaluated_at, world.now = world.evaluated_at(), world.now + timedelta(hours=1)
    assert world.run().evaluated == 0
    assert (world.evaluated_at(), world.read) == (evaluated_at, [])


def test_a_segment_that_is_taken_away_takes_nobody_elses_time(world: Watched) -> None:
    world.segments = [RICH]
    summary = world.run()
    assert (summary.left, summary.evaluated, world.read) == (4, 0, [])
    assert world.members("recent") == []


def test_cuts_that_an_older_version_did_not_keep_are_placed_at_once(world: Watched) -> None:
    world.segments = [RICH, Segment("above", "Above", "amount_spent > STORE AVERAGE")]
    world.run()
    with world.store._database.write() as connection:
        connection.exec_driver_sql("UPDATE thresholds SET current = 0")
    world.run()
    assert world.store.thresholds() == {"AVERAGE amount_spent": "3500.0"}
