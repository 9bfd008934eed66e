"""``rules versions``, ``rules diff`` and ``rules revert``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from difflib import ndiff
from typing import Any

import click

from segmentd.bootstrap import App, check_rules, compiled
from segmentd.cli.common import Invocation, echo_json, json_option, pass_invocation
from segmentd.cli.report import columns
from segmentd.cli.session import session
from segmentd.config_edit import segment_table, set_where
from segmentd.domain.errors import ConfigError, RuleError
from segmentd.domain.suggest import did_you_mean
from segmentd.pipeline.history import RuleVersion
from segmentd.segmenter.parser import parse
from segmentd.segmenter.preview import parts_of
from segmentd.segmenter.spelling import text

_SHORT = 8
_PEOPLE = 10


@click.command()
@click.argument("key", metavar="SEGMENT")
@json_option
@pass_invocation
def versions(invocation: Invocation, key: str, as_json: bool) -> None:
    """List the rules that a segment had, newest first."""
    with session(invocation, quiet=as_json) as app:
        found = _versions(app, key)
    if as_json:
        echo_json([asdict(each) for each in found])
        return
    rows = [
        (
            each.version[:_SHORT],
            f"{each.since:%Y-%m-%d %H:%M}Z",
            "in force" if each.current else "",
            each.rule,
        )
        for each in found
    ]
    click.echo("\n".join(columns(rows)))


@click.command()
@click.argument("key", metavar="SEGMENT")
@click.argument("old", metavar="[OLD]", required=False)
@click.argument("new", metavar="[NEW]", required=False)
@json_option
@pass_invocation
def diff(invocation: Invocation, key: str, old: str | None, new: str | None, as_json: bool) -> None:
    """Compare two rules of a segment: the last two, or those of these versions."""
    if (old is None) != (new is None):
        raise click.UsageError("write two versions, or none for the last two")
    with session(invocation, quiet=as_json) as app:
        found = _versions(app, key)
        before, after = _pair(found, key, old, new)
        values: dict[str, Any] = {
            "segment": key,
            "old": asdict(before),
            "new": asdict(after),
            "lines": list(_differences(before.rule, after.rule)),
        }
        # what other edits did is mixed with what happened since
        if (after, before) == tuple(found[:2]):
            values |= _moved(app, key, after)
    if as_json:
        echo_json(values)
        return
    click.echo(f"- {before.version[:_SHORT]} of {before.since:%Y-%m-%d %H:%M}Z")
    click.echo(f"+ {after.version[:_SHORT]} of {after.since:%Y-%m-%d %H:%M}Z")
    for line in values["lines"]:
        click.echo(line)
    for word in ("entered", "left"):
        if word in values:
            click.echo(f"{values[word]} {word} by it" + _named(values[f"who_{word}"], values[word]))


@click.command()
@click.argument("key", metavar="SEGMENT")
@click.argument("version", required=False)
@click.option("--write", is_flag=True, help="Change the configuration; comments stay.")
@json_option
@pass_invocation
def revert(
    invocation: Invocation, key: str, version: str | None, write: bool, as_json: bool
) -> None:
    """Show how to put an older rule of a segment back: the one before, or that of VERSION."""
    with session(invocation, quiet=as_json) as app:
        found = _versions(app, key)
        wanted = _version(found, key, version) if version else _before(found, key)
        _check(app, key, wanted.rule)
        home = set_where(app.config.path, key, wanted.rule) if write else None
        values = {
            "segment": key,
            "version": wanted.version,
            "rule": wanted.rule,
            "toml": segment_table(key, {"where": wanted.rule}),
            "written": None if home is None else str(home),
            "note": _other_changes(app, key, wanted),
        }
    if as_json:
        echo_json(values)
        return
    if home is not None:
        click.echo(f"{home}: [segments.{key}] has the rule of {wanted.since:%Y-%m-%d %H:%M}Z again")
    else:
        click.echo(values["toml"], nl=False)
    if values["note"]:
        click.echo(f"note: {values['note']}")


def _versions(app: App, key: str) -> list[RuleVersion]:
    found = app.store.rule_versions(key)
    if not found:
        near = did_you_mean(key, app.store.known_segments())
        raise ConfigError(f'segment "{key}" was never evaluated{near}', hint="segmentd segment")
    return found


def _version(found: Sequence[RuleVersion], key: str, wanted: str) -> RuleVersion:
    fitting = [each for each in found if each.version.startswith(wanted)]
    if len(fitting) != 1:
        known = ", ".join(each.version[:_SHORT] for each in found)
        verdict = "no version" if not fitting else "more than one version"
        raise ConfigError(f'segment "{key}" has {verdict} {wanted}; known: {known}')
    return fitting[0]


def _pair(
    found: Sequence[RuleVersion], key: str, old: str | None, new: str | None
) -> tuple[RuleVersion, RuleVersion]:
    if old is not None and new is not None:
        return _version(found, key, old), _version(found, key, new)
    return _before(found, key), found[0]


def _before(found: Sequence[RuleVersion], key: str) -> RuleVersion:
    if len(found) < 2:
        raise ConfigError(f'segment "{key}" has had one rule only')
    return found[1]


def _differences(old: str, new: str) -> Iterator[str]:
    """The parts of the rules, with ``-`` and ``+`` before those that only one has."""
    if old == new:
        yield "  the rule is the same: what decides beside it has changed, or what its words mean"
        return
    for line in ndiff(_parts(old), _parts(new)):
        if not line.startswith("?"):
            yield line.rstrip()


def _parts(rule: str) -> list[str]:
    try:
        return [text(part) for part in parts_of(parse(rule))]
    except RuleError:  # of an older language
        return [rule]


def _moved(app: App, key: str, version: RuleVersion) -> dict[str, Any]:
    edit = app.store.edit(key, version.version)
    return {
        "entered": len(edit.entered),
        "left": len(edit.left),
        "who_entered": _people(app, edit.entered),
        "who_left": _people(app, edit.left),
    }


def _people(app: App, ids: Sequence[int]) -> list[str]:
    people = app.store.people(ids[:_PEOPLE])
    return [person.email or f"{person.source}:{person.customer_id}" for person in people]


def _named(people: Sequence[str], count: int) -> str:
    more = f" and {count - len(people)} more" if count > len(people) else ""
    return f": {', '.join(people)}{more}" if people else ""


def _check(app: App, key: str, rule: str) -> None:
    """Refuse a rule that cannot be understood any more, before anything is written."""
    segments = tuple(
        replace(segment, where=rule) if segment.key == key else segment
        for segment in app.config.segments
    )
    if key not in {segment.key for segment in segments}:
        raise ConfigError(f'there is no segment "{key}" in {app.config.path}')
    check_rules(replace(app.config, segments=segments))


def _other_changes(app: App, key: str, wanted: RuleVersion) -> str | None:
    segments = tuple(
        replace(segment, where=wanted.rule) if segment.key == key else segment
        for segment in app.config.segments
    )
    ruleset = compiled(replace(app.config, segments=segments), app.shop())
    (again,) = [
        replace(segment, terms=ruleset.terms(key)) for segment in segments if segment.key == key
    ]
    if again.version == wanted.version:
        return None
    return (
        "the rule is the one of then, but something that decides beside it has changed since "
        "(stays, grace, limit, pins, a set, a variable, the time zone)"
    )
