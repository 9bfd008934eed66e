"""What a push is told to do, and what it enters afterwards."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import pytest

from segmentd.domain.errors import LockedError
from segmentd.domain.ledger import Difference, LedgerState, Step, decide
from segmentd.domain.segments import PushTo
from segmentd.pipeline.ports import Lease, Wish
from segmentd.sdk.contract import Action, Change, Outcome, Receipt
from segmentd.store import Store, differences, open_store
from segmentd.store.bulk import Bulk
from shop_in_store import DAY, HOUR, NOW, TTL, Shop, customer, lease_of, order, rows

VIP = Wish("vip", PushTo("dest", "VIP"))
RESTORED = Wish("vip", PushTo("dest", "VIP", restore=True))


class Pushing:
    """A destination beside a shop with three customers, all in the segment ``vip``."""

    def __init__(self, store: Store, needs: str = "customer_id") -> None:
        self.store = store
        self.needs = needs
        self.shop = Shop(store)
        self.shop.save(*(customer(str(n), f"c{n}@shopper.example") for n in (1, 2, 3)))
        self.lease: Lease = lease_of(store, "destination:dest")
        for n in (1, 2, 3):
            self.enter("vip", self.shop.profile(str(n)))

    def enter(self, segment: str, profile_id: int) -> None:
        now = "0" if self.store._database.sqlite else "to_timestamp(0)"
        self._change(
            profile_id,
            "INSERT INTO memberships (profile_id, segment, since, cause) "
            f"VALUES ({profile_id}, '{segment}', {now}, 'data')",
        )

    def leave(self, customer_id: str, shop: Shop | None = None) -> None:
        profile_id = (shop or self.shop).profile(customer_id)
        self._change(profile_id, f"DELETE FROM memberships WHERE profile_id = {profile_id}")

    def _change(self, profile_id: int, statement: str) -> None:
        """As a pass does it."""
        with self.store._database.write() as connection:
            bulk = Bulk(connection, sqlite=self.store._database.sqlite)
            bulk.execute(statement)
            touched = bulk.take("touched", 1)
            bulk.execute(
                "UPDATE profiles SET touched = ? WHERE profile_id = ?", touched, profile_id
            )

    def differences(self, *wishes: Wish) -> list[Difference]:
        """What is to be done; a store that remembers nothing must find the same."""
        found = self._found(self.store, wishes)
        assert found == self._found(Store(self.store._database), wishes)
        return found

    def _found(self, store: Store, wishes: Sequence[Wish]) -> list[Difference]:
        source = "shop" if self.needs == "customer_id" else None
        found = store.differences("dest", source, self.needs, wishes)
        return sorted(found, key=lambda d: (d.name, d.target.key(self.needs) or "", d.wanted))

    def steps(self, *wishes: Wish) -> dict[str | None, Step]:
        """Target → what to do."""
        return {d.target.key(self.needs): decide(d) for d in self.differences(*wishes)}

    def note(self, state: LedgerState | None, differences: Sequence[Difference]) -> None:
        entries = [(difference, state) for difference in differences]
        self.store.note(self.lease, "dest", self.needs, entries, NOW)

    def record(
        self,
        action: Action,
        differences: Sequence[Difference],
        outcome: Outcome = Outcome.APPLIED,
        *,
        updated_at: datetime | None = None,
        remote_id: str | None = None,
        was_there: bool = False,
    ) -> None:
        receipts = []
        for d in differences:
            change = Change(action, d.name, d.target.customer_id, d.target.email, d.remote_id)
            receipts.append((d, Receipt(change, outcome, None, remote_id, updated_at, was_there)))
        self.store.record(self.lease, "dest", self.needs, receipts, NOW)

    def deliver(self, *wishes: Wish) -> None:
        """Everything that is wished for was put there just now."""
        self.record(Action.ADD, self.differences(*wishes), updated_at=NOW + HOUR)


@pytest.fixture
def tags(store: Store) -> Pushing:
    return Pushing(store)


@pytest.fixture
def lists(store: Store) -> Pushing:
    return Pushing(store, needs="email")


def test_members_are_to_be_added(tags: Pushing) -> None:
    (first, *_) = tags.differences(VIP)
    assert first == Difference(
        "VIP", first.target, wanted=True, state=None, segment="vip", observed=False
    )
    assert first.target.customer_id == "1"
    assert first.target.profile_id == tags.shop.profile("1")
    assert tags.steps(VIP) == dict.fromkeys(("1", "2", "3"), Step.ADD)


def test_nothing_is_left_to_do_after_the_receipts(tags: Pushing) -> None:
    tags.deliver(VIP)
    assert tags.differences(VIP) == []
    assert tags.store.delivered("dest") == {"VIP": 3}


def test_our_own_echo_is_no_difference(tags: Pushing) -> None:
    tags.deliver(VIP)
    for later in (HOUR, DAY):
        tags.shop.save(customer("1", "c1@shopper.example", tags=["vip"], at=NOW + later))
        assert tags.differences(VIP) == []


def test_a_tag_taken_off_by_hand_is_noted_once(tags: Pushing) -> None:
    tags.deliver(VIP)
    tags.shop.save(customer("1", "c1@shopper.example", tags=["other"], at=NOW + DAY))
    assert tags.steps(VIP) == {"1": Step.NOTE_TAKEN_OFF}
    assert tags.steps(RESTORED) == {"1": Step.ADD}
    tags.note(LedgerState.TAKEN_OFF, tags.differences(VIP))
    assert tags.differences(VIP) == []
    assert tags.steps(RESTORED) == {"1": Step.ADD}


def test_a_sight_older_than_our_write_says_nothing(tags: Pushing) -> None:
    tags.deliver(VIP)
    tags.shop.save(customer("1", "c1@shopper.example", tags=["other"], at=NOW + HOUR / 2))
    assert tags.differences(VIP) == []


def test_a_tag_that_was_there_before_is_the_merchants(tags: Pushing) -> None:
    tags.shop.save(customer("1", "c1@shopper.example", tags=["ViP "], at=NOW + HOUR))
    assert tags.steps(VIP)["1"] is Step.NOTE_FOREIGN
    tags.note(LedgerState.FOREIGN, tags.differences(VIP)[:1])
    assert set(tags.steps(VIP)) == {"2", "3"}
    tags.leave("1")
    assert tags.steps(VIP)["1"] is Step.FORGET
    tags.note(None, tags.differences(VIP)[:1])
    assert set(tags.steps(VIP)) == {"2", "3"}


def test_of_a_customer_known_by_id_alone_no_tag_was_seen(tags: Pushing) -> None:
    tags.shop.save(order("o1", "unread"))
    tags.enter("vip", tags.shop.profile("unread"))
    (difference,) = [d for d in tags.differences(VIP) if d.target.customer_id == "unread"]
    assert difference.observed is None
    assert decide(difference) is Step.ADD


def test_who_left_is_to_be_removed(tags: Pushing) -> None:
    tags.deliver(VIP)
    tags.leave("2")
    assert tags.steps(VIP) == {"2": Step.REMOVE}
    tags.record(Action.REMOVE, tags.differences(VIP))
    assert tags.differences(VIP) == []
    assert tags.store.delivered("dest") == {"VIP": 2}


def test_who_came_back_before_the_shop_was_read_again_is_to_be_added(tags: Pushing) -> None:
    """What was read before the removal still shows the tag: it is not the merchant's own."""
    tags.deliver(VIP)
    ours = customer("2", "c2@shopper.example", tags=["vip"], at=NOW + HOUR)
    tags.shop.save(ours)
    tags.leave("2")
    tags.record(Action.REMOVE, tags.differences(VIP), updated_at=NOW + 2 * HOUR)
    assert tags.differences(VIP) == []
    tags.shop.save(replace(ours, email="again@shopper.example"))
    tags.enter("vip", tags.shop.profile("2"))
    assert tags.steps(VIP) == {"2": Step.ADD}


