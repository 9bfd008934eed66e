"""Decides when to read and when to evaluate, from what the store says that all processes did.

A look at the store every few seconds finds what this process was not told: an instant that became
due by another one's pass, marks that a command left, and work that somebody died over.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from segmentd.cli.cycles import Cycles
from segmentd.scheduler import Schedule, Scheduler
from segmentd.store.waiting import Held, Waiting

_log = structlog.get_logger("segmentd.run")

DUE = "due"
PAUSE = timedelta(seconds=30)
"""What is still due after a pass cannot be decided now (the database is locked): to try again at
once would go round and round."""


def job_of(source: str) -> str:
    """The name of the job that reads a source: none of the daemon's own, whatever it is called."""
    return f"source:{source}"


def push_job_of(destination: str) -> str:
    """The name of the job that pushes to a destination."""
    return f"destination:{destination}"


class Watch:
    """Looks at the store for one daemon."""

    def __init__(
        self,
        cycles: Cycles,
        scheduler: Scheduler,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._cycles = cycles
        self._scheduler = scheduler
        self._clock = clock
        self._met: set[tuple[str, int]] = set()
        self._read: dict[str, int] = {}

    def forget(self) -> None:
        """Read every source at its next time, whoever read it last."""
        self._read.clear()

    def look(self) -> None:
        """Plan what waits."""
        store = self._cycles.app.store
        waiting = store.waiting(store.now())
        self._take_over(waiting)
        at = next_pass(waiting, self._cycles, self._clock())
        if at is not None:
            self._scheduler.wake(DUE, at)

    def source(self, name: str, schedule: Schedule) -> None:
        """Read a source, unless another process began to since we did: then after its turn."""
        store = self._cycles.app.store
        now = store.now()
        lease = f"source:{name}"
        held = store.waiting(now).leases.get(lease)
        at = next_read(held, self._read.get(name), schedule, now)
        if at > now:
            self._cycles.leave(name)
            self._scheduler.wake(job_of(name), self._clock() + (at - now))
            return
        try:
            self._cycles.source(name)
        finally:
            self._read[name] = self._cycles.app.epochs.get(lease, 0)

    def _take_over(self, waiting: Waiting) -> None:
        for name, held in waiting.leases.items():
            met = (name, held.epoch)
            if not held.orphaned or met in self._met:
                continue
            self._met.add(met)
            _log.info("taking_over", lease=name, epoch=held.epoch)
            kind, _, of = name.partition(":")
            if kind == "source":
                self._scheduler.wake(job_of(of))
            else:
                self._cycles.owe()
                self._scheduler.wake(DUE)


def next_read(held: Held | None, ours: int | None, schedule: Schedule, now: datetime) -> datetime:
    """When to read a source; ``now``: at once.

    ``ours``: the epoch of its lease when we read it last, None if we did not since we began: a
    start is a reason to read. All by the clock of leases.
    """
    if held is None or ours is None or held.epoch == ours or held.orphaned:
        return now
    return max(now, schedule.after(min(held.since, now)))


def next_pass(waiting: Waiting, cycles: Cycles, now: datetime) -> datetime | None:
    """When to evaluate for what waits; None: nothing is in sight, or it could not be decided."""
    # a copy: pushes add to it meanwhile, in threads of their own
    put_off = tuple(cycles.put_off)
    if put_off and not any(_live(waiting, lease) for lease in put_off):
        cycles.put_off.clear()
        return now
    if cycles.insufficient_data:
        return None
    if _live(waiting, "segment"):
        # what is due by now is evaluated, or found by the next look
        return waiting.due if waiting.due is not None and waiting.due > now else None
    passed = min(cycles.passed_at, now)
    again = passed + PAUSE if passed > now - PAUSE else now
    wishes = []
    if waiting.due is not None:
        # not covered by the last pass: it became due while that went on, or another process
        # set the instant
        wishes.append(waiting.due if waiting.due > passed else again)
    if waiting.dirty and waiting.quiet():
        wishes.append(again)
    return min(wishes, default=None)


def _live(waiting: Waiting, lease: str) -> bool:
    held = waiting.leases.get(lease)
    return held is not None and held.live
