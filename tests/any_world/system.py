"""Segmentd beside the shop: a store that outlives crashes, and cycles that end at any commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, event

from any_world.pool import TAGS, Rules
from any_world.shop import STREAMS, WorldShop, WorldSource
from segmentd.domain.ledger import Guard
from segmentd.pipeline.ports import Lease, Wish
from segmentd.pipeline.pull import Reading, pull
from segmentd.pipeline.push import plan, push
from segmentd.pipeline.segment import SegmentSummary, segment
from segmentd.sdk.contract import Runtime
from segmentd.sdk.testing.memory import MemoryDestination, MemorySettings, registered
from segmentd.store import Store, open_store
from segmentd.store.engine import Database

SHOP = "shop"
TTL = timedelta(minutes=10)


class Crashed(BaseException):
    """The process is no more. Nothing may catch it, and nothing that it passes can be written."""


class Fuse:
    """Ends the process, so to speak, in place of its n-th commit."""

    def __init__(self, database: Database) -> None:
        self._left: int | None = None
        self._burnt = False
        event.listen(database.engine, "begin", self._begin, insert=True)
        event.listen(database.engine, "commit", self._commit)

    def set(self, at: int | None) -> None:
        """Let it burn at the ``at``-th commit from now; None: never."""
        self._left, self._burnt = at, False

    def _begin(self, _: Connection) -> None:
        if self._burnt:
            raise Crashed

    def _commit(self, connection: Connection) -> None:
        if self._left is None or "begin" not in connection.get_execution_options():
            return
        self._left -= 1
        if self._left == 0:
            self._burnt = True
            raise Crashed


class Files:
    """An empty store, and two databases that are filled from others again and again: opening one
    for each example would take most of the time."""

    def __init__(self, folder: Path) -> None:
        open_store(f"sqlite:///{folder}/empty.db").close()
        self.empty = sqlite3.connect(folder / "empty.db")
        self.live = Database(f"sqlite:///{folder}/live.db")
        self.copy = Database(f"sqlite:///{folder}/copy.db")
        self.fuse = Fuse(self.live)

    def close(self) -> None:
        """Let go of all three."""
        self.empty.close()
        self.live.close()
        self.copy.close()

    def clear(self) -> None:
        """Begin with an empty store again."""
        with raw(self.live) as target:
            self.empty.backup(target)

    def duplicate(self) -> None:
        """Make ``copy`` what ``live`` is."""
        with raw(self.live) as source, raw(self.copy) as target:
            source.backup(target)


@contextmanager
def raw(database: Database) -> Iterator[sqlite3.Connection]:
    """The driver's own connection."""
    with database.engine.connect() as connection:
        found = connection.connection.driver_connection
        assert isinstance(found, sqlite3.Connection)
        yield found


class System:
    """One process after another on the same store."""

    def __init__(
        self, files: Files, shop: WorldShop, rules: Rules, *, pushing: bool, full: bool
    ) -> None:
        self.files, self.shop, self.rules, self.pushing = files, shop, rules, pushing
        self.full = full
        self.fuse = files.fuse
        self.fuse.set(None)
        files.clear()
        self._started = 0
        self._start()

    def _start(self) -> None:
        """A new process: whatever the one before kept in memory is lost, its leases run out."""
        self._started += 1
        self.store = Store(self.files.live)
        self._lease_of_shop = self._acquire(f"source:{SHOP}")
        self._lease_of_segments = self._acquire("segment")
        self._lease_of_tags = self._acquire(f"destination:{TAGS}")

    def _acquire(self, name: str) -> Lease:
        # the lease's clock is not that of the shop: an hour after the process before
        wall = self.shop.clock.now() + timedelta(days=9999, hours=self._started)
        return self.store.acquire(name, f"world:{self._started}", TTL, wall)

    def cycle(self, crashes: tuple[int, ...], *, pulling: bool) -> None:
        """Pull (or not, as when only somebody is due), segment and push; ended at some commits, and
        begun again each time."""
        # what happened in the last second of a window is read again by the next one
        self.shop.tick(1)
        for at in (*crashes, None):
            self.fuse.set(at)
            try:
                if pulling:
                    self.pull()
                self.segment()
                if self.pushing:
                    self.push()
            except Crashed:
                self.fuse.set(None)
                self._start()
            else:
                break
        self.fuse.set(None)

    def pull(self) -> None:
        """Read what changed in the shop."""
        source = WorldSource(self.shop)
        now = self.shop.now
        pull(Reading(SHOP, source, self.store, self._lease_of_shop, now, now, _quietly))

    def segment(self) -> SegmentSummary:
        """A pass over what is dirty or due, or each time over everybody."""
        return _pass(self.store, self._lease_of_segments, self, full=self.full)

    def inside(self) -> dict[str, set[str]]:
        """Customer → segments that the store says they are in."""
        found: dict[str, set[str]] = {}
        for each in self.store.memberships():
            found.setdefault(each.customer_id, set()).add(each.segment)
        return found

    def settle(self) -> None:
        """Passes until nobody is due in the next second: a second look may end what it leaves."""
        for _ in range(5):
            due = self.store.waiting(self.shop.now).due
            if due is None or due > self.shop.now + timedelta(seconds=1):
                return
            self.shop.tick(1)
            self.segment()
            if self.pushing:
                self.push()
        raise AssertionError("it does not come to rest")

    def full_on_copy(self) -> SegmentSummary:
        """A pass over everybody in a copy of the store, in which nothing is left that a pass
        computes from other facts than its own history."""
        self.files.duplicate()
        store = Store(self.files.copy)
        with raw(self.files.copy) as copy:
            copy.executescript(
                "BEGIN; DELETE FROM relative_values; DELETE FROM relative_steps;"
                "DELETE FROM relative_subjects; UPDATE profiles SET due_at = NULL;"
                "DELETE FROM thresholds WHERE expression NOT LIKE 'FITTED %'; COMMIT"
            )
        return _pass(store, self._lease_of_segments, self, full=True)

    def push(self) -> None:
        """Bring the tags of the shop to the memberships."""
        with registered(SHOP, self.shop):
            settings = MemorySettings(shop=SHOP, batch_size=3)
            destination = MemoryDestination(settings, _RUNTIME)
        wishes = [Wish(each.key, to) for each in self.rules.segments for to in each.push]
        made = plan(TAGS, destination.capabilities, self.store, SHOP, wishes, _ANYTHING)
        push(made, destination, self.store, self._lease_of_tags, self.shop.now, _silently)


_RUNTIME = Runtime()
_ANYTHING = Guard(floor=1_000_000)


def _pass(store: Store, lease: Lease, system: System, *, full: bool) -> SegmentSummary:
    rules = system.rules
    return segment(
        store, lease, rules.segments, rules.ruleset, system.shop.now, _silently,
        complete=not store.unread({SHOP: STREAMS}), full=full,
    )  # fmt: skip


def _quietly(_stream: str, _done: int, _total: int | None) -> None:
    return None


def _silently(_done: int, _total: int) -> None:
    return None
