"""What the daemon's jobs do: pull and segment, or push, and note how each connector fares."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import structlog

from segmentd.bootstrap import App
from segmentd.cli.standings import Standings
from segmentd.domain.errors import (
    LockedError,
    SafetyStop,
    SegmentdError,
    Stopping,
    UndecidedError,
)
from segmentd.sdk.contract import Action
from segmentd.store.waiting import Verified
from segmentd.web.metrics import Metrics

_log = structlog.get_logger("segmentd.run")

NEVER = datetime.min.replace(tzinfo=UTC)
_COUNT_SECONDS = 600.0
_WEEK = timedelta(days=6, hours=12)
"""Less than seven days by half of one: nights differ in when exactly it begins."""


@dataclass
class Cycles:
    """The jobs of one daemon; each method may run in any thread, pulls and pushes side by side.

    One destination is pushed to by one thread at a time.
    """

    app: App
    metrics: Metrics
    stopping: threading.Event
    on_stopped: Callable[[str], None] = lambda _source: None
    """Called with a source that needs a person: it is to be pulled no more."""
    on_owed: Callable[[str], None] = lambda _destination: None
    """Called with a destination that is to be pushed to, by another thread: that may take an hour,
    and what becomes due meanwhile does not wait."""
    passed_at: datetime = NEVER
    """The ``now`` of the last pass that was tried."""
    insufficient_data: bool = False
    """That pass could decide nothing before a source is read to its end."""
    put_off: set[str] = field(default_factory=set)
    """Leases that another process held when we wanted them."""

    def __post_init__(self) -> None:
        self._run = uuid.uuid4().hex[:8]
        self._numbers = count(1)
        self._count_at = 0.0
        # one pass after the other: the second finds nothing left to do
        self._turn = threading.Lock()
        self._owed = set(self.app.config.destinations)
        self.standings = Standings(self.metrics)

    def source(self, name: str) -> None:
        """Pull one source, then segment, and have pushed what is owed."""
        with self._cycle(name) as facts:
            self._pull(name, facts)
            self._deliver(facts)

    def due(self) -> None:
        """Segment what became due with time, and have pushed what is owed."""
        with self._cycle("due") as facts:
            self._deliver(facts)

    def push(self, name: str) -> None:
        """Bring a destination to the memberships, if it is owed that and can be pushed to."""
        if name not in self._to_push():
            return
        with self._cycle(name) as facts:
            # what comes while we push is owed once more
            self._owed.discard(name)
            done = False
            try:
                done = self._push(name, facts)
            finally:
                if not done:
                    self._owed.add(name)

    def verify(self) -> None:
        """Compute everything anew, unless a daemon did this week, and tell where the store differs.

        Reads only: pulls, passes and pushes go on beside it.
        """
        before = self.app.store.verified()
        if before is not None and self.app.clock() - before.at < _WEEK:
            return
        with self._cycle("verify") as facts:
            try:
                with self.app.lease("verify") as held:
                    found = self.app.verify()
                    if not found.insufficient_data:
                        verified = Verified(found.now, found.differences)
                        self.app.store.save_verified(held.lease, verified)
            except LockedError:
                facts["busy"] = ["verify"]
                return
            facts.update(profiles=found.profiles, differences=found.differences)
            facts["insufficient_data"] = found.insufficient_data or None
        if not found.same:
            _log.error(
                "store_differs",
                differences=found.differences,
                of=sorted({each.of or each.what for each in found.differing}),
                hint="segmentd verify",
            )

    def note_verified(self) -> Verified | None:
        """What the last verification found, whoever made it; brings the metrics up to date."""
        verified = self.app.store.verified()
        if verified is not None:
            self.metrics.verified(verified.at, verified.differences)
        return verified

    def leave(self, name: str) -> None:
        """Do not read a source now: another process did, in its turn."""
        turn = LockedError(f"{name} is read in turn with another process")
        self.standings.failed(name, turn)
        self._note_lag(name)

    def owe(self) -> None:
        """Every destination is to be compared with the memberships once more."""
        self._owed.update(self.app.config.destinations)

    def restart(self, app: App) -> None:
        """Go on with another configuration; what was stopped is tried again."""
        self.app = app
        self.standings.restart(app.config)
        self.metrics.keep_only(
            app.config.sources.keys() | app.config.destinations.keys(),
            {segment.key for segment in app.config.segments},
        )
        self.owe()

    @contextmanager
    def _cycle(self, name: str) -> Iterator[dict[str, Any]]:
        begun = time.monotonic()
        facts: dict[str, Any] = {}
        with structlog.contextvars.bound_contextvars(
            run_id=self._run, cycle=next(self._numbers), connector=name
        ):
            try:
                yield facts
            finally:
                seconds = time.monotonic() - begun
                self.metrics.cycle_ended(name, seconds)
                for connector, meter in list(self.app.meters.items()):
                    self.metrics.traffic(connector, meter)
                facts["stopped"] = self.stopping.is_set() or None
                shown = {key: value for key, value in facts.items() if value is not None}
                _log.info("cycle", duration_ms=round(seconds * 1000), **shown)
                self.app.rest()

    def _pull(self, name: str, facts: dict[str, Any]) -> None:
        outcome = self.app.pull([name])
        for summary in outcome.done:
            facts.update(read=summary.read, written=summary.written)
            self.metrics.pulled(summary)
            if any(stream.written or stream.removed for stream in summary.streams):
                # the shop may have other tags than we put there
                self.owe()
            self.standings.succeeded(name, summary.warnings)
        for error in outcome.failed.values():
            self._failed(name, error, facts)
            if self.standings.needs_attention(name):
                self.on_stopped(name)
        self._note_lag(name)

    def _note_lag(self, name: str) -> None:
        for stream, watermark in self.app.store.watermarks(name).items():
            self.metrics.known_until(name, stream, watermark)

    def _deliver(self, facts: dict[str, Any]) -> None:
        if self._segment(facts):
            facts["paused"] = self.app.config.paused or None
            for name in self._to_push():
                self.on_owed(name)
            self._count()

    def _to_push(self) -> list[str]:
        """The destinations that are owed something and can be pushed to now."""
        if self.app.config.paused or self.insufficient_data:
            return []
        return [
            name
            for name in self.app.config.destinations
            if name in self._owed and not self.standings.needs_attention(name)
        ]

    def _segment(self, facts: dict[str, Any]) -> bool:
        with self._turn:
            if self.stopping.is_set():
                raise Stopping("segmentd is stopping")
            before, self.passed_at = self.passed_at, self.app.clock()
            try:
                done = self.app.segment()
            except LockedError:
                # who evaluates now does it for us, or leaves the marks for our next look
                self.passed_at = before
                self.put_off.add("segment")
                facts["busy"] = ["segment"]
                return False
            self.insufficient_data = done.insufficient_data
        facts.update(evaluated=done.evaluated, entered=done.entered, left=done.left)
        facts["insufficient_data"] = done.insufficient_data or None
        # who they are is personal; segmentd segment tells
        facts["unknown_pins"] = len(done.warnings) or None
        if done.entered or done.left:
            self.owe()
        return True

    def _push(self, name: str, facts: dict[str, Any]) -> bool:
        """Returns whether it came to its end.

        One that failed is made again with the next cycle, or in a while: not round and round.
        """
        outcome = self.app.push([name])
        for summary in outcome.done:
            self.metrics.pushed(summary)
            facts.update(added=summary.added, removed=summary.removed)
            facts["rejected"] = summary.rejected or None
            if summary.unfinished:
                facts["unfinished"] = True
                self.on_owed(name)
                return False
            if summary.stopped is None:
                self.standings.succeeded(name)
        for error in outcome.failed.values():
            if isinstance(error, UndecidedError):
                # the configuration is another one since the pass: no fault, and the next one mends
                facts["undecided"] = [name]
                continue
            if isinstance(error, SafetyStop):
                self._count_held(name)
            if isinstance(error, LockedError):
                self.put_off.add(f"destination:{name}")
            self._failed(name, error, facts)
        return not outcome.failed

    def _failed(self, name: str, error: SegmentdError, facts: dict[str, Any]) -> None:
        kind = "busy" if isinstance(error, LockedError) else "failed"
        facts[kind] = [name]
        self.standings.failed(name, error)

    def _count(self) -> None:
        """Figures that cost a look at whole tables: not with every cycle."""
        if time.monotonic() < self._count_at:
            return
        self._count_at = time.monotonic() + _COUNT_SECONDS
        state = self.app.store.status()
        for segment in state.segments:
            self.metrics.members(segment.segment, segment.size)
        self.metrics.quarantined(state.rejected)
        self.note_verified()

    def _count_held(self, name: str) -> None:
        for plan in self.app.plan([name]).done:
            self.metrics.held(name, plan.count(Action.REMOVE).total())
