"""Decide who belongs where: frames in, frames out; no clock, no store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, reduce
from typing import NamedTuple

import numpy as np
import pandas as pd

from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import And, Expression, Not, Or, Variable
from segmentd.segmenter.predicates import Bools, Floats
from segmentd.segmenter.ruleset import Ruleset
from segmentd.segmenter.standing import Cap, Past, Pinned, Tenure, exclusive, pinned, tenure
from segmentd.segmenter.thresholds import value_name, within

Values = pd.DataFrame
"""One row per profile, one column per store-relative value, and what breaks ties."""


class Decision(NamedTuple):
    """Who belongs where; all three have the index ``profile_id``."""

    members: pd.DataFrame
    """One boolean column per segment key."""
    due: pd.Series[float]
    """The earliest instant after ``now`` (epoch seconds, NaN for never) at which time alone may
    change a membership."""
    lapsing: pd.DataFrame
    """For each segment with grace the instant (epoch seconds) since which a member fulfils its
    rules no longer; NaN for everybody else."""

    def only(self, keys: Sequence[str]) -> Decision:
        """About these segments."""
        graced = [key for key in self.lapsing.columns if key in keys]
        return self._replace(members=self.members[list(keys)], lapsing=self.lapsing[graced])

    def of(self, chosen: Bools) -> Decision:
        """About those of the profiles that a mask chooses."""
        return Decision(self.members[chosen], self.due[chosen], self.lapsing[chosen])


def values(ruleset: Ruleset, frames: Frames, now: datetime) -> Values:
    """What store-relative thresholds are computed from.

    Index ``profile_id``; one float64 column for each subject of which there are some, named by
    ``value_name`` (NaN where missing), plus ``orders`` and ``last_order_at`` (epoch seconds,
    NaN without an order).
    """
    return _Partition(ruleset, frames, now, {}).values()


def joined(parts: Sequence[Values]) -> Values:
    """The values of several partitions together."""
    return pd.concat(parts) if len(parts) > 1 else parts[0]


def candidates(
    ruleset: Ruleset, frames: Frames, now: datetime, thresholds: Mapping[str, str]
) -> Values:
    """What the cuts of limited segments are computed from, when all other thresholds are known.

    As ``values``, with a column for each of ``Ruleset.limits``: missing for who would be no member
    without the limit, and such that the highest are let in.
    """
    partition = _Partition(ruleset, frames, now, thresholds)
    partition.decide(ruleset.reached(e for k in ruleset.limits.values() for e in ruleset.refers(k)))
    ranked = {name: partition.rank(key) for name, key in ruleset.limits.items()}
    return partition.facts.population(ranked)


def evaluate(
    ruleset: Ruleset, frames: Frames, now: datetime, thresholds: Mapping[str, str]
) -> Decision:
    """Decide for every profile of the frames.

    ``now`` counts in whole seconds. A condition whose threshold is absent or ``insufficient`` is
    false. An account created after ``now`` that has not ordered before belongs nowhere. Who is a
    member already is read from ``frames.memberships``.
    """
    return _Partition(ruleset, frames, now, thresholds).decision()


def valued(
    ruleset: Ruleset, frames: Frames, now: datetime, thresholds: Mapping[str, str]
) -> tuple[Values, Decision]:
    """``values`` and ``evaluate`` of the same frames, which have much in common."""
    partition = _Partition(ruleset, frames, now, thresholds)
    return partition.values(), partition.decision()


class _Partition:
    """Some profiles at one instant, for whom one segment after the other is decided."""

    def __init__(
        self, ruleset: Ruleset, frames: Frames, now: datetime, thresholds: Mapping[str, str]
    ) -> None:
        shop = ruleset.shop
        self._ruleset = ruleset
        self._thresholds = thresholds
        self.facts = Facts(frames, Clock(shop.time_zone, now, shop.week_start))
        self._past = Past(frames.memberships, self.facts.index, self.facts.clock.now)
        self.conditions = Conditions(self.facts, shop, thresholds)
        self.lapsing: dict[str, Floats] = {}
        self._changes: list[Floats] = []

    def values(self) -> Values:
        """See ``values``."""
        ranked = self.conditions.ranked
        subjects = {value_name(name): subject for name, subject in self._ruleset.relatives.items()}
        return self.facts.population({name: ranked(each) for name, each in subjects.items()})

    def decision(self) -> Decision:
        """See ``evaluate``."""
        keys, index = list(self._ruleset.keys), self.facts.index
        self.decide(keys)
        members = pd.DataFrame(self.conditions.members, index=index, columns=keys, dtype=bool)
        due = pd.Series(self.due(), index=index, name="due")
        return Decision(members, due, pd.DataFrame(self.lapsing, index=index))

    def decide(self, keys: Iterable[str]) -> None:
        """Fill ``conditions.members`` with these segments, which hold all that they depend on."""
        chosen = set(keys)
        for key in self._ruleset.order:
            if key in chosen:
                self.conditions.members[key] = self._decided(key)

    def rank(self, key: str) -> Floats:
        """What a limited segment ranks by, of all who would be members without the limit."""
        cap = self._ruleset.standing(key).cap
        assert cap is not None  # noqa: S101 - asked of limited segments only
        before = self._before(key)
        eligible = before.graced if before else self._raw(key)
        return np.where(self.facts.exists & eligible, self._strength(cap), np.nan)

    def due(self) -> Floats:
        """When time alone may change a membership, after all have been decided."""
        due = reduce(np.fmin, self._changes, self.facts.next_event)
        rankings = (each.cap.ranking for each in self._ruleset.standings.values() if each.cap)
        for leaf in (*self._ruleset.leaves, *rankings):
            changes = self.conditions.due(leaf)
            due = due if changes is None else np.fmin(due, changes)
        return due

    def _decided(self, key: str) -> Bools:
        standing, pins = self._ruleset.standing(key), self._pins
        before = self._before(key)
        inside = before.graced if before else self._raw(key)
        if standing.cap is not None:
            inside = inside & self._within(key, standing.cap)
        if key in pins:
            inside = (inside | pins[key].inside) & ~pins[key].outside
            self._changes.append(pins[key].ends)
        inside = self.facts.exists & inside
        if standing.rivals:
            inside = exclusive(key, standing.rivals, inside, self.conditions.members, pins)
        if before:
            self._remember(key, before, inside)
        return inside

    def _raw(self, key: str) -> Bools:
        return self.facts.exists & holds(self._ruleset.rules[key], self.conditions)

    def _before(self, key: str) -> Tenure | None:
        """What follows from who is a member already; None where that does not matter."""
        if not self._ruleset.standing(key).remembers:
            return None
        return self._tenure(key, self._past.was(key))

    def _remember(self, key: str, before: Tenure, inside: Bools) -> None:
        """What the decision means for the next one."""
        if self._ruleset.standing(key).grace:
            self.lapsing[key] = np.where(inside, before.lapsing, np.nan)
        self._changes.append(before.ends)
        after = self._tenure(key, inside, before.lapsing)
        # whom a pin, a limit or a set has moved is seen with other eyes at the next look
        unsettled = (before.kept != after.kept) | (before.graced != after.graced)
        # stored changes of later times are seen when their time comes
        unsettled &= ~self._past.changes(key)
        self._changes.append(np.where(unsettled, self.facts.clock.now + 1.0, np.nan))

    def _tenure(self, key: str, was: Bools, lapsing: Floats | None = None) -> Tenure:
        standing, nobody = self._ruleset.standing(key), np.zeros(self.facts.size, bool)
        stays = nobody if standing.stays is None else holds(standing.stays, self.conditions)
        since = self._past.lapsing(key) if lapsing is None else lapsing
        return tenure(standing, self._raw(key), stays, was, since, self.facts.clock.now)

    def _within(self, key: str, cap: Cap) -> Bools:
        people = self.facts.population({"value": self._strength(cap)}).reset_index()
        return within(cap.name(key), self._thresholds.get(cap.name(key)), people)

    def _strength(self, cap: Cap) -> Floats:
        by = self.conditions.numbers(cap.ranking.subject)
        # not -by: what comes of zero must be the same zero as the store keeps
        return 0.0 - by if cap.least else by

    @cached_property
    def _pins(self) -> Mapping[str, Pinned]:
        """The pins of segments that have some, and of their rivals."""
        ruleset, held = self._ruleset, self._ruleset.held
        keys = {rival for key in held for rival in (key, *ruleset.standing(key).rivals)}
        index, now = self.facts.index, self.facts.clock.now
        return {key: pinned(held.get(key, ()), index, now) for key in sorted(keys)}


def holds(expression: Expression, conditions: Conditions) -> Bools:
    """For whom a rule or a part of it holds."""
    match expression:
        case Not(part):
            return ~holds(part, conditions)
        case And(parts):
            return reduce(np.logical_and, [holds(part, conditions) for part in parts])
        case Or(parts):
            nobody = np.zeros(conditions.facts.size, bool)
            return reduce(np.logical_or, [holds(part, conditions) for part in parts], nobody)
        case Variable(name):
            raise AssertionError(f"${name} was not bound")
        case _:
            return conditions.truth(expression)
