"""What would change a condition for one profile, other than the passing of time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from segmentd.sdk.values import exponent
from segmentd.segmenter.comparisons import asked_kind
from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.evidence import Evidence
from segmentd.segmenter.fields import FUNCTIONS, NUMERIC, Kind, subject_field
from segmentd.segmenter.instants import Reference, spans
from segmentd.segmenter.language import (
    Aggregate,
    Call,
    Condition,
    Events,
    Leaf,
    Matches,
    Member,
    Name,
    Number,
    Operand,
    Sample,
    Scaled,
    Share,
    Statistic,
    Subject,
    Text,
)
from segmentd.segmenter.language import Sequence as Steps
from segmentd.segmenter.matching import conditions_of
from segmentd.segmenter.render import money, subject_words, words

Range = tuple[float, float]
"""From, to; both included."""

_ALL: Range = (-math.inf, math.inf)
_SINGULAR = {"orders": "order", "products": "product", "refunds": "refund", "reviews": "review"}
_NEAR = "customer_within_distance"


class Remedies:
    """Of the first profile of an evaluation."""

    def __init__(self, conditions: Conditions, evidence: Evidence) -> None:
        self._conditions = conditions
        self._evidence = evidence
        self._currency = conditions.shop.currency

    def of(self, leaf: Leaf) -> str | None:
        """``2 more orders``, ``spend 120.00 EUR more``: what would turn the condition's truth.

        None for what no customer can do anything about.
        """
        holds = bool(self._conditions.truth(leaf)[0])
        match leaf:
            case Condition():
                return self._condition(leaf, wanted=not holds)
            case Matches(Events(function)) if function == _NEAR:
                return "another address"
            case Matches():
                return self._matches(leaf, wanted=holds == leaf.negated)
            case Steps():
                return self._sequence(leaf, holds=holds)
            case Member(segment):
                return f"{'leaving' if holds else 'entering'} segment '{segment}'"
            case Sample():
                return None

    def _matches(self, leaf: Matches, *, wanted: bool) -> str | None:
        """``wanted``: all of the conditions have to hold, or one of them not."""
        asked = conditions_of(leaf)
        truths = [bool(self._conditions.truth(each)[0]) for each in asked]
        turned = [each for each, truth in zip(asked, truths, strict=True) if truth != wanted]
        found = [self._condition(each, wanted=wanted) for each in turned]
        if None in found or not found:
            return None
        return (" and " if wanted else " or ").join(dict.fromkeys(filter(None, found)))

    def _sequence(self, leaf: Steps, *, holds: bool) -> str | None:
        last = leaf.steps[-1]
        if holds:
            return self._event(last.events) if last.negated else None
        reached = self._evidence.steps(leaf)
        if reached == 0:
            return self._event(leaf.first)
        step = leaf.steps[reached - 1] if reached <= len(leaf.steps) else last
        return None if step.negated else self._event(step.events)

    def _event(self, events: Events) -> str:
        plural = FUNCTIONS[events.function].words
        told = subject_words(Aggregate("count", events), self._currency).removeprefix("number of ")
        if plural in _SINGULAR and told.startswith(plural):
            return f"a new {_SINGULAR[plural]}{told.removeprefix(plural)}"
        return f"one more of: {told}"

    def _condition(self, condition: Condition, *, wanted: bool) -> str | None:
        subject = condition.subject
        field = subject_field(subject)
        if field is None or isinstance(subject, Call) or _counts_days(subject):
            return None
        kind = asked_kind(condition, field)
        # what the comparison itself must become, without its negation
        positive = wanted != condition.negated
        if condition.operator == "IS NULL":
            return self._known(subject, missing=positive)
        if kind is Kind.DATE:
            return self._date(condition, positive=positive)
        if kind in NUMERIC:
            return self._number(condition, kind, positive=positive)
        return self._text(condition, positive=positive)

    def _known(self, subject: Subject, *, missing: bool) -> str | None:
        if missing:
            return None
        return self._first(subject) or f"a value for {subject_words(subject, self._currency)}"

    def _first(self, subject: Subject) -> str | None:
        """What gives a value to somebody who has none."""
        field = subject_field(subject)
        ordered = field is not None and "orders" in field.needs and "events" not in field.needs
        if isinstance(subject, Name) and ordered:
            return "a first order"
        if isinstance(subject, Aggregate) and isinstance(subject.of, Events):
            return self._event(subject.of)
        return None

    # texts

    def _text(self, condition: Condition, *, positive: bool) -> str:
        if condition.subject == Name("customer_tags") and condition.operator == "CONTAINS":
            (tag,) = condition.operands
            named = f"the tag '{tag.value}'" if isinstance(tag, Text) else "the tag"
            return f"{named} put on" if positive else f"{named} taken off"
        phrase = words(replace(condition, negated=not positive), self._currency)
        return f"a change so that {phrase}"

    # dates

    def _date(self, condition: Condition, *, positive: bool) -> str | None:
        """Only orders move dates."""
        if condition.subject not in {Name("last_order_date"), Name("first_order_date")}:
            return None
        now, clock = self._conditions.facts.clock.now, self._conditions.facts.clock
        if any(not isinstance(operand, Reference) for operand in condition.operands):
            return None
        inside = any(
            (span.low is None or clock.at(span.low) <= now)
            and (span.high is None or now < clock.at(span.high))
            for span in spans(condition)
        )
        known = not math.isnan(float(self._conditions.numbers(condition.subject)[0]))
        if inside != positive or (known and condition.subject == Name("first_order_date")):
            return None
        return "a new order" if known else "a first order"

    # numbers

    def _number(self, condition: Condition, kind: Kind, *, positive: bool) -> str | None:
        value = float(self._conditions.numbers(condition.subject, kind)[0])
        if math.isnan(value):
            return self._first(condition.subject)
        bounds = [self._bound(each, condition.subject, kind) for each in condition.operands]
        if any(math.isnan(bound) for bound in bounds):
            return None
        step = _step(condition.subject, kind)
        inside = list(_ranges(condition, bounds, step))
        ranges = inside if positive else list(_others(inside, step))
        deltas = [_distance(value, each) for each in ranges]
        # of two ways as far the one that customers go
        nearest = min(deltas, key=lambda delta: (abs(delta), -delta), default=None)
        return None if not nearest else self._difference(condition.subject, kind, nearest)

    def _bound(self, operand: Operand, subject: Subject, kind: Kind) -> float:
        match operand:
            case Number(value):
                return float(value.scaleb(exponent(self._currency) if kind is Kind.MONEY else 0))
            case Scaled(factor, inner):
                return float(Fraction(factor)) * self._bound(inner, subject, kind)
            case Share() | Statistic():
                cut = self._evidence.threshold(operand, subject)
                return math.nan if cut is None else cut
            case Name() | Call() | Aggregate():
                return float(self._conditions.numbers(operand, kind)[0])
            case _:
                return math.nan

    def _difference(self, subject: Subject, kind: Kind, delta: float) -> str:
        more = delta > 0
        if kind is Kind.MONEY:
            amount = money(math.ceil(abs(delta)), self._currency)
            if subject == Name("amount_spent"):
                return f"{amount} more spent" if more else f"{amount} given back"
            return f"{amount} {'more' if more else 'less'}"
        if kind is Kind.RATIO:
            return f"{_enough(100 * delta)} percentage points {'more' if more else 'less'}"
        if not _is_counted(subject):
            return f"{_enough(delta)} {'more' if more else 'less'}"
        count, what = math.ceil(abs(delta)), _counted(subject)
        named = _SINGULAR.get(what, what) if count == 1 else what
        if what == "orders" and not more:
            return f"{count} {named} cancelled"
        return f"{count} {'more' if more else 'fewer'} {named}"


def _enough(delta: float) -> str:
    """A distance rounded up to two decimals, as values are shown with two."""
    # the least step beyond a bound is far less than that, and not 7.000000000000001 for 7
    hundredths = math.ceil(round(100 * abs(delta), 6))
    return f"{max(hundredths, 1) / 100:.15g}"


def _step(subject: Subject, kind: Kind) -> float:
    """The least difference between two values; 0 where there is none."""
    return 1.0 if kind is Kind.MONEY or kind is Kind.PLACE or _is_counted(subject) else 0.0


def _counts_days(subject: Subject) -> bool:
    """It grows by itself, day by day."""
    since = isinstance(subject, Aggregate) and subject.name == "days_since"
    return since or subject == Name("days_since_last_order")


def _is_counted(subject: Subject) -> bool:
    match subject:
        case Name(name):
            return name in {"number_of_orders", "refunded_orders", "distinct_products"}
        case Aggregate(name):
            return name in {"count", "quantity", "sum_quantity"}
        case _:
            return False


def _counted(subject: Subject) -> str:
    match subject:
        case Name("distinct_products"):
            return "different products"
        case Name(name):
            return "refunded orders" if name == "refunded_orders" else "orders"
        case Aggregate("count", Events(function)):
            # lines and refunds are counted by their orders
            of_orders = function in {"products_purchased", "refunds_received"}
            return "orders" if of_orders else FUNCTIONS[function].words
        case Aggregate("count"):
            return "entries"
        case _:
            return "pieces"


def _ranges(condition: Condition, bounds: Sequence[float], step: float) -> Iterator[Range]:
    """The values that fulfil the comparison."""
    low, high = _ALL
    share = condition.operands[0]
    match condition.operator:
        case "IN" if isinstance(share, Share):
            yield (bounds[0], high) if share.side == "TOP" else (low, bounds[0])
        case ">=":
            yield bounds[0], high
        case ">":
            yield _above(bounds[0], step), high
        case "<=":
            yield low, bounds[0]
        case "<":
            yield low, _below(bounds[0], step)
        case "BETWEEN":
            yield bounds[0], bounds[1]
        case "=" | "IN":
            for bound in bounds:
                yield bound, bound


def _others(ranges: Sequence[Range], step: float) -> Iterator[Range]:
    """What lies between and beside them."""
    begin = -math.inf
    for low, high in sorted(ranges):
        if begin < low:
            yield begin, _below(low, step)
        begin = max(begin, _above(high, step))
    if begin < math.inf:
        yield begin, math.inf


def _above(bound: float, step: float) -> float:
    if math.isinf(bound):
        return bound
    return math.floor(bound / step + 1) * step if step else math.nextafter(bound, math.inf)


def _below(bound: float, step: float) -> float:
    if math.isinf(bound):
        return bound
    return math.ceil(bound / step - 1) * step if step else math.nextafter(bound, -math.inf)


def _distance(value: float, within: Range) -> float:
    """How far a value is from a range, and to which side."""
    low, high = within
    return low - value if value < low else high - value if value > high else 0.0
