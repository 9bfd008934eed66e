"""Connectors by name: what is installed under our three groups of entry points.

A third party's package registers exactly as our own connectors do; nothing is imported before it
is asked for by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

from segmentd.domain.errors import ConfigError
from segmentd.domain.suggest import did_you_mean
from segmentd.sdk.contract import Capabilities, Destination, Source
from segmentd.sdk.settings import ConnectorSettings
from segmentd.sdk.testing.sandbox import Sandbox

SOURCES = "segmentd.sources"
DESTINATIONS = "segmentd.destinations"
SANDBOXES = "segmentd.sandboxes"

_T = TypeVar("_T")
_KINDS = {SOURCES: "source", DESTINATIONS: "destination", SANDBOXES: "sandbox"}


@cache
def installed(group: str) -> Mapping[str, EntryPoint]:
    """Connector name → entry point, nothing imported; of two with one name the first is taken."""
    found: dict[str, EntryPoint] = {}
    for entry in sorted(entry_points(group=group), key=lambda entry: (entry.name, entry.value)):
        found.setdefault(entry.name, entry)
    return found


def source(name: str) -> type[Source]:
    """The source class of a connector; ConfigError if there is none or it cannot be imported."""
    return _load(SOURCES, name, Source)


def filled(name: str, settings: ConnectorSettings) -> frozenset[str]:
    """The rule fields that a source fills with these settings; errors as for ``source``.

    Where a setting is called as one of them, such as ``metafields``, it lists what is read of it.
    """
    found: set[str] = set()
    for field in source(name).fields:
        listed = getattr(settings, field, None)
        found |= {field} if listed is None else {f"{field}.{each}" for each in listed}
    return frozenset(found)


def destination(name: str) -> type[Destination]:
    """The destination class of a connector; errors as for ``source``."""
    return _load(DESTINATIONS, name, Destination)


def capabilities(destination: type[Destination]) -> Capabilities | None:
    """What a destination can do; None where its settings decide that."""
    return getattr(destination, "capabilities", None)


def sandbox(name: str) -> type[Sandbox]:
    """The sandbox class of a connector; errors as for ``source``."""
    return _load(SANDBOXES, name, Sandbox)


def _load(group: str, name: str, base: type[_T]) -> type[_T]:
    kind = _KINDS[group]
    entry = installed(group).get(name)
    if entry is None:
        near = did_you_mean(name, installed(group))
        raise ConfigError(f'no {kind} connector is called "{name}"{near}')
    try:
        loaded = entry.load()
    except Exception as error:  # a third party's module may fail in any way
        raise ConfigError(
            f'the {kind} connector "{name}" ({entry.value}) cannot be loaded: '
            f"{type(error).__name__}: {error}"
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, base)):
        raise ConfigError(
            f'the {kind} connector "{name}" ({entry.value}) is no {base.__name__} class'
        )
    return loaded
