"""What a supervisor asks: is the process alive, and may work be sent to it.

Liveness looks at nothing but the main loop: an outage of the database or of a platform is no
reason to restart. Readiness does not look at the platforms either: it tells whether this process
does its own part.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

Check = Callable[[], str | None]
"""What is wrong, in one sentence without personal data; None if nothing is."""


class Phase(StrEnum):
    """Where the process stands between its start and its end."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


@dataclass
class Health:
    """Shared by the main loop, which beats, and the web server, which asks."""

    silence: float = 30.0
    """Seconds without a beat after which the main loop counts as hung."""
    monotonic: Callable[[], float] = time.monotonic
    phase: Phase = Phase.STARTING
    checks: list[Check] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._beaten = self.monotonic()

    def beat(self) -> None:
        """Say that the main loop goes round."""
        self._beaten = self.monotonic()

    def alive(self) -> bool:
        """Whether the main loop went round lately."""
        return self.monotonic() - self._beaten < self.silence

    def obstacles(self) -> list[str]:
        """Why the process is not ready; empty if it is."""
        if self.phase is not Phase.RUNNING:
            return [str(self.phase)]
        return [problem for check in self.checks if (problem := check()) is not None]
