"""Connectors by name."""

from __future__ import annotations

import pytest

from fake_connectors import ShopSource
from segmentd import plugins
from segmentd.domain.errors import ConfigError
from segmentd.sdk.contract import Destination, Source
from segmentd.sdk.testing.sandbox import Sandbox


def test_every_connector_that_is_shipped_can_be_loaded() -> None:
    for group, find, base in (
        (plugins.SOURCES, plugins.source, Source),
        (plugins.DESTINATIONS, plugins.destination, Destination),
        (plugins.SANDBOXES, plugins.sandbox, Sandbox),
    ):
        assert plugins.installed(group)
        for name in plugins.installed(group):
            assert issubclass(find(name), base)


@pytest.mark.usefixtures("fake_connectors")
class TestByName:
    def test_found(self) -> None:
        assert plugins.source("shop") is ShopSource

    def test_of_another_kind(self) -> None:
        with pytest.raises(ConfigError, match=r'^no destination .* "stall"; known: lists, shop$'):
            plugins.destination("stall")

    def test_unknown(self) -> None:
        with pytest.raises(ConfigError, match=r'"stal"; did you mean "stall"\?$'):
            plugins.source("stal")

    def test_unlike_any_other(self) -> None:
        with pytest.raises(ConfigError, match=r'"zzz"; known: absurd, broken, shop, stall$'):
            plugins.source("zzz")

    def test_a_broken_one_is_named_with_its_reason(self) -> None:
        with pytest.raises(ConfigError, match=r'"broken" \(module_that.*: ModuleNotFoundError: No'):
            plugins.source("broken")

    def test_a_broken_one_does_not_disturb_the_others(self) -> None:
        with pytest.raises(ConfigError):
            plugins.source("broken")
        assert plugins.source("stall") is ShopSource

    def test_something_else_under_our_group(self) -> None:
        with pytest.raises(ConfigError, match=r'"absurd" .* is no Source class$'):
            plugins.source("absurd")
