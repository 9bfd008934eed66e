"""Why, why not, until when: the evaluation of one profile, told condition by condition."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.demands import facts as facts_of
from segmentd.segmenter.evaluate import holds
from segmentd.segmenter.evidence import MAX_ORDERS, Evidence
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.fields import FUNCTIONS, find_field
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import (
    And,
    Expression,
    Leaf,
    Member,
    Not,
    Or,
    Variable,
    joined,
    leaves,
)
from segmentd.segmenter.modifiers import notes
from segmentd.segmenter.remedies import Remedies
from segmentd.segmenter.render import words
from segmentd.segmenter.ruleset import Ruleset
from segmentd.segmenter.scenes import Scene, nothing_later
from segmentd.segmenter.spelling import text
from segmentd.segmenter.standing import PLAIN

_LOOKS = 5
"""So many due instants are looked at for the one that turns a truth."""
_MOST = 4
"""Of more conditions together it is not said what would change them."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """One node of a rule: its text, whether it holds, and what it was decided by."""

    text: str
    words: str
    holds: bool
    member: bool | None = None
    """Of a whole segment: whether the customer belongs to it, after all that is in ``notes``."""
    value: str | None = None
    """What the condition looked at, in words; None for AND, OR and NOT."""
    orders: tuple[int | str, ...] = ()
    """Up to 10 order ids that were used, latest first: ours, or the shop's once ``renamed``."""
    due: datetime | None = None
    """When time alone may change it (of a whole segment the membership), on the shop's clock."""
    until: datetime | None = None
    """When it does, if nothing else happens; None if that is far away or never."""
    change: str | None = None
    """What would change it: ``needs 2 more orders``, ``ends on 2026-08-01 00:00 if nothing is
    ordered``."""
    notes: tuple[str, ...] = ()
    """Of a whole segment: what decides beside its rule."""
    parts: tuple[Explanation, ...] = ()

    def renamed(self, names: Mapping[int | str, str]) -> Explanation:
        """The same with other names for the orders."""
        orders = tuple(names.get(order, order) for order in self.orders)
        parts = tuple(part.renamed(names) for part in self.parts)
        return replace(self, orders=orders, parts=parts)

    def used_orders(self) -> set[int | str]:
        """All orders that it names, here and in its parts."""
        return set(self.orders).union(*(part.used_orders() for part in self.parts))

    def deciding(self) -> Iterator[Explanation]:
        """The conditions that made it so: all of AND where it holds, or those that failed."""
        if self.value is not None or not self.parts:
            yield self
            return
        same = [part for part in self.parts if part.holds == self.holds]
        for part in same or self.parts:
            yield from part.deciding()

    def to_line(self) -> str:
        """The deciding conditions with their values, in one line."""
        told = dict.fromkeys(each._fact() for each in self.deciding())  # noqa: SLF001 - the same class
        return "; ".join((*told, *self.notes))

    def _fact(self) -> str:
        """What was found out, as a sentence that is true."""
        told = self.words if self.holds else f"not: {self.words}"
        return f"{told} ({self.value})" if self.value else told

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the same names, instants in ISO 8601."""
        return {
            "text": self.text,
            "words": self.words,
            "holds": self.holds,
            "member": self.member,
            "value": self.value,
            "orders": list(self.orders),
            "due": self.due.isoformat() if self.due else None,
            "until": self.until.isoformat() if self.until else None,
            "change": self.change,
            "notes": list(self.notes),
            "parts": [part.to_dict() for part in self.parts],
        }

    def to_text(self) -> str:
        """Indented lines for a person."""
        return "\n".join(self._lines(0))

    def _lines(self, level: int) -> Iterator[str]:
        margin = "  " * level
        overruled = self.member not in {None, self.holds}
        facts = self._facts() if overruled else [*self._facts(), *self._changes()]
        yield f"{margin}{'yes' if self.holds else 'no':<5}{'; '.join(facts)}"
        for note in self.notes:
            yield f"{margin}     {note}"
        if overruled:
            yield f"{margin}     {'; '.join([self._verdict(), *self._changes()])}"
        for part in self.parts:
            yield from part._lines(level + 1)  # noqa: SLF001 - the same class

    def _facts(self) -> list[str]:
        facts = [self.words]
        if self.value is not None:
            facts.append(f"it is {self.value}")
        if self.orders:
            those = "orders" if len(self.orders) < MAX_ORDERS else "latest orders"
            facts.append(f"{those} {', '.join(str(number) for number in self.orders)}")
        return facts

    def _changes(self) -> Iterator[str]:
        if self.change:
            yield self.change
        if self.due and self.member is not None and not self.until:
            yield f"may change on {self.due:%Y-%m-%d %H:%M}"

    def _verdict(self) -> str:
        """What came of the notes."""
        if self.member:
            return "so a member, though the rule does not hold"
        return "so not a member, though the rule holds"


def explain(
    ruleset: Ruleset, key: str, frames: Frames, now: datetime, thresholds: Mapping[str, str]
) -> Explanation:
    """Explain segment ``key`` for the one profile that ``frames`` hold, as it was known by now."""
    return Explainer(ruleset, frames, now, thresholds).segment(key)


@dataclass(frozen=True, slots=True)
class _Turn:
    """What would turn a truth."""

    by: str | None
    """What the customer or the shop would have to do."""
    at: datetime | None
    """When it turns by itself, if nothing happens."""
    of_orders: bool

    def sentence(self, *, holds: bool) -> str | None:
        """As it is told of something that holds, or does not."""
        idle = "if nothing is ordered" if self.of_orders else "if nothing else changes"
        if self.at is not None:
            verb = "ends" if holds else "begins"
            by_time = f"{verb} on {self.at:%Y-%m-%d %H:%M} {idle}"
            return by_time if holds or not self.by else f"needs {self.by}; {by_time}"
        if self.by is None:
            return None
        return f"ends with {self.by}" if holds else f"needs {self.by}"


class Explainer:
    """Explains segments for the one profile that ``frames`` hold."""

    def __init__(
        self, ruleset: Ruleset, frames: Frames, now: datetime, thresholds: Mapping[str, str]
    ) -> None:
        self._ruleset = ruleset
        self._thresholds = thresholds
        self._scene = Scene(ruleset, frames, now, thresholds)
        self._conditions = self._scene.conditions
        self._idle = nothing_later(frames, now)
        self._later: dict[datetime, Conditions] = {}
        self._evidence = Evidence(self._conditions, thresholds)
        self._remedies = Remedies(self._conditions, self._evidence)
        self._currency = ruleset.shop.currency

    def segment(self, key: str) -> Explanation:
        """A whole segment: its rule, what decides beside it, and until when."""
        rule, turn = self._node(self._ruleset.rules[key])
        member = bool(self._conditions.members[key][0])
        known = bool(self._conditions.facts.exists[0])
        due, at = self._ends(key, member=member) if self._depends(key) else (rule.due, turn.at)
        if not known:
            due, at = _instant(self._conditions.facts.next_event), None
        turn = replace(turn, by=turn.by if known and rule.holds == member else None, at=at)
        return replace(
            rule,
            holds=rule.holds and known,
            member=member,
            value=rule.value if known else "a customer that is not known yet",
            due=self._local(_sooner(due, _instant(self._conditions.facts.next_event))),
            until=at,
            change=turn.sentence(holds=member),
            notes=tuple(notes(self._scene, key, self._evidence)),
        )

    def _depends(self, key: str) -> bool:
        """Whether anything but the rule decides, or what other segments do."""
        return self._ruleset.standing(key) != PLAIN or bool(self._ruleset.depends(key))

    def _ends(self, key: str, *, member: bool) -> tuple[datetime | None, datetime | None]:
        """When a membership may change, and when it does if nothing happens."""
        ruleset = self._ruleset.restricted([key])
        scene = Scene(ruleset, self._scene.frames, self._scene.now, self._thresholds)
        first = due = _instant(scene.decision.due.to_numpy(float))
        for _ in range(_LOOKS):
            if due is None:
                break
            scene = Scene(ruleset, self._idle, due, self._thresholds)
            if bool(scene.decision.members[key].iloc[0]) != member:
                return first, self._local(due)
            due = _instant(scene.decision.due.to_numpy(float))
        return first, None

    def _node(self, expression: Expression, depth: int = 0) -> tuple[Explanation, _Turn]:
        truth = bool(holds(expression, self._conditions)[0])
        found = [self._node(part, depth) for part in joined(expression)]
        due = _due(expression, self._conditions)
        turn = self._turn(expression, found, due, truth=truth)
        told = Explanation(
            text(expression),
            words(expression, self._currency),
            truth,
            due=self._local(due),
            until=turn.at,
            change=turn.sentence(holds=truth),
            parts=tuple(part for part, _ in found),
        )
        if isinstance(expression, And | Or | Not | Variable):
            return told, turn
        return self._leaf(told, expression, depth), turn

    def _leaf(self, told: Explanation, leaf: Leaf, depth: int) -> Explanation:
        parts: tuple[Explanation, ...] = ()
        if isinstance(leaf, Member) and depth == 0:
            rule, _ = self._node(self._ruleset.rules[leaf.segment], depth + 1)
            beside = notes(self._scene, leaf.segment, self._evidence)
            parts = (replace(rule, notes=tuple(beside)),)
        value, orders = self._evidence.value(leaf), self._evidence.orders(leaf)
        return replace(told, value=value, orders=orders, parts=parts)

    def _turn(
        self,
        expression: Expression,
        parts: Sequence[tuple[Explanation, _Turn]],
        due: datetime | None,
        *,
        truth: bool,
    ) -> _Turn:
        at = self._turns(expression, due, truth=truth)
        turn = _Turn(None, at, any(map(_is_of_orders, facts_of(expression))))
        match expression:
            case Variable():
                return turn
            case Not():
                return replace(turn, by=parts[0][1].by)
            case And() | Or():
                one_is_enough = isinstance(expression, And) == truth
                turned = [each.by for part, each in parts if part.holds == truth]
                return replace(turn, by=_together(turned, one_is_enough=one_is_enough))
            case _:
                return replace(turn, by=self._remedies.of(expression))

    def _turns(
        self, expression: Expression, due: datetime | None, *, truth: bool
    ) -> datetime | None:
        """When a truth turns by itself, if nothing happens; ``due``: the first look."""
        for _ in range(_LOOKS):
            if due is None:
                return None
            later = self._at(due)
            if bool(holds(expression, later)[0]) != truth:
                return self._local(due)
            due = _due(expression, later)
        return None

    def _at(self, instant: datetime) -> Conditions:
        """The conditions later, if nothing happens and nobody enters or leaves."""
        if instant not in self._later:
            shop = self._ruleset.shop
            facts = Facts(self._idle, Clock(shop.time_zone, instant, shop.week_start))
            self._later[instant] = Conditions(facts, shop, self._thresholds)
            self._later[instant].members = self._conditions.members
        return self._later[instant]

    def _local(self, instant: datetime | None) -> datetime | None:
        return instant and instant.astimezone(self._conditions.facts.clock.zone)


def _together(turned: Sequence[str | None], *, one_is_enough: bool) -> str | None:
    """What would turn one part, or all of them."""
    known = list(dict.fromkeys(by for by in turned if by))
    if not known or len(known) > _MOST or (None in turned and not one_is_enough):
        return None
    return (" or " if one_is_enough else " and ").join(known)


def _due(expression: Expression, conditions: Conditions) -> datetime | None:
    """When time alone may change a condition."""
    found = [conditions.due(leaf) for leaf in leaves(expression)]
    return _instant(np.concatenate([due for due in found if due is not None] or [np.empty(0)]))


def _instant(dues: npt.NDArray[Any]) -> datetime | None:
    known = dues[~np.isnan(dues)]
    return datetime.fromtimestamp(math.ceil(known.min()), UTC) if len(known) else None


def _sooner(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((each for each in (one, other) if each is not None), default=None)


def _is_of_orders(name: str) -> bool:
    field = find_field(name)
    needs = field.needs if field else FUNCTIONS[name].needs if name in FUNCTIONS else ()
    return "orders" in needs
