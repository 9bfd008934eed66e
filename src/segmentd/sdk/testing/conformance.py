"""The suites that every connector passes, for ours and for those of third parties.

    from segmentd.sdk.testing.conformance import DestinationConformance, SourceConformance

They need pytest. The numbers in the names of the tests (I3, F25 …) are the invariants and faults
that ``docs/reliability.md`` lists.
"""

import pytest

pytest.register_assert_rewrite(
    "segmentd.sdk.testing.destination_suite", "segmentd.sdk.testing.source_suite"
)

from segmentd.sdk.testing.destination_suite import DestinationConformance  # noqa: E402
from segmentd.sdk.testing.source_suite import SourceConformance  # noqa: E402

__all__ = ["DestinationConformance", "SourceConformance"]
