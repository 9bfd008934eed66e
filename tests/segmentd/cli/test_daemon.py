from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from segmentd.cli.daemon import wake_at

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize("seconds", [1, 3600])
def test_what_will_be_due_wakes_it_then(seconds: int) -> None:
    due = NOW + timedelta(seconds=seconds)
    assert wake_at(due, NOW) == due


@pytest.mark.parametrize("seconds", [0, 3600])
def test_what_stays_due_does_not_keep_it_busy(seconds: int) -> None:
    assert wake_at(NOW - timedelta(seconds=seconds), NOW) == NOW + timedelta(minutes=1)
