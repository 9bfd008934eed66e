"""``db upgrade`` and ``db check``."""

from __future__ import annotations

import click

from segmentd.cli.common import Invocation, pass_invocation


@click.group()
def db() -> None:
    """Create, upgrade or check the database."""


@db.command()
@pass_invocation
def upgrade(invocation: Invocation) -> None:
    """Create the database, or bring it to the schema of this program."""
    from segmentd.store import migrate

    url = invocation.start().store_url
    before = migrate.upgrade(url)
    after = migrate.check(url)
    click.echo(
        f"schema {after}" + (" already" if before == after else f", was {before or 'empty'}")
    )


@db.command()
@pass_invocation
def check(invocation: Invocation) -> None:
    """Say whether the database has the schema of this program; changes nothing."""
    from segmentd.store import migrate

    click.echo(f"schema {migrate.check(invocation.start().store_url)}")
