"""Puts the parts together: the only file that knows them all.

An ``App`` is an open store with the connectors of one configuration; each method is one verb, run
under the leases that it needs.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Generic, TypeVar

from segmentd import plugins
from segmentd.config import Config, ConnectorConfig
from segmentd.domain.errors import (
    AuthError,
    ConfigError,
    LockedError,
    SafetyStop,
    SegmentdError,
    Stopping,
    TransientError,
    UndecidedError,
)
from segmentd.domain.segments import Segment
from segmentd.pipeline import pull as pulling
from segmentd.pipeline import push as pushing
from segmentd.pipeline import segment as segmenting
from segmentd.pipeline import verify as verifying
from segmentd.pipeline.ask import Asking
from segmentd.pipeline.ports import Wish
from segmentd.pipeline.pull import PullSummary, Reading
from segmentd.pipeline.push import Plan, PushSummary, Waits
from segmentd.pipeline.segment import SegmentSummary
from segmentd.pipeline.verify import Ought, Verification
from segmentd.sdk.contract import Destination, Meter, Runtime, Source
from segmentd.segmenter.demands import is_filled
from segmentd.segmenter.ruleset import Ruleset, Shop, compile_segments
from segmentd.store import Store, open_store
from segmentd.store.holding import Holding
from segmentd.store.memory import give_back

T = TypeVar("T")

Progress = Callable[[str, int, int | None], None]
"""Called with what is being done, how far it is, and the expected total if known."""

LOCK_PATIENCE = timedelta(seconds=30)
"""How long a command waits for another process that holds the same source or destination."""


def wall_clock() -> datetime:
    """What the clock of this machine says."""
    return datetime.now(UTC)


def _quiet(_label: str, _done: int, _total: int | None) -> None:
    return None


@dataclass
class Outcome(Generic[T]):
    """What came of a verb over several connectors: one that fails does not stop the others.

    One that did a part and needs a person for the rest is in both.
    """

    done: list[T] = field(default_factory=list)
    failed: dict[str, SegmentdError] = field(default_factory=dict)

    def worst(self) -> SegmentdError | None:
        """The failure that most needs a person, if any."""
        for kind in (
            ConfigError,
            AuthError,
            SafetyStop,
            LockedError,
            TransientError,
            SegmentdError,
        ):
            for error in self.failed.values():
                if isinstance(error, kind):
                    return error
        return None

    def check(self) -> None:
        """Raise the worst failure, if any."""
        worst = self.worst()
        if worst is not None:
            raise worst


@dataclass
class SyncSummary:
    """The three verbs in a row."""

    pulled: Outcome[PullSummary]
    segmented: SegmentSummary
    pushed: Outcome[PushSummary]

    @property
    def failed(self) -> dict[str, SegmentdError]:
        """By connector."""
        return {**self.pulled.failed, **self.pushed.failed}

    def check(self) -> None:
        """Raise the worst failure, if any."""
        Outcome[object](failed=self.failed).check()


@dataclass(frozen=True, slots=True)
class Waiting:
    """What is to be done yet, and by which verb."""

    unread: Sequence[str]
    """Sources that were not read to their end even once."""
    edited: Sequence[str]
    """Segments that may have other members once they are evaluated: new or edited, or dependent."""
    pushes: Sequence[Waits]
    """Of the destinations whose memberships are decided."""


@dataclass
class App:
    """An open store and the connectors of one configuration."""

    config: Config
    store: Store
    clock: Callable[[], datetime]
    """The ``now`` of rules and history; differs from real time where a person gave ``--now``."""
    sleep: Callable[[float], None] = time.sleep
    progress: Progress = _quiet
    patience: timedelta = LOCK_PATIENCE
    stretch: timedelta = timedelta.max
    """How long a push of tags goes on by one plan; what is left then is to be planned anew."""
    meters: dict[str, Meter] = field(default_factory=dict)
    """What each connector did, by its name in the configuration."""
    machine: Callable[[], datetime] = wall_clock
    """Real time, as far as this machine knows it."""
    epochs: dict[str, int] = field(default_factory=dict)
    """The epoch under which this process held each lease last."""
    # not handed on to a copy with another configuration
    _compiled: dict[Shop, Ruleset] = field(default_factory=dict, init=False)

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()

    def rest(self) -> None:
        """Give the memory of what was done back to the system: it may be long until more is."""
        self.store.rest()
        gc.collect()
        give_back()

    def check(self) -> None:
        """ConfigError if a rule cannot be understood, or asks for what no source fills."""
        self._ruleset(self.shop())

    # verbs -----------------------------------------------------------------------------------

    def pull(self, names: Sequence[str] = ()) -> Outcome[PullSummary]:
        """Read what changed in the named sources (none named: all)."""

        return self._over_sources(names, pulling.pull)

    def backfill(
        self,
        names: Sequence[str] = (),
        since: datetime | None = None,
        *,
        accept_removals: bool = False,
    ) -> Outcome[PullSummary]:
        """Read everything again, or everything since an instant."""

        def one(reading: Reading) -> PullSummary:
            return pulling.backfill(reading, since, accept_removals=accept_removals)

        return self._over_sources(names, one)

    def segment(self, *, full: bool = False) -> SegmentSummary:
        """Evaluate what is dirty or due, or everybody."""
        ruleset = self._ruleset(self.shop())
        with self.lease("segment") as held:
            return segmenting.segment(
                self.store,
                held.lease,
                self.config.segments,
                ruleset,
                self.clock(),
                self._ticking(held, "segment"),
                complete=self.complete(),
                full=full,
            )

    def plan(self, names: Sequence[str] = ()) -> Outcome[Plan]:
        """What a push would do; reads only."""
        outcome: Outcome[Plan] = Outcome()
        for connector in self.destinations(names):
            try:
                with closing(self.destination(connector)) as destination:
                    outcome.done.append(self._plan(connector, destination))
            except Stopping:
                raise
            except SegmentdError as error:
                outcome.failed[connector.name] = error
        return outcome

    def push(self, names: Sequence[str] = (), confirm: Sequence[str] = ()) -> Outcome[PushSummary]:
        """Bring destinations to the memberships; ``confirm`` holds ids of plans a person saw."""
        if (why := self.paused()) is not None:
            raise SafetyStop(why, hint="set paused = false, then: segmentd push")
        if confirm:
            self._check_confirmed(names, confirm)
        outcome: Outcome[PushSummary] = Outcome()
        for connector in self.destinations(names):
            try:
                summary = self._push(connector, confirm)
                outcome.done.append(summary)
                if summary.stopped is not None:
                    outcome.failed[connector.name] = summary.stopped
            except Stopping:
                raise
            except SegmentdError as error:
                outcome.failed[connector.name] = error
        return outcome

    def sync(self, names: Sequence[str] = ()) -> SyncSummary:
        """Pull, segment, push. A source that cannot be read now does not stop the others.

        A rule that cannot be understood does: nothing is read or sent before it is mended.
        """
        self._ruleset(configured_shop(self.config))
        pulled = self.pull(names)
        segmented = self.segment()
        return SyncSummary(pulled, segmented, Outcome() if self.config.paused else self.push())

    def paused(self) -> str | None:
        """Why nothing is pushed, where the configuration wants it so."""
        text = f"nothing is pushed: {self.config.path} says paused = true"
        return text if self.config.paused else None

    # questions -------------------------------------------------------------------------------

    def asking(self, label: str, extra: Sequence[Segment] = ()) -> Asking:
        """Questions about the configured segments, and about others beside them."""
        config = replace(self.config, segments=(*self.config.segments, *extra))
        return Asking(
            self.store,
            compiled(config, self.shop()),
            self.clock(),
            lambda done, total: self.progress(label, done, total),
        )

    def verify(self) -> Verification:
        """Compute everything anew and say where the store differs; writes nothing."""
        ruleset, complete = self._ruleset(self.shop()), self.complete()
        asked = self.config.destinations.values() if complete else ()
        with self.store.apart() as store:
            return verifying.verify(
                store,
                self.config.segments,
                ruleset,
                self.clock(),
                lambda done, total: self.progress("verify", done, total),
                complete=complete,
                holdings=[self._ought(each) for each in asked],
            )

    def waiting(self) -> Waiting:
        """What the verbs would have to do, but for news of the shops; needs no secret."""
        unread, edited = self.unread(), self._edited()
        decided = [
            connector
            for connector in ([] if unread else self.destinations())
            if edited.isdisjoint(wish.segment for wish in self._wishes(connector))
        ]
        pushes = [each for each in map(self._waits, decided) if each.add or each.remove]
        return Waiting(unread, sorted(edited), pushes)

    # what they need --------------------------------------------------------------------------

    def _ruleset(self, shop: Shop) -> Ruleset:
        """The configured segments, compiled and checked once for each shop."""
        if shop not in self._compiled:
            self._compiled[shop] = check_rules(self.config, shop)
        return self._compiled[shop]

    def shop(self) -> Shop:
        """Time zone and currency: as configured, else as the shops say."""
        return Shop(
            time_zone=self._agreed("time_zone", self.config.shop.time_zone, "UTC"),
            currency=self._agreed("currency", self.config.shop.currency, "USD"),
            week_start=self.config.shop.week_start,
        )

    def complete(self) -> bool:
        """Whether every source has been read to its end at least once."""
        return not self.unread()

    def unread(self) -> list[str]:
        """The sources that have not been read to their end even once."""
        streams = {
            name: [stream.name for stream in plugins.source(connector.connector).streams]
            for name, connector in self.config.sources.items()
        }
        return self.store.unread(streams)

    def sources(self, names: Sequence[str] = ()) -> list[ConnectorConfig]:
        """The named sources (none named: all); ConfigError if one is not configured."""
        return _chosen(self.config.sources, names, "source")

    def destinations(self, names: Sequence[str] = ()) -> list[ConnectorConfig]:
        """As ``sources``."""
        return _chosen(self.config.destinations, names, "destination")

    def source(self, connector: ConnectorConfig, held: Holding | None = None) -> Source:
        """A source, ready to be read under its lease; the caller closes it."""
        runtime = self._runtime(connector.name, held)
        return plugins.source(connector.connector)(connector.settings, runtime)

    def destination(self, connector: ConnectorConfig, held: Holding | None = None) -> Destination:
        """A destination, ready to be written to under its lease; the caller closes it."""
        runtime = self._runtime(connector.name, held)
        return plugins.destination(connector.connector)(connector.settings, runtime)

    @contextmanager
    def lease(self, name: str) -> Iterator[Holding]:
        """Hold the right to write; LockedError if another process has it."""
        with closing(self._held(name)) as held:
            self.epochs[name] = held.lease.epoch
            yield held

    def _ticking(self, held: Holding, label: str) -> Callable[[int, int | None], None]:
        """Reports progress, and ends what has lost the right to go on."""

        def tick(done: int, total: int | None) -> None:
            held.check()
            self.progress(label, done, total)

        return tick

    def _held(self, name: str) -> Holding:
        deadline = time.monotonic() + self.patience.total_seconds()
        while True:
            try:
                return Holding(self.store, name, self.config.lease)
            except LockedError:
                if time.monotonic() >= deadline:
                    raise
                self.sleep(0.5)

    def _over_sources(
        self,
        names: Sequence[str],
        one: Callable[[Reading], PullSummary],
    ) -> Outcome[PullSummary]:
        outcome: Outcome[PullSummary] = Outcome()
        for connector in self.sources(names):
            name = connector.name
            try:
                with (
                    self.lease(f"source:{name}") as held,
                    closing(self.source(connector, held)) as source,
                ):
                    outcome.done.append(one(self._reading(name, source, held)))
            except Stopping:
                raise
            except SegmentdError as error:
                outcome.failed[name] = error
        return outcome

    def _reading(self, name: str, source: Source, held: Holding) -> Reading:
        def progress(stream: str, done: int, total: int | None) -> None:
            self._ticking(held, f"{name} {stream}")(done, total)

        return Reading(
            name,
            source,
            self.store,
            held.lease,
            self.clock(),
            self.machine(),
            progress,
            self.config.shop.currency,
        )

    def _ought(self, connector: ConnectorConfig) -> Ought:
        needs = self._needs(connector)
        return Ought(connector.name, connector.source, needs, self._wishes(connector))

    def _needs(self, connector: ConnectorConfig) -> str:
        """By what a destination knows people."""
        said = plugins.capabilities(plugins.destination(connector.connector))
        if said is not None:
            return said.needs
        with closing(self.destination(connector)) as destination:
            return destination.capabilities.needs

    def _wishes(self, connector: ConnectorConfig) -> list[Wish]:
        return [
            Wish(segment.key, to)
            for segment in self.config.segments
            for to in segment.push
            if to.destination == connector.name
        ]

    def _check_confirmed(self, names: Sequence[str], confirm: Sequence[str]) -> None:
        """SafetyStop, before anything is sent, if a person saw another plan than those of now."""
        plans = {plan.id for plan in self.plan(names).done}
        if others := [each for each in confirm if each not in plans]:
            raise SafetyStop(
                f"{', '.join(others)}: not the plan of now; nothing was sent", hint="segmentd plan"
            )

    def _check_decided(self, wishes: Sequence[Wish]) -> None:
        """UndecidedError if what is wished is not decided by the configured sources and rules."""
        if unread := self.unread():
            raise UndecidedError(
                f"not read to its end yet: {', '.join(unread)}; nothing is pushed before",
                hint=f"segmentd pull {' '.join(unread)}",
            )
        if waiting := sorted(self._edited() & {wish.segment for wish in wishes}):
            raise UndecidedError(
                f"new or edited since segments were last evaluated: {', '.join(waiting)}; "
                "nothing is pushed before they are",
                hint="segmentd segment",
            )

    def _edited(self) -> frozenset[str]:
        ruleset = self._ruleset(self.shop())
        return segmenting.stale(self.store.versions(), self.config.segments, ruleset)

    def _waits(self, connector: ConnectorConfig) -> Waits:
        return pushing.waits(
            connector.name,
            self._needs(connector),
            self.store,
            connector.source,
            self._wishes(connector),
            self.config.guard,
        )

    def _plan(self, connector: ConnectorConfig, destination: Destination) -> Plan:
        wishes = self._wishes(connector)
        self._check_decided(wishes)
        return pushing.plan(
            connector.name,
            destination.capabilities,
            self.store,
            connector.source,
            wishes,
            self.config.guard,
        )

    def _push(self, connector: ConnectorConfig, confirm: Sequence[str]) -> PushSummary:
        with (
            self.lease(f"destination:{connector.name}") as held,
            closing(self.destination(connector, held)) as destination,
        ):
            made = self._plan(connector, destination)
            end = time.monotonic() + self.stretch.total_seconds()
            return pushing.push(
                made,
                destination,
                self.store,
                held.lease,
                self.clock(),
                self._ticking(held, connector.name),
                confirmed=made.id in confirm,
                enough=lambda: time.monotonic() >= end,
            )

    def _runtime(self, name: str, held: Holding | None) -> Runtime:
        def sleep(seconds: float) -> None:
            self.sleep(seconds)
            if held is not None:
                # what follows is a request made again: not if another process has made it
                held.check()

        return Runtime(sleep=sleep, meter=self.meters.setdefault(name, Meter()))

    def _agreed(self, key: str, configured: str | None, default: str) -> str:
        if configured:
            return configured
        said = {
            name: str(getattr(info, key))
            for name in self.config.sources
            if (info := self.store.shop(name)) is not None
        }
        if len(set(said.values())) > 1:
            answers = ", ".join(f"{name} says {value}" for name, value in sorted(said.items()))
            raise ConfigError(
                f"the sources do not agree on the {key.replace('_', ' ')} ({answers}); "
                f"set {key} in [shop] of {self.config.path}"
            )
        return next(iter(said.values()), default)


def open_app(
    config: Config,
    *,
    clock: Callable[[], datetime] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    progress: Progress = _quiet,
    patience: timedelta = LOCK_PATIENCE,
    stretch: timedelta = timedelta.max,
    scheduler: str | None = None,
) -> App:
    """Open the store (created or upgraded if need be) and put the parts together.

    ``scheduler``: the address of a Dask scheduler, on whose workers full passes are done.
    """
    _collect_less_often()
    store = open_store(config.store_url)
    if scheduler is not None:
        with ExitStack() as stack:
            stack.callback(store.close)
            store.spread(scheduler)
            stack.pop_all()
    return App(config, store, clock or wall_clock, sleep, progress, patience, stretch)


def _collect_less_often() -> None:
    """A first import makes millions of objects that hold no cycles: a fifth of its time went into
    looking for some. What was imported stays for good and need not be looked at again."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def compiled(config: Config, shop: Shop) -> Ruleset:
    """The segments of a configuration with all that decides about them."""
    return compile_segments(
        config.segments,
        shop,
        sets=config.sets,
        variables=config.variables,
        conditions=config.conditions,
    )


