from __future__ import annotations

from segmentd.web.health import Health, Phase


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_process_is_alive_until_its_loop_is_silent() -> None:
    clock = Clock()
    health = Health(silence=30, monotonic=clock)
    clock.now += 29
    assert health.alive()
    clock.now += 1
    assert not health.alive()
    health.beat()
    assert health.alive()


def test_only_a_running_process_is_ready() -> None:
    health = Health()
    assert health.obstacles() == ["starting"]
    health.phase = Phase.RUNNING
    assert health.obstacles() == []
    health.phase = Phase.STOPPING
    assert health.obstacles() == ["stopping"]


def test_every_failed_check_is_an_obstacle() -> None:
    health = Health(phase=Phase.RUNNING)
    health.checks = [lambda: None, lambda: "store down", lambda: "lease lost"]
    assert health.obstacles() == ["store down", "lease lost"]


def test_nothing_is_checked_before_the_process_runs() -> None:
    asked: list[str] = []

    def check() -> None:
        asked.append("store")

    health = Health(checks=[check])
    health.obstacles()
    assert asked == []
