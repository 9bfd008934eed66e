"""``segmentd run`` as a process: what it does by itself, and how it ends."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from daemons import SPENDER, Process, World, ask, ask_json, put, world
from segmentd.sdk.testing.faults import Handler, status
from segmentd.sdk.testing.sandbox import Request, Response

FIRST_PUSHES = [{"connector": "tags", "added": 2}, {"connector": "lists", "added": 2}]
UNTAGGED = {"connector": "tags", "removed": 1}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[World]:
    with world(tmp_path) as opened:
        yield opened


class Hang:
    """A fault that keeps a request waiting."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.release = threading.Event()

    def __call__(self, request: Request, handle: Handler) -> Response:
        self.reached.set()
        self.release.wait(60)
        return handle(request)


@pytest.fixture
def hang() -> Iterator[Hang]:
    fault = Hang()
    yield fault
    fault.release.set()


def test_the_first_cycle_is_at_once_and_the_end_is_orderly(made: World) -> None:
    daemon = made.start()
    url = daemon.wait_for("listening")["url"]
    cycle, *_ = daemon.wait_for_each("cycle", {"connector": "shop"}, *FIRST_PUSHES)
    assert (cycle["read"], cycle["entered"]) == (6, 2)
    assert made.shop.tags() == {"1": {"Big spender"}, "2": {"Big spender"}, "3": set()}
    assert made.lists.members() == {"Big spender": {"c1@shopper.example", "c2@shopper.example"}}
    _probes(url)
    # a quarter of its memory, which only workers need
    assert "arrow" not in Path(f"/proc/{daemon.pid}/maps").read_text()
    code, seconds = daemon.end()
    assert code == 0
    assert seconds < 10
    assert "stopped" in daemon.rest()


def _probes(url: str) -> None:
    assert ask(url, "/livez")[0] == 200
    assert ask_json(url, "/readyz") == (200, {"ready": True, "obstacles": []})
    status_, told = ask_json(url, "/statusz")
    assert status_ == 200
    assert told["phase"] == "running"
    assert {name: entry["state"] for name, entry in told["connectors"].items()} == {
        "shop": "ok",
        "tags": "ok",
        "lists": "ok",
    }
    assert told["store"]["counts"]["customers"] == 3
    metrics = ask(url, "/metrics")[1].decode()
    assert 'segmentd_records_total{connector="shop",result="written"} 6.0' in metrics
    assert 'segmentd_members{segment="spender"} 2.0' in metrics
    assert 'segmentd_last_success_timestamp_seconds{connector="tags"}' in metrics
    assert "shopper.example" not in metrics + str(told)


def test_an_idle_cycle_writes_nothing_and_a_new_order_counts(made: World) -> None:
    made.tables["sources.shop"]["every"] = "1s"
    made.write()
    daemon = made.start()
    daemon.wait_for_each("cycle", *FIRST_PUSHES)
    # reads the echo of our own tags; the one before it may have begun sooner
    daemon.wait_for("cycle", connector="shop")
    daemon.wait_for("cycle", connector="shop")
    before = made.shop.writes() + made.lists.writes()
    daemon.wait_for("cycle", connector="shop", written=0)
    assert made.shop.writes() + made.lists.writes() == before
    put(made.shop, 4, 50_000)
    daemon.wait_for("cycle", connector="tags", added=1)
    assert made.shop.tags()["4"] == {"Big spender"}
    assert daemon.end()[0] == 0


def test_a_membership_ends_when_due_without_waiting_for_a_pull(made: World) -> None:
    made.write(
        """
        [segments.fresh]
        title = "Just ordered"
        where = "last_order_date >= -30min"
        push = ["tags"]
        """
    )
    daemon = made.start()
    daemon.wait_for("cycle", connector="shop")
    put(made.shop, 5, 100, ago=timedelta(minutes=29, seconds=54))
    daemon.send(signal.SIGHUP)
    daemon.wait_for("cycle", connector="tags", added=1)
    assert made.shop.tags()["5"] == {"Just ordered"}
    daemon.wait_for_each("cycle", {"connector": "due", "left": 1}, UNTAGGED)
    assert made.shop.tags()["5"] == set()
    assert daemon.end()[0] == 0


def test_a_push_that_takes_long_keeps_neither_its_source_nor_what_is_due_waiting(
    made: World, hang: Hang
) -> None:
    made.tables["sources.shop"]["every"] = "1s"
    made.write(
        SPENDER
        + """
        [segments.fresh]
        title = "Just ordered"
        where = "last_order_date >= -30min"
        push = ["tags", "lists"]
        """
    )
    made.lists.faults.append(hang)
    daemon = made.start()
    assert hang.reached.wait(60)
    put(made.shop, 5, 100, ago=timedelta(minutes=29, seconds=54))
    daemon.wait_for("cycle", connector="shop", entered=1)
    daemon.wait_for_each("cycle", {"connector": "due", "left": 1}, UNTAGGED)
    assert made.shop.tags()["5"] == set()
    put(made.shop, 6, 20_000)
    daemon.wait_for("cycle", connector="shop", entered=1)
    assert made.lists.members() == {}
    hang.release.set()
    # what was decided meanwhile follows at once
    daemon.wait_for("cycle", connector="lists", added=2)
    daemon.wait_for("cycle", connector="lists", added=1)
    everybody = {f"c{number}@shopper.example" for number in (1, 2, 6)}
    assert made.lists.members()["Big spender"] == everybody
    assert daemon.end()[0] == 0


