"""What a pass stores: memberships, history, due instants, rules, thresholds, marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from segmentd.domain.errors import LockedError
from segmentd.domain.memberships import Cause
from segmentd.domain.segments import Segment
from segmentd.pipeline.ports import Lease, Part, Pass
from segmentd.segmenter.evaluate import Decision
from segmentd.store import Store
from shop_in_store import DAY, HOUR, NOW, TTL, Shop, customer, lease_of, order, rows

VIP = Segment("vip", "VIP", "amount_spent > 100")
NEW = Segment("new", "New", "first_order_date >= -30d")


class Publisher:
    """Publishes passes over profiles 1 to 3, who exist."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.shop = Shop(store)
        self.shop.save(customer("1", "a@shopper.example"), customer("2"), customer("3"))
        self.ids = [self.shop.profile(str(n)) for n in (1, 2, 3)]
        self.lease: Lease = lease_of(store)

    def __call__(
        self,
        members: Mapping[str, Sequence[int]],
        *,
        asked: Sequence[int] | None = None,
        evaluated: Sequence[int] | None = None,
        due: Mapping[int, float] | None = None,
        lapsing: Mapping[int, datetime] | None = None,
        segments: Sequence[Segment] = (VIP, NEW),
        now: datetime = NOW,
        **rest: Any,
    ) -> tuple[int, int]:
        """``members``: segment → positions (0 to 2) of those inside; of ``evaluated`` positions.

        ``lapsing``: of ``vip``, which has grace if it is given.
        """
        positions = list(range(3)) if evaluated is None else list(evaluated)
        index = pd.Index([self.ids[p] for p in positions], name="profile_id", dtype="int64")
        columns = {s.key: [p in members.get(s.key, ()) for p in positions] for s in segments}
        decision = Decision(
            pd.DataFrame(columns, index=index, dtype=bool),
            pd.Series([(due or {}).get(p, np.nan) for p in positions], index=index, dtype=float),
            _lapsing(index, positions, lapsing),
        )
        everybody = range(min(self.ids), max(index, default=0) + 1)
        outcome = Pass(
            [Part(everybody if asked is None else [self.ids[p] for p in asked], decision)],
            segments=segments,
            thresholds=rest.pop("thresholds", {}),
            token=rest.pop("token", 0),
            **rest,
        )
        return self.store.publish(self.lease, outcome, now)

    def members(self, segment: str) -> list[int]:
        """Positions of the stored members."""
        found = {m.profile_id for m in self.store.memberships() if m.segment == segment}
        return [position for position, profile in enumerate(self.ids) if profile in found]

    def lapsing(self, store: Store) -> dict[int, datetime | None]:
        """Position → since when only by grace, of the members of ``vip``, as frames have it."""
        history = store.frames(self.ids, frozenset({"memberships:vip"})).memberships
        open_ = history[history["left_at"].isna()]
        found = zip(open_["profile_id"].tolist(), open_["lapsing_at"].tolist(), strict=True)
        return {
            self.ids.index(profile): None if np.isnan(at) else datetime.fromtimestamp(at, UTC)
            for profile, at in found
        }

    def history(self) -> list[tuple[str, int, str, str]]:
        """Segment, position, entered or left, cause."""
        return [
            (c.segment, self.ids.index(c.profile_id), c.change, c.cause)
            for c in self.store.changes()
        ]


def _lapsing(
    index: pd.Index[int], positions: Sequence[int], lapsing: Mapping[int, datetime] | None
) -> pd.DataFrame:
    if lapsing is None:
        return pd.DataFrame(index=index)
    column = [lapsing[p].timestamp() if p in lapsing else np.nan for p in positions]
    return pd.DataFrame({"vip": column}, index=index, dtype=float)


@pytest.fixture
def publish(store: Store) -> Publisher:
    return Publisher(store)


def test_the_first_pass_enters_everybody(publish: Publisher) -> None:
    assert publish({"vip": [0, 2], "new": [1]}) == (3, 0)
    assert publish.members("vip") == [0, 2]
    assert publish.members("new") == [1]
    assert {each.since for each in publish.store.memberships()} == {NOW}


def test_the_same_outcome_again_writes_nothing(publish: Publisher) -> None:
    state = {"vip": [0, 2]}
    settings: dict[str, Any] = {"due": {0: NOW.timestamp()}, "thresholds": {"TOP 10%": "5"}}
    publish(state, **settings)
    before = _all_rows(publish.store)
    assert publish(state, now=NOW + DAY, **settings) == (0, 0)
    assert publish(state, asked=[0, 1, 2], now=NOW + DAY, **settings) == (0, 0)
    assert _all_rows(publish.store) == before


def test_entries_and_exits_are_kept_with_their_cause(publish: Publisher) -> None:
    publish({"vip": [0]}, edited=frozenset({"vip", "new"}))
    publish({"vip": [1]}, now=NOW + HOUR, causes={publish.ids[0]: Cause.TIME})
    assert publish.history() == [
        ("vip", 0, "entered", "rule"),
        ("vip", 1, "entered", "data"),
        ("vip", 0, "left", "time"),
    ]
    assert [c.at for c in publish.store.changes()] == [NOW, NOW + HOUR, NOW + HOUR]


