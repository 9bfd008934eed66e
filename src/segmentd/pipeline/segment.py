"""Segment: decide who belongs to which segment now, and publish the differences.

The same evaluation serves a few changed profiles, read in this process, and all of them, read
range by range in workers. What is fitted to the store, store-relative values (percentile cuts,
means) and the cuts of limited segments are computed in steps of their own and then frozen for the
pass; when one moves, the profiles between the old and the new value are evaluated too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import TypeVar

from segmentd.domain.memberships import Cause
from segmentd.domain.segments import Segment
from segmentd.pipeline.ports import Evaluated, FactsPort, Lease, Pass, Pending, SegmentPort
from segmentd.segmenter import evaluate as evaluation
from segmentd.segmenter.fitted import HABITS, bound, fit, fitted_before, habits, outdated
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.ruleset import Ruleset
from segmentd.segmenter.thresholds import moved, threshold

T = TypeVar("T")
Range = tuple[int, int]
"""The first and the last profile."""
Step = tuple[Sequence[str], Callable[[Frames], evaluation.Values]]
"""Names of thresholds, and how the values that they are made from are computed."""

CHUNK = 5_000
"""Profiles read at once in this process."""
RANGE = 25_000
"""Profiles read at once by a worker."""
FULL_FLOOR = 5_000
FULL_SHARE = 0.20
"""Above both, a full pass is cheaper than picking single profiles (performance.md, section 5)."""

Progress = Callable[[int, int], None]
"""Called with the profiles evaluated so far and the number to evaluate."""


@dataclass(frozen=True, slots=True)
class SegmentSummary:
    """What one pass did."""

    evaluated: int
    entered: int
    left: int
    full: bool
    edited: Sequence[str] = ()
    insufficient_data: bool = False
    """Not evaluated: a source has not been read to its end even once."""
    warnings: Sequence[str] = ()
    """Sentences on pins of customers who are not known."""


@dataclass(frozen=True, slots=True)
class Passing:
    """What every step of one pass needs."""

    store: SegmentPort
    lease: Lease
    segments: Sequence[Segment]
    ruleset: Ruleset
    now: datetime
    progress: Progress
    pending: Pending
    stored: Mapping[str, str]
    """The thresholds of the pass before."""
    back: bool
    """Whether the pass before was at a later time."""


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
    """Evaluate the dirty and the due profiles, or all of them after an edit or when ``full``.

    Also all of them if ``now`` lies before that of the last pass, as due instants only look ahead,
    and if something must be fitted to the store. ``ruleset``: the segments, compiled.
    """
    if not complete:
        return SegmentSummary(0, 0, 0, full=False, insufficient_data=True)
    found = store.known(ruleset.customers)
    ruleset = ruleset.pinning(found)
    segments = [replace(s, terms=ruleset.terms(s.key)) for s in segments]
    pending, stored, before = store.pending(now), store.thresholds(), store.evaluated_at()
    back = before is not None and now < before
    passing = Passing(store, lease, segments, ruleset, now, progress, pending, stored, back)
    edited = _edited(store.versions(), segments)
    unfitted = outdated(ruleset, stored, store.fitted_at(), now)
    if full or edited or unfitted or back or _worth_a_full_pass(pending):
        outcome = _full_pass(passing, unfitted)
        outcome.edited = ruleset.depending(edited)
    else:
        outcome = _partial_pass(passing)
    outcome.pinned = ruleset.pinned(now)
    entered, left = store.publish(lease, outcome, now)
    return SegmentSummary(
        sum(len(part.due) for part in outcome.evaluated),
        entered,
        left,
        full=outcome.asked is None,
        edited=sorted(edited),
        warnings=list(_unknown(segments, found)),
    )


def evaluate_frames(
    ruleset: Ruleset, frames: Frames, now: datetime, thresholds: Mapping[str, str]
) -> Evaluated:
    """Decide for one partition."""
    return Evaluated(*evaluation.evaluate(ruleset, frames, now, thresholds))


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


def _edited(stored: Mapping[str, str], segments: Sequence[Segment]) -> frozenset[str]:
    current = {s.key: s.version for s in segments}
    changed = {key for key, version in current.items() if stored.get(key) != version}
    return frozenset(changed | (stored.keys() - current.keys()))


def _unknown(segments: Sequence[Segment], found: Mapping[str, object]) -> Iterator[str]:
    for each in segments:
        for pin in each.pins:
            if pin.customer not in found:
                yield f"[segments.{each.key}] pins {pin.customer}, who is no customer that is known"


def _worth_a_full_pass(pending: Pending) -> bool:
    count = len(pending.dirty) + len(pending.due)
    return count > max(FULL_FLOOR, FULL_SHARE * pending.profiles)


def _partial_pass(passing: Passing) -> Pass:
    pending, store = passing.pending, passing.store
    causes = dict.fromkeys(pending.due, Cause.TIME)
    causes.update(pending.dirty)
    thresholds = fitted_before(passing.ruleset, passing.stored)
    passing = replace(passing, ruleset=bound(passing.ruleset, thresholds))
    for names, compute in _steps(passing, thresholds) if causes else ():
        for part in _chunks(sorted(causes)):
            store.save_values(passing.lease, compute(store.frames(part, passing.ruleset.needs)))
        thresholds.update(_thresholds(passing, names))
        for profile in _between(passing, names, thresholds):
            causes.setdefault(profile, Cause.THRESHOLD)
    asked = sorted(causes)
    evaluated = list(_evaluate(passing, asked, thresholds))
    kept = thresholds if asked else passing.stored
    return Pass(asked, evaluated, passing.segments, kept, pending.token, causes=causes)


def _full_pass(passing: Passing, unfitted: Sequence[str]) -> Pass:
    store, stored, pending = passing.store, passing.stored, passing.pending
    ranges = store.ranges(RANGE)
    thresholds = fitted_before(passing.ruleset, passing.stored)
    thresholds.update(_fit(passing, ranges, unfitted))
    all_fitted = bool(unfitted) and set(unfitted) == passing.ruleset.fitted
    passing = replace(passing, ruleset=bound(passing.ruleset, thresholds))
    for names, compute in _steps(passing, thresholds):
        for values in _everybody(passing, ranges, passing.ruleset.needs, compute):
            store.save_values(passing.lease, values)
        thresholds.update(_thresholds(passing, names))
    decide = partial(evaluate_frames, passing.ruleset, now=passing.now, thresholds=thresholds)
    evaluated = list(_everybody(passing, ranges, passing.ruleset.needs, decide))
    outcome = Pass(None, evaluated, passing.segments, thresholds, pending.token, fitted=all_fitted)
    outcome.causes = {**dict.fromkeys(pending.due, Cause.TIME), **pending.dirty}
    differs = any(stored.get(name, value) != value for name, value in thresholds.items())
    if differs or passing.back:
        outcome.otherwise = Cause.TIME if passing.back else Cause.THRESHOLD
    if passing.back and passing.ruleset.remembered:
        _look_again(evaluated, passing.now)
    return outcome


def _look_again(evaluated: Sequence[Evaluated], now: datetime) -> None:
    """What a pass that went back in time stores ends the memberships that it took for those of
    then, so at the next look they are others."""
    soon = int(now.timestamp()) + 1.0
    for part in evaluated:
        part.due = part.due.fillna(soon).clip(upper=soon)


def _steps(passing: Passing, thresholds: Mapping[str, str]) -> Iterator[Step]:
    """What is computed of everybody before anybody is decided: values that need no threshold, then
    those that need them."""
    ruleset, now = passing.ruleset, passing.now
    if ruleset.expressions:
        yield ruleset.expressions, partial(evaluation.values, ruleset, now=now)
    if ruleset.limits:
        rank = partial(evaluation.candidates, ruleset, now=now, thresholds=thresholds)
        yield tuple(ruleset.limits), rank


def _everybody(
    passing: Passing, ranges: Sequence[Range], needs: frozenset[str], work: Callable[[Frames], T]
) -> Iterator[T]:
    done, total = 0, passing.pending.profiles
    parts = each_range(passing.store, ranges, needs, work)
    for (low, high), part in zip(ranges, parts, strict=True):
        yield part
        done = min(done + high - low + 1, total)
        passing.progress(done, total)


def _evaluate(
    passing: Passing, profile_ids: Sequence[int], thresholds: Mapping[str, str]
) -> Iterator[Evaluated]:
    done = 0
    for part in _chunks(profile_ids):
        frames = passing.store.frames(part, passing.ruleset.needs)
        yield evaluate_frames(passing.ruleset, frames, passing.now, thresholds)
        done += len(part)
        passing.progress(done, len(profile_ids))


def _fit(passing: Passing, ranges: Sequence[Range], variables: Sequence[str]) -> dict[str, str]:
    if not variables:
        return {}
    shop, stored = passing.ruleset.shop, passing.stored
    parts = _everybody(passing, ranges, HABITS, partial(habits, shop, now=passing.now))
    return fit(variables, parts, passing.store.prices(), shop.currency, stored)


def _thresholds(passing: Passing, names: Sequence[str]) -> dict[str, str]:
    return {name: threshold(name, passing.store.values(name)) for name in names}


def _between(passing: Passing, names: Sequence[str], current: Mapping[str, str]) -> set[int]:
    """Profiles whose truth may differ because a store-relative value moved."""
    touched: set[int] = set()
    factors = passing.ruleset.factors
    for name in names:
        old, new = passing.stored.get(name), current[name]
        if old != new:
            population = passing.store.values(name)
            touched.update(moved(name, old, new, population, factors.get(name, {1.0})))
    return touched


def _chunks(profile_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(profile_ids), CHUNK):
        yield profile_ids[start : start + CHUNK]
