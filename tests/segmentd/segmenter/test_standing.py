"""Staying, grace, limits, pins and exclusive sets, each alone and one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from segmentd.domain.segments import ExclusiveSet, Limit, Pin, Segment
from segmentd.segmenter.evaluate import Decision, candidates, evaluate
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.ruleset import Ruleset, Shop, compile_segments
from segmentd.segmenter.thresholds import PopulationTable, threshold
from segmenter_oracle.histories import Membership, Order, Person, frames

NOW = datetime(2026, 7, 15, 12, tzinfo=UTC)
DAY = 86_400
AT = int(NOW.timestamp())
SHOP = Shop("Europe/Berlin", "EUR")
RICH, STAYS = "amount_spent >= 100", "amount_spent >= 50"


def spender(number: int, spent: int, *rows: Membership) -> Person:
    """Somebody with one order of so many euros, and the memberships so far."""
    order = Order(number, AT - 40 * DAY, spent * 100)
    return Person(number, orders=[order] if spent else [], memberships=list(rows))


def member(key: str = "vip", since: int = AT - 30 * DAY, lapsing: int | None = None) -> Membership:
    return Membership(key, since, lapsing_at=lapsing)


def vip(where: str = RICH, **rest: object) -> Segment:
    return Segment("vip", "VIP", where, **rest)  # type: ignore[arg-type]


def compiled(*segments: Segment, sets: Sequence[ExclusiveSet] = ()) -> Ruleset:
    """The pins of a segment name profiles by their numbers."""
    ruleset = compile_segments(segments, SHOP, sets=sets)
    return ruleset.pinning({name: [int(name)] for name in ruleset.customers})


def decide(ruleset: Ruleset, people: Sequence[Person], now: datetime = NOW) -> Decision:
    known = frames(people)
    return evaluate(ruleset, known, now, cuts(ruleset, known, now))


def cuts(ruleset: Ruleset, known: Frames, now: datetime = NOW) -> dict[str, str]:
    table = candidates(ruleset, known, now, {}).reset_index()
    return {
        name: threshold(name, PopulationTable(table.rename(columns={name: "value"})))
        for name in ruleset.limits
    }


def inside(decision: Decision, key: str = "vip") -> list[int]:
    members: pd.Series[bool] = decision.members[key]
    return [int(number) for number in members.index[members]]


def pin(number: int, *, member: bool = True, until: date | None = None) -> Pin:
    return Pin(str(number), member, "a person said so", until)


# staying and grace


def test_only_a_member_stays_by_the_second_rule() -> None:
    people = [
        spender(1, 70),
        spender(2, 70, member()),
        spender(3, 20, member()),
        spender(4, 70, Membership("vip", AT - 30 * DAY, AT - 5 * DAY)),
        spender(5, 70, member("other")),
        spender(6, 100),
    ]
    assert inside(decide(compiled(vip(stays=STAYS)), people)) == [2, 6]


def test_a_membership_counts_as_of_now() -> None:
    later = [spender(1, 70, member(since=AT + 1)), spender(2, 70, member(since=AT))]
    left = [
        spender(3, 70, Membership("vip", AT - DAY, AT)),
        spender(4, 70, Membership("vip", AT - DAY, AT + 1)),
    ]
    assert inside(decide(compiled(vip(stays=STAYS)), [*later, *left])) == [2, 4]


def test_grace_begins_when_the_rules_cease_to_hold_and_ends_to_the_second() -> None:
    ruleset = compiled(vip(grace=30))
    begun = AT - 30 * DAY
    people = [
        spender(1, 20, member()),  # since now
        spender(2, 20, member(lapsing=begun + 1)),  # one second is left
        spender(3, 20, member(lapsing=begun)),  # over
        spender(4, 20),
        spender(5, 200, member(lapsing=begun + 1)),  # fulfils the rule again
    ]
    decision = decide(ruleset, people)
    assert inside(decision) == [1, 2, 5]
    assert decision.lapsing["vip"].tolist()[:2] == [AT, begun + 1]
    assert decision.lapsing["vip"].isna().tolist() == [False, False, True, True, True]
    assert decision.due.tolist()[:2] == [AT + 30 * DAY, AT + 1]
    assert decision.due.isna().tolist() == [False, False, True, True, True]


def test_grace_begins_after_the_second_rule() -> None:
    ruleset = compiled(vip(stays=STAYS, grace=30))
    decision = decide(ruleset, [spender(1, 70, member(lapsing=AT - DAY)), spender(2, 20, member())])
    assert inside(decision) == [1, 2]
    assert np.isnan(decision.lapsing["vip"].loc[1])
    assert decision.lapsing["vip"].loc[2] == AT


def test_without_grace_nobody_lapses() -> None:
    decision = decide(compiled(vip(stays=STAYS)), [spender(1, 20, member())])
    assert inside(decision) == []
    assert decision.lapsing.columns.to_list() == []


def test_who_is_not_known_yet_is_no_member_whatever_was_said() -> None:
    stranger = spender(1, 0, member())
    stranger.created_at = AT + DAY
    ruleset = compiled(vip("NOT amount_spent > 5", stays=STAYS, grace=9, pins=(pin(1),)))
    assert inside(decide(ruleset, [stranger])) == []


# limits


def test_a_limit_takes_the_best_of_those_who_would_be_members() -> None:
    people = [spender(1, 500), spender(2, 300), spender(3, 400), spender(4, 90)]
    limited = compiled(vip(limit=Limit(2, "amount_spent")))
    assert inside(decide(limited, people)) == [1, 3]
    least = compiled(vip(limit=Limit(2, "amount_spent", least=True)))
    assert inside(decide(least, people)) == [2, 3]
    wide = compiled(vip(limit=Limit(9, "amount_spent")))
    assert inside(decide(wide, people)) == [1, 2, 3]


def test_who_has_nothing_to_rank_by_is_not_let_in() -> None:
    people = [spender(1, 0), spender(2, 300)]
    everybody = vip("NOT amount_spent < 0", limit=Limit(5, "average_order_value"))
    assert inside(decide(compiled(everybody), people)) == [2]
    counted = vip("NOT amount_spent < 0", limit=Limit(5, "sum_amount OF orders_placed ()"))
    assert inside(decide(compiled(counted), people)) == [1, 2]


def test_members_by_grace_compete_for_the_places_too() -> None:
    people = [spender(1, 90, member()), spender(2, 300), spender(3, 200)]
    ruleset = compiled(vip(grace=5, limit=Limit(2, "number_of_orders")))
    # all have one order on the same day: the older record is first
    assert inside(decide(ruleset, people)) == [1, 2]


def test_without_a_cut_a_limited_segment_has_nobody() -> None:
    ruleset = compiled(vip(limit=Limit(2, "amount_spent")))
    decision = evaluate(ruleset, frames([spender(1, 500)]), NOW, {})
    assert inside(decision) == []


def test_a_rank_that_moves_with_time_is_looked_at_again() -> None:
    by = "sum_amount OF orders_placed (date >= -90d)"
    decision = decide(compiled(vip(limit=Limit(2, by))), [spender(1, 500)])
    # the order of 40 days ago leaves the window after 51 days, at a midnight in Berlin
    leaves = datetime(2026, 9, 3, 22, tzinfo=UTC)
    assert decision.due.loc[1] == leaves.timestamp()


# pins


def test_pins_come_after_all_rules_and_out_wins() -> None:
    pins = (pin(1), pin(2, member=False), pin(3), pin(3, member=False))
    ruleset = compiled(vip(pins=pins, limit=Limit(1, "amount_spent")))
    people = [spender(1, 0), spender(2, 900), spender(3, 500), spender(4, 400)]
    # the limit gives its place to 2, who is pinned out
    assert inside(decide(ruleset, people)) == [1]


def test_a_pin_ends_with_its_day_in_the_shop() -> None:
    ruleset = compiled(vip(pins=(pin(1, until=date(2026, 7, 15)), pin(2))))
    people = [spender(1, 0), spender(2, 0)]
    end = datetime(2026, 7, 15, 22, tzinfo=UTC)
    before = decide(ruleset, people, end - timedelta(seconds=1))
    assert inside(before) == [1, 2]
    assert before.due.loc[1] == end.timestamp()
    assert np.isnan(before.due.loc[2])
    after = decide(ruleset, people, end)
    assert inside(after) == [2]
    assert np.isnan(after.due.loc[1])


def test_of_two_pins_the_first_end_is_due() -> None:
    pins = (pin(1, until=date(2026, 7, 20)), pin(1, member=False, until=date(2026, 7, 16)))
    decision = decide(compiled(vip(pins=pins)), [spender(1, 0)])
    assert inside(decision) == []
    assert decision.due.loc[1] == datetime(2026, 7, 16, 22, tzinfo=UTC).timestamp()


def test_who_came_in_by_a_pin_has_grace_from_then_on() -> None:
    ruleset = compiled(vip(grace=30, pins=(pin(1, until=date(2026, 7, 15)),)))
    first = decide(ruleset, [spender(1, 0)])
    assert first.lapsing["vip"].loc[1] == AT
    # as a member he is seen with other eyes: looked at again at once
    assert first.due.loc[1] == AT + 1
    again = decide(ruleset, [spender(1, 0, member(since=AT, lapsing=AT))], NOW + timedelta(days=2))
    assert inside(again) == [1]
    assert again.due.loc[1] == AT + 30 * DAY


# exclusive sets

TIERS = [ExclusiveSet("tiers", ("gold", "silver", "bronze"))]


def tiers(**pins: tuple[Pin, ...]) -> Ruleset:
    rules = {"bronze": 10, "gold": 300, "silver": 100}
    segments = [
        Segment(key, key, f"amount_spent >= {least}", pins=pins.get(key, ()))
        for key, least in rules.items()
    ]
    return compiled(*segments, sets=TIERS)


def place(decision: Decision) -> dict[int, list[str]]:
    rows = decision.members.to_dict("index")
    return {
        int(str(number)): [str(key) for key, is_member in row.items() if is_member]
        for number, row in rows.items()
    }


def test_the_first_of_a_set_wins() -> None:
    people = [spender(1, 400), spender(2, 200), spender(3, 50), spender(4, 5)]
    decision = decide(tiers(), people)
    assert place(decision) == {1: ["gold"], 2: ["silver"], 3: ["bronze"], 4: []}


def test_a_pin_into_a_later_segment_beats_the_rules_of_earlier_ones() -> None:
    people = [spender(1, 400), spender(2, 200), spender(3, 50)]
    ruleset = tiers(bronze=(pin(1),), gold=(pin(3),), silver=(pin(2, member=False),))
    assert place(decide(ruleset, people)) == {1: ["bronze"], 2: ["bronze"], 3: ["gold"]}


def test_of_two_pins_in_a_set_the_first_segment_wins() -> None:
    ruleset = tiers(bronze=(pin(1),), silver=(pin(1),))
    assert place(decide(ruleset, [spender(1, 400)])) == {1: ["silver"]}


def test_a_pin_in_a_set_that_has_ended_gives_way() -> None:
    ruleset = tiers(bronze=(pin(1, until=date(2026, 7, 14)),))
    assert place(decide(ruleset, [spender(1, 400)])) == {1: ["gold"]}


# segments about segments


def test_rules_see_what_became_of_other_segments_in_the_end() -> None:
    ruleset = compiled(
        Segment("fans", "Fans", "segment('vip') OR LEFT segment('vip') IS NOT NULL"),
        vip(stays=STAYS, pins=(pin(3, member=False),)),
    )
    people = [spender(1, 70, member()), spender(2, 70), spender(3, 500), spender(4, 20, member())]
    decision = decide(ruleset, people)
    assert inside(decision) == [1]
    assert inside(decision, "fans") == [1, 4]


@pytest.mark.parametrize("count", [1, 3])
def test_a_second_look_finds_the_same(count: int) -> None:
    """Whoever is not due in a second is decided the same once the decision is stored."""
    chooser = np.random.default_rng(count)
    pins = tuple(pin(n, member=bool(n % 2)) for n in range(1, 60, 7))
    ruleset = compiled(
        vip(stays=STAYS, grace=3, pins=pins, limit=Limit(15, "amount_spent")),
        Segment("silver", "S", STAYS, grace=2, pins=pins[::2]),
        sets=[ExclusiveSet("tiers", ("silver", "vip"))],
    )
    people = [
        spender(n, int(chooser.integers(0, 200)), *([member()] if chooser.random() < 0.5 else []))
        for n in range(1, 60)
    ]
    known = frames(people)
    cut = cuts(ruleset, known)
    first = evaluate(ruleset, known, NOW, cut)
    for person in people:
        person.memberships = [_row(first, key, person) for key in inside_of(first, person)]
    again = evaluate(ruleset, frames(people), NOW, cut)
    settled = first.due != AT + 1
    assert 0 < settled.sum() < len(people)
    pd.testing.assert_frame_equal(first.members[settled], again.members[settled])
    pd.testing.assert_frame_equal(first.lapsing[settled], again.lapsing[settled])


def inside_of(decision: Decision, person: Person) -> list[str]:
    return place(decision)[person.id]


def _row(decision: Decision, key: str, person: Person) -> Membership:
    lapsing = decision.lapsing[key].loc[person.id]
    return member(key, AT, None if np.isnan(lapsing) else int(lapsing))
