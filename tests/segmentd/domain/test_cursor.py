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
    cursor = Cursor().open(NOON, LAG).close(NOON).open(after(60), LAG)
    assert cursor.window == Window(after(-10), after(60))


def test_an_unfinished_window_goes_on_as_it_was() -> None:
    begun = Cursor().open(NOON, LAG).at("page 7")
    assert begun.open(after(60), LAG) == begun


def test_a_new_window_begins_at_its_first_page() -> None:
    cursor = Cursor().open(NOON, LAG).at("page 7").close(NOON)
    assert cursor.position is None
    assert cursor.open(after(60), LAG).position is None


def test_i6_a_clock_that_went_back_does_not_move_the_watermark_back() -> None:
    cursor = Cursor(watermark=NOON).open(after(-60), LAG)
    assert cursor.window is not None
    assert cursor.window.until == NOON
    assert cursor.close(after(-60)).watermark == NOON


def test_i6_a_server_whose_clock_is_ahead_moves_the_watermark_to_our_time_only() -> None:
    cursor = Cursor(watermark=NOON).open(after(2 * 24 * 60), LAG)
    assert cursor.window == Window(after(-10), after(2 * 24 * 60))
    assert cursor.close(after(1)).open(after(300), LAG).window == Window(after(-9), after(300))


def test_i6_our_own_clock_being_behind_reads_more_and_misses_nothing() -> None:
    cursor = Cursor(watermark=NOON).open(after(60), LAG).close(after(-600))
    assert cursor.open(after(120), LAG).window == Window(after(-10), after(120))


def test_i1_two_clocks_that_were_ahead_once_hide_no_later_change() -> None:
    """They moved the watermark by days; what changes from then on counts."""
    cursor = Cursor(watermark=NOON).open(after(2 * 24 * 60), LAG).close(after(2 * 24 * 60))
    following = cursor.open(after(5), LAG)
    assert following.window == Window(after(-5), after(2 * 24 * 60))


def test_i6_a_resumed_old_window_does_not_move_the_watermark_back() -> None:
    assert Cursor(NOON, Window(None, after(-60))).close(NOON).watermark == NOON


def test_closing_needs_a_window() -> None:
    with pytest.raises(ValueError, match="no window"):
        Cursor().close(NOON)


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

    @rule(ahead=st.integers(1, 100_000))
    def all_is_read_while_the_server_is_ahead(self, ahead: int) -> None:
        self.cursor = self.cursor.open(instant(self.now + ahead), LAG)
        while self.cursor.window is not None:
            self.a_page_is_read()

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
            self.cursor = self.cursor.close(instant(self.now))

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
