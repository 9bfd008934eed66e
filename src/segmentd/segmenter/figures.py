"""What looks wrong with segments by the figures of this store.

The limits are those that guides to segmentation name: few segments, each large enough to be worth
an action, none that says the same as another, none that nobody looked at for half a year.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import combinations

import numpy as np
import numpy.typing as npt

from segmentd.segmenter.lint import Finding

Ids = npt.NDArray[np.int64]

MIN_SIZE = 20
MIN_SHARE = 0.005
SIMILAR = 0.9
MAX_PUSHED = 25
MAX_TAGS = 10
QUIET = timedelta(days=60)
UNREVIEWED = timedelta(days=180)
UNUSED = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Figures:
    """What the store says; segments that were never evaluated are in none of them."""

    profiles: int
    members: Mapping[str, Ids]
    """Segment → profile ids, ascending; empty for one without members."""
    pushed: Sequence[str] = ()
    """Segments that have a destination."""
    used: Sequence[str] = ()
    """Segments that other rules refer to."""
    many_tags: int = 0
    """Customers with more than MAX_TAGS of our tags."""
    latest_order: datetime | None = None
    last_moves: Mapping[str, datetime] = field(default_factory=dict)
    """Segment → when somebody last entered or left it, but by an edit of its rule."""
    rules_since: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Overlap:
    """Two groups of customers compared."""

    common: int
    jaccard: float
    """Of all who are in one of them, the share who are in both: 0 to 1."""


def of_all(members: Mapping[str, Ids], keys: Iterable[str]) -> dict[str, Ids]:
    """The members of these segments; none of one that is missing."""
    return {key: members.get(key, np.empty(0, np.int64)) for key in keys}


def overlap(one: Ids, other: Ids) -> Overlap:
    """Of ascending ids."""
    common = len(np.intersect1d(one, other, assume_unique=True))
    either = len(one) + len(other) - common
    return Overlap(common, common / either if either else 0.0)


def figure_findings(figures: Figures, now: datetime) -> Iterator[Finding]:
    """Everything that the figures say."""
    yield from _sizes(figures)
    yield from _similar(figures)
    yield from _too_many(figures)
    yield from _quiet(figures, now)


def _sizes(figures: Figures) -> Iterator[Finding]:
    least = max(MIN_SIZE, MIN_SHARE * figures.profiles)
    for key, members in figures.members.items():
        if not len(members):
            yield Finding("nobody", (key,), f"none of {figures.profiles:,} customers is in it")
        elif len(members) == figures.profiles:
            yield Finding("everybody", (key,), f"all {figures.profiles:,} customers are in it")
        elif len(members) < least:
            yield Finding(
                "small",
                (key,),
                f"{len(members):,} customers are few to act on; here {least:.0f} would be enough",
            )


def _similar(figures: Figures) -> Iterator[Finding]:
    some = {key: ids for key, ids in figures.members.items() if len(ids)}
    for one, other in combinations(some, 2):
        # so different in size that they cannot be similar
        small, large = sorted((len(some[one]), len(some[other])))
        if small < SIMILAR * large:
            continue
        found = overlap(some[one], some[other])
        if found.jaccard >= SIMILAR:
            share = f"{100 * found.jaccard:.0f} %"
            yield Finding("similar", (one, other), f"they are nearly the same: {share} in common")


def _too_many(figures: Figures) -> Iterator[Finding]:
    if len(figures.pushed) > MAX_PUSHED:
        yield Finding(
            "many segments",
            (),
            f"{len(figures.pushed)} segments are pushed; more than {MAX_PUSHED} are hard to "
            "act on, 5 to 8 are a good start",
        )
    if figures.many_tags:
        yield Finding(
            "many tags",
            (),
            f"{figures.many_tags:,} customers have more than {MAX_TAGS} of our tags",
        )


def _quiet(figures: Figures, now: datetime) -> Iterator[Finding]:
    for key, since in figures.rules_since.items():
        if key not in figures.pushed and key not in figures.used and now - since >= UNUSED:
            yield Finding(
                "no action",
                (key,),
                f"it is pushed nowhere and no other rule uses it, for {UNUSED.days} days now",
            )
        if now - since >= UNREVIEWED:
            yield Finding(
                "not reviewed", (key,), f"its rule has not been touched since {since:%Y-%m-%d}"
            )
        moved = max(since, figures.last_moves.get(key, since))
        ordered = figures.latest_order
        if now - moved >= QUIET and ordered is not None and ordered > moved:
            yield Finding(
                "stagnant",
                (key,),
                f"nobody has entered or left since {moved:%Y-%m-%d}, though customers ordered",
            )
