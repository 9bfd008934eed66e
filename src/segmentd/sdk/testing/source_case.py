"""What the parts of the suite for sources have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import ClassVar

import pytest

from segmentd.sdk.contract import Source, StreamKind
from segmentd.sdk.testing.bench import (
    SourceBench,
    frozen_clock,
    running,
    serving,
)
from segmentd.sdk.testing.sandbox import SandboxClock, ShopSandbox
from segmentd.sdk.testing.shop_contents import Bench


class SourceCase:
    """A source, its sandbox, and how they are set up."""

    sandbox_class: ClassVar[type[ShopSandbox]]
    source_class: ClassVar[type[Source]]
    extra_settings: ClassVar[Mapping[str, object]] = {}
    """Settings beside those that the sandbox gives: small pages make the suite fast."""
    page_size: ClassVar[int] = 50
    """Records in one page with these settings."""
    public_credentials: ClassVar[frozenset[str]] = frozenset()
    """Credentials that may be seen in addresses (the key of a pair of key and secret)."""

    def make_sandbox(self, clock: SandboxClock) -> ShopSandbox:
        """An empty shop."""
        return self.sandbox_class(clock)

    @contextlib.contextmanager
    def open(self) -> Iterator[Bench]:
        """A served empty shop and what is needed to read it."""
        sandbox = self.make_sandbox(frozen_clock())
        with serving(sandbox) as url:
            bench = SourceBench(sandbox, url, self.extra_settings, self.source_class)
            with running(bench):
                yield bench

    @pytest.fixture
    def bench(self) -> Iterator[Bench]:
        with self.open() as bench:
            yield bench

    def _kind(self, stream: str) -> StreamKind:
        return next(entry.kind for entry in self.source_class.streams if entry.name == stream)
