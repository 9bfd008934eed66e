"""An open store on each database, and short ways to fill it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from databases import PostgresServer
from segmentd.domain.cursor import Cursor, Window
from segmentd.domain.records import Record
from segmentd.pipeline.ports import Lease, Saved
from segmentd.sdk.contract import Rejection, ShopInfo
from segmentd.store import Store, migrate, open_store

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TTL = timedelta(minutes=10)


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


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The url of a migrated, empty database; the test runs on both kinds."""
    if request.param == "sqlite":
        path = tmp_path / "segmentd.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
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


class Shop:
    """One source of an open store, under its lease."""

    def __init__(self, store: Store, source: str = "shop") -> None:
        self.store = store
        self.source = source
        self.lease = store.acquire(f"source:{source}", "host:1", TTL, NOW)
        info = ShopInfo("A shop", "EUR", "UTC", NOW)
        store.save_shop(self.lease, source, info)

    def save(self, *records: Record, rejected: Sequence[Rejection] = ()) -> Saved:
        """One batch."""
        cursor = Cursor(window=Window(None, NOW))
        return self.store.save_batch(self.lease, self.source, "all", records, rejected, cursor, NOW)

    def remove(self, stream: str, *ids: str) -> int:
        """The shop confirmed that they are gone."""
        return self.store.remove(self.lease, self.source, stream, ids, NOW)

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """What stands in the tables."""
        return rows(self.store, statement, **values)

    def profile(self, customer_id: str) -> int:
        """The profile of a customer."""
        ((profile_id,),) = self.rows(
            "SELECT profile_id FROM customers WHERE source = :s AND customer_id = :c",
            s=self.source,
            c=customer_id,
        )
        return int(profile_id)

    def orders(self, profile_id: int) -> set[str]:
        """Ids of a profile's orders."""
        found = self.rows("SELECT remote_id FROM orders WHERE profile_id = :p", p=profile_id)
        return {remote_id for (remote_id,) in found}

    def dirty(self) -> set[int]:
        """Profiles that wait to be evaluated."""
        return set(self.store.pending(NOW).dirty)


@pytest.fixture
def shop(store: Store) -> Shop:
    """A source called ``shop`` whose currency is EUR."""
    return Shop(store)


@pytest.fixture
def another(store: Store) -> Callable[[str], Shop]:
    """Makes further sources in the same store."""
    return lambda source: Shop(store, source)


def rows(store: Store, statement: str, **values: Any) -> list[tuple[Any, ...]]:
    """What stands in the tables."""
    with store._database.read() as connection:
        return [tuple(row) for row in connection.execute(text(statement), values)]


def lease_of(store: Store, name: str = "segment") -> Lease:
    """A lease, taken."""
    return store.acquire(name, "host:1", TTL, NOW)
