"""Pull: read what changed in a shop into the store, batch by batch, losing nothing.

One batch is one transaction with its cursor, so a crash at any point is repaired by reading on.
While one is written the next is fetched; what was fetched and not written is fetched again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from segmentd.domain.cursor import BACKFILL, Cursor, Window
from segmentd.domain.errors import AuthError
from segmentd.pipeline.ahead import ahead
from segmentd.pipeline.ports import Lease, PullPort
from segmentd.sdk.contract import Batch, ShopInfo, Source, Stream, StreamKind

Progress = Callable[[str, int, int | None], None]
"""Called after each batch with the stream, the records read so far, and the expected total."""

MISSING_FLOOR = 10
MISSING_SHARE = 0.20
RESUMED = timedelta(days=7)
"""So long an interrupted backfill can be gone on with; as long as Shopify keeps what it made."""


@dataclass(slots=True)
class StreamSummary:
    """What reading one stream did."""

    stream: str
    read: int = 0
    written: int = 0
    unchanged: int = 0
    rejected: int = 0
    removed: int = 0
    held: int = 0
    """Stored records that the shop did not list; so many that we do not believe it."""


@dataclass(slots=True)
class PullSummary:
    """What pulling one source did."""

    source: str
    streams: list[StreamSummary] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def read(self) -> int:
        return sum(stream.read for stream in self.streams)

    @property
    def written(self) -> int:
        return sum(stream.written for stream in self.streams)


@dataclass(frozen=True, slots=True)
class Reading:
    """One stream of one source on its way into the store."""

    name: str
    source: Source
    store: PullPort
    lease: Lease
    now: datetime
    clock: datetime
    """What this machine's clock says, whatever ``now`` a person gave."""
    progress: Progress
    currency: str | None = None
    """What money is counted in, where the configuration overrides the shop."""


def pull(reading: Reading) -> PullSummary:
    """Read what changed in every stream of the source since the last pull."""
    name, source, store = reading.name, reading.source, reading.store
    info, summary = _greet(reading)
    sight = _Sight(reading, summary.warnings)
    for stream in source.streams:
        cursor = store.cursor(name, stream.name).open(info.now, stream.lag)
        whole = stream.kind is StreamKind.SWEEP
        done = _read(sight, stream, stream.name, cursor, whole=whole)
        _remove_missing(reading, stream, done, accept=False)
        store.save_cursor(reading.lease, name, stream.name, cursor.close(reading.clock))
        summary.streams.append(done.summary)
    return summary


def backfill(
    reading: Reading, since: datetime | None = None, *, accept_removals: bool = False
) -> PullSummary:
    """Read everything (since an instant) again, beside the cursor of the normal pulls.

    One that was interrupted within the last days goes on where it stopped. The first complete one
    lets the normal pulls begin at its end; later ones never move their cursor.
    ``accept_removals``: a person knows that the shop lists or shows less than it did.
    """
    name, source, store = reading.name, reading.source, reading.store
    info, summary = _greet(reading)
    sight = _Sight(reading, summary.warnings, accept=accept_removals)
    for stream in source.streams:
        key = stream.name + BACKFILL
        cursor = _backfill_cursor(store.cursor(name, key), since, info)
        if cursor.watermark is None:
            whole = since is None or stream.kind is StreamKind.SWEEP
            done = _read(sight, stream, key, cursor, whole=whole)
            _remove_missing(reading, stream, done, accept=accept_removals)
            _hand_over(reading, stream, cursor, since)
            store.save_cursor(reading.lease, name, key, cursor.ended())
            summary.streams.append(done.summary)
    for stream in source.streams:
        store.save_cursor(reading.lease, name, stream.name + BACKFILL, Cursor())
    return summary


def _greet(reading: Reading) -> tuple[ShopInfo, PullSummary]:
    info = reading.source.info()
    if reading.currency is not None:
        info = replace(info, currency=reading.currency)
    reading.store.save_shop(reading.lease, reading.name, info)
    return info, PullSummary(reading.name, warnings=list(info.warnings))


def _backfill_cursor(stored: Cursor, since: datetime | None, info: ShopInfo) -> Cursor:
    """The stored one if it may go on; with a watermark, the stream was read to its end."""
    window = stored.window
    if window is not None and window.since == since and info.now - window.until < RESUMED:
        return stored
    return Cursor(window=Window(since, info.now))


