"""Transactions, and what goes wrong with databases, in one sentence each."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from databases import PostgresServer
from segmentd.domain.errors import (
    AuthError,
    ConfigError,
    SegmentdError,
    TransientError,
)
from segmentd.store import open_store
from segmentd.store.engine import Database, parse_url
from segmentd.store.errors import expected

ADD_TEN = """
import sys
from sqlalchemy import text
from segmentd.store.engine import Database
database = Database(sys.argv[1])
print("ready", flush=True)
with database.write() as connection:
    connection.execute(text("UPDATE counters SET value = value + 10 WHERE name = 'x'"))
"""


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    database = Database(url)
    yield database
    database.close()


def test_a_writer_holds_off_others_from_its_first_read_on(database: Database) -> None:
    """The driver's own transactions lose the other process's ten (reliability.md, section 7)."""
    with database.write() as connection:
        connection.execute(text("INSERT INTO counters VALUES ('x', 0)"))
    url = database.url.render_as_string(hide_password=False)
    with database.write() as connection:
        (value,) = connection.execute(text("SELECT value FROM counters WHERE name = 'x'")).one()
        command = [sys.executable, "-c", ADD_TEN, url]
        other = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        with pytest.raises(subprocess.TimeoutExpired):
            other.wait(timeout=1)
        connection.execute(
            text("UPDATE counters SET value = :v WHERE name = 'x'"), {"v": value + 1}
        )
    other.communicate(timeout=60)
    assert other.returncode == 0
    with database.read() as connection:
        assert connection.execute(text("SELECT value FROM counters")).scalar() == 11


def test_a_reader_sees_one_state(database: Database) -> None:
    count = text("SELECT count(*) FROM counters")
    with database.read() as reader:
        assert reader.execute(count).scalar() == 0
        with database.write() as writer:
            writer.execute(text("INSERT INTO counters VALUES ('x', 0)"))
        assert reader.execute(count).scalar() == 0
    with database.read() as reader:
        assert reader.execute(count).scalar() == 1


def test_an_error_rolls_everything_back(database: Database) -> None:
    with contextlib.suppress(ZeroDivisionError), database.write() as connection:
        connection.execute(text("INSERT INTO counters VALUES ('x', 0)"))
        _ = 1 / 0
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM counters")).scalar() == 0


def test_threads_write_one_after_the_other(database: Database) -> None:
    with database.write() as connection:
        connection.execute(text("INSERT INTO counters VALUES ('x', 0)"))

    def add() -> None:
        for _ in range(10):
            with database.write() as connection:
                (value,) = connection.execute(text("SELECT value FROM counters")).one()
                connection.execute(text("UPDATE counters SET value = :v"), {"v": value + 1})

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.execute(text("SELECT value FROM counters")).scalar() == 40


def test_our_own_mistakes_stay_what_they_are(database: Database) -> None:
    with pytest.raises(DBAPIError), database.read() as connection:
        connection.execute(text("SELECT nonsense FROM nowhere"))


def test_a_lock_that_is_not_let_go_ends_in_a_sentence(url: str) -> None:
    held, waiting = Database(url), Database(url, busy_seconds=0.1)
    with held.write(), pytest.raises(TransientError, match="locked"), waiting.write():
        pass
    with waiting.write():
        pass
    held.close()
    waiting.close()


@pytest.mark.parametrize("way", ["write", "aside"])
def test_a_writer_who_stands_still_on_postgresql_holds_nobody_up(
    postgres: PostgresServer, postgres_template: str, way: str
) -> None:
    """One that is stopped, or whose machine is no more, without a word to the server."""
    name = postgres.create(postgres_template)
    still, other = Database(postgres.url(name), busy_seconds=0.05), Database(postgres.url(name))

    def stand_still() -> None:
        with getattr(still, way)() as connection:
            connection.execute(text("INSERT INTO counters VALUES ('x', 1)"))
            with other.write() as waited:
                waited.execute(text("INSERT INTO counters VALUES ('x', 2)"))
            connection.execute(text("UPDATE counters SET value = 3"))

    with pytest.raises(TransientError, match="took back"):
        stand_still()
    with other.read() as connection:
        assert connection.execute(text("SELECT value FROM counters")).scalars().all() == [2]
    still.close()
    other.close()
    postgres.drop(name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An existing SQLite database."""
    path = tmp_path / "segmentd.db"
    open_store(f"sqlite:///{path}").close()
    return path


