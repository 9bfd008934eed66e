"""Variables get their values: named conditions and values of the configuration or the store."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any

from segmentd.domain.suggest import did_you_mean
from segmentd.segmenter.fields import FITTED
from segmentd.segmenter.language import (
    And,
    Condition,
    Events,
    Expression,
    Matches,
    Member,
    Not,
    Number,
    Offset,
    Operand,
    Or,
    Period,
    Position,
    Sample,
    Sequence,
    Share,
    Variable,
    children,
    nodes,
    rewrite,
)
from segmentd.segmenter.parser import MAX_DEPTH, fail
from segmentd.segmenter.spelling import operand_text

MAX_NODES = 20_000
"""A rule of the greatest length has about a third of it; named conditions can multiply."""
_MAX_DAYS = 36_525
_CONDITIONS = (Condition, Matches, Sequence, Member, Sample, Not, And, Or)


def bind(expression: Expression, variables: Mapping[str, Expression | Operand]) -> Expression:
    """The rule with every variable replaced by what it stands for.

    A named condition takes the place of a condition, a value that of a value; ``-$days`` becomes an
    offset of so many days. Values may contain variables themselves. What takes the place of a
    variable stands where the variable stood. Variables of FITTED that have no value stay. RuleError
    for an unknown name, a value in the wrong place, names that go round in a circle, and a rule
    that grows too large.
    """
    used = [node for node in nodes(expression) if isinstance(node, Variable)]
    binder = _Binder(variables)
    for variable in used:
        binder.prepare(variable)
    return binder.bound(expression, None) if used else expression


class _Binder:
    def __init__(self, variables: Mapping[str, Expression | Operand]) -> None:
        self._variables = variables
        self._values: dict[str, Any] = {}
        self._sizes: dict[str, int] = {}

    def prepare(self, variable: Variable) -> None:
        """Make the value of a variable, and before it those of all that it refers to."""
        graph: dict[str, list[str]] = {}
        asked = [variable.name]
        while asked:
            name = asked.pop()
            if name not in graph and name not in self._values and self._is_set(name, variable):
                graph[name] = _references(self._variables[name])
                asked += graph[name]
        for name in _in_order(graph, variable.at):
            if name in graph:
                self._values[name] = self.bound(self._variables[name], variable.at)
                self._sizes[name] = sum(1 for _ in nodes(self._values[name]))

    def bound(self, tree: Any, at: Position | None) -> Any:
        """``at``: where the variable stands whose value this is; None for the rule itself."""
        size = sum(self._sizes.get(name, 0) for name in _references(tree))
        if size > MAX_NODES:
            fail(at or _first(tree), "the named conditions make the rule too large")
        whole = rewrite(tree, lambda node: self._replaced(node, at))
        if _depth(whole) > MAX_DEPTH:
            fail(at or _first(tree), f"the rule is nested more than {MAX_DEPTH} levels deep")
        return whole

    def _is_set(self, name: str, variable: Variable) -> bool:
        if name not in self._variables and name not in FITTED:
            known = did_you_mean(name, [*self._variables, *FITTED])
            fail(variable.at, f"there is no variable ${name}{known}")
        return name in self._variables

    def _replaced(self, node: Any, at: Position | None) -> Any:
        match node:
            case Condition(_, _, operands):
                values = tuple(
                    self._value(each, at) if isinstance(each, Variable) else each
                    for each in operands
                )
                if values == operands:
                    return None
                changed = dataclasses.replace(node, operands=values)
                return rewrite(changed, lambda part: self._replaced(part, at))
            case Variable(name) if name in self._values:
                # those in the place of a value went with their condition
                value = self._values[name]
                if not isinstance(value, _CONDITIONS):
                    fail(at or node.at, f"${name} is a value and no condition")
                return _moved(value, at or node.at)
        return None

    def _value(self, variable: Variable, at: Position | None) -> Any:
        value, place = self._values.get(variable.name), at or variable.at
        if value is None:
            return variable
        if isinstance(value, _CONDITIONS):
            fail(place, f"${variable.name} is a condition and no value")
        if isinstance(value, Share | Period):
            fail(place, f"{operand_text(value)} cannot take the place of ${variable.name}")
        if variable.sign:
            return _days(variable, value, place)
        return _moved(value, place)


def _days(variable: Variable, value: Any, at: Position) -> Offset | Variable:
    if isinstance(value, Variable) and not value.sign:
        return dataclasses.replace(value, sign=variable.sign, at=at)
    whole = isinstance(value, Number) and value.value == int(value.value)
    if not whole or abs(value.value) > _MAX_DAYS:
        written = f"{variable.sign}${variable.name}"
        fail(at, f"{written} needs a whole number of days, it is {operand_text(value)}")
    return Offset(int(f"{variable.sign}1") * int(value.value), "d", at)


def _references(tree: Any) -> list[str]:
    return [node.name for node in nodes(tree) if isinstance(node, Variable)]


def _first(tree: Any) -> Position:
    return next(node.at for node in nodes(tree) if isinstance(node, Variable))


def _in_order(graph: Mapping[str, list[str]], at: Position) -> list[str]:
    try:
        return [*TopologicalSorter(graph).static_order()]
    except CycleError as error:
        circle = ", ".join(f"${name}" for name in reversed(error.args[1]))
        fail(at, f"variables that refer to each other: {circle}")


def _depth(tree: Any) -> int:
    """Levels of NOT, AND, OR and parentheses of functions."""
    below = max((_depth(part) for part in children(tree)), default=0)
    return below + isinstance(tree, Not | And | Or | Events)


def _moved(tree: Any, at: Position) -> Any:
    """The same, standing somewhere else."""
    values: dict[str, Any] = {}
    for field in dataclasses.fields(tree):
        value = getattr(tree, field.name)
        if field.name == "at":
            values["at"] = at
        elif isinstance(value, tuple):
            values[field.name] = tuple(_moved(part, at) for part in value)
        elif dataclasses.is_dataclass(value):
            values[field.name] = _moved(value, at)
    return dataclasses.replace(tree, **values)
