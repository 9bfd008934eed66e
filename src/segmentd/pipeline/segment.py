"""Segment: decide who belongs to which segment now, and publish the differences.

A pass decides the profiles that are dirty or due by all rules, read in this process, and everybody
by the rules that were edited, read range by range in workers, which give back what is not stored
yet; a full pass is one that takes all rules for edited. What is fitted to the store, store-relative
values (percentile cuts, means) and the cuts of limited segments are computed in steps of their own
and then frozen for the pass; when one moves, the profiles between the old and the new value are
decided too. A full pass reads everybody once if it can: it decides by the cuts of the pass before,
and those between them and the new ones again. All that a pass found is published in one
transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TypeVar

from segmentd.domain.memberships import Cause
from segmentd.domain.segments import Segment
from segmentd.pipeline.ports import FactsPort, Lease, Part, Pass, Pending, SegmentPort
from segmentd.segmenter.evaluate import Values, candidates, joined, values
from segmentd.segmenter.fitted import HABITS, bound, fit, fitted_before, habits, outdated, refitted
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.ruleset import Ruleset
from segmentd.segmenter.thresholds import Population, moved, threshold, value_name
from segmentd.segmenter.unstored import OF_NEWS, OF_VALUES, Look, News, unsaved

T = TypeVar("T")
Range = tuple[int, int]
"""The first and the last profile."""

CHUNK = 5_000
"""Profiles read at once in this process."""
KEPT = 4 * CHUNK
"""Of so many the facts are kept for the next step of the same pass."""
RANGE = 12_500
"""Profiles read at once by a worker."""
FULL_FLOOR = 5_000
FULL_SHARE = 0.20
"""Above both, a full pass is cheaper than picking single profiles (performance.md, section 5)."""

CLOCKS = timedelta(seconds=10)
"""So far apart may the clocks of machines be that share a database."""

Progress = Callable[[int, int], None]
"""Called with the profiles evaluated so far and the number to evaluate."""


@dataclass(frozen=True, slots=True)
class SegmentSummary:
    """What one pass did."""

    evaluated: int
    entered: int
    left: int
    full: bool
    """Whether everybody was looked at."""
    edited: Sequence[str] = ()
    insufficient_data: bool = False
    """Not evaluated: a source has not been read to its end even once."""
    warnings: Sequence[str] = ()
    """Sentences on pins of customers who are not known."""


def segment(
    store: SegmentPort,
    lease: Lease,
    segments: Sequence[Segment],
    ruleset: Ruleset,
    now: datetime,
    progress: Progress,
    *,
    complete: bool,
    full: bool = False,
) -> SegmentSummary:
    """Decide the dirty and the due profiles, and everybody by edited rules or when ``full``.

    Everybody also if ``now`` lies clearly before that of the last pass, as due instants only look
    ahead, and by rules with a value that was fitted anew. ``ruleset``: the segments, compiled.
    Writes nothing where nothing is to be decided.
    """
    if not complete:
        return SegmentSummary(0, 0, 0, full=False, insufficient_data=True)
    before = store.evaluated_at()
    now = onward(now, before)
    found = store.known(ruleset.customers)
    ruleset = ruleset.pinning(found)
    segments = worded(segments, ruleset)
    changed = edited(store.versions(), segments)
    back = before is not None and now < before
    passing = _Passing(
        store, lease, ruleset, now, back, progress, store.pending(now), store.thresholds()
    )
    unfitted = outdated(ruleset, passing.stored, store.fitted_at(), now)
    news = len(passing.pending.dirty) + len(passing.pending.due)
    everybody = full or back or _are_many(news, passing.pending)
    summary = SegmentSummary(
        0, 0, 0, full=False, edited=sorted(changed), warnings=list(_unknown(segments, found))
    )
    with store.passing():
        passing.fit(unfitted)
        passing.choose(ruleset.keys if everybody else changed)
        if not (passing.causes or passing.scope or changed or unfitted):
            return summary
        passing.place_cuts()
        parts = passing.decide()
    outcome = Pass(
        parts,
        segments,
        passing.thresholds,
        passing.pending.token,
        edited=ruleset.depending(changed),
        causes=passing.causes,
        otherwise=passing.otherwise,
        pinned=ruleset.pinned(now),
        fitted=bool(unfitted) and set(unfitted) == ruleset.fitted,
    )
    entered, left = store.publish(lease, outcome, now)
    return replace(
        summary,
        evaluated=passing.looked or sum(len(part.decision.due) for part in parts),
        entered=entered,
        left=left,
        full=bool(passing.scope),
    )


def onward(now: datetime, before: datetime | None) -> datetime:
    """``now``, or the time of the pass before if that is only just ahead: another machine's clock,
    or this one's before it was set right, and no wish to go back, which would cost everybody."""
    if before is not None and now < before <= now + CLOCKS:
        return before
    return now


