"""One daemon for one database file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segmentd.cli.tenure import Tenure
from segmentd.domain.errors import LockedError
from segmentd.store import Store, open_store

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SPAN = timedelta(minutes=3)


class Clock:
    now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'segmentd.db'}") as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_only_one_holds_it_and_the_other_learns_who(store: Store, clock: Clock) -> None:
    with Tenure(store, SPAN, exclusive=True, clock=clock):
        with pytest.raises(LockedError, match="since 2026-06-01 12:00:00Z") as caught:
            Tenure(store, SPAN, exclusive=True, clock=clock).__enter__()
        assert caught.value.hint is not None
    with Tenure(store, SPAN, exclusive=True, clock=clock) as next_one:
        assert next_one.epoch == 2


def test_where_several_may_work_each_has_a_number(store: Store, clock: Clock) -> None:
    with Tenure(store, SPAN, exclusive=False, clock=clock) as first:
        with Tenure(store, SPAN, exclusive=False, clock=clock) as second:
            assert (first.name, second.name) == ("daemon:1", "daemon:2")
            second.prolong()
            assert second.problem() is None
        with Tenure(store, SPAN, exclusive=False, clock=clock) as third:
            assert (third.name, third.epoch) == ("daemon:2", 2)


def test_prolonging_keeps_others_out(store: Store, clock: Clock) -> None:
    with Tenure(store, SPAN, exclusive=True, clock=clock) as held:
        for _ in range(3):
            clock.now += SPAN - timedelta(seconds=1)
            held.prolong()
        with pytest.raises(LockedError):
            Tenure(store, SPAN, exclusive=True, clock=clock).__enter__()
        assert held.problem() is None


def test_who_slept_too_long_notices_that_another_took_over(store: Store, clock: Clock) -> None:
    with Tenure(store, SPAN, exclusive=True, clock=clock) as sleeper:
        clock.now += SPAN + timedelta(seconds=1)
        with Tenure(store, SPAN, exclusive=True, clock=clock) as other:
            sleeper.prolong()
            assert sleeper.problem() is not None
            other.prolong()
            assert other.problem() is None
