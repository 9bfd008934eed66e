"""Keeps a lease for as long as a run goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol

from segmentd.domain.errors import LockedError, SegmentdError, TransientError
from segmentd.pipeline.ports import LeasePort
from segmentd.store.leases import this_process

BEATS = 4
"""How often a lease is prolonged within its time: what one or two failed attempts do not end."""


class Leases(LeasePort, Protocol):
    """Leases with the clock by which they end."""

    def now(self) -> datetime: ...


class Holding:
    """A lease, held until ``close``; a thread of its own prolongs it.

    Not by the progress of the work: a long request, a long statement or a wait that a shop asks
    for are no reason to lose it.
    """

    def __init__(
        self,
        leases: Leases,
        name: str,
        span: timedelta,
        clock: Callable[[], datetime] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Take the lease; LockedError names who has it and since when.

        ``span``: after that much silence of this process another one takes the lease over.
        ``wall``: seconds that go on while the machine sleeps.
        """
        self._leases = leases
        self._span = span
        self._clock = clock or leases.now
        self._wall = wall
        self._lost: str | None = None
        self._end = threading.Event()
        self.lease = leases.acquire(name, this_process(), span, self._clock())
        self._heard = wall()
        self._thread = threading.Thread(target=self._keep, name=f"lease {name}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give it back; if the database does not answer, it ends with its time."""
        self._end.set()
        self._thread.join()
        with suppress(SegmentdError):
            self._leases.release(self.lease)

    @property
    def lost(self) -> str | None:
        """That another process took it over, if it did."""
        return self._lost

    def check(self) -> None:
        """LockedError if another process took it over.

        After a silence (the machine slept, the process was stopped) the database is asked, and not
        what we remember; TransientError if it does not answer.
        """
        if self._silence() >= self._span.total_seconds():
            self.prolong()
        if self._lost is not None:
            raise LockedError(self._lost)
        if self._silence() >= self._span.total_seconds():
            raise TransientError(f"nobody knows whether {self.lease.name} is still ours")

    def prolong(self) -> None:
        """Renew it once; a database that cannot be written now is asked again."""
        try:
            self._leases.renew(self.lease, self._span, self._clock())
        except LockedError as error:
            self._lost = error.message
        except SegmentdError:
            return
        self._heard = self._wall()

    def _silence(self) -> float:
        # it may be ahead of a clock that went back
        return abs(self._wall() - self._heard)

    def _keep(self) -> None:
        while self._lost is None and not self._end.wait(self._span.total_seconds() / BEATS):
            self.prolong()
