"""An open store on each database."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from databases import PostgresServer
from segmentd.store import Store, migrate, open_store
from shop_in_store import Shop


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated file to copy: migrating one for each test would take most of the time."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate.upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgres_template(postgres: PostgresServer) -> str:
    """A migrated database to copy."""
    name = postgres.create()
    migrate.upgrade(postgres.url(name))
    return name


@pytest.fixture
def file_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The url of a migrated, empty SQLite database, for what no server has to do with."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'segmentd.db')}"


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The url of a migrated, empty database; the test runs on both kinds."""
    if request.param == "sqlite":
        yield request.getfixturevalue("file_url")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = server.create(request.getfixturevalue("postgres_template"))
    yield server.url(name)
    server.drop(name)


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An open store."""
    with open_store(url) as store:
        yield store


@pytest.fixture
def shop(store: Store) -> Shop:
    """A source called ``shop``."""
    return Shop(store)
