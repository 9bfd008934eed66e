"""No connector is without a conformance test."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from segmentd.sdk.contract import Destination, Source
from segmentd.sdk.testing.conformance import DestinationConformance, SourceConformance

HERE = Path(__file__)


def suites() -> Iterator[type]:
    """Every class in the test files beside this one."""
    for path in sorted(HERE.parent.glob("test_*.py")):
        if path == HERE:
            continue
        spec = importlib.util.spec_from_file_location(f"looked_at_{path.stem}", path)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        for value in vars(module).values():
            if isinstance(value, type) and value.__name__.startswith("Test"):
                yield value


@pytest.mark.parametrize("entry", entry_points(group="segmentd.sources"), ids=lambda e: e.name)
def test_every_source_has_a_conformance_test(entry: EntryPoint) -> None:
    source = entry.load()
    assert issubclass(source, Source)
    tested = [suite.source_class for suite in suites() if issubclass(suite, SourceConformance)]
    assert source in tested


@pytest.mark.parametrize("entry", entry_points(group="segmentd.destinations"), ids=lambda e: e.name)
def test_every_destination_has_a_conformance_test(entry: EntryPoint) -> None:
    destination = entry.load()
    assert issubclass(destination, Destination)
    tested = [
        suite.destination_class for suite in suites() if issubclass(suite, DestinationConformance)
    ]
    assert destination in tested


@pytest.mark.parametrize("group", ["segmentd.sources", "segmentd.destinations"])
def test_there_are_connectors_to_look_at(group: str) -> None:
    names = {entry.name for entry in entry_points(group=group)}
    assert {"memory", "shopify", "woocommerce"} <= names
