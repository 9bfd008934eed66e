"""The daemon's own lease: one daemon for one SQLite file.

On PostgreSQL several daemons share the work, source by source, and there is nothing to hold.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from segmentd.domain.errors import LockedError, TransientError
from segmentd.pipeline.ports import Lease, LeasePort
from segmentd.store.leases import this_process

TTL = timedelta(minutes=3)
_RENEW_SECONDS = 30.0


def _wall() -> datetime:
    return datetime.now(UTC)


class Tenure:
    """Holds the lease ``daemon`` inside of a ``with`` block."""

    def __init__(
        self,
        leases: LeasePort,
        *,
        exclusive: bool,
        clock: Callable[[], datetime] = _wall,
    ) -> None:
        """``exclusive``: the store bears only one daemon."""
        self._leases = leases
        self._exclusive = exclusive
        self._clock = clock
        self._lease: Lease | None = None
        self._lost: str | None = None
        self._end = threading.Event()
        # not in the main loop: a long write of ours may keep a renewal waiting
        self._thread = threading.Thread(target=self._keep, name="tenure", daemon=True)

    def __enter__(self) -> Self:
        """Take the lease; LockedError names who has it and since when."""
        if self._exclusive:
            try:
                self._lease = self._leases.acquire("daemon", this_process(), TTL, self._clock())
            except LockedError as error:
                raise LockedError(
                    f"another segmentd run works on this database: {error.message}",
                    hint="stop it, or use PostgreSQL, where several share the work",
                ) from error
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back."""
        self._end.set()
        if self._lease is not None:
            self._thread.join()
            with suppress(TransientError):  # then it ends with its time
                self._leases.release(self._lease)

    @property
    def epoch(self) -> int:
        """How often the lease changed hands; 0 where there is none."""
        return self._lease.epoch if self._lease else 0

    def problem(self) -> str | None:
        """That the lease was lost, if it was."""
        return self._lost

    def prolong(self) -> None:
        """Renew it once; a database that cannot be written now is asked again."""
        if self._lease is None:
            return
        try:
            self._leases.renew(self._lease, TTL, self._clock())
        except LockedError as error:
            self._lost = error.message
        except TransientError:
            return

    def _keep(self) -> None:
        while not self._lost and not self._end.wait(_RENEW_SECONDS):
            self.prolong()
