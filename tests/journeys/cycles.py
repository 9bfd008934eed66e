"""Does errands of ``crash.Nursery``: for each a fork of this process, which has all imported.

Reads one errand as JSON per line of stdin and answers with its end, until stdin is closed.
Never opens the database itself: a connection must not be carried over a fork (sqlite.org,
"How To Corrupt An SQLite Database File", 2.6).
"""

from __future__ import annotations

import dataclasses
import gc
import importlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine

from journeys import planted
from journeys.crash import PATIENCE, End, Errand, Kill
from segmentd import plugins
from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.sdk.contract import Runtime
from segmentd.sdk.http import HttpClient
from segmentd.segmenter.parser import parse

_LATE = ("alembic", "pandas", "psycopg", "encodings.idna", "segmentd.store.publish")
"""Imported when first needed, which would be in every fork anew."""


def _warm_up() -> None:
    for name in _LATE:
        importlib.import_module(name)
    for name in ("shopify", "woocommerce", "klaviyo"):
        plugins.destination(name)
        if name != "klaviyo":
            plugins.source(name)
    parse("amount_spent >= 1")
    # reads the certificates
    HttpClient("http://127.0.0.1", Runtime()).close()
    gc.collect()
    gc.freeze()


def main() -> None:
    """Serve until stdin is closed."""
    _warm_up()
    for line in sys.stdin:
        given = json.loads(line)
        kill = given.pop("kill")
        errand = Errand(**given, kill=Kill(**kill) if kill else None)
        with tempfile.TemporaryFile("w+") as report:
            end = _do(errand, report)
        print(json.dumps(dataclasses.asdict(end)), flush=True)  # noqa: T201 - the answer


def _do(errand: Errand, report: Any) -> End:
    may_begin, begin = os.pipe()
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(begin)
        os.read(may_begin, 1)
        os._exit(_child(errand, report))
    os.close(may_begin)
    with tempfile.NamedTemporaryFile("r") as log:
        tracer = _trace(errand, child, log.name)
        os.write(begin, b".")
        os.close(begin)
        end = End(_wait(child, errand.kill), time.monotonic() - begun)
        if tracer is not None:
            tracer.wait(PATIENCE)
            end.points = sum("(" in line for line in log)
    report.seek(0)
    text = report.read()
    return dataclasses.replace(end, **json.loads(text)) if text else end


def _trace(errand: Errand, child: int, log: str) -> subprocess.Popen[bytes] | None:
    """Have strace count a system call of ``child``, or kill it at the n-th; once it watches."""
    call = errand.kill.kind if errand.kill else errand.count
    if call in {None, "boundary", "moment"}:
        return None
    arguments = ["-e", f"trace={call}"]
    if errand.kill:
        arguments += ["-e", f"inject={call}:signal=KILL:when={errand.kill.at}"]
    tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", log, "-p", str(child), *arguments])
    status = Path(f"/proc/{child}/status")
    while "TracerPid:\t0" in status.read_text():
        if tracer.poll() is not None:
            raise RuntimeError("strace does not run here")
        time.sleep(0.002)
    return tracer


def _wait(child: int, kill: Kill | None) -> int:
    """The exit code of ``child``, which is killed if its moment has come."""
    at = kill.at if kill and kill.kind == "moment" else None
    handle = os.pidfd_open(child)
    try:
        ended, _, _ = select.select([handle], [], [], PATIENCE if at is None else at)
    finally:
        os.close(handle)
    if not ended:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if not ended and at is None:
        raise RuntimeError("a cycle does not end")
    return os.waitstatus_to_exitcode(status)


def _child(errand: Errand, report: Any) -> int:
    try:
        with Path(os.devnull).open() as nothing:
            os.dup2(nothing.fileno(), sys.stdin.fileno())
        boundaries = _Boundaries(errand.kill)
        if "boundary" in (errand.count, errand.kill and errand.kill.kind):
            boundaries.watch()
        if errand.bug:
            planted.plant(errand.bug)
        changes = _steps(errand)
        facts = {"exposed": boundaries.exposed, "changes": changes}
        if errand.count == "boundary":
            facts["points"] = boundaries.passed
        json.dump(facts, report)
        report.flush()
    except BaseException:  # noqa: BLE001 - nothing of the parent may run on in a fork of it
        traceback.print_exc()
        return 1
    return 0


def _steps(errand: Errand) -> int:
    now = datetime.fromisoformat(errand.now)
    app = open_app(load_config(Path(errand.config)), clock=lambda: now)
    try:
        return sum(_STEPS[step](app) for step in errand.steps)
    finally:
        app.close()


def _sync(app: App) -> int:
    app.sync().check()
    return 0


def _recompute(app: App) -> int:
    summary = app.segment(full=True)
    assert summary.full
    return summary.entered + summary.left


_STEPS: dict[str, Callable[[App], int]] = {"sync": _sync, "recompute": _recompute}


class _Boundaries:
    """Counts the moments between two steps, and ends the process at the chosen one."""

    def __init__(self, kill: Kill | None) -> None:
        self._at = kill.at if kill and kill.kind == "boundary" else None
        self.passed = 0
        self.exposed: list[int] = []

    def watch(self) -> None:
        for name in ("before_cursor_execute", "after_cursor_execute", "commit"):
            event.listen(Engine, name, self._pass)
        exchange: Callable[..., Any] = HttpClient.request

        def request(client: HttpClient, *args: Any, **kwargs: Any) -> Any:
            self._pass()
            answer = exchange(client, *args, **kwargs)
            self._pass()
            return answer

        HttpClient.request = request  # type: ignore[assignment, method-assign]

    def _pass(self, *_: object) -> None:
        self.passed += 1
        if planted.exposed:
            self.exposed.append(self.passed)
        if self.passed == self._at:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
