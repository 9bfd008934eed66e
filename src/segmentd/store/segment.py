"""What a segment pass reads and writes (``SegmentPort``)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from segmentd.pipeline.ports import Evaluated, Lease, Pass, Pending
from segmentd.store.bulk import Bulk
from segmentd.store.engine import Database
from segmentd.store.types import from_epoch

if TYPE_CHECKING:
    import pandas as pd

    from segmentd.segmenter.frames import Frames
    from segmentd.segmenter.ruleset import Ruleset
    from segmentd.store.full_pass import Workers
    from segmentd.store.relative import Populations


class SegmentStore:
    """``SegmentPort`` on the tables. Imports pandas late: ``status`` does not need it."""

    _database: Database
    _workers: Workers | None = None
    _populations: Populations | None = None

    def pending(self, now: datetime) -> Pending:
        """Dirty and due profiles."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            marks = bulk.rows("SELECT profile_id, token FROM dirty ORDER BY profile_id")
            due = bulk.rows(
                "SELECT profile_id FROM profiles WHERE due_at <= ? ORDER BY profile_id",
                bulk.instant(now),
            )
            ((profiles,),) = bulk.rows("SELECT count(*) FROM profiles WHERE gone_at IS NULL")
        return Pending(
            dirty=[profile_id for profile_id, _ in marks],
            due=[profile_id for (profile_id,) in due],
            profiles=profiles,
            token=max((token for _, token in marks), default=0),
        )

    def evaluated_at(self) -> datetime | None:
        """The ``now`` of the last pass."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.rows("SELECT value FROM counters WHERE name = 'evaluated_at'")
        return from_epoch(rows[0].value) if rows else None

    def frames(self, profile_ids: Sequence[int]) -> Frames:
        """Facts of some profiles (thousands at most), read over the open connection."""
        from segmentd.store.facts import PartFacts

        with self._database.read() as connection:
            return PartFacts(Bulk(connection, sqlite=self._database.sqlite)).read(profile_ids)

    def remote_orders(self, order_ids: Iterable[int | str]) -> dict[int | str, str]:
        """Our order id → the shop's."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.rows(
                "SELECT order_id, remote_id FROM orders WHERE order_id IN (?*)",
                [int(order_id) for order_id in order_ids],
            )
        return {row.order_id: row.remote_id for row in rows}

    def ranges(self, size: int) -> Sequence[tuple[int, int]]:
        """Inclusive ranges of profile ids with about ``size`` profiles each."""
        bounds: list[tuple[int, int]] = []
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            ((low, last),) = bulk.rows("SELECT min(profile_id), max(profile_id) FROM profiles")
            while low is not None and low <= last:
                following = bulk.rows(
                    "SELECT profile_id FROM profiles WHERE profile_id >= ? "
                    "ORDER BY profile_id LIMIT 1 OFFSET ?",
                    low,
                    size,
                )
                high = following[0].profile_id - 1 if following else last
                bounds.append((low, high))
                low = high + 1
        return bounds

    def full_pass(
        self,
        ranges: Sequence[tuple[int, int]],
        ruleset: Ruleset,
        now: datetime,
        thresholds: Mapping[str, str] | None,
    ) -> Iterator[Evaluated]:
        """Evaluate ranges of profiles in worker processes; yields in the order of the ranges.

        The processes stay for a second time until the pass is published.
        """
        from segmentd.store.full_pass import Workers

        if self._workers is None:
            self._workers = Workers(self._database.url)
        return self._workers.evaluate(ranges, ruleset, now, thresholds)

    def versions(self) -> dict[str, str]:
        """Segment → version of the rule that the stored memberships were made with."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.rows("SELECT segment, version FROM segments WHERE current = 1")
        return {row.segment: row.version for row in rows}

    def save_values(self, lease: Lease, values: pd.DataFrame) -> None:
        """Store the store-relative values of a partition, where they differ from the stored."""
        populations = self._of_everybody()
        try:
            with self._database.write(lease) as connection:
                populations.save(Bulk(connection, sqlite=self._database.sqlite), values)
        except BaseException:
            # rolled back: what we remember may be ahead of what is stored
            populations.forget()
            raise

    def values(self, expression: str) -> pd.DataFrame:
        """All stored values of one expression, of profiles with at least one counted order."""
        return self._of_everybody().of(expression)

    def thresholds(self) -> dict[str, str]:
        """Store-relative expression → its current threshold."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.rows("SELECT expression, threshold FROM thresholds WHERE current = 1")
        return {row.expression: row.threshold for row in rows}

    def publish(self, lease: Lease, outcome: Pass, now: datetime) -> tuple[int, int]:
        """Store the outcome of a whole pass in one transaction; returns (entered, left)."""
        from segmentd.store.publish import publish

        self._end_workers()
        with self._database.write(lease) as connection:
            return publish(Bulk(connection, sqlite=self._database.sqlite), outcome, now)

    def _of_everybody(self) -> Populations:
        from segmentd.store.relative import Populations

        if self._populations is None:
            self._populations = Populations(self._database)
        return self._populations

    def _end_workers(self) -> None:
        if self._workers is not None:
            self._workers.close()
            self._workers = None
