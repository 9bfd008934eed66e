"""The cursor loses no change, whatever comes between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from segmentd.domain.cursor import Cursor, Window

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LAG = timedelta(minutes=10)


def after(minutes: int) -> datetime:
    return NOON + timedelta(minutes=minutes)


def test_the_first_window_reaches_back_to_the_beginning() -> None:
    assert Cursor().open(NOON, LAG) == Cursor(None, Window(None, NOON), None)


def test_the_next_window_overlaps_by_the_lag() -> None:
    cursor = Cursor().open(NOON, LAG).close().open(after(60), LAG)
    assert cursor.window == Window(after(-10), after(60))


def test_an_unfinished_window_goes_on_as_it_was() -> None:
    begun = Cursor().open(NOON, LAG).at("page 7")
    assert begun.open(after(60), LAG) == begun


def test_a_new_window_begins_at_its_first_page() -> None:
    cursor = Cursor().open(NOON, LAG).at("page 7").close()
    assert cursor.position is None
    assert cursor.open(after(60), LAG).position is None


def test_i6_a_clock_that_went_back_does_not_move_the_watermark_back() -> None:
    cursor = Cursor(watermark=NOON).open(after(-60), LAG)
    assert cursor.window is not None
    assert cursor.window.until == NOON
    assert cursor.close().watermark == NOON


def test_i1_a_clock_that_was_ahead_once_hides_no_later_change() -> None:
    """Its answer of one moment moved the watermark by days; what changes from then on counts."""
    cursor = Cursor(watermark=NOON).open(after(2 * 24 * 60), LAG).close()
    following = cursor.open(after(5), LAG)
    assert following.window == Window(after(-5), after(2 * 24 * 60))


def test_i6_a_resumed_old_window_does_not_move_the_watermark_back() -> None:
    assert Cursor(NOON, Window(None, after(-60))).close().watermark == NOON


def test_closing_needs_a_window() -> None:
    with pytest.raises(ValueError, match="no window"):
        Cursor().close()


class Reading(RuleBasedStateMachine):
    """A shop whose changes become visible late, and a reader that crashes between pages."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_000
        self.changes: dict[int, tuple[int, int]] = {}
        """Id → when it was stamped, and when it becomes visible (seconds)."""
        self.seen: set[int] = set()
        self.cursor = Cursor()
        self.highest: datetime | None = None

    @rule(delay=st.integers(0, 600))
    def a_record_changes(self, delay: int) -> None:
        self.changes[len(self.changes)] = (self.now, self.now + delay)

    @rule(seconds=st.integers(0, 900))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds

    @rule(back=st.integers(0, 900))
    def a_window_is_opened(self, back: int) -> None:
        """The server's clock may be behind."""
        self.cursor = self.cursor.open(instant(self.now - back), LAG)

    @rule()
    def a_page_is_read(self) -> None:
        if self.cursor.window is None:
            return
        behind = int(self.cursor.position or -1)
        page = [key for key in self.found(self.cursor.window) if key > behind][:2]
        if page:
            self.seen.update(page)
            self.cursor = self.cursor.at(str(page[-1]))
        else:
            self.cursor = self.cursor.close()

    @invariant()
    def the_watermark_never_goes_back(self) -> None:
        if self.highest and self.cursor.watermark:
            assert self.cursor.watermark >= self.highest
        self.highest = self.cursor.watermark or self.highest

    def found(self, window: Window) -> list[int]:
        return [
            key
            for key, (stamp, visible) in sorted(self.changes.items())
            if visible <= self.now
            and (window.since is None or instant(stamp) >= window.since)
            and instant(stamp) <= window.until
        ]

    def teardown(self) -> None:
        """When nothing changes any more, two windows read to their end have seen everything."""
        self.now += 3_600
        for _ in range(2):
            self.cursor = self.cursor.open(instant(self.now), LAG)
            while self.cursor.window is not None:
                self.a_page_is_read()
        assert self.seen == set(self.changes)


def instant(seconds: int) -> datetime:
    return NOON + timedelta(seconds=seconds)


TestReading = Reading.TestCase
TestReading.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