@pytest.mark.parametrize("hours", [2, 3])
@pytest.mark.parametrize("there", [True, False])
def test_a_removal_is_forgotten_as_soon_as_it_is_read(
    tags: Pushing, hours: int, there: bool
) -> None:
    tags.deliver(VIP)
    tags.shop.save(customer("2", "c2@shopper.example", tags=["vip"], at=NOW + HOUR))
    tags.leave("2")
    tags.record(Action.REMOVE, tags.differences(VIP), updated_at=NOW + 2 * HOUR)
    seen = ["vip"] if there else []
    tags.shop.save(customer("2", "c2@shopper.example", tags=seen, at=NOW + hours * HOUR))
    if there and hours == 2:
        # in the second of the removal itself: nobody can tell which was first
        assert tags.differences(VIP) == []
        return
    assert tags.steps(VIP) == {"2": Step.FORGET}
    tags.note(None, tags.differences(VIP))
    tags.enter("vip", tags.shop.profile("2"))
    assert tags.steps(VIP) == {"2": Step.NOTE_FOREIGN if there else Step.ADD}


def test_names_that_nobody_wishes_any_more_are_removed(tags: Pushing) -> None:
    tags.deliver(VIP)
    assert tags.steps() == dict.fromkeys(("1", "2", "3"), Step.REMOVE)


