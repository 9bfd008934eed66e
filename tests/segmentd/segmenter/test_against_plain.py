"""Random rules over random histories: the segmenter and the plain evaluator agree."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from segmentd.segmenter.evaluate import evaluate, values
from segmentd.segmenter.language import leaves
from segmentd.segmenter.parser import parse
from segmentd.segmenter.ruleset import Ruleset, Shop, compile_rules
from segmentd.segmenter.spelling import text
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
    ("America/Santiago", "2026-04-05T03:30:00"),  # 23:30 for the second time
]
PEOPLE = 30
RULES = 45
SEGMENTS = {
    "buyers": "number_of_orders >= 1",
    "recent": "last_order_date >= -30d OR abandoned_checkout_date >= -24h",
    "tagged": "customer_tags CONTAINS 'vip'",
    "sampled": "SAMPLE(50%, 'x') AND NOT segment('tagged')",
}


class Case:
    """People, rules, and their thresholds at an instant."""

    def __init__(self, seed: int, zone: str, at: str) -> None:
        self.zone = ZoneInfo(zone)
        self.now = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp())
        self.week_start = seed % 7
        self.people = Inventor(seed, self.zone, self.now).people(PEOPLE, list(SEGMENTS))
        self.frames = frames(self.people, CATALOGUE)
        chooser = random.Random(seed)
        rules = {f"rule{number}": random_rule(chooser, list(SEGMENTS)) for number in range(RULES)}
        self.ruleset = self.compiled({**SEGMENTS, **rules})
        self.thresholds = self.cuts(self.ruleset)

    def compiled(self, rules: dict[str, str]) -> Ruleset:
        return compile_rules(rules, Shop(self.zone.key, "EUR", self.week_start))

    def cuts(self, ruleset: Ruleset) -> dict[str, str]:
        table = values(ruleset, self.frames, self.at(self.now))
        people = table[table["orders"] > 0].reset_index()
        return {
            name: threshold(name, people.rename(columns={name: "value"}))
            for name in ruleset.expressions
        }

    @staticmethod
    def at(instant: float) -> datetime:
        return datetime.fromtimestamp(instant, UTC)

    def members(self, instant: float) -> tuple[pd.DataFrame, pd.Series[float]]:
        return evaluate(self.ruleset, self.frames, self.at(instant), self.thresholds)[:2]

    def plainly(self, key: str, person: Person, instant: int) -> bool:
        world = World(instant, self.zone, self.thresholds, week_start=self.week_start)

        def decide(segment: str) -> bool:
            return member(self.ruleset.rules[segment], person, world, decide)

        return decide(key)


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
