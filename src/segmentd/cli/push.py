"""``plan`` and ``push``."""

from __future__ import annotations

from datetime import datetime

import click

from segmentd.bootstrap import App, Outcome
from segmentd.cli import report
from segmentd.cli.common import (
    Invocation,
    echo_json,
    echo_lines,
    json_option,
    now_option,
    pass_invocation,
)
from segmentd.cli.exits import Exit
from segmentd.cli.session import finish, ready, session
from segmentd.pipeline.push import Plan


@click.command()
@click.argument("destinations", nargs=-1)
@click.option(
    "--detailed-exitcode",
    is_flag=True,
    help="Exit with 10 if there is something to push, 6 if held.",
)
@now_option
@json_option
@pass_invocation
def plan(
    invocation: Invocation,
    destinations: tuple[str, ...],
    detailed_exitcode: bool,
    now: datetime | None,
    as_json: bool,
) -> int:
    """Show what a push (to all, or the named DESTINATIONS) would do; sends nothing."""
    with session(invocation, now, quiet=as_json) as app:
        outcome = app.plan(destinations)
    _show_plan(app, outcome, as_json=as_json)
    finish(outcome.failed)
    return _detailed(outcome.done) if detailed_exitcode else Exit.OK


@click.command()
@click.argument("destinations", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Show the plan, send nothing, change nothing.")
@click.option("--confirm", multiple=True, metavar="PLAN", help="Release a held plan by its id.")
@now_option
@json_option
@pass_invocation
def push(
    invocation: Invocation,
    destinations: tuple[str, ...],
    dry_run: bool,
    confirm: tuple[str, ...],
    now: datetime | None,
    as_json: bool,
) -> int:
    """Bring tags and lists (at all, or the named DESTINATIONS) to what the memberships say."""
    with session(invocation, now, quiet=as_json) as app:
        if dry_run:
            planned = app.plan(destinations)
            _show_plan(app, planned, as_json=as_json)
            finish(planned.failed)
            return Exit.OK
        ready(app.destinations(destinations))
        outcome = app.push(destinations, confirm)
    if as_json:
        echo_json(report.pushed_values(outcome))
    else:
        echo_lines(report.pushed_lines(outcome))
    finish(outcome.failed)
    return Exit.PARTIAL if report.refused(outcome) else Exit.OK


def _show_plan(app: App, outcome: Outcome[Plan], *, as_json: bool) -> None:
    if as_json:
        echo_json(report.plan_values(outcome))
    else:
        echo_lines([*report.paused_lines(app), *report.plan_lines(outcome)])


def _detailed(plans: list[Plan]) -> int:
    if any(plan.held for plan in plans):
        return Exit.HELD
    return Exit.CHANGES if any(plan.changes for plan in plans) else Exit.OK
