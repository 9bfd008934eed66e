"""An open application for the length of one command, with progress on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from segmentd.bootstrap import App, Outcome, open_app
from segmentd.cli.common import Invocation
from segmentd.domain.errors import SegmentdError

if TYPE_CHECKING:
    from segmentd.bootstrap import Progress as Report


@contextmanager
def session(
    invocation: Invocation, now: datetime | None = None, *, quiet: bool = False
) -> Iterator[App]:
    """Read the configuration and open everything; closed when the command ends."""
    config = invocation.start()
    with ExitStack() as stack:
        report = stack.enter_context(progress_bars(quiet=quiet))
        app = open_app(config, clock=lambda: now or datetime.now(UTC), progress=report)
        stack.callback(app.close)
        yield app


@contextmanager
def progress_bars(*, quiet: bool = False) -> Iterator[Report]:
    """A bar per activity on stderr, where that is a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _label, _done, _total: None
        return
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    tasks: dict[str, TaskID] = {}

    def report(label: str, done: int, total: int | None) -> None:
        if label not in tasks:
            tasks[label] = bars.add_task(label, total=total)
        bars.update(tasks[label], completed=done, total=total)

    with bars:
        yield report


def finish(failed: Mapping[str, SegmentdError]) -> None:
    """Say what failed beside the worst, and raise that one."""
    worst = Outcome[object](failed=dict(failed)).worst()
    for name, error in failed.items():
        if error is not worst:
            click.echo(f"{name}: {error.message}", err=True)
    if worst is not None:
        raise worst
