"""``rules convert`` and ``rules schema``."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from segmentd.cli.common import Invocation, echo_json, json_option, pass_invocation
from segmentd.cli.facts import unfilled
from segmentd.cli.session import known_shop
from segmentd.config_edit import check_key, segment_table
from segmentd.config_schema import schema as made
from segmentd.segmenter.check import check
from segmentd.segmenter.convert import convert as converted
from segmentd.segmenter.render import words


@click.command()
@click.argument("query", required=False)
@click.option("--as", "key", default="new_segment", show_default=True, help="Name of the segment.")
@json_option
@pass_invocation
def convert(invocation: Invocation, query: str | None, key: str, as_json: bool) -> None:
    """Turn a segment query of the Shopify admin into a rule, ready to be pasted.

    Without QUERY it is read from stdin.
    """
    config = invocation.start()
    check_key(key)
    found = converted(sys.stdin.read() if query is None else query)
    check(found.rule, [segment.key for segment in config.segments])
    values: dict[str, Any] = {
        "rule": found.text,
        "words": words(found.rule, known_shop(config).currency),
        "notes": list(found.notes),
        "unfilled": unfilled(config, found.rule),
        "toml": segment_table(key, {"where": found.text}),
    }
    if as_json:
        echo_json(values)
        return
    for line in (values["rule"], values["words"], *(f"note: {note}" for note in found.notes)):
        click.echo(line)
    for name in values["unfilled"]:
        click.echo(f"note: {name} is filled by no source that is configured")
    click.echo(f"\n{values['toml']}", nl=False)


@click.command()
def schema() -> None:
    """Print a JSON schema of the configuration, by which editors complete it.

    Save it as segmentd.schema.json beside the configuration, and begin that with the line
    "#:schema ./segmentd.schema.json" (taplo, Even Better TOML).
    """
    click.echo(json.dumps(made(), indent=2, ensure_ascii=False))
