"""Names of fields, functions and variables: found, or refused with the nearest known one."""

from __future__ import annotations

from typing import NoReturn

from segmentd.domain.suggest import did_you_mean
from segmentd.segmenter.fields import FIELDS, FITTED, FUNCTIONS, Field, Function, Kind, find_field
from segmentd.segmenter.language import Aggregate, Events, Name, Subject, Variable
from segmentd.segmenter.parser import fail
from segmentd.segmenter.spelling import subject_text

_NAMESPACES = {"metafields": "metafields.NAMESPACE.KEY", "meta": "meta.KEY", "traits": "traits.KEY"}


def label(subject: Subject) -> str:
    """A subject in a message: its name, without what stands in its parentheses."""
    if not isinstance(subject, Aggregate):
        return subject_text(subject)
    of = subject.of
    return f"{subject.name} OF {of.value if isinstance(of, Name) else of.function}"


def known_field(name: Name) -> Field:
    """The customer's field of a name."""
    field = find_field(name.value)
    if field is None:
        if name.value in FUNCTIONS:
            refuse_function(name.value, name)
        form = _NAMESPACES.get(name.value.partition(".")[0])
        near = f"; write {form}" if form else did_you_mean(name.value, [*FIELDS, *FUNCTIONS])
        fail(name.at, f"unknown field '{name.value}'{near}")
    return field


def known_function(events: Events) -> Function:
    """The function of events, with a name behind it where there must be one."""
    name, argument = events.function, events.argument
    function = FUNCTIONS.get(name)
    if function is None:
        if find_field(name):
            fail(events.at, f"{name} is a field and no function; compare it with a value")
        fail(events.at, f"unknown function '{name}'{did_you_mean(name, FUNCTIONS)}")
    if function.argument and argument is None:
        fail(events.at, f"{name} needs a name: write {name}('Viewed Product') ( … )")
    if not function.argument and argument is not None:
        fail(events.at, f"{name} takes no name: write {name} ( … )")
    return function


def known_list(aggregate: Aggregate, name: Name) -> None:
    """Refuse an aggregate over a field, unless it is the length of a list."""
    kind = known_field(name).kind
    if kind is not Kind.LIST:
        wanted = "a list such as customer_tags, or a function such as orders_placed ( … )"
        fail(name.at, f"{name.value} is {kind}: {aggregate.name} OF needs {wanted}")
    if aggregate.name != "count":
        fail(aggregate.at, f"a list has no '{aggregate.name}'; write count OF {name.value}")


def refuse_function(name: str, subject: Subject) -> NoReturn:
    """A function stands where a field is expected."""
    call = f"{name}('…')" if FUNCTIONS[name].argument else name
    fail(
        subject.at,
        f"{label(subject)} is a function: write {call} MATCHES ( … ) or count OF {call} ( … )",
    )


def refuse_variable(variable: Variable) -> NoReturn:
    """A variable that is left when all that are configured have got their values."""
    if variable.name in FITTED:
        fail(variable.at, f"${variable.name} is a number and no condition")
    near = did_you_mean(variable.name, FITTED)
    fail(variable.at, f"there is no variable ${variable.name}{near}")
