"""What a benchmark starts: a module of this name is not run again by workers that are spawned, and
so is that of the command (``multiprocessing.spawn``)."""

from __future__ import annotations

import sys

from benchmarks.passes import KINDS

if __name__ == "__main__":
    KINDS[sys.argv[1]](*sys.argv[2:])
