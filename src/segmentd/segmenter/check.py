"""What a rule's names and types must fulfil, beyond its form."""

from __future__ import annotations

import re
from collections.abc import Collection

import re2

from segmentd.domain.suggest import did_you_mean
from segmentd.segmenter.fields import (
    FUNCTIONS,
    Field,
    Function,
    Kind,
    subject_field,
)
from segmentd.segmenter.language import (
    Aggregate,
    And,
    Call,
    Condition,
    Events,
    Expression,
    Leaf,
    Matches,
    Member,
    Name,
    Not,
    Number,
    Operand,
    Or,
    Position,
    Sample,
    Sequence,
    Subject,
    Text,
    Variable,
)
from segmentd.segmenter.names import (
    known_field,
    known_function,
    known_list,
    label,
    refuse_function,
    refuse_variable,
)
from segmentd.segmenter.operands import (
    check_operand,
    check_operator,
    check_types,
    check_word,
    is_relative,
    refuse_operand,
    subject_of,
)
from segmentd.segmenter.parser import fail
from segmentd.segmenter.spelling import operand_text

_PLACE = "customer_within_distance"


def check(expression: Expression, segments: Collection[str] | None = None) -> None:
    """Raise RuleError at the first name that is unknown or use that has no meaning.

    ``segments``: the keys that ``segment('…')`` may name; None leaves them unchecked. Variables are
    bound before: only those of FITTED may still stand in the place of a value.
    """
    _Checker(segments).expression(expression)


class _Checker:
    def __init__(self, segments: Collection[str] | None) -> None:
        self._segments = segments

    def expression(self, expression: Expression) -> None:
        match expression:
            case Not(part):
                self.expression(part)
            case And(parts) | Or(parts):
                for part in parts:
                    self.expression(part)
            case Variable():
                refuse_variable(expression)
            case _:
                self._leaf(expression)

    def _leaf(self, leaf: Leaf) -> None:
        match leaf:
            case Condition(subject):
                self._condition(leaf, self._field(subject))
            case Matches(events):
                self._matches(events)
            case Sequence(first, steps):
                self._step(first)
                for step in steps:
                    self._step(step.events)
                    if step.without:
                        self._step(step.without)
            case Member(segment):
                self._segment(segment, leaf.at)
            case Sample():
                return

    def _condition(self, condition: Condition, field: Field, called: str | None = None) -> None:
        """``called``: the function that the condition is a filter of."""
        check_operator(condition, field)
        for operand in condition.operands:
            other = subject_of(operand)
            if called and (is_relative(operand) or (other and field.kind is not Kind.DATE)):
                refuse_operand(condition, field, operand)
            if isinstance(other, Name):
                check_word(field, other)
            elif other is not None:
                self._field(other)
            check_operand(condition, field, operand)
            if condition.operator == "REGEX" and isinstance(operand, Text):
                _check_pattern(operand)
        check_types(condition, field)

    # subjects

    def _field(self, subject: Subject) -> Field:
        match subject:
            case Name():
                known_field(subject)
            case Call():
                self._call(subject)
            case Aggregate():
                self._aggregate(subject)
        field = subject_field(subject)
        assert field is not None  # noqa: S101 - each of the three refuses what is unknown
        return field

    def _call(self, call: Call) -> None:
        if call.name in {"ENTERED", "LEFT"}:
            self._segment(call.argument, call.at)
        elif call.name == "anniversary":
            kind = known_field(Name(call.argument, call.at)).kind
            if kind not in {Kind.DATE, Kind.ANY}:
                fail(call.at, f"{label(call)} needs a date, {call.argument} is {kind}")
        elif call.name in FUNCTIONS:
            refuse_function(call.name, call)
        else:
            near = did_you_mean(call.name, ["anniversary", "events", "segment"])
            fail(call.at, f"unknown function '{call.name}'{near}")

    def _aggregate(self, aggregate: Aggregate) -> None:
        name, of = aggregate.name, aggregate.of
        if isinstance(of, Name):
            known_list(aggregate, of)
        else:
            function = self._events(of)
            if of.function == _PLACE:
                fail(aggregate.at, f"nothing can be counted OF {_PLACE}; use MATCHES")
            if function.aggregate(name) is None:
                near = did_you_mean(name, function.aggregates)
                fail(aggregate.at, f"{of.function} has no aggregate '{name}'{near}")
        if aggregate.every is None:
            return
        rolls = isinstance(of, Events) and (name == "count" or name.startswith("sum_"))
        if not rolls:
            what = "the length of a list" if isinstance(of, Name) else name
            fail(aggregate.at, f"EVERY follows count and sums such as sum_amount, not {what}")
        if aggregate.every.unit not in {"d", "w", "m", "y"}:
            fail(aggregate.every.at, "EVERY is counted in whole days: d, w, m or y")

    def _segment(self, key: str, at: Position) -> None:
        if self._segments is not None and key not in self._segments:
            fail(at, f"there is no segment '{key}'{did_you_mean(key, self._segments)}")

    # events

    def _matches(self, events: Events) -> None:
        function = known_function(events)
        for parameter in events.parameters:
            self._parameter(parameter, events, function, total=True)
        if events.function == _PLACE:
            _check_distance(events)

    def _events(self, events: Events) -> Function:
        """Events that no MATCHES follows: parameters only narrow them down."""
        function = known_function(events)
        for parameter in events.parameters:
            self._parameter(parameter, events, function, total=False)
        return function

    def _step(self, events: Events) -> None:
        if "date" not in self._events(events).properties:
            fail(events.at, f"{events.function} has no date: it cannot stand in a sequence")

    def _parameter(
        self, parameter: Expression, events: Events, function: Function, *, total: bool
    ) -> None:
        match parameter:
            case Not(part):
                self._parameter(part, events, function, total=False)
            case And(parts) | Or(parts):
                for part in parts:
                    self._parameter(part, events, function, total=False)
            case Variable():
                refuse_variable(parameter)
            case Condition(Name(name)):
                self._property(parameter, name, events, function, total=total)
            case _:
                example = next(iter(function.properties))
                fail(
                    parameter.at,
                    f"inside of {events.function} (…) stand only its own parameters,"
                    f" such as {example}",
                )

    def _property(
        self, condition: Condition, name: str, events: Events, function: Function, *, total: bool
    ) -> None:
        called = events.function
        if found := function.find(name):
            self._condition(condition, found, called)
            return
        made = function.aggregate(name)
        if made is None:
            near = did_you_mean(name, [*function.properties, *function.aggregates])
            fail(condition.at, f"{called} has no parameter '{name}'{near}")
        if not total:
            fail(
                condition.at,
                f"{name} is taken over all that is left: it stands alone between the commas of"
                f" {called} MATCHES (…)",
            )
        for operand in condition.operands:
            if is_relative(operand):
                written = f"{name} OF {called} (…) … {operand_text(operand)}"
                fail(operand.at, f"write {written} to compare with the store")
        self._condition(condition, made)


