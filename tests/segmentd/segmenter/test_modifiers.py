"""What decides beside the rule, as explanations tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest

from segmentd.domain.segments import ExclusiveSet, Limit, Pin, Segment
from segmentd.segmenter.explain import Explanation, explain
from segmentd.segmenter.ruleset import Shop, compile_segments
from segmenter_oracle.asking import NOW, buyer, instant
from segmenter_oracle.histories import PRODUCTS, Membership, Person, frames

BERLIN = "Europe/Berlin"
RULE = "amount_spent >= 100"


def ann() -> Person:
    """Two orders of 20 EUR."""
    person = buyer("2026-07-01T10:00:00", "2026-06-01T10:00:00", zone=BERLIN, total=2000)
    person.email = "Ann@shopper.example"
    return person


def member(since: str = "2026-07-02T00:00:00", lapsing: str | None = None) -> Person:
    person = ann()
    end = None if lapsing is None else instant(lapsing, BERLIN)
    person.memberships = [Membership("asked", instant(since, BERLIN), None, end)]
    return person


def why(
    person: Person,
    thresholds: Mapping[str, str] | None = None,
    *,
    others: Sequence[Segment] = (),
    sets: Sequence[ExclusiveSet] = (),
    **settings: Any,
) -> Explanation:
    segment = Segment("asked", "Asked", settings.pop("where", RULE), **settings)
    ruleset = compile_segments([segment, *others], Shop(BERLIN, "EUR"), sets=sets)
    ruleset = ruleset.pinning({pin.customer: [1] for pin in segment.pins if "ann" in pin.customer})
    now = datetime.fromtimestamp(instant(NOW, BERLIN), UTC)
    return explain(ruleset, "asked", frames([person], PRODUCTS), now, thresholds or {})


def test_a_plain_segment_has_nothing_to_say() -> None:
    assert why(ann()).notes == ()


@pytest.mark.parametrize(
    ("pin", "holds", "note"),
    [
        (Pin("ann@shopper.example", True, "a friend"), True, "pinned in: a friend"),
        (
            Pin("ann@shopper.example", True, "on trial", date(2026, 7, 31)),
            True,
            "pinned in until 2026-08-01 00:00: on trial",
        ),
        (Pin("ann@shopper.example", False, "staff"), False, "pinned out: staff"),
    ],
)
def test_pins(pin: Pin, holds: bool, note: str) -> None:
    told = why(ann(), pins=(pin, Pin("bob@shopper.example", True, "another")))
    assert (told.holds, told.notes) == (holds, (note,))


def test_a_pin_that_ends_is_when_it_ends() -> None:
    told = why(ann(), pins=(Pin("ann@shopper.example", True, "on trial", date(2026, 7, 31)),))
    assert told.change == "ends on 2026-08-01 00:00 if nothing is ordered"
    assert why(ann(), pins=(Pin("ann@shopper.example", True, "x", date(2026, 7, 1)),)).notes == ()


@pytest.mark.parametrize(
    ("stays", "person", "holds", "verdict"),
    [
        ("amount_spent >= 30", member(), True, "which holds"),
        ("amount_spent >= 50", member(), False, "which does not hold"),
        ("amount_spent >= 30", ann(), False, "which holds"),
    ],
)
def test_staying(stays: str, person: Person, holds: bool, verdict: str) -> None:
    told = why(person, stays=stays)
    (note,) = told.notes
    assert told.holds == holds
    assert note.startswith("a member stays one while amount spent is at least")
    assert note.endswith(verdict)
    assert why(member(), stays=stays, where="amount_spent > 1").notes == ()


def test_grace() -> None:
    told = why(member(lapsing="2026-07-10T00:00:00"), grace=14)
    assert told.holds
    assert told.notes == ("a member by grace since 2026-07-10 00:00, until 2026-07-24 00:00",)
    assert told.change == "ends on 2026-07-24 00:00 if nothing is ordered"
    over = why(member(lapsing="2026-06-10T00:00:00"), grace=14)
    assert (over.holds, over.notes) == (False, ())


@pytest.mark.parametrize(
    ("cut", "holds", "end"),
    [
        ("5000.0 1.0 1.0 -9.0", False, "the last member has 50.00 EUR"),
        ("3000.0 1.0 1.0 -9.0", True, "the last member has 30.00 EUR"),
        ("-inf", True, "and there is room"),
    ],
)
def test_limits(cut: str, holds: bool, end: str) -> None:
    told = why(
        ann(), {"LIMIT 5 asked": cut}, where="amount_spent > 1", limit=Limit(5, "amount_spent")
    )
    (note,) = told.notes
    assert told.holds == holds
    assert note == (
        f"at most 5 members, those with the most of amount spent: it is 40.00 EUR, {end}"
    )


def test_the_least_of_a_limit() -> None:
    told = why(
        ann(),
        {"LIMIT 5 asked": "-5000.0 1.0 1.0 -9.0"},
        where="amount_spent > 1",
        limit=Limit(5, "amount_spent", least=True),
    )
    assert told.holds
    assert told.notes[0].endswith("it is 40.00 EUR, the last member has 50.00 EUR")


def test_sets() -> None:
    gold = Segment("gold", "Gold", "number_of_orders >= 2")
    told = why(
        ann(),
        others=[gold],
        sets=[ExclusiveSet("tier", ("gold", "asked"))],
        where="amount_spent > 1",
    )
    assert not told.holds
    assert told.notes == ("of its set, segment 'gold' comes first",)
    assert told.change is None
