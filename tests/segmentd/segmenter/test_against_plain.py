"""Random rules over random histories: the segmenter and the plain evaluator agree."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from segmentd.segmenter.evaluate import evaluate, values
from segmentd.segmenter.language import text
from segmentd.segmenter.parser import parse
from segmentd.segmenter.ruleset import Ruleset, Shop, compile_rules
from segmentd.segmenter.thresholds import threshold
from segmenter_oracle.histories import Person, frames
from segmenter_oracle.inventor import CATALOGUE, Inventor
from segmenter_oracle.plain import World, member
from segmenter_oracle.rules import random_rule

PLACES = [
    ("Europe/Berlin", "2026-03-29T01:30:00"),  # the clocks go forward at 01:00 UTC
    ("Europe/Berlin", "2026-10-25T00:30:00"),  # and back
    ("America/New_York", "2026-11-01T05:30:00"),
    ("Pacific/Tongatapu", "2026-07-01T11:00:00"),  # UTC+13: midnight
    ("Asia/Kathmandu", "2024-02-29T18:14:59"),  # UTC+05:45, leap day
    ("UTC", "2025-12-31T23:59:59"),
]
PEOPLE = 30
RULES = 45


class Case:
    """People, rules, and their thresholds at an instant."""

    def __init__(self, seed: int, zone: str, at: str) -> None:
        self.zone = ZoneInfo(zone)
        self.now = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp())
        self.people = Inventor(seed, self.zone, self.now).people(PEOPLE)
        self.frames = frames(self.people, CATALOGUE)
        chooser = random.Random(seed)
        rules = {f"rule{number}": random_rule(chooser) for number in range(RULES)}
        self.ruleset = compile_rules(rules, Shop(zone, "EUR"))
        self.thresholds = thresholds(self.ruleset, self.at(self.now), self)

    @staticmethod
    def at(instant: float) -> datetime:
        return datetime.fromtimestamp(instant, UTC)

    def members(self, instant: float) -> tuple[pd.DataFrame, pd.Series[float]]:
        return evaluate(self.ruleset, self.frames, self.at(instant), self.thresholds)

    def plainly(self, key: str, person: Person, instant: int) -> bool:
        world = World(instant, self.zone, self.thresholds)
        return member(self.ruleset.rules[key], person, world)


def thresholds(ruleset: Ruleset, now: datetime, case: Case) -> dict[str, str]:
    table = values(ruleset, case.frames, now)
    people = table[table["orders"] > 0].reset_index()
    return {
        name: threshold(name, people.rename(columns={name: "value"}))
        for name in ruleset.expressions
    }


@cache
def made(number: int) -> Case:
    return Case(number, *PLACES[number % len(PLACES)])


@pytest.fixture(params=range(len(PLACES)))
def case(request: pytest.FixtureRequest) -> Case:
    return made(request.param)


@pytest.fixture(params=range(len(PLACES), 2 * len(PLACES) + 2))
def further_case(request: pytest.FixtureRequest) -> Case:
    return made(request.param)


def test_every_membership_is_what_the_plain_evaluator_says(further_case: Case) -> None:
    case = further_case
    got, _ = case.members(case.now)
    wrong = [
        (text(case.ruleset.rules[key]), person)
        for key in case.ruleset.keys
        for person in case.people
        if got.at[person.id, key] != case.plainly(key, person, case.now)
    ]
    assert wrong == []
    assert got.to_numpy().any()
    assert not got.to_numpy().all()


def test_nobody_changes_before_being_due(case: Case) -> None:
    before, due = case.members(case.now)
    assert not (due <= case.now).any()
    chooser = random.Random(case.now)
    soon = [float(instant) - 1 for instant in sorted(due.dropna().unique())[:5]]
    later = [case.now + chooser.randrange(1, span) for span in (3600, 86_400, 40 * 86_400) * 2]
    for instant in {*soon, *later}:
        after, _ = case.members(instant)
        changed = (before != after).any(axis="columns")
        assert not (changed & ~(due <= instant)).any(), case.at(instant)


def test_somebody_changes_when_due(case: Case) -> None:
    """Due instants are no mere guesses."""
    before, due = case.members(case.now)
    first = [float(instant) for instant in sorted(due.dropna().unique())[:15]]
    changed = [
        (before != case.members(instant)[0]).any(axis="columns")[due == instant].any()
        for instant in first
    ]
    assert any(changed)


def test_the_text_of_a_rule_means_the_rule(case: Case) -> None:
    for rule in case.ruleset.rules.values():
        assert parse(text(rule)) == rule
