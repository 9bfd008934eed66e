"""WooCommerce against the suites that every connector passes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from segmentd.sdk.testing.conformance import DestinationConformance, SourceConformance
from segmentd.sdk.testing.destination_suite import Bench
from segmentd_woocommerce.destination import WooCommerceDestination
from segmentd_woocommerce.sandbox import WooCommerceSandbox
from segmentd_woocommerce.sandbox.store import Meta
from segmentd_woocommerce.source import WooCommerceSource


class TestWooCommerceSource(SourceConformance):
    sandbox_class = WooCommerceSandbox
    source_class = WooCommerceSource
    extra_settings: ClassVar[Mapping[str, object]] = {"per_page": 5}
    page_size = 5
    # over plain http OAuth 1.0a sends the key, never the secret
    public_credentials: ClassVar[frozenset[str]] = frozenset({"key"})


class TestWooCommerceDestination(DestinationConformance):
    sandbox_class = WooCommerceSandbox
    destination_class = WooCommerceDestination
    atomic_tags = False
    public_credentials: ClassVar[frozenset[str]] = frozenset({"key"})

    def spoil(self, bench: Bench, customer_id: str) -> bool:
        """Other software keeps something of its own under our key."""
        assert isinstance(bench.sandbox, WooCommerceSandbox)
        row = bench.sandbox.store.customers.rows[int(customer_id)]
        row.meta = [Meta(1, bench.sandbox.meta_key, {"not": "ours"})]
        return True
