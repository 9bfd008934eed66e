"""Evaluation spread over a real Dask scheduler with two worker processes."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import distributed
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal
from sqlalchemy.engine import make_url

from compiled_rules import compile_rules
from databases import PostgresServer
from segmentd.cli.main import run
from segmentd.domain.errors import ConfigError, TransientError
from segmentd.segmenter.evaluate import evaluate
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.ruleset import Shop as RuleShop
from segmentd.store import Store, dask_pass, open_store
from shop_in_store import NOW, Shop, customer, order

RULES = compile_rules({"many": "number_of_orders >= 2"}, RuleShop("Europe/Berlin", "EUR"))


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """The address of a scheduler with two workers."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def store(postgres: PostgresServer, postgres_template: str) -> Iterator[Store]:
    """Nine customers with fifteen orders."""
    name = postgres.create(postgres_template)
    with open_store(postgres.url(name)) as opened:
        shop = Shop(opened)
        shop.save(*(customer(str(n), f"c{n}@shopper.example") for n in range(1, 10)))
        shop.save(*(order(f"o{n}", str(n % 5 + 1), total=100 * n) for n in range(1, 16)))
        yield opened
    postgres.drop(name)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_its_workers_find_what_this_process_finds(store: Store, scheduler: str) -> None:
    store.spread(scheduler)
    decide = partial(evaluate, RULES, now=NOW, thresholds={})
    parts = list(store.full_pass(store.ranges(2), RULES.needs, decide))
    alone = decide(store.frames(range(1, 100), RULES.needs))
    assert len(parts) == 5
    assert_frame_equal(pd.concat([part.members for part in parts]), alone.members)
    assert_series_equal(pd.concat([part.due for part in parts]), alone.due)


def test_the_ranges_of_a_worker_that_dies_are_done_by_another(
    store: Store, scheduler: str, tmp_path: Path
) -> None:
    mark = tmp_path / "died"

    # inside, so that it is sent as it is: workers cannot import the tests
    def die_once(frames: Frames) -> list[int]:
        profiles = [int(profile) for profile in frames.profiles["profile_id"]]
        if profiles[0] == 5 and not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return profiles

    store.spread(scheduler)
    parts = store.full_pass(store.ranges(2), RULES.needs, die_once)
    assert [profile for part in parts for profile in part] == list(range(1, 10))
    assert mark.exists()


def test_only_a_few_ranges_are_handed_out_ahead(store: Store, scheduler: str) -> None:
    store.spread(scheduler)
    ranges = _Counted([(n, n) for n in range(1, 1000)])
    parts = store.full_pass(ranges, RULES.needs, repr)
    next(parts)
    assert 1 < ranges.given <= dask_pass.AHEAD * 2


class _Counted(list[tuple[int, int]]):
    given = 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for each in super().__iter__():
            self.given += 1
            yield each


def test_a_scheduler_that_does_not_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_pass, "ANSWER_SECONDS", 0.2)
    with pytest.raises(TransientError, match="no Dask scheduler answers at tcp://") as caught:
        store.spread(f"tcp://127.0.0.1:{free_port()}")
    assert caught.value.hint == "dask scheduler --port 8786"


def test_a_scheduler_without_workers(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_pass, "ANSWER_SECONDS", 0.5)
    with (
        distributed.LocalCluster(
            n_workers=0, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
        pytest.raises(TransientError, match="no worker has joined") as caught,
    ):
        store.spread(cluster.scheduler_address)
    assert caught.value.hint == f"dask worker {cluster.scheduler_address}"


def test_workers_with_another_version(
    store: Store, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_pass, "__version__", "99.0")
    with pytest.raises(ConfigError, match=r"has segmentd .*, this is 99\.0: install the same"):
        store.spread(scheduler)


def test_workers_that_cannot_reach_the_database_say_so_without_the_password(
    scheduler: str,
) -> None:
    url = f"postgresql+psycopg://user:s3cret@127.0.0.1:{free_port()}/shop"
    workers = dask_pass.DaskWorkers(make_url(url), scheduler)
    with pytest.raises(TransientError, match=r"database shop at 127\.0\.0\.1") as caught:
        list(workers.over([(1, 2)], RULES.needs, repr))
    workers.close()
    assert "s3cret" not in f"{caught.value!r} {caught.value.__cause__!r} {vars(workers)}"


def test_a_sqlite_file_is_refused(file_url: str) -> None:
    with open_store(file_url) as store, pytest.raises(ConfigError, match="SQLite file"):
        store.spread("tcp://127.0.0.1:1")


@pytest.mark.parametrize("options", [["--engine", "dask"], ["--scheduler", "tcp://127.0.0.1:1"]])
def test_engine_and_scheduler_belong_together(
    options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["segment", *options]) == 2
    assert "belong together" in capsys.readouterr().err


def test_an_address_that_is_none(store: Store) -> None:
    with pytest.raises(ConfigError, match="is no address; write for example tcp://"):
        store.spread("somewhere://")
