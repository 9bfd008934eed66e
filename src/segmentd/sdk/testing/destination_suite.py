"""The tests that every destination passes."""

from __future__ import annotations

from segmentd.sdk.testing.destination_faults import DestinationFaults
from segmentd.sdk.testing.destination_writing import DestinationWriting
from segmentd.sdk.testing.memberships_there import Bench as Bench


class DestinationConformance(DestinationWriting, DestinationFaults):
    """Subclass it in ``tests/conformance`` and name the two classes; no more is needed.

        class TestShopifyDestination(DestinationConformance):
            sandbox_class = ShopifySandbox
            destination_class = ShopifyDestination

    If a list sandbox has a method ``put_profile(email, consent)``, people with a consent of their
    own are part of the tests; with ``delete_list(name)`` the removal of a list by hand is too.
    """