def check_rules(config: Config, shop: Shop | None = None) -> Ruleset:
    """ConfigError if a rule cannot be understood, or asks for what no source fills; the rules."""
    # zone and currency only matter to values, not to whether a rule can be understood
    ruleset = compiled(config, shop or configured_shop(config))
    _check_filled(config, ruleset)
    return ruleset


def configured_shop(config: Config) -> Shop:
    """Time zone and currency as configured, for what does not depend on what the shops say."""
    own = config.shop
    return Shop(own.time_zone or "UTC", own.currency or "USD", own.week_start)


def filled(config: Config) -> frozenset[str]:
    """The rule fields that the configured sources fill, together."""
    each = (plugins.filled(c.connector, c.settings) for c in config.sources.values())
    return frozenset().union(*each)


def _check_filled(config: Config, ruleset: Ruleset) -> None:
    known = filled(config)
    for key in ruleset.keys if config.sources else ():
        for name in sorted(ruleset.fields_of(key)):
            if not is_filled(name, known):
                hint = _where_to_list(config, name)
                raise ConfigError(f"[segments.{key}] asks for {name}, which no source fills{hint}")


def _where_to_list(config: Config, name: str) -> str:
    namespace, _, rest = name.partition(".")
    for source, connector in config.sources.items():
        if rest and namespace in plugins.source(connector.connector).fields:
            return f'; add "{rest}" to {namespace} in [sources.{source}]'
    return ""


def _chosen(
    configured: Mapping[str, ConnectorConfig], names: Sequence[str], kind: str
) -> list[ConnectorConfig]:
    for name in names:
        if name not in configured:
            known = ", ".join(sorted(configured)) or "none"
            raise ConfigError(f"there is no {kind} {name!r}; configured are: {known}")
    return [connector for name, connector in configured.items() if not names or name in names]
