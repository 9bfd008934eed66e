"""Events in an order: somebody viewed a product, then bought it within a week.

The events of one step are a sorted array of keys, each the position of the profile and the second
of the event in one integer. A chain reaches an event of the next step from the latest event before
it that a chain has reached: that one is the nearest, and leaves least room for what must not lie
between them. So every step is one binary search for all profiles at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from segmentd.segmenter.columns import Ints, least, soonest
from segmentd.segmenter.evaluation import Evaluation
from segmentd.segmenter.language import Duration, Events, Sequence, Step
from segmentd.segmenter.predicates import Bools, Floats

_SECONDS = {"min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_BITS = 38
_EARLIEST = -(2 ** (_BITS - 1))
"""The seconds of a key begin 4,300 years before the epoch and end as long after it."""
_NONE = -1


def truth(sequence: Sequence, conditions: Evaluation) -> Bools:
    """Who has events in this order."""
    reached = _chain(sequence, conditions)
    last = sequence.steps[-1]
    if last.negated:
        undisturbed = reached[_undisturbed(reached, last, conditions)]
        reached = undisturbed[_ends(undisturbed, last.within) <= conditions.facts.clock.now]
    result = np.zeros(conditions.facts.size, bool)
    result[reached >> _BITS] = True
    return result


def due(sequence: Sequence, conditions: Evaluation) -> Floats | None:
    """When time alone may change that: the time for what was not to come is over, or an event
    enters or leaves the window of a filter, whether or not a chain needs it."""
    changes = [conditions.events_due(events) for events in _events(sequence)]
    last = sequence.steps[-1]
    if last.negated and last.within:
        reached = _chain(sequence, conditions)
        waiting = reached[_undisturbed(reached, last, conditions)]
        ends = _ends(waiting, last.within)
        ahead = ends > conditions.facts.clock.now
        profiles, instants = (waiting >> _BITS)[ahead], ends[ahead].astype(np.float64)
        changes.append(least(profiles, instants, conditions.facts.size))
    return soonest(changes)


def _chain(sequence: Sequence, conditions: Evaluation) -> Ints:
    """Where chains over all positive steps end."""
    reached = _keys(sequence.first, conditions)
    for step in sequence.steps:
        if not step.negated:
            reached = _reached(reached, step, conditions)
    return reached


def _keys(events: Events, conditions: Evaluation) -> Ints:
    table = conditions.table(events)
    if table is None:
        return np.zeros(0, np.int64)
    rows = conditions.rows(events)
    seconds = table.placed[rows].astype(np.int64)
    return np.sort((table.profile[rows] << _BITS) + seconds - _EARLIEST)


def _reached(before: Ints, step: Step, conditions: Evaluation) -> Ints:
    """The events of a step that follow one of ``before`` as it asks."""
    keys = _keys(step.events, conditions)
    previous = _latest(before, keys)
    follows = previous != _NONE
    if step.within:
        follows &= keys - previous <= _length(step.within)
    if step.without:
        follows &= _latest(_keys(step.without, conditions), keys) <= previous
    chained: Ints = keys[follows]
    return chained


def _undisturbed(reached: Ints, last: Step, conditions: Evaluation) -> Bools:
    """After which ends of chains the event of a negated step has not come, in time or at all."""
    following = _next(_keys(last.events, conditions), reached)
    undisturbed: Bools = following == _NONE
    if last.within:
        undisturbed |= following - reached > _length(last.within)
    return undisturbed


def _ends(reached: Ints, within: Duration | None) -> Ints:
    """When the time after each event is over, in epoch seconds; at once without a limit."""
    seconds: Ints = (reached & ((1 << _BITS) - 1)) + _EARLIEST
    return seconds + (_length(within) if within else 0)


def _length(duration: Duration) -> int:
    return duration.amount * _SECONDS[duration.unit]


def _latest(keys: Ints, others: Ints) -> Ints:
    """For each of ``others`` the latest earlier key of the same profile, or ``_NONE``."""
    return _of_same_profile(keys, np.searchsorted(keys, others, side="left") - 1, others)


def _next(keys: Ints, others: Ints) -> Ints:
    """For each of ``others`` the next later key of the same profile, or ``_NONE``."""
    return _of_same_profile(keys, np.searchsorted(keys, others, side="right"), others)


def _of_same_profile(keys: Ints, places: Ints, others: Ints) -> Ints:
    # the place behind either end is that of the one added here
    found = np.append(keys, _NONE)[places]
    return np.where(found >> _BITS == others >> _BITS, found, _NONE)


def _events(sequence: Sequence) -> Iterator[Events]:
    yield sequence.first
    for step in sequence.steps:
        yield step.events
        if step.without:
            yield step.without
