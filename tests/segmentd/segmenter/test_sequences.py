"""Events in an order, against the plainest way to find them."""

from __future__ import annotations

from collections.abc import Sequence as Row
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segmentd.segmenter import sequences
from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.frames import EVENT_COLUMNS, Frames
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import Condition, Events, Offset, Sequence, Step
from segmentd.segmenter.parser import parse
from segmentd.segmenter.predicates import Bools, Floats
from segmentd.segmenter.ruleset import Shop
from segmenter_oracle.asking import buyer, instant
from segmenter_oracle.histories import Event, Person, frames

START = instant("2026-07-15T12:00:00")
CROWD = frames([Person(number) for number in range(20)])
TICK = 30
"""Events happen every so many seconds, so that many coincide or lie a whole minute apart."""

Happened = tuple[str, int]
"""The name of an event, and its tick."""


def sequence(rule: str) -> Sequence:
    """``A THEN B WITHIN 2min``, with ``A`` for ``events('A') ()``."""
    written = " ".join(_events(word) for word in rule.split(" "))
    parsed = parse(written)
    assert isinstance(parsed, Sequence)
    return parsed


def _events(word: str) -> str:
    name, _, window = word.partition("@")
    if len(name) > 1:
        return word
    return f"events('{name}') ({f'date >= -{window}' if window else ''})"


def history(people: Row[Row[Happened]]) -> Frames:
    """The events of the first of CROWD."""
    happened = [(who, *event) for who, events in enumerate(people) for event in events]
    rows = [
        (number, who, name, START + tick * TICK, np.nan, np.nan, "")
        for number, (who, name, tick) in enumerate(happened)
    ]
    return replace(CROWD, events=pd.DataFrame(rows, columns=list(EVENT_COLUMNS)))


def asked(rule: Sequence, known: Frames, now: int) -> tuple[Bools, Floats]:
    """Truth and due instants."""
    clock = Clock("UTC", datetime.fromtimestamp(now, UTC))
    conditions = Conditions(Facts(known, clock), Shop("UTC", "EUR"), {})
    due = sequences.due(rule, conditions)
    truth = sequences.truth(rule, conditions)
    return truth, np.full(len(truth), np.nan) if due is None else due


def holds(rule: str, *events: Happened, now: int = 100) -> bool:
    truth, _ = asked(sequence(rule), history([events]), START + now * TICK)
    return bool(truth[0])


# the plain way


def plainly(rule: Sequence, events: Row[Happened], now: int) -> bool:
    """Try every event as the first, then every one as the next."""

    def times(asked_for: Events) -> list[int]:
        name, since = asked_for.argument, -np.inf
        for parameter in asked_for.parameters:
            assert isinstance(parameter, Condition)
            (offset,) = parameter.operands
            assert isinstance(offset, Offset)
            since = now + offset.amount * 60
        found = [START + tick * TICK for kind, tick in events if kind == name]
        return [at for at in found if since <= at <= now]

    def follows(step: Step, before: int, at: int) -> bool:
        between = times(step.without) if step.without else []
        late = step.within is not None and at > before + step.within.amount * 60
        return before < at and not late and not any(before < other < at for other in between)

    def goes_on(before: int, steps: Row[Step]) -> bool:
        if not steps:
            return True
        step, *rest = steps
        if not step.negated:
            return any(follows(step, before, at) and goes_on(at, rest) for at in times(step.events))
        end = before + step.within.amount * 60 if step.within else now
        return end <= now and not any(before < at <= end for at in times(step.events))

    return any(goes_on(at, rule.steps) for at in times(rule.first))


HAPPENED = st.tuples(st.sampled_from("ABC"), st.integers(0, 10))
PEOPLE = st.lists(
    st.lists(HAPPENED, max_size=7), min_size=len(CROWD.profiles), max_size=len(CROWD.profiles)
)
WITHIN = st.sampled_from(["", " WITHIN 1min", " WITHIN 2min", " WITHIN 3min"])


def names(*windows: str) -> st.SearchStrategy[str]:
    return st.builds(str.__add__, st.sampled_from("ABC"), st.sampled_from(["", *windows]))


