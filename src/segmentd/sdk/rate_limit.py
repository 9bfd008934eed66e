"""Pacing: staying below a platform's limits instead of running into them.

Every pacer waits through ``runtime.sleep`` and counts its waits in ``runtime.meter``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from segmentd.sdk.contract import Runtime


class Pacer(Protocol):
    """Decides when the next request may go."""

    def acquire(self, cost: float) -> None:
        """Wait until a request of ``cost`` may be sent, and count it as sent."""


def _wait(runtime: Runtime, seconds: float) -> None:
    if seconds > 0:
        runtime.meter.waits += 1
        runtime.meter.waited += seconds
        runtime.sleep(seconds)


class TokenBucket:
    """``rate`` units of cost per second on average, ``burst`` at once."""

    def __init__(self, runtime: Runtime, rate: float, burst: float) -> None:
        self._runtime = runtime
        self._rate = rate
        self._burst = burst
        self._tokens = burst
        self._seen = runtime.monotonic()

    def acquire(self, cost: float) -> None:
        """Take ``cost`` tokens; what is missing is borrowed and waited for."""
        now = self._runtime.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._seen) * self._rate) - cost
        self._seen = now
        _wait(self._runtime, -self._tokens / self._rate)


class WindowLimits:
    """At most ``n`` requests in any stretch of ``seconds``, for each ``(n, seconds)``.

    Cost is not looked at: every request counts as one.
    """

    def __init__(self, runtime: Runtime, limits: Sequence[tuple[int, float]]) -> None:
        self._runtime = runtime
        self._windows = [(seconds, deque[float](maxlen=n)) for n, seconds in limits]

    def acquire(self, cost: float) -> None:  # noqa: ARG002 - see the class
        """Wait until the oldest of the last ``n`` requests has left its window."""
        now = self._runtime.monotonic()
        free_at = now
        for seconds, sent in self._windows:
            if len(sent) == sent.maxlen:
                free_at = max(free_at, sent[0] + seconds)
        _wait(self._runtime, free_at - now)
        for _, sent in self._windows:
            sent.append(free_at)


class CostBucket:
    """A bucket that the server keeps and tells about in its answers (Shopify's query cost).

    https://shopify.dev/docs/api/usage/limits#rate-limits
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._maximum = 0.0
        self._available = 0.0
        self._rate = 0.0
        self._seen = runtime.monotonic()

    def observe(self, maximum: float, available: float, restore_rate: float) -> None:
        """Take over what an answer said: size, content now, units restored per second."""
        self._maximum = maximum
        self._available = available
        self._rate = restore_rate
        self._seen = self._runtime.monotonic()

    def acquire(self, cost: float) -> None:
        """Wait until ``cost`` is there; free before the first ``observe``.

        A cost above the size of the bucket waits for a full one, and the server decides.
        """
        if self._rate <= 0:
            return
        now = self._runtime.monotonic()
        available = min(self._maximum, self._available + (now - self._seen) * self._rate)
        missing = min(cost, self._maximum) - available
        self._available = available - cost
        self._seen = now
        _wait(self._runtime, missing / self._rate)
