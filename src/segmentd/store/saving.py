"""What the steps of saving one batch share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from segmentd.domain.memberships import Cause
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

    _touch: int = 0

    @property
    def touch(self) -> int:
        """What ``profiles.touched`` becomes for who is written in this transaction."""
        if not self._touch:
            self._touch = self.bulk.take("touched", 1)
        return self._touch

    def mark_touched(self, profile_ids: list[int]) -> None:
        """A push must look at these profiles again."""
        if profile_ids:
            touched = "UPDATE profiles SET touched = ? WHERE profile_id IN (?*)"
            self.bulk.execute(touched, self.touch, profile_ids)

    def mark_dirty(self) -> int:
        """Write the marks; to be done last. Returns how many."""
        if self.dirty:
            token = self.bulk.take("dirty", 1)
            marks = [(profile_id, token, Cause.DATA.value) for profile_id in sorted(self.dirty)]
            self.bulk.upsert("dirty", ("profile_id", "token", "cause"), marks)
        return len(self.dirty)
