"""``segmentd demo``: the whole way once, with real purchases, on this machine alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from segmentd.bootstrap import open_app
from segmentd.cli.common import Invocation, pass_invocation
from segmentd.cli.exits import Exit
from segmentd.config import load_config
from segmentd.demo.history import CDNOW, load_history
from segmentd.demo.platforms import platforms
from segmentd.demo.story import BEGIN, SEGMENTS, Story

_WELCOME = """Three platforms run on this machine: a Shopify shop, a WooCommerce shop and Klaviyo.
They are fakes, as strict as the real ones about requests and rate limits. Their customers are
real: 2,357 people who bought at the music shop CDNOW in 1997 and 1998 (addresses invented).
Between segmentd and them everything goes over HTTP."""


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep configuration and database there.",
)
@click.option("--postgres", metavar="URL", help="Use this empty PostgreSQL database, not SQLite.")
@pass_invocation
def demo(invocation: Invocation, folder: Path | None, postgres: str | None) -> int:
    """Show everything on two shops with a real purchase history; touches nothing of yours."""
    invocation.start_logs()
    console = Console(soft_wrap=True)
    console.print(_WELCOME, highlight=False)
    with _folder(folder) as kept, platforms(BEGIN) as stage:
        history = load_history(CDNOW)
        stage.live(history, BEGIN)
        path = kept / "segmentd.toml"
        stage.write_config(path, postgres or "sqlite:///segmentd.db", SEGMENTS)
        app = open_app(load_config(path), clock=stage.clock.now, sleep=stage.sleep)
        try:
            story = Story(app, stage, history, console)
            story.tell()
        finally:
            app.close()
    failed = [check.claim for check in story.checks if not check.holds]
    if folder is not None:
        console.print(f"\nLook around: segmentd --config {path} status", highlight=False)
    console.print(
        f"\n{len(story.checks) - len(failed)} of {len(story.checks)} checks hold", highlight=False
    )
    return Exit.PARTIAL if failed else Exit.OK


@contextmanager
def _folder(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="segmentd-demo-") as temporary:
        yield Path(temporary)
