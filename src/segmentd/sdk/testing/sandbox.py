"""What a sandbox is: a platform's API, faked strictly enough to be the oracle of the tests.

A sandbox answers requests and keeps the state that a real account would have. ``server.serve``
puts it on a real HTTP port. It has its own clock, a log of every request, and a script of faults.
"""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from urllib.parse import parse_qsl

import orjson

from segmentd.domain.records import Customer, Order, Product


@dataclass(frozen=True)
class Request:
    """One HTTP request; header names are lower case."""

    method: str
    path: str
    """Decoded, without the query."""
    query_string: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def query(self) -> dict[str, str]:
        """The last value of each query parameter."""
        return dict(parse_qsl(self.query_string, keep_blank_values=True))


@dataclass
class Response:
    """One HTTP answer; ``cut`` breaks the connection after so many bytes of the body."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    cut: int | None = None

    @classmethod
    def json(
        cls, payload: object, status: int = 200, headers: Mapping[str, str] | None = None
    ) -> Response:
        """An answer in JSON."""
        return cls(
            status, {"content-type": "application/json", **(headers or {})}, orjson.dumps(payload)
        )


class SandboxClock:
    """The sandbox's own time: starts where told, runs with real time unless ``frozen``."""

    def __init__(self, start: datetime | None = None, *, frozen: bool = False) -> None:
        self._frozen = frozen
        self._begun = time.monotonic()
        self._base = (start or datetime.now(UTC)).astimezone(UTC)

    def now(self) -> datetime:
        """The current instant, with fractions of a second."""
        if self._frozen:
            return self._base
        return self._base + timedelta(seconds=time.monotonic() - self._begun)

    def advance(self, seconds: float) -> None:
        """Let time pass; a client's injected ``sleep`` may call this."""
        self._base += timedelta(seconds=seconds)

    def set(self, instant: datetime) -> None:
        """Jump to ``instant``."""
        self._base = instant.astimezone(UTC)
        self._begun = time.monotonic()


Fault = Callable[[Request, Callable[[Request], Response]], Response]
"""Gets the request and the real handler; returns what the client will see."""


@dataclass
class LoggedRequest:
    """A request as the sandbox saw it, and what it answered."""

    request: Request
    status: int
    write: bool
    """It was a call that changes state (whether or not it did)."""


class Sandbox(abc.ABC):
    """Base of every sandbox; not thread-safe: the server calls it from one thread at a time."""

    def __init__(self, clock: SandboxClock | None = None) -> None:
        self.clock = clock or SandboxClock()
        self.log: list[LoggedRequest] = []
        self.faults: list[Fault] = []
        """Each fault serves one request, first in first out; an empty list means none."""

    def respond(self, request: Request) -> Response:
        """Answer ``request``: through the next fault if one waits, and note it in the log."""
        fault = self.faults.pop(0) if self.faults else None
        response = fault(request, self.handle) if fault else self.handle(request)
        response.headers.setdefault("date", format_datetime(self.clock.now(), usegmt=True))
        self.log.append(LoggedRequest(request, response.status, self.is_write(request)))
        return response

    def writes(self) -> int:
        """How many requests that change state arrived."""
        return sum(entry.write for entry in self.log)

    @abc.abstractmethod
    def handle(self, request: Request) -> Response:
        """Answer as the real service would, refusing what it refuses."""

    @abc.abstractmethod
    def is_write(self, request: Request) -> bool:
        """Whether ``request`` is one that changes state."""

    @abc.abstractmethod
    def credentials(self) -> Mapping[str, str]:
        """Secret name of the connector's settings (``token``, ``key`` …) → accepted value."""

    @abc.abstractmethod
    def settings(self, url: str) -> Mapping[str, object]:
        """The TOML table that connects to this sandbox at ``url``.

        Secrets as ``<key>_env`` naming ``SANDBOX_<PLATFORM>_<KEY>``.
        """


class ShopSandbox(Sandbox):
    """A shop with customers and orders: the oracle for what a source yields and tags become.

    The verbs take domain records as a convenient notation and stamp change times from the
    sandbox's clock unless ``updated_at`` is given. Ids given must be what the platform can have
    (digits); the id under which the source will report the record is returned.
    """

    @abc.abstractmethod
    def put_customer(self, customer: Customer) -> str:
        """Create or change a customer."""

    @abc.abstractmethod
    def put_order(self, order: Order) -> str:
        """Create or change an order; an e-mail without ``customer_id`` is a guest."""

    @abc.abstractmethod
    def put_product(self, product: Product) -> str:
        """Create or change a product."""

    @abc.abstractmethod
    def refund(self, order_id: str, amount: int, at: datetime) -> None:
        """Give ``amount`` minor units of an order back; moves the order's change time."""

    @abc.abstractmethod
    def cancel(self, order_id: str, at: datetime) -> None:
        """Cancel an order; moves its change time."""

    @abc.abstractmethod
    def delete_customer(self, customer_id: str) -> None:
        """Remove a customer for good, as the platform does it."""

    @abc.abstractmethod
    def projection(self) -> tuple[Sequence[Customer], Sequence[Order]]:
        """Everything the source ought to yield by now, in our words, sorted by id."""

    @abc.abstractmethod
    def tags(self) -> dict[str, set[str]]:
        """Customer id → tags (for WooCommerce: those in our customer meta) as they are now."""

    @abc.abstractmethod
    def set_tags(self, customer_id: str, tags: Sequence[str]) -> None:
        """A person edits a customer's tags by hand in the admin."""


class ListSandbox(Sandbox):
    """An e-mail platform with lists."""

    @abc.abstractmethod
    def members(self) -> dict[str, set[str]]:
        """List name → e-mail addresses."""

    @abc.abstractmethod
    def consents(self) -> dict[str, str]:
        """E-mail → consent state; must never change by what we send."""
