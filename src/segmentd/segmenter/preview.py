"""How large a segment would be, what it is worth, where customers fall out, and how it grew.

Ranges of profiles are looked at one by one, each at all instants at once: a range is read once for
each step. What a range gives is small (counts, and the ids of the members), however large it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentd.segmenter import evaluate as evaluation
from segmentd.segmenter.fields import FIELDS
from segmentd.segmenter.figures import Overlap, overlap
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.language import And, Expression, Name
from segmentd.segmenter.ruleset import Ruleset
from segmentd.segmenter.scenes import Scene
from segmentd.segmenter.thresholds import PopulationTable, facts_of, threshold, value_name

SAMPLE = 10
EVERYBODY = "*"
"""No segment has such a key."""
SPENT = Name("amount_spent")
NEEDS = frozenset(FIELDS["amount_spent"].needs)
"""Frames that every preview reads."""
CURVE = timedelta(days=90)
_WEEK = timedelta(days=7)

Ids = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Thresholds = Mapping[str, str]
Values = list[pd.DataFrame]
"""For each instant what thresholds are computed from."""


def instants(now: datetime) -> tuple[datetime, ...]:
    """Now and every week before it, back to 90 days ago; oldest first."""
    weeks = CURVE // _WEEK
    return (now - CURVE, *(now - n * _WEEK for n in range(weeks, -1, -1)))


@dataclass(frozen=True, slots=True)
class Worth:
    """How many are in a segment, what they spent in all, and who spent most."""

    size: int = 0
    revenue: int = 0
    """Minor units."""
    best: tuple[tuple[int, int], ...] = ()
    """Up to SAMPLE of (minus what was spent, profile id), ascending."""

    @classmethod
    def of(cls, profile_ids: Ids, spent: Floats) -> Worth:
        """Of these profiles; ``spent`` in minor units."""
        order = np.lexsort((profile_ids, -spent))[:SAMPLE]
        best = zip((-spent[order]).astype(int).tolist(), profile_ids[order].tolist(), strict=True)
        return cls(len(profile_ids), int(spent.sum()), tuple(best))

    def __add__(self, other: Worth) -> Worth:
        best = tuple(sorted((*self.best, *other.best))[:SAMPLE])
        return Worth(self.size + other.size, self.revenue + other.revenue, best)


@dataclass(frozen=True, slots=True)
class Survey:
    """What some profiles, or all, give to a preview; the arrays have the same order."""

    everybody: Worth
    worth: Worth
    members: Ids
    alone: Ids
    """How many fulfil each part of the rule."""
    together: Ids
    """How many fulfil each part and all before it."""
    curve: Ids
    """How many were members at each instant."""

    def __add__(self, other: Survey) -> Survey:
        return Survey(
            self.everybody + other.everybody,
            self.worth + other.worth,
            np.concatenate([self.members, other.members]),
            self.alone + other.alone,
            self.together + other.together,
            self.curve + other.curve,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One part of a rule in the funnel."""

    part: Expression
    alone: int
    together: int
    """With all parts before it."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a rule would select now."""

    worth: Worth
    everybody: Worth
    funnel: tuple[Step, ...] = ()
    """The parts of an AND, or the whole rule as the only one."""
    overlaps: Mapping[str, tuple[int, Overlap]] = field(default_factory=dict)
    """Other segment → its members, and what both have in common."""
    curve: tuple[tuple[datetime, int], ...] = ()
    """Members at instants, oldest first; by what was known then."""

    @property
    def sample(self) -> tuple[int, ...]:
        """Up to 10 members, those who spent most first."""
        return tuple(profile_id for _, profile_id in self.worth.best)

    @property
    def size(self) -> int:
        """How many members."""
        return self.worth.size

    @property
    def share(self) -> float:
        """Members of all profiles, 0 to 1."""
        return _share(self.worth.size, self.everybody.size)

    @property
    def revenue_share(self) -> float:
        """Members' net spend of everybody's, 0 to 1."""
        return _share(self.worth.revenue, self.everybody.revenue)


