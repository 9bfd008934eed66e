"""When somebody entered or left another segment."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import numpy as np
import pytest

from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.memories import entered, left
from segmentd.segmenter.ruleset import Shop
from segmenter_oracle.histories import Membership, Person, frames

NOW = 1_000_000


def times(*instants: int | None) -> list[Membership]:
    """Entered, left, entered, left …; None for a membership that goes on."""
    pairs = list(pairwise(instants))[::2]
    return [Membership("vip", begin, end) for begin, end in pairs if begin is not None]


def asked(history: list[Membership], *, member: bool) -> tuple[int | None, int | None]:
    """When somebody entered and left."""
    stranger = Person(7, memberships=[Membership("vip", 5, 6), Membership("vip", 7)])
    people = [Person(3, memberships=history), stranger]
    conditions = Conditions(
        Facts(frames(people), Clock("UTC", datetime.fromtimestamp(NOW, UTC))),
        Shop("UTC", "EUR"),
        {},
    )
    conditions.members["vip"] = np.array([member, True])
    found = [entered("vip", conditions), left("vip", conditions)]
    assert [values[1] for values in found] == [7, 6]
    first, last = (None if np.isnan(values[0]) else int(values[0]) for values in found)
    return first, last


@pytest.mark.parametrize(
    ("history", "member", "expected"),
    [
        (times(), False, (None, None)),
        (times(), True, (NOW, None)),
        (times(10, None), True, (10, None)),
        (times(10, None), False, (10, NOW)),
        (times(10, 20), False, (10, 20)),
        (times(10, 20), True, (NOW, 20)),
        (times(10, 20, 30, None), True, (30, 20)),
        (times(10, 20, 30, None), False, (30, NOW)),
        (times(10, 20, 30, 40), True, (NOW, 40)),
        (times(10, 20, 30, 40), False, (30, 40)),
        (times(10, 20, 20, None), True, (20, 20)),
        # what this clock cannot know yet
        (times(10, NOW + 5), True, (10, None)),
        (times(10, NOW + 5), False, (10, NOW)),
        (times(10, NOW), False, (10, NOW)),
        (times(10, NOW), True, (NOW, NOW)),
        (times(NOW, None), True, (NOW, None)),
        (times(NOW, None), False, (NOW, NOW)),
        (times(NOW + 1, None), False, (None, None)),
        (times(10, 20, NOW + 1, NOW + 2), False, (10, 20)),
        # rows of other segments, and rows that are not in the order of time
        ([Membership("new", 10, 20)], True, (NOW, None)),
        ([*reversed(times(10, 20, 30, None)), Membership("new", 50, 60)], True, (30, 20)),
    ],
)
def test_when_somebody_entered_and_left(
    history: list[Membership], member: bool, expected: tuple[int | None, int | None]
) -> None:
    assert asked(history, member=member) == expected
