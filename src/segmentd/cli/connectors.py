"""``connectors``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click
from pydantic_core import PydanticUndefined

from segmentd import plugins
from segmentd.cli.common import echo_json, json_option
from segmentd.domain.errors import ConfigError
from segmentd.sdk.contract import Destination, Source
from segmentd.sdk.settings import ConnectorSettings


@click.command()
@json_option
def connectors(as_json: bool) -> None:
    """List the connectors that are installed, with their settings and what they can do."""
    found = [
        *_described("source", plugins.SOURCES, lambda name: _source(plugins.source(name))),
        *_described(
            "destination",
            plugins.DESTINATIONS,
            lambda name: _destination(plugins.destination(name)),
        ),
    ]
    if as_json:
        echo_json(found)
        return
    for connector in found:
        for line in _lines(connector):
            click.echo(line)


def _described(
    kind: str, group: str, describe: Callable[[str], dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    for name in plugins.installed(group):
        head = {"kind": kind, "connector": name}
        try:
            yield head | describe(name)
        except ConfigError as error:  # a broken one must not hide the others
            yield head | {"error": error.message}


def _source(source: type[Source]) -> dict[str, Any]:
    return {
        "settings": _settings(source.Settings),
        "streams": {stream.name: stream.kind for stream in source.streams},
        "fields": sorted(source.fields),
    }


def _destination(destination: type[Destination]) -> dict[str, Any]:
    capabilities = plugins.capabilities(destination)
    return {
        "settings": _settings(destination.Settings),
        # None where it depends on the settings
        "capabilities": dataclasses.asdict(capabilities) if capabilities else None,
    }


def _settings(model: type[ConnectorSettings]) -> dict[str, Any]:
    return {
        key: {
            "required": field.is_required(),
            "default": None if field.default is PydanticUndefined else field.default,
        }
        for key, field in model.model_fields.items()
    }


def _lines(connector: dict[str, Any]) -> Iterator[str]:
    yield f"{connector['kind']} {connector['connector']}"
    if "error" in connector:
        yield f"  {connector['error']}"
        return
    settings = connector["settings"]
    yield "  settings: " + _listed(
        f"{key} (required)" if settings[key]["required"] else key for key in settings
    )
    if "streams" in connector:
        yield "  streams: " + _listed(connector["streams"])
        yield "  fields: " + _listed(connector["fields"])
    elif connector["capabilities"]:
        yield "  {kind} by {needs}, {batch_size} a request".format_map(connector["capabilities"])


def _listed(words: Iterable[str]) -> str:
    return ", ".join(words)
