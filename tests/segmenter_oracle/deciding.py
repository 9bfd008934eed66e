"""What makes a member of who fulfils a rule: staying, grace, limits, pins, exclusive sets."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from functools import cache

from segmentd.domain.segments import ExclusiveSet, Segment
from segmentd.segmenter.language import Condition
from segmentd.segmenter.parser import parse
from segmenter_oracle.days import World
from segmenter_oracle.facts import is_known
from segmenter_oracle.happenings import counted_orders
from segmenter_oracle.histories import Membership, Person
from segmenter_oracle.plain import Asked
from segmenter_oracle.statistics import within

parsed = cache(parse)


def decide(
    segments: Sequence[Segment], sets: Sequence[ExclusiveSet], person: Person, world: World
) -> dict[str, bool]:
    """Of which segments the person is a member."""
    decided = Decided(segments, sets, person, world)
    return {segment.key: decided.member(segment.key) for segment in segments}


class Decided:
    """One person among several segments."""

    def __init__(
        self,
        segments: Sequence[Segment],
        sets: Sequence[ExclusiveSet],
        person: Person,
        world: World,
    ) -> None:
        self.segments = {segment.key: segment for segment in segments}
        self.sets = sets
        self.person = person
        self.world = world
        self.asked = Asked(person, world, self.member)

    def member(self, key: str) -> bool:
        """In the end."""
        for each in self.sets:
            if key in each.segments:
                return self._wins(key, each)
        return self._alone(self.segments[key])

    def _wins(self, key: str, rivals: ExclusiveSet) -> bool:
        """The first with a pin wins, else the first of all."""
        inside = [name for name in rivals.segments if self._alone(self.segments[name])]
        pinned = [name for name in inside if self._pin(self.segments[name])]
        return [*pinned, *inside][:1] == [key]

    def _alone(self, segment: Segment) -> bool:
        """As if it were in no set."""
        if not is_known(self.person, self.world):
            return False
        pin = self._pin(segment)
        if pin is not None:
            return pin
        return self._graced(segment) and self._is_within_limit(segment)

    def _pin(self, segment: Segment) -> bool | None:
        """True for in, False for out; out wins where both are given."""
        names = {f"{self.person.source}:{self.person.customer_id}"}
        if self.person.email:
            names.add(self.person.email.casefold())
        lasting = [
            pin.member
            for pin in segment.pins
            if pin.customer in names
            and (pin.until is None or self.world.now < self.world.begin(pin.until + timedelta(1)))
        ]
        return all(lasting) if lasting else None

    def _graced(self, segment: Segment) -> bool:
        if self._kept(segment):
            return True
        row = self._open(segment.key)
        if row is None:
            return False
        since = self.world.now if row.lapsing_at is None else min(row.lapsing_at, self.world.now)
        return self.world.now < since + segment.grace * 86_400

    def _kept(self, segment: Segment) -> bool:
        if self.asked.truth(parsed(segment.where)):
            return True
        if not segment.stays or self._open(segment.key) is None:
            return False
        return self.asked.truth(parsed(segment.stays))

    def _open(self, key: str) -> Membership | None:
        """The stored membership that goes on."""
        now = self.world.now
        begun = [row for row in self.person.memberships if row.entered_at <= now]
        rows = [row for row in begun if row.left_at is None or row.left_at > now]
        return next((row for row in rows if row.segment == key), None)

    def _is_within_limit(self, segment: Segment) -> bool:
        if segment.limit is None:
            return True
        cut = self.world.thresholds[f"LIMIT {segment.limit.count} {segment.key}"]
        ranking = parsed(f"{segment.limit.by} IN TOP 1%")
        assert isinstance(ranking, Condition)
        value = self.asked.value(ranking.subject)
        if value is None:
            return False
        value = -value if segment.limit.least else value
        orders = counted_orders(self.person, self.world)
        last = orders[-1].placed_at if orders else float("-inf")
        return within("TOP", cut, value, len(orders), last, self.person.id)
