"""What a segment pass reads and writes (``SegmentPort``)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from segmentd.domain.identity import email_key
from segmentd.domain.memberships import Cause
from segmentd.pipeline.ports import Lease, Pass, Pending
from segmentd.store.bulk import Bulk
from segmentd.store.engine import Database, adbc_address
from segmentd.store.types import from_epoch

if TYPE_CHECKING:
    import pandas as pd

    from segmentd.segmenter.frames import Frames
    from segmentd.segmenter.thresholds import Population
    from segmentd.store.dask_pass import DaskWorkers
    from segmentd.store.full_pass import Workers

T = TypeVar("T")


class SegmentStore:
    """``SegmentPort`` on the tables. Imports pandas late: ``status`` does not need it."""

    _database: Database
    _workers: Workers | DaskWorkers | None = None
    _scheduler: str | None = None
    """Of Dask; None: full passes are done by processes of this machine."""

    def pending(self, now: datetime) -> Pending:
        """Dirty and due profiles."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            marks = bulk.rows("SELECT profile_id, token, cause FROM dirty ORDER BY profile_id")
            due = bulk.rows(
                # the plus: SQLite would go through all profiles to have them in order
                "SELECT profile_id FROM profiles WHERE due_at <= ? ORDER BY +profile_id",
                bulk.instant(now),
            )
            # ids are given without gaps, and counting a million rows would take longer than a pass
            ((profiles,),) = bulk.rows("SELECT coalesce(max(profile_id), 0) FROM profiles")
        return Pending(
            dirty={profile_id: Cause(cause) for profile_id, _, cause in marks},
            due=[profile_id for (profile_id,) in due],
            profiles=profiles,
            token=max((token for _, token, _ in marks), default=0),
        )

    def evaluated_at(self) -> datetime | None:
        """The ``now`` of the last pass."""
        return self._instant("evaluated_at")

    def fitted_at(self) -> datetime | None:
        """The ``now`` of the last pass that fitted values to the store."""
        return self._instant("fitted_at")

    def frames(self, profile_ids: Sequence[int], needs: frozenset[str] | None = None) -> Frames:
        """Facts of some profiles (thousands at most), read over the open connection."""
        from segmentd.store.facts import EVERYTHING, PartFacts

        with self._database.read() as connection:
            facts = PartFacts(Bulk(connection, sqlite=self._database.sqlite))
            return facts.read(profile_ids, EVERYTHING if needs is None else needs)

    def known(self, customers: Iterable[str]) -> dict[str, list[int]]:
        """``SOURCE:ID`` or e-mail address → the profiles."""
        named = {customer: tuple(customer.split(":", 1)) for customer in customers}
        keys = {customer: email_key(customer) for customer in named}
        if not named:
            return {}
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            # the index on addresses begins with the source
            sources = [source for (source,) in bulk.rows("SELECT DISTINCT source FROM cursors")]
            rows = bulk.rows(
                "SELECT source, customer_id, email_key, profile_id FROM customers "
                "WHERE gone_at IS NULL AND source IN (?*) AND customer_id IN (?*) "
                "UNION SELECT source, customer_id, email_key, profile_id FROM customers "
                "WHERE gone_at IS NULL AND source IN (?*) AND email_key IN (?*)",
                sources,
                [name[-1] for name in named.values()],
                sources,
                [key for key in keys.values() if key],
            )
        found: dict[object, set[int]] = {}
        for row in rows:
            for name in ((row.source, row.customer_id), row.email_key):
                found.setdefault(name, set()).add(row.profile_id)
        # who has no address is not meant by every name that is none
        found.pop(None, None)
        meant = {c: found.get(named[c], set()) | found.get(keys[c], set()) for c in named}
        return {customer: sorted(profiles) for customer, profiles in meant.items() if profiles}

    def find(self, who: str) -> list[int]:
        """Profiles that an e-mail address or ``SOURCE:ID`` means."""
        return self.known([who]).get(who, [])

    def prices(self) -> list[int]:
        """The prices of all products that have one."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.tuples(
                "SELECT price FROM products WHERE price IS NOT NULL AND gone_at IS NULL"
            )
        return [price for (price,) in rows]

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
        needs: frozenset[str],
        work: Callable[[Frames], T],
    ) -> Iterator[T]:
        """Do some work on the facts of each range in worker processes; yields in their order.

        The processes stay for a second time: see ``passing``.
        """
        if self._workers is None:
            self._workers = self._new_workers()
        return self._workers.over(ranges, needs, work)

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Around all that a pass reads; the worker processes end with it."""
        try:
            yield
        except Exception:
            # and not Ctrl-C, after which nobody waits until they are done (cli.session)
            self._end_workers()
            raise
        self._end_workers()

    def spread(self, scheduler: str) -> None:
        """Do full passes on the workers of a Dask scheduler; what is wrong with it is told now."""
        self._scheduler = scheduler
        self._workers = self._new_workers()

    def _new_workers(self) -> Workers | DaskWorkers:
        if self._scheduler is not None:
            from segmentd.store.dask_pass import DaskWorkers

            return DaskWorkers(self._database.url, self._scheduler)
        from segmentd.store.full_pass import Workers

        return Workers(adbc_address(self._database.url), self._database.place)

    def versions(self) -> dict[str, str]:
        """Segment → version of the rule that the stored memberships were made with."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.rows("SELECT segment, version FROM segments WHERE current = 1")
        return {row.segment: row.version for row in rows}

    def save_values(self, lease: Lease, values: pd.DataFrame) -> None:
        """Store the store-relative values of a partition, where they differ from the stored."""
        from segmentd.store.relative import save_values

        with self._database.write(lease) as connection:
            save_values(Bulk(connection, sqlite=self._database.sqlite), values)

    def count_values(self, lease: Lease) -> None:
        """Count anew what is kept beside the stored values."""
        from segmentd.store.relative import count_values

        with self._database.write(lease) as connection:
            count_values(Bulk(connection, sqlite=self._database.sqlite))

    def population(self, name: str) -> Population:
        """Who has a value of that name."""
        from segmentd.store.relative import StoredPopulation

        return StoredPopulation(self._database, name)

    def thresholds(self) -> dict[str, str]:
        """Name → current threshold."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.rows("SELECT expression, threshold FROM thresholds WHERE current = 1")
        return {row.expression: row.threshold for row in rows}

    def publish(self, lease: Lease, outcome: Pass, now: datetime) -> tuple[int, int]:
        """Store the outcome of a whole pass in one transaction; returns (entered, left)."""
        from segmentd.store.publish import publish

        with self._database.write(lease) as connection:
            return publish(Bulk(connection, sqlite=self._database.sqlite), outcome, now)

    def _instant(self, counter: str) -> datetime | None:
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.rows("SELECT value FROM counters WHERE name = ?", counter)
        return from_epoch(rows[0].value) if rows else None

    def _end_workers(self) -> None:
        if self._workers is not None:
            self._workers.close()
            self._workers = None
