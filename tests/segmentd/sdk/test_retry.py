from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from segmentd.domain.errors import AuthError, RejectedError, TransientError
from segmentd.sdk.contract import Runtime
from segmentd.sdk.retry import RetryPolicy, call


@dataclass
class Time:
    """A clock that only sleeping moves."""

    now: float = 100.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def runtime(self) -> Runtime:
        return Runtime(self.sleep, lambda: self.now, random=random.Random(7))


def failing(times: int, error: Exception) -> Callable[[], str]:
    """Fails so many times, then succeeds."""
    left = [error] * times

    def function() -> str:
        if left:
            raise left.pop()
        return "done"

    return function


def test_success_needs_no_wait() -> None:
    time = Time()
    assert call(failing(0, TransientError("x")), RetryPolicy(), time.runtime()) == "done"
    assert time.slept == []


def test_tries_again_until_it_succeeds() -> None:
    time = Time()
    runtime = time.runtime()
    assert call(failing(5, TransientError("x")), RetryPolicy(), runtime) == "done"
    assert len(time.slept) == 5
    assert runtime.meter.retries == runtime.meter.waits == 5
    assert runtime.meter.waited == pytest.approx(sum(time.slept))


def test_gives_up_after_the_last_attempt_with_the_error_itself() -> None:
    time = Time()
    error = TransientError("down")
    with pytest.raises(TransientError) as raised:
        call(failing(6, error), RetryPolicy(), time.runtime())
    assert raised.value is error
    assert len(time.slept) == 5


@pytest.mark.parametrize("error", [AuthError("x"), RejectedError("x"), KeyError("x")])
def test_other_errors_are_not_tried_again(error: Exception) -> None:
    time = Time()
    with pytest.raises(type(error)):
        call(failing(1, error), RetryPolicy(), time.runtime())
    assert time.slept == []


def test_waits_are_random_parts_of_a_doubling_ceiling() -> None:
    time = Time()
    policy = RetryPolicy(attempts=12, base=0.5, cap=30.0)
    call(failing(11, TransientError("x")), policy, time.runtime())
    ceilings = [min(30.0, 0.5 * 2**n) for n in range(11)]
    assert all(0 <= wait <= most for wait, most in zip(time.slept, ceilings, strict=True))
    assert len(set(time.slept)) == 11
    assert max(time.slept) > 2.0


@pytest.mark.parametrize("wait", [7.0, 900.0])
def test_waits_as_long_as_the_server_says(wait: float) -> None:
    time = Time()
    call(failing(1, TransientError("x", retry_after=wait)), RetryPolicy(), time.runtime())
    assert time.slept == [wait]


def test_a_short_server_wait_does_not_shorten_ours() -> None:
    time = Time()
    policy = RetryPolicy(base=1000.0, cap=1000.0)
    call(failing(1, TransientError("x", retry_after=0.001)), policy, time.runtime())
    assert time.slept[0] > 0.001


def test_a_server_wait_beyond_patience_is_raised_at_once() -> None:
    time = Time()
    with pytest.raises(TransientError) as raised:
        call(failing(1, TransientError("x", retry_after=900.5)), RetryPolicy(), time.runtime())
    assert raised.value.retry_after == 900.5
    assert time.slept == []


def test_stops_when_the_total_time_would_be_exceeded() -> None:
    time = Time()
    policy = RetryPolicy(attempts=100, total=1800.0)
    with pytest.raises(TransientError):
        call(failing(100, TransientError("x", retry_after=800)), policy, time.runtime())
    assert time.slept == [800, 800]


def test_an_interrupted_sleep_ends_the_tries() -> None:
    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        call(failing(1, TransientError("x")), RetryPolicy(), Runtime(sleep=stop))
