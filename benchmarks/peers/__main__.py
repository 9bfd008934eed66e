"""One peer's whole pass, measured: ``python -m benchmarks.peers NAME URL``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from benchmarks.measure import measured
from benchmarks.peers import reading
from benchmarks.peers.writing import keys, stored_keys, write
from benchmarks.rules import RULES

PEERS: Mapping[str, tuple[str, Callable[[str], Mapping[str, Any]]]] = {
    "pandas": ("benchmarks.peers.by_pandas", reading.frames),
    "pandas read_sql": ("benchmarks.peers.by_pandas", reading.frames_by_sql),
    "DuckDB": ("benchmarks.peers.by_duckdb", reading.arrow),
    "Polars": ("benchmarks.peers.by_polars", reading.arrow),
}
"""Name → the module that decides, and how the tables are read."""


def main(name: str, url: str) -> None:
    """Read, decide, compare, write; then once more, with nothing to change."""
    module, read = PEERS[name]
    decide = import_module(module).decide
    for title in ("full pass", "full pass, nothing to change"):
        with measured(title) as noted:
            noted["changes"] = _pass(url, read, decide)


def _pass(
    url: str,
    read: Callable[[str], Mapping[str, Any]],
    decide: Callable[[Mapping[str, Any]], tuple[Any, Mapping[str, Any]]],
) -> int:
    tables = read(url)
    stored = stored_keys(tables["memberships"], sorted(RULES))
    profiles, members = decide(tables)
    assert members.keys() == RULES.keys()
    return write(url, keys(profiles, members), stored, sorted(RULES))


if __name__ == "__main__":
    main(*sys.argv[1:])
