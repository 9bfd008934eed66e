"""``rules``: everything about rules that needs no customer of a shop to be pushed anywhere."""

from __future__ import annotations

import click

from segmentd.cli.rules_lint import lint
from segmentd.cli.rules_test import test
from segmentd.cli.rules_text import convert, schema
from segmentd.cli.rules_versions import diff, revert, versions


@click.group()
def rules() -> None:
    """Check, test and convert rules, and put older ones back."""


for _command in (lint, test, convert, versions, diff, revert, schema):
    rules.add_command(_command)
