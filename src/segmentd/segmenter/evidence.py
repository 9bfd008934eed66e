"""What a condition looked at, for one profile: its value in words, and the orders used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import numpy as np

from segmentd.segmenter import sequences
from segmentd.segmenter.comparisons import asked_kind
from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.events import EventTable
from segmentd.segmenter.fields import FUNCTIONS, NUMERIC, Kind, subject_field
from segmentd.segmenter.language import (
    Aggregate,
    Call,
    Condition,
    Events,
    Leaf,
    Matches,
    Member,
    Name,
    Operand,
    Sample,
    Scaled,
    Sequence,
    Share,
    Shifted,
    Statistic,
    Subject,
)
from segmentd.segmenter.matching import conditions_of
from segmentd.segmenter.predicates import Bools
from segmentd.segmenter.render import money
from segmentd.segmenter.spelling import relative_name, subject_text
from segmentd.segmenter.thresholds import INSUFFICIENT

MAX_ORDERS = 10
UNKNOWN = "unknown"
_NEAR = "customer_within_distance"


def _short(value: float) -> str:
    """A number with two decimals at most."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


class Evidence:
    """Of the first profile of an evaluation."""

    def __init__(self, conditions: Conditions, thresholds: Mapping[str, str]) -> None:
        self._conditions = conditions
        self._thresholds = thresholds
        self._currency = conditions.shop.currency

    def value(self, leaf: Leaf) -> str:
        """What the condition looked at."""
        match leaf:
            case Condition(Call("anniversary", argument)):
                return self.shown(Name(argument), Kind.DATE)
            case Condition():
                return self._condition(leaf)
            case Matches(Events(function)) if function == _NEAR:
                return self._distance(leaf)
            case Matches(events):
                if self._conditions.table(events) is None:
                    return UNKNOWN
                return ", ".join(self._total(each) for each in conditions_of(leaf))
            case Sequence():
                return f"{self.steps(leaf)} of {len(leaf.steps) + 1} steps"
            case Member(segment):
                return "a member" if self._conditions.members[segment][0] else "no member"
            case Sample(salt=salt):
                return f"at {self._conditions.facts.samples.percent(salt, 0):.2f} %"

    def orders(self, leaf: Leaf) -> tuple[int, ...]:
        """Ids of the orders that it was decided by, latest first."""
        match leaf:
            case Condition(subject):
                return self._orders(subject)
            case Matches(events):
                return self._matching(events)
            case Sequence(first, steps):
                everything = (first, *(step.events for step in steps))
                found = {order for events in everything for order in self._matching(events)}
                latest = _latest(self._conditions.facts.orders)
                return tuple(order for order in latest if order in found)[:MAX_ORDERS]
            case _:
                return ()

    def shown(self, subject: Subject, kind: Kind | None = None) -> str:
        """The value of a subject, read as a kind."""
        kind = kind or self._conditions.kind(subject)
        if kind in NUMERIC or kind is Kind.DATE:
            return self.number(kind, float(self._conditions.numbers(subject, kind)[0]))
        column = self._conditions.terms(subject)
        empty = "none" if kind is Kind.LIST else UNKNOWN
        return ", ".join(column.distinct[column.codes[0]]) or empty

    def number(self, kind: Kind, value: float) -> str:
        """A number of a kind: money with its currency, a share in percent, a date on the shop's
        clock."""
        if np.isnan(value):
            return UNKNOWN
        if kind is Kind.DATE:
            return f"{self.local(value):%Y-%m-%d %H:%M}"
        if kind is Kind.MONEY:
            return money(value, self._currency)
        return f"{_short(100 * value)} %" if kind is Kind.RATIO else _short(value)

    def local(self, instant: float) -> datetime:
        """Epoch seconds on the shop's clock."""
        return datetime.fromtimestamp(instant, UTC).astimezone(self._conditions.facts.clock.zone)

    def steps(self, sequence: Sequence) -> int:
        """How many events of a sequence have come in their order."""
        reached = 1 if self._conditions.rows(sequence.first).any() else 0
        for count in range(1, len(sequence.steps) + 1):
            begun = Sequence(sequence.first, sequence.steps[:count])
            if sequences.truth(begun, self._conditions)[0]:
                reached = count + 1
        return reached

    def threshold(self, operand: Share | Statistic, subject: Subject) -> float | None:
        """The value of the whole store; None while too few customers have ordered."""
        cut = self._thresholds.get(relative_name(operand, subject), INSUFFICIENT)
        return None if cut == INSUFFICIENT else float(cut.split(" ")[0])

    def _condition(self, condition: Condition) -> str:
        field = subject_field(condition.subject)
        assert field is not None  # noqa: S101 - rules are checked before
        kind = asked_kind(condition, field)
        value = self.shown(condition.subject, kind)
        others = (self._other(operand, condition.subject, kind) for operand in condition.operands)
        return value + "".join(f" ({other})" for other in others if other)

    def _other(self, operand: Operand, subject: Subject, kind: Kind) -> str:
        """What it is compared with, where that is no literal."""
        match operand:
            case Scaled(_, inner):
                return self._other(inner, subject, kind)
            case Shifted(of):
                return self._other(of, subject, kind)
            case Share() | Statistic():
                name = relative_name(operand, subject)
                cut = self.threshold(operand, subject)
                if name not in self._thresholds:
                    return f"{name} is not computed yet"
                if cut is None:
                    return f"{name}: too few customers have ordered"
                return f"{name} is {self.number(self._conditions.kind(subject), cut)}"
            case Name() | Call() | Aggregate():
                return f"{subject_text(operand)} is {self.shown(operand, kind)}"
            case _:
                return ""

    def _total(self, condition: Condition) -> str:
        field = subject_field(condition.subject)
        assert field is not None  # noqa: S101 - rules are checked before
        return f"{field.words} {self.shown(condition.subject)}"

    def _distance(self, matches: Matches) -> str:
        away = float(self._conditions.facts.homes.distances(matches)[0])
        return UNKNOWN if np.isnan(away) else f"{away:.1f} km away"

    def _matching(self, events: Events) -> tuple[int, ...]:
        table = self._conditions.table(events)
        if table is None or "orders" not in FUNCTIONS[events.function].needs:
            return ()
        named = events.function != "checkouts_abandoned"
        return _latest(table, self._conditions.rows(events))[:MAX_ORDERS] if named else ()

    def _orders(self, subject: Subject) -> tuple[int, ...]:
        match subject:
            case Aggregate(_, Events() as events):
                return self._matching(events)
            case Name(name):
                return self._of_field(name)
            case _:
                return ()

    def _of_field(self, name: str) -> tuple[int, ...]:
        field = subject_field(Name(name))
        if field is None or "orders" not in field.needs or "events" in field.needs:
            return ()
        facts = self._conditions.facts
        if name.startswith("refund"):
            return _latest(facts.refunds)[:MAX_ORDERS]
        if name in {"first_order_date", "last_order_date"}:
            return _latest(facts.orders, facts.orders.placed == facts.numbers(name)[0])
        only_last = name in {"last_order_country", "days_since_last_order"}
        return _latest(facts.orders)[: 1 if only_last else MAX_ORDERS]


def _latest(table: EventTable, rows: Bools | None = None) -> tuple[int, ...]:
    """Distinct orders of some rows, latest first."""
    chosen = np.ones(len(table.rows), bool) if rows is None else rows
    order_ids, placed = table.ints("order_id")[chosen], table.placed[chosen]
    latest_first = np.lexsort((-order_ids, -placed))
    return tuple(dict.fromkeys(order_ids[latest_first].tolist()))
