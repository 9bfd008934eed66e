"""What changed is read, and reading goes on where it stopped."""
# ruff: noqa: S101 - a suite of tests

from __future__ import annotations

import contextlib
from datetime import timedelta

import pytest

from segmentd.domain.cursor import Cursor, Window
from segmentd.domain.errors import SegmentdError
from segmentd.domain.records import Order
from segmentd.sdk.contract import StreamKind
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.bench import (
    FAULTS,
    Reading,
    differences,
)
from segmentd.sdk.testing.shop_contents import (
    STREAMS,
    Bench,
    assert_read_whole,
    change,
    fill,
    projection,
    put_customer,
    shift,
)
from segmentd.sdk.testing.source_case import SourceCase


class SourceChanges(SourceCase):
    """Windows, positions, changes during the reading; see SourceConformance."""

    # -- I6: what changed is read, and reading goes on where it stopped

    @pytest.mark.parametrize("stream", STREAMS)
    def test_i6_both_ends_of_a_window_belong_to_it(self, bench: Bench, stream: str) -> None:
        fill(bench, 1)
        since = bench.now()
        bench.clock.advance(3600)
        fill(bench, 1, first=2)
        reading = bench.read(stream, Window(since, bench.now()))
        assert_read_whole(bench, stream, reading)

    @pytest.mark.parametrize("stream", STREAMS)
    def test_i6_a_change_comes_in_the_next_window(self, bench: Bench, stream: str) -> None:
        fill(bench, 3 * self.page_size)
        bench.clock.advance(86_400)
        changed = change(bench, stream, 2)
        reading = bench.read(stream, bench.window(timedelta(hours=1)))
        expected = projection(bench, stream)[changed]
        assert differences([expected], {changed: reading.latest.get(changed, expected)}) == []
        assert changed in reading.latest
        if self._kind(stream) is StreamKind.DELTA:
            assert len(reading.latest) < 3 * self.page_size, "a delta reads what changed, not all"

    @pytest.mark.parametrize("stream", STREAMS)
    def test_i6_nothing_changed_nothing_comes(self, bench: Bench, stream: str) -> None:
        fill(bench, 3)
        bench.clock.advance(86_400)
        reading = bench.read(stream, bench.window(timedelta(hours=1)))
        if self._kind(stream) is StreamKind.DELTA:
            assert reading.records == []
        else:
            assert_read_whole(bench, stream, reading)

    @pytest.mark.parametrize("stream", STREAMS)
    def test_i6_goes_on_from_every_position(self, bench: Bench, stream: str) -> None:
        fill(bench, 3 * self.page_size + 1)
        whole = bench.read(stream)
        assert len(whole.batches) > 1, "one page only: is page_size right?"
        window = bench.window()
        for number, batch in enumerate(whole.batches):
            rest = bench.read(stream, window, batch.position)
            both = Reading([*whole.batches[: number + 1], *rest.batches])
            assert_read_whole(bench, stream, both)
        late = bench.read(stream, window, whole.batches[-2].position)
        assert len(late.records) < len(whole.records), "a position saves reading again"

    @pytest.mark.parametrize("stream", STREAMS)
    def test_i6_a_change_during_the_reading_is_not_lost(self, bench: Bench, stream: str) -> None:
        fill(bench, 3 * self.page_size + 1)
        bench.clock.advance(60)
        lag = next(entry.lag for entry in self.source_class.streams if entry.name == stream)
        cursor = Cursor().open(bench.now(), lag)
        assert cursor.window
        seen = Reading()
        with bench.source() as source:
            for batch in source.read(stream, cursor.window, None):
                if not seen.batches:
                    bench.clock.advance(5)
                    change(bench, stream, 1)
                    change(bench, stream, 3 * self.page_size + 1)
                seen.batches.append(batch)
        bench.clock.advance(60)
        cursor = cursor.close(bench.now()).open(bench.now(), lag)
        assert cursor.window
        seen.batches += bench.read(stream, cursor.window).batches
        assert_read_whole(bench, stream, seen)

    @pytest.mark.parametrize("stream", STREAMS)
    def test_f31_pages_that_shift_lose_nothing(self, bench: Bench, stream: str) -> None:
        fill(bench, 3 * self.page_size + 1)
        untouched = set(projection(bench, stream))
        bench.clock.advance(60)
        seen = Reading()
        with bench.source() as source:
            for batch in source.read(stream, bench.window(), None):
                seen.batches.append(batch)
                if batch.records and len(seen.records) == len(batch.records):
                    bench.clock.advance(5)
                    leaving = str(batch.records[0].id)
                    untouched.discard(leaving)
                    shift(bench, stream, leaving)
        assert untouched - set(seen.latest) == set(), "an unchanged record was lost"

    def test_i6_a_refund_moves_an_old_order_into_the_window(self, bench: Bench) -> None:
        fill(bench, 2)
        bench.clock.advance(86_400 * 40)
        key = sorted(projection(bench, "orders"))[0]
        bench.sandbox.refund(key, 250, bench.now())
        order = bench.read("orders", bench.window(timedelta(hours=1))).latest[key]
        assert isinstance(order, Order)
        assert [refund.amount for refund in order.refunds] == [250]
        assert differences([projection(bench, "orders")[key]], {key: order}) == []

    def test_i6_a_cancellation_moves_an_old_order_into_the_window(self, bench: Bench) -> None:
        fill(bench, 2)
        bench.clock.advance(86_400 * 40)
        key = sorted(projection(bench, "orders"))[0]
        bench.sandbox.cancel(key, bench.now())
        order = bench.read("orders", bench.window(timedelta(hours=1))).latest[key]
        assert isinstance(order, Order)
        assert order.cancelled_at is not None
        assert differences([projection(bench, "orders")[key]], {key: order}) == []

    # -- I8: only what the shop confirms is gone

    def test_i8_confirms_only_what_is_gone(self, bench: Bench) -> None:
        gone, *alive = [put_customer(bench, number) for number in range(1, 5)]
        bench.sandbox.delete_customer(gone)
        with bench.source() as source:
            assert source.gone("customers", [*alive[:1], gone, *alive[1:]]) == {gone}
            assert source.gone("customers", []) == set()
            assert source.gone("customers", alive) == set()

    @pytest.mark.parametrize("fault", ["status-500", "page-404", "page-instead-of-json", "null"])
    def test_i8_trouble_is_no_deletion(self, bench: Bench, fault: str) -> None:
        alive = put_customer(bench, 1)
        trouble = faults.html(404) if fault == "page-404" else FAULTS[fault]
        bench.sandbox.faults[:] = [trouble] * 200
        gone: set[str] = set()
        with bench.source() as source, contextlib.suppress(SegmentdError):
            gone = source.gone("customers", [alive])
        assert gone == set()
