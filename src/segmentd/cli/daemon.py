"""The daemon: jobs by schedule, probes beside them, and an orderly end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import structlog

from segmentd import __version__
from segmentd.bootstrap import App, open_app
from segmentd.cli.cycles import Cycles
from segmentd.cli.signals import Signals
from segmentd.cli.tenure import Tenure
from segmentd.cli.watch import DUE, Watch, job_of, push_job_of
from segmentd.config import Config, ConnectorConfig
from segmentd.domain.errors import ConfigError, LockedError, SegmentdError, Stopping
from segmentd.scheduler import Cron, Every, Schedule, Scheduler
from segmentd.store.holding import BEATS
from segmentd.web.health import Health, Phase
from segmentd.web.metrics import Metrics
from segmentd.web.server import WebServer, application

_log = structlog.get_logger("segmentd.run")

GRACE = 7.0
"""Seconds that the batch in flight has to end; with the rest the process ends within 10."""
LOOK = "look"
VERIFY = "verify"
_NIGHT = "17 3 * * *"
"""When to verify, by the shop's clocks: each night, if it was not done this week."""
_BEAT = 1.0
_DUE_AT_LEAST = timedelta(hours=1)
_PUSH_AT_LEAST = timedelta(minutes=5)
"""So soon a push that failed is made again, however seldom its source is read."""
_STRETCH = timedelta(minutes=5)
"""How long a push of tags goes on by one plan, which gives them also to those who left the segment
since; and much longer than it takes to plan."""
_LOOK_AT_LEAST = timedelta(seconds=15)
_THREADS = 64
"""More than there are jobs, so that none waits for another one; each starts when first needed."""


def serve(config: Config, load: Callable[[], Config], signals: Signals) -> None:
    """Run until a signal ends it; ``load`` reads the configuration anew (SIGHUP).

    Raises LockedError where another daemon has the same SQLite file, ConfigError where the
    configuration cannot work. Ends the process itself if a job does not end.
    """
    stopping = threading.Event()

    def sleep(seconds: float) -> None:
        if stopping.wait(seconds):
            raise Stopping("segmentd is stopping")

    def progress(_label: str, _done: int, _total: int | None) -> None:
        if stopping.is_set():
            raise Stopping("segmentd is stopping")

    with ExitStack() as stack:
        # who finds another process at work does not wait for it: the next look finds what is left
        app = open_app(
            config, sleep=sleep, progress=progress, patience=timedelta(), stretch=_STRETCH
        )
        stack.callback(app.close)
        exclusive = config.store_url.startswith("sqlite")
        tenure = stack.enter_context(Tenure(app.store, config.lease, exclusive=exclusive))
        daemon = Daemon(app, tenure, stopping)
        if config.web is not None:
            web = WebServer(daemon.site(), config.web.host, config.web.port)
            stack.callback(web.stop)
            web.start()
            _log.info("listening", url=web.url)
        if not daemon.run(signals, load):
            # a job hangs in a request or in a long transaction: to wait for its thread, or for the
            # database, would take too long. Nothing is lost: every batch is one transaction, and
            # the leases of a dead process are free
            sys.stderr.flush()
            os._exit(0)