def test_another_name_is_added_and_the_old_removed(tags: Pushing) -> None:
    tags.deliver(VIP)
    found = tags.differences(Wish("vip", PushTo("dest", "Gold")))
    assert [(d.name, decide(d)) for d in found] == [("Gold", Step.ADD)] * 3 + [
        ("VIP", Step.REMOVE)
    ] * 3


def test_another_spelling_is_no_other_name(tags: Pushing) -> None:
    """Shops ignore the case of tags: removing the old spelling would remove the new one."""
    tags.deliver(VIP)
    assert tags.differences(Wish("vip", PushTo("dest", " vip"))) == []


def test_two_segments_may_share_a_name(tags: Pushing) -> None:
    tags.enter("big", tags.shop.profile("1"))
    both = (VIP, Wish("big", PushTo("dest", "vip", restore=True)))
    found = tags.differences(*both)
    assert [(d.name, d.target.customer_id, d.restore) for d in found] == [
        ("VIP", "1", True), ("VIP", "2", True), ("VIP", "3", True),
    ]  # fmt: skip
    tags.deliver(*both)
    assert tags.differences(*both) == []
    assert [d.target.customer_id for d in tags.differences(both[1])] == ["2", "3"]


def test_a_write_that_was_noted_ahead_always_comes_again(tags: Pushing) -> None:
    tags.note(LedgerState.PENDING, tags.differences(VIP))
    assert tags.steps(VIP) == dict.fromkeys(("1", "2", "3"), Step.ADD)
    tags.leave("1")
    assert tags.steps(VIP)["1"] is Step.REMOVE
    assert tags.store.delivered("dest") == {"VIP": 3}


def test_guests_and_who_is_gone_are_no_targets(tags: Pushing) -> None:
    tags.shop.save(order("o1", email="guest@shopper.example"))
    tags.enter("vip", tags.shop.profile("guest:guest@shopper.example"))
    tags.shop.remove("customers", "1")
    assert set(tags.steps(VIP)) == {"2", "3"}


def test_of_who_is_gone_nothing_is_to_be_removed(tags: Pushing) -> None:
    tags.deliver(VIP)
    tags.shop.remove("customers", "1")
    assert tags.steps(VIP) == {"1": Step.FORGET}


def test_customers_of_another_shop_are_no_targets(tags: Pushing) -> None:
    other = Shop(tags.store, "other")
    other.save(customer("1", "c1@shopper.example"))
    tags.enter("vip", other.profile("1"))
    assert {d.target.profile_id for d in tags.differences(VIP)} == {
        tags.shop.profile(str(n)) for n in (1, 2, 3)
    }


