"""``segment``."""

from __future__ import annotations

from datetime import datetime

import click

from segmentd.cli import report
from segmentd.cli.common import Invocation, echo_json, json_option, now_option, pass_invocation
from segmentd.cli.session import session


@click.command()
@click.option("--full", is_flag=True, help="Evaluate everybody, not only who may have changed.")
@click.option(
    "--engine",
    type=click.Choice(["processes", "dask"]),
    default="processes",
    help="Who does a full pass: processes of this machine, or the workers of a Dask cluster.",
)
@click.option("--scheduler", metavar="tcp://HOST:PORT", help="Of the Dask cluster.")
@now_option
@json_option
@pass_invocation
def segment(
    invocation: Invocation,
    full: bool,
    engine: str,
    scheduler: str | None,
    now: datetime | None,
    as_json: bool,
) -> None:
    """Decide who belongs to which segment now; pushes nothing."""
    if (engine == "dask") != (scheduler is not None):
        raise click.UsageError("--engine dask and --scheduler tcp://HOST:PORT belong together")
    with session(invocation, now, quiet=as_json, scheduler=scheduler) as app:
        summary = app.segment(full=full)
    if as_json:
        echo_json(report.segmented_values(summary))
    else:
        click.echo("\n".join(report.segmented_lines(summary)))
