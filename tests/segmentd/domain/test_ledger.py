"""What is pushed follows from wish and ledger, and never touches what others put there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from segmentd.domain.ledger import (
    Difference,
    Guard,
    LedgerState,
    Step,
    Target,
    decide,
    stop_for,
)

ADA = Target(1, "501", "ada@shopper.example")
S = LedgerState


def difference(wanted: bool, state: LedgerState | None, **more: bool | None) -> Difference:
    return replace(Difference("VIP", ADA, wanted, state, "vip"), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("case", "step"),
    [
        (difference(True, None), Step.ADD),
        (difference(True, None, observed=False), Step.ADD),
        (difference(True, None, observed=True), Step.NOTE_FOREIGN),
        (difference(True, S.PENDING), Step.ADD),
        (difference(True, S.PENDING, observed=True, observed_later=True), Step.ADD),
        (difference(True, S.DELIVERED), Step.NOTHING),
        (difference(True, S.DELIVERED, observed=True, observed_later=True), Step.NOTHING),
        (difference(True, S.DELIVERED, observed=False), Step.NOTHING),
        (difference(True, S.DELIVERED, observed=False, observed_later=True), Step.NOTE_TAKEN_OFF),
        (
            difference(True, S.DELIVERED, observed=False, observed_later=True, restore=True),
            Step.ADD,
        ),
        (difference(True, S.FOREIGN, observed=True), Step.NOTHING),
        (difference(True, S.FOREIGN, observed=False), Step.NOTHING),
        (difference(True, S.FOREIGN, observed=False, restore=True), Step.ADD),
        (difference(True, S.TAKEN_OFF), Step.NOTHING),
        (difference(True, S.TAKEN_OFF, restore=True), Step.ADD),
        (difference(True, S.REMOVED), Step.ADD),
        (difference(True, S.REMOVED, observed=True), Step.ADD),
        (difference(True, S.REMOVED, observed=True, observed_later=True), Step.NOTE_FOREIGN),
        (difference(True, S.REMOVED, observed=False, observed_later=True), Step.ADD),
        (difference(True, S.REJECTED), Step.NOTHING),
        (difference(True, S.REJECTED, restore=True), Step.NOTHING),
        (difference(False, None), Step.NOTHING),
        (difference(False, None, observed=True), Step.NOTHING),
        (difference(False, S.PENDING), Step.REMOVE),
        (difference(False, S.DELIVERED), Step.REMOVE),
        (difference(False, S.DELIVERED, observed=False), Step.REMOVE),
        (difference(False, S.DELIVERED, observed=False, observed_later=True), Step.FORGET),
        (difference(False, S.FOREIGN, observed=True), Step.FORGET),
        (difference(False, S.TAKEN_OFF), Step.FORGET),
        (difference(False, S.REMOVED), Step.NOTHING),
        (difference(False, S.REMOVED, observed=True), Step.NOTHING),
        (difference(False, S.REMOVED, observed=True, observed_later=True), Step.FORGET),
        (difference(False, S.REMOVED, observed=False), Step.NOTHING),
        (difference(False, S.REMOVED, observed=False, observed_later=True), Step.FORGET),
        (difference(False, S.REJECTED), Step.FORGET),
        (difference(False, None, shared=True), Step.NOTHING),
        (difference(False, S.PENDING, shared=True), Step.FORGET),
        (difference(False, S.DELIVERED, shared=True), Step.FORGET),
    ],
)
def test_every_branch_of_the_decision(case: Difference, step: Step) -> None:
    assert decide(case) is step


cases = st.builds(
    Difference,
    name=st.just("VIP"),
    target=st.just(ADA),
    wanted=st.booleans(),
    state=st.none() | st.sampled_from(LedgerState),
    segment=st.just("vip"),
    observed=st.none() | st.booleans(),
    observed_later=st.booleans(),
    restore=st.booleans(),
    shared=st.booleans(),
)


@given(cases)
def test_i4_only_what_is_ours_is_removed(case: Difference) -> None:
    if decide(case) is Step.REMOVE:
        assert not case.wanted
        assert not case.shared
        assert case.state in {S.PENDING, S.DELIVERED}


@given(cases)
def test_only_what_is_wanted_is_added(case: Difference) -> None:
    if decide(case) is Step.ADD:
        assert case.wanted
        assert case.state is not S.REJECTED


@given(cases)
def test_i9_what_is_delivered_and_still_there_is_left_alone(case: Difference) -> None:
    settled = replace(case, wanted=True, state=S.DELIVERED, observed=True)
    assert decide(settled) is Step.NOTHING


@dataclass
class Place:
    """One tag of one customer in the shop."""

    there: bool = False
    by_merchant: bool = False
    """The merchant put it there while we had nothing to do with it."""


class Pushing(RuleBasedStateMachine):
    """A customer who comes and goes, a merchant who meddles, and pushes that die half-way."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted = False
        self.state: LedgerState | None = None
        self.place = Place()
        self.changed_by_hand = False
        self.seen, self.seen_later = False, False
        self.unread = False
        """Whether the merchant changed something since the shop was read."""

    @rule()
    def the_customer_enters_or_leaves(self) -> None:
        self.wanted = not self.wanted

    @rule()
    def the_merchant_puts_it_there(self) -> None:
        if not self.place.there:
            self.place = Place(True, by_merchant=self.state not in {S.PENDING, S.DELIVERED})
            self.changed_by_hand = self.unread = True

    @rule()
    def the_merchant_takes_it_off(self) -> None:
        if self.place.there:
            self.place = Place()
            self.changed_by_hand = self.unread = True

    @rule()
    def a_read(self) -> None:
        """That is later than our last write only if somebody else wrote after us, or if it shows
        that we took it off."""
        self.seen = self.place.there
        ours = self.state is S.REMOVED and not self.seen
        self.seen_later = self.seen_later or self.unread or ours
        self.unread = False

    @rule()
    def a_push(self) -> None:
        self.a_read()
        self.push()

    @precondition(lambda self: not self.unread)
    @rule()
    def a_push_without_a_read(self) -> None:
        """What was seen last may be what our own writes made of it in the meantime."""
        self.push()

    @rule(sent=st.booleans())
    def a_push_that_dies(self, sent: bool) -> None:
        """After the intention was noted; the request may have arrived."""
        self.a_read()
        self.push(dies=True, sent=sent)

    def push(self, dies: bool = False, sent: bool = True) -> None:
        """As the pipeline does it."""
        sight = {"observed": self.seen, "observed_later": self.seen_later}
        step = decide(difference(self.wanted, self.state, **sight))
        if step in {Step.ADD, Step.REMOVE} and not dies:
            self.seen_later = False
        if step is Step.ADD:
            self.state = S.PENDING
            if sent:
                self.place.there = True
            if not dies:
                self.state = S.DELIVERED
        elif step is Step.REMOVE:
            assert not self.place.by_merchant, "a merchant's own tag was removed"
            self.state = S.PENDING
            if sent:
                self.place = Place()
            if not dies:
                self.state = S.REMOVED
        elif step is not Step.NOTHING:
            notes = {Step.NOTE_FOREIGN: S.FOREIGN, Step.NOTE_TAKEN_OFF: S.TAKEN_OFF}
            self.state = notes.get(step)

    @invariant()
    def what_the_merchant_put_there_stays_theirs(self) -> None:
        assert not self.place.by_merchant or self.place.there

    def teardown(self) -> None:
        """Left alone, two pushes settle it: wish and shop agree wherever we have a say."""
        self.a_push()
        self.a_push()
        before = (self.state, replace(self.place))
        self.a_push()
        assert (self.state, self.place) == before, "a settled push still does something"
        if self.state is S.DELIVERED:
            assert self.wanted
            assert self.place.there
        if not self.wanted:
            assert self.state is None
            assert not self.place.there or self.changed_by_hand
        if self.wanted and not self.changed_by_hand:
            assert self.place.there


