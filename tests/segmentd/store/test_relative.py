"""Values of the whole store: kept for each subject, ranked and counted as a fresh look finds it."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from databases import PostgresServer
from segmentd.domain.errors import LockedError
from segmentd.pipeline.ports import Pass
from segmentd.segmenter.ranks import HIGHEST, LOWEST, Place
from segmentd.segmenter.thresholds import PopulationTable, moved, threshold
from segmentd.store import Store, open_store, ranking
from segmentd.store.bulk import Bulk
from segmentd.store.engine import Database
from segmentd.store.relative import (
    StoredPopulation,
    keep_values,
    remove_values,
    save_values,
    stored_values,
)
from shop_in_store import HOUR, NOW, Shop, customer, lease_of, order, rows

PEOPLE = 45
SPENT = "amount_spent"
SUBJECTS = (SPENT, "LIMIT 7 vip")
EXPRESSIONS = {
    SPENT: (
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


def table(people: Mapping[int, Person], names: Sequence[str] = (SPENT,)) -> pd.DataFrame:
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
                cut, old = threshold(expression, fresh), before.get(expression, "insufficient")
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
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEPS, min_size=1, max_size=6))
def test_any_changes_lead_to_what_a_fresh_look_finds(
    file_database: Database, steps: Sequence[Step]
) -> None:
    follow(file_database, steps)


@settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(STEPS, min_size=1, max_size=4))
def test_on_postgresql_too(server_database: Database, steps: Sequence[Step]) -> None:
    follow(server_database, steps)


@pytest.fixture
def ids(shop: Shop) -> list[int]:
    """Three profiles."""
    shop.save(customer("1", "a@shopper.example"), customer("2"), customer("3"))
    return [shop.profile(str(n)) for n in (1, 2, 3)]


def everybody(store: Store, name: str = SPENT) -> dict[int, Place]:
    """Profile → where it stands."""
    found = store.population(name)
    places = found.at(range(1, found.count() + 1))
    return {int(-place.earlier): place for place in places}


def test_values_are_of_those_who_ordered(store: Store, ids: list[int]) -> None:
    some = {ids[0]: (3.25, 2.0, 9.0), ids[1]: (math.nan, 1.0, 9.0), ids[2]: (1.0, 0.0, math.nan)}
    store.save_values(lease_of(store), table(some))
    assert everybody(store) == {ids[0]: (3.25, 2.0, 9.0, -ids[0])}
    assert store.population("average_order_value").count() == 0
    assert store.population("average_order_value").at([1]) == [LOWEST]


def test_values_of_a_limit_are_of_all_who_have_one(store: Store, ids: list[int]) -> None:
    some = {ids[0]: (3.25, 2.0, 9.0), ids[1]: (math.nan, 1.0, 9.0), ids[2]: (1.0, 0.0, math.nan)}
    store.save_values(lease_of(store), table(some, ["LIMIT 5 vip"]))
    assert list(everybody(store, "LIMIT 5 vip")) == [ids[0], ids[2]]
    assert everybody(store, "LIMIT 5 vip")[ids[2]].last_order_at == -math.inf
    with store._database.read() as connection:
        rows_ = stored_values(Bulk(connection, sqlite=store._database.sqlite), "LIMIT 5 vip")
    assert sorted(rows_) == [(ids[0], 3.25, 2.0, 9.0), (ids[2], 1.0, 0.0, None)]


def test_values_are_exact(store: Store, ids: list[int]) -> None:
    exact = [0.1 + 0.2, 1e16 + 2, 1 / 3]
    people = {profile: (value, 1.0, 9.0) for profile, value in zip(ids, exact, strict=True)}
    store.save_values(lease_of(store), table(people))
    assert [place.value for place in everybody(store).values()] == sorted(exact, reverse=True)
    assert store.population(SPENT).sums()[0] == sum(map(Fraction, exact))


def test_a_store_sees_what_another_wrote(store: Store, url: str, ids: list[int]) -> None:
    lease = lease_of(store)
    store.save_values(lease, table(dict.fromkeys(ids, (1.0, 1.0, 9.0))))
    assert store.population(SPENT).count() == 3
    with open_store(url) as other:
        other.save_values(lease, table({ids[0]: (9.0, 1.0, 9.0), ids[1]: (9.0, 0.0, math.nan)}))
    assert [place.value for place in everybody(store).values()] == [9.0, 1.0]


def test_values_that_could_not_be_stored_change_nothing(store: Store, ids: list[int]) -> None:
    lease = lease_of(store)
    store.save_values(lease, table({ids[0]: (1.0, 1.0, 9.0)}))
    with pytest.raises(LockedError):
        store.save_values(replace(lease, epoch=0), table({ids[0]: (2.0, 1.0, 9.0)}))
    assert everybody(store)[ids[0]].value == 1
    assert store.population(SPENT).sums() == (Fraction(1), Fraction(1))


def test_the_same_values_again_write_nothing(store: Store, ids: list[int]) -> None:
    lease = lease_of(store)
    people = dict.fromkeys(ids, (7.0, 1.0, math.nan))
    store.save_values(lease, table(people))
    written = statements(store._database, lambda: store.save_values(lease, table(people)))
    assert not [each for each in written if each.startswith(("INSERT", "UPDATE", "DELETE"))]


def test_who_was_merged_away_counts_no_more(store: Store, shop: Shop, ids: list[int]) -> None:
    shop.save(order("o1", email="b@shopper.example"))
    guest = shop.profile("guest:b@shopper.example")
    people = {guest: (1.0, 1.0, 9.0), ids[1]: (2.0, 1.0, 9.0)}
    store.save_values(lease_of(store), table(people))
    shop.save(customer("1", "b@shopper.example", at=NOW + HOUR))
    assert list(everybody(store)) == [ids[1]]
    assert store.population(SPENT).sums() == (Fraction(2), Fraction(4))


def test_counting_anew_mends_what_was_changed_by_hand(store: Store, ids: list[int]) -> None:
    lease = lease_of(store)
    store.save_values(lease, table(dict(zip(ids, [(1.0, 1.0, 9.0)] * 3, strict=True))))
    with store._database.write() as connection:
        connection.exec_driver_sql(
            f"UPDATE relative_values SET value = 5 WHERE earlier = -{ids[0]}"
        )
        connection.exec_driver_sql(
            "INSERT INTO relative_values (profile_id, subject_id, value, orders, last_order_at, "
            "earlier) SELECT 999, subject_id, 7, 1, 9, -999 FROM relative_subjects"
        )
    store.count_values(lease)
    found = store.population(SPENT)
    assert (found.count(), found.sums()) == (3, (Fraction(7), Fraction(27)))
    assert [place.value for place in found.at([1, 2, 3])] == [5.0, 1.0, 1.0]


def test_counting_anew_changes_nothing_that_is_right(store: Store, ids: list[int]) -> None:
    lease = lease_of(store)
    store.save_values(lease, table(dict.fromkeys(ids, (1 / 3, 1.0, 9.0))))
    queries = ("SELECT * FROM relative_subjects", "SELECT * FROM relative_steps")
    before = [rows(store, query) for query in queries]
    store.count_values(lease)
    assert [rows(store, query) for query in queries] == before


def test_counting_anew_looks_through_profiles_once(postgres_url: str) -> None:
    """Where their ids do not fit into its memory, PostgreSQL does so once for each value else."""
    with open_store(postgres_url) as store:
        asked = statements(store._database, lambda: store.count_values(lease_of(store)))
        (removal,) = [each for each in asked if each.startswith("DELETE FROM relative_values")]
        plan = rows(store, f"EXPLAIN {removal}")
    assert "Join" in str(plan)
    assert "SubPlan" not in str(plan)


def test_values_that_nothing_asks_for_any_more_go(store: Store, ids: list[int]) -> None:
    lease = lease_of(store)
    people = dict.fromkeys(ids, (1.0, 1.0, 9.0))
    store.save_values(lease, table(people, [SPENT, "number_of_orders", "LIMIT 5 vip"]))
    cuts = {"TOP 10% amount_spent": "3", "LIMIT 5 vip": "-inf", "FITTED at_risk_days": "90d"}
    store.publish(lease, Pass([], [], cuts, 0), NOW)
    assert len(everybody(store)) == len(everybody(store, "LIMIT 5 vip")) == 3
    assert not everybody(store, "number_of_orders")
    store.publish(lease, Pass([], [], {}, 0), NOW)
    for name in ("values", "steps", "subjects"):
        assert rows(store, f"SELECT count(*) FROM relative_{name}") == [(0,)]


def test_nothing_passes_over_everybody(file_database: Database) -> None:
    """But for the few subjects, and the steps of one of them, no statement reads a table."""
    world = World(file_database)
    everyone = {profile: (float(profile % 7), 1.0, 9.0) for profile in range(1, PEOPLE + 1)}
    world.do(("save", everyone))

    def work() -> None:
        world.do(("save", {1: (99.0, 1.0, 9.0), 2: (math.nan, 1.0, 9.0)}))
        world.do(("remove", {3: (0.0, 0.0, 0.0)}))
        for name, expressions in EXPRESSIONS.items():
            for expression in expressions:
                population = StoredPopulation(file_database, name)
                cut = threshold(expression, population)
                moved(expression, "3.0", cut, population, FACTORS)

    asked = [each for each in statements(file_database, work) if "relative_" in each]
    with file_database.read() as connection:
        for statement in asked:
            values = (1,) * statement.count("?")
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
            steps = [str(row[3]) for row in plan]
            assert not [each for each in steps if "TEMP B-TREE" in each], statement
            assert not [each for each in steps if re.match("SCAN relative_(values|steps)", each)], (
                steps
            )
    assert len(asked) > 20


def statements(database: Database, work: Callable[[], None]) -> list[str]:
    """What is sent to the database meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        work()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return sent
