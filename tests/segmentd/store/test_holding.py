"""A lease that is kept while a run goes on, and how the run learns that it was lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from segmentd.domain.errors import LockedError, TransientError
from segmentd.pipeline.ports import Lease
from segmentd.store import Store
from segmentd.store.holding import Holding

SPAN = timedelta(minutes=1)


class Clock:
    """Of the database, and of this machine."""

    seconds = 1_800_000_000.0

    def instant(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def wall(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def held(store: Store, clock: Clock) -> Iterator[Holding]:
    with closing(Holding(store, "segment", SPAN, clock.instant, clock.wall)) as holding:
        yield holding


def other(store: Store, clock: Clock) -> Lease:
    return store.acquire("segment", "elsewhere:1", SPAN, clock.instant())


def test_it_is_given_back(store: Store, clock: Clock) -> None:
    Holding(store, "segment", SPAN, clock.instant, clock.wall).close()
    assert other(store, clock).epoch == 2


def test_while_it_is_prolonged_nobody_else_gets_it(
    store: Store, held: Holding, clock: Clock
) -> None:
    for _ in range(3):
        clock.seconds += 50
        held.prolong()
        held.check()
        with pytest.raises(LockedError):
            other(store, clock)


def test_a_thread_prolongs_it_by_itself(
    store: Store, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    prolonged = threading.Semaphore(0)
    monkeypatch.setattr(store, "renew", lambda *_: prolonged.release())
    short = timedelta(milliseconds=40)
    with closing(Holding(store, "segment", short, clock.instant, clock.wall)):
        for _ in range(3):
            assert prolonged.acquire(timeout=20)


def test_after_a_sleep_that_nobody_used_it_is_still_ours(held: Holding, clock: Clock) -> None:
    clock.seconds += 3600
    held.check()


def test_after_a_sleep_in_which_another_took_it_the_run_ends(
    store: Store, held: Holding, clock: Clock
) -> None:
    clock.seconds += 3600
    theirs = other(store, clock)
    with pytest.raises(LockedError, match="segment was taken over"):
        held.check()
    held.close()
    store.renew(theirs, SPAN, clock.instant())


def test_a_run_does_not_go_on_without_knowing(
    store: Store, held: Holding, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object) -> None:
        raise TransientError("the database cannot be reached")

    with monkeypatch.context() as patched:
        patched.setattr(store, "renew", unreachable)
        clock.seconds += 50
        held.check()
        clock.seconds += 20
        with pytest.raises(TransientError, match="nobody knows whether segment is still ours"):
            held.check()
    held.check()
