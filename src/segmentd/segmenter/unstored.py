"""What a pass finds that is not stored yet.

Whoever reads the facts of a range of profiles reads beside them what the pass before stored, so
that little goes to the one process that writes. That one compares once more what it gets: others
may take profiles away meanwhile. They give nobody a value or a membership, so who was seen to be
stored rightly needs no second look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import numpy as np
import pandas as pd

from segmentd.segmenter.columns import Ints, positions_of
from segmentd.segmenter.evaluate import Decision, Values, evaluate, valued
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.predicates import Bools, Floats
from segmentd.segmenter.ruleset import Ruleset
from segmentd.segmenter.thresholds import FACTS, differing, places, ranked

OF_NEWS = frozenset({"members", "profiles.due_at"})
"""What is read to compare decisions; see ``Ruleset.needs``."""
OF_VALUES = frozenset({"values"})
"""The same for store-relative values."""


class News(NamedTuple):
    """What was decided for some profiles and is not stored yet."""

    profiles: int
    """How many were decided."""
    asked: list[int]
    """Who is stored otherwise, and who is stored as a member and gone; ascending."""
    decision: Decision
    """Of those of them who are there."""

    def without(self, profile_ids: Set[int]) -> News:
        """Nothing about these profiles."""
        rest = [profile_id for profile_id in self.asked if profile_id not in profile_ids]
        chosen = self.decision.members.index.isin(rest)
        return self._replace(asked=rest, decision=self.decision.of(chosen))


@dataclass(frozen=True)
class Look:
    """How a pass looks at a range of profiles; picklable, so that workers can be given it."""

    ruleset: Ruleset
    now: datetime
    thresholds: Mapping[str, str]
    keys: Sequence[str]
    """The segments that are asked for; others are decided only because these depend on them."""
    whole: bool
    """Whether these are all segments; else due instants say nothing about the rest."""
    again: bool
    """Whether everybody is due at the next look: what a pass that went back in time stores ends
    the memberships that it took for those of then, so they are others then."""

    def decision(self, frames: Frames) -> Decision:
        """What belongs to the segments that are asked for."""
        return self._asked(evaluate(self.ruleset, frames, self.now, self.thresholds))

    def news(self, frames: Frames) -> News:
        """What of it is not stored; ``frames`` with OF_NEWS."""
        return unpublished(self.decision(frames), frames, whole=self.whole)

    def both(self, frames: Frames) -> tuple[Values, News]:
        """The values that are not stored, and the news; ``frames`` with OF_VALUES, too."""
        found, decision = valued(self.ruleset, frames, self.now, self.thresholds)
        news = unpublished(self._asked(decision), frames, whole=self.whole)
        return _unsaved(found, frames), news

    def _asked(self, decision: Decision) -> Decision:
        if self.again:
            soon = int(self.now.timestamp()) + 1.0
            decision = decision._replace(due=decision.due.fillna(soon).clip(upper=soon))
        return decision.only(self.keys)


def unsaved(compute: Callable[[Frames], Values], frames: Frames) -> Values:
    """What is computed and is not in ``frames.values``."""
    return _unsaved(compute(frames), frames)


def unpublished(decision: Decision, frames: Frames, *, whole: bool) -> News:
    """Where a decision departs from ``frames.members`` and the stored due instants; see ``Look``
    for ``whole``."""
    stored = _Stored(frames, decision.members)
    due = frames.profiles["due_at"].to_numpy(np.float64)
    differs = (stored.members() != decision.members.to_numpy()).any(axis=1)
    differs |= unlike(due, due_instants(decision.due, due, whole=whole))
    for key, since in decision.lapsing.items():
        differs |= unlike(stored.lapsing(str(key)), since.to_numpy())
    there = decision.members.index.to_numpy(np.int64)[differs]
    asked = np.union1d(there, stored.gone()).tolist()
    return News(len(decision.members), asked, decision.of(differs))


def due_instants(due: pd.Series[float], before: Floats, *, whole: bool) -> Floats:
    """Due instants as they are stored, whole seconds and never early; ``before``: those that are
    stored, which know what a profile waits for beside the rules that were asked."""
    instants: Floats = np.ceil(due.to_numpy(np.float64))
    return instants if whole else np.fmin(instants, before)


def unlike(one: Floats, other: Floats) -> Bools:
    """Where two differ; nothing is like nothing."""
    differs: Bools = (one != other) & ~(np.isnan(one) & np.isnan(other))
    return differs


class _Stored:
    """``Frames.members`` beside a decision."""

    def __init__(self, frames: Frames, decided: pd.DataFrame) -> None:
        assert frames.members is not None  # noqa: S101 - see OF_NEWS
        self._frame, self._decided = frames.members, decided
        self._rows = positions_of(decided.index, self._frame["profile_id"])
        self._columns = _numbers(self._frame["segment"], list(decided.columns))

    def members(self) -> Bools:
        """Who is in which segment, as the decision has it."""
        inside = np.zeros(self._decided.shape, bool)
        known = (self._rows >= 0) & (self._columns >= 0)
        inside[self._rows[known], self._columns[known]] = True
        return inside

    def lapsing(self, key: str) -> Floats:
        """Since when who is a member of a segment only by grace."""
        found = np.full(len(self._decided), np.nan)
        known = (self._rows >= 0) & (self._columns == self._decided.columns.get_loc(key))
        found[self._rows[known]] = self._frame["lapsing_at"].to_numpy()[known]
        return found

    def gone(self) -> Ints:
        """Members who are there no more."""
        ids = self._frame["profile_id"].to_numpy()
        return ids[(self._rows < 0) & (self._columns >= 0)]


def _unsaved(values: Values, frames: Frames) -> Values:
    assert frames.values is not None  # noqa: S101 - see OF_VALUES
    names = [name for name in map(str, values.columns) if name not in FACTS]
    numbers = _numbers(frames.values["name"], names)
    others: set[float] = set()
    for number, name in enumerate(names):
        before = places(frames.values[numbers == number])
        for some in differing(before, ranked(name, values)):
            others.update(-place[-1] for place in some)
    return values[values.index.isin(list(others))]


def _numbers(texts: pd.Series[str], names: list[str]) -> Ints:
    """For each text the number of the name that it is; -1 for none."""
    codes, distinct = pd.factorize(texts)
    numbers = {name: number for number, name in enumerate(names)}
    return np.array([*(numbers.get(text, -1) for text in distinct), -1], np.int64)[codes]
