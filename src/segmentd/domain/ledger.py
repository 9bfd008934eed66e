"""What we know to be at a destination, and what follows from it for the next push.

The ledger has one row for each (destination, name, target). Pure decisions only: what to send for
one difference between wish and ledger, and whether the sum of them looks like a mistake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from segmentd.domain.errors import SafetyStop


class LedgerState(StrEnum):
    """What we know of one name on one target."""

    PENDING = "pending"
    """We are about to put it there or to take it off, or did and died before we could note it:
    ours either way."""
    DELIVERED = "delivered"
    """We put it there."""
    FOREIGN = "foreign"
    """It was there before we came: not ours, never removed by us."""
    TAKEN_OFF = "taken_off"
    """We put it there and a person took it off: stays off."""
    REMOVED = "removed"
    """We took it off, and the customer has not been read since."""
    REJECTED = "rejected"
    """The destination refuses it for good, or the customer is gone there."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a destination knows: by customer id in its shop, or by e-mail."""

    profile_id: int
    customer_id: str | None
    email: str | None

    def key(self, needs: str) -> str | None:
        """The identity that a destination which ``needs`` it goes by; None if unreachable."""
        return self.customer_id if needs == "customer_id" else self.email


@dataclass(frozen=True, slots=True)
class Difference:
    """One (name, target) for which wish and ledger may disagree."""

    name: str
    target: Target
    wanted: bool
    state: LedgerState | None
    """None: the ledger knows nothing of it."""
    segment: str
    remote_id: str | None = None
    observed: bool | None = None
    """Whether the name was on the customer when the shop was last read; None: not known."""
    observed_later: bool = False
    """That reading is newer than our last write of this name there, or shows that removal."""
    restore: bool = False
    shared: bool = False
    """Not wanted here, but another target of ours is the same one there and wanted."""


class Step(StrEnum):
    """What to do about one difference."""

    ADD = "add"
    REMOVE = "remove"
    NOTE_FOREIGN = "note_foreign"
    NOTE_TAKEN_OFF = "note_taken_off"
    FORGET = "forget"
    """Drop the ledger row without touching the destination."""
    NOTHING = "nothing"


def decide(difference: Difference) -> Step:
    """What to do about one difference; every branch names what happened in the world."""
    if difference.wanted:
        return _decide_wanted(difference)
    if difference.state is None:
        return Step.NOTHING
    if difference.shared:
        # two of ours are one there, and the other one is still a member
        return Step.FORGET
    if difference.state is LedgerState.PENDING:
        # we may have put it there, or not yet taken it off
        return Step.REMOVE
    if difference.state is LedgerState.DELIVERED:
        # a member left; if a person already took the name off, there is nothing to remove
        if difference.observed is False and difference.observed_later:
            return Step.FORGET
        return Step.REMOVE
    if difference.state is LedgerState.REMOVED:
        # a page that was fetched before may be stored after, and show what we took off
        return Step.FORGET if difference.observed_later else Step.NOTHING
    # foreign, taken off or refused: nothing of ours is there
    return Step.FORGET


def _decide_wanted(difference: Difference) -> Step:
    if difference.state is None:
        # a member entered; a merchant may have put the same name there before
        return Step.NOTE_FOREIGN if difference.observed else Step.ADD
    if difference.state is LedgerState.PENDING:
        # an earlier push did not get to its end: what is there under this name is ours
        return Step.ADD
    if difference.state is LedgerState.REMOVED:
        # a member came back; who put it there since we took it off is the merchant
        there = difference.observed and difference.observed_later
        return Step.NOTE_FOREIGN if there else Step.ADD
    if difference.state is LedgerState.DELIVERED:
        if difference.observed is False and difference.observed_later:
            # we put it there and a person took it off
            return Step.ADD if difference.restore else Step.NOTE_TAKEN_OFF
        return Step.NOTHING
    if difference.state is LedgerState.FOREIGN and difference.observed is False:
        # the merchant removed their own tag and the customer is still a member
        return Step.ADD if difference.restore else Step.NOTHING
    if difference.state is LedgerState.TAKEN_OFF and difference.restore:
        return Step.ADD
    return Step.NOTHING


@dataclass(frozen=True, slots=True)
class Guard:
    """How much may be removed in one push before a person must confirm."""

    floor: int = 10
    share_of_name: float = 0.20
    share_of_all: float = 0.10

    def check(self, removals: Iterable[str], delivered: Counter[str]) -> Sequence[str]:
        """Names (``*`` for the sum) whose removals exceed the limits; ``removals`` per change.

        ``delivered`` counts what the ledger holds as delivered per name.
        """
        leaving = Counter(removals)
        held = [
            name
            for name, count in leaving.items()
            if count > max(self.floor, self.share_of_name * delivered[name])
        ]
        if leaving.total() > max(self.floor, self.share_of_all * delivered.total()):
            held.append("*")
        return held


def stop_for(held: Sequence[str], removals: int, plan_id: str) -> SafetyStop:
    """The sentence for a held plan."""
    names = ", ".join(name for name in held if name != "*") or "all names together"
    return SafetyStop(
        f"{removals} removals in one push are more than the guard allows ({names}); "
        "nothing was sent",
        hint=f"segmentd plan, and if it is right: segmentd push --confirm {plan_id}",
    )
