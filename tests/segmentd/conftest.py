"""Connectors that do not exist, for tests of everything that only needs to find some."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint

import pytest

from segmentd import plugins

_FAKES = {
    plugins.SOURCES: {
        "shop": "fake_connectors:ShopSource",
        "stall": "fake_connectors:ShopSource",
        "broken": "module_that_is_not_there:Source",
        "absurd": "fake_connectors:NOT_A_CLASS",
    },
    plugins.DESTINATIONS: {
        "shop": "fake_connectors:TagsDestination",
        "lists": "fake_connectors:ListsDestination",
    },
    plugins.SANDBOXES: {},
}


@pytest.fixture
def fake_connectors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only these are installed: sources shop, stall, broken, absurd; destinations shop, lists."""

    def installed(group: str) -> Mapping[str, EntryPoint]:
        return {name: EntryPoint(name, value, group) for name, value in _FAKES[group].items()}

    monkeypatch.setattr(plugins, "installed", installed)
