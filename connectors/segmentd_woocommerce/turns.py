"""How much of a shop's time we take: one request at a time, and a rest after each answer.

A shop runs on a few PHP processes, and one request of ours keeps a core of it busy: 2 to 4 at once
gained 30 % at most where it was measured. So what burdens a shop is the share of the time in which
a request of ours is in flight: its load, in the word of queueing theory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from segmentd.sdk import Runtime

_LOOK_AGAIN = 0.05
"""Seconds between two looks whether it is our turn."""


class Turns:
    """Lets those who read and those who write ask one shop in turn, first come first served."""

    def __init__(self) -> None:
        self._queue: deque[object] = deque()
        self._free_at = float("-inf")

    @contextmanager
    def turn(self, runtime: Runtime, load: float) -> Iterator[None]:
        """For one request: waits until the shop had its rest from the one before.

        The rest is so much longer than the answer took that, from the beginning of one request to
        that of any later one, requests are in flight for at most the share ``load`` of the time.
        """
        ticket = object()
        self._queue.append(ticket)
        try:
            self._wait(runtime, ticket)
            begun = runtime.monotonic()
            try:
                yield
            finally:
                ended = runtime.monotonic()
                self._free_at = ended + (ended - begun) * (1 / load - 1)
        finally:
            self._queue.remove(ticket)

    def _wait(self, runtime: Runtime, ticket: object) -> None:
        begun = runtime.monotonic()
        while self._queue[0] is not ticket:
            runtime.sleep(_LOOK_AGAIN)
        rest = self._free_at - runtime.monotonic()
        if rest > 0:
            runtime.sleep(rest)
        if (waited := runtime.monotonic() - begun) > 0:
            runtime.meter.waits += 1
            runtime.meter.waited += waited


_SHOPS: dict[tuple[str, Callable[[], float]], Turns] = {}


def turns_of(store: str, runtime: Runtime) -> Turns:
    """The turns at a store, the same for all of this process that go by one clock."""
    return _SHOPS.setdefault((store, runtime.monotonic), Turns())
