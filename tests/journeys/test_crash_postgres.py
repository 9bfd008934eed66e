"""As ``test_crash``, with the store on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from databases import PostgresServer
from journeys.crash import Kill
from journeys.story import PostgresDatabase, Story, begin, memory_folder, sample

PARTS = 2
POINTS = 8


@pytest.fixture(scope="module")
def story(postgres: PostgresServer) -> Iterator[Story]:
    database = PostgresDatabase(postgres, "crash")
    with memory_folder() as folder, begin(folder, database) as begun:
        yield begun
    database.drop()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(PARTS))
def test_a_crash_at_any_boundary_is_repaired(story: Story, part: int) -> None:
    for at in sample(story.count("boundary").points, POINTS, seed=8)[part::PARTS]:
        assert story.survive(Kill("boundary", at)), f"not killed at {at}"
