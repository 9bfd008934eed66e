"""The daemon's own lease: one daemon for one SQLite file, and any number on PostgreSQL.

Several share the work source by source; each holds a number, so that the others notice when one
of them dies between two pieces of work.
"""

from __future__ import annotations

from datetime import timedelta
from itertools import count
from types import TracebackType
from typing import Self

from segmentd.domain.errors import LockedError
from segmentd.store.holding import Holding, Leases

NAME = "daemon"


class Tenure:
    """Holds ``daemon`` inside of a ``with`` block, or the first of ``daemon:1``, ``daemon:2`` …
    that is free."""

    def __init__(self, leases: Leases, span: timedelta, *, exclusive: bool) -> None:
        """``exclusive``: the store bears only one daemon."""
        self._leases = leases
        self._span = span
        self._exclusive = exclusive

    def __enter__(self) -> Self:
        """Take the lease; LockedError names who has it and since when."""
        self._holding = self._only() if self._exclusive else self._one_of_many()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give it back."""
        self._holding.close()

    @property
    def name(self) -> str:
        """The lease that is held."""
        return self._holding.lease.name

    @property
    def epoch(self) -> int:
        """How often the lease changed hands."""
        return self._holding.lease.epoch

    def problem(self) -> str | None:
        """That the lease was lost, if it was: this process was silent for too long."""
        return self._holding.lost

    def _only(self) -> Holding:
        try:
            return self._take(NAME)
        except LockedError as error:
            raise LockedError(
                f"another segmentd run works on this database: {error.message}",
                hint="stop it, or use PostgreSQL, where several share the work",
            ) from error

    def _one_of_many(self) -> Holding:
        for number in count(1):
            try:
                return self._take(f"{NAME}:{number}")
            except LockedError:
                continue
        raise AssertionError("there is always another number")

    def _take(self, name: str) -> Holding:
        return Holding(self._leases, name, self._span)
