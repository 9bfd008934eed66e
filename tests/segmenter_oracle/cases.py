"""Random shops: people, rules and what they are compared with, at an instant."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from functools import cached_property
from zoneinfo import ZoneInfo

import pandas as pd

from compiled_rules import compile_rules
from segmentd.segmenter.evaluate import Decision, evaluate
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.language import Subject
from segmentd.segmenter.ruleset import Ruleset, Shop
from segmenter_oracle.asking import cuts
from segmenter_oracle.days import World
from segmenter_oracle.happenings import counted_orders
from segmenter_oracle.histories import Membership, Person, frames, needed
from segmenter_oracle.inventor import CATALOGUE, Inventor
from segmenter_oracle.plain import Asked, member
from segmenter_oracle.statistics import Ranked

PLACES = [
    ("Europe/Berlin", "2026-03-29T01:30:00"),  # the clocks go forward at 01:00 UTC
    ("Europe/Berlin", "2026-10-25T00:30:00"),  # and back
    ("America/New_York", "2026-11-01T05:30:00"),
    ("Pacific/Tongatapu", "2026-07-01T11:00:00"),  # UTC+13: midnight
    ("Asia/Kathmandu", "2024-02-29T18:14:59"),  # UTC+05:45, leap day
    ("UTC", "2025-12-31T23:59:59"),
    ("America/Santiago", "2026-04-05T03:30:00"),  # 23:30 for the second time
]
CURRENCIES = [("EUR", 100), ("EUR", 100), ("JPY", 1), ("KWD", 1000)]
"""And how many minor units make a major one."""
SEGMENTS = {
    "buyers": "number_of_orders >= 1",
    "recent": "last_order_date >= -30d OR abandoned_checkout_date >= -24h",
    "tagged": "customer_tags CONTAINS 'vip'",
    "sampled": "SAMPLE(50%, 'x') AND NOT segment('tagged')",
}
"""What other rules refer to."""


class Crowd:
    """People of a shop, and what is asked about them."""

    def __init__(self, seed: int, people: int) -> None:
        zone, at = PLACES[seed % len(PLACES)]
        self.zone = ZoneInfo(zone)
        self.now = int(datetime.fromisoformat(at).replace(tzinfo=UTC).timestamp())
        currency, self.minor_units = CURRENCIES[seed % len(CURRENCIES)]
        self.shop = Shop(zone, currency, week_start=seed % 7)
        self.people = Inventor(seed, self.zone, self.now).people(people, list(SEGMENTS))

    @cached_property
    def frames(self) -> Frames:
        return frames(self.people, CATALOGUE)

    def world(self, instant: int, thresholds: Mapping[str, str]) -> World:
        return World(instant, self.zone, thresholds, self.minor_units, self.shop.week_start)


class Case:
    """Rules about the people of a shop, and the store-relative values that they need."""

    def __init__(
        self, crowd: Crowd, rules: Sequence[str], segments: Mapping[str, str] = SEGMENTS
    ) -> None:
        self.crowd = crowd
        self.now = crowd.now
        self.people = crowd.people
        named = {f"rule{number}": rule for number, rule in enumerate(rules)}
        self.ruleset: Ruleset = compile_rules({**segments, **named}, crowd.shop)
        self.frames = crowd.frames
        self.thresholds = cuts(self.ruleset, self.frames, at(self.now))

    def decision(self, instant: float, known: Frames | None = None) -> Decision:
        read = needed(known or self.frames, self.ruleset.needs)
        return evaluate(self.ruleset, read, at(instant), self.thresholds)

    @cached_property
    def decided(self) -> Decision:
        return self.decision(self.now)

    def plainly(self, key: str, person: Person, instant: int) -> bool:
        world = self.crowd.world(instant, self.thresholds)

        def decide(segment: str) -> bool:
            return member(self.ruleset.rules[segment], person, world, decide)

        return decide(key)

    def population(self, subject: Subject) -> list[Ranked]:
        """Who is ranked by a subject, and how."""
        world = self.crowd.world(self.now, {})
        found = []
        for person in self.people:
            orders = counted_orders(person, world)
            value = Asked(person, world, lambda _: False).ranked(subject)
            if value is not None:
                last = orders[-1].placed_at
                found.append(Ranked(person.id, Fraction(value), len(orders), last))
        return found

    @cached_property
    def differences(self) -> list[tuple[str, Person]]:
        """Rules and people for whom the segmenter and the plain evaluator say different things."""
        got = self.decided.members
        return [
            (key, person)
            for key in self.ruleset.keys
            for person in self.people
            if got.at[person.id, key] != self.plainly(key, person, self.now)
        ]


def at(instant: float) -> datetime:
    return datetime.fromtimestamp(instant, UTC)


def after_pass(people: Sequence[Person], decision: Decision, now: int) -> list[Person]:
    """The people with their history as a pass leaves it: what it decided is stored."""
    return [
        dataclasses.replace(person, memberships=_stored(person, decision, now)) for person in people
    ]


def as_of(people: Sequence[Person], now: int) -> list[Person]:
    """The people with the history that is known at an instant."""
    return [
        dataclasses.replace(person, memberships=_known(person.memberships, now))
        for person in people
    ]


def _known(rows: Sequence[Membership], now: int) -> list[Membership]:
    def past(instant: int | None) -> int | None:
        return instant if instant is not None and instant <= now else None

    return [
        Membership(row.segment, row.entered_at, past(row.left_at), past(row.lapsing_at))
        for row in rows
        if row.entered_at <= now
    ]


def _stored(person: Person, decision: Decision, now: int) -> list[Membership]:
    rows = list(person.memberships)
    for segment in decision.members:
        is_member = bool(decision.members.at[person.id, segment])
        open_rows = [row for row in rows if row.segment == segment and row.left_at is None]
        if is_member and not open_rows:
            rows.append(Membership(str(segment), now))
        rows = [
            dataclasses.replace(row, left_at=now) if row in open_rows and not is_member else row
            for row in rows
        ]
    return [_lapsing(row, person, decision.lapsing) for row in rows]


def _lapsing(row: Membership, person: Person, lapsing: pd.DataFrame) -> Membership:
    if row.left_at is not None or row.segment not in lapsing:
        return row
    since = lapsing[row.segment].to_dict()[person.id]
    return dataclasses.replace(row, lapsing_at=None if math.isnan(since) else int(since))