@st.composite
def rules(draw: st.DrawFn, *windows: str) -> Sequence:
    words = [draw(names(*windows))]
    for _ in range(draw(st.integers(1, 3))):
        without = draw(st.one_of(st.just(""), names(*windows).map(" WITHOUT {}".format)))
        words.append(f"THEN {draw(names(*windows))}{draw(WITHIN)}{without}")
    if draw(st.booleans()):
        words[-1] = f"THEN NOT {draw(names(*windows))}{draw(WITHIN)}"
    return sequence(" ".join(words))


@given(rules("@1min", "@3min"), PEOPLE, st.integers(0, 16))
@settings(max_examples=80, deadline=None)
def test_the_plain_way_finds_the_same(
    rule: Sequence, people: list[list[Happened]], tick: int
) -> None:
    now = START + tick * TICK
    truth, _ = asked(rule, history(people), now)
    assert truth.tolist() == [plainly(rule, events, now) for events in people]


@given(rules("@1min", "@3min"), PEOPLE)
@settings(max_examples=30, deadline=None)
def test_time_alone_changes_it_only_when_due(rule: Sequence, people: list[list[Happened]]) -> None:
    """Asked at the last event, and at every later second at which anything can change."""
    now = START + 10 * TICK
    before, due = asked(rule, history(people), now)
    assert not (due <= now).any()
    for tick in range(11, 20):
        for later in (START + tick * TICK, START + tick * TICK + 1):
            waiting = ~(due <= later)
            truth = [plainly(rule, events, later) for events in people]
            assert np.array_equal(np.array(truth)[waiting], before[waiting])


# by hand


@pytest.mark.parametrize(
    ("rule", "events", "expected"),
    [
        ("A THEN B", [("A", 1), ("B", 2)], True),
        ("A THEN B", [("B", 1), ("A", 2)], False),
        ("A THEN B", [("A", 1), ("B", 1)], False),
        ("A THEN A", [("A", 1)], False),
        ("A THEN A", [("A", 1), ("A", 1)], False),
        ("A THEN A", [("A", 1), ("A", 2)], True),
        ("A THEN B WITHIN 1min", [("A", 1), ("B", 3)], True),
        ("A THEN B WITHIN 1min", [("A", 1), ("B", 4)], False),
        ("A THEN B WITHIN 1min", [("A", 1), ("A", 2), ("B", 4)], True),
        # counted from the event before, and only a chain's own events count
        ("A THEN B WITHIN 1min THEN C WITHIN 1min", [("A", 0), ("B", 2), ("C", 4)], True),
        ("A THEN B WITHIN 1min THEN C WITHIN 1min", [("A", 0), ("B", 3), ("C", 4)], False),
        ("A THEN B WITHIN 1min THEN C", [("A", 0), ("B", 2), ("B", 9), ("C", 10)], True),
        ("A THEN B WITHOUT C", [("A", 1), ("C", 2), ("B", 3)], False),
        ("A THEN B WITHOUT C", [("A", 1), ("C", 1), ("C", 3), ("B", 3)], True),
        ("A THEN B WITHOUT C", [("A", 1), ("C", 2), ("A", 3), ("B", 4)], True),
        ("A THEN B WITHOUT A", [("A", 1), ("A", 2), ("B", 3)], True),
        ("A THEN NOT B", [("A", 1)], True),
        ("A THEN NOT B", [("A", 1), ("B", 2)], False),
        ("A THEN NOT B", [("A", 2), ("B", 2)], True),
        ("A THEN NOT B", [("A", 1), ("B", 2), ("A", 3)], True),
        ("A THEN NOT B WITHIN 1min", [("A", 1), ("B", 3)], False),
        ("A THEN NOT B WITHIN 1min", [("A", 1), ("B", 4)], True),
        ("A THEN NOT B WITHIN 1min", [("A", 98)], True),
        ("A THEN NOT B WITHIN 1min", [("A", 99)], False),
        ("A THEN B THEN NOT C", [("A", 1), ("B", 2), ("C", 3)], False),
        ("A THEN B THEN NOT C", [("A", 1), ("C", 2), ("B", 3)], True),
        # what lies ahead has not happened
        ("A THEN B", [("A", 1), ("B", 101)], False),
        ("A THEN NOT B", [("A", 1), ("B", 101)], True),
    ],
)
def test_who_has_events_in_an_order(rule: str, events: list[Happened], expected: bool) -> None:
    assert holds(rule, *events) is expected


