"""Decide who belongs where: frames in, frames out; no clock, no store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import pandas as pd

from segmentd.segmenter.frames import Frames
from segmentd.segmenter.ruleset import Ruleset


def values(ruleset: Ruleset, frames: Frames, now: datetime) -> pd.DataFrame:
    """What store-relative thresholds are computed from.

    Index ``profile_id``; one float64 column per expression of the ruleset, named by it (NaN where
    missing), plus ``orders`` and ``last_order_at`` (epoch seconds, NaN without an order).
    """
    raise NotImplementedError


def evaluate(
    ruleset: Ruleset, frames: Frames, now: datetime, thresholds: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.Series[float]]:
    """``(members, due)`` for every profile of the frames; index ``profile_id``.

    ``members``: one boolean column per segment key. ``due``: the earliest instant after ``now``
    (epoch seconds, NaN for never) at which time alone may change a membership. ``now`` counts in
    whole seconds. A condition whose threshold is absent or ``insufficient`` is false.
    """
    raise NotImplementedError
