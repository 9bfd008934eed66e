"""``verify``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import click

from segmentd.bootstrap import App
from segmentd.cli.common import Invocation, echo_json, json_option, now_option, pass_invocation
from segmentd.cli.exits import Exit
from segmentd.cli.report import INSUFFICIENT_DATA, columns
from segmentd.cli.session import session
from segmentd.pipeline.verification import Verification

_SAID = {
    "missing": "belong to {of} and are not stored as members",
    "extra": "are stored as members of {of} and do not belong to it",
    "grace": "are members of {of} by grace since another instant, or without being so",
    "late": "are stored to be due later than they are",
    "value": "have another {of}, by which others are ranked",
}


@click.command()
@now_option
@json_option
@pass_invocation
def verify(invocation: Invocation, now: datetime | None, as_json: bool) -> Exit:
    """Compute everything anew and say where the store differs; writes nothing.

    Ends with 3 if there is a difference. Who waits for the next pass is none.
    """
    with session(invocation, now, quiet=as_json) as app:
        found = app.verify()
        names = _names(app, [each for one in found.differing for each in one.examples])
    if as_json:
        echo_json(_values(found, names))
    else:
        click.echo("\n".join(_lines(found, names)))
    return Exit.OK if found.same else Exit.PARTIAL


def _names(app: App, profile_ids: Sequence[int]) -> dict[int, str]:
    people = app.store.people(sorted(set(profile_ids)))
    return {person.profile_id: f"{person.source}:{person.customer_id}" for person in people}


def _values(found: Verification, names: Mapping[int, str]) -> dict[str, Any]:
    differing = [
        {
            "what": each.what,
            "of": each.of or None,
            "count": each.count,
            "examples": [names.get(p, str(p)) for p in each.examples],
        }
        for each in found.differing
    ]
    return {**asdict(found), "same": found.same, "differing": differing}


def _lines(found: Verification, names: Mapping[int, str]) -> Iterator[str]:
    if found.insufficient_data:
        yield INSUFFICIENT_DATA
        return
    yield f"{found.profiles} customers computed anew as of {found.now:%Y-%m-%d %H:%M:%S}Z"
    rows = [*_differing(found, names), *_moved(found), *_strays(found)]
    yield from (f"  {line}" for line in columns(rows))
    yield from _aside(found)
    if found.same:
        yield "no difference"
        return
    yield "the store differs"
    if found.differing or found.moved:
        yield "try: segmentd segment --full"
    if any(held.strays for held in found.ledger):
        yield "try: segmentd plan, which shows how the next push would forget or remove them"


def _differing(found: Verification, names: Mapping[int, str]) -> Iterator[tuple[str, ...]]:
    for each in found.differing:
        examples = ", ".join(names.get(p, f"profile {p}") for p in each.examples)
        said = _SAID[each.what].format(of=each.of)
        yield str(each.count), said, f"for example {examples}"


def _moved(found: Verification) -> Iterator[tuple[str, ...]]:
    for each in found.moved:
        stored = "is not stored" if each.stored is None else f"is stored as {each.stored}"
        yield "1", f"threshold {each.name} {stored}", f"and is {each.found}"


def _strays(found: Verification) -> Iterator[tuple[str, ...]]:
    for held in found.ledger:
        if held.strays:
            examples = ", ".join(f"{each.name} on {each.target}" for each in held.strays[:5])
            said = f"entries of {held.destination} in the ledger belong to nobody"
            yield str(len(held.strays)), said, f"for example {examples}"


def _aside(found: Verification) -> Iterator[str]:
    """What is no difference."""
    if found.dirty or found.due:
        yield (
            f"{found.dirty} changed and {found.due} due customers wait for the next pass "
            "and were not compared"
        )
    if found.edited:
        yield (
            f"new or edited, and not compared before the next pass: {', '.join(found.edited)}; "
            "nor were due instants"
        )
    if found.unsettled:
        yield f"not compared, as a pass is computing them: {', '.join(found.unsettled)}"
    if found.early:
        yield f"{found.early} are stored to be due earlier than they are, which harms nothing"
    for held in found.ledger:
        wait = f"; {held.waiting} changes wait for a push" if held.waiting else ""
        yield f"{held.destination}: {held.entries} entries in the ledger{wait}"
    for name, entries in found.unconfigured.items():
        yield f"{name}, which is configured no more: {entries} entries in the ledger"
    yield (
        "taken as stored: limits fitted to the store, and since when somebody is a member or is "
        "one only by grace"
    )
