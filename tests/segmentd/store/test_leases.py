"""Who may write, and until when."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from databases import PostgresServer
from segmentd.domain.errors import LockedError
from segmentd.pipeline.ports import Lease
from segmentd.store import Store, open_store
from segmentd.store.leases import is_dead, this_process
from shop_in_store import HOUR, NOW, TTL


def test_a_held_lease_names_its_holder(store: Store) -> None:
    store.acquire("source:shop", "alpha:7", TTL, NOW)
    with pytest.raises(LockedError, match="source:shop is held by alpha:7 since 2026-03-01 12:00"):
        store.acquire("source:shop", "beta:8", TTL, NOW + TTL / 2)


def test_not_even_its_holder_gets_it_twice(store: Store) -> None:
    store.acquire("segment", "alpha:7", TTL, NOW)
    with pytest.raises(LockedError):
        store.acquire("segment", "alpha:7", TTL, NOW)


def test_different_names_are_different_leases(store: Store) -> None:
    store.acquire("source:a", "alpha:7", TTL, NOW)
    store.acquire("source:b", "alpha:7", TTL, NOW)


def test_a_released_lease_is_free_with_a_new_epoch(store: Store) -> None:
    first = store.acquire("segment", "alpha:7", TTL, NOW)
    store.release(first)
    second = store.acquire("segment", "alpha:7", TTL, NOW)
    assert second.epoch > first.epoch
    store.release(first)
    with pytest.raises(LockedError):
        store.acquire("segment", "beta:8", TTL, NOW)


def test_an_expired_lease_is_taken_over(store: Store) -> None:
    old = store.acquire("segment", "alpha:7", TTL, NOW)
    new = store.acquire("segment", "beta:8", TTL, NOW + TTL)
    with pytest.raises(LockedError, match="taken over"):
        store.renew(old, TTL, NOW + TTL)
    store.release(old)
    store.renew(new, TTL, NOW + TTL)


def test_a_renewed_lease_lasts_longer(store: Store) -> None:
    lease = store.acquire("segment", "alpha:7", TTL, NOW)
    store.renew(lease, TTL, NOW + TTL / 2)
    with pytest.raises(LockedError):
        store.acquire("segment", "beta:8", TTL, NOW + TTL)


def test_a_lease_shorter_than_a_second_still_holds(store: Store) -> None:
    store.acquire("segment", "alpha:7", timedelta(milliseconds=10), NOW)
    with pytest.raises(LockedError):
        store.acquire("segment", "beta:8", TTL, NOW)


def test_a_write_that_began_under_a_lease_ends_before_it_is_taken_over(url: str) -> None:
    with open_store(url) as ours, open_store(url) as theirs:
        lease = ours.acquire("segment", "alpha:7", TTL, NOW)
        taken: list[Lease] = []
        taking = threading.Thread(
            target=lambda: taken.append(theirs.acquire("segment", "beta:8", TTL, NOW + 2 * TTL))
        )
        with ours._database.write(lease) as connection:
            taking.start()
            taking.join(0.2)
            assert taken == []
            connection.execute(text("UPDATE leases SET acquired_at = acquired_at"))
        taking.join()
        assert [each.holder for each in taken] == ["beta:8"]
        with pytest.raises(LockedError), ours._database.write(lease):
            pass


def test_a_long_write_keeps_no_lease_waiting(
    postgres: PostgresServer, postgres_template: str
) -> None:
    url = postgres.url(postgres.create(postgres_template))
    with open_store(url) as store, open_store(url) as writing:
        lease = store.acquire("segment", "alpha:7", TTL, NOW)
        other = store.acquire("source:shop", "alpha:7", TTL, NOW)
        with writing._database.write(lease):
            store.renew(lease, TTL, NOW + TTL / 2)
            store.release(other)
            store.acquire("source:woo", "beta:8", TTL, NOW)
            with pytest.raises(LockedError, match="held by alpha:7"):
                store.acquire("segment", "beta:8", TTL, NOW + TTL)


def test_leases_go_by_the_clock_of_the_database(store: Store) -> None:
    assert abs(store.now() - datetime.now(UTC)) < timedelta(minutes=1)


def test_a_process_of_this_machine_that_died_holds_nothing(store: Store) -> None:
    store.acquire("segment", f"{socket.gethostname()}:{_dead_pid()}", TTL, NOW)
    store.acquire("segment", "beta:8", TTL, NOW)


def test_a_living_process_holds_what_it_has(store: Store) -> None:
    store.acquire("segment", this_process(), TTL, NOW)
    with pytest.raises(LockedError):
        store.acquire("segment", "beta:8", TTL, NOW + HOUR / 60)


def test_a_later_process_with_the_same_number_is_another() -> None:
    host, pid = socket.gethostname(), os.getpid()
    assert not is_dead(f"{host}:{pid}")
    assert not is_dead(this_process())
    assert is_dead(f"{host}:{pid}:1")


@pytest.mark.parametrize("holder", ["elsewhere:1", "no number", "", f"{socket.gethostname()}:x"])
def test_of_others_nothing_is_known(holder: str) -> None:
    assert not is_dead(holder)


def _dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid
