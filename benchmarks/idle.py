"""A daemon that has nothing to do: what it takes while it waits.

    python -m benchmarks.idle STORE

The store's shop ended at ``shops.END``; the daemon runs by the clock, so it first does what became
due since. Then a minute is measured, in which a shop without news is asked once at most.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.measure import ROOT, cpu_of, measured, memory
from benchmarks.rules import config
from benchmarks.shops import END

MINUTE = 60.0
_LOOK = 5.0
_QUIET = 0.02
"""The share of a core below which it has settled."""
_PATIENCE = 1_800.0


def main(store: str) -> None:
    """Start a shop and a daemon, wait, measure."""
    if datetime.now(UTC) < END:
        raise SystemExit(f"the clock must be past {END:%Y-%m-%d} for this measurement")
    with server(0, 0) as shop, tempfile.TemporaryDirectory(prefix="segmentd-bench-") as folder:
        path = Path(folder) / "segmentd.toml"
        text = config(store).replace("token_env", f'base_url = "{shop}"\nevery = "2m"\ntoken_env')
        path.write_text(f"{text}\n[web]\nport = 0\n")
        with _daemon(path) as pid:
            _settle(pid)
            with measured("idle") as noted:
                before = cpu_of(pid)
                time.sleep(MINUTE)
                noted["share"] = (cpu_of(pid) - before) / MINUTE
                noted["daemon_pss"], noted["daemon_rss"] = memory(pid)


@contextmanager
def server(orders: int, customers: int, *options: str) -> Iterator[str]:
    """A shop to be read, at an address of this machine."""
    command = [sys.executable, "-m", "benchmarks.shop_server", str(orders), str(customers)]
    process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.terminate()
        process.wait()


@contextmanager
def _daemon(path: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "segmentd", "--config", str(path), "run"]
    environment = {**os.environ, "BENCH_TOKEN": "shpat_bench"}
    with (path.parent / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=ROOT)
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait()


def _settle(pid: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    before, quiet = cpu_of(pid), 0
    # a process that waits for its first job is quiet, too
    while quiet < 3:
        time.sleep(_LOOK)
        now = cpu_of(pid)
        quiet = quiet + 1 if now - before < _QUIET * _LOOK else 0
        before = now
        if time.monotonic() > deadline:
            raise SystemExit("the daemon does not settle")


if __name__ == "__main__":
    main(*sys.argv[1:])
