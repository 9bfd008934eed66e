"""Rules by their keys alone, as most tests of rules need them."""

from __future__ import annotations

from collections.abc import Mapping

from segmentd.domain.segments import Segment, Value
from segmentd.segmenter.ruleset import Ruleset, Shop, compile_segments


def compile_rules(
    rules: Mapping[str, str],
    shop: Shop,
    *,
    variables: Mapping[str, Value] | None = None,
    conditions: Mapping[str, str] | None = None,
) -> Ruleset:
    """Segment key → ``where``; see ``compile_segments``."""
    segments = [Segment(key, key, where) for key, where in rules.items()]
    return compile_segments(segments, shop, variables=variables, conditions=conditions)