def test_what_was_refused_is_not_asked_again(tags: Pushing) -> None:
    first, second, _ = tags.differences(VIP)
    tags.record(Action.ADD, [first], Outcome.REJECTED)
    tags.record(Action.ADD, [second], Outcome.GONE)
    assert set(tags.steps(VIP)) == {"3"}
    assert {(r.origin, r.kind, r.id) for r in tags.store.status().rejections} == {
        ("destination:dest", "VIP", "1"), ("destination:dest", "VIP", "2"),
    }  # fmt: skip
    tags.leave("1")
    assert tags.steps(VIP)["1"] is Step.FORGET


def test_what_goes_through_at_last_is_struck_off(tags: Pushing) -> None:
    first = tags.differences(VIP)[:1]
    tags.record(Action.ADD, first, Outcome.REJECTED)
    tags.record(Action.ADD, first, Outcome.REJECTED)
    assert tags.store.status().rejections[0].times == 2
    tags.record(Action.ADD, first)
    assert tags.store.status().rejections == []


def test_what_is_wished_no_more_is_struck_off(tags: Pushing) -> None:
    tags.record(Action.ADD, tags.differences(VIP)[:2], Outcome.GONE)
    tags.leave("1")
    tags.note(None, [d for d in tags.differences(VIP) if decide(d) is Step.FORGET])
    assert [r.id for r in tags.store.status().rejections] == ["2"]


def test_lists_go_by_email(lists: Pushing) -> None:
    found = lists.differences(VIP)
    assert [(d.target.email, d.target.customer_id, d.observed) for d in found] == [
        (f"c{n}@shopper.example", None, None) for n in (1, 2, 3)
    ]
    for n, each in enumerate(found):
        lists.record(Action.ADD, [each], remote_id=f"01H{n}")
    assert lists.differences(VIP) == []
    lists.leave("1")
    (difference,) = lists.differences(VIP)
    assert (difference.remote_id, decide(difference)) == ("01H0", Step.REMOVE)


def test_who_is_one_there_with_a_member_is_only_forgotten(lists: Pushing) -> None:
    first, second, third = lists.differences(VIP)
    lists.record(Action.ADD, [first, second], remote_id="01H")
    lists.record(Action.ADD, [third], remote_id="01I")
    assert lists.differences(VIP) == []
    lists.leave("1")
    lists.leave("3")
    assert lists.steps(VIP) == {
        "c1@shopper.example": Step.FORGET,
        "c3@shopper.example": Step.REMOVE,
    }
    lists.leave("2")
    assert set(lists.steps(VIP).values()) == {Step.REMOVE}


def test_who_is_refused_there_holds_nobody_on(lists: Pushing) -> None:
    first, second, _ = lists.differences(VIP)
    lists.record(Action.ADD, [first], remote_id="01H")
    lists.record(Action.ADD, [replace(second, remote_id="01H")], Outcome.REJECTED)
    lists.leave("1")
    assert lists.steps(VIP)["c1@shopper.example"] is Step.REMOVE


def test_one_name_holds_nobody_on_another(lists: Pushing) -> None:
    lists.record(Action.ADD, lists.differences(VIP), remote_id="01H")
    gold = Wish("vip", PushTo("dest", "Gold"))
    lists.record(Action.ADD, [d for d in lists.differences(gold) if d.wanted], remote_id="01H")
    assert set(lists.steps(gold).values()) == {Step.REMOVE}


@pytest.mark.parametrize(("remote_id", "held"), [("01H", 2), ("01I", 1)])
def test_who_was_there_as_another_of_ours_is_ours(
    lists: Pushing, remote_id: str, held: int
) -> None:
    first, second, _ = lists.differences(VIP)
    lists.record(Action.ADD, [first], remote_id="01H")
    lists.record(Action.ADD, [second], remote_id=remote_id, was_there=True)
    assert lists.store.delivered("dest") == {"VIP": held}


