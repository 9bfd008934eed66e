"""Since when somebody is a member of another segment, and when somebody left it.

The history is what earlier passes have stored; what this pass has just decided is newer than it:
who is a member without an open row enters now, and who is none with one leaves now.
"""

from __future__ import annotations

import numpy as np

from segmentd.segmenter.columns import Ints, floats, positions_of
from segmentd.segmenter.evaluation import Evaluation
from segmentd.segmenter.predicates import Bools, Floats


def entered(segment: str, conditions: Evaluation) -> Floats:
    """When each profile entered last, in epoch seconds; NaN for never."""
    profiles, begins, ends = _history(segment, conditions)
    members = conditions.members[segment]
    since = _last(profiles, begins, conditions.facts.size)
    still = members & _still(profiles, ends, conditions.facts.size)
    return np.where(members & ~still, conditions.facts.clock.now, since)


def left(segment: str, conditions: Evaluation) -> Floats:
    """When each profile left last, in epoch seconds; NaN for never."""
    profiles, _, ends = _history(segment, conditions)
    size, closed = conditions.facts.size, ~np.isnan(ends)
    before = _last(profiles[closed], ends[closed], size)
    leaving = _still(profiles, ends, size) & ~conditions.members[segment]
    return np.where(leaving, conditions.facts.clock.now, before)


def _history(segment: str, conditions: Evaluation) -> tuple[Ints, Floats, Floats]:
    """Position of the profile, begin and end of every membership that has begun, in this order;
    the end is NaN while it goes on."""
    rows = conditions.facts.frames.memberships
    now = conditions.facts.clock.now
    profiles = positions_of(conditions.facts.index, rows["profile_id"])
    begins, ends = floats(rows, "entered_at"), floats(rows, "left_at")
    begun = (rows["segment"] == segment).to_numpy(bool) & (profiles >= 0) & (begins <= now)
    profiles, begins, ends = profiles[begun], begins[begun], ends[begun]
    ends = np.where(ends > now, np.nan, ends)
    # of two that begin at once the one that goes on is the last: NaN is sorted to the end
    order = np.lexsort((ends, begins, profiles))
    return profiles[order], begins[order], ends[order]


def _last(profiles: Ints, values: Floats, size: int) -> Floats:
    """The last value of each profile; NaN for none."""
    result = np.full(size, np.nan)
    # of several values for one place the last one stays
    result[profiles] = values
    return result


def _still(profiles: Ints, ends: Floats, size: int) -> Bools:
    """Whose last membership goes on."""
    ended = np.ones(size, bool)
    ended[profiles] = ~np.isnan(ends)
    return ~ended
