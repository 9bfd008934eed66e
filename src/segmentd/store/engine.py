"""Opens the database and gives out transactions: many readers, one writer at a time.

On SQLite a writer begins IMMEDIATE. The driver's own way (no transaction before the first write)
loses updates, and a deferred transaction that turns into a writer fails at once with
SQLITE_BUSY_SNAPSHOT whatever the busy timeout (sqlite.org/isolation.html). On PostgreSQL writers
take one advisory lock, so that both databases have the same order of events: ids and marks are
given out without gaps of visibility, and no two writers can deadlock.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, bindparam, create_engine, event, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from segmentd.domain.errors import ConfigError, LockedError, TransientError
from segmentd.pipeline.ports import Lease
from segmentd.store.errors import translated
from segmentd.store.tables import LeaseRow

BUSY_SECONDS = 10
"""How long a writer waits for another one."""
STILL = 6
"""So many times as long a thread waits for another one, and PostgreSQL for a writer who says
nothing: one whose machine lost its power or its network would hold the lock for hours else."""
WRITER_LOCK = 0x5E6D
"""Key of the advisory lock on PostgreSQL; any number that nobody else in the database uses."""

_LEASES = LeaseRow.metadata.tables["leases"].c
# made once: to make it for every batch took longer than to ask it. On PostgreSQL whoever wants to
# take the lease over waits for us, and our own renewals do not (manual, 13.3.2); on SQLite there is
# one writer anyway
_HELD = (
    select(_LEASES.epoch, _LEASES.holder)
    .where(_LEASES.name == bindparam("name"))
    .with_for_update(read=True, key_share=True)
)


def parse_url(url: str) -> URL:
    """The database's address; ConfigError for one that we cannot use."""
    with suppress(ArgumentError, ValueError):  # ValueError for a port that is no number
        parsed = make_url(url)
        database = parsed.database or ":memory:"
        if parsed.drivername == "sqlite" and not database.startswith((":memory:", "file:")):
            return parsed
        if parsed.drivername in {"postgresql", "postgresql+psycopg"}:
            return parsed.set(drivername="postgresql+psycopg")
    raise ConfigError("the database must be sqlite:///FILE or postgresql://HOST/DATABASE")


def adbc_address(url: URL) -> str:
    """The database as ADBC calls it, a SQLite file for reading only; a worker needs no more."""
    if url.drivername == "sqlite":
        return f"file:{quote(str(Path(str(url.database)).absolute()))}?mode=ro"
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def place(url: URL) -> str:
    """The database as errors call it, without secrets."""
    if url.drivername == "sqlite":
        return f"the database {url.database}"
    where = url.host or url.query.get("host") or "the local server"
    return f"the database {url.database} at {where}"


