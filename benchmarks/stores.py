"""Databases to measure on, filled once and copied before each use.

SQLite files are kept under ``benchmarks/.data`` (``python -m benchmarks clean`` removes them; the
size 1M takes about 8 GB); a PostgreSQL server lives as long as one benchmark. It is the one that
the tests use: without fsync, so commits cost less there than on a server that keeps its promises.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from benchmarks.measure import SERVER, run_side
from databases import PostgresServer, postgres_server
from segmentd.store.migrate import revisions

DATA = Path(__file__).parent / ".data"
SIZES = {"10k": 10_000, "200k": 200_000, "1M": 1_000_000}
_MADE_BY = ("shops.py", "fill.py", "rules.py")


class Stores(Protocol):
    """Where a benchmark gets its databases from."""

    @property
    def name(self) -> str:
        """Of the kind of database."""

    def filled(self, size: str) -> str:
        """A database with a shop, before its first pass; not to be written to."""

    def passed(self, size: str) -> str:
        """As ``filled``, after the first pass with the thirty rules."""

    def empty(self) -> str:
        """The address of a database that does not exist yet or holds nothing."""

    def copy(self, url: str) -> str:
        """A copy to be written to."""

    def drop(self, url: str) -> None:
        """Remove what ``empty`` or ``copy`` gave."""


@contextmanager
def copied(stores: Stores, url: str) -> Iterator[str]:
    """A copy that is gone after the block."""
    copy = stores.copy(url)
    try:
        yield copy
    finally:
        stores.drop(copy)


class SqliteStores:
    """Files."""

    name = "SQLite"

    def filled(self, size: str) -> str:
        return self._kept(f"{size}-filled", lambda url: _fill(url, size))

    def passed(self, size: str) -> str:
        def make(url: str) -> None:
            shutil.copy(_path(self.filled(size)), _path(url))
            run_side("benchmarks.passes", "first", url)

        return self._kept(f"{size}-passed", make)

    def empty(self) -> str:
        return self._url(f"used-{os.getpid()}-{len(list(DATA.glob('used-*.db')))}")

    def copy(self, url: str) -> str:
        copy = self.empty()
        shutil.copy(_path(url), _path(copy))
        return copy

    def drop(self, url: str) -> None:
        _remove(_path(url))

    def _kept(self, name: str, make: object) -> str:
        url = self._url(f"{name}-{_generation()}")
        if not _path(url).exists():
            for old in DATA.glob(f"{name}-*.db"):
                _remove(old)
            aside = self._url(f"new-{name}")
            _remove(_path(aside))
            assert callable(make)
            make(aside)
            with sqlite3.connect(_path(aside)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.close()
            _path(aside).rename(_path(url))
        return url

    def _url(self, name: str) -> str:
        DATA.mkdir(exist_ok=True)
        return f"sqlite:///{DATA / name}.db"


class PostgresStores:
    """Databases of a server that runs as long as ``postgres``."""

    name = "PostgreSQL"

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._kept: dict[str, str] = {}

    def filled(self, size: str) -> str:
        if f"{size}-filled" not in self._kept:
            url = self._kept[f"{size}-filled"] = self.empty()
            _fill(url, size)
        return self._kept[f"{size}-filled"]

    def passed(self, size: str) -> str:
        if f"{size}-passed" not in self._kept:
            url = self._kept[f"{size}-passed"] = self.copy(self.filled(size))
            run_side("benchmarks.passes", "first", url)
        return self._kept[f"{size}-passed"]

    def empty(self) -> str:
        return self._server.url(self._server.create())

    def copy(self, url: str) -> str:
        return self._server.url(self._server.create(_database(url)))

    def drop(self, url: str) -> None:
        self._server.drop(_database(url))


@contextmanager
def postgres() -> Iterator[Stores]:
    """A server whose CPU counts with that of whoever is measured."""
    with postgres_server() as server:
        sockets = Path(server.url("x").partition("host=")[2])
        os.environ[SERVER] = (sockets / "data" / "postmaster.pid").read_text().splitlines()[0]
        try:
            yield PostgresStores(server)
        finally:
            del os.environ[SERVER]


def clean() -> None:
    """Remove all files."""
    shutil.rmtree(DATA, ignore_errors=True)


def _fill(url: str, size: str) -> None:
    # in a process of its own: its memory is gone afterwards
    run_side("benchmarks.fill", "--customers", str(SIZES[size]), url)


def _generation() -> str:
    """What the kept files depend on."""
    made_by = b"".join((Path(__file__).parent / name).read_bytes() for name in _MADE_BY)
    return hashlib.sha256(made_by + " ".join(revisions()).encode()).hexdigest()[:8]


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _database(url: str) -> str:
    return url.rpartition("/")[2] if "?" not in url else url.partition("?")[0].rpartition("/")[2]


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
