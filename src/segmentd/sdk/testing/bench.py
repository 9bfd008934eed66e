"""What the conformance suites work with: a sandbox on a port, time that stands still, and notes."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import logging
import random
import traceback
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import pytest

from segmentd.domain.cursor import Window
from segmentd.domain.records import Customer, Gone, Order, Product, Record
from segmentd.sdk.contract import Batch, Destination, Receipt, Runtime, Source
from segmentd.sdk.settings import ConnectorSettings
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Fault, Request, Response, Sandbox, SandboxClock
from segmentd.sdk.testing.server import serve
from segmentd.sdk.values import clean

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""The sandbox's time at the beginning of every test."""
_MOST_SLEEPS = 2_000
_NOT_OF_A_CONNECTOR = {"connector", "every", "cron"}

S = TypeVar("S", bound=Sandbox)


class Recorder(Sandbox):
    """A foreign host that only notes what it is sent."""

    def handle(self, request: Request) -> Response:  # noqa: ARG002 - noted by the base
        return Response.json({})

    def is_write(self, request: Request) -> bool:
        return request.method != "GET"

    def credentials(self) -> Mapping[str, str]:
        return {}

    def settings(self, url: str) -> Mapping[str, object]:
        return {"base_url": url}


class Bench(Generic[S]):
    """A sandbox that is served, and a runtime whose sleep moves the sandbox's clock."""

    def __init__(self, sandbox: S, url: str, extra: Mapping[str, object]) -> None:
        self.sandbox = sandbox
        self.clock = sandbox.clock
        self.url = url
        self.sleeps: list[float] = []
        self.logged: list[str] = []
        self._extra = extra
        self.runtime = Runtime(
            sleep=self._sleep,
            monotonic=lambda: (self.clock.now() - START).total_seconds(),
            now=self.clock.now,
            random=random.Random(1),  # noqa: S311 - jitter
            timeout=10.0,
        )

    def _sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        assert len(self.sleeps) < _MOST_SLEEPS, "the connector waits without end"  # noqa: S101
        self.clock.advance(seconds)

    def settings(self, kind: type[ConnectorSettings]) -> ConnectorSettings:
        """The connector's settings for this sandbox."""
        table = {**self.sandbox.settings(self.url), **self._extra}
        return kind.model_validate(
            {key: value for key, value in table.items() if key not in _NOT_OF_A_CONNECTOR}
        )

    def now(self) -> datetime:
        """The sandbox's time in whole seconds."""
        return self.clock.now().replace(microsecond=0)

    def secret_variables(self) -> dict[str, str]:
        """Environment variable → accepted secret."""
        table = self.sandbox.settings(self.url)
        return {
            str(table[f"{key}_env"]): value
            for key, value in self.sandbox.credentials().items()
            if f"{key}_env" in table
        }

    @contextlib.contextmanager
    def wrong_secrets(self) -> Iterator[list[str]]:
        """While the context lasts, the environment holds wrong secrets of the same form."""
        with pytest.MonkeyPatch.context() as patch:
            wrong: list[str] = []
            for variable, value in self.secret_variables().items():
                wrong.append(value[:3] + value[3:].swapcase()[::-1] + "0")
                patch.setenv(variable, wrong[-1])
            yield wrong

    @contextlib.contextmanager
    def counted(self) -> Iterator[list[int]]:
        """After the context the list holds how many requests arrived within it."""
        count: list[int] = []
        before = len(self.sandbox.log)
        yield count
        count.append(len(self.sandbox.log) - before)

    def leaked(self, texts: Iterable[str], public: Iterable[str] = ()) -> list[str]:
        """Which secrets (by their names) occur in ``texts`` or in what was logged."""
        haystack = "\n".join([*texts, *self.logged])
        secrets = self.sandbox.credentials()
        return [key for key, value in secrets.items() if key not in public and value in haystack]


@dataclass
class Reading:
    """What a source yielded."""

    batches: list[Batch] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def records(self) -> list[Record]:
        return [record for batch in self.batches for record in batch.records]

    @property
    def latest(self) -> dict[str, Customer | Order | Product]:
        """By id; a record that came twice counts as it came last."""
        return {record.id: record for record in self.records if not isinstance(record, Gone)}

    @property
    def rejected(self) -> list[str]:
        return [rejection.id for batch in self.batches for rejection in batch.rejected]


