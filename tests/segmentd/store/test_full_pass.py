"""Evaluation spread over worker processes."""

from __future__ import annotations

import multiprocessing
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TypeVar

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from compiled_rules import compile_rules
from databases import PostgresServer
from segmentd.domain.errors import AuthError, SegmentdError, TransientError
from segmentd.segmenter.evaluate import evaluate, values
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.ruleset import Shop as RuleShop
from segmentd.store import Store, cpus, open_store
from segmentd.store.engine import adbc_address, parse_url
from segmentd.store.full_pass import Workers
from shop_in_store import NOW, Shop, customer, order

T = TypeVar("T")
RULES = compile_rules(
    {"many": "number_of_orders >= 2", "above": "amount_spent > STORE AVERAGE"},
    RuleShop("Europe/Berlin", "EUR"),
)


def fill(shop: Shop) -> None:
    shop.save(*(customer(str(n), f"c{n}@shopper.example") for n in range(1, 10)))
    shop.save(*(order(f"o{n}", str(n % 5 + 1), total=100 * n) for n in range(1, 16)))


def ask(store: Store, size: int, work: Callable[[Frames], T]) -> Iterator[T]:
    return store.full_pass(store.ranges(size), RULES.needs, work)


def test_workers_find_what_this_process_finds(shop: Shop, store: Store) -> None:
    fill(shop)
    frames = store.frames(range(1, 100))
    collect = partial(values, RULES, now=NOW)
    found = list(ask(store, 4, collect))
    assert len(found) == len(store.ranges(4)) == 3
    # their texts are no Arrow texts: this process may have no pyarrow
    assert_frame_equal(pd.concat(found), collect(frames), check_column_type=False)
    decide = partial(evaluate, RULES, now=NOW, thresholds={"AVERAGE amount_spent": "1000"})
    parts = list(ask(store, 4, decide))
    members = pd.concat([part.members for part in parts])
    assert_frame_equal(members, decide(frames).members, check_column_type=False)
    assert_series_equal(pd.concat([part.due for part in parts]), decide(frames).due)
    store.close()


def test_a_worker_that_dies_is_no_bug_of_the_rules(file_url: str) -> None:
    with open_store(file_url) as store:
        fill(Shop(store))
        parts = ask(store, 1, repr)
        next(parts)
        for process in multiprocessing.active_children():
            process.kill()
        with pytest.raises(TransientError, match="worker process"):
            list(parts)
        assert len(list(ask(store, 5, repr))) == 2
    assert multiprocessing.active_children() == []


@pytest.fixture
def server_url(postgres: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The url of a migrated database on the server."""
    name = postgres.create(postgres_template)
    yield postgres.url(name)
    postgres.drop(name)


def test_a_right_that_workers_are_denied(postgres: PostgresServer, server_url: str) -> None:
    postgres.run("CREATE ROLE visitor LOGIN")
    url = server_url.replace("postgres@", "visitor@")
    workers = Workers(adbc_address(parse_url(url)), "the database shop")
    denied = r"the database shop denies the user a right .* permission denied for table profiles$"
    with pytest.raises(AuthError, match=denied):
        list(workers.over([(1, 2)], RULES.needs, repr))
    workers.close()
    postgres.run("DROP ROLE visitor")


def test_workers_that_the_server_lets_in_no_more(server_url: str) -> None:
    url = server_url.replace("postgres@", "nobody-we-know@")
    workers = Workers(adbc_address(parse_url(url)), "the database shop")
    with pytest.raises(SegmentdError, match=r"^the database shop has no such database or user"):
        list(workers.over([(1, 2)], RULES.needs, repr))
    workers.close()


def test_connections_of_workers_that_the_server_ends(
    postgres: PostgresServer, server_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # one worker, who is connected once it has answered: another might just be connecting
    monkeypatch.setattr(cpus, "usable", lambda: 1)
    with open_store(server_url) as store:
        fill(Shop(store))
        parts = ask(store, 1, repr)
        next(parts)
        postgres.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            f"WHERE datname = '{parse_url(server_url).database}' AND application_name <> 'segmentd'"
        )
        with pytest.raises(TransientError, match=r"cannot be read: .*connection"):
            list(parts)


def test_a_person_s_value_is_not_in_an_error(postgres: PostgresServer, server_url: str) -> None:
    with open_store(server_url) as store:
        fill(Shop(store))
        with store._database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE profiles RENAME TO people")
            connection.exec_driver_sql(
                "CREATE VIEW profiles AS SELECT p.* FROM people p JOIN customers c "
                "USING (profile_id) WHERE c.email_key::int > 0"
            )
        with pytest.raises(SegmentdError, match=r"cannot be read: 22P02$"):
            list(store.full_pass([(1, 9)], RULES.needs, repr))


def test_a_file_that_lacks_a_table(file_url: str) -> None:
    with open_store(file_url) as store:
        fill(Shop(store))
        with store._database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE refunds RENAME TO other")
        with pytest.raises(SegmentdError, match=r"segmentd\.db cannot be read: .* refunds$"):
            list(store.full_pass([(1, 9)], frozenset({"refunds"}), repr))


KILLED = """
import multiprocessing, sys
from segmentd.store import open_store

store = open_store(sys.argv[1])
list(store.full_pass(store.ranges(5), frozenset({"orders"}), repr))
print(*(process.pid for process in multiprocessing.active_children()), flush=True)
sys.stdin.read()
"""


def test_workers_end_when_the_main_process_is_killed(file_url: str) -> None:
    with open_store(file_url) as store:
        fill(Shop(store))
    command = [sys.executable, "-c", KILLED, file_url]
    main = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert main.stdout is not None
    workers = [os.pidfd_open(int(pid)) for pid in main.stdout.readline().split()]
    assert workers
    main.kill()
    main.communicate()
    for worker in workers:
        # readable when the process has ended
        ended, _, _ = select.select([worker], [], [], 60)
        assert ended == [worker]
        os.close(worker)


WITHOUT_ARROW = """
import sys
if __name__ == "__main__":  # and not in the workers, which import this file
    sys.modules["pyarrow"] = None
from functools import partial
from segmentd.segmenter.evaluate import evaluate, values
from segmentd.segmenter.ruleset import Shop
from compiled_rules import compile_rules
from segmentd.store import open_store
from shop_in_store import NOW

def main():
    rules = compile_rules(
        {"many": "number_of_orders >= 2", "above": "amount_spent > STORE AVERAGE"},
        Shop("Europe/Berlin", "EUR"),
    )
    known = {"AVERAGE amount_spent": "1000"}
    with open_store(sys.argv[1]) as store:
        decide = partial(evaluate, rules, now=NOW, thresholds=known)
        for work in partial(values, rules, now=NOW), decide:
            parts = list(store.full_pass(store.ranges(4), rules.needs, work))
    print(sum(int(part.members["many"].sum()) for part in parts))

if __name__ == "__main__":
    main()
"""


def test_what_workers_give_back_needs_no_pyarrow_here(file_url: str, tmp_path: Path) -> None:
    with open_store(file_url) as store:
        fill(Shop(store))
    # a file: workers import the main module
    program = tmp_path / "program.py"
    program.write_text(WITHOUT_ARROW)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    found = subprocess.run(
        [sys.executable, str(program), file_url],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert (found.stdout, found.stderr) == ("5\n", "")
