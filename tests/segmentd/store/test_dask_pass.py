"""Evaluation spread over a real Dask scheduler with two worker processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
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
from segmentd.domain.errors import AuthError, ConfigError, TransientError
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


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, int]]:
    """The address and the process id of a scheduler with one worker, whom nobody starts again."""
    monkeypatch.setattr(dask_pass, "ANSWER_SECONDS", 60)  # until both have started
    address = f"tcp://127.0.0.1:{free_port()}"
    at = ["--host", "127.0.0.1", "--port", address.rpartition(":")[-1]]
    with (
        dask("scheduler", *at, "--no-dashboard") as started,
        dask("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard") as worker,
    ):
        yield address, started.pid
        worker.kill()
        started.kill()


def dask(command: str, *options: str) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", f"distributed.cli.dask_{command}"]
    return subprocess.Popen([*program, *options], stderr=subprocess.DEVNULL)


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


def test_the_last_worker_is_gone(
    store: Store, processes: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_frames: Frames) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    address, _ = processes
    store.spread(address)
    monkeypatch.setattr(dask_pass, "ANSWER_SECONDS", 2)
    with pytest.raises(TransientError, match="no worker is left at the Dask sch") as caught:
        list(store.full_pass(store.ranges(2), RULES.needs, die))
    assert caught.value.hint == f"dask worker {address}"


def test_the_scheduler_stands_still(
    store: Store, processes: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    address, scheduler = processes

    def stop(_frames: Frames) -> None:
        os.kill(scheduler, signal.SIGSTOP)

    store.spread(address)
    monkeypatch.setattr(dask_pass, "ANSWER_SECONDS", 2)
    with pytest.raises(TransientError, match="answers no more") as caught:
        list(store.full_pass(store.ranges(2), RULES.needs, stop))
    assert caught.value.hint == "dask scheduler --port 8786"


def test_work_that_takes_long_is_waited_for(
    store: Store, scheduler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.spread(scheduler)
    workers = store._workers
    assert isinstance(workers, dask_pass.DaskWorkers)
    client, asked = workers._client, []
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def wait(frames: Frames) -> int:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.recv(1)
            return len(frames.profiles)

        def nthreads(**options: float) -> object:
            asked.append(type(client).nthreads(client, **options))
            if len(asked) == 2:
                server.accept()[0].close()
            return asked[-1]

        monkeypatch.setattr(client, "nthreads", nthreads)
        monkeypatch.setattr(dask_pass, "ANSWER_SECONDS", 2)
        assert list(store.full_pass([(1, 9)], RULES.needs, wait)) == [9]


def test_work_that_fails_with_a_timeout_is_not_waited_for(store: Store, scheduler: str) -> None:
    def late(_frames: Frames) -> None:
        raise TimeoutError

    store.spread(scheduler)
    with pytest.raises(TransientError, match="lost its workers"):
        list(store.full_pass([(1, 9)], RULES.needs, late))


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


def test_a_right_that_workers_are_denied(
    store: Store, postgres: PostgresServer, scheduler: str
) -> None:
    postgres.run("CREATE ROLE visitor LOGIN")
    workers = dask_pass.DaskWorkers(store._database.url.set(username="visitor"), scheduler)
    with pytest.raises(AuthError, match=r"denies the user a right .* for table profiles$"):
        list(workers.over([(1, 2)], RULES.needs, repr))
    workers.close()
    postgres.run("DROP ROLE visitor")


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
