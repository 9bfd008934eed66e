"""What the daemon's jobs do: pull one source, segment, push, and note how each connector fares."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

import structlog

from segmentd.bootstrap import App
from segmentd.domain.errors import (
    AuthError,
    ConfigError,
    LockedError,
    SafetyStop,
    SegmentdError,
    Stopping,
)
from segmentd.logs import redact
from segmentd.sdk.contract import Action
from segmentd.web.metrics import Metrics

_log = structlog.get_logger("segmentd.run")


@dataclass
class Standing:
    """How one connector fares."""

    state: str = "waiting"
    """``waiting``, ``ok``, ``failing`` (tried again), ``busy`` (another process has it), ``held``
    (a guard waits for a person) or ``needs attention`` (stopped until restart or reload)."""
    last_success: datetime | None = None
    error: str | None = None
    """The class of the last error."""
    message: str | None = None
    hint: str | None = None


_COUNT_SECONDS = 600.0

_STATES: tuple[tuple[type[SegmentdError], str], ...] = (
    (AuthError, "needs attention"),
    (ConfigError, "needs attention"),
    (SafetyStop, "held"),
    (LockedError, "busy"),
    (SegmentdError, "failing"),
)


@dataclass
class Cycles:
    """The jobs of one daemon; each method may run in any thread, pulls side by side."""

    app: App
    metrics: Metrics
    stopping: threading.Event
    on_stopped: Callable[[str], None] = lambda _source: None
    """Called with a source that needs a person: it is to be pulled no more."""
    standings: dict[str, Standing] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._run = uuid.uuid4().hex[:8]
        self._numbers = count(1)
        self._count_at = 0.0
        # evaluation and push of one cycle after the other: they read what the others write
        self._turn = threading.Lock()

    def source(self, name: str) -> None:
        """Pull one source, then segment and push."""
        with self._cycle(name) as facts:
            self._pull(name, facts)
            self._deliver(facts)

    def due(self) -> None:
        """Segment and push what became due with time."""
        with self._cycle("due") as facts:
            self._deliver(facts)

    def restart(self, app: App) -> None:
        """Go on with another configuration; what was stopped is tried again."""
        self.app = app
        known = app.config.sources.keys() | app.config.destinations.keys()
        for name in list(self.standings):
            if name not in known:
                del self.standings[name]
            elif self.standings[name].state == "needs attention":
                self.standings[name].state = "waiting"

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

    def _pull(self, name: str, facts: dict[str, Any]) -> None:
        outcome = self.app.pull([name])
        for summary in outcome.done:
            facts.update(read=summary.read, written=summary.written)
            self.metrics.pulled(summary)
            for stream in summary.streams:
                watermark = self.app.store.cursor(name, stream.stream).watermark
                if watermark is not None:
                    self.metrics.known_until(name, stream.stream, watermark)
            self._succeeded(name)
        for error in outcome.failed.values():
            facts.setdefault("failed", []).append(name)
            self._failed(name, error)
            if self.standings[name].state == "needs attention":
                self.on_stopped(name)

    def _deliver(self, facts: dict[str, Any]) -> None:
        with self._turn:
            if self.stopping.is_set():
                raise Stopping("segmentd is stopping")
            done = self.app.segment()
            facts.update(evaluated=done.evaluated, entered=done.entered, left=done.left)
            facts["insufficient_data"] = done.insufficient_data or None
            # who they are is personal; segmentd segment tells
            facts["unknown_pins"] = len(done.warnings) or None
            self._push(facts)
            self._count()

    def _push(self, facts: dict[str, Any]) -> None:
        names = self._reachable()
        if self.app.config.paused or not names:
            facts["paused"] = self.app.config.paused or None
            return
        outcome = self.app.push(names)
        for summary in outcome.done:
            self.metrics.pushed(summary)
            self._succeeded(summary.destination)
        facts["added"] = sum(summary.added for summary in outcome.done)
        facts["removed"] = sum(summary.removed for summary in outcome.done)
        facts["rejected"] = sum(summary.rejected for summary in outcome.done) or None
        for name, error in outcome.failed.items():
            facts.setdefault("failed", []).append(name)
            if isinstance(error, SafetyStop):
                self._count_held(name)
            self._failed(name, error)

    def _count(self) -> None:
        """Figures that cost a look at whole tables: not with every cycle."""
        if time.monotonic() < self._count_at:
            return
        self._count_at = time.monotonic() + _COUNT_SECONDS
        state = self.app.store.status()
        for segment in state.segments:
            self.metrics.members(segment.segment, segment.size)
        self.metrics.quarantined(state.rejected)

    def _reachable(self) -> list[str]:
        return [
            name
            for name in self.app.config.destinations
            if self._standing(name).state != "needs attention"
        ]

    def _count_held(self, name: str) -> None:
        for plan in self.app.plan([name]).done:
            self.metrics.held(name, plan.count(Action.REMOVE).total())

    def _standing(self, name: str) -> Standing:
        return self.standings.setdefault(name, Standing())

    def _succeeded(self, name: str) -> None:
        standing = self._standing(name)
        if standing.error is not None:
            _log.info("recovered", of=name)
        self.standings[name] = Standing("ok", datetime.now(UTC))
        self.metrics.succeeded(name)

    def _failed(self, name: str, error: SegmentdError) -> None:
        before = self._standing(name)
        state = next(state for kind, state in _STATES if isinstance(error, kind))
        now = Standing(
            state, before.last_success, type(error).__name__, redact(error.message), error.hint
        )
        self.standings[name] = now
        self.metrics.failed(name, error)
        if (before.error, before.message) != (now.error, now.message):
            # told once, and then only counted, until it changes or ends
            _log.warning(
                state.replace(" ", "_"),
                of=name,
                error_class=now.error,
                reason=now.message,
                hint=now.hint,
            )
