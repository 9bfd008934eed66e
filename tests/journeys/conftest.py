"""The story of the crash tests, begun once for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from databases import PostgresServer
from journeys.stores import PostgresDatabase, SqliteFile
from journeys.story import Story, begin, memory_folder


@pytest.fixture(scope="session")
def story() -> Iterator[Story]:
    """With a store on SQLite."""
    with memory_folder() as folder, begin(folder, SqliteFile(folder)) as begun:
        yield begun


@pytest.fixture(scope="session")
def postgres_story(postgres: PostgresServer) -> Iterator[Story]:
    """With a store on PostgreSQL."""
    database = PostgresDatabase(postgres, "crash")
    with memory_folder() as folder, begin(folder, database) as begun:
        yield begun
    database.drop()
