"""Texts without end against the rule language.

    PYTHONPATH=tests python -m benchmarks.fuzz [--minutes 10] [--seed 0]

Prints how many texts were tried, accepted and refused, and the slowest. The exit code says whether
every text was a rule or refused with its place, within a second.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass

from fuzz.texts import Outcome, Texts, attempt


def main() -> int:
    """Try texts until the time is over or one of them fails."""
    parser = argparse.ArgumentParser(description="texts without end against the rule language")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    texts, tally = Texts(options.seed), Tally()
    end = time.monotonic() + options.minutes * 60
    while time.monotonic() < end:
        rule = texts.text()
        try:
            tally.add(rule, attempt(rule))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what we look for
            print(f"seed {options.seed}, text {tally.tried + 1}: {error!r}"[:500])
            print(repr(rule[:500]))
            return 1
    print(tally)
    return 0


@dataclass
class Tally:
    """What came of the texts."""

    tried: int = 0
    accepted: int = 0
    slowest: float = 0.0
    example: str = ""
    """The slowest text."""

    def add(self, rule: str, outcome: Outcome) -> None:
        """Count one text."""
        self.tried += 1
        self.accepted += outcome.accepted
        if outcome.seconds > self.slowest:
            self.slowest, self.example = outcome.seconds, rule

    def __str__(self) -> str:
        refused = self.tried - self.accepted
        return (
            f"{self.tried:,} texts: {self.accepted:,} rules, {refused:,} refused;"
            f" slowest {self.slowest:.3f} s CPU ({len(self.example):,} characters:"
            f" {self.example[:60]!r})"
        )


if __name__ == "__main__":
    sys.exit(main())
