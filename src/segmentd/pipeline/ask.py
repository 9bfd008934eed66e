"""Questions that change nothing: how large would a segment be, and why is somebody in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from segmentd.domain.segments import Segment
from segmentd.pipeline.ports import SegmentPort
from segmentd.pipeline.segment import everybody
from segmentd.segmenter import evaluate as evaluation
from segmentd.segmenter.explain import Explanation, explain
from segmentd.segmenter.ruleset import Ruleset, Shop, compile_rules

_SPEND = "AVERAGE amount_spent"
_SPEND_RULE = "amount_spent > STORE AVERAGE"
"""Asked along with every preview, so that each profile's spend is among the values."""

SAMPLE = 10


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would select now."""

    size: int
    profiles: int
    revenue: int
    """Net spend of the members, in minor units."""
    total_revenue: int
    sample: Sequence[int]
    """Up to 10 profile ids, those who spent most first."""

    @property
    def share(self) -> float:
        """Members of all profiles, 0 to 1."""
        return self.size / self.profiles if self.profiles else 0.0

    @property
    def revenue_share(self) -> float:
        """Members' net spend of everybody's, 0 to 1."""
        return self.revenue / self.total_revenue if self.total_revenue else 0.0


def preview(
    store: SegmentPort, rules: Mapping[str, str], shop: Shop, now: datetime
) -> dict[str, Preview]:
    """Key → what its rule selects now; stores nothing."""
    hidden = "spend of everybody"
    ruleset = compile_rules({**rules, hidden: _SPEND_RULE}, shop)
    parts = [part.values for part in everybody(store, ruleset, now, None)]
    if not parts:
        return {key: Preview(0, 0, 0, 0, ()) for key in rules}
    values = pd.concat(parts)
    thresholds = _thresholds(ruleset, values)
    members = pd.concat([p.members for p in everybody(store, ruleset, now, thresholds)])
    spend = values[_SPEND].fillna(0).reindex(members.index)
    return {key: _preview(members[key], spend) for key in rules}


def _preview(member: pd.Series[bool], spend: pd.Series[float]) -> Preview:
    theirs = spend[member]
    top = theirs.sort_values(ascending=False, kind="stable").index[:SAMPLE]
    return Preview(
        size=int(member.sum()),
        profiles=len(member),
        revenue=int(theirs.sum()),
        total_revenue=int(spend.sum()),
        sample=[int(profile) for profile in top],
    )


def _thresholds(ruleset: Ruleset, values: pd.DataFrame) -> dict[str, str]:
    buyers = values[values["orders"] > 0]
    found = {}
    for expression in ruleset.expressions:
        population = pd.DataFrame(
            {
                "profile_id": buyers.index,
                "value": buyers[expression].to_numpy(),
                "orders": buyers["orders"].to_numpy(),
                "last_order_at": buyers["last_order_at"].to_numpy(),
            }
        )
        found[expression] = evaluation.threshold(expression, population)
    return found


def explanations(
    store: SegmentPort,
    segments: Sequence[Segment],
    shop: Shop,
    profile_id: int,
    now: datetime,
) -> Iterator[tuple[Segment, Explanation]]:
    """For one profile, each segment with the reasons for and against membership."""
    ruleset = compile_rules({segment.key: segment.where for segment in segments}, shop)
    frames = store.frames([profile_id])
    thresholds = store.thresholds()
    for segment in segments:
        yield segment, explain(ruleset, segment.key, frames, now, thresholds)
