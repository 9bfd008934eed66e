"""Store-relative values: what percentile cuts, means and the cuts of limits are made from.

Everybody's value of a subject is one row, however many cuts it has. What it would take a look at
all of them to know is kept beside and changes in the same transaction: how many they are, their
exact sums, and the steps of their ranking. So a few changes cost the same in a small shop and in a
large one, and nothing is remembered that another process could make wrong.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from segmentd.segmenter.ranks import LOWEST, Numbers, Place, exact_sums
from segmentd.store.bulk import Bulk, Values
from segmentd.store.engine import Database
from segmentd.store.ranking import PLACE, Ranking

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection

_TABLES = ("relative_values", "relative_steps", "relative_subjects")
_TIES = ["orders", "last_order_at"]
_VALUES = "SELECT value FROM relative_values WHERE subject_id = ?"
_ROUNDED = "SELECT count(*), coalesce(sum(value), 0) FROM relative_values WHERE subject_id = ?"
_SUMS = "UPDATE relative_subjects SET profiles = ?, total = ?, squares = ? WHERE subject_id = ?"


class StoredPopulation:
    """Who has a value of one subject (``thresholds.Population``), to place some cuts.

    How many there are and their sums are read once; each later question sees what is stored then.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name

    def count(self) -> int:
        """How many have a value."""
        return self._subject.profiles

    def sums(self) -> tuple[Fraction, Fraction]:
        """The exact sums of the values and of their squares."""
        return self._subject.total, self._subject.squares

    def at(self, ranks: Sequence[int]) -> list[Place]:
        """Who is at these ranks."""
        subject_id = self._subject.subject_id
        with self._database.read() as connection:
            return Ranking(self._bulk(connection), subject_id).at(ranks)

    def between(self, low: Place, high: Place) -> list[int]:
        """Profiles from ``low`` up to, not including, ``high``."""
        subject_id = self._subject.subject_id
        with self._database.read() as connection:
            return Ranking(self._bulk(connection), subject_id).between(low, high)

    @cached_property
    def _subject(self) -> _Subject:
        with self._database.read() as connection:
            return _subjects(self._bulk(connection), self._name).get(self._name, _UNKNOWN)

    def _bulk(self, connection: Connection) -> Bulk:
        return Bulk(connection, sqlite=self._database.sqlite)


class _Subject(NamedTuple):
    """What is kept of all values of a subject together."""

    subject_id: int
    profiles: int
    total: Fraction
    squares: Fraction


_UNKNOWN = _Subject(0, 0, Fraction(0), Fraction(0))
"""Nobody has a value; no subject has this number."""


class _Change(NamedTuple):
    """Places of one subject that are taken no more, and that are taken now."""

    subject: _Subject
    gone: Sequence[Numbers]
    come: Sequence[Numbers]

    def rows(self) -> list[Values]:
        """As they are to be stored."""
        subject_id = self.subject.subject_id
        return [(int(-place[-1]), subject_id, *place) for place in self.come]

    def left(self) -> list[Values]:
        """Who is in the population no more: profile and subject."""
        left = {place[-1] for place in self.gone} - {place[-1] for place in self.come}
        return [(int(-earlier), self.subject.subject_id) for earlier in left]

    def sums(self) -> Values:
        """What is to be kept of all together, and the subject."""
        subject_id, profiles, *totals = self.subject
        less, more = (exact_sums(place[0] for place in some) for some in (self.gone, self.come))
        total, squares = (a - b + c for a, b, c in zip(totals, less, more, strict=True))
        profiles += len(self.come) - len(self.gone)
        return profiles, str(total), str(squares), subject_id


def save_values(bulk: Bulk, values: pd.DataFrame) -> None:
    """Write what differs from the stored.

    Index ``profile_id``; a column for each subject, and ``orders`` and ``last_order_at``. Who has
    no value any more, or is not ranked, leaves the population.
    """
    import numpy as np

    from segmentd.segmenter.thresholds import differing, ranked

    asked = values.index.tolist()
    # a row of who was merged away or removed since they were read would be counted for ever
    there = values.loc[alive(bulk, asked)]
    known = _subjects(bulk)
    names = map(str, values.columns.difference(_TIES))
    subjects = {name: known.get(name) or _added(bulk, name) for name in names}
    stored = np.array(_stored(bulk, subjects.values(), asked), np.float64).reshape(-1, 5)
    changes = []
    for name, subject in subjects.items():
        before = stored[stored[:, 0] == subject.subject_id, 1:]
        changes.append(_Change(subject, *differing(before, ranked(name, there))))
    _write(bulk, changes)


