"""Who is at a rank: one look at some hundred steps, then at the rows of one of them.

The rows of ``relative_values`` stand in an index as they are ranked. An index cannot say how many
rows lie before one, so ``relative_steps`` keeps it: a step begins at a place and holds the number
of profiles from there up to the next step. They are counted in the transaction that changes the
rows, whoever changes them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from segmentd.segmenter.ranks import LOWEST, Numbers, Place
from segmentd.store.bulk import Bulk, Values

STEP = 4_000
"""Profiles in a step: a step of more than twice as many becomes two, and two that have no more
together become one."""
PLACE = ", ".join(Place._fields)
_ASKED = ", ".join("?" * len(Place._fields))
FROM_STEP = (
    f"SELECT {PLACE} FROM relative_values WHERE subject_id = ? "  # noqa: S608 - constants
    f"AND ({PLACE}) >= ({_ASKED}) ORDER BY {PLACE} LIMIT 1 OFFSET ?"
)
BETWEEN = (
    "SELECT earlier FROM relative_values WHERE subject_id = ? "  # noqa: S608 - constants
    f"AND ({PLACE}) >= ({_ASKED}) AND ({PLACE}) < ({_ASKED})"
)
STEPS = f"SELECT {PLACE}, profiles FROM relative_steps WHERE subject_id = ? ORDER BY {PLACE}"  # noqa: S608

Steps = Mapping[Place, int]
"""Where each step begins, from the lowest up, and how many profiles are in it."""


class Ranking:
    """The ranking of one subject, in one transaction."""

    def __init__(self, bulk: Bulk, subject_id: int) -> None:
        self._bulk = bulk
        self._subject_id = subject_id

    def at(self, ranks: Sequence[int]) -> list[Place]:
        """See ``Population.at``."""
        steps = self._bulk.tuples(STEPS, self._subject_id)
        last = sum(step[-1] for step in steps)
        return [self._at(steps, min(rank, last)) for rank in ranks]

    def between(self, low: Place, high: Place) -> list[int]:
        """See ``Population.between``."""
        rows = self._bulk.tuples(BETWEEN, self._subject_id, *low, *high)
        return sorted(int(-earlier) for (earlier,) in rows)

    def count(self, gone: Sequence[Numbers], come: Sequence[Numbers]) -> None:
        """Bring the steps up to date, after rows went and others came."""
        before = self._steps()
        changed = _joined(_counted(before or {LOWEST: 0}, gone, come))
        after = dict(self._divided(changed))
        self._bulk.execute_many(
            f"DELETE FROM relative_steps WHERE subject_id = ? AND ({PLACE}) = ({_ASKED})",  # noqa: S608
            [(self._subject_id, *place) for place in before if place not in after],
        )
        self._bulk.upsert(
            "relative_steps",
            ("subject_id", *Place._fields, "profiles"),
            [
                (self._subject_id, *place, profiles)
                for place, profiles in after.items()
                if before.get(place) != profiles
            ],
        )

    def size(self) -> int:
        """How many are in all steps together."""
        return sum(self._steps().values())

    def count_anew(self, profiles: int) -> None:
        """Make the steps from the rows alone, of which there are so many."""
        self._bulk.execute("DELETE FROM relative_steps WHERE subject_id = ?", self._subject_id)
        steps = self._divided([(LOWEST, profiles)])
        self._bulk.insert(
            "relative_steps",
            ("subject_id", *Place._fields, "profiles"),
            [(self._subject_id, *place, count) for place, count in steps],
        )

    def _steps(self) -> Steps:
        rows = self._bulk.tuples(STEPS, self._subject_id)
        return {Place(*place): profiles for *place, profiles in rows}

    def _at(self, steps: Sequence[Values], rank: int) -> Place:
        for *place, profiles in reversed(steps):
            if 0 < rank <= profiles:
                return self._above(place, profiles - rank)
            rank -= profiles
        return LOWEST

    def _above(self, place: Sequence[float], count: int) -> Place:
        """Who stands so many above a place; 0: the first at or above it."""
        (row,) = self._bulk.tuples(FROM_STEP, self._subject_id, *place, count)
        return Place(*row)

    def _divided(self, steps: Iterable[tuple[Place, int]]) -> Iterator[tuple[Place, int]]:
        """Without steps that have grown too large; the rows are written already."""
        for place, profiles in steps:
            while profiles > 2 * STEP:
                yield place, STEP
                place, profiles = self._above(place, STEP), profiles - STEP
            yield place, profiles


def _counted(
    steps: Steps, gone: Sequence[Numbers], come: Sequence[Numbers]
) -> Iterator[tuple[Place, int]]:
    """The same steps after some went and others came."""
    begins = list(steps)
    less, more = _shares(begins, gone), _shares(begins, come)
    for (place, profiles), left, entered in zip(steps.items(), less, more, strict=True):
        yield place, profiles - left + entered


def _shares(begins: Sequence[Place], some: Sequence[Numbers]) -> Iterator[int]:
    """How many of some places are in each step."""
    ranked = sorted(some)
    bounds = [*(bisect_left(ranked, begin) for begin in begins), len(ranked)]
    return (high - low for low, high in pairwise(bounds))


def _joined(steps: Iterable[tuple[Place, int]]) -> list[tuple[Place, int]]:
    """Without steps that have become too small."""
    found: list[tuple[Place, int]] = []
    for place, profiles in steps:
        # an empty one is too small beside any other: that one may be about to be divided
        if found and (not found[-1][1] or found[-1][1] + profiles <= STEP):
            place, profiles = found[-1][0], found.pop()[1] + profiles
        found.append((place, profiles))
    return found
