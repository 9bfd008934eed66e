"""Who belongs to which segment, and how that changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
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


@dataclass(frozen=True, slots=True)
class MembershipChange:
    """One profile entered or left one segment."""

    profile_id: int
    segment: str
    entered: bool
    at: datetime
    cause: Cause


def diff(
    before: set[tuple[int, str]], after: set[tuple[int, str]]
) -> tuple[set[tuple[int, str]], set[tuple[int, str]]]:
    """``(entered, left)`` pairs of profile and segment."""
    return after - before, before - after
