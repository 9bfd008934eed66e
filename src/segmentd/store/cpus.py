"""How many processors this process may use: all that its machine has, or what a container is given.

Linux tells of the latter in files (kernel: admin-guide/cgroup-v2, cpu.max; scheduler/sched-bwc).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN = Path("/proc/self/cgroup")
_FILES = (("cpu.max",), ("cpu.cfs_quota_us", "cpu.cfs_period_us"))
"""Of the second and of the first version of control groups: the time in each period."""
_UNLIMITED = {"max", "-1"}


def usable() -> int:
    """At least one; a part of a processor counts as one."""
    # not there on macOS
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min([here or 1, *(math.ceil(quota) for quota in _quotas())])


def _quotas() -> Iterator[float]:
    """What each limited group may use that this process is in, with all others in it."""
    for folder in _groups():
        for names in _FILES:
            with suppress(OSError):
                quota, period = " ".join((folder / name).read_text() for name in names).split()
                if quota not in _UNLIMITED:
                    yield int(quota) / int(period)


def _groups() -> Iterator[Path]:
    """The groups that this process is in; in a container the inner ones may be all that is seen."""
    with suppress(OSError):
        for line in OWN.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if not controllers or "cpu" in controllers.split(","):
                root = GROUPS / "cpu" if controllers else GROUPS
                own = root / path.lstrip("/")
                yield from (own, *own.parents)