def test_profiles_with_one_email_are_one_target(lists: Pushing) -> None:
    other = Shop(lists.store, "other")
    other.save(customer("9", "C1@Shopper.example"))
    lists.enter("vip", other.profile("9"))
    assert len(lists.differences(VIP)) == 3
    lists.deliver(VIP)
    lists.leave("1")
    assert lists.differences(VIP) == []


def test_a_guest_can_be_on_a_list(lists: Pushing) -> None:
    lists.shop.save(order("o1", email="guest@shopper.example"))
    lists.enter("vip", lists.shop.profile("guest:guest@shopper.example"))
    assert "guest@shopper.example" in lists.steps(VIP)


def test_without_an_email_there_is_no_target(lists: Pushing) -> None:
    lists.shop.save(customer("9"))
    lists.enter("vip", lists.shop.profile("9"))
    assert len(lists.differences(VIP)) == 3


def test_a_changed_email_moves_the_person(lists: Pushing) -> None:
    lists.deliver(VIP)
    lists.shop.save(customer("1", "new@shopper.example", at=NOW + HOUR))
    assert lists.steps(VIP) == {
        "c1@shopper.example": Step.REMOVE, "new@shopper.example": Step.ADD,
    }  # fmt: skip


def test_who_shares_an_address_that_is_given_up(store: Store) -> None:
    """The ledger knows the address by the first profile that had it."""
    other = Shop(store, "other")
    other.save(customer("9", "c1@shopper.example"))
    lists = Pushing(store, needs="email")
    lists.enter("vip", other.profile("9"))
    lists.deliver(VIP)
    lists.leave("9", other)
    assert lists.differences(VIP) == []
    lists.shop.save(customer("1", "new@shopper.example", at=NOW + HOUR))
    assert lists.steps(VIP) == {
        "c1@shopper.example": Step.REMOVE, "new@shopper.example": Step.ADD,
    }  # fmt: skip


def test_who_was_removed_from_the_shop_is_taken_off_the_list(lists: Pushing) -> None:
    lists.deliver(VIP)
    lists.shop.remove("customers", "1")
    assert lists.steps(VIP) == {"c1@shopper.example": Step.REMOVE}


def test_destinations_do_not_mix(tags: Pushing) -> None:
    tags.deliver(VIP)
    assert list(tags.store.differences("other", "shop", "customer_id", [])) == []
    assert len(list(tags.store.differences("other", "shop", "customer_id", [VIP]))) == 3
    assert tags.store.delivered("other") == {}


def test_names_are_kept_per_destination(tags: Pushing) -> None:
    tags.store.save_names(tags.lease, "dest", {"VIP": "L1", "New": "L2"})
    tags.store.save_names(tags.lease, "dest", {"VIP": "L3"})
    assert tags.store.names("dest") == {"VIP": "L3", "New": "L2"}
    assert tags.store.names("other") == {}


def test_what_was_first_stays_first(tags: Pushing) -> None:
    tags.deliver(VIP)
    differences = tags.differences()
    entries = [(d, LedgerState.DELIVERED) for d in differences]
    tags.store.note(tags.lease, "dest", "customer_id", entries, NOW + DAY)
    found = rows(tags.store, "SELECT DISTINCT last_at > first_at FROM ledger")
    assert [bool(later) for (later,) in found] == [True]


def test_who_lost_the_lease_enters_nothing(tags: Pushing) -> None:
    tags.store.acquire("destination:dest", "elsewhere:1", TTL, NOW + TTL)
    with pytest.raises(LockedError):
        tags.deliver(VIP)
    assert tags.store.delivered("dest") == {}


def test_receipts_may_be_entered_while_differences_are_read(tags: Pushing) -> None:
    source = iter(tags.store.differences("dest", "shop", "customer_id", [VIP]))
    first = next(source)
    tags.record(Action.ADD, [first])
    assert len(list(source)) == 2
    assert len(tags.differences(VIP)) == 2