class Database:
    """One database: its engine, and the only two ways to a connection."""

    def __init__(
        self, url: str | URL, *, busy_seconds: float = BUSY_SECONDS, migrating: bool = False
    ) -> None:
        self.url = url if isinstance(url, URL) else parse_url(url)
        self.sqlite = self.url.drivername == "sqlite"
        self.busy_seconds = busy_seconds
        self._migrating = migrating
        self.engine = self._sqlite() if self.sqlite else self._postgres()
        # threads of one process queue here instead of polling the file's lock
        self._writer = threading.Lock()

    @property
    def path(self) -> Path | None:
        """The file, for SQLite."""
        return Path(str(self.url.database)) if self.sqlite else None

    @cached_property
    def place(self) -> str:
        """The database as errors call it."""
        return place(self.url)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that sees one state of the database and changes nothing."""
        with translated(self.place), self.engine.connect() as connection:
            if not self.sqlite:
                connection = connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            with connection.begin():
                yield connection

    @contextmanager
    def write(self, lease: Lease | None = None) -> Iterator[Connection]:
        """A transaction that changes something; LockedError if ``lease`` was taken over."""
        if not self._writer.acquire(timeout=self.busy_seconds * STILL):
            raise TransientError(f"{self.place} is locked by another thread")
        try:
            with translated(self.place), self.engine.connect() as connection:
                connection = connection.execution_options(begin="BEGIN IMMEDIATE")
                with connection.begin():
                    if not self.sqlite:
                        self._guard(connection, f"pg_advisory_xact_lock({WRITER_LOCK})")
                    if lease is not None:
                        check_lease(connection, lease)
                    yield connection
        finally:
            self._writer.release()

    @contextmanager
    def aside(self) -> Iterator[Connection]:
        """A short transaction on rows that guard themselves: those of leases.

        On PostgreSQL it does not queue behind the writers, one of whom may take minutes; SQLite
        knows one writer only.
        """
        if self.sqlite:
            with self.write() as connection:
                yield connection
            return
        with translated(self.place), self.engine.begin() as connection:
            self._guard(connection)
            yield connection

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()

    def _guard(self, connection: Connection, *locks: str) -> None:
        """Take locks that PostgreSQL ends with the transaction, also when nobody speaks in it."""
        still = int(self.busy_seconds * STILL * 1000)
        limit = f"set_config('idle_in_transaction_session_timeout', '{still}', true)"
        connection.exec_driver_sql(f"SELECT {', '.join((limit, *locks))}")

    def _sqlite(self) -> Engine:
        engine = create_engine(
            self.url,
            # an unexpected error is logged, and the values are people's
            hide_parameters=True,
            connect_args={"timeout": self.busy_seconds, "cached_statements": 256},
        )
        event.listen(engine, "connect", _prepare_sqlite)
        if self._migrating:
            event.listen(engine, "connect", _ignore_foreign_keys)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _postgres(self) -> Engine:
        return create_engine(
            self.url,
            # an unexpected error is logged, and the values are people's
            hide_parameters=True,
            # without it the first statement after a restart of the server fails
            pool_pre_ping=True,
            connect_args={
                "options": f"-c timezone=UTC -c lock_timeout={int(self.busy_seconds * 1000)}",
                "connect_timeout": 10,
                "application_name": "segmentd",
            },
        )


def check_lease(connection: Connection, lease: Lease) -> None:
    """LockedError unless ``lease`` is still the newest of its name; it stays so until the end of
    the transaction."""
    row = connection.execute(_HELD, {"name": lease.name}).one_or_none()
    if row is None or row.epoch != lease.epoch or row.holder != lease.holder:
        raise taken_over(lease)


def taken_over(lease: Lease) -> LockedError:
    """What becomes of a run whose lease another one has."""
    return LockedError(
        f"{lease.name} was taken over by another process; what this one was doing is dropped"
    )


def create_file(path: Path) -> None:
    """Make an empty file that only we can read; the journal files beside it inherit its mode."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileNotFoundError as error:
        raise ConfigError(f"the folder {path.parent} of store.url does not exist") from error
    except PermissionError as error:
        raise ConfigError(
            f"the folder {path.parent} of store.url is not writable for us"
        ) from error


def _prepare_sqlite(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # the driver would begin and commit behind our back
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        # NORMAL may roll committed cursors and receipts back at power loss (sqlite.org/wal.html)
        "synchronous = FULL",
        "foreign_keys = ON",
        # pages, 32 MB: a first import touches the same pages again and again, and copying each
        # into the file every 4 MB took a seventh of its time
        "wal_autocheckpoint = 8000",
        "cache_size = -65536",
        "temp_store = MEMORY",
        # an erased person's data must not stay in free pages
        "secure_delete = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _ignore_foreign_keys(connection: sqlite3.Connection, _entry: ConnectionPoolEntry) -> None:
    # a batch alter drops the old table, and with foreign keys on that empties its child tables
    connection.execute("PRAGMA foreign_keys = OFF")


def _begin_sqlite(connection: Connection) -> None:
    options: dict[str, Any] = dict(connection.get_execution_options())
    raw: Any = connection.connection.dbapi_connection
    # past SQLAlchemy, to which a statement that returns nothing costs as much as a short read
    raw.execute(options.get("begin", "BEGIN"))
