"""Klaviyo's rate windows: fixed, several at once, told about in headers.

https://developers.klaviyo.com/en/docs/rate_limits_and_error_handling
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from datetime import datetime

_SECONDS = {"s": 1, "m": 60, "d": 86400}


class Throttled(Exception):  # noqa: N818 - a fact, not a failure of the sandbox
    """A window is full; ``retry_after`` whole seconds from now it is not."""

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"Request was throttled. Expected available in {retry_after} seconds.")
        self.retry_after = retry_after


class Rates:
    """Counts requests per quota and window; refused ones do not count."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, int, int]] = Counter()

    def count(self, quota: str, limits: Mapping[str, str], now: datetime) -> dict[str, str]:
        """Count one request; the headers of its answer, or Throttled."""
        instant = now.timestamp()
        windows = {name: _window(limit) for name, limit in limits.items()}
        for most, seconds in windows.values():
            if self._counts[quota, seconds, int(instant // seconds)] >= most:
                raise Throttled(max(1, math.ceil(seconds - instant % seconds)))
        for _, seconds in windows.values():
            self._counts[quota, seconds, int(instant // seconds)] += 1
        most, seconds = windows["steady"]
        used = self._counts[quota, seconds, int(instant // seconds)]
        return {
            "ratelimit-limit": str(most),
            "ratelimit-remaining": str(most - used),
            "ratelimit-reset": str(math.ceil(seconds - instant % seconds)),
        }


def _window(limit: str) -> tuple[int, int]:
    most, _, unit = limit.partition("/")
    return int(most), _SECONDS[unit]
