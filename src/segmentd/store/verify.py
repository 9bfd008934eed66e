"""What verifying reads (``VerifyPort``): the state of some profiles in one view of the database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from segmentd.pipeline.verification import Entry, Waiting
from segmentd.store.bulk import Bulk
from segmentd.store.engine import Database
from segmentd.store.relative import stored_values
from segmentd.store.types import from_epoch

if TYPE_CHECKING:
    import pandas as pd

    from segmentd.segmenter.comparing import Stored
    from segmentd.segmenter.frames import Frames

# who was known once is kept as gone, and an entry moves with a profile that is merged
_NO_CUSTOMER = """
SELECT name, target FROM ledger l WHERE destination = ?
  AND NOT EXISTS (SELECT 1 FROM customers c WHERE c.source = ? AND c.customer_id = l.target)
ORDER BY name_key, target
"""
# an address may be that of a former e-mail: the next push takes it off
_NO_PROFILE = """
SELECT name, target FROM ledger l WHERE destination = ?
  AND NOT EXISTS (SELECT 1 FROM profiles p WHERE p.profile_id = l.profile_id)
ORDER BY name_key, target
"""


class VerifyStore:
    """``VerifyPort`` beside what passes and pushes read anyway. Imports pandas late."""

    _database: Database

    @contextmanager
    def view(self, now: datetime) -> Iterator[StoredView]:
        """The database as it is now, for the length of the block."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.rows("SELECT value FROM counters WHERE name = 'evaluated_at'")
            passed = [from_epoch(row.value) for row in rows]
            yield StoredView(bulk, max(now, *passed) if passed else now)

    def strays(self, destination: str, source: str | None, needs: str) -> list[Entry]:
        """Entries of the ledger whose target or profile was never known."""
        by_customer = needs == "customer_id"
        statement = _NO_CUSTOMER if by_customer else _NO_PROFILE
        values = (destination, source) if by_customer else (destination,)
        with self._database.read() as connection:
            rows = Bulk(connection, sqlite=self._database.sqlite).rows(statement, *values)
        return [Entry(row.name, row.target) for row in rows]

    def destinations(self) -> dict[str, int]:
        """Every destination in the ledger, with its entries; what was taken off is none."""
        with self._database.read() as connection:
            rows = Bulk(connection, sqlite=self._database.sqlite).rows(
                "SELECT destination, count(*) AS entries FROM ledger WHERE state <> 'removed' "
                "GROUP BY destination ORDER BY destination"
            )
        return {row.destination: int(row.entries) for row in rows}


class StoredView:
    """One state of the database (``View``)."""

    def __init__(self, bulk: Bulk, now: datetime) -> None:
        self._bulk = bulk
        self.now = now

    def waiting(self) -> Waiting:
        """Who is dirty, and who is due by ``now``."""
        dirty = self._bulk.tuples("SELECT profile_id FROM dirty")
        due = self._bulk.tuples(
            "SELECT profile_id FROM profiles WHERE due_at <= ?", self._bulk.instant(self.now)
        )
        return Waiting(frozenset(p for (p,) in dirty), frozenset(p for (p,) in due))

    def passing(self) -> bool:
        """Whether a pass is on its way, or died there: who ends well gives the lease back."""
        rows = self._bulk.rows("SELECT holder FROM leases WHERE name = 'segment'")
        return any(row.holder is not None for row in rows)

    def thresholds(self) -> dict[str, str]:
        """Name → stored threshold."""
        rows = self._bulk.rows("SELECT expression, threshold FROM thresholds WHERE current = 1")
        return {row.expression: row.threshold for row in rows}

    def values(self, name: str) -> pd.DataFrame:
        """Stored values of everybody: index ``profile_id``, columns ``thresholds.FACTS``."""
        import pandas as pd

        from segmentd.segmenter.thresholds import FACTS

        rows = stored_values(self._bulk, name)
        found = pd.DataFrame(rows, columns=["profile_id", *FACTS], dtype="float64")
        return found.astype({"profile_id": "int64"}).set_index("profile_id")

    def frames(self, profile_ids: Sequence[int], needs: frozenset[str]) -> Frames:
        """Facts of some profiles."""
        from segmentd.store.facts import PartFacts

        return PartFacts(self._bulk).read(profile_ids, needs)

    def stored(self, profile_ids: Sequence[int]) -> Stored:
        """What the last pass left of some profiles; a ``range`` is asked for as one."""
        from segmentd.segmenter.comparing import Stored
        from segmentd.store.facts import among
        from segmentd.store.publish import stored_due

        chosen, values = among(profile_ids)
        members = self._bulk.tuples(
            f"SELECT segment, profile_id FROM memberships WHERE {chosen} ORDER BY profile_id",  # noqa: S608
            *values,
        )
        graced = self._bulk.tuples(
            f"SELECT segment, profile_id, {self._bulk.seconds('lapsing_at')} FROM memberships "  # noqa: S608
            f"WHERE lapsing_at IS NOT NULL AND {chosen}",
            *values,
        )
        due = stored_due(self._bulk, profile_ids)
        return Stored.of(members, graced, list(due.items()))
