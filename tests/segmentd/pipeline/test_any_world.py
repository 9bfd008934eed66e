"""Whatever happens in a small shop, and wherever a process dies: after every step the memberships
are what a pass over everybody and plain logic say, and nobody is looked at too late.

``WORLD_EXAMPLES`` is the number of histories lived through, in all; see CONTRIBUTING.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

import segmenter_oracle.statistics
from any_world.machine import AnyWorld
from any_world.system import Files
from journeys.story import memory_folder
from segmentd.segmenter import thresholds

pytestmark = pytest.mark.unmeasured

EXAMPLES = int(os.environ.get("WORLD_EXAMPLES", "2000"))
SHARDS = 20
STEPS = 4
FEW = 3


@pytest.fixture(scope="module")
def files() -> Iterator[Files]:
    with memory_folder() as folder:
        opened = Files(folder)
        yield opened
        opened.close()


@pytest.mark.timeout(0 if EXAMPLES > 2000 else 300)
@pytest.mark.parametrize("shard", range(SHARDS))
def test_every_step_leaves_everybody_where_they_belong(
    shard: int, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    # percentiles of a handful of people are worth nothing to a shop, but are to be tried out too
    monkeypatch.setattr(thresholds, "MIN_POPULATION", FEW)
    monkeypatch.setattr(segmenter_oracle.statistics, "MIN_POPULATION", FEW)
    monkeypatch.setattr(AnyWorld, "files", files, raising=False)
    run_state_machine_as_test(
        AnyWorld,
        settings=settings(
            max_examples=EXAMPLES // SHARDS,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
