"""What workers need not send back is what is stored as they found it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd
import pytest

from segmentd.segmenter.evaluate import Decision
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.unstored import News, unpublished, unsaved

Rows = Sequence[tuple[int | str | float, ...]]
NOW = 1_000_000.0
NAN = math.nan
DUE = [NAN, NOW + 9, NOW + 5.5]
STORED_DUE = [NAN, NOW + 9, NOW + 6]
MEMBERS = [(1, "vip", NAN), (2, "vip", NOW), (2, "new", NAN)]
NOTHING = pd.DataFrame()


def frames(members: Rows = (), due: list[float] = STORED_DUE, values: Rows = ()) -> Frames:
    profiles = pd.DataFrame({"profile_id": [1, 2, 3], "due_at": due})
    nothing = (NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING, NOTHING)
    return Frames(
        profiles,
        *nothing,
        pd.DataFrame(members, columns=["profile_id", "segment", "lapsing_at"]),
        pd.DataFrame(values, columns=["profile_id", "name", "value", "orders", "last_order_at"]),
    )


def decision() -> Decision:
    index = pd.Index([1, 2, 3], name="profile_id")
    vip, new = [True, True, False], [False, True, False]
    return Decision(
        pd.DataFrame({"vip": vip, "new": new}, index=index),
        pd.Series(DUE, index=index),
        pd.DataFrame({"vip": [NAN, NOW, NAN]}, index=index),
    )


def news(made: Decision, stored: Frames, *, whole: bool = True) -> News:
    return unpublished(made, stored, whole=whole)


def test_what_is_stored_is_no_news() -> None:
    found = news(decision(), frames(MEMBERS))
    assert (found.profiles, found.asked, len(found.decision.members)) == (3, [], 0)
    assert list(found.decision.lapsing) == ["vip"]


@pytest.mark.parametrize(
    ("members", "asked"),
    [
        (MEMBERS[1:], [1]),
        ([*MEMBERS, (3, "new", NAN)], [3]),
        ([(1, "vip", NOW), (2, "vip", NOW), (2, "new", NAN)], [1]),
        ([(1, "vip", NAN), (2, "vip", NOW - 1), (2, "new", NAN)], [2]),
        ([*MEMBERS, (9, "vip", NAN)], [9]),
        ([*MEMBERS, (9, "of another time", NAN), (1, "of another time", NAN)], []),
        ([], [1, 2]),
    ],
)
def test_who_is_stored_otherwise_is_news(members: Rows, asked: list[int]) -> None:
    found = news(decision(), frames(members))
    assert found.asked == asked
    assert found.decision.members.index.tolist() == [each for each in asked if each < 9]


def test_due_instants_are_compared_as_they_are_stored() -> None:
    assert news(decision(), frames(MEMBERS, [NOW, NOW + 9, NOW + 5])).asked == [1, 3]


def test_some_rules_say_nothing_about_earlier_instants_of_others() -> None:
    stored = frames(MEMBERS, [NOW, NOW + 8, NAN])
    assert news(decision(), stored, whole=False).asked == [3]


def test_nothing_is_told_of_who_was_decided_otherwise_since() -> None:
    found = news(decision(), frames([(9, "vip", NAN)])).without({1, 9})
    assert (found.profiles, found.asked) == (3, [2])
    assert [part.index.tolist() for part in found.decision] == [[2], [2], [2]]


def test_values_are_told_where_what_ranks_differs() -> None:
    values = pd.DataFrame(
        {
            "amount_spent": [0.0, 5.0, 7.5, 2.0],
            "LIMIT 7 vip": [1.0, NAN, 3.0, NAN],
            "orders": [0.0, 1.0, 2.0, 3.0],
            "last_order_at": [NAN, NOW, NOW, NOW],
        },
        index=pd.Index([1, 2, 3, 4], name="profile_id"),
    )
    stored = [
        (1, "LIMIT 7 vip", 1.0, 0.0, -math.inf),
        (2, "amount_spent", 5.0, 1.0, NOW),
        (3, "amount_spent", 7.5, 2.0, NOW),
        (3, "LIMIT 7 vip", 3.0, 2.0, NOW),
        (4, "amount_spent", 2.0, 3.0, NOW),
    ]

    def told(rows: Rows) -> list[int]:
        return unsaved(lambda _: values, frames(values=rows)).index.tolist()

    assert told(stored) == []
    assert told([*stored, (9, "amount_spent", 1.0, 1.0, NOW)]) == []
    assert told([*stored, (1, "amount_spent", 0.0, 0.0, -math.inf)]) == [1]
    assert told([*stored, (2, "LIMIT 7 vip", 1.0, 1.0, NOW)]) == [2]
    assert told([*stored[:2], (3, "amount_spent", 7.5, 1.0, NOW), *stored[3:]]) == [3]
    assert told(stored[:4]) == [4]
    assert told([]) == [1, 2, 3, 4]
