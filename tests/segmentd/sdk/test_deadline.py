from __future__ import annotations

import httpcore
import pytest

from segmentd.sdk.deadline import Deadline


class Time:
    def __init__(self) -> None:
        self.now = 10.0

    def deadline(self, seconds: float) -> Deadline:
        deadline = Deadline(lambda: self.now)
        deadline.begin(seconds)
        return deadline


def test_an_operation_gets_what_is_left() -> None:
    time = Time()
    deadline = time.deadline(5)
    assert deadline.left(None) == 5
    time.now += 3
    assert deadline.left(None) == 2
    assert deadline.left(60) == 2
    assert deadline.left(0.5) == 0.5


@pytest.mark.parametrize("late", [0, 0.001, 100])
def test_i15_nothing_begins_when_time_is_up(late: float) -> None:
    time = Time()
    deadline = time.deadline(5)
    time.now += 5 + late
    with pytest.raises(httpcore.ReadTimeout):
        deadline.left(1)


def test_every_exchange_has_its_own() -> None:
    time = Time()
    deadline = time.deadline(5)
    time.now += 100
    deadline.begin(5)
    assert deadline.left(None) == 5
