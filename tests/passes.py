"""A shop in a store, and passes over it with segments that change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from segmentd.domain.segments import ExclusiveSet, Segment, Value
from segmentd.pipeline.segment import SegmentSummary, segment
from segmentd.segmenter.ruleset import Shop as RuleShop
from segmentd.segmenter.ruleset import compile_segments
from segmentd.store import Store
from shop_in_store import DAY, NOW, Shop, customer, lease_of, order, rows


class World:
    """A shop in a store, and the passes over it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.shop = Shop(store)
        self.lease = lease_of(store)
        self.now = NOW
        self.segments: Sequence[Segment] = ()
        self.sets: Sequence[ExclusiveSet] = ()
        self.variables: Mapping[str, Value] = {}

    def spend(self, who: int, euros: int, days_ago: int = 1) -> None:
        """One more order, of a customer who may be new."""
        number = rows(self.store, "SELECT count(*) FROM orders")[0][0]
        placed = self.now - days_ago * DAY
        each = order(f"o{number}", str(who), total=euros * 100, placed=placed, at=self.now)
        self.shop.save(customer(str(who), f"c{who}@shopper.example"), each)

    def run(self, *, full: bool = False) -> SegmentSummary:
        """One pass."""
        ruleset = compile_segments(
            self.segments, RuleShop("UTC", "EUR"), sets=self.sets, variables=self.variables
        )
        return segment(
            self.store, self.lease, self.segments, ruleset, self.now, _ignore, complete=True,
            full=full,
        )  # fmt: skip

    def members(self, key: str = "vip") -> list[int]:
        """Customers, by number."""
        found = [m for m in self.store.memberships() if m.segment == key]
        return sorted(int(membership.customer_id) for membership in found)

    def history(self) -> list[tuple[str, str, str, str]]:
        """Segment, customer, entered or left, cause."""
        return [(c.segment, str(c.customer_id), c.change, c.cause) for c in self.store.changes()]

    def state(self) -> list[object]:
        """All that a pass stores, but for the time of the pass itself."""
        tables = ("memberships", "membership_changes", "relative_values", "profiles")
        current = "SELECT expression, threshold FROM thresholds WHERE current = 1"
        queries = [f"SELECT * FROM {table}" for table in tables]
        return [sorted(rows(self.store, query), key=repr) for query in (*queries, current)]


def _ignore(_done: int, _total: int) -> None:
    return None
