"""How each connector fares: for ``/statusz``, the metrics, and one line of log when it changes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from segmentd.config import Config
from segmentd.domain.errors import (
    AuthError,
    ConfigError,
    LockedError,
    SafetyStop,
    SegmentdError,
)
from segmentd.logs import redact
from segmentd.web.metrics import Metrics

_log = structlog.get_logger("segmentd.run")

NEEDS_ATTENTION = "needs attention"


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
    warnings: Sequence[str] = ()
    """What the platform said of itself at the last success that a person ought to know."""


_STATES: tuple[tuple[type[SegmentdError], str], ...] = (
    (AuthError, NEEDS_ATTENTION),
    (ConfigError, NEEDS_ATTENTION),
    (SafetyStop, "held"),
    (SegmentdError, "failing"),
)


@dataclass
class Standings:
    """Of all connectors of one daemon, by name."""

    metrics: Metrics
    all: dict[str, Standing] = field(default_factory=dict)

    def of(self, name: str) -> Standing:
        """One of them; who was never tried waits."""
        return self.all.setdefault(name, Standing())

    def needs_attention(self, name: str) -> bool:
        """Whether it is left alone until a person did something."""
        return self.of(name).state == NEEDS_ATTENTION

    def restart(self, config: Config) -> None:
        """Forget who is configured no more; what was stopped is tried again."""
        known = config.sources.keys() | config.destinations.keys()
        for name in list(self.all):
            if name not in known:
                del self.all[name]
            elif self.needs_attention(name):
                self.all[name].state = "waiting"

    def succeeded(self, name: str, warnings: Sequence[str] = ()) -> None:
        """It was read or written to the end."""
        before = self.of(name)
        if before.error is not None:
            _log.info("recovered", of=name)
        told = [redact(warning) for warning in warnings]
        for warning in told:
            if warning not in before.warnings:
                _log.warning("warned", of=name, reason=warning)
        self.all[name] = Standing("ok", datetime.now(UTC), warnings=told)
        self.metrics.succeeded(name)

    def failed(self, name: str, error: SegmentdError) -> None:
        """It was not. That another process is at work there is no failure."""
        before = self.of(name)
        if isinstance(error, LockedError):
            self.all[name] = replace(before, state="busy", message=redact(error.message), hint=None)
            return
        state = next(state for kind, state in _STATES if isinstance(error, kind))
        now = Standing(
            state,
            before.last_success,
            type(error).__name__,
            redact(error.message),
            error.hint,
            before.warnings,
        )
        self.all[name] = now
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
