"""Who belongs to which segment, and how that changed."""

from __future__ import annotations

from enum import StrEnum


class Cause(StrEnum):
    """Why a membership changed."""

    ORDER = "order"
    """An order came, changed or vanished."""
    REFUND = "refund"
    """Nothing of an order but its refunds changed."""
    MERGE = "merge"
    """Two profiles turned out to be one person."""
    PROFILE = "profile"
    """The customer's own record changed or vanished."""
    PRODUCT = "product"
    """A product that the customer bought is described in another way."""
    TRAIT = "trait"
    """A value known from elsewhere changed."""
    IMPORT = "import"
    """A backfill brought what was not known."""
    DATA = "data"
    """Any of the above: older versions did not tell them apart."""
    TIME = "time"
    """Nothing changed but the time: the due instant was reached."""
    THRESHOLD = "threshold"
    """A value of the whole store moved: a percentile cut, a mean, the cut of a limited segment, a
    fitted limit."""
    RULE = "rule"
    """The segment's rule was added, edited or removed."""
    PIN = "pin"
    """A person keeps the customer in or out."""
