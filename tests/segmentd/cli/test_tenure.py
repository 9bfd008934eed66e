"""One daemon for one database file."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from segmentd.cli.tenure import NAME, Tenure
from segmentd.domain.errors import LockedError
from segmentd.store import Store, open_store

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
SPAN = timedelta(minutes=3)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    with open_store(f"sqlite:///{tmp_path / 'segmentd.db'}") as opened:
        monkeypatch.setattr(opened, "now", lambda: NOON)
        yield opened


def test_only_one_holds_it_and_the_other_learns_who(store: Store) -> None:
    with Tenure(store, SPAN, exclusive=True):
        with pytest.raises(LockedError, match="since 2026-06-01 12:00:00Z") as caught:
            Tenure(store, SPAN, exclusive=True).__enter__()
        assert caught.value.hint is not None
    with Tenure(store, SPAN, exclusive=True) as next_one:
        assert next_one.epoch == 2
        assert next_one.problem() is None


def test_where_several_may_work_each_has_a_number(store: Store) -> None:
    with Tenure(store, SPAN, exclusive=False) as first:
        with Tenure(store, SPAN, exclusive=False) as second:
            assert (first.name, second.name) == ("daemon:1", "daemon:2")
        with Tenure(store, SPAN, exclusive=False) as third:
            assert (third.name, third.epoch) == ("daemon:2", 2)


def test_who_was_silent_too_long_notices_that_another_took_over(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, asked = threading.Event(), threading.Event()
    renew = store.renew

    def late(*given: Any) -> None:
        taken.wait(20)
        asked.set()
        renew(*given)

    monkeypatch.setattr(store, "renew", late)
    with Tenure(store, timedelta(milliseconds=40), exclusive=True) as silent:
        store.acquire(NAME, "elsewhere:1", SPAN, NOON + SPAN)
        taken.set()
        assert asked.wait(20)
    assert silent.problem() is not None
