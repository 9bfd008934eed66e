"""Stored and computed results side by side."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from segmentd.segmenter.comparing import (
    Kind,
    Stored,
    cut,
    differences,
    ranked,
    renewed,
    value_differences,
)
from segmentd.segmenter.evaluate import Decision
from segmentd.segmenter.thresholds import FACTS

NEVER = math.nan


def decision(**due: float) -> Decision:
    """Profiles 1 to 4: 1 and 2 are in ``vip``, 2 by grace; due instants as given."""
    index = pd.Index([1, 2, 3, 4], name="profile_id")
    members = pd.DataFrame({"vip": [True, True, False, False], "new": False}, index=index)
    lapsing = pd.DataFrame({"vip": [NEVER, 50.0, NEVER, NEVER]}, index=index)
    dues = pd.Series([due.get(f"p{each}", NEVER) for each in index], index=index)
    return Decision(members, dues, lapsing)


def found(stored: Stored, *, waiting: set[int] | None = None, skipped: set[str] | None = None,
          **due: float) -> dict[tuple[Kind, str], list[int]]:  # fmt: skip
    result = differences(decision(**due), stored, waiting or set(), frozenset(skipped or ()))
    return {what: ids.tolist() for what, ids in result.items()}


SAME = Stored.of([("vip", 1), ("vip", 2)], [("vip", 2, 50)], [])


def test_no_difference() -> None:
    assert found(SAME) == {}


def test_memberships() -> None:
    stored = Stored.of([("vip", 2), ("vip", 3), ("old", 4)], [("vip", 2, 50)], [])
    assert found(stored) == {
        (Kind.MISSING, "vip"): [1],
        (Kind.EXTRA, "vip"): [3],
        (Kind.EXTRA, "old"): [4],
    }
    assert found(stored, waiting={1, 3}, skipped={"old"}) == {}


def test_who_is_gone_is_a_member_too_many() -> None:
    stored = Stored.of([("vip", 1), ("vip", 2), ("vip", 99)], [("vip", 2, 50)], [])
    assert found(stored) == {(Kind.EXTRA, "vip"): [99]}


@pytest.mark.parametrize("since", [[], [("vip", 2, 49)], [("vip", 1, 50), ("vip", 2, 50)]])
def test_grace(since: list[tuple[str, int, int]]) -> None:
    stored = Stored.of([("vip", 1), ("vip", 2)], since, [])
    assert found(stored) == {(Kind.GRACE, "vip"): [1] if len(since) > 1 else [2]}
    # of who is missing it is said once
    missing = Stored.of([("vip", 1)], [], [])
    assert found(missing) == {(Kind.MISSING, "vip"): [2]}


def test_due_instants() -> None:
    stored = Stored.of(
        [("vip", 1), ("vip", 2)], [("vip", 2, 50)], [(1, 100), (2, 101), (3, 99), (5, 7)]
    )
    # stored in whole seconds, and never before the instant
    assert found(stored, p1=99.5, p2=100.0, p3=100.0, p4=100.0) == {
        (Kind.LATE, ""): [2, 4],
        (Kind.EARLY, ""): [3, 5],
    }
    # one instant for all segments says nothing where some are left out
    assert found(stored, skipped={"new"}, p1=1.0) == {}


def people(**values: float) -> pd.DataFrame:
    index = pd.Index([int(name[1:]) for name in values], dtype=np.int64, name="profile_id")
    column = list(values.values())
    return pd.DataFrame({"spent": column, "orders": 1.0, "last_order_at": NEVER}, index=index)


def test_values_of_who_waits_are_the_stored_ones() -> None:
    everybody = people(p1=5.0, p2=9.0, p3=NEVER, p4=0.0)
    fresh = ranked(everybody, "spent")
    assert fresh.index.tolist() == [1, 2, 4]
    assert fresh.columns.tolist() == list(FACTS)
    stored = ranked(people(p1=5.0, p2=7.0, p4=-0.0, p6=1.0), "spent")
    assert value_differences(fresh, stored, []).tolist() == [2, 6]
    assert value_differences(fresh, stored, [6]).tolist() == [2]
    assert cut("AVERAGE spent", fresh, stored, []) == repr(14.0 / 3)
    # 2 counts as stored, and 6, who is new, too
    assert cut("AVERAGE spent", fresh, stored, [2, 6]) == repr(13.0 / 4)
    assert cut("AVERAGE spent", fresh[:0], stored[:0], []) == "insufficient"
    again = renewed(everybody, [1, 2], people(p2=8.0))
    assert sorted(again["spent"].dropna().tolist()) == [0.0, 8.0]
