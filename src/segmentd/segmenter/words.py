"""The words of the configuration that rules may use: named conditions and variables."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from graphlib import CycleError, TopologicalSorter

from segmentd.domain.errors import ConfigError, RuleError
from segmentd.domain.segments import Value
from segmentd.segmenter.check import check
from segmentd.segmenter.language import (
    Day,
    Expression,
    Moment,
    Number,
    Operand,
    Text,
    Truth,
    Variable,
    nodes,
)
from segmentd.segmenter.parser import parse
from segmentd.segmenter.variables import bind

Words = Mapping[str, Expression | Operand]
"""Name → what stands for ``$name`` in a rule."""


def vocabulary(
    variables: Mapping[str, Value], conditions: Mapping[str, str], segments: Collection[str]
) -> Words:
    """Variables as operands and named conditions as trees, in which no name is left.

    Conditions may use variables and each other. RuleError names the condition with the mistake, or
    the conditions that go round in a circle; ConfigError a name that is both.
    """
    for name in sorted(variables.keys() & conditions.keys()):
        raise ConfigError(f'"{name}" is a variable and a condition: ${name} can mean only one')
    trees = {}
    for name, text in conditions.items():
        with inside(f"condition '{name}'"):
            trees[name] = parse(text)
    words: dict[str, Expression | Operand] = {n: operand(v) for n, v in variables.items()}
    others = {name: used(tree) & trees.keys() for name, tree in trees.items()}
    for name in in_order(others, "conditions"):
        with inside(f"condition '{name}'"):
            words[name] = read(trees[name], words, segments)
    return words


def read(tree: Expression, words: Words, segments: Collection[str]) -> Expression:
    """The tree with its words put in, checked; ``segments``: those that it may refer to."""
    bound = bind(tree, words)
    check(bound, segments)
    return bound


def operand(value: Value) -> Operand:
    """A value of the configuration as rules have it."""
    match value:
        case bool():
            return Truth(value)
        case str():
            return Text(value)
        case datetime():
            return Moment(value)
        case date():
            return Day(value)
        case _:
            return Number(Decimal(str(value)))


def in_order(depends: Mapping[str, Collection[str]], what: str) -> tuple[str, ...]:
    """The names, each after those that it depends on; RuleError for a circle names it."""
    try:
        return tuple(TopologicalSorter(depends).static_order())
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise RuleError(
            f"{what} refer to each other in a circle: {circle}", line=1, column=1
        ) from None


@contextmanager
def inside(place: str) -> Iterator[None]:
    """Errors in rules say where the rule stands."""
    try:
        yield
    except RuleError as error:
        message = f"{place}: {error.message}"
        raise RuleError(message, line=error.line, column=error.column) from error


def used(tree: Expression) -> set[str]:
    """The names of all words in a tree that are not put in yet."""
    return {node.name for node in nodes(tree) if isinstance(node, Variable)}
