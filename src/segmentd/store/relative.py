"""Store-relative values: what percentile cuts, means and the cuts of limits are made from.

Everybody's value of a subject is one row, however many cuts it has. What it would take a look at
all of them to know is kept beside and changes in the same transaction: how many they are, their
exact sums, and the steps of their ranking. So a few changes cost the same in a small shop and in a
large one, and nothing is remembered that another process could make wrong.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from segmentd.segmenter.ranks import LOWEST, Place, exact_sums
from segmentd.store.bulk import Bulk, Values
from segmentd.store.engine import Database
from segmentd.store.ranking import PLACE, Ranking

if TYPE_CHECKING:
    import pandas as pd

_TABLES = ("relative_values", "relative_steps", "relative_subjects")
_TIES = ["orders", "last_order_at"]


class StoredPopulation:
    """Who has a value of one subject (``thresholds.Population``).

    Every question is a transaction of its own, so that what changes in between is seen.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name

    def count(self) -> int:
        """How many have a value."""
        with self._reading() as (_, subject):
            return subject.profiles

    def sums(self) -> tuple[Fraction, Fraction]:
        """The exact sums of the values and of their squares."""
        with self._reading() as (_, subject):
            return subject.total, subject.squares

    def at(self, ranks: Sequence[int]) -> list[Place]:
        """Who is at these ranks."""
        with self._reading() as (bulk, subject):
            return Ranking(bulk, subject.subject_id).at(ranks)

    def between(self, low: Place, high: Place) -> list[int]:
        """Profiles from ``low`` up to, not including, ``high``."""
        with self._reading() as (bulk, subject):
            return Ranking(bulk, subject.subject_id).between(low, high)

    @contextmanager
    def _reading(self) -> Iterator[tuple[Bulk, _Subject]]:
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            yield bulk, _subjects(bulk).get(self._name, _UNKNOWN)


class _Subject(NamedTuple):
    """What is kept of all values of a subject together."""

    subject_id: int
    profiles: int
    total: Fraction
    squares: Fraction


_UNKNOWN = _Subject(0, 0, Fraction(0), Fraction(0))
"""Nobody has a value; no subject has this number."""


def save_values(bulk: Bulk, values: pd.DataFrame) -> None:
    """Write what differs from the stored.

    Index ``profile_id``; a column for each subject, and ``orders`` and ``last_order_at``. Who has
    no value any more, or is not ranked, leaves the population.
    """
    from segmentd.segmenter.thresholds import ranked

    asked = values.index.tolist()
    # a row of who was merged away or removed since they were read would be counted for ever
    there = values.loc[alive(bulk, asked)]
    subjects = _subjects(bulk)
    for name in map(str, values.columns.difference(_TIES)):
        subject = subjects.get(name) or _added(bulk, name)
        before = set(_stored(bulk, subject, asked))
        after = set(map(tuple, ranked(name, there).tolist()))
        _replace(bulk, subject, before - after, after - before)


def remove_values(bulk: Bulk, profile_ids: Sequence[int]) -> None:
    """Take profiles out of all populations: who is gone or merged away counts no more."""
    for subject in _subjects(bulk).values():
        _replace(bulk, subject, set(_stored(bulk, subject, profile_ids)), set())


def keep_values(bulk: Bulk, names: Collection[str]) -> None:
    """Forget all subjects but these."""
    for name, subject in _subjects(bulk).items():
        if name not in names:
            for table in _TABLES:
                bulk.execute(f"DELETE FROM {table} WHERE subject_id = ?", subject.subject_id)  # noqa: S608


def stored_values(bulk: Bulk, name: str) -> list[Values]:
    """Everybody's value: ``profile_id, value, orders, last_order_at``, the last NULL for never."""
    return bulk.tuples(
        "SELECT CAST(-earlier AS BIGINT), value, orders, "
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


def _subjects(bulk: Bulk) -> dict[str, _Subject]:
    rows = bulk.tuples("SELECT name, subject_id, profiles, total, squares FROM relative_subjects")
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


def _stored(bulk: Bulk, subject: _Subject, profile_ids: Sequence[int]) -> list[Values]:
    return bulk.tuples(
        f"SELECT {PLACE} FROM relative_values WHERE subject_id = ? AND earlier IN (?*)",  # noqa: S608
        subject.subject_id,
        [float(-profile_id) for profile_id in profile_ids],
    )


def _replace(
    bulk: Bulk, subject: _Subject, gone: Collection[Values], come: Collection[Values]
) -> None:
    """Write rows, and all that is kept beside."""
    if not (gone or come):
        return
    number = subject.subject_id
    staying = {earlier for *_, earlier in come}
    bulk.execute_many(
        "DELETE FROM relative_values WHERE subject_id = ? AND earlier = ?",
        [(number, earlier) for *_, earlier in gone if earlier not in staying],
    )
    # where nobody had a value before there is none to be overwritten
    write = bulk.upsert if gone else bulk.insert
    write("relative_values", ("subject_id", *Place._fields), [(number, *place) for place in come])
    Ranking(bulk, number).count(gone, come)
    less, more = (exact_sums(value for value, *_ in some) for some in (gone, come))
    bulk.execute(
        "UPDATE relative_subjects SET profiles = ?, total = ?, squares = ? WHERE subject_id = ?",
        subject.profiles - len(gone) + len(come),
        str(subject.total - less[0] + more[0]),
        str(subject.squares - less[1] + more[1]),
        number,
    )