def test_what_a_pin_did_is_told_from_what_an_edit_did(publish: Publisher) -> None:
    publish(
        {"vip": [0, 1], "new": [0]},
        edited=frozenset({"vip"}),
        pinned={"vip": frozenset({publish.ids[0]})},
        otherwise=Cause.THRESHOLD,
    )
    publish({}, causes={publish.ids[1]: Cause.TIME}, otherwise=Cause.THRESHOLD)
    assert publish.history() == [
        ("vip", 0, "entered", "pin"),
        ("vip", 1, "entered", "rule"),
        ("new", 0, "entered", "threshold"),
        ("vip", 0, "left", "threshold"),
        ("vip", 1, "left", "time"),
        ("new", 0, "left", "threshold"),
    ]


def test_grace_is_stored_while_it_lasts(publish: Publisher) -> None:
    begun = NOW - DAY
    publish({"vip": [0, 1]}, lapsing={0: begun})
    assert publish.lapsing(publish.store) == {0: begun, 1: None}
    before = _all_rows(publish.store)
    publish({"vip": [0, 1]}, lapsing={0: begun}, now=NOW + HOUR)
    assert _all_rows(publish.store) == before
    publish({"vip": [0, 1]}, asked=[1], evaluated=[1], lapsing={1: NOW})
    assert publish.lapsing(publish.store) == {0: begun, 1: NOW}
    publish({"vip": [0, 1]}, lapsing={1: NOW})
    assert publish.lapsing(publish.store) == {0: None, 1: NOW}
    publish({"vip": [0]}, lapsing={})
    publish({"vip": [0, 1]}, lapsing={})
    assert publish.lapsing(publish.store) == {0: None, 1: None}


def test_who_enters_by_a_pin_lapses_at_once(publish: Publisher) -> None:
    publish({"vip": [0]}, lapsing={0: NOW})
    assert publish.lapsing(publish.store) == {0: NOW}


def test_grace_that_was_taken_away_is_forgotten(publish: Publisher) -> None:
    publish({"vip": [0, 1]}, lapsing={0: NOW})
    publish({"vip": [0, 1]}, edited=frozenset({"vip"}))
    assert publish.lapsing(publish.store) == {0: None, 1: None}


def test_when_values_were_fitted(publish: Publisher) -> None:
    assert publish.store.fitted_at() is None
    publish({}, fitted=True)
    publish({}, now=NOW + DAY)
    assert (publish.store.fitted_at(), publish.store.evaluated_at()) == (NOW, NOW + DAY)


def test_memberships_as_of_come_from_the_history(publish: Publisher) -> None:
    publish({"vip": [0]})
    publish({"vip": [1]}, now=NOW + DAY)
    publish({"vip": [0, 1]}, now=NOW + 2 * DAY)

    def at(instant: datetime) -> list[tuple[int, datetime]]:
        found = publish.store.memberships(instant)
        return [(publish.ids.index(m.profile_id), m.since) for m in found]

    assert at(NOW - HOUR) == []
    assert at(NOW) == [(0, NOW)]
    assert at(NOW + DAY + HOUR) == [(1, NOW + DAY)]
    assert sorted(at(NOW + 3 * DAY)) == [(0, NOW + 2 * DAY), (1, NOW + DAY)]


def test_a_partial_pass_touches_only_whom_it_was_asked_for(publish: Publisher) -> None:
    publish({"vip": [0, 1]})
    assert publish({"vip": [2]}, asked=[1, 2], evaluated=[1, 2]) == (1, 1)
    assert publish.members("vip") == [0, 2]


def test_who_was_asked_for_and_is_gone_leaves(publish: Publisher) -> None:
    publish({"vip": [0, 1]}, due={0: NOW.timestamp() + 60})
    publish.shop.remove("customers", "1")
    assert publish({"vip": []}, asked=[0], evaluated=[]) == (0, 1)
    assert publish.members("vip") == [1]
    assert publish.store.waiting(NOW).due is None


def test_who_is_gone_leaves_in_a_full_pass_too(publish: Publisher) -> None:
    publish({"vip": [0, 1]})
    publish.shop.remove("customers", "1")
    assert publish({"vip": [1]}, evaluated=[1, 2]) == (0, 1)


def test_who_was_removed_during_the_pass_does_not_enter(publish: Publisher) -> None:
    publish.shop.remove("customers", "1")
    assert publish({"vip": [0, 1]}, due={0: NOW.timestamp()}) == (1, 0)
    assert publish.members("vip") == [1]
    assert publish.store.waiting(NOW).due is None


