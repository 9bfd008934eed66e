"""Runs named jobs at their times. The only home of APScheduler.

A job never overlaps itself, missed runs become one run, and nothing is kept between processes:
the caller says when a job last ran, the store knows what there is to do. What APScheduler leaves
open is closed here: a clock that goes back, a wish that arrives while the job is running, and a
stop that does not wait for ever.
"""

from __future__ import annotations

import contextlib
import logging
import re
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.executors.debug import DebugExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger

from segmentd.domain.errors import ConfigError

_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
# APScheduler passes over what follows a name ("mon-fri/2" is every day from Monday to Friday to
# it), and knows words that no crontab has, such as "last"
_CRON_PART = re.compile(r"(\*|\d+(-\d+)?)(/\d+)?|[a-z]{3}(-[a-z]{3})?", re.ASCII | re.IGNORECASE)


class Every:
    """Run again ``interval`` after the last start."""

    def __init__(self, interval: timedelta) -> None:
        if interval <= timedelta():
            raise ConfigError(f"every = {interval.total_seconds():g}s is no interval")
        self._interval = interval

    def after(self, instant: datetime) -> datetime:
        """The next time to run, seen from ``instant``."""
        return instant + self._interval


class Cron:
    """Run at the minutes of a crontab line, read on the clocks of ``zone``.

    Sunday is 0 and 7 as in crontab. In the night when clocks go back, a time that exists twice
    runs twice; in spring a time that does not exist runs an hour later.
    """

    def __init__(self, expression: str, zone: str = "UTC") -> None:
        try:
            self._trigger = CronTrigger.from_crontab(_line(expression), timezone=ZoneInfo(zone))
            self.after(datetime.now(UTC))
        except (ValueError, LookupError, OSError) as error:
            raise ConfigError(f'cron = "{expression}" is no schedule: {error}') from error

    def after(self, instant: datetime) -> datetime:
        """The next time to run, seen from ``instant``."""
        # it gives back an instant that fits the line itself, and that run has begun
        behind = instant + timedelta(microseconds=1)
        following: datetime | None = self._trigger.get_next_fire_time(None, behind)
        if following is None:
            raise ValueError("that day never comes")
        return following.astimezone(UTC)


Schedule = Every | Cron


class _Trigger(BaseTrigger):  # type: ignore[misc]  # apscheduler has no types
    """A schedule for APScheduler.

    Its own triggers count on from the run before, one by one: after a jump of the clock from 1970
    to today that takes minutes.
    """

    def __init__(self, schedule: Schedule) -> None:
        self._schedule = schedule

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        return self._schedule.after(now)


@dataclass
class _Job:
    run: Callable[[], None]
    schedule: Schedule
    busy: bool = False
    """It runs, or waits for a thread."""
    again: bool = False
    """Wished for while it is busy."""


