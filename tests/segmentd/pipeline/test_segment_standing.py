"""Passes over segments with limits, grace, pins, sets and values that are fitted to the store."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from passes import World
from segmentd.domain.segments import ExclusiveSet, Limit, Pin, Segment
from segmentd.store import open_store
from shop_in_store import DAY, NOW

SECOND = timedelta(seconds=1)
BUYERS = "number_of_orders > 0"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_store(f"sqlite:///{tmp_path}/s.db") as store:
        yield World(store)


def vip(where: str = BUYERS, **rest: object) -> Segment:
    return Segment("vip", "VIP", where, **rest)  # type: ignore[arg-type]


def pin(name: str, *, member: bool = True, until: date | None = None) -> Pin:
    return Pin(name, member, "a person said so", until)


def test_the_best_are_let_in_and_pushed_out_by_better_ones(world: World) -> None:
    world.segments = [vip(limit=Limit(2, "amount_spent"))]
    for who, euros in enumerate((50, 40, 30, 20), start=1):
        world.spend(who, euros)
    world.run()
    assert world.members() == [1, 2]
    world.spend(4, 25)
    summary = world.run()
    assert not summary.full
    assert (world.members(), summary.evaluated) == ([1, 4], 2)
    assert world.history()[-2:] == [
        ("vip", "4", "entered", "order"),
        ("vip", "2", "left", "threshold"),
    ]


def test_a_place_that_becomes_free_is_given_to_the_next(world: World) -> None:
    world.segments = [vip("last_order_date >= -9d", limit=Limit(2, "amount_spent"))]
    for who, euros, ago in ((1, 50, 9), (2, 40, 1), (3, 30, 1), (4, 20, 1)):
        world.spend(who, euros, ago)
    world.run()
    assert world.members() == [1, 2]
    world.now += DAY
    assert not world.run().full
    assert world.members() == [2, 3]
    assert world.history()[-2:] == [
        ("vip", "1", "left", "time"),
        ("vip", "3", "entered", "threshold"),
    ]


def test_grace_ends_when_it_is_due(world: World) -> None:
    world.segments = [vip("last_order_date >= -9d", grace=5)]
    world.spend(1, 50, days_ago=9)
    world.run()
    world.now = datetime(2026, 3, 2, tzinfo=NOW.tzinfo)
    assert world.store.waiting(world.now).due == world.now
    world.run()
    assert world.members() == [1]
    assert world.store.waiting(world.now).due == world.now + 5 * DAY
    world.now += 5 * DAY - SECOND
    assert world.run(full=True).left == 0
    world.now += SECOND
    assert world.run().left == 1
    assert world.history()[-1] == ("vip", "1", "left", "time")


def test_a_pin_on_nobody_is_no_mistake(world: World) -> None:
    world.segments = [vip("amount_spent > 99", pins=(pin("c1@shopper.example"), pin("shop:2")))]
    world.spend(1, 5)
    assert world.run().warnings == ["[segments.vip] pins shop:2, who is no customer that is known"]
    assert world.members() == [1]
    world.spend(2, 5)
    summary = world.run()
    assert (summary.full, summary.warnings) == (False, [])
    assert world.history() == [("vip", "1", "entered", "pin"), ("vip", "2", "entered", "pin")]


def test_a_pin_ends_by_itself(world: World) -> None:
    world.segments = [vip("amount_spent > 99", pins=(pin("shop:1", until=NOW.date()),))]
    world.spend(1, 5)
    world.run()
    world.now = datetime(2026, 3, 2, tzinfo=NOW.tzinfo)
    assert world.store.waiting(world.now).due == world.now
    world.run()
    assert world.history()[-1] == ("vip", "1", "left", "time")


def test_what_a_pin_takes_away_elsewhere_is_its_doing(world: World) -> None:
    plain = [Segment("gold", "Gold", "amount_spent > 50"), vip()]
    world.segments, world.sets = plain, [ExclusiveSet("tiers", ("gold", "vip"))]
    world.spend(1, 90)
    world.spend(2, 90)
    world.run()
    assert (world.members("gold"), world.members("vip")) == ([1, 2], [])
    world.segments = [plain[0], vip(pins=(pin("shop:1"),))]
    assert world.run().edited == ["vip"]
    assert world.history()[-2:] == [
        ("gold", "1", "left", "pin"),
        ("vip", "1", "entered", "pin"),
    ]


def test_an_edit_is_the_cause_in_segments_that_depend_on_it(world: World) -> None:
    fans = Segment("fans", "Fans", "segment('vip')")
    world.segments = [fans, vip()]
    world.spend(1, 90)
    world.run()
    world.segments = [fans, vip("amount_spent > 99")]
    assert world.run().edited == ["vip"]
    assert world.history()[-2:] == [
        ("fans", "1", "left", "rule"),
        ("vip", "1", "left", "rule"),
    ]


def test_an_edited_condition_is_an_edited_rule(world: World) -> None:
    world.segments = [vip("amount_spent > $much"), Segment("all", "All", BUYERS)]
    world.variables = {"much": 50}
    world.spend(1, 90)
    world.run()
    world.variables = {"much": 99, "unused": 1}
    assert world.run().edited == ["vip"]
    assert world.members() == []


def test_who_has_nothing_is_ranked_as_the_store_keeps_it(world: World) -> None:
    world.segments = [vip(limit=Limit(1, "days_since_last_order", least=True))]
    world.spend(1, 50, days_ago=2)
    world.spend(2, 50, days_ago=3)
    world.run()
    world.spend(1, 50, days_ago=0)
    world.run()
    (cut,) = world.store.thresholds().values()
    assert cut.startswith("0.0 ")


def test_who_is_moved_by_a_cut_in_a_full_pass_was_moved_by_a_threshold(world: World) -> None:
    world.segments = [vip(limit=Limit(1, "amount_spent"))]
    world.spend(1, 50)
    world.run()
    world.spend(2, 60)
    world.run(full=True)
    assert world.history()[-2:] == [
        ("vip", "2", "entered", "order"),
        ("vip", "1", "left", "threshold"),
    ]


# a clock that is put back


def test_a_clock_a_few_seconds_behind_that_of_the_last_pass_costs_nobody_else(
    world: World,
) -> None:
    """Two machines that share a database take turns."""
    world.segments = [vip("last_order_date >= -3d", grace=1)]
    for who in (1, 2, 3):
        world.spend(who, 50)
    world.run()
    world.now -= 3 * SECOND
    world.spend(2, 50)
    again = world.run()
    assert (again.evaluated, again.full) == (1, False)
    world.now += 4 * SECOND
    assert world.run().evaluated == 0


def test_who_leaves_as_the_clock_is_put_back_left_with_time(world: World) -> None:
    world.segments = [vip("last_order_date < -2d")]
    world.spend(1, 50)
    world.now += 9 * DAY
    world.run()
    world.now -= 9 * DAY
    world.run()
    assert world.history()[-1] == ("vip", "1", "left", "time")


def test_a_clock_that_was_put_back_leaves_no_two_times_in_the_history(world: World) -> None:
    """What was found of later times ended when the clock was put back."""
    world.segments = [
        vip("last_order_date >= -3d"),
        Segment("loyal", "L", "MEMBER OF segment('vip') FOR 2d"),
    ]
    world.spend(1, 50, days_ago=1)
    world.run()
    world.now += 5 * DAY
    world.run()
    assert world.members() == []
    world.now -= 3 * DAY
    world.run()
    assert world.members() == [1]
    assert world.store.waiting(world.now).due == world.now + SECOND
    world.now += SECOND
    world.run()
    # a member since the day to which the clock was put back, and not for two days
    assert world.members("loyal") == []
    again = world.run(full=True)
    assert (again.entered, again.left) == (0, 0)
    world.spend(1, 50, days_ago=0)
    world.now += 2 * DAY
    world.run()
    assert world.members("loyal") == [1]


def test_who_is_stored_as_a_later_member_is_not_due_again_and_again(world: World) -> None:
    world.segments = [
        vip("amount_spent > 99", stays=BUYERS, grace=1, pins=(pin("shop:1"),)),
    ]
    world.spend(1, 50)
    world.run()
    world.now += SECOND
    world.run()
    world.now -= DAY
    world.run()
    assert world.members() == [1]
    world.now += SECOND
    world.run()
    assert world.store.waiting(world.now).due == NOW


# fitted to the store


def gaps(world: World, days: int, times: int, first: int) -> None:
    """Somebody who orders every so many days."""
    for n in range(times + 1):
        world.spend(first, 10, days_ago=1 + n * days)


def test_values_are_fitted_once_a_week_and_step_by_step(world: World) -> None:
    world.segments = [Segment("late", "Late", "last_order_date < -$at_risk_days")]
    gaps(world, 40, 5, first=1)
    world.spend(2, 10, days_ago=95)
    world.run()
    assert world.store.thresholds() == {"FITTED at_risk_days": "90"}  # of few gaps
    assert world.members("late") == [2]
    gaps(world, 40, 15, first=3)
    gaps(world, 40, 15, first=4)
    gaps(world, 40, 15, first=5)
    world.now += 7 * DAY - SECOND
    assert not world.run().full
    assert world.store.fitted_at() == NOW
    world.now += SECOND
    world.spend(6, 10, days_ago=85)
    assert world.run().full
    assert world.store.thresholds() == {"FITTED at_risk_days": "81"}  # a tenth nearer to 40
    assert world.store.fitted_at() == world.now
    assert world.history()[-1] == ("late", "6", "entered", "order")
    world.now += 7 * DAY
    world.spend(7, 10, days_ago=80)
    world.run()
    assert world.store.thresholds() == {"FITTED at_risk_days": "73"}
    world.now += SECOND
    assert not world.run().full


def test_who_is_moved_by_a_new_fit_alone_was_moved_by_a_threshold(world: World) -> None:
    world.segments = [Segment("late", "Late", "last_order_date < -$at_risk_days")]
    world.spend(2, 10, days_ago=80)
    world.run()
    assert world.members("late") == []
    for who in range(3, 7):
        gaps(world, 40, 15, first=who)
    world.now += 7 * DAY
    world.run()
    assert world.history() == [("late", "2", "entered", "threshold")]


def test_a_value_that_is_set_is_not_fitted(world: World) -> None:
    world.segments = [Segment("late", "Late", "last_order_date < -$at_risk_days")]
    world.variables = {"at_risk_days": 30}
    world.spend(2, 10, days_ago=31)
    world.run()
    assert world.members("late") == [2]
    assert world.store.thresholds() == {}
    assert world.store.fitted_at() is None


def test_what_cannot_be_fitted_selects_nobody(world: World) -> None:
    world.segments = [Segment("odd", "Odd", "NOT amount_spent > $large_order")]
    world.spend(1, 10)
    world.run()
    assert world.members("odd") == []
    assert world.store.thresholds() == {"FITTED large_order": "insufficient"}
    assert not world.run().full


# partial = full


def test_partial_passes_find_what_a_full_one_finds(world: World) -> None:
    chooser = random.Random(7)
    pins = tuple(
        pin(f"shop:{who}", member=who % 2 == 0, until=(NOW + who * DAY).date())
        for who in range(1, 12)
    )
    world.segments = [
        vip(
            "amount_spent > STORE MEDIAN",
            stays="last_order_date >= -4d",
            grace=2,
            limit=Limit(4, "sum_amount OF orders_placed (date >= -20d)"),
            pins=pins,
        ),
        Segment("silver", "S", "last_order_date >= -6d", grace=3, pins=pins[::3]),
        Segment("rare", "R", BUYERS, limit=Limit(3, "number_of_orders", least=True)),
        Segment("kept", "K", "MEMBER OF segment('vip') FOR 2d OR LEFT segment('silver') >= -3d"),
        Segment("off", "O", "amount_spent < 1.5 * STORE AVERAGE AND NOT segment('rare')"),
    ]
    world.sets = [ExclusiveSet("tiers", ("silver", "vip"))]
    for who in range(1, 25):
        world.spend(who, chooser.randint(1, 90), chooser.randint(1, 20))
    assert world.run().full
    partial = 0
    for _ in range(15):
        world.now += timedelta(seconds=chooser.choice([5, 3_600, 86_400, 100_000]))
        for _ in range(chooser.choice([0, 1, 1, 2])):
            world.spend(chooser.randint(1, 30), chooser.randint(1, 90), chooser.randint(1, 9))
        partial += not world.run().full
        world.now += 2 * SECOND
        partial += not world.run().full  # who was seen with other eyes is settled
        stored = world.state()
        again = world.run(full=True)
        assert (again.entered, again.left) == (0, 0)
        assert world.state() == stored
    assert partial == 30
