"""One sync cycle in a process of its own, killed at a chosen point.

Two ways to choose the point. ``boundary``: before or after the n-th statement, commit or HTTP
exchange, counted by hooks in the child; needs nothing but Python. ``syscall``: at the n-th call of
one kind, injected by strace. The child is forked by a server that never opened the database.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(
    [
        "pandas",
        "sqlmodel",
        "httpx",
        "segmentd.bootstrap",
        "segmentd.store.pull",
        "segmentd.segmenter.evaluate",
        "segmentd_klaviyo.destination",
        "segmentd_shopify.destination",
        "segmentd_shopify.source",
        "segmentd_woocommerce.destination",
        "segmentd_woocommerce.source",
    ]
)


@dataclass(frozen=True)
class Kill:
    """Where the cycle dies; ``bug`` names a planted fault to run with."""

    kind: str
    """``boundary``, or the name of a system call."""
    at: int
    bug: str | None = None


def run(config: Path, now: datetime, kill: Kill | None = None, bug: str | None = None) -> int:
    """Run one cycle; returns the exit code, negative for a signal."""
    process = CONTEXT.Process(target=_child, args=(str(config), now, kill, bug))
    process.start()
    process.join(timeout=90)
    if process.exitcode is None:
        process.kill()
        process.join()
        raise AssertionError("the cycle did not end within 90 s")
    return process.exitcode


def run_killed_after(config: Path, now: datetime, seconds: float) -> int:
    """Run one cycle and kill it from outside after ``seconds``."""
    process = CONTEXT.Process(target=_child, args=(str(config), now, None, None))
    process.start()
    process.join(timeout=seconds)
    if process.exitcode is None:
        process.kill()
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def count_boundaries(config: Path, now: datetime, folder: Path) -> int:
    """How many boundaries one cycle has."""
    report = folder / "boundaries"
    process = CONTEXT.Process(target=_count, args=(str(config), now, str(report)))
    process.start()
    process.join()
    assert process.exitcode == 0
    return int(report.read_text())


def _child(config: str, now: datetime, kill: Kill | None, bug: str | None) -> None:
    os.setsid()
    if bug:
        from journeys import planted

        planted.plant(bug)
    if kill and kill.kind == "boundary":
        _Boundaries(kill.at).watch()
    elif kill:
        _attach_strace(kill)
    _cycle(config, now)


def _count(config: str, now: datetime, report: str) -> None:
    boundaries = _Boundaries(None)
    boundaries.watch()
    _cycle(config, now)
    Path(report).write_text(str(boundaries.passed))


def _cycle(config: str, now: datetime) -> None:
    from segmentd.bootstrap import open_app
    from segmentd.config import load_config

    app = open_app(load_config(Path(config)), clock=lambda: now)
    try:
        app.sync().check()
    finally:
        app.close()


class _Boundaries:
    """Counts the moments between two steps, and ends the process at the chosen one."""

    def __init__(self, at: int | None) -> None:
        self.at = at
        self.passed = 0

    def watch(self) -> None:
        from sqlalchemy import event
        from sqlalchemy.engine import Engine

        from segmentd.sdk.http import HttpClient

        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(Engine, name, self._pass)
        exchange: Callable[..., Any] = HttpClient.request

        def request(client: HttpClient, *args: Any, **kwargs: Any) -> Any:
            self._pass()
            answer = exchange(client, *args, **kwargs)
            self._pass()
            return answer

        HttpClient.request = request  # type: ignore[method-assign]

    def _pass(self, *_: object) -> None:
        self.passed += 1
        if self.passed == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def _attach_strace(kill: Kill) -> None:
    """Let strace kill this process at its n-th call of one kind; wait until it watches."""
    subprocess.Popen(
        [
            "strace",
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-p",
            str(os.getpid()),
            "-e",
            f"trace={kill.kind}",
            "-e",
            f"inject={kill.kind}:signal=KILL:when={kill.at}",
        ],
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    )
    status = Path("/proc/self/status")
    while "TracerPid:\t0" in status.read_text():
        time.sleep(0.002)
