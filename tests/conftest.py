"""Fixtures for every test that needs a database, and what all tests stand on."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from databases import PostgresServer, postgres_server

# what is started behind a shell's & ignores Ctrl-C, and so would every process that a test starts
signal.signal(signal.SIGINT, signal.default_int_handler)


_COVERAGE = "COVERAGE_PROCESS_CONFIG"
"""What makes coverage measure a process."""


def pytest_configure(config: pytest.Config) -> None:
    """Name our marks."""
    config.addinivalue_line(
        "markers",
        "unmeasured: repeats at length what other tests run too, and is run without coverage, "
        "which would take as long again",
    )


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, in random order otherwise: no worker is left alone with it."""
    items.sort(key=lambda item: item.get_closest_marker("unmeasured") is None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Let coverage look away from tests that are marked so, and from what they start."""
    if item.get_closest_marker("unmeasured") is None:
        return (yield)
    here, in_threads = sys.gettrace(), threading.gettrace()
    config = os.environ.pop(_COVERAGE, None)
    sys.settrace(None)
    threading.settrace(None)  # as it was before anybody traced
    try:
        return (yield)
    finally:
        if config is not None:
            os.environ[_COVERAGE] = config
        threading.settrace(in_threads)
        sys.settrace(here)


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
