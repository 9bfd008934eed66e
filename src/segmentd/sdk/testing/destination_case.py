"""What the parts of the suite for destinations have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import pytest

from segmentd.sdk.contract import Destination
from segmentd.sdk.testing.bench import (
    DestinationBench,
    frozen_clock,
    running,
    serving,
)
from segmentd.sdk.testing.memberships_there import Bench
from segmentd.sdk.testing.sandbox import (
    Sandbox,
    SandboxClock,
)


class DestinationCase:
    """A destination, its sandbox, and how they are set up."""

    sandbox_class: ClassVar[type[Sandbox]]
    destination_class: ClassVar[type[Destination]]
    extra_settings: ClassVar[Mapping[str, object]] = {}
    """Settings beside those that the sandbox gives."""
    atomic_tags: ClassVar[bool] = True
    """Tags are added and removed one by one; False where an API only takes the full list."""
    writes_per_batch: ClassVar[int] = 1
    """Requests that change state for one full batch of one name."""
    bad_names: ClassVar[Sequence[str]] = ("", "  ", "x" * 300)
    """Names that cannot exist there; a comma is tried too where names are tags."""
    bad_email: ClassVar[str] = "no-address"
    """An e-mail that the platform refuses."""
    public_credentials: ClassVar[frozenset[str]] = frozenset()
    """Credentials that may be seen in addresses (the key of a pair of key and secret)."""

    def make_sandbox(self, clock: SandboxClock) -> Sandbox:
        """An empty account."""
        return self.sandbox_class(clock)

    def spoil(self, bench: Bench, customer_id: str) -> bool:  # noqa: ARG002 - to be overridden
        """Make the shop refuse further tags for a customer; False if it never refuses any."""
        return False

    @contextlib.contextmanager
    def open(self) -> Iterator[Bench]:
        """A served empty account and what is needed to write to it."""
        sandbox = self.make_sandbox(frozen_clock())
        with serving(sandbox) as url:
            bench = DestinationBench(sandbox, url, self.extra_settings, self.destination_class)
            with running(bench):
                yield bench

    @pytest.fixture
    def bench(self) -> Iterator[Bench]:
        with self.open() as bench:
            yield bench
