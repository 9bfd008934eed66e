"""Questions that change nothing: how large would a segment be, and why is somebody in it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from segmentd.domain.segments import Segment
from segmentd.pipeline.ports import SegmentPort
from segmentd.pipeline.segment import everybody
from segmentd.segmenter.explain import Explanation, explain
from segmentd.segmenter.preview import SPEND_RULE, Preview, summarise, thresholds
from segmentd.segmenter.ruleset import Shop, compile_rules


def preview(
    store: SegmentPort, rules: Mapping[str, str], shop: Shop, now: datetime
) -> dict[str, Preview]:
    """Key → what its rule selects now; stores nothing."""
    ruleset = compile_rules({**rules, "spend of everybody": SPEND_RULE}, shop)
    values = [part.values for part in everybody(store, ruleset, now, None)]
    cuts = thresholds(ruleset, values)
    members = [part.members for part in everybody(store, ruleset, now, cuts)]
    return summarise(values, members, list(rules))


def explanations(
    store: SegmentPort,
    segments: Sequence[Segment],
    shop: Shop,
    profile_id: int,
    now: datetime,
) -> Iterator[tuple[Segment, Explanation]]:
    """For one profile, each segment with the reasons for and against membership.

    Orders are named as in the shop.
    """
    ruleset = compile_rules({segment.key: segment.where for segment in segments}, shop)
    frames = store.frames([profile_id])
    thresholds_now = store.thresholds()
    for segment in segments:
        why = explain(ruleset, segment.key, frames, now, thresholds_now)
        yield segment, why.renamed(store.remote_orders(why.used_orders()))