def test_who_was_merged_away_during_the_pass_does_not_enter(publish: Publisher) -> None:
    publish.shop.save(order("o1", email="b@shopper.example"))
    publish.ids[2] = publish.shop.profile("guest:b@shopper.example")
    publish.shop.save(customer("1", "b@shopper.example", at=NOW + HOUR))
    assert publish({"vip": [0, 2]}) == (1, 0)


def test_a_profile_newer_than_a_full_pass_keeps_what_it_has(publish: Publisher) -> None:
    publish({"vip": [2]})
    assert publish({"vip": [0]}, evaluated=[0, 1]) == (1, 0)
    assert publish.members("vip") == [0, 2]


def test_a_segment_that_is_configured_no_more_ends(publish: Publisher) -> None:
    publish({"vip": [0], "new": [1]})
    assert publish({"new": [1]}, segments=[NEW], edited=frozenset({"vip"})) == (0, 1)
    assert publish.history()[-1] == ("vip", 0, "left", "rule")
    assert publish.store.versions() == {"new": NEW.version}


def test_every_version_of_a_rule_is_kept(publish: Publisher) -> None:
    edited = Segment("vip", "VIP", "amount_spent > 200")
    publish({}, segments=[VIP])
    publish({}, segments=[edited], now=NOW + DAY)
    assert publish.store.versions() == {"vip": edited.version}
    publish({}, segments=[VIP], now=NOW + 2 * DAY)
    assert publish.store.versions() == {"vip": VIP.version}
    texts = rows(publish.store, "SELECT rule FROM segments ORDER BY rule")
    assert texts == [("amount_spent > 100",), ("amount_spent > 200",)]


def test_another_title_is_no_other_rule(publish: Publisher) -> None:
    edited = Segment("vip", "VIP", "amount_spent > 20")
    publish({"vip": [0]}, segments=[VIP])
    edit = frozenset({"vip"})
    publish({"vip": [0, 1]}, segments=[edited], edited=edit, now=NOW + DAY)
    publish({"vip": [0, 1]}, segments=[replace(edited, title="Dearest")], now=NOW + 2 * DAY)
    newest, oldest = publish.store.rule_versions("vip")
    assert (newest.title, newest.since, newest.current) == ("Dearest", NOW + DAY, True)
    assert (oldest.title, oldest.since, oldest.current) == ("VIP", NOW, False)
    assert publish.store.edit("vip", edited.version).entered == [publish.ids[1]]
    renamed = replace(VIP, title="Big spenders")
    publish({"vip": [0]}, segments=[renamed], edited=edit, now=NOW + 3 * DAY)
    assert publish.store.rules_since() == {"vip": NOW + 3 * DAY}
    assert publish.store.rule_versions("vip")[0].title == "Big spenders"


def test_due_instants_are_whole_seconds_and_never_early(publish: Publisher) -> None:
    now = NOW.timestamp()
    publish({}, due={0: now + 0.25, 1: now + 100})
    assert list(publish.store.pending(NOW).due) == []
    assert list(publish.store.pending(NOW + HOUR / 3600).due) == [publish.ids[0]]
    assert publish.store.waiting(NOW).due == NOW + HOUR / 3600
    publish({}, asked=[0], evaluated=[0], now=NOW + HOUR)
    assert list(publish.store.pending(NOW + DAY).due) == [publish.ids[1]]


def test_marks_made_during_the_pass_stay(publish: Publisher) -> None:
    pending = publish.store.pending(NOW)
    assert list(pending.dirty) == publish.ids
    publish.shop.save(order("o1", "2"))
    publish({}, asked=[0, 1, 2], token=pending.token)
    assert list(publish.store.pending(NOW).dirty) == [publish.ids[1]]


def test_marks_are_never_older_than_cleared_ones(publish: Publisher) -> None:
    before = publish.store.pending(NOW)
    publish({}, token=before.token)
    publish.shop.save(order("o1", "2"))
    assert publish.store.pending(NOW).token > before.token


def test_thresholds_have_a_history(publish: Publisher) -> None:
    publish({}, thresholds={"TOP 10%": "5", "AVERAGE": "1"})
    publish({}, thresholds={"TOP 10%": "6"}, now=NOW + DAY)
    assert publish.store.thresholds() == {"TOP 10%": "6"}
    (count,) = rows(publish.store, "SELECT count(*) FROM thresholds")
    assert count == (3,)


def test_a_pass_that_lost_its_lease_stores_nothing(publish: Publisher) -> None:
    publish.store.acquire("segment", "elsewhere:1", TTL, NOW + TTL)
    with pytest.raises(LockedError):
        publish({"vip": [0]})
    assert publish.members("vip") == []


def _all_rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """What a pass may write, but for the time of the pass itself."""
    tables = ("memberships", "membership_changes", "segments", "thresholds", "profiles")
    found = {table: sorted(rows(store, f"SELECT * FROM {table}"), key=repr) for table in tables}
    counters = rows(store, "SELECT * FROM counters WHERE name <> 'evaluated_at' ORDER BY name")
    return {**found, "counters": counters}
