"""What reads a shop into a database: segmentd, the barest loop, and dlt.

    python -m benchmarks.ingest SIDE SERVER STORE

All read the same answers from a local server that answers at once. The bare loops are httpx, orjson
and SQL: they know no cursor, no change detection, no identity, no retry and no pacing.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import sqlalchemy as sa

from benchmarks import bare_loop
from benchmarks.measure import measured

_ROOTS = 500


def segmentd(server: str, store: str) -> None:
    """The real source, the real pull, the real store; a second time if the shop is there twice.

    ``server`` may be two addresses, joined by a comma: the shop before and after changes.
    """
    from segmentd.bootstrap import open_app
    from segmentd.config import load_config

    os.environ["BENCH_TOKEN"] = "shpat_bench"
    for name, each in zip(("new", "again"), server.split(","), strict=False):
        with tempfile.TemporaryDirectory(prefix="segmentd-bench-") as folder:
            path = Path(folder) / "segmentd.toml"
            path.write_text(
                f'[store]\nurl = "{store}"\n'
                '[sources.shop]\nconnector = "shopify"\nshop = "bench.myshopify.com"\n'
                f'token_env = "BENCH_TOKEN"\nbase_url = "{each}"\norders_page = 250\n'
            )
            config = load_config(path)
        # who waits for a bulk operation waits for the shop
        app = open_app(config, sleep=lambda _seconds: None)
        with measured(name) as noted:
            outcome = app.backfill()
            outcome.check()
            noted["written"] = sum(summary.written for summary in outcome.done)
            noted["read"] = sum(summary.read for summary in outcome.done)
        app.close()


def bare(server: str, store: str) -> None:
    """Page by page into tables with the same columns, one upsert a page."""
    with measured("new"):
        bare_loop.run(server, store)


def bare_lines(server: str, store: str) -> None:
    """The files of bulk operations: each line parsed, rows inserted raw; for SQLite."""
    sqlite3.register_adapter(datetime, lambda value: int(value.timestamp()))
    engine = sa.create_engine(store)
    bare_loop.METADATA.create_all(engine)
    engine.dispose()
    with measured("new"), httpx.Client() as client:
        connection = sqlite3.connect(store.removeprefix("sqlite:///"))
        connection.execute("PRAGMA journal_mode = WAL")
        for job, rows_of in ((1, bare_loop.customer_rows), (2, bare_loop.order_rows)):
            for nodes in _nodes(client, f"{server}/{job}?key=1"):
                with connection:
                    for table, rows in rows_of(nodes).items():
                        _insert(connection, table, rows)
        connection.close()


def _insert(connection: sqlite3.Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    if rows:
        places = ", ".join("?" * len(rows[0]))
        statement = f"INSERT INTO {table.name} ({', '.join(rows[0])}) VALUES ({places})"
        connection.executemany(statement, [tuple(row.values()) for row in rows])


def dlt(server: str, store: str) -> None:
    """dlt's merge, with the pages as it gets them."""
    import dlt as library
    from dlt.sources.helpers import requests

    def pages(stream: str) -> Iterator[Any]:
        after = None
        query = bare_loop.QUERY.format(stream=stream)
        while True:
            body = {"query": query, "variables": {"after": after}}
            answer = requests.post(f"{server}/admin/api/2026-10/graphql.json", json=body)
            page = answer.json()["data"]["page"]
            yield page["nodes"]
            if not page["pageInfo"]["hasNextPage"]:
                return
            after = page["pageInfo"]["endCursor"]

    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    with tempfile.TemporaryDirectory(prefix="segmentd-bench-") as folder, measured("new"):
        sqlite = store.startswith("sqlite")
        plain = store.replace("+psycopg", "")
        destination: Any = (
            library.destinations.sqlalchemy(store)
            if sqlite
            else library.destinations.postgres(plain)
        )
        pipeline = library.pipeline("bench", pipelines_dir=folder, destination=destination)
        resources = [
            library.resource(
                pages(stream), name=stream, primary_key="id", write_disposition="merge"
            )
            for stream in ("customers", "orders")
        ]
        pipeline.run(resources)


def _nodes(client: httpx.Client, url: str) -> Iterator[list[dict[str, Any]]]:
    """Roots with their children, which stand directly below them, many at a time."""
    nodes: list[dict[str, Any]] = []
    for line in _lines(client, url):
        node = orjson.loads(line)
        if "__parentId" in node:
            nodes[-1]["lineItems"]["nodes"].append(node)
            continue
        if len(nodes) >= _ROOTS:
            yield nodes
            nodes = []
        node["lineItems"] = {"nodes": []}
        nodes.append(node)
    yield nodes


def _lines(client: httpx.Client, url: str) -> Iterator[bytes]:
    rest = b""
    with client.stream("GET", url) as answer:
        for piece in answer.iter_bytes():
            *lines, rest = (rest + piece).split(b"\n")
            yield from lines


SIDES = {each.__name__: each for each in (segmentd, bare, bare_lines, dlt)}

if __name__ == "__main__":
    SIDES[sys.argv[1]](*sys.argv[2:])