class Scheduler:
    """A few threads that run jobs by name: ``add`` jobs, ``start``, and once ``stop``."""

    def __init__(
        self,
        on_error: Callable[[str, Exception], None],
        *,
        threads: int = 4,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        watch_seconds: float = 10.0,
    ) -> None:
        """``on_error`` gets the name of a job and what it raised; its next runs stay planned.

        ``watch_seconds`` is how often to look whether the clock went back.
        """
        self.skipped: Counter[str] = Counter()
        """Runs that fell out because the one before was still going on, by job."""
        self._on_error = on_error
        self._clock = clock
        self._watch_seconds = watch_seconds
        self._jobs: dict[str, _Job] = {}
        self._state = threading.Condition()
        self._stopping = threading.Event()
        self._active = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="job")
        self._timetable = _timetable()

    def add(
        self,
        name: str,
        run: Callable[[], None],
        schedule: Schedule,
        last_run: datetime | None = None,
    ) -> None:
        """Plan a job: at once if it never ran or if it ought to have run since ``last_run``.

        A job of that name is replaced; if it is running then, the new one follows it at once.
        """
        now = self._clock()
        due = now if last_run is None else schedule.after(min(last_run, now))
        with self._state:
            job = self._jobs.setdefault(name, _Job(run, schedule))
            job.run, job.schedule = run, schedule
            if job.busy and due <= now:
                job.again, due = True, schedule.after(now)
        self._timetable.add_job(
            self._begin,
            _Trigger(schedule),
            args=(name,),
            id=name,
            next_run_time=max(due, now),
            replace_existing=True,
        )

    def remove(self, name: str) -> None:
        """Plan a job no more; a run that goes on is not disturbed."""
        if self._jobs.pop(name, None) is not None:
            with contextlib.suppress(JobLookupError):
                self._timetable.remove_job(name)

    def wake(self, name: str, at: datetime | None = None) -> None:
        """Run a job at ``at`` (at once if None) or before; if it is running then, once more."""
        now = self._clock()
        at = at or now
        with self._state:
            job = self._jobs.get(name)
            if job is not None and job.busy and at <= now:
                job.again = True
                return
        if self._planned(name) > at:
            self._plan(name, at)

    def start(self) -> None:
        """Begin to run jobs."""
        self._timetable.start()
        threading.Thread(target=self._watch, name="clock watch", daemon=True).start()

    def stop(self, timeout: float) -> bool:
        """Begin no further run; wait for the running ones, ``timeout`` seconds at most.

        Returns whether all have ended.
        """
        self._stopping.set()
        if self._timetable.running:
            self._timetable.shutdown(wait=False)
        self._pool.shutdown(wait=False, cancel_futures=True)
        with self._state:
            return self._state.wait_for(lambda: self._active == 0, timeout)

    def next_runs(self) -> dict[str, datetime]:
        """When each job will run next."""
        return {job.id: job.next_run_time for job in self._timetable.get_jobs()}

    def correct(self) -> None:
        """Plan anew what is planned for later than its schedule allows: the clock went back.

        APScheduler plans by the wall clock and would wait until the old time comes again.
        """
        now = self._clock()
        for name, job in list(self._jobs.items()):
            latest = job.schedule.after(now)
            if self._planned(name) > latest:
                self._plan(name, latest)
        if self._timetable.running:
            # after a jump forward, or a suspended machine, it still waits for the old distance
            self._timetable.wakeup()

    def _planned(self, name: str) -> datetime:
        job = self._timetable.get_job(name)
        planned: datetime | None = job.next_run_time if job else None
        return planned or datetime.min.replace(tzinfo=UTC)

    def _plan(self, name: str, at: datetime) -> None:
        with contextlib.suppress(JobLookupError):  # removed in this moment
            self._timetable.modify_job(name, next_run_time=at)

    def _watch(self) -> None:
        while not self._stopping.wait(self._watch_seconds):
            self.correct()

    def _begin(self, name: str) -> None:
        """Hand a job to the pool; called by APScheduler in its own thread."""
        with self._state:
            job = self._jobs.get(name)
            if job is None or self._stopping.is_set():
                return
            if job.busy:
                self.skipped[name] += 1
                return
            job.busy = True
            self._pool.submit(self._work, name, job)

    def _work(self, name: str, job: _Job) -> None:
        with self._state:
            self._active += 1
        try:
            wished = True
            while wished and not self._stopping.is_set():
                self._attempt(name, job)
                wished = self._wished(job)
        finally:
            with self._state:
                self._active -= 1
                self._state.notify_all()

    def _wished(self, job: _Job) -> bool:
        """Whether the job was wished for while it ran; if not, it is free from here on."""
        with self._state:
            job.busy, job.again = job.again, False
            return job.busy

    def _attempt(self, name: str, job: _Job) -> None:
        try:
            job.run()
        except Exception as error:  # noqa: BLE001 - the last resort: one job must not end the rest
            self._on_error(name, error)


def _timetable() -> BackgroundScheduler:
    # it reports every run and every late one; our jobs report themselves
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    return BackgroundScheduler(
        timezone=UTC,
        # Runs what is due in its own thread: our part of that is short. Its pools note the end of a
        # run later than we do, and drop or overwrite what was planned meanwhile
        executors={"default": DebugExecutor()},
        # the default grace of 1 s would drop runs that come late
        job_defaults={"misfire_grace_time": None, "coalesce": True},
    )


def _line(expression: str) -> str:
    """A crontab line as APScheduler reads it."""
    fields = expression.split()
    if len(fields) != 5:
        raise ValueError("it needs five fields, for example */5 * * * *")
    for part in ",".join(fields).split(","):
        if not _CRON_PART.fullmatch(part):
            raise ValueError(f'"{part}" is none of 5, 1-5, */5 and mon-fri')
    return " ".join([*fields[:4], _weekdays(fields[4])])


def _weekdays(field: str) -> str:
    """The last field of a crontab line with names: APScheduler counts weekdays from Monday."""
    return ",".join(_weekday_names(part) for part in field.split(","))


def _weekday_names(part: str) -> str:
    days, _, step = part.partition("/")
    first, dash, last = days.partition("-")
    if not first.isdigit():
        return part
    if int(first) > 7 or (dash and int(last) > 7):
        raise ValueError(f"{part!r} is no weekday")
    until = int(last) if dash else (6 if step else int(first))
    chosen = range(int(first), until + 1, int(step or 1))
    if not chosen:
        raise ValueError(f"{part!r} is no weekday")
    return ",".join(_WEEKDAYS[day % 7] for day in chosen)
