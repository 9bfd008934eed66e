"""When jobs run: by plan without waiting, and in real threads held by events."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from segmentd.domain.errors import ConfigError
from segmentd.scheduler import Cron, Every, Schedule, Scheduler

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PATIENCE = 20
"""Seconds after which a test gives up; no test takes them when all is well."""


class Clock:
    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


class Bench:
    """A scheduler whose errors are kept."""

    def __init__(self, clock: Callable[[], datetime] | None = None, threads: int = 2) -> None:
        self.errors: list[tuple[str, str]] = []
        self.scheduler = Scheduler(
            lambda name, error: self.errors.append((name, str(error))),
            threads=threads,
            clock=clock or (lambda: datetime.now(UTC)),
        )


class Work:
    """A job that says when it has begun and waits for leave to end."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.leave = threading.Semaphore(0)
        self.runs = 0

    def __call__(self) -> None:
        self.runs += 1
        self.begun.release()
        assert self.leave.acquire(timeout=PATIENCE)

    def wait_for_start(self) -> None:
        assert self.begun.acquire(timeout=PATIENCE)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def planned(clock: Clock) -> Scheduler:
    """Never started: only its plans are looked at."""
    return Bench(clock).scheduler


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    assert made.scheduler.stop(PATIENCE)


HOURLY = Every(timedelta(hours=1))


def nothing() -> None:
    return


@pytest.mark.parametrize(
    ("last_run", "first"),
    [
        (None, NOON),
        (NOON - timedelta(minutes=20), NOON + timedelta(minutes=40)),
        (NOON - timedelta(hours=1), NOON),
        (NOON - timedelta(days=3), NOON),
        (NOON + timedelta(days=1), NOON + timedelta(hours=1)),
    ],
    ids=["never", "not yet due", "just due", "missed many", "from a wrong clock"],
)
def test_a_job_catches_up_once_and_else_keeps_its_rhythm(
    planned: Scheduler, last_run: datetime | None, first: datetime
) -> None:
    planned.add("shop", nothing, HOURLY, last_run)
    assert planned.next_runs() == {"shop": first}


def test_a_missed_cron_job_catches_up(planned: Scheduler) -> None:
    planned.add("night", nothing, Cron("0 3 * * *"), NOON - timedelta(days=2))
    planned.add("done", nothing, Cron("0 3 * * *"), NOON - timedelta(hours=9))
    assert planned.next_runs() == {"night": NOON, "done": datetime(2026, 6, 2, 3, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (HOURLY, NOON - timedelta(hours=1)),
        (Cron("30 * * * *"), NOON - timedelta(minutes=90)),
    ],
)
def test_after_the_clock_went_back_the_next_run_is_within_one_interval(
    planned: Scheduler, clock: Clock, schedule: Schedule, expected: datetime
) -> None:
    planned.add("shop", nothing, schedule, NOON)
    clock.now = NOON - timedelta(hours=2)
    planned.correct()
    assert planned.next_runs() == {"shop": expected}


def test_a_clock_that_goes_on_changes_no_plan(planned: Scheduler, clock: Clock) -> None:
    planned.add("shop", nothing, HOURLY, NOON)
    planned.add("cron", nothing, Cron("*/5 * * * *"), NOON)
    before = planned.next_runs()
    for minutes in (0, 1, 4):
        clock.now = NOON + timedelta(minutes=minutes)
        planned.correct()
        assert planned.next_runs() == before


def test_wake_only_moves_a_run_forward(planned: Scheduler) -> None:
    planned.add("shop", nothing, HOURLY, NOON)
    planned.wake("shop", NOON + timedelta(hours=2))
    assert planned.next_runs() == {"shop": NOON + timedelta(hours=1)}
    planned.wake("shop", NOON + timedelta(minutes=3))
    assert planned.next_runs() == {"shop": NOON + timedelta(minutes=3)}
    planned.wake("shop")
    assert planned.next_runs() == {"shop": NOON}
    planned.wake("unknown")


