"""What verifying a store finds; see ``verify``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

EXAMPLES = 5
"""How many of those who differ are named."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """Whom the next pass will evaluate: what is stored of them need not be right yet."""

    dirty: frozenset[int]
    due: frozenset[int]

    @property
    def profiles(self) -> frozenset[int]:
        """All of them."""
        return self.dirty | self.due


@dataclass(frozen=True, slots=True)
class Entry:
    """A name at a destination, of somebody who is nobody."""

    name: str
    target: str


@dataclass(slots=True)
class Differing:
    """How many profiles differ in one way."""

    what: str
    """``missing``, ``extra``, ``grace``, ``late`` (see ``comparing.Kind``), or ``value``."""
    of: str
    """The segment, or the value that thresholds are made from; empty for due instants."""
    count: int = 0
    examples: list[int] = field(default_factory=list)
    """The first of them, by profile id."""

    def add(self, profile_ids: Iterable[int]) -> None:
        """More of them."""
        for profile_id in profile_ids:
            self.count += 1
            if len(self.examples) < EXAMPLES:
                self.examples.append(profile_id)


@dataclass(frozen=True, slots=True)
class Moved:
    """A threshold that is stored otherwise than it is computed."""

    name: str
    stored: str | None
    found: str


@dataclass(frozen=True, slots=True)
class Held:
    """What the ledger says of one destination."""

    destination: str
    entries: int
    """Names that are there as ours."""
    waiting: int
    """What the next push will bring in order."""
    strays: Sequence[Entry]
    """Entries that belong to nobody."""


@dataclass(slots=True)
class Verification:
    """What was found."""

    now: datetime
    insufficient_data: bool = False
    """Nothing was compared: a source has not been read to its end even once."""
    profiles: int = 0
    """How many were computed anew."""
    dirty: int = 0
    due: int = 0
    """How many wait for the next pass, by what."""
    edited: Sequence[str] = ()
    """Segments that were not compared: the next pass will decide them by another rule."""
    differing: list[Differing] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    unsettled: list[str] = field(default_factory=list)
    """Values and thresholds that could not be compared: a pass was computing them."""
    early: int = 0
    """Profiles that will be looked at once for nothing; no fault."""
    ledger: list[Held] = field(default_factory=list)
    unconfigured: Mapping[str, int] = field(default_factory=dict)
    """Entries of the ledger by destinations that are configured no more; no fault."""

    @property
    def differences(self) -> int:
        """How many things are stored otherwise than a fresh computation makes them."""
        stray = sum(len(held.strays) for held in self.ledger)
        return sum(each.count for each in self.differing) + len(self.moved) + stray

    @property
    def same(self) -> bool:
        """Whether the store is what a fresh computation makes of it."""
        return self.differences == 0
