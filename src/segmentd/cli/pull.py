"""``pull``, ``backfill`` and ``sync``."""

from __future__ import annotations

from datetime import datetime

import click

from segmentd.cli import report
from segmentd.cli.common import (
    Instant,
    Invocation,
    echo_json,
    echo_lines,
    json_option,
    now_option,
    pass_invocation,
)
from segmentd.cli.exits import Exit
from segmentd.cli.session import finish, ready, session


@click.command()
@click.argument("sources", nargs=-1)
@json_option
@pass_invocation
def pull(invocation: Invocation, sources: tuple[str, ...], as_json: bool) -> int:
    """Read what changed in the shops (all, or the named SOURCES) into the store."""
    with session(invocation, quiet=as_json) as app:
        ready(app.sources(sources))
        outcome = app.pull(sources)
    _show(report.pulled_values(outcome), report.pulled_lines(outcome), as_json=as_json)
    finish(outcome.failed)
    return Exit.PARTIAL if report.rejected(outcome) else Exit.OK


@click.command()
@click.argument("sources", nargs=-1)
@click.option("--since", type=Instant(), help="Only what changed since then.")
@click.option(
    "--accept-removals",
    is_flag=True,
    help="Believe a shop that no longer lists many of the records that we know, or no longer "
    "shows us what we know of customers.",
)
@json_option
@pass_invocation
def backfill(
    invocation: Invocation,
    sources: tuple[str, ...],
    since: datetime | None,
    accept_removals: bool,
    as_json: bool,
) -> int:
    """Read the shops (all, or the named SOURCES) from the beginning; pushes nothing.

    An interrupted backfill goes on where it stopped, also beside the running daemon.
    """
    with session(invocation, quiet=as_json) as app:
        ready(app.sources(sources))
        outcome = app.backfill(sources, since, accept_removals=accept_removals)
    _show(report.pulled_values(outcome), report.pulled_lines(outcome), as_json=as_json)
    finish(outcome.failed)
    return Exit.PARTIAL if report.rejected(outcome) else Exit.OK


@click.command()
@click.argument("sources", nargs=-1)
@now_option
@json_option
@pass_invocation
def sync(
    invocation: Invocation, sources: tuple[str, ...], now: datetime | None, as_json: bool
) -> int:
    """Pull (all, or the named SOURCES), segment and push once."""
    with session(invocation, now, quiet=as_json) as app:
        ready([*app.sources(sources), *([] if app.paused() else app.destinations())])
        done = app.sync(sources)
    values = {
        "pull": report.pulled_values(done.pulled),
        "segment": report.segmented_values(done.segmented),
        "push": report.pushed_values(done.pushed),
    }
    lines = [
        *report.pulled_lines(done.pulled),
        *report.segmented_lines(done.segmented),
        *report.paused_lines(app),
        *report.pushed_lines(done.pushed),
    ]
    _show(values, lines, as_json=as_json)
    finish(done.failed)
    partial = report.rejected(done.pulled) or report.refused(done.pushed)
    return Exit.PARTIAL if partial else Exit.OK


def _show(values: object, lines: list[str], *, as_json: bool) -> None:
    if as_json:
        echo_json(values)
    else:
        echo_lines(lines)
