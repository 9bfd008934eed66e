"""Events that come one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from segmentd.segmenter.language import Step
from segmenter_oracle.days import SECONDS


@dataclass
class Stage:
    """A step of a sequence, when its events came, and when came what must not lie before them."""

    step: Step
    times: Sequence[int]
    without: Sequence[int]

    def follows(self, end: int, time: int) -> bool:
        """Whether a time is later than another, and not too late."""
        latest = time if self.step.within is None else end + self.seconds
        return end < time <= latest

    @property
    def seconds(self) -> int:
        assert self.step.within
        return self.step.within.amount * SECONDS[self.step.within.unit]


def in_sequence(first: Sequence[int], stages: Sequence[Stage], now: int) -> bool:
    """Whether events came in this order; ``ends``: when what has come so far ended."""
    ends = set(first)
    for stage in stages:
        if stage.step.negated:
            return any(_never_came(end, stage, now) for end in ends)
        ends = {
            time
            for time in stage.times
            for end in ends
            if stage.follows(end, time) and not any(end < other < time for other in stage.without)
        }
    return bool(ends)


def _never_came(end: int, stage: Stage, now: int) -> bool:
    if stage.step.within and end + stage.seconds > now:
        return False  # it may still come
    return not any(stage.follows(end, time) for time in stage.times)
