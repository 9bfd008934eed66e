"""Who belongs to which segment, and how that changed."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Why a membership changed."""

    DATA = "data"
    """A customer, order, refund or product changed."""
    TIME = "time"
    """Nothing changed but the time: the due instant was reached."""
    THRESHOLD = "threshold"
    """A store-relative value (percentile cut, mean, median) moved."""
    RULE = "rule"
    """The segment's rule was added, edited or removed."""


def diff(
    before: set[tuple[int, str]], after: set[tuple[int, str]]
) -> tuple[set[tuple[int, str]], set[tuple[int, str]]]:
    """``(entered, left)`` pairs of profile and segment."""
    return after - before, before - after
