"""Why, why not, until when: the evaluation of one profile, told condition by condition."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from segmentd.segmenter.frames import Frames
from segmentd.segmenter.ruleset import Ruleset


@dataclass(frozen=True, slots=True)
class Explanation:
    """One node of a rule: its text, whether it holds, and what it was decided by."""

    text: str
    words: str
    holds: bool
    value: str | None = None
    orders: tuple[int, ...] = ()
    """Up to 10 order ids (ours) that were used, latest first."""
    due: datetime | None = None
    """When time alone may change it."""
    parts: tuple[Explanation, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        raise NotImplementedError

    def to_text(self) -> str:
        """Indented lines for a person."""
        raise NotImplementedError


def explain(
    ruleset: Ruleset, key: str, frames: Frames, now: datetime, thresholds: Mapping[str, str]
) -> Explanation:
    """Explain segment ``key`` for the one profile that ``frames`` hold."""
    raise NotImplementedError
