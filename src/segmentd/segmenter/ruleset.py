"""Rules compiled once: what they say, and what the evaluation must read for them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from segmentd.domain.errors import ConfigError, RuleError
from segmentd.domain.segments import ExclusiveSet, Segment, Value, rivalry
from segmentd.segmenter import demands
from segmentd.segmenter.compose import rule_of, standing_of
from segmentd.segmenter.language import (
    Condition,
    Expression,
    Leaf,
    Member,
    Operand,
    Or,
    Subject,
    leaves,
)
from segmentd.segmenter.spelling import text
from segmentd.segmenter.standing import PLAIN, Hold, Standing, holds
from segmentd.segmenter.variables import bind
from segmentd.segmenter.words import in_order, used, vocabulary

NOBODY = Or(())
"""A rule that holds for nobody: one that uses a value which could not be fitted to the store."""


@dataclass(frozen=True, slots=True)
class Shop:
    """What a rule's words depend on: days are days of ``time_zone`` (an IANA name), money is in
    major units of ``currency`` (ISO 4217), weeks begin with ``week_start`` (0 Monday, 6 Sunday)."""

    time_zone: str
    currency: str
    week_start: int = 0


@dataclass(frozen=True)
class Ruleset:
    """Compiled rules; picklable, so that worker processes can be given it.

    What is found by walking all trees is found once: small passes would spend their time there.
    """

    shop: Shop
    rules: Mapping[str, Expression]
    standings: Mapping[str, Standing] = field(default_factory=dict)
    """Only of segments that depart from their rule."""
    order: tuple[str, ...] = ()
    """Segment keys, each after all segments that it depends on."""
    held: Mapping[str, Sequence[Hold]] = field(default_factory=dict)
    """The pins on customers who are known; see ``pinning``."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Segment keys, in the order given."""
        return tuple(self.rules)

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """Every condition once, however many rules share it."""
        return tuple(dict.fromkeys(leaf for key in self.rules for leaf in self._leaves(key)))

    @property
    def relatives(self) -> Mapping[str, Subject]:
        """Store-relative values that are needed, by name: what each is computed of."""
        return {name: found[0].subject for name, found in self._relatives.items()}

    @property
    def expressions(self) -> tuple[str, ...]:
        """Names of the store-relative values, e.g. ``TOP 10% amount_spent``; sorted."""
        return tuple(self._relatives)

    @property
    def factors(self) -> Mapping[str, frozenset[float]]:
        """By which each store-relative value is multiplied before anything is compared with it."""
        relatives = self._relatives.items()
        return {name: frozenset(each.factor for each in found) for name, found in relatives}

    @property
    def limits(self) -> Mapping[str, str]:
        """Names of the cuts of limited segments, with their segments."""
        return {standing.cap.name(k): k for k, standing in self.standings.items() if standing.cap}

    @property
    def fields(self) -> frozenset[str]:
        """Names of all facts that the rules ask for, as sources declare what they fill."""
        return frozenset(name for key in self.rules for name in self.fields_of(key))

    @cached_property
    def fitted(self) -> frozenset[str]:
        """Variables that are still to be fitted to the store; see ``bound``."""
        return frozenset(name for key in self.rules for e in self.trees(key) for name in used(e))

    @property
    def remembered(self) -> frozenset[str]:
        """Segments whose history is read."""
        named = (need.partition(":") for need in self.needs)
        return frozenset(key for frame, _, key in named if frame == "memberships")

    @property
    def customers(self) -> frozenset[str]:
        """Who is pinned, as the configuration names them."""
        return frozenset(pin.customer for each in self.standings.values() for pin in each.pins)

    @cached_property
    def needs(self) -> frozenset[str]:
        """Which frames beside the profiles are read: ``orders``, ``lines``, ``refunds``,
        ``events``, ``traits``, and ``memberships:KEY`` for a segment's history.

        Orders always: they tell who was known at a time. ``lines`` includes the products. Frames
        not named may be empty, and columns of ``frames.RARE`` are read only where they are named,
        as ``orders.country``.
        """
        asked = (e for key in self.rules for e in self.trees(key))
        needed = {name for expression in asked for name in demands.frames(expression)}
        own = {f"memberships:{key}" for key, each in self.standings.items() if each.remembers}
        return frozenset({"orders", *needed, *own})

    @property
    def value_needs(self) -> frozenset[str]:
        """As ``needs``, for computing the store-relative values alone."""
        asked = (name for subject in self.relatives.values() for name in demands.frames(subject))
        return frozenset({"orders", *asked})

    def thresholds(self, key: str) -> frozenset[str]:
        """Names of the store-relative values and of the cut that one segment is decided by."""
        return self._thresholds[key]

    def standing(self, key: str) -> Standing:
        """How a segment departs from its rule."""
        return self.standings.get(key, PLAIN)

    def trees(self, key: str) -> Iterator[Expression]:
        """All conditions of one segment: its rule, the rule to stay, what its limit ranks by."""
        standing = self.standing(key)
        yield self.rules[key]
        if standing.stays is not None:
            yield standing.stays
        if standing.cap is not None:
            yield standing.cap.ranking

    def fields_of(self, key: str) -> frozenset[str]:
        """The names of facts that one segment asks for."""
        return frozenset(name for tree in self.trees(key) for name in demands.facts(tree))

    def depends(self, key: str) -> frozenset[str]:
        """The segments that must be decided before this one."""
        rivals = self.standing(key).rivals
        winners = rivals[: rivals.index(key)] if rivals else ()
        return self.refers(key).union(winners)

    def refers(self, key: str) -> frozenset[str]:
        """The segments that its conditions are about."""
        found = (node for tree in self.trees(key) for node in demands.segments(tree))
        return frozenset(n.segment if isinstance(n, Member) else n.argument for n in found)

    def reached(self, keys: Iterable[str]) -> frozenset[str]:
        """These segments and all that they depend on."""
        found: set[str] = set()
        ahead = list(keys)
        while ahead:
            key = ahead.pop()
            if key not in found:
                found.add(key)
                ahead.extend(self.depends(key))
        return frozenset(found)

    def depending(self, keys: Iterable[str]) -> frozenset[str]:
        """These segments and all that depend on them."""
        chosen = frozenset(keys)
        if not chosen:
            return chosen
        return chosen | {key for key in self.rules if self.reached([key]) & chosen}

    def affected(self, keys: Iterable[str]) -> frozenset[str]:
        """These segments and all that may change with them: those that depend on them, and the
        sets that they are in, as a pin into one segment takes the customer out of all others."""
        return self._with_sets(keys, self.depending) & frozenset(self.rules)

    def restricted(self, keys: Iterable[str]) -> Ruleset:
        """The rules of some segments, of the sets that they are in, and of all that they depend
        on."""
        chosen = self._with_sets(keys, self.reached)
        return dataclasses.replace(
            self,
            rules={key: rule for key, rule in self.rules.items() if key in chosen},
            standings={key: each for key, each in self.standings.items() if key in chosen},
            order=tuple(key for key in self.order if key in chosen),
            held={key: each for key, each in self.held.items() if key in chosen},
        )

    def pinned(self, now: datetime) -> dict[str, frozenset[int]]:
        """Segment → profiles for whom a pin decides: its own, or one into another of its set."""
        lasting = {
            key: [hold for hold in held if now.timestamp() < hold.ends]
            for key, held in self.held.items()
        }
        decided = {}
        for key in self.rules:
            rivals = [rival for rival in self.standing(key).rivals if rival != key]
            theirs = [h for rival in rivals for h in lasting.get(rival, ()) if h.member]
            found = frozenset(hold.profile_id for hold in (*lasting.get(key, ()), *theirs))
            if found:
                decided[key] = found
        return decided

    def terms(self, key: str) -> str:
        """All that decides about a segment beside its own settings; see ``Segment.terms``."""
        return self._terms[key]

    def bound(self, fitted: Mapping[str, Operand]) -> Ruleset:
        """With values for the variables that are fitted to the store.

        What uses one that is not among them holds for nobody.
        """
        if not self.fitted:
            return self
        rules, standings = dict(self.rules), dict(self.standings)
        for key in self.rules:
            if any(used(tree) for tree in self.trees(key)):
                rules[key], standings[key] = self._bound(key, fitted)
        return dataclasses.replace(self, rules=rules, standings=standings)

    def pinning(self, found: Mapping[str, Sequence[int]]) -> Ruleset:
        """With the pins on these customers, of whom the profiles are given."""
        zone = self.shop.time_zone
        each = {key: holds(each.pins, found, zone) for key, each in self.standings.items()}
        held = {key: holds_ for key, holds_ in each.items() if holds_}
        return self if held == self.held else dataclasses.replace(self, held=held)

    def _with_sets(
        self, keys: Iterable[str], grow: Callable[[Iterable[str]], frozenset[str]]
    ) -> frozenset[str]:
        """Grown until the sets of all segments are in it too."""
        found, ahead = frozenset[str](), frozenset(keys)
        while ahead > found:
            found = grow(ahead)
            ahead = found.union(*(self.standing(key).rivals for key in found))
        return found

    def _leaves(self, key: str) -> Iterator[Leaf]:
        yield from leaves(self.rules[key])
        stays = self.standing(key).stays
        if stays is not None:
            yield from leaves(stays)

    @cached_property
    def _relatives(self) -> Mapping[str, list[demands.Relative]]:
        found: dict[str, list[demands.Relative]] = {}
        for relative in (each for leaf in self.leaves for each in demands.relatives(leaf)):
            found.setdefault(relative.name, []).append(relative)
        return {name: found[name] for name in sorted(found)}

    @cached_property
    def _thresholds(self) -> Mapping[str, frozenset[str]]:
        found = {}
        for key in self.rules:
            relatives = {r.name for leaf in self._leaves(key) for r in demands.relatives(leaf)}
            cap = self.standing(key).cap
            found[key] = frozenset(relatives if cap is None else {*relatives, cap.name(key)})
        return found

    @cached_property
    def _terms(self) -> Mapping[str, str]:
        shop = dataclasses.astuple(self.shop)
        return {
            key: repr((*shop, *map(text, self.trees(key)), self.standing(key).rivals))
            for key in self.rules
        }

    def _bound(self, key: str, fitted: Mapping[str, Operand]) -> tuple[Expression, Standing]:
        def put(tree: Expression) -> Expression:
            return bind(tree, fitted) if used(tree) <= fitted.keys() else NOBODY

        rule, standing = put(self.rules[key]), self.standing(key)
        if standing.stays is not None:
            standing = dataclasses.replace(standing, stays=put(standing.stays))
        if standing.cap is not None:
            ranking = put(standing.cap.ranking)
            if isinstance(ranking, Condition):
                cap = dataclasses.replace(standing.cap, ranking=ranking)
                standing = dataclasses.replace(standing, cap=cap)
            else:
                rule = NOBODY
        return rule, standing


