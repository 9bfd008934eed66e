"""What a connector is: the two contracts, and what the core lends to a connector.

Words. A *source* has *streams* of *records*; it is read in *batches*, each with the *position*
from which reading can go on after a crash. A *destination* takes *changes* (put this customer on
that name, or take them off it) and answers with one *receipt* per change. A *name* is what a
segment is called there: a tag, or a list.

Errors that may be raised everywhere here: ``AuthError`` (credentials or rights), ``TransientError``
(after the retries of the HTTP client are used up), ``ConfigError`` (a setting cannot work).
"""

from __future__ import annotations

import abc
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from segmentd.domain.cursor import Window
from segmentd.domain.records import Record
from segmentd.sdk.settings import ConnectorSettings


@dataclass
class Meter:
    """Counts what a connector did; read by the summary line, the metrics and the demo."""

    requests: int = 0
    writes: int = 0
    """Requests that change the remote side (of ``requests``)."""
    retries: int = 0
    waits: int = 0
    """Times that pacing or the server made us wait."""
    waited: float = 0.0
    """Seconds spent in those waits."""


@dataclass(frozen=True)
class Runtime:
    """What the core lends to a connector: time, randomness and counters, all replaceable."""

    sleep: Callable[[float], None] = time.sleep
    """Interruptible in the daemon; raises to end the work when the process is stopping."""
    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    random: random.Random = field(default_factory=random.Random)
    meter: Meter = field(default_factory=Meter)
    timeout: float = 60.0
    """Seconds for one HTTP exchange in all, connection to last byte."""


class StreamKind(StrEnum):
    """How a stream tells us what changed."""

    DELTA = "delta"
    """By change time: ``read`` yields what changed inside the window."""
    SWEEP = "sweep"
    """It cannot: ``read`` yields everything, and the core finds what differs."""


@dataclass(frozen=True)
class Stream:
    """One kind of record that a source can read."""

    name: str
    """``customers``, ``orders`` or ``products``."""
    kind: StreamKind = StreamKind.DELTA
    lag: timedelta = timedelta(minutes=10)
    """How late a change may become visible to a query by change time."""


@dataclass(slots=True)
class Batch:
    """Records, and the position to store in the same transaction with them."""

    records: Sequence[Record]
    position: str | None
    """Reading can go on behind these records from here; opaque to the core."""
    rejected: Sequence[Rejection] = ()
    """Records that could not be understood: noted, and the rest goes on."""
    withheld: Mapping[str, str] = field(default_factory=dict)
    """Fields of ``Customer`` that the platform does not let us see, so that they are None here
    whatever they are there → the right that is missing, in its words."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A record or change that was refused, with the reason in one sentence."""

    id: str
    reason: str


@dataclass(frozen=True)
class ShopInfo:
    """What the platform says about itself."""

    name: str
    currency: str
    """ISO 4217 code of the store currency."""
    time_zone: str
    """IANA name."""
    now: datetime
    """The server's own clock (its Date header): no window may end after it."""
    warnings: Sequence[str] = ()


class Source(abc.ABC):
    """Reads a shop. One instance serves one run; ``close`` ends it.

    It is used by one thread at a time, and ``read`` by another one than the rest: no batch is asked
    for while another method runs.
    """

    Settings: ClassVar[type[ConnectorSettings]]
    streams: ClassVar[Sequence[Stream]]
    """In the order in which they are to be read: products, customers, orders."""
    fields: ClassVar[frozenset[str]]
    """Names of the rule fields and functions that this source's records fill."""

    @abc.abstractmethod
    def __init__(self, settings: ConnectorSettings, runtime: Runtime) -> None: ...

    @abc.abstractmethod
    def info(self) -> ShopInfo:
        """Ask the shop who it is; the cheapest call that proves address, credentials and rights."""

    @abc.abstractmethod
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        """Yield everything of ``stream`` that changed in ``window``, behind ``position``.

        May yield records twice and a little outside of the window, must not leave one out. A record
        that changes during the reading may be missing from this window if its new change time
        lies behind ``window.until``. A sweep ignores the window and yields all.
        Raises TransientError rather than ending early: an ended iterator means a window read whole.
        """

    def count(self, stream: str, window: Window) -> int | None:  # noqa: ARG002 - for those who can
        """About how many records ``read`` will yield, for a progress bar; None if unknown."""
        return None

    @abc.abstractmethod
    def gone(self, stream: str, ids: Sequence[str]) -> set[str]:
        """Which of ``ids`` the shop confirms, asked one by one, to exist no longer."""

    def close(self) -> None:
        """Let go of connections."""
        return None  # noqa: RET501 - may be left as it is


