"""What a rule can say: the syntax tree.

Nodes are immutable, comparable and hashable, so that a condition shared by several rules is
evaluated once; ``at`` is where the words stood and takes no part in comparisons. ``!=``, ``NOT IN``
and their like are the positive condition with ``negated``: logic is two-valued, so a negation is
the complement.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple


class Position(NamedTuple):
    """Line and column in the text of the rule, from 1."""

    line: int
    column: int


_NOWHERE = Position(1, 1)


@dataclass(frozen=True, slots=True)
class Text:
    """``'VIP'``"""

    value: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Number:
    """``100.50``"""

    value: Decimal
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Truth:
    """``true``"""

    value: bool
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Day:
    """``2020-05-30``: a whole day of the shop."""

    value: date
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Moment:
    """``2020-05-30T18:00:00``: a naive instant on the shop's clock, or aware with an offset."""

    value: datetime
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Offset:
    """``-90d``: from today (units d, w, m, y) or from now (units h, min)."""

    amount: int
    unit: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Duration:
    """``7d`` after WITHIN, FOR or EVERY: a length of time (units as in Offset)."""

    amount: int
    unit: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Period:
    """``LAST MONTH``: a whole calendar unit beside the current one."""

    which: str
    unit: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Boundary:
    """``START OF LAST MONTH``: the first (or, with ``end``, the last) day of a calendar unit."""

    end: bool
    which: str
    unit: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Share:
    """``TOP 10%`` of all who have ordered."""

    side: str
    percent: Decimal
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Statistic:
    """``STORE AVERAGE``, ``STORE MEDIAN`` or ``STORE PERCENTILE 75`` of all who have ordered.

    ``kind``: AVERAGE, MEDIAN or PERCENTILE (with ``percent``). ``deviations``: so many standard
    deviations of the population (divided by N) are added.
    """

    kind: str
    percent: Decimal = Decimal(0)
    deviations: Decimal = Decimal(0)
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Variable:
    """``$limit``: a value or named condition of the configuration, or a value fitted to the store.

    ``sign`` ``-`` or ``+``: ``-$days`` is an offset of so many days.
    """

    name: str
    sign: str = ""
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """A field of the customer, or a parameter of a function."""

    value: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """``anniversary('first_order_date')``; ``ENTERED`` and ``LEFT`` with a segment's key."""

    name: str
    argument: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Events:
    """``orders_placed (date >= -90d)``: those that fulfil all parameters.

    ``argument`` is the name in ``events('Viewed Product')``.
    """

    function: str
    argument: str | None = None
    parameters: tuple[Expression, ...] = ()
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """``sum_amount OF orders_placed (…)`` or ``count OF customer_tags``.

    ``every``: the least value of any window of that length, instead of one value over all.
    """

    name: str
    of: Name | Events
    every: Duration | None = None
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


Subject = Name | Call | Aggregate
"""What a condition is about."""


@dataclass(frozen=True, slots=True)
class Shifted:
    """``first_order_date + 7d``: a date of the same customer, moved."""

    subject: Subject
    offset: Offset
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Scaled:
    """``1.5 * STORE AVERAGE``."""

    factor: Decimal
    operand: Subject | Statistic
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


Literal = Text | Number | Truth | Day | Moment | Offset | Boundary | Variable
Operand = Literal | Period | Share | Statistic | Subject | Shifted | Scaled

COMPARISONS = ("=", ">", ">=", "<", "<=")
PATTERNS = ("CONTAINS", "STARTS WITH", "ENDS WITH", "LIKE", "REGEX")
QUANTIFIED = ("CONTAINS ANY", "CONTAINS ALL")


@dataclass(frozen=True, slots=True)
class Condition:
    """A subject, an operator and its operands.

    ``operator``: one of COMPARISONS, PATTERNS, QUANTIFIED, ``BETWEEN``, ``IN`` (a list, a Share or
    a Period) or ``IS NULL``. ``mode`` of a pattern: ``MATCHING CASE``, ``IGNORING ACCENTS`` or "".
    """

    subject: Subject
    operator: str
    operands: tuple[Operand, ...] = ()
    negated: bool = False
    mode: str = ""
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Matches:
    """There are events, and the aggregates among the parameters hold for them."""

    events: Events
    negated: bool = False
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next in a sequence.

    ``within`` counts from the event before it. ``negated``, only in a last step: no such event came
    (and the time for it is over). ``without``: none of these lie between the two.
    """

    events: Events
    negated: bool = False
    within: Duration | None = None
    without: Events | None = None
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Sequence:
    """``A THEN B WITHIN 7d``: events in this order, each later than the one before."""

    first: Events
    steps: tuple[Step, ...]
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Member:
    """``segment('vip')``: is a member of another segment."""

    segment: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Sample:
    """``SAMPLE(10%, 'salt')``: a stable part of all customers, ``low`` to ``high`` percent."""

    low: Decimal
    high: Decimal
    salt: str
    at: Position = dataclasses.field(default=_NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Not:
    """The complement."""

    part: Expression


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts."""

    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of the parts."""

    parts: tuple[Expression, ...]


Leaf = Condition | Matches | Sequence | Member | Sample
Expression = Leaf | Variable | Not | And | Or


def leaves(expression: Expression) -> Iterator[Leaf]:
    """Every condition of a rule, from left to right; variables are none."""
    match expression:
        case Not(part):
            yield from leaves(part)
        case And(parts) | Or(parts):
            for part in parts:
                yield from leaves(part)
        case Variable():
            return
        case _:
            yield expression


def joined(expression: Expression) -> tuple[Expression, ...]:
    """What AND, OR or NOT stands over; nothing for a condition."""
    match expression:
        case And(parts) | Or(parts):
            return parts
        case Not(part):
            return (part,)
    return ()


def nodes(tree: Any) -> Iterator[Any]:
    """A node and every node below it: operands, parameters and steps too."""
    yield tree
    for part in children(tree):
        yield from nodes(part)


def children(tree: Any) -> Iterator[Any]:
    """The nodes directly below a node."""
    for name in _fields(tree.__class__):
        value = getattr(tree, name)
        for part in value if isinstance(value, tuple) else (value,):
            if dataclasses.is_dataclass(part):
                yield part


def rewrite(tree: Any, change: Callable[[Any], Any]) -> Any:
    """The tree with every node that ``change`` gives another for; None leaves it as it is."""
    changed = change(tree)
    if changed is not None:
        return changed
    values = {}
    for name in _fields(tree.__class__):
        value = getattr(tree, name)
        if isinstance(value, tuple):
            values[name] = tuple(rewrite(part, change) for part in value)
        elif dataclasses.is_dataclass(value):
            values[name] = rewrite(value, change)
    return dataclasses.replace(tree, **values) if values else tree


@cache
def _fields(kind: type) -> tuple[str, ...]:
    """What may hold nodes: all but ``at``. Found once for each class, as trees are walked often."""
    return tuple(field.name for field in dataclasses.fields(kind) if field.name != "at")