TestPushing = Pushing.TestCase
TestPushing.settings = settings(max_examples=100, stateful_step_count=20, deadline=None)


@pytest.mark.parametrize(
    ("removals", "delivered", "held"),
    [
        ({"VIP": 10}, {"VIP": 10}, []),
        ({"VIP": 11}, {"VIP": 11}, ["VIP", "*"]),
        ({"VIP": 20}, {"VIP": 100, "New": 100}, []),
        ({"VIP": 20}, {"VIP": 100}, ["*"]),
        ({"VIP": 21}, {"VIP": 100, "New": 900}, ["VIP"]),
        ({"VIP": 20, "New": 20}, {"VIP": 100, "New": 100}, ["*"]),
        ({"VIP": 6, "New": 6}, {"VIP": 6, "New": 6}, ["*"]),
        ({"Old": 11}, {}, ["Old", "*"]),
        ({}, {"VIP": 100}, []),
    ],
)
def test_i7_the_guard(removals: dict[str, int], delivered: dict[str, int], held: list[str]) -> None:
    assert Guard().check(Counter(removals).elements(), Counter(delivered)) == held


counts = st.dictionaries(st.sampled_from(["VIP", "New", "Old"]), st.integers(1, 400))


@given(counts, counts)
def test_i7_what_passes_the_guard_is_bounded(
    removals: dict[str, int], delivered: dict[str, int]
) -> None:
    held = Guard().check(Counter(removals).elements(), Counter(delivered))
    if not held:
        assert sum(removals.values()) <= max(10, 0.10 * sum(delivered.values()))
        for name, count in removals.items():
            assert count <= max(10, 0.20 * delivered.get(name, 0))


@given(counts, counts)
def test_i7_more_removals_are_never_less_suspicious(
    removals: dict[str, int], delivered: dict[str, int]
) -> None:
    held = set(Guard().check(Counter(removals).elements(), Counter(delivered)))
    more = Counter(removals) + Counter(VIP=50)
    assert held <= set(Guard().check(more.elements(), Counter(delivered)))


@given(st.data(), counts, counts)
def test_i7_what_passed_the_guard_passes_it_when_a_part_is_removed(
    data: st.DataObject, removals: dict[str, int], more: dict[str, int]
) -> None:
    # who is removed was delivered
    delivered = Counter(removals) + Counter(more)
    gone = Counter({name: data.draw(st.integers(0, n)) for name, n in removals.items()})
    if not Guard().check(Counter(removals).elements(), delivered):
        rest = Counter(removals) - gone
        assert Guard().check(rest.elements(), delivered - gone) == []


def test_i7_the_stop_names_the_confirming_command() -> None:
    stop = stop_for(["VIP", "*"], 40, "a1b2")
    assert stop.message.startswith("40 removals")
    assert "(VIP)" in stop.message
    assert stop.hint is not None
    assert "segmentd push --confirm a1b2" in stop.hint
    assert "all names together" in stop_for(["*"], 40, "a1b2").message


def test_a_target_is_known_by_what_the_destination_needs() -> None:
    assert ADA.key("customer_id") == "501"
    assert ADA.key("email") == "ada@shopper.example"
    assert Target(1, None, None).key("customer_id") is None
