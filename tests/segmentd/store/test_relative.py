"""Values of the whole store: kept for each subject, ranked and counted as a fresh look finds it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from databases import PostgresServer
from segmentd.segmenter.ranks import HIGHEST, Place
from segmentd.segmenter.thresholds import PopulationTable, moved, threshold
from segmentd.store import open_store, ranking
from segmentd.store.bulk import Bulk
from segmentd.store.engine import Database
from segmentd.store.relative import (
    StoredPopulation,
    keep_values,
    remove_values,
    save_values,
)
from shop_in_store import Shop, customer

PEOPLE = 45
SUBJECTS = ("amount_spent", "LIMIT 7 vip")
EXPRESSIONS = {
    "amount_spent": (
        "TOP 10% amount_spent",
        "TOP 60% amount_spent",
        "BOTTOM 15% amount_spent",
        "BOTTOM 33.3% amount_spent",
        "AVERAGE amount_spent",
        "AVERAGE +1.5 DEVIATIONS amount_spent",
        "MEDIAN amount_spent",
        "PERCENTILE 37.5 amount_spent",
    ),
    "LIMIT 7 vip": ("LIMIT 7 vip",),
}

FACTORS = (1.0, -0.5, 1.5)

Person = tuple[float, float, float]
"""Value, orders, last order."""
Step = tuple[str, Mapping[int, Person]]
"""What is done with whom."""


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "STEP", 4)


@dataclass
class World:
    """What is stored, and what ought to be."""

    database: Database
    known: dict[str, dict[int, Person]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.database.write() as connection:
            keep_values(self._bulk(connection), ())
        self.known = {name: {} for name in SUBJECTS}

    def do(self, step: Step) -> None:
        kind, people = step
        if kind == "remove":
            with self.database.write() as connection:
                remove_values(self._bulk(connection), list(people))
            for known in self.known.values():
                for profile_id in people:
                    known.pop(profile_id, None)
        else:
            self._save(people)

    def population(self, name: str) -> PopulationTable:
        rows_ = [(profile_id, *person) for profile_id, person in self.known[name].items()]
        columns = ["profile_id", "value", "orders", "last_order_at"]
        return PopulationTable(pd.DataFrame(rows_, columns=columns, dtype=float))

    def _save(self, people: Mapping[int, Person]) -> None:
        frame = table(people, SUBJECTS)
        with self.database.write() as connection:
            save_values(self._bulk(connection), frame)
        for name, known in self.known.items():
            for profile_id, person in people.items():
                known.pop(profile_id, None)
                if person[1] > 0 or name.startswith("LIMIT"):
                    known[profile_id] = person

    def _bulk(self, connection: object) -> Bulk:
        return Bulk(connection, sqlite=self.database.sqlite)  # type: ignore[arg-type]


def table(people: Mapping[int, Person], names: Sequence[str] = ("amount_spent",)) -> pd.DataFrame:
    """As ``evaluate.values`` gives it, each subject with the same values."""
    index = pd.Index(list(people), name="profile_id", dtype="int64")
    rows_ = [(*[value] * len(names), orders, last) for value, orders, last in people.values()]
    columns = [*names, "orders", "last_order_at"]
    return pd.DataFrame(rows_, columns=columns, index=index, dtype=float)


VALUES = st.sampled_from(
    [-5.0, -0.5, -0.0, 0.0, 1 / 3, 1.0, 2.0, 2.0, 2.0, 7.25, 1e16 + 2, math.nan, math.inf]
)
PERSONS = st.one_of(
    st.tuples(VALUES, st.sampled_from([1.0, 1.0, 2.0, 3.0]), st.sampled_from([5.0, 6.0, 7.0])),
    st.tuples(VALUES, st.just(0.0), st.just(math.nan)),
)
SOME = st.dictionaries(st.integers(1, PEOPLE), PERSONS, min_size=1, max_size=12)
ALL = st.lists(PERSONS, min_size=PEOPLE, max_size=PEOPLE).map(lambda ps: dict(enumerate(ps, 1)))
STEPS = st.tuples(st.sampled_from(["save", "save", "save", "remove"]), SOME | ALL)


def follow(database: Database, steps: Sequence[Step]) -> None:
    """After every step each threshold, and whom it moves, is as from all values anew."""
    world = World(database)
    before: dict[str, str] = {}
    for step in steps:
        world.do(step)
        for name, expressions in EXPRESSIONS.items():
            stored, fresh = StoredPopulation(database, name), world.population(name)
            assert stored.count() == fresh.count()
            for expression in expressions:
                cut, old = threshold(expression, fresh), before.get(expression)
                assert threshold(expression, stored) == cut, expression
                touched = moved(expression, old, cut, fresh, FACTORS)
                assert moved(expression, old, cut, stored, FACTORS) == touched, expression
                before[expression] = cut
        check_steps(database)


def check_steps(database: Database) -> None:
    """Every step holds as many as there are, and none is much too large or too small."""
    with database.read() as connection:
        bulk = Bulk(connection, sqlite=database.sqlite)
        subjects = bulk.tuples("SELECT name, subject_id, profiles FROM relative_subjects")
        for name, subject_id, profiles in subjects:
            steps = bulk.tuples(ranking.STEPS, subject_id)
            places = [Place(*row[:4]) for row in steps]
            counts = [row[4] for row in steps]
            assert sum(counts) == profiles, name
            found = ranking.Ranking(bulk, subject_id)
            for (low, high), count in zip(pairwise([*places, HIGHEST]), counts, strict=True):
                assert len(found.between(low, high)) == count
            assert all(count <= 2 * ranking.STEP for count in counts)
            assert all(sum(two) > ranking.STEP for two in pairwise(counts))


@pytest.fixture(scope="module")
def file_database(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    path = shutil.copy(sqlite_template, tmp_path_factory.mktemp("relative") / "segmentd.db")
    with closing(_filled(f"sqlite:///{path}")) as database:
        yield database


@pytest.fixture(scope="module")
def server_database(postgres: PostgresServer, postgres_template: str) -> Iterator[Database]:
    name = postgres.create(postgres_template)
    with closing(_filled(postgres.url(name))) as database:
        yield database
    postgres.drop(name)


def _filled(url: str) -> Database:
    """A database in which the profiles exist."""
    with open_store(url) as store:
        Shop(store).save(*(customer(str(n)) for n in range(PEOPLE)))
    return Database(url)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEPS, min_size=1, max_size=6))
def test_any_changes_lead_to_what_a_fresh_look_finds(
    file_database: Database, steps: Sequence[Step]
) -> None:
    follow(file_database, steps)


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEPS, min_size=1, max_size=4))
def test_on_postgresql_too(server_database: Database, steps: Sequence[Step]) -> None:
    follow(server_database, steps)