def compile_segments(
    segments: Sequence[Segment],
    shop: Shop,
    *,
    sets: Sequence[ExclusiveSet] = (),
    variables: Mapping[str, Value] | None = None,
    conditions: Mapping[str, str] | None = None,
) -> Ruleset:
    """Segments with all that decides about them.

    RuleError has a line for every segment with a mistake, which names line and column of the first;
    or it names a condition with one, or the segments that depend on each other in a circle.
    ConfigError for a time zone that does not exist, for a set with a segment that is unknown or in
    another set too, and for a word that is both variable and condition.
    """
    try:
        ZoneInfo(shop.time_zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"there is no time zone {shop.time_zone!r}") from error
    keys = [segment.key for segment in segments]
    words, rivals = vocabulary(variables or {}, conditions or {}, keys), rivalry(sets, keys)
    rules, standings, mistakes = {}, {}, []
    for segment in segments:
        key = segment.key
        try:
            rules[key] = rule_of(f"segment '{key}'", segment.where, words, keys)
            standing = standing_of(segment, rivals.get(key, ()), words, keys)
        except RuleError as error:
            mistakes.append(error)
            continue
        if standing != PLAIN:
            standings[key] = standing
    _tell(mistakes)
    ruleset = Ruleset(shop, rules, standings)
    order = in_order({key: sorted(ruleset.depends(key)) for key in keys}, "segments")
    _check_limits(ruleset)
    return dataclasses.replace(ruleset, order=order)


def _tell(mistakes: Sequence[RuleError]) -> None:
    """Raise them all as one, if there are any."""
    if mistakes:
        first, text = mistakes[0], "\n".join(mistake.message for mistake in mistakes)
        raise RuleError(text, line=first.line, column=first.column) from first


def _check_limits(ruleset: Ruleset) -> None:
    limited = set(ruleset.limits.values())
    for key in ruleset.keys:
        others = ruleset.reached(ruleset.refers(key)) & limited if key in limited else ()
        for other in sorted(others):
            raise RuleError(
                f"segment '{key}' has a limit and depends on segment '{other}', which has one too",
                line=1,
                column=1,
            )
