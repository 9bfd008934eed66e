"""What is told of the past."""

from __future__ import annotations

from datetime import datetime
from itertools import count

import pytest
from sqlalchemy import event

from segmentd.domain.memberships import Cause
from segmentd.pipeline.history import Edit, Flow, Interval
from segmentd.store import open_store
from shop_in_store import DAY, NOW, Shop, customer, order

_numbers = count(1)


def change(
    shop: Shop, who: str, entered: int, at: datetime, cause: str = "data", version: str = "v1",
    segment: str = "vip",
) -> None:  # fmt: skip
    """Somebody entered or left."""
    shop.insert(
        "membership_changes", change_id=next(_numbers), profile_id=shop.profile(who),
        segment=segment, entered=entered, at=at, cause=cause, version=version,
    )  # fmt: skip


def rule(shop: Shop, version: str, text: str, since: datetime, current: int) -> None:
    """A version of the rule of ``vip``."""
    shop.insert(
        "segments", segment="vip", version=version, title="VIP", rule=text, since=since,
        current=current,
    )  # fmt: skip


@pytest.fixture
def people(shop: Shop) -> Shop:
    """Customers 1 to 3."""
    shop.save(*(customer(str(number)) for number in (1, 2, 3)))
    return shop


def test_flows_are_counted_by_pass_and_cause(people: Shop) -> None:
    for who in ("1", "2"):
        change(people, who, 1, NOW, Cause.RULE)
    change(people, "1", 0, NOW + DAY)
    change(people, "3", 1, NOW + DAY)
    change(people, "2", 0, NOW + DAY, Cause.TIME)
    change(people, "2", 1, NOW, segment="other")
    assert people.store.flows("vip") == [
        Flow(NOW, "rule", 2, 0),
        Flow(NOW + DAY, "data", 1, 1),
        Flow(NOW + DAY, "time", 0, 1),
    ]
    assert people.store.flows("nobody") == []


def test_what_a_pass_of_a_later_time_changed_counts_when_the_clock_is_put_back(
    people: Shop,
) -> None:
    change(people, "1", 1, NOW)
    change(people, "1", 0, NOW + 400 * DAY, Cause.TIME)
    change(people, "1", 1, NOW + DAY, Cause.TIME)
    change(people, "2", 1, NOW + 2 * DAY)
    change(people, "3", 1, NOW + 500 * DAY)
    assert people.store.flows("vip") == [
        Flow(NOW, "data", 1, 0),
        Flow(NOW + DAY, "time", 0, 1),
        Flow(NOW + DAY, "time", 1, 0),
        Flow(NOW + 2 * DAY, "data", 1, 0),
        Flow(NOW + 500 * DAY, "data", 1, 0),
    ]


def test_intervals_of_a_person(people: Shop) -> None:
    change(people, "1", 1, NOW, Cause.RULE)
    change(people, "1", 1, NOW + DAY, segment="other")
    change(people, "1", 0, NOW + 2 * DAY, Cause.TIME, "v2")
    change(people, "1", 1, NOW + 3 * DAY, Cause.DATA, "v2")
    assert people.store.intervals(people.profile("1")) == [
        Interval("vip", NOW, NOW + 2 * DAY, "rule", "time", "v1"),
        Interval("other", NOW + DAY, None, "data", None, "v1"),
        Interval("vip", NOW + 3 * DAY, None, "data", None, "v2"),
    ]
    assert people.store.intervals(people.profile("2")) == []


def test_no_interval_ends_before_it_begins_when_the_clock_was_put_back(people: Shop) -> None:
    change(people, "1", 1, NOW + 2 * DAY)
    change(people, "1", 0, NOW, Cause.TIME)
    change(people, "1", 1, NOW + DAY)
    assert people.store.intervals(people.profile("1")) == [
        Interval("vip", NOW, NOW, "data", "time", "v1"),
        Interval("vip", NOW + DAY, None, "data", None, "v1"),
    ]


