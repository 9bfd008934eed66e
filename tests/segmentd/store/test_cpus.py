"""How many worker processes a machine or a container is good for."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from segmentd.store import cpus, open_store
from shop_in_store import Shop, customer


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 32 processors that limits nobody; its files on groups of processes."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(32)), raising=False)
    monkeypatch.setattr(cpus, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(cpus, "OWN", tmp_path / "own")
    return tmp_path


def put(machine: Path, own: str, **files: str) -> None:
    (machine / "own").write_text(own)
    for name, text in files.items():
        (machine / name).parent.mkdir(parents=True, exist_ok=True)
        (machine / name).write_text(text + "\n")


def test_a_machine_without_groups_uses_all_processors(machine: Path) -> None:
    assert cpus.usable() == 32


def test_macos_counts_its_processors(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: 10)
    assert cpus.usable() == 10


@pytest.mark.parametrize(
    ("limit", "count"),
    [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1), ("max 100000", 32)],
)
def test_a_container_of_the_second_version(machine: Path, limit: str, count: int) -> None:
    put(machine, "0::/\n", **{"cgroup/cpu.max": limit})
    assert cpus.usable() == count


@pytest.mark.parametrize(("quota", "count"), [("200000", 2), ("-1", 32)])
def test_a_container_of_the_first_version(machine: Path, quota: str, count: int) -> None:
    # the path is that of the machine; inside, the container's own group is the root
    put(
        machine,
        "5:memory:/docker/4f1e\n4:cpu,cpuacct:/docker/4f1e\n1:name=systemd:/docker/4f1e\n",
        **{"cgroup/cpu/cpu.cfs_quota_us": quota, "cgroup/cpu/cpu.cfs_period_us": "100000"},
    )
    assert cpus.usable() == count


def test_a_service_is_limited_by_what_is_around_it_too(machine: Path) -> None:
    put(
        machine,
        "0::/shops.slice/segmentd.service\n",
        **{
            "cgroup/shops.slice/cpu.max": "300000 100000",
            "cgroup/shops.slice/segmentd.service/cpu.max": "800000 100000",
        },
    )
    assert cpus.usable() == 3


@pytest.mark.parametrize(("processors", "size", "workers"), [(1, 2, 1), (32, 3, 2)])
def test_no_more_workers_than_processors_and_than_ranges(
    file_url: str, monkeypatch: pytest.MonkeyPatch, processors: int, size: int, workers: int
) -> None:
    monkeypatch.setattr(cpus, "usable", lambda: processors)
    with open_store(file_url) as store:
        shop = Shop(store)
        shop.save(*(customer(str(n), f"c{n}@shopper.example") for n in range(1, 7)))
        ranges = store.ranges(size)
        assert len(list(store.full_pass(ranges, frozenset(), repr))) == len(ranges)
        assert len(multiprocessing.active_children()) <= workers
