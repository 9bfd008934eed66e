"""What looks wrong with rules, each by itself and side by side, without any customer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations

from segmentd.segmenter.fields import FUNCTIONS, Function, Kind, subject_field
from segmentd.segmenter.instants import Clock, Edge
from segmentd.segmenter.language import (
    COMPARISONS,
    And,
    Condition,
    Events,
    Expression,
    Name,
    Not,
    Offset,
    Or,
    Subject,
    Variable,
    joined,
    leaves,
    nodes,
)
from segmentd.segmenter.logic import Logic
from segmentd.segmenter.ruleset import Shop
from segmentd.segmenter.spelling import text

_AHEAD = (0, 400, 4_000)
"""Days from now at which a rule is tried: impossible at all of them is impossible for good."""
_RANGES = frozenset({*COMPARISONS, "BETWEEN"})


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to look at; a rule with findings works all the same."""

    kind: str
    segments: tuple[str, ...]
    text: str


def reasoner(shop: Shop, now: datetime) -> Logic:
    """Logic that tries a rule now and in the years to come."""
    ahead = (now + timedelta(days) for days in _AHEAD)
    return Logic([Clock(shop.time_zone, then, shop.week_start) for then in ahead])


def rule_findings(rules: Mapping[str, Expression], logic: Logic) -> Iterator[Finding]:
    """Parts of single rules that never hold, or always."""
    for key, rule in rules.items():
        for kind, part in _suspicious(rule, logic):
            yield _said(kind, key, part)
        for node in nodes(rule):
            if isinstance(node, Events) and node.parameters:
                whole = And(node.parameters) if node.parameters[1:] else node.parameters[0]
                for kind, part in _suspicious(whole, logic, FUNCTIONS[node.function]):
                    yield _said(kind, key, part)


def set_findings(
    rules: Mapping[str, Expression], sets: Mapping[str, Sequence[str]], logic: Logic
) -> Iterator[Finding]:
    """Segments of exclusive sets that an earlier one leaves nobody; tiers that overlap."""
    for name, keys in sets.items():
        for position, key in enumerate(keys[1:], 1):
            before = Or(tuple(rules[each] for each in keys[:position]))
            if logic.can_hold(rules[key]) and logic.implies(rules[key], before):
                yield Finding(
                    "unreachable",
                    (key,),
                    f"everybody who fulfils it fulfils an earlier segment of the set {name} too",
                )
    together = {frozenset(pair) for keys in sets.values() for pair in combinations(keys, 2)}
    for one, other in combinations(rules, 2):
        if frozenset({one, other}) not in together and _overlap(rules[one], rules[other], logic):
            yield Finding(
                "overlap",
                (one, other),
                "they look like tiers, but a customer can be in both; cut the ranges, "
                "or put them into a set",
            )


def window_findings(
    rules: Mapping[str, Expression], oldest: datetime, clock: Clock
) -> Iterator[Finding]:
    """Conditions on orders that look back further than the oldest order in the store."""
    for key, rule in rules.items():
        for condition in dict.fromkeys(_on_order_dates(rule)):
            starts = [clock.at(Edge(o)) for o in condition.operands if isinstance(o, Offset)]
            if starts and min(starts) < oldest.timestamp():
                begin = datetime.fromtimestamp(min(starts), UTC).astimezone(clock.zone)
                yield Finding(
                    "window",
                    (key,),
                    f"{text(condition)} looks back to {begin:%Y-%m-%d}, but the oldest order in "
                    f"the store is of {oldest.astimezone(clock.zone):%Y-%m-%d}",
                )


def _said(kind: str, key: str, part: Expression) -> Finding:
    verdict = "can never hold" if kind == "contradiction" else "holds for everybody"
    return Finding(kind, (key,), f"{text(part)} {verdict}")


def _suspicious(
    node: Expression, logic: Logic, function: Function | None = None
) -> Iterator[tuple[str, Expression]]:
    """The smallest parts that never hold or always do."""
    parts = joined(node)
    if not logic.can_hold(node, function):
        yield from (("contradiction", part) for part in _impossible(node, parts, logic, function))
    elif logic.always_holds(node, function):
        yield "always", node
    else:
        for part in parts:
            yield from _suspicious(part, logic, function)


def _impossible(
    node: Expression,
    parts: Sequence[Expression],
    logic: Logic,
    function: Function | None,
) -> Iterator[Expression]:
    inner = [part for part in parts if not logic.can_hold(part, function)]
    if isinstance(node, And | Or) and inner:
        for part in inner:
            yield from _impossible(part, joined(part), logic, function)
        return
    pairs = (And(pair) for pair in combinations(parts, 2)) if isinstance(node, And) else ()
    yield next((pair for pair in pairs if not logic.can_hold(pair, function)), node)


def _overlap(one: Expression, other: Expression, logic: Logic) -> bool:
    """Whether both are ranges of the same, with some values in common but not all of either."""
    subject = _ranged(one)
    if subject is None or subject != _ranged(other):
        return False
    nested = logic.implies(one, other) or logic.implies(other, one)
    return not nested and logic.can_hold(And((one, other)))


def _ranged(rule: Expression) -> Subject | None:
    """What a rule is about that does nothing but bound one number or date."""
    conditions = list(leaves(rule))
    plain = not any(isinstance(node, Or | Not | Variable) for node in nodes(rule))
    subjects = {c.subject for c in conditions if isinstance(c, Condition)}
    bounded = all(isinstance(c, Condition) and c.operator in _RANGES for c in conditions)
    return subjects.pop() if plain and bounded and len(subjects) == 1 else None


def _on_order_dates(rule: Expression) -> Iterator[Condition]:
    for node in nodes(rule):
        if isinstance(node, Condition) and _is_order_date(node.subject):
            yield node
        elif isinstance(node, Events) and FUNCTIONS[node.function].needs[:1] == ("orders",):
            for parameter in node.parameters:
                for inner in nodes(parameter):
                    if isinstance(inner, Condition) and inner.subject == Name("date"):
                        yield inner


def _is_order_date(subject: Subject) -> bool:
    field = subject_field(subject)
    return field is not None and field.kind is Kind.DATE and "orders" in field.needs