def test_versions_of_a_rule_newest_first(people: Shop) -> None:
    rule(people, "a", "amount_spent > 5", NOW, 0)
    rule(people, "b", "amount_spent > 9", NOW + DAY, 1)
    newest, oldest = people.store.rule_versions("vip")
    assert (newest.rule, newest.current, newest.since) == ("amount_spent > 9", True, NOW + DAY)
    assert (oldest.rule, oldest.current, oldest.title) == ("amount_spent > 5", False, "VIP")
    assert people.store.known_segments() == ["vip"]
    assert people.store.rules_since() == {"vip": NOW + DAY}


def test_an_edit_is_what_its_own_pass_changed(people: Shop) -> None:
    rule(people, "b", "amount_spent > 9", NOW + DAY, 1)
    change(people, "1", 1, NOW, Cause.RULE, "a")
    change(people, "1", 0, NOW + DAY, Cause.RULE, "b")
    change(people, "3", 1, NOW + DAY, Cause.RULE, "b")
    change(people, "2", 1, NOW + 2 * DAY, Cause.DATA, "b")
    ids = [people.profile(who) for who in ("1", "3")]
    assert people.store.edit("vip", "b") == Edit([ids[1]], [ids[0]])
    assert people.store.edit("vip", "a") == Edit([], [])


def test_thresholds_as_they_were(people: Shop) -> None:
    for number, (name, text, at) in enumerate(
        [("TOP 10% x", "5.0", NOW), ("AVERAGE x", "1.0", NOW), ("TOP 10% x", "7.0", NOW + DAY)], 1
    ):
        people.insert(
            "thresholds", threshold_id=number, expression=name, threshold=text, at=at, current=0
        )
    store = people.store
    assert store.thresholds_at(NOW - DAY) == {}
    assert store.thresholds_at(NOW) == {"TOP 10% x": "5.0", "AVERAGE x": "1.0"}
    assert store.thresholds_at(NOW + DAY) == {"TOP 10% x": "7.0", "AVERAGE x": "1.0"}


def test_after_the_clock_was_put_back_the_thresholds_found_last_hold(shop: Shop) -> None:
    for number, (text, at) in enumerate(
        [("1.0", NOW), ("2.0", NOW + 9 * DAY), ("3.0", NOW + DAY), ("4.0", NOW + 2 * DAY)], 1
    ):
        shop.insert(
            "thresholds", threshold_id=number, expression="AVERAGE x", threshold=text, at=at,
            current=0,
        )  # fmt: skip
    found = [shop.store.thresholds_at(NOW + days * DAY)["AVERAGE x"] for days in (0, 1, 2, 9)]
    assert found == ["1.0", "3.0", "4.0", "4.0"]


def test_past_thresholds_are_found_by_one_look_and_not_one_for_each_row(file_url: str) -> None:
    with open_store(file_url) as store:
        seen: list[str] = []
        event.listen(store._database.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
        store.thresholds_at(NOW)
        (asked,) = [statement for statement in seen if "thresholds" in statement]
        with store._database.read() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", (1,)).all()
    assert "CORRELATED" not in str(plan)


def test_who_is_in_what(people: Shop) -> None:
    inside = {"vip": ["1", "3"], "new": ["3"], "old": ["2", "3"]}
    for segment, members in inside.items():
        for who in members:
            people.insert(
                "memberships", profile_id=people.profile(who), segment=segment, since=NOW,
                cause="data",
            )  # fmt: skip
    found = {key: ids.tolist() for key, ids in people.store.member_ids().items()}
    assert found == {
        key: sorted(people.profile(who) for who in members) for key, members in inside.items()
    }
    assert people.store.in_many(["vip", "new", "old"], 2) == [people.profile("3")]
    assert people.store.in_many(["vip", "new"], 2) == []


def test_first_and_last_order(shop: Shop) -> None:
    assert shop.store.order_times() == (None, None)
    shop.save(
        order("o1", "1", placed=NOW - 9 * DAY),
        order("o2", "1", placed=NOW - 3 * DAY),
        order("o3", "1", placed=NOW - 30 * DAY, test=True),
    )
    assert shop.store.order_times() == (NOW - 9 * DAY, NOW - 3 * DAY)


def test_last_moves_leave_edits_out(people: Shop) -> None:
    change(people, "1", 1, NOW, Cause.DATA)
    change(people, "2", 1, NOW + DAY, Cause.RULE)
    assert people.store.last_moves() == {"vip": NOW}
