"""Random rules over random histories: the segmenter and the plain evaluator agree.

What fails is told as the smallest conditions that fail; the number of a case makes it again.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from datetime import timedelta
from fractions import Fraction
from functools import cache
from itertools import islice

import pandas as pd
import pytest

from segmentd.segmenter.evaluate import evaluate
from segmentd.segmenter.language import leaves
from segmentd.segmenter.parser import parse
from segmentd.segmenter.spelling import subject_text, text
from segmentd.segmenter.thresholds import PopulationTable, moved, within
from segmenter_oracle.cases import PLACES, SEGMENTS, Case, Crowd, after_pass, as_of, at
from segmenter_oracle.histories import Order, Person, frames
from segmenter_oracle.inventor import CATALOGUE, Inventor
from segmenter_oracle.phrases import Phrases
from segmenter_oracle.rules import Rules
from segmenter_oracle.statistics import Ranked, chosen, statistic

pytestmark = pytest.mark.unmeasured

PEOPLE = 30


@cache
def made(number: int, rules: int) -> Case:
    chooser = random.Random(f"{number} {rules}")
    texts = [Rules(chooser, list(SEGMENTS)).rule(depth=2) for _ in range(rules)]
    return Case(Crowd(number, PEOPLE), texts)


@pytest.fixture(params=range(2 * len(PLACES)))
def case(request: pytest.FixtureRequest) -> Case:
    return made(request.param, rules=24)


@pytest.fixture(params=range(len(PLACES)))
def small_case(request: pytest.FixtureRequest) -> Case:
    """Few rules, so that it is long until somebody is due."""
    return made(request.param, rules=5)


def smallest(case: Case) -> list[tuple[str, int]]:
    """The conditions behind the differences of a case, and for whom they differ."""
    wrong = {key for key, _ in case.differences}
    asked = {text(leaf) for key in wrong for leaf in leaves(case.ruleset.rules[key])}
    alone = Case(case.crowd, sorted(asked))
    return [(text(alone.ruleset.rules[key]), who.id) for key, who in alone.differences]


def test_every_membership_is_what_the_plain_evaluator_says(case: Case) -> None:
    if case.differences:
        assert smallest(case) == []
    assert case.differences == []


def test_rules_tell_people_apart() -> None:
    """What holds for everybody or for nobody would prove little."""
    cases = [made(number, rules=24) for number in range(len(PLACES))]
    tables = [case.decided.members for case in cases]
    apart = [bool(table[key].any() and not table[key].all()) for table in tables for key in table]
    assert sum(apart) > 0.5 * len(apart)


def test_values_of_the_whole_store(case: Case) -> None:
    for name, subject in case.ruleset.relatives.items():
        words = name.removesuffix(f" {subject_text(subject)}")
        people, cut = case.population(subject), case.thresholds[name]
        if "%" not in words:
            expected = statistic(words, [each.value for each in people])
            got = None if cut == "insufficient" else pytest.approx(float(cut))
            assert expected == got, name
        else:
            side, percent = words.rstrip("%").split(" ")
            assert inside(name, cut, people) == chosen(side, Fraction(percent), people), name


def inside(name: str, cut: str, people: list[Ranked]) -> set[int]:
    """Who lies at or beyond a cut."""
    table = table_of(people)
    return set(table["profile_id"][within(name, cut, table)])


def table_of(people: list[Ranked]) -> pd.DataFrame:
    rows = [(each.id, float(each.value), each.orders, each.last_order) for each in people]
    return pd.DataFrame(rows, columns=["profile_id", "value", "orders", "last_order_at"])


def test_a_second_look_changes_nothing_and_nobody_changes_before_being_due(
    small_case: Case,
) -> None:
    case = small_case
    people = as_of(case.people, case.now)
    first = case.decision(case.now, frames(people, CATALOGUE))
    stored = frames(after_pass(people, first, case.now), CATALOGUE)
    before, due = first.members, first.due
    assert not (due <= case.now).any()
    for instant in looks(case, due):
        changed = before.ne(case.decision(instant, stored).members)[~(due <= instant)]
        early = [text(case.ruleset.rules[str(key)]) for key in changed if changed[key].any()]
        assert early == [], at(instant)


def looks(case: Case, due: pd.Series[float]) -> Iterator[float]:
    """At once, just before somebody is due, and at any time."""
    chooser = random.Random(case.now)
    yield case.now
    yield from (float(instant) - 1 for instant in sorted(due.dropna().unique())[:5])
    yield from (case.now + chooser.randrange(1, span) for span in (3600, 86_400, 40 * 86_400) * 2)


@pytest.mark.parametrize("number", range(len(PLACES)))
def test_a_date_changes_its_truth_at_the_very_instant_that_is_due(number: int) -> None:
    """Due instants are no mere guesses."""
    crowd = Crowd(number, people=0)
    chooser = random.Random(number)
    inventor = Inventor(number, crowd.zone, crowd.now)
    crowd.people = [
        Person(n, orders=[Order(n, min(inventor.instant(), crowd.now))]) for n in range(1, PEOPLE)
    ]
    phrases = Phrases(chooser, lambda: "first_order_date")
    found = 0
    for _ in range(8):
        case = Case(crowd, [phrases.moving_date("last_order_date")], segments={})
        due = case.decided.due.to_dict()
        for person in case.people:
            instant = due[person.id]
            if instant < crowd.now + timedelta(days=400).total_seconds():
                found += 1
                truths = [case.plainly("rule0", person, int(instant) - n) for n in (0, 1)]
                assert truths[0] != truths[1], (text(case.ruleset.rules["rule0"]), at(instant))
    assert found > 20


def test_the_text_of_a_rule_means_the_rule(case: Case) -> None:
    for rule in case.ruleset.rules.values():
        assert parse(text(rule)) == rule


def test_whoever_changes_when_a_value_of_the_store_moves_is_touched() -> None:
    assert sum(changes_of_moves(number) for number in range(2)) > 20


def changes_of_moves(number: int) -> int:
    """How many change when one value after the other moves; all of them must be told."""
    chooser = random.Random(number)
    case = Case(Crowd(number, PEOPLE), relative_rules(chooser, 8), segments={})
    changes = 0
    for name, subject in case.ruleset.relatives.items():
        table, old = table_of(case.population(subject)), case.thresholds[name]
        people = PopulationTable(table)
        if old == "insufficient" or table.empty:
            continue
        for new in chooser.choices([repr(float(value)) for value in table["value"]], k=2):
            cuts = {**case.thresholds, name: new}
            after = evaluate(case.ruleset, case.frames, at(case.now), cuts).members
            changed = case.decided.members.ne(after).any(axis="columns")
            touched = moved(name, old, new, people, case.ruleset.factors[name])
            assert set(changed.index[changed]) <= set(touched), (name, new)
            changes += int(changed.sum())
    return changes


def relative_rules(chooser: random.Random, count: int) -> list[str]:
    """Conditions that compare customers with the whole store."""
    leaves = (Rules(chooser).leaf() for _ in range(5000))
    relative = (leaf for leaf in leaves if re.search(r"store |in (top|bottom) ", leaf, re.I))
    return list(islice(relative, count))
