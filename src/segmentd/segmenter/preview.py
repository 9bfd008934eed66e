"""How large a segment would be, and what it is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from segmentd.segmenter.ruleset import Ruleset
from segmentd.segmenter.thresholds import threshold

SPEND = "AVERAGE amount_spent"
SPEND_RULE = "amount_spent > STORE AVERAGE"
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


def summarise(
    values: Sequence[pd.DataFrame], members: Sequence[pd.DataFrame], keys: Sequence[str]
) -> dict[str, Preview]:
    """Key → preview, from the partitions' values (with SPEND) and members."""
    if not members:
        return {key: Preview(0, 0, 0, 0, ()) for key in keys}
    everybody = pd.concat(members)
    spend = pd.concat(values)[SPEND].fillna(0).reindex(everybody.index)
    return {key: _preview(everybody[key], spend) for key in keys}


def thresholds(ruleset: Ruleset, values: Sequence[pd.DataFrame]) -> dict[str, str]:
    """Expression → threshold, from the values of all partitions."""
    if not values:
        return {}
    everybody = pd.concat(values)
    buyers = everybody[everybody["orders"] > 0]
    return {
        expression: threshold(expression, _population(buyers, expression))
        for expression in ruleset.expressions
    }


def _population(buyers: pd.DataFrame, expression: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "profile_id": buyers.index,
            "value": buyers[expression].to_numpy(),
            "orders": buyers["orders"].to_numpy(),
            "last_order_at": buyers["last_order_at"].to_numpy(),
        }
    )


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
