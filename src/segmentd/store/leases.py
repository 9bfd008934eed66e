"""Leases: who may write for one source, one destination or the segments (``LeasePort``)."""

from __future__ import annotations

import math
import os
import socket
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Row, Table, insert, select, update

from segmentd.domain.errors import LockedError
from segmentd.pipeline.ports import Lease
from segmentd.store.engine import Database
from segmentd.store.tables import LeaseRow

_TABLE: Table = LeaseRow.metadata.tables["leases"]
_C = _TABLE.c


class LeaseStore:
    """``LeasePort`` on the table ``leases``; the newest epoch is the one that holds."""

    _database: Database

    def acquire(self, name: str, holder: str, ttl: timedelta, now: datetime) -> Lease:
        """Take a lease that is free, expired, or held by a process of this machine that died."""
        with self._database.write() as connection:
            row = connection.execute(select(_TABLE).where(_C.name == name)).one_or_none()
            if row is not None and _held(row, now):
                raise LockedError(
                    f"{name} is held by {row.holder} since {row.acquired_at:%Y-%m-%d %H:%M:%S}Z"
                )
            lease = Lease(name, holder, row.epoch + 1 if row is not None else 1)
            values = {"holder": holder, "epoch": lease.epoch, "acquired_at": now,
                      "expires_at": _end(now, ttl)}  # fmt: skip
            if row is None:
                connection.execute(insert(_TABLE).values(name=name, **values))
            else:
                connection.execute(update(_TABLE).where(_C.name == name).values(values))
            return lease

    def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> None:
        """Prolong a lease that is still ours; LockedError otherwise."""
        with self._database.write(lease) as connection:
            connection.execute(
                update(_TABLE).where(_C.name == lease.name).values(expires_at=_end(now, ttl))
            )

    def release(self, lease: Lease) -> None:
        """Give it back; the epoch stays, so that a later holder is told from an earlier one."""
        ours = (_C.name == lease.name) & (_C.epoch == lease.epoch) & (_C.holder == lease.holder)
        with self._database.write() as connection:
            connection.execute(update(_TABLE).where(ours).values(holder=None))


def _end(now: datetime, ttl: timedelta) -> datetime:
    # instants are whole seconds: a short lease must not end before it began
    return now.replace(microsecond=0) + timedelta(seconds=math.ceil(ttl.total_seconds()))


def _held(row: Row[tuple[object, ...]], now: datetime) -> bool:
    if row.holder is None or row.expires_at <= now:
        return False
    return not is_dead(row.holder)


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
