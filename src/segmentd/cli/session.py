"""An open application for the length of one command, with progress on a terminal."""

from __future__ import annotations

import multiprocessing
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from segmentd.bootstrap import App, Outcome, configured_shop, open_app
from segmentd.cli.common import Invocation
from segmentd.cli.exits import Failed
from segmentd.config import Config, ConnectorConfig
from segmentd.domain.errors import ConfigError, SegmentdError
from segmentd.domain.segments import Segment
from segmentd.domain.suggest import did_you_mean
from segmentd.segmenter.ruleset import Shop

if TYPE_CHECKING:
    from segmentd.bootstrap import Progress as Report


@contextmanager
def session(
    invocation: Invocation,
    now: datetime | None = None,
    *,
    quiet: bool = False,
    scheduler: str | None = None,
) -> Iterator[App]:
    """Read the configuration and open everything; closed when the command ends.

    ``scheduler``: the address of a Dask scheduler, on whose workers full passes are done.
    """
    config = invocation.start()
    with ExitStack() as stack:
        report = stack.enter_context(progress_bars(quiet=quiet))
        app = open_app(
            config,
            clock=lambda: now or datetime.now(UTC),
            progress=report,
            scheduler=scheduler,
        )
        stack.callback(app.close)
        try:
            yield app
        except KeyboardInterrupt:
            # they only read, and to wait until they are done with their ranges takes seconds
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise


def known_shop(config: Config) -> Shop:
    """As configured, else as the store has heard of it; no store is made for that."""
    path = Path(config.store_url.removeprefix("sqlite:///"))
    if config.store_url.startswith("sqlite:") and not path.exists():
        return configured_shop(config)
    with closing(open_app(config)) as app:
        return app.shop()


def chosen(app: App, key: str | None) -> list[Segment]:
    """The segment of a key, or all; ConfigError if there is none."""
    segments = [segment for segment in app.config.segments if key in (None, segment.key)]
    if key is not None and not segments:
        near = did_you_mean(key, [segment.key for segment in app.config.segments])
        raise ConfigError(f'there is no segment "{key}"{near}')
    return segments


def found(app: App, who: str) -> list[int]:
    """Profiles that an e-mail address or ``SOURCE:ID`` means; ConfigError for nobody."""
    # bytes that are no text cannot be asked for
    ids = app.store.find(who) if who.isprintable() else []
    if not ids:
        raise ConfigError(
            f"nobody in the store is {who!r}; write an e-mail address or SOURCE:ID, "
            "for example shop:1234",
            hint="segmentd export profiles",
        )
    return ids


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


def check_past(app: App, as_of: datetime) -> None:
    """ConfigError for an instant that nobody knows yet."""
    # what passes under a later --now have stored is past as well
    known = filter(None, (app.machine(), app.store.evaluated_at()))
    if as_of > max(known):
        raise ConfigError(f"--as-of {as_of:%Y-%m-%d %H:%M:%S}Z lies in the future")


def ready(connectors: Iterable[ConnectorConfig]) -> None:
    """Failed if a secret is missing: before a command has read or sent anything for the others."""
    missing: dict[str, SegmentdError] = {}
    for connector in connectors:
        try:
            connector.settings.check_secrets()
        except ConfigError as error:
            missing[connector.name] = error
    finish(missing)


def finish(failed: Mapping[str, SegmentdError]) -> None:
    """Failed if any did."""
    worst = Outcome[object](failed=dict(failed)).worst()
    if worst is not None:
        raise Failed(failed, worst)
