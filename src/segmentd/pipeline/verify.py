"""Verify: compute everything anew, and say where the store differs. Writes nothing.

Everybody is looked at range by range, from the facts alone: what thresholds are made from, the
thresholds, memberships, due instants. Two things cannot be made anew and are taken as stored:
limits that are fitted to the store (each step of theirs is damped, so they depend on all before),
and since when somebody is a member, which grace and rules about entering and leaving refer to.

Pulls and passes may go on meanwhile, and ranges are read at different moments. So who differs is
only suspected at first, and counts if it is still so when facts and results are read again in ONE
view of the database.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from segmentd.domain.errors import ConfigError
from segmentd.domain.ledger import Difference, Step, decide
from segmentd.domain.segments import Segment
from segmentd.pipeline.ports import FactsPort, Wish
from segmentd.pipeline.segment import CHUNK, RANGE, each_range
from segmentd.segmenter.comparing import (
    Found,
    Kind,
    Stored,
    cut,
    differences,
    joined,
    ranked,
    renewed,
    value_differences,
)
from segmentd.segmenter.evaluate import Values, evaluate
from segmentd.segmenter.fitted import bound
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.preview import candidates_at, values_at
from segmentd.segmenter.ruleset import Ruleset
from segmentd.segmenter.thresholds import value_name

T = TypeVar("T")

EXAMPLES = 5
"""How many of those who differ are named."""

Progress = Callable[[int, int], None]
"""Called with the ranges that were looked at and all that are to be, anew for each step."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whom the next pass will evaluate: what is stored of them need not be right yet."""

    dirty: frozenset[int]
    due: frozenset[int]

    @property
    def profiles(self) -> frozenset[int]:
        """All of them."""
        return self.dirty | self.due


@dataclass(frozen=True, slots=True)
class Entry:
    """A name at a destination, of somebody who is nobody."""

    name: str
    target: str


class View(Protocol):
    """One state of the database, whatever is written meanwhile."""

    @property
    def now(self) -> datetime:
        """What was asked for, or the ``now`` of the last pass if one was published since."""

    def waiting(self) -> Waiting:
        """Who is dirty, and who is due by ``now``."""

    def passing(self) -> bool:
        """Whether a pass is on its way, or died there."""

    def thresholds(self) -> dict[str, str]:
        """Name → stored threshold."""

    def values(self, name: str) -> Values:
        """Stored values of everybody, as ``comparing.ranked`` gives them."""

    def frames(self, profile_ids: Sequence[int], needs: frozenset[str]) -> Frames:
        """Facts of some profiles."""

    def stored(self, profile_ids: Sequence[int]) -> Stored:
        """What the last pass left of some profiles."""


class VerifyPort(FactsPort, Protocol):
    """What is read to verify a store."""

    def evaluated_at(self) -> datetime | None:
        """The ``now`` of the last pass; None before the first."""

    def versions(self) -> dict[str, str]:
        """Segment key → rule version that the stored memberships were made with."""

    def view(self, now: datetime) -> AbstractContextManager[View]:
        """The database as it is now, for the length of the block."""

    def differences(
        self, destination: str, source: str | None, needs: str, wishes: Sequence[Wish]
    ) -> Iterator[Difference]:
        """As ``PushPort`` says."""

    def delivered(self, destination: str) -> Mapping[str, int]:
        """Name → how many the ledger holds as ours."""

    def strays(self, destination: str, source: str | None, needs: str) -> list[Entry]:
        """Entries of the ledger whose target or profile was never known."""

    def destinations(self) -> dict[str, int]:
        """Every destination in the ledger, with its entries."""


@dataclass(frozen=True, slots=True)
class Ought:
    """What a destination ought to hold."""

    destination: str
    source: str | None
    needs: str
    wishes: Sequence[Wish]


@dataclass(slots=True)
class Differing:
    """How many profiles differ in one way."""

    what: str
    """``missing``, ``extra``, ``grace``, ``late`` (see ``comparing.Kind``), or ``value``."""
    of: str
    """The segment, or the value that thresholds are made from; empty for due instants."""
    count: int = 0
    examples: list[int] = field(default_factory=list)
    """The first of them, by profile id."""

    def add(self, profile_ids: Iterable[int]) -> None:
        """More of them."""
        for profile_id in profile_ids:
            self.count += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append(profile_id)


