"""Backfill of a Shopify shop: segmentd beside the barest loop that stores the same rows.

    python -m benchmarks.backfill [--orders N] [--rounds N] [--postgres URL]

Both sides read the same pages of 250 orders from a local server that answers at once, in the same
run, each in a process of its own, in turns. CPU time is of the reading process (on PostgreSQL
without the server's). The bare loop is httpx, orjson and SQLAlchemy Core: it knows no cursor, no
change detection, no identity, no retry and no pacing. The ratio is our rate divided by its rate: 1
would mean that all of that costs nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = ("httpx", "orjson", "sqlalchemy", "sqlmodel", "psycopg")
_SIDES = ("bare", "segmentd")


def measure_segmentd(server: str, store: str, folder: Path) -> None:
    """Backfill with the real source, the real pull and the real store."""
    from segmentd.bootstrap import open_app
    from segmentd.config import load_config

    os.environ["BENCH_TOKEN"] = "shpat_bench"
    path = folder / "segmentd.toml"
    path.write_text(
        f'[store]\nurl = "{store}"\n'
        '[sources.shop]\nconnector = "shopify"\nshop = "bench.myshopify.com"\n'
        f'token_env = "BENCH_TOKEN"\nbase_url = "{server}"\norders_page = 250\n'
    )
    app = open_app(load_config(path))
    try:
        with _measured():
            app.backfill().check()
    finally:
        app.close()


def measure_bare(server: str, store: str, _folder: Path) -> None:
    """The same pages into tables with the same columns, without anything else."""
    from benchmarks import bare_loop

    with _measured():
        bare_loop.run(server, store)


@contextmanager
def _measured() -> Iterator[None]:
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "peak_mib": peak,
    }
    print(json.dumps(figures))


@contextmanager
def _shop(orders: int, customers: int) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.shop_server", str(orders), str(customers)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.wait()


def _one(side: str, server: str, store: str) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="segmentd-bench-") as folder:
        url = store or f"sqlite:///{folder}/{side}.db"
        command = [
            sys.executable,
            "-m",
            "benchmarks.backfill",
            "--side",
            side,
            "--server",
            server,
            "--store",
            url,
        ]
        done = subprocess.run(
            [*command, "--folder", folder],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=ROOT,
        )
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _compare(title: str, server: str, rounds: int, orders: int, fresh: Callable[[], str]) -> None:
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in _SIDES}
    for _ in range(rounds):
        for side in _SIDES:
            runs[side].append(_one(side, server, fresh()))
    print(f"\n{title}: median of {rounds} rounds, sides in turns")
    print(f"{'':10}{'wall s':>9}{'cpu s':>9}{'orders/s':>10}{'peak MiB':>10}")
    medians = {}
    for side in _SIDES:
        median = {k: statistics.median(run[k] for run in runs[side]) for k in runs[side][0]}
        medians[side] = median
        print(
            f"{side:10}{median['wall']:9.1f}{median['cpu']:9.1f}"
            f"{orders / median['wall']:10.0f}{median['peak_mib']:10.0f}"
        )
    ratios = {k: medians["bare"][k] / medians["segmentd"][k] for k in ("wall", "cpu")}
    print(f"ratio of rates: {ratios['wall']:.2f} by wall clock, {ratios['cpu']:.2f} by CPU time")


def _postgres(url: str) -> Callable[[], str]:
    """Fresh databases beside the one of ``url``."""
    import psycopg
    from sqlalchemy.engine import make_url

    base = make_url(url)
    plain = base.set(drivername="postgresql").render_as_string(hide_password=False)

    def fresh() -> str:
        with psycopg.connect(plain, autocommit=True) as connection:
            connection.execute("DROP DATABASE IF EXISTS segmentd_bench WITH (FORCE)")
            connection.execute("CREATE DATABASE segmentd_bench")
        return base.set(database="segmentd_bench").render_as_string(hide_password=False)

    return fresh


def main() -> None:
    """Parse the arguments; with ``--side`` this is one of the measured processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres", help="compare on this server too (may create databases)")
    for internal in ("--side", "--server", "--store", "--folder"):
        parser.add_argument(internal, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        side: Any = {"bare": measure_bare, "segmentd": measure_segmentd}[given.side]
        side(given.server, given.store, Path(given.folder))
        return
    named = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    print(f"Python {platform.python_version()}, {named}; {os.cpu_count()} cores")
    print(f"{given.orders} orders, {given.orders * 5 // 2} lines, {given.customers} customers")
    with _shop(given.orders, given.customers) as server:
        _compare("SQLite", server, given.rounds, given.orders, lambda: "")
        if given.postgres:
            fresh = _postgres(given.postgres)
            _compare("PostgreSQL", server, given.rounds, given.orders, fresh)


if __name__ == "__main__":
    main()