@pytest.mark.parametrize(
    "query",
    [
        differences._WANTED_TAGS,
        differences._UNWANTED_TAGS,
        differences._WANTED_LISTS,
        differences._UNWANTED_LISTS,
    ],
)
def test_looking_at_the_changed_alone_reads_no_whole_table(file_url: str, query: str) -> None:
    with open_store(file_url) as store:
        values, wished = differences._wishes([VIP])
        values.update(destination="dest", source="shop", profiles="[1]")
        plan = rows(
            store, f"EXPLAIN QUERY PLAN {store._spelled(wished, query, some=True)}", **values
        )
    steps = [str(step[3]) for step in plan]
    assert any("SEARCH m" in step for step in steps)
    for step in steps:
        # a bare "SCAN p" or "SCAN l" is one of what was found by the changed profiles
        assert not re.match(r"SCAN (m|e|c|ledger)\b|SCAN (p|l) USING", step)
        assert "(destination=?)" not in step
        assert "(source=?)" not in step


@pytest.mark.parametrize("needs", ["customer_id", "email"])
@pytest.mark.parametrize("seed", range(3))
def test_looking_at_the_changed_alone_finds_everything(store: Store, needs: str, seed: int) -> None:
    """A random walk; ``Pushing.differences`` compares each step with a comparison of everybody."""
    pushing, chance = Pushing(store, needs), random.Random(seed)
    other = Shop(store, "other")
    moves = (_edit_by_hand, _change_address, _share_address, _leave, _remove, _order_as_guest)
    for step in range(1, 15):
        chance.choice(moves)(pushing, other, chance, NOW + step * DAY)
        found = pushing.differences(VIP)
        adds = [d for d in found if decide(d) is Step.ADD]
        removals = [d for d in found if decide(d) is Step.REMOVE]
        forgotten = [d for d in found if decide(d) is Step.FORGET]
        pushing.record(Action.ADD, adds, updated_at=NOW + step * DAY)
        pushing.record(Action.REMOVE, removals)
        pushing.note(None, forgotten)
        pushing.note(LedgerState.TAKEN_OFF, [d for d in found if decide(d) is Step.NOTE_TAKEN_OFF])
        pushing.note(LedgerState.FOREIGN, [d for d in found if decide(d) is Step.NOTE_FOREIGN])
        assert pushing.differences(VIP) == []


def _edit_by_hand(pushing: Pushing, _other: Shop, chance: random.Random, at: datetime) -> None:
    number = chance.choice("123")
    tags = chance.choice([[], ["vip"], ["mine", "VIP"]])
    pushing.shop.save(customer(number, f"c{number}@shopper.example", tags=tags, at=at))


def _change_address(pushing: Pushing, _other: Shop, chance: random.Random, at: datetime) -> None:
    address = f"{chance.choice('abc')}@shopper.example"
    pushing.shop.save(customer(chance.choice("123"), address, tags=["vip"], at=at))


def _share_address(pushing: Pushing, other: Shop, chance: random.Random, at: datetime) -> None:
    number = chance.choice("123")
    other.save(customer(number, f"{chance.choice('abc')}@shopper.example", at=at))
    profile = other.profile(number)
    if not _segments(pushing, profile) and chance.random() < 0.5:
        pushing.enter("vip", profile)


def _segments(pushing: Pushing, profile: int) -> set[str]:
    return {m.segment for m in pushing.store.memberships() if m.profile_id == profile}


def _leave(pushing: Pushing, _other: Shop, chance: random.Random, _at: datetime) -> None:
    pushing.leave(chance.choice("123"))


def _remove(pushing: Pushing, _other: Shop, chance: random.Random, _at: datetime) -> None:
    pushing.shop.remove("customers", chance.choice("123"))


def _order_as_guest(pushing: Pushing, _other: Shop, chance: random.Random, at: datetime) -> None:
    address = f"{chance.choice('abc')}@shopper.example"
    pushing.shop.save(order(f"o{at}", email=address, at=at))
    (profile, *_) = pushing.store.find(address)
    if "vip" not in _segments(pushing, profile):
        pushing.enter("vip", profile)