class Action(StrEnum):
    """What is to happen to a customer at a name."""

    ADD = "add"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Change:
    """Put one customer on a name, or take them off it."""

    action: Action
    name: str
    """Tag or list, as the store admin spells it."""
    customer_id: str | None
    """The platform id of the customer in the destination's own shop, if it has one."""
    email: str | None
    remote_id: str | None = None
    """What an earlier receipt of this destination said is the customer's id there."""


class Outcome(StrEnum):
    """How a change ended."""

    APPLIED = "applied"
    """The remote side now is as asked, whether or not it was so before."""
    REJECTED = "rejected"
    """Refused for good: ``detail`` says why; asked again only when the wish itself changes."""
    GONE = "gone"
    """The customer exists no longer at the destination."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to one change. A change without a receipt counts as not done."""

    change: Change
    outcome: Outcome
    detail: str | None = None
    remote_id: str | None = None
    """The customer's id at the destination, if it has its own. Two customers with one id are one
    there: nobody is taken off a list on which another of ours with that id is to stay."""
    updated_at: datetime | None = None
    """The customer's change time at the shop after this write, if the answer tells."""
    was_there: bool = False
    """Of an add to a list: the customer was on it already, so far as the platform can tell. Unless
    an earlier push had begun to put them there, or another of ours with the same ``remote_id``,
    they are not ours, and never taken off by us."""


@dataclass(frozen=True)
class Capabilities:
    """What a destination can do and needs; data, so that the planner can read it."""

    kind: str
    """``tags`` (belong to a customer of a shop) or ``lists`` (have members by e-mail)."""
    batch_size: int
    """Most customers in one write request."""
    needs: str
    """``customer_id`` or ``email``: what a customer must have to be reached."""
    seconds_per_request: float = 0.1
    """For the estimate in the plan."""


@dataclass(frozen=True)
class DestinationInfo:
    """What the destination says about itself."""

    name: str
    warnings: Sequence[str] = ()


class Destination(abc.ABC):
    """Writes memberships to a platform. Every write is idempotent; consent is never written."""

    Settings: ClassVar[type[ConnectorSettings]]
    capabilities: Capabilities
    """A class attribute, or set at construction where the settings decide."""

    @abc.abstractmethod
    def __init__(self, settings: ConnectorSettings, runtime: Runtime) -> None: ...

    @abc.abstractmethod
    def info(self) -> DestinationInfo:
        """Prove address, credentials and the right to write, without writing."""

    def check_name(self, name: str) -> None:  # noqa: ARG002 - for those who do
        """Raise ConfigError if ``name`` cannot exist here (a comma in a tag, too long …)."""
        return None  # noqa: RET501 - may be left as it is

    def prepare(self, name: str, known: str | None) -> str:
        """Make sure that a name exists; returns its remote id, which the core keeps.

        ``known`` is the remote id from before, if any. A known id that is gone remotely is an
        error for a person (SafetyStop), not a reason to create it anew. A SafetyStop keeps people
        off this name only: other names go on. A name with a known id that people are only taken
        off is not asked for.
        """
        return known or name

    @abc.abstractmethod
    def apply(self, changes: Iterable[Change], names: Mapping[str, str]) -> Iterator[Receipt]:
        """Carry out ``changes``; yield each receipt as soon as the platform has confirmed it.

        The core calls it for one portion after the other: all changes of ``batch_size`` customers
        where names are tags, ``batch_size`` changes where they are lists, adds before removals.
        ``names`` is what ``prepare`` returned, now or earlier; who is to be taken off a name that
        is gone remotely is off it (APPLIED). Stopping the iteration early, or TransientError,
        leaves the changes without a receipt undone or unknown; they will be asked again.
        """

    def close(self) -> None:
        """Let go of connections."""
        return None  # noqa: RET501 - may be left as it is
