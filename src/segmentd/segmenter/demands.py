"""What a rule asks for: facts of a source, frames, values of the whole store, other segments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from segmentd.segmenter.fields import FUNCTIONS, Field, find_field
from segmentd.segmenter.language import (
    Aggregate,
    Call,
    Condition,
    Events,
    Leaf,
    Member,
    Name,
    Sample,
    Scaled,
    Share,
    Statistic,
    Subject,
    nodes,
)
from segmentd.segmenter.spelling import relative_name


def facts(tree: Any) -> Iterator[str]:
    """The names, as sources declare what they fill, of all fields and functions below a node.

    A property that no source fills yet comes as ``orders_placed.location_id``.
    """
    for node in nodes(tree):
        match node:
            case Name(name) | Call("anniversary", name) if find_field(name):
                yield name
            case Events(function):
                yield function.replace("storefront_event.", "storefront.")
                for name, field in _properties(node):
                    if not field.filled:
                        yield f"{function}.{name}"


def is_filled(name: str, declared: frozenset[str]) -> bool:
    """Whether a fact is among those that sources declare; ``metafields`` stands for all of them."""
    namespace = name.partition(".")[0] if find_field(name) else name
    return name in declared or namespace in declared


def frames(tree: Any) -> Iterator[str]:
    """What is read for all below a node, as ``Ruleset.needs`` names it."""
    for node in nodes(tree):
        match node:
            case Sample():
                yield from ("profiles.source", "profiles.customer_id")
            case Name(name) | Call("anniversary", name):
                yield from _needs(find_field(name))
            case Call("ENTERED" | "LEFT", segment):
                yield f"memberships:{segment}"
            case Aggregate(name, Events(function)):
                yield from _needs(FUNCTIONS[function].aggregate(name))
            case Events(function):
                yield from FUNCTIONS[function].needs
                for _, field in _properties(node):
                    yield from field.needs


class Relative(NamedTuple):
    """A store-relative value that something is compared with."""

    name: str
    subject: Subject
    """What it is computed of."""
    factor: float
    """By which it is multiplied first."""


def relatives(leaf: Leaf) -> Iterator[Relative]:
    """All of one condition."""
    if isinstance(leaf, Condition):
        for operand in leaf.operands:
            match operand:
                case Scaled(factor, Statistic() as relative):
                    name = relative_name(relative, leaf.subject)
                    yield Relative(name, leaf.subject, float(factor))
                case Share() | Statistic():
                    yield Relative(relative_name(operand, leaf.subject), leaf.subject, 1.0)


def segments(tree: Any) -> Iterator[Member | Call]:
    """Where another segment is referred to, or when somebody entered or left it."""
    for node in nodes(tree):
        match node:
            case Member() | Call("ENTERED" | "LEFT"):
                yield node


def _properties(events: Events) -> Iterator[tuple[str, Field]]:
    function = FUNCTIONS[events.function]
    for parameter in events.parameters:
        for node in nodes(parameter):
            if isinstance(node, Name):
                field = function.find(node.value) or function.aggregate(node.value)
                if field is not None:
                    yield node.value, field


def _needs(field: Field | None) -> tuple[str, ...]:
    return field.needs if field else ()
