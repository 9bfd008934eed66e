"""Every crash there is, one after the other: ``make crash``. Takes about an hour.

    PYTHONPATH=tests python -m benchmarks.crash [--part 1/3] [KIND ...]

KIND is one of those in ``KINDS``; none: all. Parts may run side by side. strace must be installed.
The exit code says whether everything held.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from databases import postgres_server
from journeys.crash import Kill
from journeys.planted import BUGS
from journeys.stores import PostgresDatabase, SqliteFile
from journeys.story import Story, begin, memory_folder, sample

SYSTEM_CALLS = ("sendto", "pwrite64")
MOMENTS = 50
TWICE = 50
"""Crashes in the cycle that would have repaired another crash."""
EXPOSED = 20
"""Points at which each planted fault is tried."""
KINDS = (*SYSTEM_CALLS, "twice", "moments", "moments-postgresql", "planted")


@dataclass
class Tally:
    """What came of the crashes of one kind."""

    kind: str
    begun: float = field(default_factory=time.monotonic)
    points: int = 0
    landed: int = 0
    violations: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        seconds = time.monotonic() - self.begun
        return (
            f"{self.kind}: {self.points} points, {self.landed} killed, "
            f"{len(self.violations)} violations, {seconds:.0f} s"
        )

    def add(self, story: Story, *kills: Kill) -> None:
        """Crash there, and see what holds."""
        self.points += 1
        try:
            self.landed += story.survive(*kills)
        except AssertionError as error:
            self.landed += 1
            self.violations.append(f"{kills}: {error}")
            print(self.violations[-1], flush=True)
        if self.points % 50 == 0:
            print(self, flush=True)


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for; 1 if anything did not hold."""
    parser = argparse.ArgumentParser(prog="crash")
    parser.add_argument("--part", default="1/1", help="the first of three parts: 1/3")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=", ".join(KINDS))
    options = parser.parse_args(arguments)
    part, parts = (int(number) for number in options.part.split("/"))
    kinds = options.kinds or KINDS
    tallies = []
    on_sqlite = [kind for kind in kinds if kind != "moments-postgresql"]
    if on_sqlite:
        with _on_sqlite() as story:
            tallies += [_run(kind, story, part, parts) for kind in on_sqlite]
    if "moments-postgresql" in kinds:
        with _on_postgresql() as story:
            tallies.append(_run("moments-postgresql", story, part, parts))
    print("\n".join(["", *map(str, tallies)]))
    return int(any(tally.violations for tally in tallies))


@contextmanager
def _on_sqlite() -> Iterator[Story]:
    with memory_folder() as folder, begin(folder, SqliteFile(folder)) as story:
        yield story


@contextmanager
def _on_postgresql() -> Iterator[Story]:
    with (
        postgres_server() as server,
        memory_folder() as folder,
        begin(folder, PostgresDatabase(server, "crash")) as story,
    ):
        yield story


def _run(kind: str, story: Story, part: int, parts: int) -> Tally:
    if kind == "planted":
        return _planted(story, part, parts)
    tally = Tally(kind)
    for kills in list(_kills(kind, story))[part - 1 :: parts]:
        tally.add(story, *kills)
    print(tally, flush=True)
    return tally


def _kills(kind: str, story: Story) -> Iterator[tuple[Kill, ...]]:
    if kind in SYSTEM_CALLS:
        # a few more than were counted: no cycle is quite like the other
        last = story.count(kind).points + 5
        yield from ((Kill(kind, at),) for at in range(1, last + 1))
    elif kind == "twice":
        last = story.count("boundary").points
        firsts = sample(last, TWICE, seed=5)
        seconds = random.Random(6).sample(firsts, TWICE)
        for first, second in zip(firsts, seconds, strict=True):
            yield Kill("boundary", first), Kill("boundary", second)
    else:
        lengths = sorted(_length(story) for _ in range(5))
        chance = random.Random(9)
        yield from ((Kill("moment", chance.uniform(0, lengths[2])),) for _ in range(MOMENTS))


def _length(story: Story) -> float:
    """Seconds that an undisturbed cycle takes."""
    story.rewind()
    return story.cycle().seconds


def _planted(story: Story, part: int, parts: int) -> Tally:
    """Each fault must be found somewhere; what is not found is a violation here."""
    tally = Tally("planted")
    for bug in BUGS:
        exposed = story.count("boundary", bug).exposed
        found = 0
        for n in sample(len(exposed), EXPOSED, seed=3)[part - 1 :: parts]:
            tally.points += 1
            violation = story.violated(Kill("boundary", exposed[n - 1]), bug)
            found += violation is not None
        print(f"{bug}: {len(exposed)} points at which it does harm, found at {found}", flush=True)
        tally.landed += found
        if not found:
            tally.violations.append(f"{bug} was not found")
    print(tally, flush=True)
    return tally


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
