"""Store-relative values: percentile cuts, mean and median of all who have ordered."""

from __future__ import annotations

import pandas as pd


def threshold(expression: str, population: pd.DataFrame) -> str:
    """The threshold of an expression as text.

    ``population``: columns ``profile_id, value, orders, last_order_at``, one row per profile with
    at least one counted order. ``insufficient`` for percentiles of fewer than 20.
    """
    raise NotImplementedError


def moved(expression: str, old: str | None, new: str, population: pd.DataFrame) -> list[int]:
    """Profiles whose truth can differ between two thresholds; all of them if ``old`` is None."""
    raise NotImplementedError
