"""The suites that every connector passes, for ours and for those of third parties.

    from segmentd.sdk.testing.conformance import DestinationConformance, SourceConformance

They need pytest. In the names of the tests I is an invariant and F a fault, numbered:

    I1 what is read is what is there · I3 the remote side becomes as asked · I4 what others put
    there stays · I5 nothing is confirmed that did not happen · I6 no change is lost between windows
    · I8 absence is not deletion · I9 nothing to do, nothing sent · I11 no consent changes
    · I13 ids and money are exact · I14 no secret comes out
    · I16, I17 one bad record or change costs only itself
    F18 broken connections · F22 redirects · F25 429 · F26 bursts of 5xx · F27 no JSON
    · F31 shifting pages · F35 refused credentials · F36 impossible names · F37 gone customers
"""

import pytest

pytest.register_assert_rewrite(
    *(
        f"segmentd.sdk.testing.{part}"
        for part in (
            "destination_faults",
            "destination_writing",
            "memberships_there",
            "shop_contents",
            "source_changes",
            "source_faults",
            "source_reading",
        )
    )
)

from segmentd.sdk.testing.bench import DestinationBench, SourceBench  # noqa: E402
from segmentd.sdk.testing.destination_suite import DestinationConformance  # noqa: E402
from segmentd.sdk.testing.source_suite import SourceConformance  # noqa: E402

__all__ = ["DestinationBench", "DestinationConformance", "SourceBench", "SourceConformance"]