def test_a_removed_job_is_not_planned(planned: Scheduler) -> None:
    planned.add("shop", nothing, HOURLY)
    planned.remove("shop")
    planned.remove("shop")
    assert planned.next_runs() == {}


def test_a_job_runs_at_once_and_is_planned_again(bench: Bench) -> None:
    ran = threading.Event()
    begin = datetime.now(UTC)
    bench.scheduler.add("shop", ran.set, HOURLY)
    bench.scheduler.start()
    assert ran.wait(PATIENCE)
    bench.scheduler.stop(PATIENCE)
    assert datetime.now(UTC) - begin < timedelta(seconds=PATIENCE)


def test_a_wish_during_a_run_leads_to_one_more_run(bench: Bench) -> None:
    work = Work()
    bench.scheduler.add("shop", work, HOURLY)
    bench.scheduler.start()
    work.wait_for_start()
    for _ in range(3):
        bench.scheduler.wake("shop")
    work.leave.release()
    work.wait_for_start()
    assert work.runs == 2
    work.leave.release()


def test_a_job_that_is_replaced_while_it_runs_is_followed_by_the_new_one(bench: Bench) -> None:
    old, new = Work(), Work()
    bench.scheduler.add("shop", old, HOURLY)
    bench.scheduler.start()
    old.wait_for_start()
    bench.scheduler.add("shop", new, HOURLY)
    assert new.runs == 0
    old.leave.release()
    new.wait_for_start()
    assert (old.runs, new.runs) == (1, 1)
    new.leave.release()


def test_a_job_never_overlaps_itself_and_what_falls_out_is_counted() -> None:
    bench = Bench(threads=3)
    work, ticks = Work(), threading.Semaphore(0)
    bench.scheduler.add("slow", work, Every(timedelta(milliseconds=5)))
    bench.scheduler.add("quick", ticks.release, Every(timedelta(milliseconds=5)))
    bench.scheduler.start()
    work.wait_for_start()
    for _ in range(10):
        assert ticks.acquire(timeout=PATIENCE)
    assert work.runs == 1
    assert bench.scheduler.skipped["slow"] > 0
    work.leave.release(1000)
    assert bench.scheduler.stop(PATIENCE)


def test_an_error_ends_neither_the_job_nor_the_others(bench: Bench) -> None:
    turns = threading.Semaphore(0)

    def fail() -> None:
        turns.release()
        raise ValueError("no luck")

    bench.scheduler.add("bad", fail, Every(timedelta(milliseconds=5)))
    bench.scheduler.start()
    for _ in range(3):
        assert turns.acquire(timeout=PATIENCE)
    assert set(bench.errors) == {("bad", "no luck")}


def test_stop_waits_for_the_run_in_flight() -> None:
    scheduler, work = Bench().scheduler, Work()
    scheduler.add("shop", work, HOURLY)
    scheduler.start()
    work.wait_for_start()
    assert not scheduler.stop(0)
    work.leave.release()
    assert scheduler.stop(PATIENCE)
    assert work.runs == 1


def test_nothing_begins_after_stop() -> None:
    scheduler, first, second = Bench(threads=1).scheduler, Work(), Work()
    scheduler.add("first", first, HOURLY)
    scheduler.start()
    first.wait_for_start()
    scheduler.add("second", second, HOURLY)  # waits for the only thread
    assert not scheduler.stop(0)
    first.leave.release()
    assert scheduler.stop(PATIENCE)
    assert second.runs == 0


def test_stop_before_start_is_no_error() -> None:
    assert Bench().scheduler.stop(0)


def test_the_watch_corrects_by_itself_while_running() -> None:
    clock = Clock(datetime.now(UTC) + timedelta(hours=2))
    scheduler = Scheduler(lambda *_: None, clock=clock, watch_seconds=0.005)
    ran = threading.Event()
    scheduler.add("shop", ran.set, Every(timedelta(milliseconds=1)), clock.now)
    scheduler.start()
    clock.now = datetime.now(UTC)
    assert ran.wait(PATIENCE)
    assert scheduler.stop(PATIENCE)


