"""What a rule would have decided at instants of the past, from what is known of them today."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from segmentd.segmenter.columns import Ints
from segmentd.segmenter.evaluate import evaluate
from segmentd.segmenter.fields import find_field
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.preview import Thresholds
from segmentd.segmenter.ruleset import Ruleset

_DATED = {"orders", "refunds", "lines", "events"}


@dataclass(frozen=True, slots=True)
class Moves:
    """How many of some profiles, or of all, came and went; one element for each instant."""

    size: Ints
    entered: Ints
    """Members who were none at the instant before; nobody at the first."""
    left: Ints

    @classmethod
    def none(cls, instants: int) -> Moves:
        """Of nobody."""
        return cls(*(np.zeros(instants, np.int64) for _ in range(3)))

    def __add__(self, other: Moves) -> Moves:
        return Moves(self.size + other.size, self.entered + other.entered, self.left + other.left)


def moves(
    ruleset: Ruleset,
    frames: Frames,
    key: str,
    at: Sequence[datetime],
    thresholds: Sequence[Thresholds],
) -> Moves:
    """One range of profiles; ``at`` ascends, ``thresholds`` are those of each instant."""
    decided = [
        evaluate(ruleset, frames, instant, known).members[key].to_numpy(bool)
        for instant, known in zip(at, thresholds, strict=True)
    ]
    inside = np.array(decided).astype(np.int64)
    changes = np.diff(inside, axis=0, prepend=inside[:1])
    return Moves(inside.sum(axis=1), (changes > 0).sum(axis=1), (changes < 0).sum(axis=1))


def undated(ruleset: Ruleset) -> list[str]:
    """The facts among those that rules ask for of which only the present state is known."""
    return sorted(name for name in ruleset.fields if _is_undated(name))


def _is_undated(name: str) -> bool:
    field = find_field(name)
    if field is None or name == "customer_added_date":
        return False
    return _DATED.isdisjoint(need.partition(".")[0] for need in field.needs)