class Daemon:
    """One configuration at work."""

    def __init__(self, app: App, tenure: Tenure, stopping: threading.Event) -> None:
        self._begun = datetime.now(UTC)
        self._app = app
        self._tenure = tenure
        self._stopping = stopping
        self._health = Health(checks=[tenure.problem, self._store_problem])
        self._metrics = Metrics()
        self._scheduler = Scheduler(self._job_failed, threads=_THREADS)
        self._metrics.lock_epoch(tenure.epoch)
        self._cycles = Cycles(app, self._metrics, stopping, self._unschedule, self._wake)
        self._watch = Watch(self._cycles, self._scheduler)
        # jobs are planned by the thread of a pull, too
        self._planning = threading.Lock()
        self._zone = ""

    def site(self) -> Any:
        """The web application."""
        return application(self._health, self.status, self._metrics)

    def run(self, signals: Signals, load: Callable[[], Config]) -> bool:
        """Until SIGTERM or SIGINT; returns whether every job ended in time."""
        _check(self._app)
        self._schedule()
        self._add_pushes(self._app.config.destinations)
        self._scheduler.add(DUE, self._due, Every(_DUE_AT_LEAST), self._begun)
        often = min(_LOOK_AT_LEAST, self._app.config.lease / BEATS)
        self._scheduler.add(LOOK, self._watch.look, Every(often), self._begun)
        self._scheduler.start()
        self._health.phase = Phase.RUNNING
        _log.info("started", version=__version__, sources=len(self._app.config.sources))
        try:
            self._loop(signals, load)
        finally:
            ended = self._stop()
        return ended

    def status(self) -> Mapping[str, object]:
        """For ``/statusz``."""
        return {
            "version": __version__,
            "phase": self._health.phase,
            "since": self._begun,
            "paused": self._app.config.paused,
            "connectors": {name: asdict(s) for name, s in self._cycles.standings.all.items()},
            "next_runs": self._scheduler.next_runs(),
            "skipped_runs": dict(self._scheduler.skipped),
            "lease": self._tenure.name,
            **self._store_status(),
        }

    def _store_status(self) -> Mapping[str, object]:
        store = self._app.store
        try:
            # without the refused records: their reasons may quote what the platform sent
            status = asdict(replace(store.status(), rejections=[]))
            verified = self._cycles.note_verified()
        except SegmentdError as error:
            return {"store": {"error": type(error).__name__}}
        finally:
            store.rest()
        return {"store": status, "verified": asdict(verified) if verified else None}

    def _loop(self, signals: Signals, load: Callable[[], Config]) -> None:
        while True:
            self._health.beat()
            received = signals.wait(_BEAT)
            if received is signal.SIGHUP:
                self._reload(load)
            elif received is not None:
                _log.info("stopping", signal=received.name)
                return
            elif (lost := self._tenure.problem()) is not None:
                raise LockedError(lost)

    def _stop(self) -> bool:
        self._health.phase = Phase.STOPPING
        self._stopping.set()
        ended = self._scheduler.stop(GRACE)
        _log.info("stopped", in_time=ended)
        return ended

    def _schedule(self, last_read: datetime | None = None) -> None:
        """Plan what goes by the shop's clocks; without ``last_read`` every source is read now."""
        zone = self._app.shop().time_zone
        for name, connector in self._app.config.sources.items():
            if not self._cycles.standings.needs_attention(name):
                schedule = _schedule_of(connector, zone)
                run = partial(self._source, name, schedule)
                self._scheduler.add(job_of(name), run, schedule, last_read)
        self._scheduler.add(VERIFY, self._cycles.verify, Cron(_NIGHT, zone), datetime.now(UTC))
        self._zone = zone

    def _follow_zone(self) -> None:
        """Plan anew if the shop has told other clocks than the jobs were planned by."""
        with self._planning:
            if self._app.shop().time_zone != self._zone:
                self._schedule(datetime.now(UTC))
                _log.info("scheduled_anew", time_zone=self._zone)

    def _unschedule(self, source: str) -> None:
        self._scheduler.remove(job_of(source))

    def _add_pushes(self, destinations: Iterable[str]) -> None:
        for name in destinations:
            run = partial(self._cycles.push, name)
            self._scheduler.add(push_job_of(name), run, Every(_PUSH_AT_LEAST), datetime.now(UTC))

    def _wake(self, destination: str) -> None:
        self._scheduler.wake(push_job_of(destination))

    def _source(self, name: str, schedule: Schedule) -> None:
        try:
            self._watch.source(name, schedule)
        finally:
            self._watch.look()
            self._follow_zone()

    def _due(self) -> None:
        try:
            self._cycles.due()
        finally:
            self._watch.look()

    def _job_failed(self, job: str, error: Exception) -> None:
        if isinstance(error, Stopping):
            return
        name = job.partition(":")[2] or job
        self._metrics.failed(name, error)
        if isinstance(error, SegmentdError):
            _log.error("cycle_failed", of=name, error_class=type(error).__name__, reason=str(error))
        else:
            _log.error("cycle_crashed", of=name, exc_info=error)

    def _reload(self, load: Callable[[], Config]) -> None:
        old = self._app.config
        try:
            new = load()
            if (new.store_url, new.lease, new.web) != (old.store_url, old.lease, old.web):
                raise ConfigError("[store] and [web] change only by a restart")
            app = replace(self._app, config=new)
            _check(app)
        except SegmentdError as error:
            self._metrics.reloaded(well=False)
            _log.error("reload_refused", reason=error.message)
            return
        with self._planning:
            self._app = app
            self._cycles.restart(app)
            for name in old.sources.keys() - new.sources.keys():
                self._unschedule(name)
            for name in old.destinations.keys() - new.destinations.keys():
                self._scheduler.remove(push_job_of(name))
            self._add_pushes(new.destinations.keys() - old.destinations.keys())
            self._watch.forget()
            self._schedule()
        self._metrics.reloaded(well=True)
        _log.info("reloaded", sources=len(new.sources))

    def _store_problem(self) -> str | None:
        try:
            self._app.store.ping()
        except SegmentdError as error:
            return f"store: {type(error).__name__}"
        return None


def _check(app: App) -> None:
    """What the file alone does not tell: rules and schedules. ConfigError names the first fault."""
    app.check()
    zone = app.shop().time_zone
    for connector in app.config.sources.values():
        _schedule_of(connector, zone)


def _schedule_of(connector: ConnectorConfig, zone: str) -> Schedule:
    if connector.cron is not None:
        return Cron(connector.cron, zone)
    assert connector.every is not None  # noqa: S101 - the configuration sets one of both
    return Every(connector.every)
