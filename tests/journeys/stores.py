"""Databases that a story can put back to an earlier moment."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Protocol

from databases import PostgresServer
from journeys import invariants
from journeys.invariants import Facts
from journeys.world import World


class Database(Protocol):
    """Where the story's store is."""

    url: str

    def keep(self) -> None:
        """Remember the content."""

    def bring_back(self) -> None:
        """Make it what it was when it was kept."""

    def check(self, made: World) -> bool:
        """What must hold already while nobody has repaired anything.

        Returns whether a sweep was interrupted.
        """


class SqliteFile:
    """A store in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "segmentd.db"
        self._kept = folder / "kept.db"
        self._copy = folder / "copy.db"
        self.url = f"sqlite:///{self.path}"

    def keep(self) -> None:
        """Copy the file, which no process has open: its journal is gone."""
        shutil.copy(self.path, self._kept)

    def bring_back(self) -> None:
        """Put the copy back."""
        _copy_database(self._kept, self.path)

    def check(self, made: World) -> bool:
        """On a copy: whoever opens the database repairs it."""
        _copy_database(self.path, self._copy)
        connection = sqlite3.connect(self._copy)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)], "I1 file"
        finally:
            connection.close()
        with Facts.of(f"sqlite:///{self._copy}") as facts:
            invariants.i6_cursors_are_not_ahead_of_rows(made, facts)
            return facts.sweep_is_open()


def _copy_database(source: Path, target: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        file = source.with_name(source.name + suffix)
        copy = target.with_name(target.name + suffix)
        # the index of the journal is made anew from it
        if file.exists() and suffix != "-shm":
            shutil.copy(file, copy)
        else:
            copy.unlink(missing_ok=True)


class PostgresDatabase:
    """A store in a database of its own on a server of the tests."""

    def __init__(self, server: PostgresServer, name: str) -> None:
        self._server = server
        self._name = name
        self._kept = f"{name}_kept"
        self.url = server.url(name)
        self._make(name, "template0")

    def keep(self) -> None:
        """Make a second database like it."""
        self._make(self._kept, self._name)

    def bring_back(self) -> None:
        """Make it anew, like the second one."""
        self._make(self._name, self._kept)

    def check(self, made: World) -> bool:
        """The server has rolled back what the dead process had begun."""
        with Facts.of(self.url) as facts:
            invariants.i6_cursors_are_not_ahead_of_rows(made, facts)
            return facts.sweep_is_open()

    def close(self) -> None:
        """Nobody is connected from now on, or can be, as if the server had stopped."""
        self._server.run(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS false")
        self._server.run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'"
        )

    def open(self) -> None:
        """It can be connected to again."""
        self._server.run(f"ALTER DATABASE {self._name} ALLOW_CONNECTIONS true")

    def drop(self) -> None:
        """Remove both."""
        self._server.drop(self._name)
        self._server.drop(self._kept)

    def _make(self, name: str, like: str) -> None:
        self._server.drop(name)
        self._server.run(f"CREATE DATABASE {name} TEMPLATE {like}")
