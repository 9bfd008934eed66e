from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentd.sdk.contract import Runtime
from segmentd.sdk.rate_limit import CostBucket, Pacer, TokenBucket, WindowLimits


class Time:
    """A clock that sleeping and working move."""

    def __init__(self) -> None:
        self.now = 50.0
        self.runtime = Runtime(self.pass_by, lambda: self.now)

    def pass_by(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


def sent_at(time: Time, pacer: Pacer, costs: list[float]) -> list[float]:
    """When requests of these costs went out, from 0."""
    stamps = []
    for cost in costs:
        pacer.acquire(cost)
        stamps.append(time.now - 50.0)
    return stamps


def test_token_bucket_bursts_then_keeps_its_rate() -> None:
    time = Time()
    assert sent_at(time, TokenBucket(time.runtime, 2, 3), [1] * 6) == [0, 0, 0, 0.5, 1, 1.5]
    assert time.runtime.meter.waits == 3
    assert time.runtime.meter.waited == pytest.approx(1.5)


def test_token_bucket_refills_up_to_its_burst() -> None:
    time = Time()
    bucket = TokenBucket(time.runtime, 1, 2)
    sent_at(time, bucket, [1, 1])
    time.pass_by(100)
    assert [stamp - 100 for stamp in sent_at(time, bucket, [1, 1, 1])] == [0, 0, 1]


def test_token_bucket_waits_for_a_cost_above_its_burst() -> None:
    time = Time()
    assert sent_at(time, TokenBucket(time.runtime, 1, 2), [5, 1]) == [3, 4]


def test_window_limits_hold_all_at_once() -> None:
    time = Time()
    limits = WindowLimits(time.runtime, [(2, 1), (5, 60)])
    assert sent_at(time, limits, [1] * 7) == [0, 0, 1, 1, 2, 60, 60]


@given(
    st.lists(st.floats(0, 3), min_size=1, max_size=60),
    st.integers(1, 5),
    st.floats(0.5, 5),
)
def test_no_stretch_of_time_holds_more_than_the_window_allows(
    pauses: list[float], most: int, seconds: float
) -> None:
    time = Time()
    limits = WindowLimits(time.runtime, [(most, seconds)])
    stamps = []
    for pause in pauses:
        time.now += pause
        limits.acquire(1)
        stamps.append(time.now)
    for first, last in zip(stamps, stamps[most:], strict=False):
        assert last - first >= seconds - 1e-9


def test_cost_bucket_is_free_until_the_server_spoke() -> None:
    time = Time()
    assert sent_at(time, CostBucket(time.runtime), [1000, 1000]) == [0, 0]


def test_cost_bucket_waits_for_what_is_missing() -> None:
    time = Time()
    bucket = CostBucket(time.runtime)
    bucket.observe(2000, 100, 100)
    assert sent_at(time, bucket, [100, 300, 300]) == [0, 3, 6]


def test_cost_bucket_refills_up_to_its_size() -> None:
    time = Time()
    bucket = CostBucket(time.runtime)
    bucket.observe(1000, 0, 100)
    time.pass_by(3600)
    assert sent_at(time, bucket, [1000, 100]) == [3600, 3601]


def test_cost_bucket_lets_a_cost_above_its_size_try_with_a_full_bucket() -> None:
    time = Time()
    bucket = CostBucket(time.runtime)
    bucket.observe(1000, 500, 100)
    assert sent_at(time, bucket, [4000]) == [5]


def test_cost_bucket_believes_the_latest_answer() -> None:
    time = Time()
    bucket = CostBucket(time.runtime)
    bucket.observe(1000, 0, 50)
    bucket.observe(1000, 900, 50)
    assert sent_at(time, bucket, [900]) == [0]


@pytest.mark.parametrize(
    "make",
    [
        lambda runtime: TokenBucket(runtime, 1, 10),
        lambda runtime: WindowLimits(runtime, [(10, 1)]),
        CostBucket,
    ],
)
def test_no_wait_is_counted_where_none_was_needed(make: Callable[[Runtime], Pacer]) -> None:
    time = Time()
    make(time.runtime).acquire(1)
    assert time.runtime.meter.waits == 0
