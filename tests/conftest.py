"""Fixtures for every test that needs a database, and what all tests stand on."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import PostgresServer, postgres_server

# what is started behind a shell's & ignores Ctrl-C, and so would every process that a test starts
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server for this test process."""
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: PostgresServer) -> Iterator[str]:
    """The url of a database on it that nothing was ever written to."""
    name = postgres.create()
    yield postgres.url(name)
    postgres.drop(name)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The url of a database that does not exist yet (SQLite) or is empty; the test runs on both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'segmentd.db'}"
    url: str = request.getfixturevalue("postgres_url")
    return url
