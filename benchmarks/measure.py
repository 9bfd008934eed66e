"""Wall clock, CPU and memory of what a benchmark does, with all processes that it starts.

A *side* is one of the things compared: a function that runs in a process of its own and marks what
counts with ``measured``. CPU is that of the side, its workers and, on PostgreSQL, the server.
Memory is the highest sum over the side's processes, looked at five times a second: PSS counts a
page that several share once, RSS once for each.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SERVER = "BENCH_SERVER_PID"
"""Names the environment variable with the process of the database server."""
_MARK = "measured "
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_MIB = 1024 * 1024
_LOOK = 0.2


@dataclass
class Side:
    """What came of one side in one run."""

    seconds: dict[str, dict[str, float]] = field(default_factory=dict)
    """Name → ``wall``, ``cpu`` and whatever else was noted."""
    pss: float = 0.0
    """MiB, the highest."""
    rss: float = 0.0


@contextmanager
def measured(name: str) -> Iterator[dict[str, Any]]:
    """Measure a block and print the figures; what is put into the dictionary goes with them."""
    noted: dict[str, Any] = {}
    cpu, wall = _cpu(), time.perf_counter()
    yield noted
    wall, cpu = time.perf_counter() - wall, _cpu() - cpu
    print(_MARK + json.dumps({"name": name, "wall": wall, "cpu": cpu, **noted}), flush=True)


def run_side(module: str, *arguments: str) -> Side:
    """Run ``python -m MODULE ARGUMENTS`` and gather what it measured."""
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    side, ended = Side(), threading.Event()
    watcher = threading.Thread(target=_watch, args=(process.pid, side, ended))
    watcher.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith(_MARK):
                figures = json.loads(line.removeprefix(_MARK))
                side.seconds[figures.pop("name")] = figures
            else:
                print(line, end="", file=sys.stderr)
    finally:
        ended.set()
        watcher.join()
    if process.wait():
        raise SystemExit(f"python -m {module} {' '.join(arguments)} failed")
    return side


def medians(sides: Sequence[Side]) -> dict[str, dict[str, float]]:
    """Of several runs of one side: name → the medians of its figures, and of the memory."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for side in sides:
        for name, figures in side.seconds.items():
            for key, value in {**figures, "pss": side.pss, "rss": side.rss}.items():
                found[name][key].append(value)
    return {
        name: {key: statistics.median(values) for key, values in figures.items()}
        for name, figures in found.items()
    }


def memory(pid: int) -> tuple[float, float]:
    """MiB of a process and its children now: PSS and RSS."""
    pss = rss = 0.0
    for each in _tree(pid):
        try:
            rolled = Path(f"/proc/{each}/smaps_rollup").read_text()
        except OSError:
            continue
        sizes = {key.rstrip(":"): rest for key, *rest in map(str.split, rolled.splitlines()[1:])}
        pss += int(sizes["Pss"][0]) / 1024
        rss += int(sizes["Rss"][0]) / 1024
    return pss, rss


def cpu_of(pid: int) -> float:
    """Seconds that a process and its children have used, those that ended included."""
    return sum(_used(each) for each in _tree(pid))


def _cpu() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    total = time.process_time() + ended.ru_utime + ended.ru_stime
    total += sum(_used(child) for child in _tree(os.getpid())[1:])
    server = os.environ.get(SERVER)
    return total + (cpu_of(int(server)) if server else 0.0)


def _watch(pid: int, side: Side, ended: threading.Event) -> None:
    while not ended.wait(_LOOK):
        pss, rss = memory(pid)
        side.pss, side.rss = max(side.pss, pss), max(side.rss, rss)


def _used(pid: int) -> float:
    """Of one process: its own time and that of its children that ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    # the name of the program stands in parentheses and may hold spaces
    fields = stat.rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS


def _tree(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        try:
            threads = list(Path(f"/proc/{parent}/task").iterdir())
            found += [int(c) for t in threads for c in (t / "children").read_text().split()]
        except OSError:
            continue
    return found
