"""The tests that every source passes."""

from __future__ import annotations

from segmentd.sdk.testing.source_changes import SourceChanges
from segmentd.sdk.testing.source_faults import SourceFaults
from segmentd.sdk.testing.source_reading import SourceReading


class SourceConformance(SourceReading, SourceChanges, SourceFaults):
    """Subclass it in ``tests/conformance`` and name the two classes; no more is needed.

        class TestShopifySource(SourceConformance):
            sandbox_class = ShopifySandbox
            source_class = ShopifySource
            extra_settings: ClassVar = {"page_size": 5}
            page_size = 5

    If the sandbox has a method ``poison(stream) -> id``, which makes one record unreadable, the
    isolation of such records is tested too.
    """