def test_nobody_shares_the_events_of_another() -> None:
    known = history([[("A", 1)], [("B", 2)], [("A", 1), ("B", 2)], []])
    truth, _ = asked(sequence("A THEN B"), known, START + 100 * TICK)
    assert truth.nonzero()[0].tolist() == [2]
    truth, _ = asked(sequence("A THEN NOT B"), known, START + 100 * TICK)
    assert truth.nonzero()[0].tolist() == [0]


def test_nobody_at_all() -> None:
    truth, due = asked(sequence("A@1h THEN NOT B WITHIN 1min"), frames([]), START)
    assert truth.tolist() == due.tolist() == []


def test_times_of_long_ago() -> None:
    """A platform's zero date does not run into the next customer's events."""
    long_ago = instant("0001-01-02T00:00:00")
    people = [Person(n, events=[Event(n, "A", long_ago)]) for n in (1, 2)]
    people[1].events.append(Event(3, "B", START))
    truth, _ = asked(sequence("A THEN B"), frames(people), START)
    assert truth.tolist() == [False, True]


def test_orders_and_events_in_one_sequence() -> None:
    person = buyer("2026-07-01T10:00:00")
    person.events = [Event(1, "Viewed", instant("2026-06-28T10:00:00"))]
    for within, expected in [("3d", True), ("71h", False), ("1w", True)]:
        rule = parse(f"events('Viewed') () THEN orders_placed () WITHIN {within}")
        assert isinstance(rule, Sequence)
        truth, _ = asked(rule, frames([person]), START)
        assert truth.tolist() == [expected]


# due


def due_ticks(rule: str, *events: Happened, now: int) -> float:
    """When it is due, in ticks."""
    _, due = asked(sequence(rule), history([events]), START + now * TICK)
    return float(due[0] - START) / TICK


@pytest.mark.parametrize(
    ("rule", "events", "expected"),
    [
        ("A THEN NOT B WITHIN 5min", [("A", 1)], 11),
        ("A THEN NOT B WITHIN 5min", [("A", 1), ("A", 2)], 11),
        ("A THEN NOT B WITHIN 5min", [("A", 1), ("B", 2), ("A", 3)], 13),
        ("A THEN NOT B WITHIN 5min", [("A", 1), ("B", 2)], None),
        ("A THEN NOT B WITHIN 1min", [("A", 1)], None),
        ("A THEN NOT B", [("A", 1)], None),
        ("A THEN B WITHIN 5min", [("A", 1)], None),
        ("A THEN B THEN NOT C WITHIN 5min", [("A", 1), ("B", 2)], 12),
        ("A THEN B THEN NOT C WITHIN 5min", [("A", 1)], None),
        # a second after the window has passed the event
        ("A@5min THEN B", [("A", 1), ("B", 2)], 11 + 1 / TICK),
        ("A THEN B WITHOUT C@5min", [("A", 1), ("C", 2), ("B", 3)], 12 + 1 / TICK),
        ("A THEN NOT B@5min WITHIN 1min", [("A", 1), ("B", 2)], 12 + 1 / TICK),
    ],
)
def test_due(rule: str, events: list[Happened], expected: float | None) -> None:
    found = due_ticks(rule, *events, now=4)
    assert found == pytest.approx(np.nan if expected is None else expected, nan_ok=True)


def test_windows_of_whole_days_are_due_at_midnight() -> None:
    known = history([[("A", 1), ("B", 2)], [("A", 1)], []])
    rule = parse("events('A') (date >= -1d OR amount > 5) THEN events('B') ()")
    assert isinstance(rule, Sequence)
    _, due = asked(rule, known, START + 100)
    midnight = instant("2026-07-17T00:00:00")
    assert due[:3].tolist() == pytest.approx([midnight, midnight, np.nan], nan_ok=True)
