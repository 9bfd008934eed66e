"""Why, why not, until when: the evaluation of one profile, told condition by condition."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.evaluate import holds
from segmentd.segmenter.facts import Events, Facts
from segmentd.segmenter.fields import FIELDS, FUNCTIONS, NUMERIC, Kind, find_field
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import (
    Condition,
    Expression,
    Leaf,
    Matches,
    Name,
    Not,
    expression_of,
    leaves,
    text,
)
from segmentd.segmenter.predicates import Bools, Floats
from segmentd.segmenter.render import money, words
from segmentd.segmenter.ruleset import Ruleset
from segmentd.segmenter.thresholds import INSUFFICIENT

MAX_ORDERS = 10


@dataclass(frozen=True, slots=True)
class Explanation:
    """One node of a rule: its text, whether it holds, and what it was decided by."""

    text: str
    words: str
    holds: bool
    value: str | None = None
    """What the condition looked at, in words; None for AND, OR and NOT."""
    orders: tuple[int | str, ...] = ()
    """Up to 10 order ids that were used, latest first: ours, or the shop's once ``renamed``."""
    due: datetime | None = None
    """When time alone may change it, on the shop's clock."""
    parts: tuple[Explanation, ...] = ()

    def renamed(self, names: Mapping[int | str, str]) -> Explanation:
        """The same with other names for the orders."""
        orders = tuple(names.get(order, order) for order in self.orders)
        parts = tuple(part.renamed(names) for part in self.parts)
        return replace(self, orders=orders, parts=parts)

    def used_orders(self) -> set[int | str]:
        """All orders that it names, here and in its parts."""
        return set(self.orders).union(*(part.used_orders() for part in self.parts))

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the same names, ``due`` in ISO 8601."""
        return {
            "text": self.text,
            "words": self.words,
            "holds": self.holds,
            "value": self.value,
            "orders": list(self.orders),
            "due": self.due.isoformat() if self.due else None,
            "parts": [part.to_dict() for part in self.parts],
        }

    def to_text(self) -> str:
        """Indented lines for a person."""
        return "\n".join(self._lines(0))

    def _lines(self, level: int) -> Iterable[str]:
        facts = [self.words]
        if self.value is not None:
            facts.append(f"it is {self.value}")
        if self.orders:
            facts.append("orders " + ", ".join(str(number) for number in self.orders))
        if self.due:
            facts.append(f"may change on {self.due:%Y-%m-%d %H:%M}")
        yield "  " * level + ("yes  " if self.holds else "no   ") + "; ".join(facts)
        for part in self.parts:
            yield from part._lines(level + 1)  # noqa: SLF001 - the same class


def explain(
    ruleset: Ruleset, key: str, frames: Frames, now: datetime, thresholds: Mapping[str, str]
) -> Explanation:
    """Explain segment ``key`` for the one profile that ``frames`` hold."""
    facts = Facts(frames, Clock(ruleset.shop.time_zone, now))
    currency = ruleset.shop.currency
    return _Explainer(Conditions(facts, currency, thresholds), currency, thresholds).rule(
        ruleset.rules[key]
    )


class _Explainer:
    def __init__(
        self, conditions: Conditions, currency: str, thresholds: Mapping[str, str]
    ) -> None:
        self._conditions = conditions
        self._facts = conditions.facts
        self._currency = currency
        self._thresholds = thresholds

    def rule(self, expression: Expression) -> Explanation:
        """The whole rule: as its topmost part, but only for who is known by now."""
        node = self._node(expression)
        due = self._due(expression, self._facts.next_event)
        known = bool(self._facts.exists[0])
        value = node.value if known else "a customer that is not known yet"
        return Explanation(
            node.text, node.words, node.holds and known, value, node.orders, due, node.parts
        )

    def _node(self, expression: Expression) -> Explanation:
        if isinstance(expression, Condition | Matches):
            return self._leaf(expression)
        parts = (expression.part,) if isinstance(expression, Not) else expression.parts
        return Explanation(
            text(expression),
            words(expression, self._currency),
            bool(holds(expression, self._conditions)[0]),
            due=self._due(expression),
            parts=tuple(self._node(part) for part in parts),
        )

    def _leaf(self, leaf: Leaf) -> Explanation:
        if isinstance(leaf, Matches):
            value, orders = self._matched(leaf), self._matched_orders(leaf)
        else:
            value, orders = self._value(leaf), self._field_orders(leaf.field)
        truth = bool(self._conditions.truth(leaf)[0])
        phrase = words(leaf, self._currency)
        return Explanation(text(leaf), phrase, truth, value, orders, self._due(leaf))

    def _due(self, expression: Expression, *more: Floats) -> datetime | None:
        found = [self._conditions.due(leaf) for leaf in leaves(expression)]
        instants = [float(due[0]) for due in (*found, *more) if due is not None]
        known = [instant for instant in instants if not np.isnan(instant)]
        return self._local(min(known)) if known else None

    def _local(self, instant: float) -> datetime:
        return datetime.fromtimestamp(instant, UTC).astimezone(self._facts.clock.zone)

    def _value(self, condition: Condition) -> str:
        value = self._field(condition.field)
        other = condition.operands[0] if condition.operands else None
        if isinstance(other, Name):
            return f"{value} ({other.value} is {self._field(other.value)})"
        return value + self._cut(condition)

    def _field(self, name: str) -> str:
        kind = self._kind(name)
        if kind in NUMERIC or kind is Kind.DATE:
            return self._number(kind, float(self._facts.numbers(name)[0]))
        column = self._facts.terms(name)
        return ", ".join(column.distinct[column.codes[0]]) or "unknown"

    def _kind(self, name: str) -> Kind:
        field = find_field(name)
        return field.kind if field else Kind.ANY

    def _number(self, kind: Kind, value: float) -> str:
        if np.isnan(value):
            return "unknown"
        if kind is Kind.DATE:
            return f"{self._local(value):%Y-%m-%d %H:%M}"
        return money(value, self._currency) if kind is Kind.MONEY else f"{value:g}"

    def _cut(self, condition: Condition) -> str:
        expression = expression_of(condition)
        if expression is None:
            return ""
        cut = self._thresholds.get(expression, INSUFFICIENT)
        if cut == INSUFFICIENT:
            return f" ({expression}: too few customers have ordered)"
        value = self._number(self._kind(condition.field), float(cut.split(" ")[0]))
        return f" ({expression} is {value})"

    def _matched(self, leaf: Matches) -> str:
        known = FUNCTIONS[leaf.function].aggregates
        if self._conditions.events(leaf) is None:
            return "unknown"
        asked = [p.field for p in leaf.parameters if p.field in known] or ["count"]
        return ", ".join(f"{known[name].words} {self._aggregate(leaf, name)}" for name in asked)

    def _aggregate(self, leaf: Matches, name: str) -> str:
        kind = FUNCTIONS[leaf.function].aggregates[name].kind
        return self._number(kind, float(self._conditions.aggregate(leaf, name)[0]))

    def _matched_orders(self, leaf: Matches) -> tuple[int, ...]:
        events = self._conditions.events(leaf)
        return _latest(events, self._conditions.rows(leaf)) if events else ()

    def _field_orders(self, name: str) -> tuple[int, ...]:
        needs = FIELDS[name].needs if name in FIELDS else ()
        if not needs:
            return ()
        if name.startswith("refund"):
            return _latest(self._facts.refunds, np.ones(len(self._facts.refunds.rows), bool))
        orders = self._facts.orders
        if name in {"first_order_date", "last_order_date"}:
            return _latest(orders, orders.placed == self._facts.numbers(name)[0])
        used = _latest(orders, np.ones(len(orders.rows), bool))
        return used[:1] if name == "last_order_country" else used


def _latest(events: Events, rows: Bools) -> tuple[int, ...]:
    """Distinct orders of some rows, latest first."""
    order_ids, placed = events.ints("order_id")[rows], events.placed[rows]
    latest_first = np.lexsort((-order_ids, -placed))
    return tuple(dict.fromkeys(order_ids[latest_first].tolist()))[:MAX_ORDERS]
