"""Faults that a crash test must find: each undoes one promise of the code under test."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from segmentd.pipeline import push
from segmentd.pipeline.ports import Pass
from segmentd.sdk.contract import Outcome, Receipt
from segmentd.store import Store

exposed = False
"""Whether a crash now would make the fault's harm last."""


@contextmanager
def _exposed() -> Iterator[None]:
    global exposed
    exposed = True
    try:
        yield
    finally:
        exposed = False


def plant(bug: str) -> None:
    """Put a fault of ``BUGS`` into this process."""
    BUGS[bug]()


def _cursor_before_rows() -> None:
    """The window is stored as read before the rows that it covers."""
    right = Store.save_batch

    def wrong(
        self: Store, lease: Any, source: Any, stream: Any, records: Sequence[Any], *rest: Any
    ) -> Any:
        rejected, cursor, now = rest
        self.save_cursor(lease, source, stream, cursor.close(now))
        with _exposed():
            return right(self, lease, source, stream, records, rejected, cursor, now)

    Store.save_batch = wrong  # type: ignore[assignment, method-assign]


def _ledger_before_push() -> None:
    """Changes are entered as delivered before they are sent."""
    right = push.push

    def wrong(made: Any, destination: Any, store: Any, *rest: Any, **named: Any) -> Any:
        lease, now, _progress = rest
        needs = destination.capabilities.needs
        early = [(d, Receipt(c, Outcome.APPLIED)) for d, c in made.changes]
        store.record(lease, made.destination, needs, early, now)
        with _exposed():
            return right(made, destination, store, *rest, **named)

    push.push = wrong


def _dirty_marks_before_memberships() -> None:
    """The marks of changed customers go before the memberships that follow from them."""
    right = Store.publish

    def wrong(self: Store, lease: Any, outcome: Pass, now: Any) -> Any:
        nothing = Pass([], outcome.segments, outcome.thresholds, outcome.token)
        right(self, lease, nothing, now)
        with _exposed():
            return right(self, lease, outcome, now)

    Store.publish = wrong  # type: ignore[assignment, method-assign]


BUGS = {
    "cursor before rows": _cursor_before_rows,
    "ledger before push": _ledger_before_push,
    "dirty marks before memberships": _dirty_marks_before_memberships,
}
