"""Two profiles turn out to be one person."""

from __future__ import annotations

from segmentd.domain.memberships import Cause
from segmentd.store.relative import remove_values
from segmentd.store.saving import Saving

_MOVED = ("customers", "orders", "order_lines", "refunds", "events", "ledger")
"""Whose rows simply change hands."""
_DROPPED = ("consents", "traits", "scores", "memberships",
            "membership_changes", "dirty", "profiles")  # fmt: skip
"""Whose rows are computed or known of the other profile; the profile itself goes last."""


def merge_profiles(saving: Saving, old: int, new: int) -> None:
    """Move everything of ``old`` to ``new``: one history, and no second entry into a segment.

    Of a segment that both were in at some time the history of ``new`` stays, and of a trait that
    both have the value of ``new``.
    """
    bulk = saving.bulk
    for table in _MOVED:
        bulk.execute(f"UPDATE {table} SET profile_id = ? WHERE profile_id = ?", new, old)  # noqa: S608
    for table in ("memberships", "membership_changes"):
        bulk.execute(
            f"UPDATE {table} SET profile_id = ? WHERE profile_id = ? AND segment NOT IN "  # noqa: S608
            "(SELECT segment FROM membership_changes WHERE profile_id = ?)",
            new,
            old,
            new,
        )
    bulk.execute(
        "UPDATE traits SET profile_id = ? WHERE profile_id = ? AND name NOT IN "
        "(SELECT name FROM traits WHERE profile_id = ?)",
        new,
        old,
        new,
    )
    remove_values(bulk, [old])
    for table in _DROPPED:
        bulk.execute(f"DELETE FROM {table} WHERE profile_id = ?", old)  # noqa: S608
    saving.mark_touched([new])
    saving.dirty.pop(old, None)
    saving.mark([new], Cause.MERGE)
