"""What the use cases need of the store; ``segmentd.store`` fulfils it on SQLite and PostgreSQL.

Every method that writes is one transaction, begun IMMEDIATE on SQLite, and checks the ``lease``
it is given inside of that transaction: LockedError if another holder has taken over (its epoch is
newer). Methods raise TransientError for a locked, full or unreachable database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol, TypeVar

from segmentd.domain.cursor import Cursor
from segmentd.domain.ledger import Difference, LedgerState, Target
from segmentd.domain.memberships import Cause
from segmentd.domain.records import Record
from segmentd.domain.segments import PushTo, Segment
from segmentd.sdk.contract import Receipt, Rejection, ShopInfo

if TYPE_CHECKING:
    import pandas as pd

    from segmentd.segmenter.evaluate import Decision
    from segmentd.segmenter.frames import Frames
    from segmentd.segmenter.thresholds import Population

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write for one run.

    ``name`` is ``source:NAME``, ``segment``, ``destination:NAME`` or ``daemon``.
    """

    name: str
    holder: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Saved:
    """What a batch did to the store."""

    written: int
    unchanged: int
    dirty: int
    """Profiles marked dirty by it (again or anew)."""


class LeasePort(Protocol):
    def acquire(self, name: str, holder: str, ttl: timedelta, now: datetime) -> Lease:
        """Take a free or expired lease, epoch counted up; LockedError names holder and since."""

    def renew(self, lease: Lease, ttl: timedelta, now: datetime) -> None:
        """Prolong a lease that is still ours; LockedError otherwise."""

    def release(self, lease: Lease) -> None:
        """Give it back; no error if it was lost already."""


class PullPort(Protocol):
    def shop(self, source: str) -> ShopInfo | None:
        """What the shop said about itself at the last contact."""

    def save_shop(self, lease: Lease, source: str, info: ShopInfo) -> None:
        """Keep it: currency and time zone rule the evaluation."""

    def cursor(self, source: str, stream: str) -> Cursor:
        """The stored cursor, or the empty one."""

    def save_batch(
        self,
        lease: Lease,
        source: str,
        stream: str,
        records: Sequence[Record],
        rejected: Sequence[Rejection],
        cursor: Cursor,
        now: datetime,
    ) -> Saved:
        """Upsert, mark the touched profiles dirty, store the cursor: one transaction.

        ``stream`` is the key of the cursor only (``orders``, or ``orders:backfill``).

        A record is written only if it is not older than the stored one (``updated_at``) and its
        content hash differs. Identity: an account is one profile per source; an order of a guest
        goes to the account with the same e-mail (trimmed, case-folded), else to a guest customer
        ``guest:<e-mail>`` whom a later account with that e-mail adopts; an order whose customer is
        not stored yet gets an empty customer that the customer's own record fills later.
        """

    def save_cursor(self, lease: Lease, source: str, stream: str, cursor: Cursor) -> None:
        """Store a cursor alone (a window was opened or closed)."""

    def knows(self, source: str, fields: Sequence[str]) -> list[str]:
        """Those of these fields of ``Customer`` in which any account of the source has a value."""

    def ids(self, source: str, stream: str) -> Iterator[str]:
        """Ids of the stored records of a stream, without guests and without what is gone."""

    def remove(
        self, lease: Lease, source: str, stream: str, ids: Sequence[str], now: datetime
    ) -> int:
        """Tombstone records that the shop confirmed gone; their profiles become dirty."""

    def unread(self, sources: Mapping[str, Sequence[str]]) -> list[str]:
        """The sources of which a stream has not been read to its end even once."""


@dataclass(frozen=True, slots=True)
class Pending:
    """Profiles to be evaluated, with what made them so."""

    dirty: Mapping[int, Cause]
    """With what changed; ascending."""
    due: Sequence[int]
    profiles: int
    """About how many profiles there are, and never fewer."""
    token: int
    """Marks of dirtiness up to this one are covered; later ones stay."""


@dataclass(slots=True)
class Part:
    """What was decided for some profiles."""

    asked: Sequence[int]
    """The profiles that were to be decided: a ``range`` for all that there are in it."""
    decision: Decision
    """By all segments, or by some of them."""


class FactsPort(Protocol):
    """What a pass and questions about a store both read."""

    def frames(self, profile_ids: Sequence[int], needs: frozenset[str] | None = None) -> Frames:
        """Facts of some profiles (thousands at most), read without ADBC.

        ``needs``: the frames to be read, see ``Ruleset.needs``; None: all.
        """

    def known(self, customers: Iterable[str]) -> dict[str, list[int]]:
        """``SOURCE:ID`` or e-mail address → the profiles; who is not known is not in it."""

    def prices(self) -> list[int]:
        """The prices of all products that have one, in minor units."""

    def remote_orders(self, order_ids: Iterable[int | str]) -> dict[int | str, str]:
        """Our order id → the shop's."""

    def ranges(self, size: int) -> Sequence[tuple[int, int]]:
        """Inclusive ranges of profile ids with about ``size`` profiles each."""

    def full_pass(
        self,
        ranges: Sequence[tuple[int, int]],
        needs: frozenset[str],
        work: Callable[[Frames], T],
    ) -> Iterator[T]:
        """Do some work on the facts of each range, in spawned processes that read through ADBC.

        ``work`` and what it returns can be pickled. Yields in the order of the ranges.
        """

    def thresholds(self) -> dict[str, str]:
        """Name → stored threshold, as text made by the segmenter: of store-relative expressions, of
        limited segments, and of what is fitted to the store."""


