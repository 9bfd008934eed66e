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
    """A value of the whole store moved: a percentile cut, a mean, the cut of a limited segment, a
    fitted limit."""
    RULE = "rule"
    """The segment's rule was added, edited or removed."""
    PIN = "pin"
    """A person keeps the customer in or out."""
