"""What waits to be done, by a look that costs the same for a small shop and for a large one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from segmentd.domain.cursor import BACKFILL
from segmentd.pipeline.ports import Lease
from segmentd.store.bulk import Bulk
from segmentd.store.engine import Database
from segmentd.store.leases import is_over
from segmentd.store.types import epoch, from_epoch, moment

VERIFIED_AT = "verified_at"
"""Counter that holds when a daemon last verified the store, as epoch seconds."""
DIFFERENCES = "verify_differences"
"""Counter that holds how much it found to differ."""


@dataclass(frozen=True, slots=True)
class Held:
    """How a lease stands that was taken at least once."""

    epoch: int
    since: datetime
    """When it was taken last."""
    live: bool
    """Held by a process of which nobody knows that it ended."""
    orphaned: bool
    """Never given back: whoever held it died, or was silent for too long."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What there is to do, whoever made it so."""

    due: datetime | None
    """The earliest instant at which time alone may change a membership."""
    dirty: bool
    """Whether anybody must be evaluated because of what came in."""
    leases: Mapping[str, Held]

    def quiet(self) -> bool:
        """Whether nobody reads a source or evaluates: who marks somebody dirty evaluates, too."""
        return not any(
            held.live and name.startswith(("source:", "segment"))
            for name, held in self.leases.items()
        )


@dataclass(frozen=True, slots=True)
class Verified:
    """When a daemon last computed everything anew, and how much was stored otherwise."""

    at: datetime
    differences: int


class WaitingStore:
    """A look at the store for whoever decides what to do next."""

    _database: Database

    def waiting(self, now: datetime) -> Waiting:
        """``now`` by the clock of leases."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            # the condition is that of the index: without it SQLite looks at everybody
            ((due,),) = bulk.rows("SELECT min(due_at) FROM profiles WHERE due_at IS NOT NULL")
            dirty = bulk.rows("SELECT 1 FROM dirty LIMIT 1")
            rows = bulk.rows("SELECT name, holder, epoch, acquired_at, expires_at FROM leases")
        return Waiting(
            due=moment(due) if due is not None else None,
            dirty=bool(dirty),
            leases={
                name: _held(holder, epoch, moment(since), moment(expires), now)
                for name, holder, epoch, since, expires in rows
            },
        )

    def verified(self) -> Verified | None:
        """The last time, by whichever daemon; None: never."""
        with self._database.read() as connection:
            rows = Bulk(connection, sqlite=self._database.sqlite).rows(
                "SELECT name, value FROM counters WHERE name IN (?, ?)", VERIFIED_AT, DIFFERENCES
            )
        found = {name: int(value) for name, value in rows}
        return Verified(from_epoch(found[VERIFIED_AT]), found[DIFFERENCES]) if found else None

    def save_verified(self, lease: Lease, verified: Verified) -> None:
        """Keep the last time."""
        values = [(VERIFIED_AT, epoch(verified.at)), (DIFFERENCES, verified.differences)]
        with self._database.write(lease) as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            bulk.upsert("counters", ("name", "value"), values)

    def watermarks(self, source: str) -> dict[str, datetime]:
        """Stream → up to when everything that changed is stored, of those read at least once."""
        with self._database.read() as connection:
            rows = Bulk(connection, sqlite=self._database.sqlite).rows(
                "SELECT stream, watermark FROM cursors WHERE source = ? AND watermark IS NOT NULL",
                source,
            )
        # a backfill has a cursor of its own
        return {
            stream: moment(watermark) for stream, watermark in rows if not stream.endswith(BACKFILL)
        }


def _held(
    holder: str | None, epoch: int, since: datetime, expires: datetime, now: datetime
) -> Held:
    over = holder is not None and is_over(holder, expires, now)
    return Held(epoch, since, live=holder is not None and not over, orphaned=over)