def values_at(ruleset: Ruleset, frames: Frames, at: Sequence[datetime]) -> Values:
    """What store-relative thresholds are computed from, at each instant; only of who ordered."""
    found = (evaluation.values(ruleset, frames, each) for each in at)
    return [values[values["orders"] > 0] for values in found]


def candidates_at(
    ruleset: Ruleset, frames: Frames, at: Sequence[datetime], thresholds: Sequence[Thresholds]
) -> Values:
    """What the cuts of limited segments are computed from, at each instant."""
    found = (
        evaluation.candidates(ruleset, frames, each, known)
        for each, known in zip(at, thresholds, strict=True)
    )
    names = list(ruleset.limits)
    return [values.dropna(subset=names, how="all") for values in found]


def cuts(names: Iterable[str], parts: Iterable[Values]) -> list[dict[str, str]]:
    """The thresholds at each instant, from what all ranges gave."""
    wanted = list(names)
    return [
        {name: threshold(name, _population(everybody, value_name(name))) for name in wanted}
        for everybody in (pd.concat(found) for found in zip(*parts, strict=True))
    ]


def survey(
    ruleset: Ruleset,
    frames: Frames,
    key: str,
    at: Sequence[datetime],
    thresholds: Sequence[Thresholds],
) -> Survey:
    """One range: the members at each instant; the last is now."""
    sizes = []
    for instant, known in zip(at[:-1], thresholds[:-1], strict=True):
        members = evaluation.evaluate(ruleset, frames, instant, known).members
        sizes.append(int(members[key].sum()))
    scene = Scene(ruleset, frames, at[-1], thresholds[-1])
    ids, inside = scene.facts.profile_ids, scene.conditions.members[key]
    spent = scene.conditions.numbers(SPENT)
    alone = [
        scene.facts.exists & evaluation.holds(part, scene.conditions)
        for part in parts_of(ruleset.rules[key])
    ]
    together = np.logical_and.accumulate(alone)
    return Survey(
        Worth.of(ids, spent),
        Worth.of(ids[inside], spent[inside]),
        ids[inside],
        np.sum(alone, axis=1),
        np.sum(together, axis=1),
        np.array([*sizes, inside.sum()], np.int64),
    )


def worths(
    ruleset: Ruleset, frames: Frames, keys: Sequence[str], now: datetime, thresholds: Thresholds
) -> dict[str, Worth]:
    """Size and revenue of segments in one range, and under EVERYBODY those of all."""
    scene = Scene(ruleset, frames, now, thresholds)
    spent = scene.conditions.numbers(SPENT)
    inside = {key: scene.conditions.members[key] for key in keys}
    inside[EVERYBODY] = np.ones(len(spent), bool)
    ids = scene.facts.profile_ids
    return {key: Worth.of(ids[each], spent[each]) for key, each in inside.items()}


def parts_of(rule: Expression) -> Sequence[Expression]:
    """The parts that must all hold."""
    return rule.parts if isinstance(rule, And) else (rule,)


def summarised(
    rule: Expression,
    surveys: Iterable[Survey],
    at: Sequence[datetime],
    others: Mapping[str, Ids],
) -> Preview:
    """The preview of a rule, from the surveys of all ranges; ``others``: members of segments."""
    parts = parts_of(rule)
    found = reduce(Survey.__add__, surveys, _nobody(len(parts), len(at)))
    ascending = np.sort(found.members)
    counts = zip(parts, found.alone.tolist(), found.together.tolist(), strict=True)
    return Preview(
        found.worth,
        found.everybody,
        tuple(Step(*step) for step in counts),
        {key: (len(ids), overlap(ascending, ids)) for key, ids in others.items()},
        tuple(zip(at, found.curve.tolist(), strict=True)),
    )


def _nobody(parts: int, at: int) -> Survey:
    none, zeros = np.zeros(0, np.int64), np.zeros(parts, np.int64)
    return Survey(Worth(), Worth(), none, zeros, zeros, np.zeros(at, np.int64))


def _population(values: pd.DataFrame, name: str) -> PopulationTable:
    return PopulationTable(facts_of(values, name).assign(profile_id=values.index))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
