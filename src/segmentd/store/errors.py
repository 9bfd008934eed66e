"""Turns what database drivers raise into the errors of the domain, each one sentence.

Codes: sqlite.org/rescode.html; PostgreSQL manual, appendix A.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from segmentd.domain.errors import AuthError, ConfigError, SegmentdError, TransientError

_SQLITE: dict[str, tuple[type[SegmentdError], str]] = {
    "SQLITE_BUSY": (TransientError, "is locked by another process"),
    "SQLITE_LOCKED": (TransientError, "is locked by another connection"),
    "SQLITE_FULL": (TransientError, "cannot grow: the disk is full"),
    "SQLITE_IOERR": (TransientError, "cannot be read or written: the disk reports an error"),
    "SQLITE_NOMEM": (TransientError, "needs more memory than there is"),
    "SQLITE_READONLY": (ConfigError, "is read-only for us: check the rights of file and folder"),
    "SQLITE_PERM": (ConfigError, "may not be opened by us: check the rights of file and folder"),
    "SQLITE_AUTH": (ConfigError, "may not be opened by us: check the rights of file and folder"),
    "SQLITE_CANTOPEN": (ConfigError, "cannot be opened: check the path and the rights"),
    "SQLITE_NOTADB": (ConfigError, "is no SQLite database: check store.url, or restore a backup"),
    "SQLITE_CORRUPT": (ConfigError, "is damaged: stop segmentd and restore a backup"),
}

_POSTGRES: dict[str, tuple[type[SegmentdError], str]] = {
    "28P01": (AuthError, "refuses the password"),
    "28000": (AuthError, "refuses the user"),
    "42501": (AuthError, "denies the user a right that segmentd needs"),
    "3D000": (ConfigError, "has no such database; create it first"),
    "25006": (ConfigError, "is read-only"),
    "25P03": (TransientError, "waited too long for us and took back what was not finished"),
    "55P03": (TransientError, "is locked by another process"),
    "40P01": (TransientError, "found a deadlock"),
    "40001": (TransientError, "could not order two changes"),
    "53100": (TransientError, "cannot grow: the disk is full"),
    "53200": (TransientError, "needs more memory than there is"),
    "53300": (TransientError, "has no free connection"),
    "57014": (TransientError, "cancelled the statement"),
}
_POSTGRES_CLASSES = {"08": "lost the connection", "57": "is shutting down or restarting",
                     "58": "reports a system error"}  # fmt: skip

# drivers give no code for a connection that failed: the server's own words decide
_POSTGRES_WORDS = (
    ("password", AuthError, "refuses the password"),
    ("authentication failed", AuthError, "refuses the user"),
    ("no pg_hba.conf entry", AuthError, "refuses connections from here"),
    ('" does not exist', ConfigError, "has no such database or user; create it first"),
    ("too many clients", TransientError, "has no free connection"),
)


def expected(error: BaseException, place: str) -> SegmentdError | None:
    """What ``error`` means for the user of the database at ``place``; None for our own mistakes."""
    if isinstance(error, PoolTimeoutError):
        return TransientError(f"{place}: all connections are in use")
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, sqlite3.Error):
        return _expected_sqlite(cause, place)
    # imported late: it takes as long as all of SQLAlchemy, and a file needs none of it
    if "psycopg" in sys.modules:
        import psycopg

        if isinstance(cause, psycopg.OperationalError) and cause.sqlstate is None:
            return expected_connecting(str(cause), place)
        if isinstance(cause, psycopg.Error):
            return expected_postgres(cause.sqlstate or "", place)
    return None


def _expected_sqlite(error: sqlite3.Error, place: str) -> SegmentdError | None:
    name = getattr(error, "sqlite_errorname", "")
    for prefix, (kind, words) in _SQLITE.items():
        if name.startswith(prefix):
            return kind(f"{place} {words}")
    return None


def expected_postgres(code: str, place: str) -> SegmentdError | None:
    """What an error code of PostgreSQL means; None for our own mistakes."""
    if code in _POSTGRES:
        kind, words = _POSTGRES[code]
        return kind(f"{place} {words}")
    words = _POSTGRES_CLASSES.get(code[:2], "")
    return TransientError(f"{place} {words}") if words else None


def expected_connecting(text: str, place: str) -> SegmentdError:
    """What it means that a connection failed with that text."""
    for fragment, kind, words in _POSTGRES_WORDS:
        if fragment in text:
            return kind(f"{place} {words}")
    return TransientError(f"{place} cannot be reached")


@contextmanager
def translated(place: str) -> Iterator[None]:
    """Raise what a database error means instead of the error itself."""
    try:
        yield
    except Exception as error:
        meaning = expected(error, place)
        if meaning is None:
            raise
        raise meaning from error
