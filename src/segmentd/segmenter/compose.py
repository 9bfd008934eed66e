"""From a segment as configured to the trees that are evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from segmentd.domain.segments import Segment
from segmentd.segmenter import demands
from segmentd.segmenter.fields import NUMERIC, Kind, subject_field
from segmentd.segmenter.language import Condition, Expression, Position, Share, leaves
from segmentd.segmenter.parser import fail, parse
from segmentd.segmenter.spelling import subject_text
from segmentd.segmenter.standing import Cap, Standing
from segmentd.segmenter.words import Words, inside, read


def rule_of(place: str, rule: str, words: Words, keys: Sequence[str]) -> Expression:
    """A rule with its words put in, checked. RuleError names the place with line and column."""
    with inside(place):
        tree = read(parse(rule), words, keys)
        for leaf in leaves(tree):
            for relative in demands.relatives(leaf):
                for node in demands.segments(relative.subject):
                    fail(node.at, "a value of the whole store cannot depend on a segment")
    return tree


def standing_of(
    segment: Segment, rivals: tuple[str, ...], words: Words, keys: Sequence[str]
) -> Standing:
    """What decides beside a segment's rule; ``rivals``: its exclusive set. Errors as in a rule."""
    key, stays, cap = segment.key, None, None
    if segment.stays:
        stays = rule_of(f"segment '{key}', stays", segment.stays, words, keys)
    if segment.limit is not None:
        with inside(f"segment '{key}', limit"):
            ranking = _ranking(segment.limit.by, words, keys)
        cap = Cap(segment.limit.count, ranking, segment.limit.least)
    return Standing(stays, segment.grace, cap, segment.pins, rivals)


def _ranking(by: str, words: Words, keys: Sequence[str]) -> Condition:
    asked = read(parse(f"{by} IS NULL"), words, keys)
    if not isinstance(asked, Condition):
        fail(Position(1, 1), "it ranks by one number, not by a rule")
    subject = asked.subject
    field = subject_field(subject)
    if field is None or field.kind not in {*NUMERIC, Kind.ANY}:
        kind = field.kind if field else "unknown"
        fail(asked.at, f"it ranks by a number, and {subject_text(subject)} is {kind}")
    return Condition(subject, "IN", (Share("TOP", Decimal(1)),), at=asked.at)