def _check_pattern(pattern: Text) -> None:
    options = re2.Options()
    options.log_errors = False  # it would write to stderr itself
    try:
        re2.compile(pattern.value, options)
    except re2.error as error:
        reason, _, place = error.args[0].decode().partition(": ")
        at = f" at '{place}'" if place not in {"", pattern.value} else ""
        fail(pattern.at, f"{operand_text(pattern)} is no pattern: {reason}{at}")


def _check_distance(events: Events) -> None:
    given = {_name(parameter): parameter for parameter in events.parameters}
    point = given.get("coordinates")
    distances = [given[name] for name in ("distance_km", "distance_mi") if name in given]
    if (
        len(events.parameters) != 2
        or len(distances) != 1
        or not _is_plain(distances[0], "=", "<", "<=")
        or not isinstance(point, Condition)
        or not _is_plain(point, "=")
    ):
        fail(events.at, f"{_PLACE} needs coordinates = '…' and distance_km or distance_mi <= …")
    _check_coordinates(point.operands[0])


def _name(parameter: Expression) -> str:
    match parameter:
        case Condition(Name(value)):
            return value
        case _:
            return ""


def _is_plain(parameter: Expression, *operators: str) -> bool:
    match parameter:
        case Condition(_, operator, (Text() | Number(),), False):
            return operator in operators
        case _:
            return False


def _check_coordinates(operand: Operand) -> None:
    value = operand.value if isinstance(operand, Text) else ""
    found = re.fullmatch(r"\s*([+-]?\d+(?:\.\d+)?)\s*,\s*([+-]?\d+(?:\.\d+)?)\s*", value, re.ASCII)
    if found is None or abs(float(found[1])) > 90 or abs(float(found[2])) > 180:
        written = operand_text(operand)
        fail(operand.at, f"{written} is no place; write latitude and longitude: '52.52,13.405'")
