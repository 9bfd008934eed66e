"""Measure, and write the tables of ``docs/performance.md``.

    PYTHONPATH=tests python -m benchmarks [PART ...] [--size SIZE ...] [--rounds N] [--no-postgres]
    python -m benchmarks write        only write the tables of what was measured before
    python -m benchmarks clean        remove all that is kept under benchmarks/.data

No part: all of them. The results of parts that are not run stay as they were.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from benchmarks import report
from benchmarks.parts import PARTS, POSTGRES_TOO, SIZELESS
from benchmarks.stores import SIZES, SqliteStores, Stores, clean, postgres


def main() -> None:
    """Run the parts that are named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "parts", nargs="*", metavar="PART", help=" ".join([*PARTS, "write", "clean"])
    )
    parser.add_argument("--size", nargs="+", choices=list(SIZES), default=["10k", "200k"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--no-postgres", action="store_true")
    given = parser.parse_args()
    if unknown := set(given.parts) - {*PARTS, "write", "clean"}:
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    if given.parts == ["clean"]:
        clean()
    elif given.parts != ["write"]:
        _run(given.parts or list(PARTS), given.size, given.rounds, sqlite_only=given.no_postgres)
    if given.parts != ["clean"]:
        report.write()


def _run(parts: Sequence[str], sizes: Sequence[str], rounds: int, *, sqlite_only: bool) -> None:
    for stores in _stores(sqlite_only=sqlite_only):
        for part in parts:
            if stores.name != "SQLite" and part not in POSTGRES_TOO:
                continue
            for size in ["-"] if part in SIZELESS else sizes:
                load = os.getloadavg()[0]
                print(f"{part} {size} {stores.name}", file=sys.stderr)
                rows = PARTS[part](stores, size, rounds)
                report.keep(part, size, stores.name, rows, load)


def _stores(*, sqlite_only: bool) -> Iterator[Stores]:
    yield SqliteStores()
    if not sqlite_only:
        with ExitStack() as stack:
            yield stack.enter_context(postgres())


if __name__ == "__main__":
    main()
