"""Faults that a crash test must find: each undoes one promise of the code under test."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from segmentd.pipeline.ports import Pass
from segmentd.store import Store


def plant(bug: str) -> None:
    """Put a named fault into this process."""
    {
        "cursor before rows": _cursor_before_rows,
        "ledger before push": _ledger_before_push,
        "dirty marks before memberships": _dirty_marks_before_memberships,
    }[bug]()


def _cursor_before_rows() -> None:
    """The cursor is stored in a transaction of its own, in front of the rows that it covers."""
    right = Store.save_batch

    def wrong(
        self: Store, lease: Any, source: Any, stream: Any, records: Sequence[Any], *rest: Any
    ) -> Any:
        rejected, cursor, now = rest
        self.save_cursor(lease, source, stream, cursor.close())
        return right(self, lease, source, stream, records, rejected, cursor, now)

    Store.save_batch = wrong  # type: ignore[method-assign]


def _ledger_before_push() -> None:
    """Changes are entered as delivered before they were sent."""
    from segmentd.pipeline import push
    from segmentd.sdk.contract import Outcome, Receipt

    right = push.push

    def wrong(
        made: Any, destination: Any, store: Any, lease: Any, now: Any, *a: Any, **k: Any
    ) -> Any:
        needs = destination.capabilities.needs
        early = [(d, Receipt(c, Outcome.APPLIED)) for d, c in made.changes]
        store.record(lease, made.destination, needs, early, now)
        return right(made, destination, store, lease, now, *a, **k)

    push.push = wrong


def _dirty_marks_before_memberships() -> None:
    """The marks of changed customers go before the memberships that follow from them."""
    right = Store.publish

    def wrong(self: Store, lease: Any, outcome: Pass, now: Any) -> Any:
        nothing = Pass([], [], outcome.segments, outcome.thresholds, outcome.token)
        right(self, lease, nothing, now)
        return right(self, lease, outcome, now)

    Store.publish = wrong  # type: ignore[method-assign]