class SourceBench(Bench[S]):
    """A bench for a source."""

    def __init__(
        self, sandbox: S, url: str, extra: Mapping[str, object], source_class: type[Source]
    ) -> None:
        super().__init__(sandbox, url, extra)
        self._class = source_class
        self.orders: dict[int, str] = {}
        """Number of an order that the suite put in → its id."""

    @functools.cached_property
    def currency(self) -> str:
        """The shop's own."""
        with self.source() as source:
            return source.info().currency

    @contextlib.contextmanager
    def source(self) -> Iterator[Source]:
        """A fresh instance, as after a restart of the program."""
        source = self._class(self.settings(self._class.Settings), self.runtime)
        with contextlib.closing(source):
            yield source

    def window(self, ago: timedelta | None = None) -> Window:
        """Until now, from ``ago`` before it or from the beginning."""
        return Window(None if ago is None else self.now() - ago, self.now())

    def read(
        self, stream: str, window: Window | None = None, position: str | None = None
    ) -> Reading:
        """Read to the end."""
        with self.source() as source:
            return Reading(list(source.read(stream, window or self.window(), position)))

    def read_until_error(self, stream: str) -> Reading:
        """Read to the end or to an error, which is noted."""
        reading = Reading()
        with self.source() as source:
            try:
                for batch in source.read(stream, self.window(), None):
                    reading.batches.append(batch)
            except Exception as error:  # noqa: BLE001 - judged by the test
                reading.error = error
        return reading


class DestinationBench(Bench[S]):
    """A bench for a destination; keeps the ids of names as the core does."""

    def __init__(
        self,
        sandbox: S,
        url: str,
        extra: Mapping[str, object],
        destination_class: type[Destination],
    ) -> None:
        super().__init__(sandbox, url, extra)
        self._class = destination_class
        self.names: dict[str, str] = {}

    @contextlib.contextmanager
    def destination(self) -> Iterator[Destination]:
        """A fresh instance, as after a restart of the program."""
        destination = self._class(self.settings(self._class.Settings), self.runtime)
        with contextlib.closing(destination):
            yield destination

    def prepare(self, *names: str) -> None:
        """Have the destination make sure of ``names``."""
        with self.destination() as destination:
            for name in names:
                self.names[name] = destination.prepare(name, self.names.get(name))


@contextlib.contextmanager
def running(bench: Bench[Any]) -> Iterator[None]:
    """Secrets in the environment, and everything that is logged noted."""
    root = logging.getLogger()
    handler = _Notes(bench.logged)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in bench.secret_variables().items():
                patch.setenv(variable, value)
            yield
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


class _Notes(logging.Handler):
    def __init__(self, notes: list[str]) -> None:
        super().__init__()
        self._notes = notes

    def emit(self, record: logging.LogRecord) -> None:
        self._notes.append(record.getMessage())


def frozen_clock() -> SandboxClock:
    """Time that moves only when told."""
    return SandboxClock(START, frozen=True)


serving = serve


def text_of(error: BaseException) -> str:
    """Everything that a log could show of an error, with the errors behind it."""
    return "".join(traceback.format_exception(error)) + repr(error)


def details(receipts: Sequence[Receipt]) -> list[str]:
    """What receipts say."""
    return [receipt.detail or "" for receipt in receipts]


def tidy(value: Any) -> Any:
    """A record with every text as it must be stored."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return dataclasses.replace(
            value, **{entry.name: tidy(getattr(value, entry.name)) for entry in fields}
        )
    if isinstance(value, list):
        return [tidy(entry) for entry in value]
    if isinstance(value, dict):
        return {key: tidy(entry) for key, entry in value.items()}
    return clean(value) if isinstance(value, str) else value


def differences(expected: Sequence[Any], actual: Mapping[str, Any]) -> list[str]:
    """Each missing, surplus or differing record, by id and field."""
    wanted = {record.id: tidy(record) for record in expected}
    found = [f"{key}: missing" for key in wanted.keys() - actual.keys()]
    found += [f"{key}: surplus" for key in actual.keys() - wanted.keys()]
    for key in wanted.keys() & actual.keys():
        for entry in dataclasses.fields(wanted[key]):
            before, after = getattr(wanted[key], entry.name), getattr(actual[key], entry.name)
            if before != after:
                found.append(f"{key}.{entry.name}: {before!r:.200} became {after!r:.200}")
    return sorted(found)


FAULTS: Mapping[str, Fault] = {
    "status-429": faults.status(429, {"retry-after": "3"}),
    "status-500": faults.status(500),
    "status-503-page": faults.html(503),
    "page-instead-of-json": faults.html(),
    "warning-before-json": faults.before(b"<br />\n<b>Warning</b>: something in /srv/x.php\n"),
    "truncated-json": faults.truncated_json(15),
    "empty-body": faults.empty_body(),
    "null": faults.body(b"null"),
    "broken-in-the-body": faults.cut_body(12),
    "reset": faults.reset(),
    "answer-dropped": faults.drop_answer(),
}
"""What may happen to any request and must be got over by trying again."""

PLACES: Mapping[str, float] = {"first": 0.0, "middle": 0.5, "last": 1.0}
"""Where in a sequence of requests a fault strikes."""


def at(place: str, requests: int, fault: Fault) -> list[Fault]:
    """A script that lets requests pass up to ``place`` among ``requests``, then faults once."""
    return [faults.none()] * round(PLACES[place] * (requests - 1)) + [fault]
