"""What goes wrong around a single ``segmentd sync``: said in a sentence, and nothing is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable

import pytest

from journeys.stores import PostgresDatabase, SqliteFile
from journeys.story import Story
from segmentd.sdk.testing.faults import DropConnection, Handler
from segmentd.sdk.testing.sandbox import Request, Response

pytestmark = pytest.mark.unmeasured

TEMPORARY = 5
TERMINATED = 143


def start(story: Story, *command: str, limit: str = "unlimited") -> subprocess.Popen[str]:
    """``segmentd`` as a person types it; ``limit``: blocks that a file may grow to."""
    # what measures coverage writes files too, and its own complaints are none of ours
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE")}
    program = [sys.executable, "-m", "segmentd", *command, "--config", str(story.made.config)]
    return subprocess.Popen(
        ["/bin/sh", "-c", 'ulimit -f "$0"; exec "$@"', limit, *program],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )


def sync(story: Story, limit: str = "unlimited") -> subprocess.Popen[str]:
    """One cycle, at the time that the platforms have."""
    return start(story, "sync", "--now", story.made.now().isoformat(), limit=limit)


def at_the_first_write(story: Story, act: Callable[[], None]) -> None:
    """``act`` once WooCommerce has done the first change asked of it, instead of its answer."""
    woo = story.made.woo

    def fault(request: Request, handle: Handler) -> Response:
        response = handle(request)
        if not woo.is_write(request):
            woo.faults.insert(0, fault)
            return response
        act()
        raise DropConnection

    woo.faults.append(fault)


def sentence(process: subprocess.Popen[str]) -> str:
    """What a process that ends now says on stderr; one line, and perhaps what to try."""
    _, said = process.communicate()
    story, *hints = said.splitlines()
    assert all(hint.startswith("try: ") for hint in hints), said
    return story


def test_terminated_in_the_middle_of_a_push(story: Story) -> None:
    story.rewind()
    running: list[subprocess.Popen[str]] = []

    def end() -> None:
        running[0].send_signal(signal.SIGTERM)
        running[0].wait()

    at_the_first_write(story, end)
    running.append(sync(story))
    _, said = running[0].communicate()
    assert (running[0].returncode, said) == (TERMINATED, "")
    story.made.hang_up()
    story.settle()


def test_the_disk_is_full(story: Story) -> None:
    story.rewind()
    process = sync(story, limit="256")
    assert "disk" in sentence(process)
    assert process.returncode == TEMPORARY
    story.made.hang_up()
    story.settle()


def test_the_database_is_locked_by_another_process(story: Story) -> None:
    assert isinstance(story.database, SqliteFile)
    story.rewind()
    other = sqlite3.connect(story.database.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    process = start(story, "segment")
    said = sentence(process)
    other.close()
    assert said == f"segmentd: the database {story.database.path} is locked by another process"
    assert process.returncode == TEMPORARY
    story.settle()


def test_postgresql_stops_in_the_middle_of_a_push(postgres_story: Story) -> None:
    database = postgres_story.database
    assert isinstance(database, PostgresDatabase)
    postgres_story.rewind()
    at_the_first_write(postgres_story, database.close)
    process = sync(postgres_story)
    said = sentence(process)
    database.open()
    assert said.startswith("segmentd: woo_tags: the database crash at ")
    assert process.returncode == TEMPORARY
    postgres_story.made.hang_up()
    postgres_story.settle()
