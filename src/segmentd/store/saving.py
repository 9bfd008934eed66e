"""What the steps of saving one batch share."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from segmentd.domain.memberships import Cause
from segmentd.store.bulk import Bulk

_WEAKEST_FIRST = (
    Cause.PRODUCT, Cause.PROFILE, Cause.TRAIT, Cause.ORDER, Cause.REFUND, Cause.MERGE,
)  # fmt: skip
_STRENGTH = {cause: strength for strength, cause in enumerate(_WEAKEST_FIRST)}


@dataclass
class Saving:
    """One transaction that writes records of one source."""

    bulk: Bulk
    source: str
    now: datetime
    imported: bool = False
    """The records belong to a backfill: whatever they change is no news of the shop."""
    dirty: dict[int, Cause] = field(default_factory=dict)
    """Profiles whose facts changed, with the strongest of the causes."""
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

    def mark(self, profile_ids: Iterable[int], cause: Cause) -> None:
        """These profiles must be evaluated, because of that."""
        strength = _STRENGTH[cause]
        for profile_id in profile_ids:
            before = self.dirty.get(profile_id)
            if before is None or _STRENGTH[before] < strength:
                self.dirty[profile_id] = cause

    def mark_dirty(self) -> int:
        """Write the marks, over those of earlier batches; to be done last. Returns how many."""
        if self.dirty:
            token = self.bulk.take("dirty", 1)
            marks = [
                (profile_id, token, Cause.IMPORT.value if self.imported else cause.value)
                for profile_id, cause in sorted(self.dirty.items())
            ]
            self.bulk.upsert("dirty", ("profile_id", "token", "cause"), marks)
        return len(self.dirty)