def each_range(
    store: FactsPort, ranges: Sequence[Range], needs: frozenset[str], work: Callable[[Frames], T]
) -> Iterator[T]:
    """Do some work on the facts of ranges of profiles.

    A small shop fits into one chunk that is read in this process: no worker is worth starting.
    """
    if sum(high - low + 1 for low, high in ranges) > CHUNK:
        yield from store.full_pass(ranges, needs, work)
        return
    for low, high in ranges:
        yield work(store.frames(range(low, high + 1), needs))


def chunks(profile_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """As many as are read at once in this process."""
    for start in range(0, len(profile_ids), CHUNK):
        yield profile_ids[start : start + CHUNK]


def edited(stored: Mapping[str, str], segments: Sequence[Segment]) -> frozenset[str]:
    """The segments that are new, edited or gone since these versions were stored; ``segments`` with
    their terms."""
    current = {s.key: s.version for s in segments}
    changed = {key for key, version in current.items() if stored.get(key) != version}
    return frozenset(changed | (stored.keys() - current.keys()))


def stale(
    stored: Mapping[str, str], segments: Sequence[Segment], ruleset: Ruleset
) -> frozenset[str]:
    """The segments whose memberships may be others after a pass by these rules, ``segments``
    compiled: they, or what they depend on, are new or edited."""
    return ruleset.affected(edited(stored, worded(segments, ruleset)))


def worded(segments: Sequence[Segment], ruleset: Ruleset) -> list[Segment]:
    """The segments with their terms, by which their versions differ."""
    return [replace(s, terms=ruleset.terms(s.key)) for s in segments]


def _unknown(segments: Sequence[Segment], found: Mapping[str, object]) -> Iterator[str]:
    for each in segments:
        for pin in each.pins:
            if pin.customer not in found:
                yield f"[segments.{each.key}] pins {pin.customer}, who is no customer that is known"


def _are_many(count: int, pending: Pending) -> bool:
    return count > max(FULL_FLOOR, FULL_SHARE * pending.profiles)


@dataclass
class _Passing:
    """One pass on its way."""

    store: SegmentPort
    lease: Lease
    ruleset: Ruleset
    now: datetime
    back: bool
    """The pass before was at a later time."""
    progress: Progress
    pending: Pending
    stored: Mapping[str, str]
    """The thresholds of the pass before."""
    thresholds: dict[str, str] = field(default_factory=dict)
    """Those of this one, as far as they are known."""
    scope: frozenset[str] = frozenset()
    """The segments that are decided for everybody."""
    looked: int = 0
    """How many were decided when everybody was."""

    def __post_init__(self) -> None:
        self._foreseen: list[News] = []
        self._moved: set[int] = set()
        self.causes = {**dict.fromkeys(self.pending.due, Cause.TIME), **self.pending.dirty}
        """The profiles that are decided by all rules."""
        self.thresholds.update(fitted_before(self.ruleset, self.stored))

    @property
    def whole(self) -> bool:
        """Whether everybody is decided by all rules."""
        return bool(self.scope) and self.scope == frozenset(self.ruleset.keys)

    @property
    def otherwise(self) -> Cause:
        """Why those change whom nothing else made change."""
        if self.back:
            return Cause.TIME
        current = self.thresholds
        differs = any(self.stored.get(name, value) != value for name, value in current.items())
        return Cause.THRESHOLD if differs else Cause.DATA

    def fit(self, variables: Sequence[str]) -> None:
        """Fit values to the store, and put all that are fitted into the rules."""
        if variables:
            shop = self.ruleset.shop
            parts = self._everybody(HABITS, partial(habits, shop, now=self.now))
            prices = self.store.prices()
            self.thresholds.update(fit(variables, parts, prices, shop.currency, self.stored))

    def choose(self, edited: Iterable[str]) -> None:
        """Say which segments are to be decided for everybody."""
        ruleset = self.ruleset
        again = refitted(ruleset, self.stored, self.thresholds)
        unknown = {key for key in ruleset.keys if ruleset.thresholds(key) - self.stored.keys()}
        self.scope = ruleset.affected({*edited, *again, *unknown})
        self.ruleset = bound(ruleset, self.thresholds)
        self._picked = _Picked(self.store, self.ruleset.needs)
        self._pick()

    def place_cuts(self) -> None:
        """Compute what is computed of everybody before anybody is decided: values that need no
        threshold, then those that need them."""
        names, limits = self.ruleset.expressions, tuple(self.ruleset.limits)
        if self.whole and not limits and self.stored.keys() >= set(names):
            self._foresee()
        else:
            compute = partial(values, now=self.now)
            self._value(names, lambda rules: rules.value_needs, compute)
        self._cut(names)
        rank = partial(candidates, now=self.now, thresholds=self.thresholds)
        self._value(limits, lambda rules: rules.needs, rank)
        self._cut(limits)

    def decide(self) -> list[Part]:
        """What the pass found."""
        parts, look = [], self._look(self.ruleset, self.ruleset.keys, self.thresholds)
        for asked, frames in self._picked:
            parts.append(Part(asked, look.decision(frames)))
            self.progress(sum(len(part.asked) for part in parts), len(self._picked))
        for news in self._of_everybody():
            self.looked += news.profiles
            parts.append(Part(news.asked, news.decision))
        return parts

    def _foresee(self) -> None:
        """Decide everybody by the cuts of the pass before while the values behind them are read:
        few stand between them and the new ones."""
        look = self._look(self.ruleset, self.ruleset.keys, {**self.stored, **self.thresholds})
        for found, news in self._everybody(self.ruleset.needs | OF_VALUES | OF_NEWS, look.both):
            self._save(found)
            self._foreseen.append(news)
        self.store.count_values(self.lease)

    def _of_everybody(self) -> Iterator[News]:
        """What was found by the rules that are for everybody, without who was decided singly since
        the values were read."""
        if self._foreseen:
            yield from (news.without(self._moved) for news in self._foreseen)
        elif self.scope:
            among = self.ruleset.restricted(self.scope)
            chosen = [key for key in among.keys if key in self.scope]
            look = self._look(among, chosen, self.thresholds)
            yield from self._everybody(among.needs | OF_NEWS, look.news)

    def _look(self, among: Ruleset, keys: Sequence[str], thresholds: Mapping[str, str]) -> Look:
        again = self.back and bool(self.ruleset.remembered)
        return Look(among, self.now, thresholds, keys, whole=self.whole, again=again)

    def _value(
        self,
        names: Sequence[str],
        needs: Callable[[Ruleset], frozenset[str]],
        compute: Callable[[Ruleset, Frames], Values],
    ) -> None:
        """Bring the values behind some cuts up to date."""
        fresh = {name for name in names if self._is_fresh(name)}
        if fresh:
            among = self.ruleset.restricted(
                key for key in self.ruleset.keys if self.ruleset.thresholds(key) & fresh
            )
            work = partial(unsaved, partial(compute, among))
            for found in self._everybody(needs(among) | OF_VALUES, work):
                self._save(found)
            if self.whole:
                self.store.count_values(self.lease)
        singly = [compute(self.ruleset, frames) for _, frames in self._picked] if names else []
        if singly:
            self._save(joined(singly))

    def _save(self, found: Values) -> None:
        if len(found):
            self.store.save_values(self.lease, found)

    def _is_fresh(self, name: str) -> bool:
        """Whether the values behind a cut must be computed of everybody."""
        if name in self.ruleset.limits:
            return self.ruleset.limits[name] in self.scope
        return self.whole or value_name(name) not in self._valued

    @cached_property
    def _valued(self) -> frozenset[str]:
        """Of what the values of everybody are stored: those behind the cuts of the pass before."""
        return frozenset(map(value_name, self.stored))

    def _cut(self, names: Sequence[str]) -> None:
        """Place cuts anew; who stands between the old and the new one is decided singly."""
        populations = {value_name(name): self.store.population(value_name(name)) for name in names}
        for name in names:
            population = populations[value_name(name)]
            self.thresholds[name] = threshold(name, population)
            if self._foreseen or not self.whole:
                self._moved.update(self._between(name, population))
        if self._foreseen and _are_many(len(self._moved), self.pending):
            self._foreseen.clear()
        self._pick()

    def _between(self, name: str, population: Population) -> Iterable[int]:
        before, cut = self.stored.get(name), self.thresholds[name]
        # who uses one that was not there before is decided for everybody
        if before is None or before == cut:
            return ()
        return moved(name, before, cut, population, self.ruleset.factors.get(name, {1.0}))

    def _pick(self) -> None:
        """Take in who is to be decided singly; where all rules are for everybody nobody is, but by
        cuts that were not foreseen."""
        if not self.whole:
            self.causes = {**dict.fromkeys(self._moved, Cause.THRESHOLD), **self.causes}
            self._picked.add(self.causes)
        elif self._foreseen:
            self._picked.add(self._moved)

    @cached_property
    def _ranges(self) -> Sequence[Range]:
        return self.store.ranges(RANGE)

    def _everybody(self, needs: frozenset[str], work: Callable[[Frames], T]) -> Iterator[T]:
        done, total = 0, self.pending.profiles
        parts = each_range(self.store, self._ranges, needs, work)
        for (low, high), part in zip(self._ranges, parts, strict=True):
            yield part
            done = min(done + high - low + 1, total)
            self.progress(done, total)


@dataclass
class _Picked:
    """The facts of single profiles, chunk by chunk; of a few they are read only once."""

    store: SegmentPort
    needs: frozenset[str]

    def __post_init__(self) -> None:
        self._chunks: list[Sequence[int]] = []
        self._known: set[int] = set()
        self._kept: dict[int, Frames] = {}

    def add(self, profile_ids: Iterable[int]) -> None:
        """Take in those who are not in yet."""
        new = sorted(set(profile_ids) - self._known)
        self._known.update(new)
        self._chunks += chunks(new)

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[tuple[Sequence[int], Frames]]:
        for number, chunk in enumerate(self._chunks):
            frames = self._kept.get(number)
            if frames is None:
                frames = self.store.frames(chunk, self.needs)
            if len(self._known) <= KEPT:
                self._kept[number] = frames
            yield chunk, frames
