"""What is measured: each part runs its sides in turns and returns the medians."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import product
from pathlib import Path

from benchmarks.idle import server
from benchmarks.measure import Side, medians, run_side
from benchmarks.passes import CHANGES, WARM
from benchmarks.stores import SIZES, Stores, copied

OURS, BARE = "segmentd", "bare loop"
BY_HAND = "pandas over Arrow, by hand"
INGESTED = 20_000
"""Orders that are read page by page."""
FILES = (50_000, 200_000)
"""Orders in the files of bulk operations: memory must not follow them."""
CHANGED = (10, 1_000, 10_000)
_PEERS = {"pandas": BY_HAND, "DuckDB": "DuckDB over Arrow", "Polars": "Polars over Arrow",
          "pandas read_sql": "pandas read_sql"}  # fmt: skip
_MODULES = {"DuckDB": "duckdb", "Polars": "polars"}
_SLOW = "pandas read_sql"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    work: str
    side: str
    wall: float
    cpu: float
    pss: float
    """MiB, the highest of all processes together; 0: not looked at."""
    rss: float
    rounds: int
    noted: Mapping[str, float]


Part = Callable[[Stores, str, int], list[Row]]


def first(stores: Stores, size: str, rounds: int) -> list[Row]:
    """The pass after a backfill: every membership is new."""
    return _rows(OURS, _rounds(stores, stores.filled(size), "first", rounds))


def full(stores: Stores, size: str, rounds: int) -> list[Row]:
    """Full passes that find every twentieth membership missing, and nothing to change."""
    peers = [name for name in _PEERS if _installed(name) and (name != _SLOW or size != "1M")]
    runs: dict[str, list[Side]] = {OURS: [], **{_PEERS[name]: [] for name in peers}}
    spoilt = stores.copy(stores.passed(size))
    run_side("benchmarks.passes", "spoil", spoilt)
    for _ in range(rounds):
        with copied(stores, spoilt) as url:
            runs[OURS].append(run_side("benchmarks.passes", "full", url))
        for name in peers:
            with copied(stores, spoilt) as url:
                runs[_PEERS[name]].append(run_side("benchmarks.peers", name, url))
    stores.drop(spoilt)
    _check_same(runs)
    return [row for side, of_side in runs.items() for row in _rows(side, of_side)]


def cycles(stores: Stores, size: str, _rounds: int) -> list[Row]:
    """Cycles after some customers changed: the first of a process, and those after it."""
    rows = []
    for what, count in product(CHANGES, CHANGED):
        if count * (WARM + 1) > SIZES[size] // 2:
            continue
        with copied(stores, stores.passed(size)) as url:
            side = run_side("benchmarks.passes", "cycles", url, str(count), what)
        work = f"cycle, {count:,} {what}"
        rows += [
            _of_several(side, "cycle", work, skip=1),
            _of_one(side, "cycle 0", f"{work}, first"),
        ]
    return rows


def due(stores: Stores, size: str, rounds: int) -> list[Row]:
    """Ticks: nothing due, and about a thousand due."""
    runs = _rounds(stores, stores.passed(size), "due", rounds)
    nothing = [_of_several(run, "idle tick", "tick, nothing due", skip=0) for run in runs]
    return [nothing[len(nothing) // 2], *(r for r in _rows(OURS, runs) if r.work == "due tick")]


def explain(stores: Stores, size: str, _rounds: int) -> list[Row]:
    """One customer and a hundred segments, in a process that has begun."""
    with copied(stores, stores.passed(size)) as url:
        side = run_side("benchmarks.passes", "explain", url)
    work = "explain, 100 segments"
    return [
        _of_several(side, "explain", work, skip=1),
        _of_one(side, "explain 0", f"{work}, first"),
    ]


def verify(stores: Stores, size: str, rounds: int) -> list[Row]:
    """Everything computed anew and compared."""
    return _rows(OURS, _rounds(stores, stores.passed(size), "verify", rounds))


def idle(stores: Stores, size: str, _rounds: int) -> list[Row]:
    """A minute of a daemon that waits."""
    with copied(stores, stores.passed(size)) as url:
        (row,) = _rows(OURS, [run_side("benchmarks.idle", url)])
    noted = row.noted
    cpu = noted["share"] * row.wall
    return [
        Row("daemon, idle", OURS, row.wall, cpu, noted["daemon_pss"], noted["daemon_rss"], 1, noted)
    ]


def ingest(stores: Stores, _size: str, rounds: int) -> list[Row]:
    """Pages of an API, and the same again with a tenth of the records changed."""
    customers = INGESTED // 5
    with (
        server(INGESTED, customers) as shop,
        server(INGESTED, customers, "--changed") as later,
    ):
        sides = {OURS: ("segmentd", f"{shop},{later}"), BARE: ("bare", shop)}
        if find_spec("dlt"):
            sides["dlt, merge"] = ("dlt", shop)
        runs = {
            side: [_ingest(stores, *given) for _ in range(rounds)] for side, given in sides.items()
        }
    names = {"new": f"pages, {INGESTED:,} orders", "again": "pages again, 90 % unchanged"}
    return [row for side, of_side in runs.items() for row in _rows(side, of_side, names)]


def bulk(stores: Stores, _size: str, rounds: int) -> list[Row]:
    """Files of bulk operations, of two sizes."""
    rows = []
    for orders in FILES:
        with server(orders, orders // 5, "--bulk") as shop:
            sides = {OURS: "segmentd"}
            if stores.name == "SQLite":
                sides["bare parse and insert"] = "bare_lines"
            for side, name in sides.items():
                runs = [_ingest(stores, name, shop) for _ in range(rounds)]
                rows += _rows(side, runs, {"new": f"bulk JSONL, {orders:,} orders"})
    return rows


PARTS: Mapping[str, Part] = {
    each.__name__: each for each in (ingest, bulk, first, full, cycles, due, explain, verify, idle)
}
SIZELESS = {"ingest", "bulk"}
"""Parts that read a shop of their own."""
POSTGRES_TOO = {"ingest", "bulk", "first", "full", "cycles", "due"}


def _rounds(stores: Stores, url: str, kind: str, rounds: int) -> list[Side]:
    """One of ``passes``, each time on a fresh copy."""
    runs = []
    for _ in range(rounds):
        with copied(stores, url) as copy:
            runs.append(run_side("benchmarks.passes", kind, copy))
    return runs


def _ingest(stores: Stores, side: str, shop: str) -> Side:
    url = stores.empty()
    try:
        # dlt puts a file of its own beside ours
        with tempfile.TemporaryDirectory(prefix="segmentd-bench-") as folder:
            own = f"sqlite:///{Path(folder) / 'store.db'}" if url.startswith("sqlite") else url
            return run_side("benchmarks.ingest", side, shop, own)
    finally:
        stores.drop(url)


def _installed(peer: str) -> bool:
    module = _MODULES.get(peer)
    if module is None or find_spec(module):
        return True
    print(f"{peer} is not installed and left out", file=sys.stderr)
    return False


def _check_same(runs: Mapping[str, Sequence[Side]]) -> None:
    """All sides found the same to change, and afterwards nothing."""
    found = {
        (name, figures["changes"])
        for sides in runs.values()
        for side in sides
        for name, figures in side.seconds.items()
    }
    if len(found) != 2 or min(changes for _, changes in found) != 0:
        raise SystemExit(f"the sides do not agree on the memberships: {sorted(found)}")


def _rows(side: str, runs: Sequence[Side], names: Mapping[str, str] | None = None) -> list[Row]:
    return [
        _row((names or {}).get(name, name), side, figures, len(runs))
        for name, figures in medians(runs).items()
    ]


def _of_one(run: Side, name: str, work: str) -> Row:
    return _row(work, OURS, medians([run])[name], 1)


def _of_several(run: Side, name: str, work: str, *, skip: int) -> Row:
    """What one process measured several times."""
    chosen = list(_numbered(run, name))[skip:]
    (figures,) = medians([Side({work: one}, run.pss, run.rss) for one in chosen]).values()
    return _row(work, OURS, figures, len(chosen))


def _numbered(run: Side, name: str) -> Iterator[dict[str, float]]:
    number = 0
    while f"{name} {number}" in run.seconds:
        yield run.seconds[f"{name} {number}"]
        number += 1


def _row(work: str, side: str, figures: Mapping[str, float], rounds: int) -> Row:
    known = ("wall", "cpu", "pss", "rss")
    wall, cpu, pss, rss = (figures[key] for key in known)
    noted = {key: value for key, value in figures.items() if key not in known}
    return Row(work, side, wall, cpu, pss, rss, rounds, noted)