def remove_values(bulk: Bulk, profile_ids: Sequence[int]) -> None:
    """Take profiles out of all populations: who is gone or merged away counts no more."""
    subjects = {subject.subject_id: subject for subject in _subjects(bulk).values()}
    gone: dict[int, list[Place]] = {}
    for subject_id, *place in _stored(bulk, subjects.values(), profile_ids):
        gone.setdefault(subject_id, []).append(Place(*place))
    _write(bulk, [_Change(subjects[subject_id], left, []) for subject_id, left in gone.items()])


def count_values(bulk: Bulk) -> None:
    """Count anew what is kept beside the rows where the rows give something else, without those of
    who is gone."""
    # not by NOT IN: of more ids than fit into its memory PostgreSQL looks through the whole list
    # for each row
    bulk.execute(
        "DELETE FROM relative_values WHERE NOT EXISTS (SELECT 1 FROM profiles p "
        "WHERE p.profile_id = relative_values.profile_id AND p.gone_at IS NULL)"
    )
    for subject in _subjects(bulk).values():
        ranking = Ranking(bulk, subject.subject_id)
        # a rounded sum of everybody takes a hundredth of the time of an exact one
        ((profiles, total),) = bulk.tuples(_ROUNDED, subject.subject_id)
        counted = (subject.profiles, ranking.size()) == (profiles, profiles)
        if not counted or not math.isclose(total, float(subject.total), rel_tol=1e-9):
            rows = bulk.tuples(_VALUES, subject.subject_id)
            sums = (str(sum_) for sum_ in exact_sums(value for (value,) in rows))
            bulk.execute_many(_SUMS, [(profiles, *sums, subject.subject_id)])
            ranking.count_anew(profiles)


def keep_values(bulk: Bulk, names: Collection[str]) -> None:
    """Forget all subjects but these."""
    for name, subject in _subjects(bulk).items():
        if name not in names:
            for table in _TABLES:
                bulk.execute(f"DELETE FROM {table} WHERE subject_id = ?", subject.subject_id)  # noqa: S608


def stored_values(bulk: Bulk, name: str) -> list[Values]:
    """Everybody's value: ``profile_id, value, orders, last_order_at``, the last NULL for never."""
    return bulk.tuples(
        "SELECT profile_id, value, orders, "
        "CASE WHEN last_order_at > ? THEN last_order_at END FROM relative_values "
        "WHERE subject_id = (SELECT subject_id FROM relative_subjects WHERE name = ?)",
        LOWEST.last_order_at,
        name,
    )


def alive(bulk: Bulk, profile_ids: list[int]) -> list[int]:
    """Without those that were merged away or removed since they were read; ascending."""
    rows = bulk.tuples(
        "SELECT profile_id FROM profiles WHERE gone_at IS NULL AND profile_id IN (?*) "
        "ORDER BY profile_id",
        profile_ids,
    )
    return [profile_id for (profile_id,) in rows]


def _subjects(bulk: Bulk, *names: str) -> dict[str, _Subject]:
    """These subjects, as far as they are known; all if none is named."""
    named = " WHERE name IN (?*)" if names else ""
    rows = bulk.tuples(
        f"SELECT name, subject_id, profiles, total, squares FROM relative_subjects{named}",  # noqa: S608
        *([list(names)] if names else []),
    )
    return {
        name: _Subject(subject_id, profiles, Fraction(total), Fraction(squares))
        for name, subject_id, profiles, total, squares in rows
    }


def _added(bulk: Bulk, name: str) -> _Subject:
    subject = _UNKNOWN._replace(subject_id=bulk.take("relative_subjects", 1))
    bulk.insert(
        "relative_subjects",
        ("name", *_Subject._fields),
        [(name, subject.subject_id, subject.profiles, "0", "0")],
    )
    return subject


def _stored(bulk: Bulk, subjects: Iterable[_Subject], profile_ids: Sequence[int]) -> list[Values]:
    """The number of the subject, then the place, of all these profiles by all these subjects."""
    return bulk.tuples(
        f"SELECT subject_id, {PLACE} FROM relative_values "  # noqa: S608
        "WHERE profile_id IN (?*) AND subject_id IN (?*)",
        list(profile_ids),
        [subject.subject_id for subject in subjects],
    )


def _write(bulk: Bulk, changes: Iterable[_Change]) -> None:
    """Write rows, and all that is kept beside."""
    changes = [change for change in changes if change.gone or change.come]
    rows = [row for change in changes for row in change.rows()]
    bulk.execute_many(
        "DELETE FROM relative_values WHERE profile_id = ? AND subject_id = ?",
        [key for change in changes for key in change.left()],
    )
    # the rows of one profile stand together; where nobody was stored there is none to overwrite
    write = bulk.upsert if any(change.gone for change in changes) else bulk.insert
    write("relative_values", ("profile_id", "subject_id", *Place._fields), sorted(rows))
    for change in changes:
        Ranking(bulk, change.subject.subject_id).count(change.gone, change.come)
    bulk.execute_many(_SUMS, [change.sums() for change in changes])
