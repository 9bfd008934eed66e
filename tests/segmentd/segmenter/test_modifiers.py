"""What decides beside the rule, as explanations tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
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
    pins = [pin for each in (segment, *others) for pin in each.pins]
    ruleset = ruleset.pinning({pin.customer: [1] for pin in pins if "ann" in pin.customer})
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
    assert (told.holds, told.member, told.notes) == (False, holds, (note,))


def test_a_pin_out_wins_and_comes_last() -> None:
    pins = (Pin("ann@shopper.example", False, "staff"), Pin("ann@shopper.example", True, "friend"))
    told = why(ann(), pins=pins, where="amount_spent > 1")
    assert told.to_text().splitlines() == [
        "yes  amount spent is above 1 EUR; it is 40.00 EUR; orders 1, 2",
        "     pinned in: friend",
        "     pinned out: staff",
        "     so not a member, though the rule holds",
    ]


def test_a_pin_that_ends_is_when_it_ends() -> None:
    told = why(ann(), pins=(Pin("ann@shopper.example", True, "on trial", date(2026, 7, 31)),))
    assert told.change == "ends on 2026-08-01 00:00 if nothing is ordered"
    assert told.to_text().splitlines() == [
        "no   amount spent is at least 100 EUR; it is 40.00 EUR; orders 1, 2",
        "     pinned in until 2026-08-01 00:00: on trial",
        "     so a member, though the rule does not hold; "
        "ends on 2026-08-01 00:00 if nothing is ordered",
    ]
    assert told.to_line() == (
        "not: amount spent is at least 100 EUR (40.00 EUR); "
        "pinned in until 2026-08-01 00:00: on trial"
    )
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
    assert (told.holds, told.member) == (False, holds)
    assert note.startswith("a member stays one while amount spent is at least")
    assert note.endswith(verdict)
    assert why(member(), stays=stays, where="amount_spent > 1").notes == ()


def test_grace() -> None:
    told = why(member(lapsing="2026-07-10T00:00:00"), grace=14)
    assert (told.holds, told.member) == (False, True)
    assert told.notes == ("a member by grace since 2026-07-10 00:00, until 2026-07-24 00:00",)
    assert told.change == "ends on 2026-07-24 00:00 if nothing is ordered"
    over = why(member(lapsing="2026-06-10T00:00:00"), grace=14)
    assert (over.holds, over.member, over.notes) == (False, False, ())


@pytest.mark.parametrize(
    ("cut", "holds", "end"),
    [
        ("5000.0 1.0 1.0 -9.0", False, "the last member has 50.00 EUR"),
        ("3000.0 1.0 1.0 -9.0", True, "the last member has 30.00 EUR"),
        (
            "4000.0 3.0 1.0 -9.0",
            False,
            "the last member has 40.00 EUR (of equals more orders win, then later ones)",
        ),
        ("-inf", True, "and there is room"),
        (None, False, "and who they are is not computed yet"),
    ],
)
def test_limits(cut: str | None, holds: bool, end: str) -> None:
    known = {} if cut is None else {"LIMIT 5 asked": cut}
    told = why(ann(), known, where="amount_spent > 1", limit=Limit(5, "amount_spent"))
    (note,) = told.notes
    assert (told.holds, told.member) == (True, holds)
    assert note == (
        f"at most 5 members, those with the most of amount spent: it is 40.00 EUR, {end}"
    )
    assert ("so not a member" in told.to_text()) is not holds


def test_who_has_nothing_to_be_ranked_by() -> None:
    limit = Limit(5, "average_order_value")
    told = why(Person(1), {"LIMIT 5 asked": "-inf"}, where="number_of_orders = 0", limit=limit)
    assert (told.holds, told.member) == (True, False)
    assert told.notes[0].endswith("it is unknown, and nobody is let in without it")


def test_the_least_of_a_limit() -> None:
    told = why(
        ann(),
        {"LIMIT 5 asked": "-5000.0 1.0 1.0 -9.0"},
        where="amount_spent > 1",
        limit=Limit(5, "amount_spent", least=True),
    )
    assert told.member
    assert told.notes[0].endswith("it is 40.00 EUR, the last member has 50.00 EUR")


GOLD = Segment("gold", "Gold", "number_of_orders >= 2")


def test_sets() -> None:
    first = [ExclusiveSet("tier", ("gold", "asked"))]
    told = why(ann(), others=[GOLD], sets=first, where="amount_spent > 1")
    assert told.to_text().splitlines() == [
        "yes  amount spent is above 1 EUR; it is 40.00 EUR; orders 1, 2",
        "     of its set, segment 'gold' comes first",
        "     so not a member, though the rule holds",
    ]
    assert (told.to_dict()["holds"], told.to_dict()["member"]) == (True, False)
    assert told.change is None


def test_a_later_segment_of_a_set_decides_by_a_pin_only() -> None:
    last = [ExclusiveSet("tier", ("asked", "gold"))]
    told = why(ann(), others=[GOLD], sets=last)
    assert (told.holds, told.member, told.notes) == (False, False, ())
    pinned = replace(GOLD, pins=(Pin("ann@shopper.example", True, "a friend"),))
    told = why(ann(), others=[pinned], sets=last, where="amount_spent > 1")
    assert (told.holds, told.member) == (True, False)
    assert told.notes == ("of its set, a pin chooses segment 'gold'",)
    pins = (Pin("ann@shopper.example", True, "no, here"),)
    told = why(ann(), others=[pinned], sets=last, pins=pins)
    assert (told.member, told.notes) == (True, ("pinned in: no, here",))


def test_what_decides_about_another_segment_is_told_with_it() -> None:
    gold = replace(GOLD, pins=(Pin("ann@shopper.example", False, "staff"),))
    told = why(ann(), others=[gold], where="segment('gold')")
    assert (told.holds, told.member, told.value) == (False, False, "no member")
    assert told.to_text().splitlines()[1:] == [
        "  yes  number of orders is at least 2; it is 2; orders 1, 2; ends with 1 order cancelled",
        "       pinned out: staff",
    ]
