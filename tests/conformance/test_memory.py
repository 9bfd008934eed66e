"""The memory connector passes what every connector passes."""

from __future__ import annotations

from typing import ClassVar

from segmentd.sdk.testing.conformance import (
    DestinationBench,
    DestinationConformance,
    SourceConformance,
)
from segmentd.sdk.testing.memory import (
    MemoryDestination,
    MemoryLists,
    MemoryShop,
    MemorySource,
)
from segmentd.sdk.testing.sandbox import Sandbox, ShopSandbox


class TestMemorySource(SourceConformance):
    sandbox_class = MemoryShop
    source_class = MemorySource
    extra_settings: ClassVar = {"page_size": 4}
    page_size = 4


class TestMemoryTags(DestinationConformance):
    sandbox_class = MemoryShop
    destination_class = MemoryDestination
    extra_settings: ClassVar = {"batch_size": 4}

    def spoil(self, bench: DestinationBench[Sandbox], customer_id: str) -> bool:
        assert isinstance(bench.sandbox, ShopSandbox)
        bench.sandbox.set_tags(customer_id, [f"tag {number}" for number in range(250)])
        return True


class TestMemoryLists(DestinationConformance):
    sandbox_class = MemoryLists
    destination_class = MemoryDestination
    extra_settings: ClassVar = {"batch_size": 4}
