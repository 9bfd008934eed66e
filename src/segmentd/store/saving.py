"""What the steps of saving one batch share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from segmentd.store.bulk import Bulk


@dataclass
class Saving:
    """One transaction that writes records of one source."""

    bulk: Bulk
    source: str
    now: datetime
    dirty: set[int] = field(default_factory=set)
    """Profiles whose facts changed."""
    written: int = 0
    unchanged: int = 0

    def mark_dirty(self) -> int:
        """Write the marks; to be done last. Returns how many."""
        if self.dirty:
            token = self.bulk.take("dirty", 1)
            marks = [(profile_id, token) for profile_id in sorted(self.dirty)]
            self.bulk.upsert("dirty", ("profile_id", "token"), marks)
        return len(self.dirty)
