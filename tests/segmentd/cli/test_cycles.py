"""What one cycle does and notes, with connectors in memory and a real store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
import structlog
from structlog.testing import capture_logs

from daemons import SPENDER, put
from segmentd.bootstrap import App, open_app
from segmentd.cli.cycles import Cycles
from segmentd.cli.standings import Standing
from segmentd.config import load_config
from segmentd.domain.errors import Stopping
from segmentd.pipeline.segment import SegmentSummary
from segmentd.sdk import ShopInfo
from segmentd.sdk.testing.faults import Handler, status
from segmentd.sdk.testing.memory import MemoryLists, MemoryShop, registered
from segmentd.sdk.testing.memory.source import MemorySource
from segmentd.sdk.testing.sandbox import Request, Response
from segmentd.web.metrics import Metrics

CONFIG = """
[store]
url = "sqlite:///segmentd.db"
[sources.shop]
connector = "memory"
shop = "first"
[sources.other]
connector = "memory"
shop = "second"
[destinations.tags]
connector = "memory"
source = "shop"
[destinations.lists]
connector = "memory"
shop = "platform"
kind = "lists"
"""


@dataclass
class Bench:
    """Everything that a test looks at."""

    shop: MemoryShop
    other: MemoryShop
    lists: MemoryLists
    app: App
    cycles: Cycles
    stopping: threading.Event
    stopped: list[str] = field(default_factory=list)
    owed: list[str] = field(default_factory=list)

    def source(self, name: str) -> None:
        """A cycle, and what is pushed after it."""
        self.cycles.source(name)
        self._push()

    def due(self) -> None:
        """The same without a pull."""
        self.cycles.due()
        self._push()

    def _push(self) -> None:
        while self.owed:
            self.cycles.push(self.owed.pop(0))

    def states(self) -> dict[str, str]:
        return {name: standing.state for name, standing in self.cycles.standings.all.items()}

    def metric(self, series: str) -> float | None:
        for line in self.cycles.metrics.render().decode().splitlines():
            name, _, value = line.rpartition(" ")
            if name == series:
                return float(value)
        return None


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    shop, other, lists = MemoryShop(), MemoryShop(), MemoryLists()
    path = tmp_path / "segmentd.toml"
    path.write_text(CONFIG + SPENDER)
    with ExitStack() as stack:
        for name, sandbox in (("first", shop), ("second", other), ("platform", lists)):
            stack.enter_context(registered(name, sandbox))
        stopping = threading.Event()
        app = open_app(load_config(path), sleep=lambda _: None)
        stack.callback(app.close)
        made = Bench(shop, other, lists, app, Cycles(app, Metrics(), stopping), stopping)
        made.cycles.on_stopped = made.stopped.append
        made.cycles.on_owed = made.owed.append
        for number in range(1, 4):
            put(shop, number, 20_000)
        made.cycles.app.pull(["other"])
        yield made
    structlog.contextvars.clear_contextvars()


def refuse(sandbox: MemoryShop | MemoryLists, code: int, times: int = 1) -> None:
    sandbox.faults.extend(status(code) for _ in range(times))


def test_a_cycle_and_each_push_say_in_one_line_what_they_did(bench: Bench) -> None:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        bench.source("shop")
    cycle, *pushes = (line for line in lines if line["event"] == "cycle")
    assert (cycle["connector"], cycle["cycle"]) == ("shop", 1)
    assert (cycle["read"], cycle["written"], cycle["entered"]) == (6, 6, 3)
    assert [(line["connector"], line["cycle"]) for line in pushes] == [("tags", 2), ("lists", 3)]
    assert [(line["added"], line["removed"]) for line in pushes] == [(3, 0), (3, 0)]
    assert all("failed" not in line for line in (cycle, *pushes))
    assert bench.states() == {"shop": "ok", "tags": "ok", "lists": "ok"}


def test_a_source_that_refuses_us_stops_alone(bench: Bench) -> None:
    refuse(bench.shop, 401)
    bench.source("shop")
    assert bench.stopped == ["shop"]
    assert bench.states()["shop"] == "needs attention"
    bench.source("other")
    assert bench.states()["other"] == "ok"
    assert bench.stopped == ["shop"]


def test_a_source_that_is_down_is_tried_again(bench: Bench) -> None:
    refuse(bench.shop, 503, times=6)
    bench.source("shop")
    assert bench.states()["shop"] == "failing"
    assert bench.cycles.standings.all["shop"].error == "TransientError"
    assert bench.stopped == []
    bench.source("shop")
    assert bench.states()["shop"] == "ok"
    assert bench.cycles.standings.all["shop"].error is None


def test_the_same_failure_is_told_once_and_counted_always(bench: Bench) -> None:
    with capture_logs() as lines:
        for _ in range(3):
            refuse(bench.shop, 503, times=6)
            bench.source("shop")
        bench.source("shop")
    assert [line["event"] for line in lines if line["event"] != "cycle"] == ["failing", "recovered"]
    series = 'segmentd_failures_total{connector="shop",error="TransientError"}'
    assert bench.metric(series) == 3


def test_what_a_shop_warns_of_is_told_once_and_shown_always(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    greet = MemorySource.info

    def warn(source: MemorySource) -> ShopInfo:
        return replace(greet(source), warnings=["orders of the last 60 days only"])

    monkeypatch.setattr(MemorySource, "info", warn)
    with capture_logs() as lines:
        bench.source("shop")
        refuse(bench.shop, 503, times=6)
        bench.source("shop")
        bench.source("shop")
    told = [line for line in lines if line["event"] == "warned"]
    assert [(line["of"], line["reason"]) for line in told] == [
        ("shop", "orders of the last 60 days only")
    ]
    assert bench.cycles.standings.all["shop"].warnings == ["orders of the last 60 days only"]


def test_a_destination_that_refuses_us_is_left_alone_and_others_go_on(bench: Bench) -> None:
    refuse(bench.lists, 403)
    bench.source("shop")
    assert bench.states() == {"shop": "ok", "tags": "ok", "lists": "needs attention"}
    asked = len(bench.lists.log)
    put(bench.shop, 9, 30_000)
    bench.source("shop")
    assert len(bench.lists.log) == asked
    assert bench.shop.tags()["9"] == {"Big spender"}


def test_after_a_reload_what_was_stopped_is_tried_again(bench: Bench) -> None:
    refuse(bench.lists, 403)
    bench.source("shop")
    bench.cycles.restart(bench.app)
    bench.due()
    assert bench.states()["lists"] == "ok"
    assert len(bench.lists.members()["Big spender"]) == 3


def test_a_connector_that_is_configured_no_more_is_forgotten(bench: Bench) -> None:
    bench.cycles.standings.all["old"] = Standing("failing")
    bench.cycles.restart(bench.app)
    assert "old" not in bench.cycles.standings.all


def test_figures_of_what_is_configured_no_more_are_forgotten(bench: Bench) -> None:
    gone = (
        'segmentd_cursor_lag_seconds{connector="shop",stream="orders"}',
        'segmentd_last_success_timestamp_seconds{connector="shop"}',
        'segmentd_held_removals{connector="tags"}',
        'segmentd_members{segment="spender"}',
    )
    kept = (
        'segmentd_cursor_lag_seconds{connector="other",stream="orders"}',
        'segmentd_last_success_timestamp_seconds{connector="lists"}',
        'segmentd_held_removals{connector="lists"}',
        'segmentd_records_total{connector="tags",result="added"}',
    )
    bench.source("shop")
    bench.source("other")
    assert all(bench.metric(series) is not None for series in (*gone, *kept))
    config = bench.app.config
    smaller = replace(
        config,
        sources={"other": config.sources["other"]},
        destinations={"lists": config.destinations["lists"]},
        segments=(),
    )
    bench.cycles.restart(replace(bench.app, config=smaller))
    assert [bench.metric(series) for series in gone] == [None] * len(gone)
    assert all(bench.metric(series) is not None for series in kept)


def test_a_held_plan_is_visible_and_the_rest_goes_on(bench: Bench) -> None:
    for number in range(10, 40):
        put(bench.shop, number, 20_000)
    bench.source("shop")
    for number in range(10, 40):
        bench.shop.refund(str(1000 + number), 19_000, bench.shop.clock.now())
    with capture_logs() as lines:
        bench.source("shop")
        bench.due()
    assert bench.states() == {"shop": "ok", "tags": "held", "lists": "held"}
    assert bench.metric('segmentd_held_removals{connector="tags"}') == 30
    told = [line for line in lines if line["event"] == "held"]
    assert sorted(line["of"] for line in told) == ["lists", "tags"]
    assert all("segmentd push --confirm" in line["hint"] for line in told)
    assert sum("Big spender" in tags for tags in bench.shop.tags().values()) == 33


def test_a_list_that_was_removed_is_told_of_and_the_rest_goes_on(bench: Bench) -> None:
    buyers = '[segments.buyers]\nwhere = "number_of_orders >= 1"\npush = ["lists"]\n'
    path = bench.app.config.path
    path.write_text(CONFIG + SPENDER + buyers)
    bench.cycles.restart(replace(bench.app, config=load_config(path)))
    bench.source("shop")
    bench.lists.delete_list("Big spender")
    put(bench.shop, 4, 20_000)
    bench.shop.cancel("1001", bench.shop.clock.now())
    with capture_logs() as lines:
        bench.source("shop")
        bench.due()
    assert bench.states() == {"shop": "ok", "tags": "ok", "lists": "held"}
    assert [line["of"] for line in lines if line["event"] == "held"] == ["lists"]
    first = next(line for line in lines if line.get("failed"))
    # to the list that is left; who left the removed list is off it
    assert (first["added"], first["removed"], first["failed"]) == (1, 2, ["lists"])
    assert bench.lists.members() == {"buyers": {f"c{n}@shopper.example" for n in (2, 3, 4)}}
    states = {n.name: n.states for n in bench.app.store.status().names if n.destination == "lists"}
    assert states == {"Big spender": {"delivered": 2}, "buyers": {"delivered": 3}}


def test_paused_nothing_is_pushed(bench: Bench) -> None:
    bench.cycles.app = replace(bench.app, config=replace(bench.app.config, paused=True))
    with capture_logs() as lines:
        bench.source("shop")
    assert lines[-1]["paused"] is True
    assert bench.shop.writes() + bench.lists.writes() == 0


def test_while_a_source_is_read_for_the_first_time_nothing_is_pushed_and_nothing_fails(
    bench: Bench, tmp_path: Path
) -> None:
    bench.source("shop")
    third = MemoryShop()
    strict = SPENDER.replace(">= 100", ">= 300").replace("Big spender", "Best")
    path = tmp_path / "segmentd.toml"
    path.write_text(CONFIG + '[sources.third]\nconnector = "memory"\nshop = "third"\n' + strict)
    with registered("third", third):
        bench.cycles.restart(replace(bench.app, config=load_config(path)))
        with capture_logs() as lines:
            bench.source("shop")
            bench.due()
        assert [line["event"] for line in lines] == ["cycle", "cycle"]
        assert all(line["insufficient_data"] for line in lines)
        assert bench.states() == {"shop": "ok", "tags": "ok", "lists": "ok"}
        assert set(bench.lists.members()) == {"Big spender"}
        bench.source("third")
    assert bench.lists.members() == {"Big spender": set()}


def test_a_configuration_that_is_read_anew_between_pass_and_push_is_decided_by_first(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "segmentd.toml"
    path.write_text(CONFIG + SPENDER.replace(">= 100", ">= 300"))
    strict = replace(bench.app, config=load_config(path))
    segment = App.segment

    def reloaded_after(app: App) -> SegmentSummary:
        done = segment(app)
        monkeypatch.setattr(App, "segment", segment)
        bench.cycles.restart(strict)
        return done

    monkeypatch.setattr(App, "segment", reloaded_after)
    with capture_logs() as lines:
        bench.source("shop")
    assert [line.get("undecided") for line in lines] == [None, ["tags"], ["lists"]]
    assert bench.states() == {"shop": "ok", "tags": "waiting", "lists": "waiting"}
    put(bench.shop, 4, 50_000)
    bench.source("shop")
    assert bench.lists.members() == {"Big spender": {"c4@shopper.example"}}
    assert bench.states() == {"shop": "ok", "tags": "ok", "lists": "ok"}


def test_who_left_during_a_long_push_is_not_tagged_by_its_plan(bench: Bench) -> None:
    def leave(request: Request, handle: Handler) -> Response:
        # while the first of them is tagged, the third one gets the money back
        bench.shop.refund("1003", 19_000, bench.shop.clock.now())
        bench.cycles.source("shop")
        return handle(request)

    tags = bench.app.config.destinations["tags"]
    one_by_one = replace(tags, settings=tags.settings.model_copy(update={"batch_size": 1}))
    only_tags = replace(bench.app.config, destinations={"tags": one_by_one})
    bench.cycles.restart(replace(bench.app, config=only_tags, stretch=timedelta()))
    bench.cycles.source("shop")
    bench.shop.faults.append(leave)
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        bench.due()
    assert bench.shop.tags() == {"1": {"Big spender"}, "2": {"Big spender"}, "3": set()}
    assert bench.shop.writes() == 2
    first, second, *_ = (line for line in lines if line["connector"] == "tags")
    assert (first["added"], first["unfinished"]) == (1, True)
    assert second["added"] == 1
    assert "unfinished" not in second
    assert bench.states() == {"shop": "ok", "tags": "ok"}


def test_a_stop_between_pull_and_push_ends_the_cycle(bench: Bench) -> None:
    bench.stopping.set()
    with pytest.raises(Stopping):
        bench.source("shop")
    assert bench.shop.writes() == 0


def test_figures_of_a_cycle_reach_the_metrics(bench: Bench) -> None:
    bench.source("shop")
    assert bench.metric('segmentd_records_total{connector="tags",result="added"}') == 3
    assert bench.metric('segmentd_members{segment="spender"}') == 3
    assert bench.metric('segmentd_http_requests_total{class="write",connector="tags"}') == 1
    lag = bench.metric('segmentd_cursor_lag_seconds{connector="shop",stream="orders"}')
    assert lag is not None
    assert lag < 60


def test_after_a_cycle_no_connection_keeps_its_cache(bench: Bench) -> None:
    bench.source("shop")
    assert "Connections in pool: 0" in bench.app.store._database.engine.pool.status()
    assert bench.app.store.waiting(bench.app.store.now()).leases


def spoil(bench: Bench) -> None:
    """Spoil what is stored, as a fault of ours would."""
    with bench.app.store._database.write() as connection:
        connection.exec_driver_sql("DELETE FROM memberships WHERE profile_id = 1")


def test_a_verification_tells_what_differs_and_is_kept(bench: Bench) -> None:
    bench.source("shop")
    bench.cycles.verify()
    first = bench.app.store.verified()
    assert first is not None
    assert first.differences == 0
    spoil(bench)
    week = bench.app.clock() + timedelta(days=7)
    bench.cycles.app = replace(bench.app, clock=lambda: week)
    with capture_logs() as lines:
        bench.cycles.verify()
    told = [line for line in lines if line["event"] == "store_differs"]
    assert [(line["differences"], line["of"]) for line in told] == [(1, ["spender"])]
    assert "shopper.example" not in str(lines)
    bench.cycles.note_verified()
    assert bench.metric("segmentd_verify_differences") == 1
    assert bench.metric("segmentd_verified_timestamp_seconds") == int(week.timestamp())


def test_it_is_verified_once_a_week_whoever_does_it(bench: Bench) -> None:
    bench.source("shop")
    with bench.app.lease("verify"), capture_logs() as lines:
        busy = Cycles(replace(bench.app, patience=timedelta()), Metrics(), bench.stopping)
        busy.verify()
    assert [line["busy"] for line in lines] == [["verify"]]
    bench.cycles.verify()
    with capture_logs() as lines:
        bench.cycles.verify()
        Cycles(bench.app, Metrics(), bench.stopping).verify()
    assert lines == []


def test_before_the_first_import_is_complete_there_is_nothing_to_verify(bench: Bench) -> None:
    bench.cycles.verify()
    assert bench.app.store.verified() is None
    assert bench.cycles.note_verified() is None