class SegmentPort(FactsPort, Protocol):
    def passing(self) -> AbstractContextManager[None]:
        """Around all that a pass reads: what its full passes keep for each other ends with it."""

    def pending(self, now: datetime) -> Pending:
        """Dirty and due profiles."""

    def evaluated_at(self) -> datetime | None:
        """The ``now`` of the last pass; None before the first."""

    def fitted_at(self) -> datetime | None:
        """When all values that are fitted to the store were fitted last."""

    def versions(self) -> dict[str, str]:
        """Segment key → rule version that the stored memberships were made with."""

    def save_values(self, lease: Lease, values: pd.DataFrame) -> None:
        """Store what store-relative thresholds of a partition are computed from.

        Index ``profile_id``; float64 columns named by ``thresholds.value_name``, plus ``orders``
        and ``last_order_at`` for breaking ties.
        """

    def count_values(self, lease: Lease) -> None:
        """Count anew what is kept beside the stored values, whatever was wrong with it."""

    def population(self, name: str) -> Population:
        """Who has a value of that name (see ``thresholds.value_name``), as stored now.

        Of a subject the profiles with at least one counted order that have one, of a limited
        segment all that have one.
        """

    def publish(self, lease: Lease, outcome: Pass, now: datetime) -> tuple[int, int]:
        """Store the outcome of a whole pass in ONE transaction; returns (entered, left).

        Memberships with their grace, history and due instants of the decided profiles, written
        only where they differ; profiles that were asked for but are not decided (gone) lose theirs;
        where only some segments were decided, the due instant is the earlier of the stored and the
        new; memberships of segments that are configured no more end (cause RULE); rule texts with
        their versions and the thresholds are kept; dirty marks up to ``outcome.token`` are cleared.
        """


@dataclass(slots=True)
class Pass:
    """What one pass over some or all profiles found."""

    parts: Sequence[Part]
    segments: Sequence[Segment]
    thresholds: Mapping[str, str]
    token: int
    edited: frozenset[str] = frozenset()
    """Segments whose rule is new or was edited: their changes have the cause RULE."""
    causes: Mapping[int, Cause] = field(default_factory=dict)
    """Per profile where it differs from ``otherwise``."""
    otherwise: Cause = Cause.DATA
    pinned: Mapping[str, frozenset[int]] = field(default_factory=dict)
    """Segment → whom pins keep in or out: their changes have the cause PIN."""
    fitted: bool = False
    """Whether all that is fitted to the store was fitted by this pass."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a segment wants at one destination."""

    segment: str
    to: PushTo


class PushPort(Protocol):
    def differences(
        self, destination: str, source: str | None, needs: str, wishes: Sequence[Wish]
    ) -> Iterator[Difference]:
        """Each (name, target) on which wish and ledger disagree or the shop was seen to differ.

        ``source``: the shop whose customers are tagged; None for destinations by e-mail. Targets
        are keyed by ``needs``; of several profiles with one e-mail any stands for all. Ledger rows
        with names that no wish has come as not wanted. Rows in state PENDING always come.
        """

    def delivered(self, destination: str) -> Mapping[str, int]:
        """Name → how many the ledger holds as ours: delivered, or about to change."""

    def names(self, destination: str) -> dict[str, str]:
        """Name → remote id, as kept from ``prepare``."""

    def save_names(self, lease: Lease, destination: str, names: Mapping[str, str]) -> None:
        """Keep them."""

    def note(
        self,
        lease: Lease,
        destination: str,
        needs: str,
        entries: Iterable[tuple[Difference, LedgerState | None]],
        now: datetime,
    ) -> None:
        """Set the ledger state of some targets; None forgets the row."""

    def record(
        self,
        lease: Lease,
        destination: str,
        needs: str,
        receipts: Sequence[tuple[Difference, Receipt]],
        now: datetime,
    ) -> None:
        """Enter receipts: applied adds become delivered (with remote id and change time), or
        foreign where others had put them there, applied removals vanish, rejected adds and who is
        gone are kept so that they are not asked again, rejected removals stay as they were, and
        rejections are listed for ``status``."""


__all__ = [
    "Lease",
    "LeasePort",
    "Part",
    "Pass",
    "Pending",
    "PullPort",
    "PushPort",
    "Saved",
    "SegmentPort",
    "Target",
    "Wish",
]
