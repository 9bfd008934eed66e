from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from segmentd.domain.errors import AuthError
from segmentd.pipeline.pull import PullSummary, StreamSummary
from segmentd.pipeline.push import PushSummary
from segmentd.sdk.contract import Meter
from segmentd.web.metrics import Metrics

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


class Clock:
    now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def metrics(clock: Clock) -> Metrics:
    return Metrics(clock)


def value(metrics: Metrics, series: str) -> float | None:
    """The value of one series as it is scraped; None if it is not there."""
    for line in metrics.render().decode().splitlines():
        name, _, number = line.rpartition(" ")
        if name == series:
            return float(number)
    return None


def test_a_cycle_that_fails_is_no_success(metrics: Metrics) -> None:
    series = 'segmentd_last_success_timestamp_seconds{connector="shop"}'
    metrics.cycle_ended("shop", 2.0)
    assert value(metrics, series) is None
    metrics.succeeded("shop")
    metrics.cycle_ended("shop", 3.0)
    assert value(metrics, series) == NOON.timestamp()
    assert value(metrics, 'segmentd_cycle_seconds_sum{connector="shop"}') == 5.0
    assert value(metrics, 'segmentd_cycle_seconds_bucket{connector="shop",le="2.5"}') == 1


def test_records_are_counted_over_streams_and_pulls(metrics: Metrics) -> None:
    summary = PullSummary(
        "shop",
        [
            StreamSummary("customers", read=5, written=3, unchanged=2),
            StreamSummary("orders", read=2, written=1, rejected=1),
        ],
    )
    metrics.pulled(summary)
    metrics.pulled(summary)
    found = {
        result: value(metrics, f'segmentd_records_total{{connector="shop",result="{result}"}}')
        for result in ("written", "unchanged", "rejected", "removed")
    }
    assert found == {"written": 8, "unchanged": 4, "rejected": 2, "removed": 0}


def test_a_push_that_went_through_ends_the_hold(metrics: Metrics) -> None:
    series = 'segmentd_held_removals{connector="tags"}'
    metrics.held("tags", 40)
    assert value(metrics, series) == 40
    metrics.pushed(PushSummary("tags", added=3, removed=2, rejected=1))
    assert value(metrics, series) == 0
    assert value(metrics, 'segmentd_records_total{connector="tags",result="added"}') == 3


def test_traffic_counts_only_what_is_new(metrics: Metrics) -> None:
    meter = Meter(requests=5, writes=2, retries=1, waits=1, waited=1.5)
    metrics.traffic("shop", meter)
    metrics.traffic("shop", meter)
    meter.requests, meter.writes, meter.waited = 9, 3, 2.0
    metrics.traffic("shop", meter)
    assert value(metrics, 'segmentd_http_requests_total{class="read",connector="shop"}') == 6
    assert value(metrics, 'segmentd_http_requests_total{class="write",connector="shop"}') == 3
    assert value(metrics, 'segmentd_retry_total{connector="shop"}') == 1
    assert value(metrics, 'segmentd_rate_limited_seconds_total{connector="shop"}') == 2.0


def test_the_lag_grows_while_nothing_is_pulled(metrics: Metrics, clock: Clock) -> None:
    series = 'segmentd_cursor_lag_seconds{connector="shop",stream="orders"}'
    metrics.known_until("shop", "orders", NOON - timedelta(minutes=1))
    assert value(metrics, series) == 60
    clock.now = NOON + timedelta(minutes=9)
    assert value(metrics, series) == 600


def test_a_watermark_ahead_of_our_clock_is_no_negative_lag(metrics: Metrics) -> None:
    metrics.known_until("shop", "orders", NOON + timedelta(minutes=1))
    assert value(metrics, 'segmentd_cursor_lag_seconds{connector="shop",stream="orders"}') == 0


def test_failures_are_told_by_class_never_by_text(metrics: Metrics) -> None:
    metrics.failed("shop", AuthError("anna@shopper.example may not"))
    series = 'segmentd_failures_total{connector="shop",error="AuthError"}'
    assert value(metrics, series) == 1
    assert b"shopper.example" not in metrics.render()


def test_single_figures(metrics: Metrics) -> None:
    metrics.quarantined(4)
    metrics.members("vip", 12)
    metrics.lock_epoch(7)
    metrics.reloaded(well=True)
    metrics.reloaded(well=False)
    assert value(metrics, "segmentd_quarantined") == 4
    assert value(metrics, 'segmentd_members{segment="vip"}') == 12
    assert value(metrics, "segmentd_lock_epoch") == 7
    assert value(metrics, 'segmentd_reloads_total{result="refused"}') == 1


def test_two_daemons_in_one_process_do_not_share_figures() -> None:
    first, second = Metrics(), Metrics()
    first.lock_epoch(3)
    assert value(second, "segmentd_lock_epoch") == 0
