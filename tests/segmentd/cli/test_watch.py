"""When a daemon evaluates and reads, by clocks that a test sets."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemons import put
from segmentd.bootstrap import App, open_app
from segmentd.cli.cycles import Cycles
from segmentd.cli.watch import DUE, PAUSE, Watch, job_of, next_read
from segmentd.config import load_config
from segmentd.scheduler import Every, Scheduler
from segmentd.sdk.testing.memory import MemoryShop, registered
from segmentd.store.waiting import Held
from segmentd.web.metrics import Metrics

CONFIG = """
[store]
url = "sqlite:///segmentd.db"
[sources.shop]
connector = "memory"
shop = "first"
[destinations.tags]
connector = "memory"
source = "shop"
[segments.fresh]
title = "Just ordered"
where = "last_order_date >= -30min"
push = ["tags"]
"""
SHOP = job_of("shop")
MINUTE = timedelta(minutes=1)
TWICE_A_MINUTE = timedelta(seconds=30)
FAR = timedelta(days=300)
NEVER_READ = Held(0, datetime(2026, 6, 1, 12, tzinfo=UTC), live=False, orphaned=False)


class Clock:
    def __init__(self) -> None:
        # the shop's records have real times
        self.now = datetime.now(UTC).replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Daemon:
    """A daemon without its threads: the test says when it looks, and runs what is planned."""

    app: App
    clock: Clock
    cycles: Cycles = field(init=False)
    scheduler: Scheduler = field(init=False)
    watch: Watch = field(init=False)

    def __post_init__(self) -> None:
        self.cycles = Cycles(self.app, Metrics(), threading.Event())
        # in this thread, for want of another
        self.cycles.on_owed = self.cycles.push
        self.scheduler = Scheduler(lambda *_: None, clock=self.clock)
        self.watch = Watch(self.cycles, self.scheduler, self.clock)
        # so far away that only a wish can bring it
        self.plan_far(DUE)

    def plan_far(self, name: str) -> None:
        """As the scheduler does with a run that begins."""
        self.scheduler.remove(name)
        self.scheduler.add(name, lambda: None, Every(FAR), self.clock())

    @property
    def planned(self) -> timedelta | None:
        """Until the next evaluation; None: none is planned for these days."""
        until = self.scheduler.next_runs()[DUE] - self.clock()
        return until if until < FAR - timedelta(days=1) else None

    def evaluate(self) -> None:
        """Run what is planned, as the scheduler would now."""
        self.plan_far(DUE)
        self.cycles.due()
        self.watch.look()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop() -> MemoryShop:
    return MemoryShop()


@pytest.fixture
def app(tmp_path: Path, clock: Clock, shop: MemoryShop) -> Iterator[App]:
    path = tmp_path / "segmentd.toml"
    path.write_text(CONFIG)
    with ExitStack() as stack:
        stack.enter_context(registered("first", shop))
        opened = open_app(load_config(path), clock=clock, patience=timedelta())
        stack.callback(opened.close)
        put(shop, 1, 20_000, ago=timedelta(minutes=20))
        opened.pull()
        yield opened


@pytest.fixture
def daemon(app: App, clock: Clock) -> Daemon:
    return Daemon(app, clock)


def members(daemon: Daemon) -> int:
    return len(list(daemon.app.store.memberships()))


def test_what_another_process_made_due_is_found_by_the_next_look(daemon: Daemon) -> None:
    daemon.watch.look()
    daemon.evaluate()
    in_ten_minutes = daemon.planned
    assert in_ten_minutes is not None
    assert timedelta(minutes=9) < in_ten_minutes < timedelta(minutes=11)
    other = Daemon(daemon.app, daemon.clock)
    assert other.planned is None
    other.watch.look()
    assert other.planned == in_ten_minutes
    daemon.clock.now += in_ten_minutes
    other.evaluate()
    assert members(daemon) == 0
    assert other.planned is None


def test_marks_that_a_command_left_are_evaluated(daemon: Daemon, shop: MemoryShop) -> None:
    daemon.evaluate()
    put(shop, 2, 20_000, ago=MINUTE)
    daemon.app.pull()
    daemon.clock.now += MINUTE
    daemon.watch.look()
    assert daemon.planned == timedelta()
    daemon.evaluate()
    assert members(daemon) == 2


def test_marks_of_a_source_that_is_being_read_wait_for_its_end(
    daemon: Daemon, shop: MemoryShop
) -> None:
    daemon.evaluate()
    put(shop, 2, 20_000, ago=MINUTE)
    daemon.app.pull()
    daemon.clock.now += MINUTE
    until_due = timedelta(minutes=9)
    with daemon.app.lease("source:shop"):
        daemon.watch.look()
        assert daemon.planned is not None
        assert daemon.planned > until_due - MINUTE
    daemon.watch.look()
    assert daemon.planned == timedelta()


def test_an_instant_that_came_during_the_pass_is_not_left_to_the_next(daemon: Daemon) -> None:
    daemon.evaluate()
    assert daemon.planned is not None
    # a pass began just before, and looks again when it has ended
    daemon.cycles.passed_at = daemon.clock.now + daemon.planned - timedelta(seconds=1)
    daemon.clock.now += daemon.planned + timedelta(seconds=5)
    daemon.plan_far(DUE)
    daemon.watch.look()
    assert daemon.planned is not None
    assert daemon.planned <= timedelta()


def test_what_stays_due_does_not_keep_it_busy(daemon: Daemon) -> None:
    daemon.evaluate()
    assert daemon.planned is not None
    daemon.clock.now += daemon.planned + timedelta(seconds=5)
    daemon.plan_far(DUE)
    daemon.cycles.passed_at = daemon.clock.now
    daemon.watch.look()
    assert daemon.planned == PAUSE


@pytest.mark.parametrize("jump", [timedelta(hours=9), timedelta(days=3)])
def test_after_a_sleep_of_the_machine_what_is_overdue_comes_at_once(
    daemon: Daemon, jump: timedelta
) -> None:
    daemon.evaluate()
    daemon.clock.now += jump
    daemon.watch.look()
    assert daemon.planned is not None
    assert daemon.planned <= timedelta()
    daemon.evaluate()
    assert members(daemon) == 0


def test_after_the_clock_went_back_it_comes_at_its_new_distance(daemon: Daemon) -> None:
    daemon.evaluate()
    before = daemon.planned
    assert before is not None
    daemon.clock.now -= timedelta(hours=2)
    daemon.watch.look()
    assert daemon.planned == before + timedelta(hours=2)


def test_while_somebody_evaluates_nobody_pushes_in(daemon: Daemon) -> None:
    daemon.evaluate()
    assert daemon.planned is not None
    daemon.clock.now += daemon.planned
    daemon.plan_far(DUE)
    with daemon.app.lease("segment"):
        daemon.evaluate()
        assert daemon.planned is None
    daemon.watch.look()
    assert daemon.planned == timedelta()
    daemon.evaluate()
    assert members(daemon) == 0


def test_a_push_that_another_process_kept_us_from_follows(daemon: Daemon, shop: MemoryShop) -> None:
    with daemon.app.lease("destination:tags"):
        daemon.evaluate()
        assert shop.tags()["1"] == set()
        daemon.watch.look()
        assert daemon.planned is not None
        assert daemon.planned > MINUTE
    daemon.watch.look()
    assert daemon.planned == timedelta()
    daemon.evaluate()
    assert shop.tags()["1"] == {"Just ordered"}


def test_nothing_changed_nothing_is_compared_with_the_shop(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon.evaluate()

    def planned(*_: object) -> None:
        raise AssertionError("a push was planned")

    monkeypatch.setattr(daemon.app.store, "differences", planned)
    daemon.evaluate()


def test_work_that_somebody_died_over_is_taken_over_once(daemon: Daemon, shop: MemoryShop) -> None:
    daemon.evaluate()
    store, every = daemon.app.store, Every(FAR)
    daemon.plan_far(SHOP)
    store.acquire("source:shop", "elsewhere:7", timedelta(seconds=2), store.now() - MINUTE)
    store.acquire("daemon:2", "elsewhere:7", timedelta(seconds=2), store.now() - MINUTE)
    daemon.watch.look()
    runs = daemon.scheduler.next_runs()
    assert runs[SHOP] == runs[DUE] == daemon.clock()
    daemon.plan_far(SHOP)
    daemon.evaluate()
    assert daemon.scheduler.next_runs()[SHOP] > daemon.clock()
    put(shop, 2, 20_000, ago=MINUTE)
    daemon.watch.source("shop", every)
    assert len(list(store.profiles())) == 2


def test_a_living_daemon_elsewhere_is_left_alone(daemon: Daemon) -> None:
    daemon.evaluate()
    before = daemon.planned
    store = daemon.app.store
    store.acquire("daemon:2", "elsewhere:7", MINUTE, store.now())
    daemon.watch.look()
    assert daemon.planned == before


def test_two_daemons_read_a_source_in_turn(app: App, shop: MemoryShop, clock: Clock) -> None:
    first, second = Daemon(app, clock), Daemon(app, clock)
    second.cycles.app = open_app(app.config, clock=clock, patience=timedelta())
    every = Every(2 * MINUTE)
    for daemon in (first, second):
        daemon.plan_far(SHOP)
        daemon.watch.source("shop", every)
    asked = len(shop.log)
    # the second was the last to read
    first.watch.source("shop", every)
    assert len(shop.log) == asked
    assert first.cycles.standings.of("shop").state == "busy"
    wait = first.scheduler.next_runs()[SHOP] - clock()
    assert MINUTE < wait <= 2 * MINUTE
    second.watch.source("shop", every)
    assert len(shop.log) > asked
    second.cycles.app.close()


NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("held", "ours", "wait"),
    [
        (None, None, 0),
        (Held(7, NOON - MINUTE, live=False, orphaned=False), None, 0),
        (Held(7, NOON - MINUTE, live=False, orphaned=False), 7, 0),
        (Held(7, NOON - MINUTE, live=False, orphaned=True), 6, 0),
        (Held(7, NOON - MINUTE, live=False, orphaned=False), 6, 60),
        (Held(7, NOON - MINUTE, live=True, orphaned=False), 6, 60),
        (Held(7, NOON - 9 * MINUTE, live=False, orphaned=False), 6, 0),
        (Held(7, NOON + 9 * MINUTE, live=False, orphaned=False), 6, 120),
    ],
    ids=[
        "nobody ever", "we begin", "we were the last", "it died", "another a minute ago",
        "another is at it", "another long ago", "by a clock that goes ahead",
    ],
)  # fmt: skip
def test_a_source_is_read_as_often_as_by_one(
    held: Held | None, ours: int | None, wait: int
) -> None:
    at = next_read(held, ours, Every(2 * MINUTE), NOON)
    assert at == NOON + timedelta(seconds=wait)
