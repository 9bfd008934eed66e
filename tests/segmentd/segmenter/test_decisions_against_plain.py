"""Random segments with all that decides beside the rule: the plain evaluator decides the same."""

from __future__ import annotations

import random
from datetime import date, timedelta
from functools import cache, cached_property

import pandas as pd
import pytest

from segmentd.domain.segments import ExclusiveSet, Limit, Pin, Segment
from segmentd.segmenter.evaluate import Decision, candidates, evaluate
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.ruleset import Ruleset, compile_segments
from segmentd.segmenter.thresholds import PopulationTable, threshold
from segmenter_oracle.asking import cuts
from segmenter_oracle.cases import PLACES, Crowd, after_pass, as_of, at
from segmenter_oracle.deciding import decide
from segmenter_oracle.histories import Person, frames, needed
from segmenter_oracle.inventor import CATALOGUE, Inventor
from segmenter_oracle.rules import Rules

pytestmark = pytest.mark.unmeasured

KEYS = [f"s{number}" for number in range(10)]
SETS = [ExclusiveSet("tiers", ("s1", "s4", "s2")), ExclusiveSet("stages", ("s7", "s6"))]
RANKED_BY = ["amount_spent", "number_of_orders", "sum_amount OF orders_placed (date >= -90d)"]


class Writer:
    """Writes segments of which each may refer to those before it, but for its rivals."""

    def __init__(self, chooser: random.Random, today: date) -> None:
        self.random = chooser
        self.today = today
        self._limited: set[str] = set()

    def segments(self) -> list[Segment]:
        return [self._segment(key) for key in KEYS]

    def _segment(self, key: str) -> Segment:
        limit = self._limit() if self.random.random() < 0.3 else None
        if limit:
            self._limited.add(key)
        earlier = KEYS[: KEYS.index(key)]
        others = [] if self._limited else earlier
        rules = Rules(self.random, [other for other in others if not _rivals(key, other)])
        return Segment(
            key,
            key,
            rules.rule(depth=1),
            stays=rules.rule(depth=1) if self.random.random() < 0.4 else "",
            grace=self.random.choice([0, 0, 1, 30]),
            limit=limit,
            pins=tuple(self._pin() for _ in range(self.random.choice([0, 0, 2, 4]))),
        )

    def _limit(self) -> Limit:
        by = self.random.choice(RANKED_BY)
        return Limit(self.random.choice([1, 5, 10, 100]), by, self.random.random() < 0.3)

    def _pin(self) -> Pin:
        number = self.random.randrange(1, 31)
        customer = self.random.choice([f"shop:c{number}", f"p{number}@shopper.example"])
        ends = self.today + timedelta(self.random.choice([-1, 0, 3]))
        until = self.random.choice([None, ends, ends])
        return Pin(customer, self.random.random() < 0.7, "asked for it", until)


def _rivals(key: str, other: str) -> bool:
    return any(key in each.segments and other in each.segments for each in SETS)


class Decisions:
    """Segments and people, decided by the segmenter."""

    def __init__(self, number: int) -> None:
        self.crowd = Crowd(number, people=0)
        self.now = self.crowd.now
        inventor = Inventor(number, self.crowd.zone, self.now)
        self.people = as_of(inventor.people(30, KEYS), self.now)
        today = self.crowd.world(self.now, {}).today
        self.segments = Writer(random.Random(number), today).segments()
        self.ruleset: Ruleset = compile_segments(self.segments, self.crowd.shop, sets=SETS).pinning(
            self._found()
        )
        self.thresholds = self._cuts(frames(self.people, CATALOGUE))

    def _found(self) -> dict[str, list[int]]:
        names: dict[str, list[int]] = {}
        for person in self.people:
            names.setdefault(f"{person.source}:{person.customer_id}", []).append(person.id)
            names.setdefault((person.email or "").casefold(), []).append(person.id)
        return names

    def _cuts(self, known: Frames) -> dict[str, str]:
        found = cuts(self.ruleset, known, at(self.now))
        table = candidates(self.ruleset, known, at(self.now), found).reset_index()
        limits = {
            name: threshold(name, PopulationTable(table.rename(columns={name: "value"})))
            for name in self.ruleset.limits
        }
        return {**found, **limits}

    def decision(self, instant: float, known: Frames) -> Decision:
        return evaluate(
            self.ruleset, needed(known, self.ruleset.needs), at(instant), self.thresholds
        )

    @cached_property
    def now_decided(self) -> Decision:
        return self.decision(self.now, frames(self.people, CATALOGUE))

    def plainly(self, instant: int, people: list[Person]) -> pd.DataFrame:
        world = self.crowd.world(instant, self.thresholds)
        rows = {person.id: decide(self.segments, SETS, person, world) for person in people}
        return pd.DataFrame.from_dict(rows, orient="index")


made = cache(Decisions)


@pytest.fixture(params=range(len(PLACES)))
def decisions(request: pytest.FixtureRequest) -> Decisions:
    return made(request.param)


def test_every_membership_is_what_the_plain_evaluator_says(decisions: Decisions) -> None:
    """Now, and two days after what was decided now has become history."""
    now, later = decisions.now, decisions.now + 2 * 86_400
    assert wrong(decisions, decisions.now_decided, now, decisions.people) == []
    people = after_pass(decisions.people, decisions.now_decided, now)
    decision = decisions.decision(later, frames(people, CATALOGUE))
    assert wrong(decisions, decision, later, people) == []


def wrong(
    decisions: Decisions, decision: Decision, instant: int, people: list[Person]
) -> list[tuple[str, int]]:
    differs = decision.members.ne(decisions.plainly(instant, people))
    return [(str(key), who) for key in differs for who in differs.index[differs[key]]]


def test_no_limit_is_exceeded(decisions: Decisions) -> None:
    members = decisions.now_decided.members
    for segment in decisions.segments:
        if segment.limit and not segment.pins:
            assert members[segment.key].sum() <= segment.limit.count


def test_nobody_is_in_two_segments_of_a_set(decisions: Decisions) -> None:
    for each in SETS:
        members = decisions.now_decided.members[list(each.segments)]
        assert (members.sum(axis="columns") <= 1).all()


def test_nobody_changes_before_being_due(decisions: Decisions) -> None:
    first, now = decisions.now_decided, decisions.now
    stored = frames(after_pass(decisions.people, first, now), CATALOGUE)
    before, due = first.members, first.due
    assert not (due <= now).any()
    soon = [float(instant) - 1 for instant in sorted(due.dropna().unique())[:3]]
    for instant in (*soon, now + 1, now + 40 * 86_400):
        changed = before.ne(decisions.decision(instant, stored).members)[~(due <= instant)]
        assert [key for key in changed if changed[key].any()] == [], at(instant)
