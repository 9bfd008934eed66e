"""A process that dies at any point of a cycle costs nothing: the next one repairs it.

A sample for every run of the tests; ``make crash`` goes through all points (``benchmarks.crash``).
"""

from __future__ import annotations

import pytest

from journeys.crash import Kill
from journeys.planted import BUGS
from journeys.story import Story, sample

pytestmark = pytest.mark.unmeasured


def test_the_story_has_enough_to_lose(story: Story) -> None:
    """Entries and exits at each platform, and at least three pages of each stream of each shop."""
    story.rewind()
    assert story.cycle().code == 0
    pages = [request.request.path for request in story.made.stages["woocommerce"].actor.log]
    for stream in ("products", "customers", "orders"):
        assert pages.count(f"/wp-json/wc/v3/{stream}") >= 4, "the count, and three pages"
    assert len(story.made.written("shopify")) >= 2
    assert story.made.written("woocommerce")
    ways = {request.path.rpartition("/")[2] for request in story.made.written("klaviyo")}
    assert ways == {"profile-import", "profiles", "profile-bulk-import-jobs"}
    history = [line for line in story.told["repaired"] if line.startswith("history ")]
    for source in ("shop", "woo"):
        for segment, entered in (("recent", 0), ("recent", 1), ("spender", 1)):
            of = f'"{segment}", {entered},'
            assert (
                sum(line.startswith(f'history ["{source}"') and of in line for line in history) >= 8
            )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(5))
def test_a_crash_at_any_boundary_is_repaired(story: Story, part: int) -> None:
    for at in sample(story.count("boundary").points, 25, seed=7)[part::5]:
        assert story.survive(Kill("boundary", at)), f"not killed at {at}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(2))
def test_a_crash_with_postgresql_is_repaired(postgres_story: Story, part: int) -> None:
    for at in sample(postgres_story.count("boundary").points, 8, seed=8)[part::2]:
        assert postgres_story.survive(Kill("boundary", at)), f"not killed at {at}"


@pytest.mark.timeout(300)
@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_fault_is_found(story: Story, bug: str) -> None:
    exposed = story.count("boundary", bug).exposed
    points = [exposed[n * len(exposed) // 4] for n in range(4)]
    assert any(story.violated(Kill("boundary", at), bug) for at in points)