@pytest.mark.parametrize(
    ("line", "zone", "expected"),
    [
        ("*/5 * * * *", "UTC", "2026-06-01T12:05"),
        ("0 3 * * *", "Europe/Berlin", "2026-06-02T01:00"),
        ("0 0 * * 0", "UTC", "2026-06-07T00:00"),
        ("0 0 * * 7", "UTC", "2026-06-07T00:00"),
        ("0 0 * * 2-4", "UTC", "2026-06-02T00:00"),
        ("0 0 * * 5-7", "UTC", "2026-06-05T00:00"),
        ("0 0 * * 2/2", "UTC", "2026-06-02T00:00"),
        ("0 0 * * Wed", "UTC", "2026-06-03T00:00"),
        ("0 0 * * tue-fri", "UTC", "2026-06-02T00:00"),
        ("0 0 1 jul,oct *", "UTC", "2026-07-01T00:00"),
        ("0 0 * * 6,0", "UTC", "2026-06-06T00:00"),
    ],
)
def test_cron_reads_like_a_crontab(line: str, zone: str, expected: str) -> None:
    # the first of June 2026 is a Monday
    assert Cron(line, zone).after(NOON) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_cron_in_the_nights_when_clocks_change() -> None:
    night = Cron("30 2 * * *", "Europe/Berlin")
    spring = night.after(datetime(2026, 3, 28, 12, tzinfo=UTC))
    assert spring == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    autumn = night.after(datetime(2026, 10, 24, 12, tzinfo=UTC))
    assert autumn == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert night.after(autumn) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)
    assert night.after(night.after(autumn)) == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "zone"),
    [
        ("", "UTC"),
        ("* * * *", "UTC"),
        ("61 * * * *", "UTC"),
        ("0 0 * * 8", "UTC"),
        ("0 0 * * 4-2", "UTC"),
        ("0 0 * * 1/0", "UTC"),
        ("50-10 * * * *", "UTC"),
        ("*/90 * * * *", "UTC"),
        ("1,,2 * * * *", "UTC"),
        ("\u0665 * * * *", "UTC"),
        ("0 0 last * *", "UTC"),
        ("0 0 * jan-3 *", "UTC"),
        ("0 0 * * mon-", "UTC"),
        ("0 0 * * mon-fri/2", "UTC"),
        ("@daily", "UTC"),
        ("0 0 31 2 *", "UTC"),
        ("0 0 * * *", "Mars/Olympus"),
        ("0 0 * * *", "../etc/passwd"),
    ],
)
def test_a_cron_line_that_makes_no_sense_is_refused(line: str, zone: str) -> None:
    with pytest.raises(ConfigError, match="is no schedule"):
        Cron(line, zone)


@pytest.mark.parametrize("seconds", [0, -5])
def test_an_interval_must_last(seconds: int) -> None:
    with pytest.raises(ConfigError, match="is no interval"):
        Every(timedelta(seconds=seconds))


def test_a_clock_that_jumps_decades_ahead_brings_one_run_and_no_burst(bench: Bench) -> None:
    turns = threading.Semaphore(0)
    bench.scheduler.add("shop", turns.release, HOURLY, datetime(1970, 1, 1, tzinfo=UTC))
    bench.scheduler.start()
    assert turns.acquire(timeout=PATIENCE)
    assert bench.scheduler.next_runs()["shop"] > datetime.now(UTC) + timedelta(minutes=59)
    assert not turns.acquire(blocking=False)


def test_no_wish_is_lost_between_the_end_of_a_run_and_the_next(
    bench: Bench, request: pytest.FixtureRequest
) -> None:
    # threads change hands as often as possible, so that a wish meets a run at every point of it
    request.addfinalizer(partial(sys.setswitchinterval, sys.getswitchinterval()))
    sys.setswitchinterval(1e-5)
    ran = threading.Semaphore(0)
    bench.scheduler.add("shop", ran.release, HOURLY)
    bench.scheduler.start()
    for _ in range(300):
        assert ran.acquire(timeout=PATIENCE)
        bench.scheduler.wake("shop")
