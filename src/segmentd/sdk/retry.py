"""Trying again: what failed for now only, a bounded number of times, never before the server says.

The only module that knows tenacity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import tenacity

from segmentd.domain.errors import TransientError
from segmentd.sdk.contract import Runtime

T = TypeVar("T")


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how patiently a call that failed with TransientError is made again."""

    attempts: int = 6
    """Tries in all."""
    base: float = 0.5
    """Seconds: the first wait is a random part of it, each further one of twice as much."""
    cap: float = 30.0
    """Seconds: the longest wait of our own choosing."""
    max_server_wait: float = 900.0
    """Seconds: if the server asks for more, the error is raised instead of waited out."""
    total: float = 1800.0
    """Seconds from the first try after which no further one begins."""


DEFAULT_POLICY = RetryPolicy()


def call(function: Callable[[], T], policy: RetryPolicy, runtime: Runtime) -> T:
    """The result of ``function``, made again by ``policy`` while it raises TransientError.

    Waits max(what the server asks, full jitter) through ``runtime.sleep``; the last error is raised
    as it is. Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    begun = runtime.monotonic()

    def wait(state: tenacity.RetryCallState) -> float:
        ceiling = min(policy.cap, policy.base * 2.0 ** (state.attempt_number - 1))
        return max(_server_wait(state), runtime.random.uniform(0, ceiling))

    def stop(state: tenacity.RetryCallState) -> bool:
        return (
            state.attempt_number >= policy.attempts
            or _server_wait(state) > policy.max_server_wait
            or runtime.monotonic() - begun + state.upcoming_sleep > policy.total
        )

    def count(state: tenacity.RetryCallState) -> None:
        runtime.meter.retries += 1
        runtime.meter.waits += 1
        runtime.meter.waited += state.upcoming_sleep

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(TransientError),
        wait=wait,
        stop=stop,
        sleep=runtime.sleep,
        before_sleep=count,
        reraise=True,
    )(function)


def _server_wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    return (error.retry_after or 0.0) if isinstance(error, TransientError) else 0.0
