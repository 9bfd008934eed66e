"""Puts the parts of the store together."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from segmentd.store.engine import Database
from segmentd.store.leases import LeaseStore
from segmentd.store.migrate import upgrade
from segmentd.store.pull import PullStore
from segmentd.store.push import PushStore
from segmentd.store.reads import ReadStore
from segmentd.store.segment import SegmentStore
from segmentd.store.verify import VerifyStore
from segmentd.store.waiting import WaitingStore


class Store(LeaseStore, WaitingStore, PullStore, SegmentStore, PushStore, ReadStore, VerifyStore):
    """An open database. Its methods may be called from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._settled = {}

    def ping(self) -> None:
        """Raise what keeps the database from being read."""
        with self._database.read() as connection:
            connection.exec_driver_sql("SELECT 1 FROM leases LIMIT 1")

    @contextmanager
    def apart(self) -> Iterator[Store]:
        """The same database for somebody who goes over everybody beside us: what passes and pushes
        remember, and their worker processes, stay out of it."""
        other = Store(self._database)
        try:
            yield other
        finally:
            other._end_workers()

    def rest(self) -> None:
        """Let go of idle connections with their caches, of which SQLite's hold 64 MB each; the next
        question opens another one."""
        self._database.engine.dispose()

    def close(self) -> None:
        """Let go of the database and of worker processes."""
        self._end_workers()
        self._database.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def open_store(url: str) -> Store:
    """Open the database at ``url``; an empty or older one is upgraded, a newer one refused.

    ConfigError: the address, the file or the rights are wrong. AuthError: the server refuses us.
    SchemaError: the database is newer, or not ours. TransientError: locked or unreachable.
    """
    upgrade(url)
    return Store(Database(url))
