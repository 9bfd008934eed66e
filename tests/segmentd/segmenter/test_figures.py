"""What the figures of a store say about its segments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from segmentd.segmenter.figures import Figures, Ids, Overlap, figure_findings, overlap

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)


def ago(days: float) -> datetime:
    return NOW - timedelta(days)


def ids(*numbers: int) -> Ids:
    return np.array(numbers, dtype=np.int64)


def upto(number: int) -> Ids:
    return np.arange(number, dtype=np.int64)


def found(**values: Any) -> list[tuple[str, tuple[str, ...]]]:
    figures = Figures(**{"profiles": 10_000, "members": {}, **values})
    return [(each.kind, each.segments) for each in figure_findings(figures, NOW)]


@pytest.mark.parametrize(
    ("size", "kind"),
    [(0, "nobody"), (1, "small"), (49, "small"), (50, None), (9_999, None), (10_000, "everybody")],
)
def test_sizes(size: int, kind: str | None) -> None:
    assert found(members={"a": upto(size)}) == ([(kind, ("a",))] if kind else [])


def test_a_small_shop_has_small_segments() -> None:
    assert found(profiles=100, members={"a": upto(19)}) == [("small", ("a",))]
    assert found(profiles=100, members={"a": upto(20)}) == []


def test_segments_that_are_nearly_the_same() -> None:
    members = {"a": upto(100), "b": upto(95), "c": upto(89), "d": upto(100) + 1000}
    assert found(members=members) == [("similar", ("a", "b")), ("similar", ("b", "c"))]


def test_overlap() -> None:
    assert overlap(ids(1, 2, 3), ids(2, 3, 4, 5)) == Overlap(2, 0.4)
    assert overlap(ids(), ids()) == Overlap(0, 0.0)


def test_too_many_segments_and_tags() -> None:
    assert found(pushed=["x"] * 25) == []
    assert found(pushed=["x"] * 26, many_tags=3) == [("many segments", ()), ("many tags", ())]


def test_a_segment_that_nothing_is_done_with() -> None:
    since = {"a": ago(30), "b": ago(29)}
    assert found(rules_since=since) == [("no action", ("a",))]
    assert found(rules_since=since, pushed=["a"]) == []
    assert found(rules_since=since, used=["a"]) == []


def test_a_rule_that_nobody_looks_at() -> None:
    rules = {"a": ago(180), "b": ago(179)}
    assert found(rules_since=rules, pushed=["a", "b"]) == [("not reviewed", ("a",))]


@pytest.mark.parametrize(
    ("moved", "ordered", "stagnant"),
    [(61, 1, True), (60, 1, True), (59, 1, False), (61, 70, False), (None, 1, True)],
)
def test_a_segment_that_stands_still(moved: int | None, ordered: int, stagnant: bool) -> None:
    moves = {} if moved is None else {"a": ago(moved)}
    kinds = found(
        pushed=["a"], rules_since={"a": ago(100)}, last_moves=moves, latest_order=ago(ordered)
    )
    assert kinds == ([("stagnant", ("a",))] if stagnant else [])
