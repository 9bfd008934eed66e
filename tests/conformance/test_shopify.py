"""The Shopify connector passes what every connector passes."""

from __future__ import annotations

from typing import ClassVar

import pytest

from segmentd.sdk.testing.conformance import DestinationConformance, SourceConformance
from segmentd.sdk.testing.destination_suite import Bench
from segmentd.sdk.testing.sandbox import SandboxClock, ShopSandbox
from segmentd_shopify import backfill
from segmentd_shopify.destination import ShopifyDestination
from segmentd_shopify.sandbox import ShopifySandbox
from segmentd_shopify.source import ShopifySource


class TestShopifySource(SourceConformance):
    sandbox_class = ShopifySandbox
    source_class = ShopifySource
    extra_settings: ClassVar = {"customers_page": 4, "orders_page": 4, "lines_page": 20}
    page_size = 4

    def make_sandbox(self, clock: SandboxClock) -> ShopSandbox:
        # the suite reads what it put in the same second; test_source.py has the late index
        return ShopifySandbox(clock, index_lag=0)


class TestShopifyInBulk(TestShopifySource):
    """The same by a bulk operation, however few there are."""

    extra_settings: ClassVar = {**TestShopifySource.extra_settings, "bulk_from": 1}

    @pytest.fixture(autouse=True)
    def _small_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(backfill, "AT_ONCE", self.page_size)


class TestShopifyTags(DestinationConformance):
    sandbox_class = ShopifySandbox
    destination_class = ShopifyDestination

    def spoil(self, bench: Bench, customer_id: str) -> bool:
        assert isinstance(bench.sandbox, ShopifySandbox)
        bench.sandbox.set_tags(customer_id, [f"tag {number}" for number in range(250)])
        return True