def _hand_over(reading: Reading, stream: Stream, cursor: Cursor, since: datetime | None) -> None:
    """Let the normal pulls begin where a first complete backfill ended."""
    usual = reading.store.cursor(reading.name, stream.name)
    if since is None and usual.watermark is None:
        closed = cursor.close(reading.clock)
        reading.store.save_cursor(reading.lease, reading.name, stream.name, closed)


@dataclass(slots=True)
class _Done:
    summary: StreamSummary
    known: int = 0
    """Records of the stream in the store when the reading began."""
    missing: set[str] = field(default_factory=set)
    """Those of them that this run, reading the stream from beginning to end, has not met."""


@dataclass(slots=True)
class _Sight:
    """What the platform lets us see of customers.

    What it withholds looks like what a customer never had. Where the store knows some of it, we
    read no further: who is new meanwhile would come without it too, and not come again.
    """

    reading: Reading
    warnings: list[str]
    accept: bool = False
    """A person knows of it and wants to go on without."""
    withheld: set[str] = field(default_factory=set)
    """Fields that were looked into."""

    def check(self, batch: Batch) -> None:
        """AuthError if the store knows what is withheld now; else a warning, once."""
        new = sorted(batch.withheld.keys() - self.withheld)
        if not new:
            return
        self.withheld.update(new)
        name = self.reading.name
        lost = [] if self.accept else self.reading.store.knows(name, new)
        if lost:
            raise AuthError(
                f"{name} no longer shows us {_of_customers(lost, batch.withheld)}; "
                "reading stopped before it, and nothing is lost",
                hint=f"give the right back, then: segmentd pull {name}; "
                f"or, to go on without: segmentd backfill {name} --accept-removals",
            )
        self.warnings.append(f"does not show us {_of_customers(new, batch.withheld)}")


def _of_customers(names: Iterable[str], rights: Mapping[str, str]) -> str:
    missing = sorted({rights[name] for name in names})
    return f"{', '.join(names)} of customers (missing: {', '.join(missing)})"


def _read(sight: _Sight, stream: Stream, key: str, cursor: Cursor, *, whole: bool) -> _Done:
    """``whole``: what is stored and not met is missing, unless an earlier run has begun."""
    reading = sight.reading
    window = cursor.window
    if window is None:
        raise ValueError("the cursor has no open window")
    done = _Done(StreamSummary(stream.name))
    if whole and cursor.position is None:
        done.missing.update(reading.store.ids(reading.name, stream.name))
        done.known = len(done.missing)
    total = reading.source.count(stream.name, window)
    with closing(ahead(reading.source.read(stream.name, window, cursor.position))) as batches:
        for batch in batches:
            sight.check(batch)
            _save(reading, key, cursor.at(batch.position), batch, done)
            reading.progress(stream.name, done.summary.read, total)
    return done


def _save(reading: Reading, key: str, cursor: Cursor, batch: Batch, done: _Done) -> None:
    saved = reading.store.save_batch(
        reading.lease, reading.name, key, batch.records, batch.rejected, cursor, reading.now
    )
    if done.missing:
        done.missing.difference_update(r.id for r in batch.records)
        done.missing.difference_update(r.id for r in batch.rejected)
    summary = done.summary
    summary.read += len(batch.records)
    summary.written += saved.written
    summary.unchanged += saved.unchanged
    summary.rejected += len(batch.rejected)


def _remove_missing(reading: Reading, stream: Stream, done: _Done, *, accept: bool) -> None:
    """Tombstone what a complete listing left out and the shop confirms, one by one, to be gone.

    Absence alone is no deletion: a shop that suddenly lists far less than we know is more likely
    broken than empty, so then nothing is removed until a person accepts it.
    """
    missing = sorted(done.missing)
    if not missing:
        return
    if len(missing) > max(MISSING_FLOOR, MISSING_SHARE * done.known) and not accept:
        done.summary.held = len(missing)
        return
    confirmed = sorted(reading.source.gone(stream.name, missing))
    done.summary.removed = reading.store.remove(
        reading.lease, reading.name, stream.name, confirmed, reading.now
    )
