"""Sync cycles in processes of their own, killed at a chosen point.

Three ways to choose the point. A *boundary*: before or after the n-th statement, commit or HTTP
exchange, counted by hooks in the process; needs nothing but Python. A *system call*: the n-th of
one kind, by strace. A *moment*: so many seconds after the start.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

KILLED = -9
PATIENCE = 90.0
"""Seconds after which a cycle counts as stuck; none takes them when all is well."""


@dataclass(frozen=True)
class Kill:
    """Where the process dies."""

    kind: str
    """``boundary``, ``moment``, or the name of a system call."""
    at: float
    """Which one, from 1; for a moment, seconds after the start."""


@dataclass(frozen=True)
class Errand:
    """What a process is to do."""

    config: str
    now: str
    steps: Sequence[str]
    """``sync``, or ``recompute``: evaluate everybody, which must find nothing new."""
    kill: Kill | None = None
    bug: str | None = None
    """A fault of ``planted`` to do it with."""
    count: str | None = None
    """Count this kind of point: ``boundary`` or a system call."""


@dataclass
class End:
    """How a process ended."""

    code: int
    """As of a shell, but negative for a signal; 1 with a traceback on stderr."""
    seconds: float
    points: int = 0
    """Of the kind that was to be counted."""
    exposed: list[int] = field(default_factory=list)
    """Boundaries at which the planted fault had done harm that a crash would make last."""
    changes: int = 0
    """Memberships that a recomputation found wrong."""


class Nursery:
    """A process that has everything imported and forks another one for every errand."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "journeys.cycles"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # without what makes coverage measure it: it would be half as fast, and those who are
            # killed leave no data
            env={
                **{name: v for name, v in os.environ.items() if not name.startswith("COVERAGE")},
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            },
            start_new_session=True,
        )

    def run(
        self,
        config: Path,
        now: datetime,
        *steps: str,
        kill: Kill | None = None,
        bug: str | None = None,
        count: str | None = None,
    ) -> End:
        """Do some steps in a new process; returns once it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        errand = Errand(str(config), now.isoformat(), steps or ["sync"], kill, bug, count)
        self._process.stdin.write(json.dumps(dataclasses.asdict(errand)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the nursery died"
        return End(**json.loads(answer))

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()


@contextmanager
def nursery() -> Iterator[Nursery]:
    """Start one; ended with the block."""
    started = Nursery()
    try:
        yield started
    finally:
        started.close()
