"""Push: bring destinations to what the memberships say, touching only what is ours.

Level-triggered: a plan is made from wish and ledger each time, so a crash at any point is repaired
by planning again. Nothing is sent for a destination whose plan a guard holds.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby, islice

from segmentd.domain.errors import SafetyStop
from segmentd.domain.identity import tag_key
from segmentd.domain.ledger import (
    Difference,
    Guard,
    LedgerState,
    Step,
    decide,
    stop_for,
)
from segmentd.pipeline.ports import Lease, PushPort, Wish
from segmentd.sdk.contract import Action, Capabilities, Change, Destination, Outcome, Receipt

Progress = Callable[[int, int], None]
"""Called with the changes confirmed so far and the number planned."""

Planned = tuple[Difference, Change]

NOTED_AT_ONCE = 10_000
"""Ledger entries in one transaction: to note at once that a million customers have a tag already
would keep the database for a minute, and hold a gigabyte of rows."""

_ACTIONS = {Step.ADD: Action.ADD, Step.REMOVE: Action.REMOVE}
_NOTES = {
    Step.NOTE_FOREIGN: LedgerState.FOREIGN,
    Step.NOTE_TAKEN_OFF: LedgerState.TAKEN_OFF,
    Step.FORGET: None,
}


@dataclass(slots=True)
class Plan:
    """What the next push of one destination would do."""

    destination: str
    changes: list[Planned] = field(default_factory=list)
    notes: list[tuple[Difference, LedgerState | None]] = field(default_factory=list)
    """Ledger entries to set without any request."""
    held: Sequence[str] = ()
    """Names whose removals the guard holds; ``*`` for their sum."""
    new_contacts: int = 0
    """People whom the ledger has never seen at a destination that knows contacts by e-mail."""
    requests: int = 0
    seconds: float = 0.0

    @property
    def id(self) -> str:
        """Changes exactly when the changes do; a person confirms a held plan by it."""
        lines = sorted(
            f"{change.action}\t{change.name}\t{change.customer_id}\t{change.email}"
            for _, change in self.changes
        )
        text = "\n".join([self.destination, *lines])
        return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:12]

    def count(self, action: Action) -> Counter[str]:
        """Name → number of changes of one kind."""
        return Counter(change.name for _, change in self.changes if change.action is action)


@dataclass(frozen=True, slots=True)
class Waits:
    """How many changes wait for the next push of one destination."""

    destination: str
    add: int
    remove: int
    held: Sequence[str]
    """As in ``Plan``."""


@dataclass(slots=True)
class PushSummary:
    """What one push did."""

    destination: str
    added: int = 0
    removed: int = 0
    rejected: int = 0
    unfinished: bool = False
    """It ended before its plan did; the rest is to be planned anew."""
    stopped: SafetyStop | None = None
    """Why nobody was put on some of the names, for a person; everything else was sent."""


def plan(
    name: str,
    capabilities: Capabilities,
    store: PushPort,
    source: str | None,
    wishes: Sequence[Wish],
    guard: Guard,
) -> Plan:
    """Compare wish and ledger; reads only, sends nothing."""
    made = Plan(name)
    for difference in store.differences(name, source, capabilities.needs, wishes):
        step = decide(difference)
        if step in _ACTIONS:
            made.changes.append((difference, _change(_ACTIONS[step], difference)))
        elif step in _NOTES:
            made.notes.append((difference, _NOTES[step]))
    removals = [change.name for _, change in made.changes if change.action is Action.REMOVE]
    made.held = guard.check(removals, Counter(store.delivered(name)))
    customers = len({(c.customer_id, c.email) for _, c in made.changes})
    if capabilities.needs == "email":
        made.new_contacts = len({c.email for d, c in made.changes if d.state is None})
    made.requests = math.ceil(customers / capabilities.batch_size)
    made.seconds = made.requests * capabilities.seconds_per_request
    return made


def waits(
    name: str,
    needs: str,
    store: PushPort,
    source: str | None,
    wishes: Sequence[Wish],
    guard: Guard,
) -> Waits:
    """The figures of ``plan`` without its changes, of which a first push has millions."""
    adds: Counter[str] = Counter()
    removals: Counter[str] = Counter()
    for difference in store.differences(name, source, needs, wishes):
        step = decide(difference)
        if step in _ACTIONS:
            (adds if step is Step.ADD else removals)[difference.name] += 1
    held = guard.check(removals.elements(), Counter(store.delivered(name)))
    return Waits(name, adds.total(), removals.total(), held)


def push(
    made: Plan,
    destination: Destination,
    store: PushPort,
    lease: Lease,
    now: datetime,
    progress: Progress,
    *,
    confirmed: bool = False,
    enough: Callable[[], bool] = lambda: False,
) -> PushSummary:
    """Carry out a plan; SafetyStop, with nothing sent, if a guard holds it and no person confirmed
    it. What the destination stops for some names only is told by the summary.

    ``enough``: asked after each portion of tags, whether to leave the rest to a later plan. Not of
    lists: who joins one by a new address and leaves it by the old one does so in one push, so that
    the destination can tell that the two are one member.
    """
    if made.held and not confirmed:
        removals = made.count(Action.REMOVE).total()
        raise stop_for(made.held, removals, made.id)
    summary = PushSummary(made.destination)
    needs = destination.capabilities.needs
    noting = _Noting(store, lease, made.destination, needs, now)
    noting(made.notes)
    if not made.changes:
        return summary
    names, stops = _prepare(made, destination, store, lease)
    summary.stopped = _together(list(stops.values()))
    changes = [each for each in made.changes if _can_be_sent(each[1], names, stops)]
    done = 0
    for portion in _portions(changes, destination.capabilities):
        # noted ahead: after a crash, what is found at the shop must not be taken for the merchant's
        # own, nor what is missing there for something that a person took off; and not further
        # ahead, as what staff put there before it is sent would be taken for ours
        noting([(difference, LedgerState.PENDING) for difference, _ in portion])
        differences = {change: difference for difference, change in portion}
        receipts: list[tuple[Difference, Receipt]] = []
        try:
            for receipt in destination.apply(list(differences), names):
                receipts.append((differences[receipt.change], receipt))
                _count(summary, receipt)
        finally:
            # whatever was confirmed before an error is kept
            if receipts:
                store.record(lease, made.destination, needs, receipts, now)
                done += len(receipts)
                progress(done, len(changes))
        if destination.capabilities.kind == "tags" and enough():
            summary.unfinished = done < len(changes)
            break
    return summary


@dataclass(frozen=True, slots=True)
class _Noting:
    """Sets ledger states, in transactions short enough for others to write in between."""

    store: PushPort
    lease: Lease
    destination: str
    needs: str
    now: datetime

    def __call__(self, entries: Sequence[tuple[Difference, LedgerState | None]]) -> None:
        for start in range(0, len(entries), NOTED_AT_ONCE):
            part = entries[start : start + NOTED_AT_ONCE]
            self.store.note(self.lease, self.destination, self.needs, part, self.now)


def _portions(
    changes: Sequence[Planned], capabilities: Capabilities
) -> Iterator[Sequence[Planned]]:
    """About one request each: all tags of some customers, or some members of one list after the
    other, who are put on lists before any is taken off."""
    tags = capabilities.kind == "tags"

    def place(planned: Planned) -> tuple[str, ...]:
        difference, change = planned
        who = str(difference.target.key(capabilities.needs))
        return (who,) if tags else (change.action, tag_key(change.name), who)

    places = groupby(sorted(changes, key=place), place)
    while portion := [each for _, at in islice(places, capabilities.batch_size) for each in at]:
        yield portion


def _change(action: Action, difference: Difference) -> Change:
    target = difference.target
    return Change(action, difference.name, target.customer_id, target.email, difference.remote_id)


def _prepare(
    made: Plan, destination: Destination, store: PushPort, lease: Lease
) -> tuple[Mapping[str, str], Mapping[str, SafetyStop]]:
    """Name → remote id, and name → why nobody can be put on it: that holds up no other name."""
    known = store.names(made.destination)
    # a list whose name changed in case only is the same list, as it is the same in the ledger
    by_key = {tag_key(name): remote for name, remote in known.items()}
    added = made.count(Action.ADD)
    names: dict[str, str] = {}
    stops: dict[str, SafetyStop] = {}
    for name in sorted({change.name for _, change in made.changes}):
        remote = by_key.get(tag_key(name))
        if remote is not None:
            # a list that a person removed must not hold up those who only leave it
            names[name] = remote
        if remote is None or added[name]:
            try:
                names[name] = destination.prepare(name, remote)
            except SafetyStop as stop:
                stops[name] = stop
    if any(known.get(name) != remote for name, remote in names.items()):
        store.save_names(lease, made.destination, names)
    return names, stops


def _can_be_sent(change: Change, names: Mapping[str, str], stops: Mapping[str, SafetyStop]) -> bool:
    leaves = change.action is Action.REMOVE
    return change.name in names if leaves else change.name not in stops


def _together(stops: Sequence[SafetyStop]) -> SafetyStop | None:
    if not stops:
        return None
    return SafetyStop("; ".join(stop.message for stop in stops), hint=stops[0].hint)


def _count(summary: PushSummary, receipt: Receipt) -> None:
    if receipt.outcome is not Outcome.APPLIED:
        summary.rejected += 1
    elif receipt.change.action is Action.ADD:
        summary.added += 1
    else:
        summary.removed += 1
