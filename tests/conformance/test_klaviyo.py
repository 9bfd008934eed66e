"""The Klaviyo connector passes what every destination passes."""

from __future__ import annotations

from segmentd.sdk.testing.conformance import DestinationConformance
from segmentd_klaviyo.destination import KlaviyoDestination
from segmentd_klaviyo.sandbox import KlaviyoSandbox


class TestKlaviyoLists(DestinationConformance):
    sandbox_class = KlaviyoSandbox
    destination_class = KlaviyoDestination
