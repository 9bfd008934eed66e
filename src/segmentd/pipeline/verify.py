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

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from segmentd.domain.errors import ConfigError
from segmentd.domain.ledger import Difference, Step, decide
from segmentd.domain.segments import Segment
from segmentd.pipeline.ports import FactsPort, Wish
from segmentd.pipeline.segment import RANGE, chunks, each_range, edited, onward, worded
from segmentd.pipeline.verification import Differing, Entry, Held, Moved, Verification, Waiting
from segmentd.segmenter.comparing import (
    Found,
    Kind,
    Stored,
    cut,
    differences,
    ranked,
    renewed,
    value_differences,
)
from segmentd.segmenter.evaluate import Values, evaluate, joined
from segmentd.segmenter.fitted import bound
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.preview import candidates_at, values_at
from segmentd.segmenter.ruleset import Ruleset
from segmentd.segmenter.thresholds import value_name

T = TypeVar("T")

Progress = Callable[[int, int], None]
"""Called with the ranges that were looked at and all that are to be, anew for each step."""


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

    ConfigError if the last pass was at a clearly later time.
    """
    before = store.evaluated_at()
    now = onward(now, before)
    found = Verification(now)
    if not complete:
        found.insufficient_data = True
        return found
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
        ruleset = self.ruleset
        changed = edited(self.store.versions(), worded(segments, ruleset))
        affected = ruleset.affected(changed)
        self.found.edited = sorted(changed)
        self.skipped = affected | changed
        self.ruleset = ruleset.restricted(set(ruleset.keys) - affected)

    def place_cuts(self) -> None:
        """Compare what thresholds are made from, and the thresholds."""
        ruleset = bound(self.ruleset, self.stored)
        if ruleset.expressions:
            self._place(ruleset.expressions, self._values)
        if ruleset.limits:
            self._place(tuple(ruleset.limits), self._candidates)

    def decide(self) -> None:
        """Compare memberships, grace and due instants."""
        known = dict(self.thresholds)
        rules = bound(self.ruleset, known)
        work = partial(evaluate, rules, now=self.found.now, thresholds=known)
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
        for part in chunks(sorted(suspects)):
            for (kind, key), ids in self._confirmed(part).items():
                if kind is not Kind.EARLY:
                    tally.setdefault((kind, key), Differing(kind, key)).add(ids.tolist())
        self.found.differing += [tally[key] for key in sorted(tally)]

    def _place(
        self, names: Sequence[str], rank: Callable[[dict[str, str]], Callable[..., list[Values]]]
    ) -> None:
        """``rank``: gives what ranks profiles by some thresholds."""
        if not self.ranges:
            return
        everybody = self._each_range(partial(rank(dict(self.thresholds)), at=(self.found.now,)))
        fresh = joined([values for _, (values,) in everybody])
        with self.store.view(self.found.now) as view:
            columns = sorted({value_name(name) for name in names})
            ranks = _Ranks(
                fresh, {column: view.values(column) for column in columns}, view.waiting().profiles
            )
            work = rank(self._known(view))
            for part in chunks(ranks.suspects()):
                (again,) = work(view.frames(part, self.ruleset.needs), at=(view.now,))
                ranks.fresh = renewed(ranks.fresh, part, again)
            stored, passing = view.thresholds(), view.passing()
        for column in columns:
            self._weigh(column, ranks.differing(column), passing=passing)
        for name in names:
            self._judge(name, stored.get(name), ranks.cut(name), passing=passing)

    def _values(self, known: dict[str, str]) -> Callable[..., list[Values]]:
        return partial(values_at, bound(self.ruleset, known))

    def _candidates(self, known: dict[str, str]) -> Callable[..., list[Values]]:
        return partial(candidates_at, bound(self.ruleset, known), thresholds=(known,))

    def _weigh(self, column: str, profile_ids: Sequence[int], *, passing: bool) -> None:
        if not profile_ids:
            return
        if passing:
            # a pass stores values first, and may do so for a later instant than that of this view
            self.found.unsettled.append(column)
        else:
            wrong = Differing("value", column)
            wrong.add(profile_ids)
            self.found.differing.append(wrong)

    def _judge(self, name: str, stored: str | None, found: str, *, passing: bool) -> None:
        self.thresholds[name] = found
        if stored == found:
            return
        if passing and stored is not None:
            # the values of who waits may be those of a pass that is to be published yet
            self.thresholds[name] = stored
            self.found.unsettled.append(name)
        else:
            self.found.moved.append(Moved(name, stored, found))

    def _confirmed(self, profile_ids: Sequence[int]) -> Found:
        """In what some profiles differ still, seen in one view of the database."""
        with self.store.view(self.found.now) as view:
            frames = view.frames(profile_ids, self.ruleset.needs)
            known = self._known(view)
            decision = evaluate(bound(self.ruleset, known), frames, view.now, known)
            stored, waiting = view.stored(profile_ids), view.waiting().profiles
            return differences(decision, stored, waiting, self.skipped)

    def _known(self, view: View) -> dict[str, str]:
        """The thresholds that ought to be: a pass may have moved one that was right."""
        moved = {each.name for each in self.found.moved}
        passed = {n: t for n, t in view.thresholds().items() if n not in moved}
        return {n: passed.get(n, t) for n, t in self.thresholds.items()}

    def _each_range(self, work: Callable[[Frames], T]) -> Iterator[tuple[tuple[int, int], T]]:
        parts = each_range(self.store, self.ranges, self.ruleset.needs, work)
        for done, (bounds, part) in enumerate(zip(self.ranges, parts, strict=True), start=1):
            yield bounds, part
            self.progress(done, len(self.ranges))


@dataclass
class _Ranks:
    """How everybody is ranked, computed and stored."""

    fresh: Values
    stored: Mapping[str, Values]
    waiting: frozenset[int]

    def differing(self, column: str) -> list[int]:
        """Who is stored otherwise by one value, ascending."""
        fresh = ranked(self.fresh, column)
        found: list[int] = value_differences(fresh, self.stored[column], self.waiting).tolist()
        return found

    def suspects(self) -> list[int]:
        """By any value."""
        return sorted(set().union(*map(self.differing, self.stored)))

    def cut(self, name: str) -> str:
        """The threshold that ought to be stored."""
        column = value_name(name)
        return cut(name, ranked(self.fresh, column), self.stored[column], self.waiting)


def _held(store: VerifyPort, holding: Ought) -> Held:
    asked = (holding.destination, holding.source, holding.needs)
    steps = (decide(each) for each in store.differences(*asked, holding.wishes))
    waiting = sum(step is not Step.NOTHING for step in steps)
    entries = sum(store.delivered(holding.destination).values())
    return Held(holding.destination, entries, waiting, store.strays(*asked))


__all__ = ["Ought", "Verification", "VerifyPort", "View", "verify"]
