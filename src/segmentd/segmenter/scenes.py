"""Some profiles at an instant, with all segments decided.

What a pass does for everybody, kept open for questions: why, how many, and what then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from functools import cached_property

import pandas as pd

from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.evaluate import Decision, evaluate
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.ruleset import Ruleset

_ENDS = ("cancelled_at", "ended_at", "left_at", "lapsing_at")
"""Columns of what may happen later to something that has happened."""


class Scene:
    """One evaluation; see ``Evaluation`` for what can be asked of ``conditions``."""

    def __init__(
        self, ruleset: Ruleset, frames: Frames, now: datetime, thresholds: Mapping[str, str]
    ) -> None:
        self.ruleset = ruleset
        self.frames = frames
        self.now = now
        self.thresholds = thresholds

    @cached_property
    def decision(self) -> Decision:
        """Who belongs where, and when time alone may change it."""
        return evaluate(self.ruleset, self.frames, self.now, self.thresholds)

    @cached_property
    def facts(self) -> Facts:
        """Of the profiles at that instant."""
        shop = self.ruleset.shop
        return Facts(self.frames, Clock(shop.time_zone, self.now, shop.week_start))

    @cached_property
    def conditions(self) -> Conditions:
        """Truth, values and due instants of single conditions."""
        conditions = Conditions(self.facts, self.ruleset.shop, self.thresholds)
        members = self.decision.members.to_numpy(bool)
        conditions.members = dict(zip(self.ruleset.keys, members.T, strict=True))
        return conditions


def nothing_later(frames: Frames, now: datetime) -> Frames:
    """Without everything that happened after an instant: the future if nothing happens."""
    at = now.timestamp()

    def until(frame: pd.DataFrame, name: str) -> pd.DataFrame:
        kept = frame[frame[name] <= at]
        return kept.assign(
            **{end: kept[end].mask(kept[end] > at) for end in _ENDS if end in kept.columns}
        )

    return dataclasses.replace(
        frames,
        memberships=until(frames.memberships, "entered_at"),
        orders=until(frames.orders, "placed_at"),
        lines=until(frames.lines, "placed_at"),
        refunds=until(frames.refunds, "created_at"),
        events=until(frames.events, "at"),
    )