@dataclass(frozen=True, slots=True)
class Moved:
    """A threshold that is stored otherwise than it is computed."""

    name: str
    stored: str | None
    found: str


@dataclass(frozen=True, slots=True)
class Held:
    """What the ledger says of one destination."""

    destination: str
    entries: int
    """Names that are there as ours."""
    waiting: int
    """What the next push will bring in order."""
    strays: Sequence[Entry]
    """Entries that belong to nobody."""


@dataclass(slots=True)
class Verification:
    """What was found."""

    now: datetime
    insufficient_data: bool = False
    """Nothing was compared: a source has not been read to its end even once."""
    profiles: int = 0
    """How many were computed anew."""
    dirty: int = 0
    due: int = 0
    """How many wait for the next pass, by what."""
    edited: Sequence[str] = ()
    """Segments that were not compared: the next pass will decide them by another rule."""
    differing: list[Differing] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    """Thresholds that could not be compared: a pass was placing them."""
    early: int = 0
    """Profiles that will be looked at once for nothing; no fault."""
    ledger: list[Held] = field(default_factory=list)
    unconfigured: Mapping[str, int] = field(default_factory=dict)
    """Entries of the ledger by destinations that are configured no more; no fault."""

    @property
    def same(self) -> bool:
        """Whether the store is what a fresh computation makes of it."""
        return not (self.differing or self.moved or any(held.strays for held in self.ledger))


def verify(
    store: VerifyPort,
    segments: Sequence[Segment],
    ruleset: Ruleset,
    now: datetime,
    progress: Progress,
    *,
    complete: bool,
    holdings: Sequence[Ought] = (),
) -> Verification:
    """Compare the store with what the facts give at ``now``; ``ruleset``: the segments, compiled.

    ConfigError if the last pass was at a later time.
    """
    found = Verification(now)
    if not complete:
        found.insufficient_data = True
        return found
    before = store.evaluated_at()
    if before is not None and now < before:
        raise ConfigError(
            f"the memberships are those of {before:%Y-%m-%d %H:%M:%S}Z; verify them as of then or "
            "later",
            hint="segmentd verify",
        )
    auditing = _Auditing(store, ruleset.pinning(store.known(ruleset.customers)), found, progress)
    auditing.leave_out(segments)
    auditing.place_cuts()
    auditing.decide()
    found.ledger = [_held(store, holding) for holding in holdings]
    configured = {holding.destination for holding in holdings}
    entries = store.destinations()
    found.unconfigured = {name: n for name, n in entries.items() if name not in configured}
    return found


class _Auditing:
    """The steps over everybody."""

    def __init__(
        self, store: VerifyPort, ruleset: Ruleset, found: Verification, progress: Progress
    ) -> None:
        self.store = store
        self.ruleset = ruleset
        self.found = found
        self.progress = progress
        self.ranges = store.ranges(RANGE)
        self.skipped: frozenset[str] = frozenset()
        with store.view(found.now) as view:
            waiting, self.stored = view.waiting(), view.thresholds()
        found.dirty, found.due = len(waiting.dirty), len(waiting.due - waiting.dirty)
        self.thresholds = dict(self.stored)
        """What they ought to be."""

    def leave_out(self, segments: Sequence[Segment]) -> None:
        """Go on with the segments that the next pass will decide as the last one did."""
        ruleset, versions = self.ruleset, self.store.versions()
        current = {s.key: replace(s, terms=ruleset.terms(s.key)).version for s in segments}
        known = current.keys() | versions.keys()
        edited = {key for key in known if current.get(key) != versions.get(key)}
        depending = ruleset.depending(edited)
        kept = {
            key
            for key in ruleset.keys
            if depending.isdisjoint({key, *ruleset.standing(key).rivals})
        }
        self.found.edited = sorted(edited)
        self.skipped = frozenset(known - kept)
        self.ruleset = bound(ruleset.restricted(kept), self.stored)

    def place_cuts(self) -> None:
        """Compare what thresholds are made from, and the thresholds."""
        ruleset = self.ruleset
        if ruleset.expressions:
            self._place(ruleset.expressions, partial(values_at, ruleset))
        if ruleset.limits:
            rank = partial(candidates_at, ruleset, thresholds=(dict(self.thresholds),))
            self._place(tuple(ruleset.limits), rank)

    def decide(self) -> None:
        """Compare memberships, grace and due instants."""
        work = partial(evaluate, self.ruleset, now=self.found.now, thresholds=dict(self.thresholds))
        suspects: set[int] = set()
        for (low, high), decision in self._each_range(work):
            self.found.profiles += len(decision.due)
            with self.store.view(self.found.now) as view:
                stored, waiting = view.stored(range(low, high + 1)), view.waiting().profiles
            differing = differences(decision, stored, waiting, self.skipped)
            early = differing.pop((Kind.EARLY, ""), ())
            self.found.early += len(early)
            suspects.update(*(ids.tolist() for ids in differing.values()))
        tally: dict[tuple[str, str], Differing] = {}
        for part in _chunks(sorted(suspects)):
            for (kind, key), ids in self._confirmed(part).items():
                if kind is not Kind.EARLY:
                    tally.setdefault((kind, key), Differing(kind, key)).add(ids.tolist())
        self.found.differing += [tally[key] for key in sorted(tally)]

    def _place(self, names: Sequence[str], work: Callable[..., list[Values]]) -> None:
        if not self.ranges:
            return
        everybody = self._each_range(partial(work, at=(self.found.now,)))
        fresh = joined(values for _, (values,) in everybody)
        with self.store.view(self.found.now) as view:
            waiting, thresholds = view.waiting().profiles, view.thresholds()
            passing = view.passing()
            columns = sorted({value_name(name) for name in names})
            stored = {column: view.values(column) for column in columns}

            def differing(column: str) -> set[int]:
                fresh_ = ranked(fresh, column)
                return set(value_differences(fresh_, stored[column], waiting).tolist())

            suspects = sorted(set().union(*map(differing, columns)))
            for part in _chunks(suspects):
                (again,) = work(view.frames(part, self.ruleset.needs), at=(view.now,))
                fresh = renewed(fresh, part, again)
            for column in columns:
                wrong = Differing("value", column)
                wrong.add(sorted(differing(column)))
                self.found.differing += [wrong] if wrong.count else []
        for name in names:
            column = value_name(name)
            found = cut(name, ranked(fresh, column), stored[column], waiting)
            before = thresholds.get(name)
            if passing and before not in {None, found}:
                # the values of who waits may be those of a pass that is to be published yet
                self.found.unsettled.append(name)
                found = before
            elif found != before:
                self.found.moved.append(Moved(name, before, found))
            self.thresholds[name] = found

    def _confirmed(self, profile_ids: Sequence[int]) -> Found:
        """In what some profiles differ still, seen in one view of the database."""
        with self.store.view(self.found.now) as view:
            moved = {each.name for each in self.found.moved}
            passed = {n: t for n, t in view.thresholds().items() if n not in moved}
            # a pass may have moved a threshold that was right
            thresholds = {n: passed.get(n, t) for n, t in self.thresholds.items()}
            frames = view.frames(profile_ids, self.ruleset.needs)
            decision = evaluate(self.ruleset, frames, view.now, thresholds)
            stored, waiting = view.stored(profile_ids), view.waiting().profiles
            return differences(decision, stored, waiting, self.skipped)

    def _each_range(self, work: Callable[[Frames], T]) -> Iterator[tuple[tuple[int, int], T]]:
        parts = each_range(self.store, self.ranges, self.ruleset.needs, work)
        for done, (bounds, part) in enumerate(zip(self.ranges, parts, strict=True), start=1):
            yield bounds, part
            self.progress(done, len(self.ranges))


def _held(store: VerifyPort, holding: Ought) -> Held:
    asked = (holding.destination, holding.source, holding.needs)
    steps = (decide(each) for each in store.differences(*asked, holding.wishes))
    waiting = sum(step is not Step.NOTHING for step in steps)
    entries = sum(store.delivered(holding.destination).values())
    return Held(holding.destination, entries, waiting, store.strays(*asked))


def _chunks(profile_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(profile_ids), CHUNK):
        yield profile_ids[start : start + CHUNK]