def test_a_second_daemon_on_the_file_says_who_has_it_and_exits(made: World) -> None:
    first = made.start()
    first.wait_for("cycle")
    second = made.start()
    assert second.wait() == 7
    text = second.rest()
    assert f":{first.pid}" in text
    assert "since" in text
    assert first.end()[0] == 0


@pytest.mark.unmeasured
def test_after_a_kill_the_next_daemon_takes_over_at_once(made: World) -> None:
    first = made.start()
    first.wait_for("cycle")
    assert first.end(signal.SIGKILL)[0] == -signal.SIGKILL
    second = made.start()
    assert second.wait_for("cycle")["read"] >= 0
    assert second.end()[0] == 0


@pytest.mark.unmeasured
def test_a_wait_for_the_shop_does_not_keep_it_from_ending(made: World) -> None:
    throttled = threading.Event()

    def refuse(request: Request, handle: Handler) -> Response:
        throttled.set()
        return status(429, {"retry-after": "600"})(request, handle)

    made.shop.faults.append(refuse)
    daemon = made.start()
    assert throttled.wait(60)
    code, seconds = daemon.end()
    assert code == 0
    assert seconds < 10


@pytest.mark.unmeasured
def test_a_request_that_hangs_does_not_keep_it_from_ending(made: World, hang: Hang) -> None:
    made.shop.faults.append(hang)
    daemon = made.start()
    assert hang.reached.wait(60)
    code, seconds = daemon.end()
    assert code == 0
    assert 5 < seconds < 10
    assert '"in_time": false' in daemon.rest()


@pytest.mark.unmeasured
def test_the_second_signal_ends_it_at_once(made: World, hang: Hang) -> None:
    made.shop.faults.append(hang)
    daemon = made.start()
    assert hang.reached.wait(60)
    daemon.send(signal.SIGTERM)
    daemon.wait_for("stopping")
    code, seconds = daemon.end(signal.SIGINT)
    assert code == 130
    assert seconds < 2


def test_an_invalid_configuration_is_not_taken_over_and_a_valid_one_is(made: World) -> None:
    daemon = made.start()
    url = daemon.wait_for("listening")["url"]
    daemon.wait_for("cycle")
    made.write(SPENDER.replace("amount_spent", "amount_spend"))
    daemon.send(signal.SIGHUP)
    assert "amount_spent" in daemon.wait_for("reload_refused")["reason"]
    assert ask(url, "/readyz")[0] == 200
    small = SPENDER.replace("spender]", "small]").replace("Big", "Small").replace(">=", "<")
    made.write(SPENDER + small)
    daemon.send(signal.SIGHUP)
    daemon.wait_for("reloaded")
    daemon.wait_for("cycle", connector="tags", added=1)
    assert made.shop.tags()["3"] == {"Small spender"}
    metrics = ask(url, "/metrics")[1].decode()
    assert 'segmentd_reloads_total{result="refused"} 1.0' in metrics
    assert 'segmentd_reloads_total{result="ok"} 1.0' in metrics
    assert daemon.end()[0] == 0


def test_schedules_are_by_the_clocks_of_the_shop_as_soon_as_they_are_known(made: World) -> None:
    del made.tables["sources.shop"]["every"]
    made.tables["sources.shop"]["cron"] = "0 6 * * *"
    made.write()
    daemon = made.start()
    url = daemon.wait_for("listening")["url"]
    daemon.wait_for("scheduled_anew", time_zone="Europe/Berlin")
    assert _times(url, "Europe/Berlin") == {"source:shop": "06:00", "verify": "03:17"}
    made.tables["shop"] = {"time_zone": "Asia/Tokyo"}
    made.write()
    daemon.send(signal.SIGHUP)
    daemon.wait_for("reloaded")
    assert _times(url, "Asia/Tokyo") == {"source:shop": "06:00", "verify": "03:17"}
    assert daemon.end()[0] == 0


def _times(url: str, zone: str) -> dict[str, str]:
    """When the jobs run next, on the clocks of ``zone``; without those that run at intervals."""
    planned = ask_json(url, "/statusz")[1]["next_runs"]
    instants = {name: datetime.fromisoformat(planned[name]) for name in ("source:shop", "verify")}
    return {name: f"{at.astimezone(ZoneInfo(zone)):%H:%M}" for name, at in instants.items()}


@pytest.mark.unmeasured
def test_a_rule_that_is_wrong_ends_it_before_the_first_request(made: World) -> None:
    made.write(SPENDER.replace("amount_spent", "amount_spend"))
    daemon = made.start()
    assert daemon.wait() == 2
    assert "amount_spent" in daemon.rest()
    assert made.shop.log == []


@pytest.mark.unmeasured
@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs to make a PID namespace"
)
def test_it_ends_in_an_orderly_way_as_process_1(made: World) -> None:
    # unshare passes no signals on: its child, which is process 1 of the namespace, is sent one
    command = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    daemon = subprocess.Popen(
        [*command, sys.executable, "-m", "segmentd", "run", "--config", str(made.config)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert daemon.stderr is not None
    for line in daemon.stderr:
        if '"cycle"' in line:
            break
    children = Path(f"/proc/{daemon.pid}/task/{daemon.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    assert daemon.wait(60) == 0
    daemon.stderr.close()


@pytest.mark.unmeasured
def test_a_process_without_web_needs_no_port(made: World) -> None:
    made.write(web=None)
    daemon: Process = made.start()
    daemon.wait_for("cycle")
    assert all(entry["event"] != "listening" for entry in daemon.log)
    assert daemon.end(signal.SIGINT)[0] == 0