def test_sqlite_is_set_to_lose_nothing(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    with database.read() as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    database.close()
    assert found == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_the_journal_files_are_for_us_alone_too(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    with database.write() as connection:
        connection.execute(text("INSERT INTO counters VALUES ('x', 0)"))
        modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    database.close()
    assert set(modes) == {"segmentd.db", "segmentd.db-wal", "segmentd.db-shm"}
    assert set(modes.values()) == {0o600}


def test_a_full_disk_rolls_back_and_works_again(path: Path) -> None:
    database = Database(f"sqlite:///{path}")
    with database.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    rows = [{"n": f"{number}" * 1000} for number in range(1000)]
    with pytest.raises(TransientError, match="disk is full"):
        _fill(database, int(pages or 0), rows)
    with database.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1073741823")
        assert connection.execute(text("SELECT count(*) FROM counters")).scalar() == 0
        connection.execute(text("INSERT INTO counters VALUES ('x', 0)"))
    database.close()


def _fill(database: Database, pages: int, rows: list[dict[str, str]]) -> None:
    with database.write() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        connection.execute(text("INSERT INTO counters VALUES (:n, 0)"), rows)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("dear diary " * 1000)
    with pytest.raises(ConfigError, match="is no SQLite database"):
        open_store(f"sqlite:///{path}")
    assert path.read_text().startswith("dear diary")


def test_a_damaged_file(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[5000 : len(content)] = os.urandom(len(content) - 5000)
    path.write_bytes(content)
    with pytest.raises(ConfigError, match="damaged"):
        open_store(f"sqlite:///{path}").status()


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no file"):
        open_store(f"sqlite:///{tmp_path}")


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("SQLITE_READONLY_DBMOVED", ConfigError, "read-only"),
        ("SQLITE_CANTOPEN", ConfigError, "cannot be opened"),
        ("SQLITE_IOERR_FSYNC", TransientError, "disk reports an error"),
        ("SQLITE_BUSY_SNAPSHOT", TransientError, "locked by another process"),
    ],
)
def test_what_sqlite_says(name: str, kind: type[SegmentdError], words: str) -> None:
    error = sqlite3.OperationalError("secret detail")
    error.sqlite_errorname = name
    meaning = expected(error, "the database x.db")
    assert isinstance(meaning, kind)
    assert words in str(meaning)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (psycopg.errors.InvalidPassword(), AuthError, "refuses the password"),
        (psycopg.errors.DiskFull(), TransientError, "disk is full"),
        (psycopg.errors.IdleInTransactionSessionTimeout(), TransientError, "waited too long"),
        (psycopg.errors.AdminShutdown(), TransientError, "shutting down"),
        (psycopg.errors.InsufficientPrivilege(), AuthError, "denies"),
        (psycopg.OperationalError("FATAL: password authentication failed"), AuthError, "password"),
        (psycopg.OperationalError("connection refused"), TransientError, "cannot be reached"),
    ],
)
def test_what_postgresql_says(error: Exception, kind: type[SegmentdError], words: str) -> None:
    meaning = expected(error, "the database")
    assert isinstance(meaning, kind)
    assert words in str(meaning)
    assert expected(psycopg.errors.UndefinedColumn(), "the database") is None


def test_a_server_that_is_not_there() -> None:
    with pytest.raises(TransientError, match=r"at 127\.0\.0\.1 cannot be reached"):
        open_store("postgresql+psycopg://user:s3cret@127.0.0.1:1/shop")


def test_a_database_that_is_not_there(postgres: PostgresServer) -> None:
    with pytest.raises(ConfigError, match="create it first"):
        open_store(postgres.url("nowhere"))


def test_a_connection_that_the_server_ended(
    postgres: PostgresServer, postgres_template: str
) -> None:
    name = postgres.create(postgres_template)
    store = open_store(postgres.url(name))
    ended = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
    store.ping()
    postgres.run(ended)
    store.ping()
    store.close()
    postgres.drop(name)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://u:s3cret@host/db",
        "not a url",
        "sqlite:///file:x",
    ],
)
def test_addresses_that_cannot_work(url: str) -> None:
    with pytest.raises(ConfigError, match="must be sqlite:///FILE or") as caught:
        open_store(url)
    assert "s3cret" not in str(caught.value)


def test_postgresql_goes_by_psycopg() -> None:
    assert parse_url("postgresql://u@h/d").drivername == "postgresql+psycopg"
