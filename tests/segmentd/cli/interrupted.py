"""A command whose workers never get done; run by test_interrupt.py in a process of its own."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from segmentd.cli.common import Invocation
from segmentd.cli.exits import Exit
from segmentd.cli.session import session
from segmentd.segmenter.frames import Frames


def work(_frames: Frames) -> None:
    """Says that it has begun, and takes for ever."""
    print("busy", flush=True)  # noqa: T201 - the test listens
    signal.pause()


def main() -> int:
    """As a pass over a large shop."""
    try:
        with session(Invocation(Path("segmentd.toml"))) as app, app.store.passing():
            list(app.store.full_pass([(1, 1), (2, 2), (3, 3)], frozenset(), work))
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return Exit.UNEXPECTED


if __name__ == "__main__":
    sys.exit(main())
