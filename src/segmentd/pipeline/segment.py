"""Segment: decide who belongs to which segment now, and publish the differences.

The same evaluation serves a few changed profiles, read in this process, and all of them, read
range by range in workers. Store-relative values (percentile cuts, means) are computed in a step of
their own and then frozen for the pass; when one moves, the profiles between the old and the new
value are evaluated too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from segmentd.domain.memberships import Cause
from segmentd.domain.segments import Segment
from segmentd.pipeline.ports import Evaluated, Lease, Pass, Pending, SegmentPort
from segmentd.segmenter import evaluate as evaluation
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.ruleset import Ruleset, Shop, compile_rules
from segmentd.segmenter.thresholds import moved, threshold

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


@dataclass(frozen=True, slots=True)
class Passing:
    """What every step of one pass needs."""

    store: SegmentPort
    lease: Lease
    ruleset: Ruleset
    now: datetime
    progress: Progress
    profiles: int


def segment(
    store: SegmentPort,
    lease: Lease,
    segments: Sequence[Segment],
    shop: Shop,
    now: datetime,
    progress: Progress,
    *,
    complete: bool,
    full: bool = False,
) -> SegmentSummary:
    """Evaluate the dirty and the due profiles, or all of them after an edit or when ``full``.

    Also all of them if ``now`` lies before that of the last pass: due instants only look ahead.
    """
    ruleset = compile_rules({s.key: s.where for s in segments}, shop)
    if not complete:
        return SegmentSummary(0, 0, 0, full=False, insufficient_data=True)
    segments = [replace(s, terms=f"{shop.time_zone} {shop.currency}") for s in segments]
    edited = _edited(store.versions(), segments)
    pending = store.pending(now)
    passing = Passing(store, lease, ruleset, now, progress, pending.profiles)
    before = store.evaluated_at()
    back = before is not None and now < before
    if full or edited or back or _worth_a_full_pass(pending):
        outcome = _full_pass(passing, segments, pending, edited)
    else:
        outcome = _partial_pass(passing, segments, pending)
    entered, left = store.publish(lease, outcome, now)
    count = sum(len(part.due) for part in outcome.evaluated)
    return SegmentSummary(count, entered, left, outcome.asked is None, sorted(edited))


def _edited(stored: Mapping[str, str], segments: Sequence[Segment]) -> frozenset[str]:
    current = {s.key: s.version for s in segments}
    changed = {key for key, version in current.items() if stored.get(key) != version}
    return frozenset(changed | (stored.keys() - current.keys()))


def _worth_a_full_pass(pending: Pending) -> bool:
    count = len(pending.dirty) + len(pending.due)
    return count > max(FULL_FLOOR, FULL_SHARE * pending.profiles)


def _partial_pass(passing: Passing, segments: Sequence[Segment], pending: Pending) -> Pass:
    causes = dict.fromkeys(pending.due, Cause.TIME)
    causes.update(dict.fromkeys(pending.dirty, Cause.DATA))
    asked = sorted(causes)
    store = passing.store
    thresholds = store.thresholds()
    if passing.ruleset.expressions and asked:
        for part in _chunks(asked):
            values = evaluation.values(passing.ruleset, store.frames(part), passing.now)
            store.save_values(passing.lease, values)
        previous, thresholds = thresholds, _thresholds(passing)
        for profile in _between(passing, previous, thresholds):
            causes.setdefault(profile, Cause.THRESHOLD)
        asked = sorted(causes)
    evaluated = list(_evaluate(passing, asked, thresholds))
    return Pass(asked, evaluated, segments, thresholds, pending.token, causes=causes)


def _full_pass(
    passing: Passing, segments: Sequence[Segment], pending: Pending, edited: frozenset[str]
) -> Pass:
    thresholds: dict[str, str] = {}
    if passing.ruleset.expressions:
        for part in _everybody(passing, None):
            passing.store.save_values(passing.lease, part.values)
        thresholds = _thresholds(passing)
    evaluated = list(_everybody(passing, thresholds))
    return Pass(None, evaluated, segments, thresholds, pending.token, edited, _due(pending))


def everybody(
    store: SegmentPort, ruleset: Ruleset, now: datetime, thresholds: Mapping[str, str] | None
) -> Iterator[Evaluated]:
    """Evaluate all profiles, range by range; ``thresholds`` None computes the values only.

    A small shop fits into one chunk that is read in this process: no worker is worth starting.
    """
    ranges = store.ranges(RANGE)
    if sum(high - low + 1 for low, high in ranges) > CHUNK:
        yield from store.full_pass(ranges, ruleset, now, thresholds)
        return
    for low, high in ranges:
        frames = store.frames(range(low, high + 1))
        yield evaluate_frames(ruleset, frames, now, thresholds)


def evaluate_frames(
    ruleset: Ruleset, frames: Frames, now: datetime, thresholds: Mapping[str, str] | None
) -> Evaluated:
    """One partition: the values where ``thresholds`` is None, else members and due instants."""
    if thresholds is None:
        values = evaluation.values(ruleset, frames, now)
        return Evaluated(values.iloc[:, :0], values["orders"].iloc[:0], values)
    members, due = evaluation.evaluate(ruleset, frames, now, thresholds)
    return Evaluated(members, due, members.iloc[:, :0])


def _everybody(passing: Passing, thresholds: Mapping[str, str] | None) -> Iterator[Evaluated]:
    done, total = 0, passing.profiles
    for part in everybody(passing.store, passing.ruleset, passing.now, thresholds):
        yield part
        done += max(len(part.due), len(part.values))
        passing.progress(done, total)


def _due(pending: Pending) -> dict[int, Cause]:
    only_due = set(pending.due) - set(pending.dirty)
    return dict.fromkeys(only_due, Cause.TIME)


def _evaluate(
    passing: Passing, profile_ids: Sequence[int], thresholds: Mapping[str, str]
) -> Iterator[Evaluated]:
    done = 0
    for part in _chunks(profile_ids):
        frames = passing.store.frames(part)
        yield evaluate_frames(passing.ruleset, frames, passing.now, thresholds)
        done += len(part)
        passing.progress(done, len(profile_ids))


def _thresholds(passing: Passing) -> dict[str, str]:
    return {
        expression: threshold(expression, passing.store.values(expression))
        for expression in passing.ruleset.expressions
    }


def _between(passing: Passing, previous: Mapping[str, str], current: Mapping[str, str]) -> set[int]:
    """Profiles whose truth may differ because a store-relative value moved."""
    touched: set[int] = set()
    for expression, value in current.items():
        old = previous.get(expression)
        if old != value:
            population = passing.store.values(expression)
            touched.update(moved(expression, old, value, population))
    return touched


def _chunks(profile_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(profile_ids), CHUNK):
        yield profile_ids[start : start + CHUNK]
