"""Records and changes that were refused, kept for ``status`` until they are accepted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from segmentd.sdk.contract import Rejection
from segmentd.store.bulk import Bulk
from segmentd.store.content import LONGEST_ID, clean

_LONGEST_REASON = 1000


def reject(
    bulk: Bulk, origin: str, kind: str, rejections: Iterable[Rejection], now: datetime
) -> None:
    """List them, counting how often each was refused."""
    at = bulk.instant(now)
    rows = [
        (origin, kind, clean(r.id)[:LONGEST_ID], clean(r.reason)[:_LONGEST_REASON], at, at, 1)
        for r in rejections
    ]
    bulk.execute_many(
        "INSERT INTO rejections (origin, kind, id, reason, first_at, last_at, times) "
        "VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (origin, kind, id) DO UPDATE SET "
        "reason = excluded.reason, last_at = excluded.last_at, times = rejections.times + 1",
        rows,
    )


def accept(bulk: Bulk, origin: str, kind: str, ids: list[str]) -> None:
    """Strike what was accepted after all off the list."""
    if ids:
        bulk.execute(
            "DELETE FROM rejections WHERE origin = ? AND kind = ? AND id IN (?*)",
            origin,
            kind,
            ids,
        )
