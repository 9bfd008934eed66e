"""Leases: who may write for one source, one destination or the segments (``LeasePort``)."""

from __future__ import annotations

import math
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Row, Table, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from segmentd.domain.errors import LockedError
from segmentd.pipeline.ports import Lease
from segmentd.store.engine import Database, taken_over
from segmentd.store.tables import LeaseRow

_TABLE: Table = LeaseRow.metadata.tables["leases"]
_C = _TABLE.c


class LeaseStore:
    """``LeasePort`` on the table ``leases``; the newest epoch is the one that holds."""

    _database: Database

    def now(self) -> datetime:
        """The time by which leases end: machines that share a server need not agree on theirs."""
        if self._database.sqlite:
            return datetime.now(UTC)
        with self._database.read() as connection:
            found: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            return found.astimezone(UTC)

    def acquire(self, name: str, holder: str, ttl: timedelta, now: datetime) -> Lease:
        """Take a lease that is free, expired, or held by a process of this machine that died."""
        row = select(_TABLE).where(_C.name == name)
        with self._database.aside() as connection:
            _add_unless_there(connection, name, now)
            # looked at first: who holds it may have it locked for as long as it writes
            _refuse_held(connection.execute(row).one(), now)
            found = connection.execute(row.with_for_update()).one()
            _refuse_held(found, now)
            lease = Lease(name, holder, found.epoch + 1)
            values = {"holder": holder, "epoch": lease.epoch, "acquired_at": now,
                      "expires_at": _end(now, ttl)}  # fmt: skip
            connection.execute(update(_TABLE).where(_C.name == name).values(values))
            return lease

    def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> None:
        """Prolong a lease that is still ours; LockedError otherwise."""
        with self._database.aside() as connection:
            statement = update(_TABLE).where(_ours(lease)).values(expires_at=_end(now, ttl))
            if connection.execute(statement).rowcount == 0:
                raise taken_over(lease)

    def release(self, lease: Lease) -> None:
        """Give it back; the epoch stays, so that a later holder is told from an earlier one."""
        with self._database.aside() as connection:
            connection.execute(update(_TABLE).where(_ours(lease)).values(holder=None))


def _ours(lease: Lease) -> ColumnElement[bool]:
    return (_C.name == lease.name) & (_C.epoch == lease.epoch) & (_C.holder == lease.holder)


def _add_unless_there(connection: Connection, name: str, now: datetime) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    free = {"name": name, "holder": None, "epoch": 0, "acquired_at": now, "expires_at": now}
    connection.execute(dialect.insert(_TABLE).values(free).on_conflict_do_nothing())


def _refuse_held(row: Row[tuple[object, ...]], now: datetime) -> None:
    if row.holder is not None and not is_over(row.holder, row.expires_at, now):
        raise LockedError(
            f"{row.name} is held by {row.holder} since {row.acquired_at:%Y-%m-%d %H:%M:%S}Z"
        )


def _end(now: datetime, ttl: timedelta) -> datetime:
    # instants are whole seconds: a short lease must not end before it began
    return now.replace(microsecond=0) + timedelta(seconds=math.ceil(ttl.total_seconds()))


def is_over(holder: str, expires_at: datetime, now: datetime) -> bool:
    """Whether a lease that was not given back may be taken over."""
    return expires_at <= now or is_dead(holder)


def is_dead(holder: str) -> bool:
    """Whether ``HOST:PID`` or ``HOST:PID:STARTED`` names a process of this host that is no more.

    ``STARTED`` (field 22 of /proc/PID/stat) tells a process from a later one with the same number,
    as in a container, where it is often 1.
    """
    host, _, rest = holder.partition(":")
    pid, _, started = rest.partition(":")
    if host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return bool(started) and _started(int(pid)) not in {None, started}


def this_process() -> str:
    """This process as a holder: ``HOST:PID:STARTED``."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid()) or ''}".rstrip(":")


def _started(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # behind the name, which may hold anything but ends with the last parenthesis
    return stat.rpartition(")")[2].split()[19]
