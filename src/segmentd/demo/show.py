"""How the demo looks: tables of what it measured."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.table import Table

from segmentd.bootstrap import App
from segmentd.cli import report
from segmentd.cli.session import progress_bars
from segmentd.demo.platforms import SHOPS, TAGS, Platforms
from segmentd.domain.segments import Segment
from segmentd.segmenter.preview import EVERYBODY, Preview


@contextmanager
def step(console: Console, app: App, what: str) -> Iterator[None]:
    """Show progress bars while something goes on, and then how long it took."""
    begun = time.monotonic()
    quiet = app.progress
    try:
        with progress_bars() as app.progress:
            yield
    finally:
        app.progress = quiet
    console.print(f"  [dim]{what}: {time.monotonic() - begun:.1f} s[/]", highlight=False)


def segments(app: App, stage: Platforms) -> Table:
    """Each segment: its size, its share of the revenue, and what stands at the platforms."""
    table = Table(title="Segments, and what stands at the platforms", title_justify="left")
    for heading in ("segment", "title"):
        table.add_column(heading, no_wrap=True)
    for heading in ("size", "revenue", "Shopify", "Woo", "Klaviyo"):
        table.add_column(heading, justify="right", no_wrap=True)
    worths, _ = app.asking("show").worths([segment.key for segment in app.config.segments])
    lists = stage.lists.members()
    for segment in app.config.segments:
        preview = Preview(worths[segment.key], worths[EVERYBODY])
        at = {to.destination: to.name for to in segment.push}
        tagged = [
            str(_tagged(stage, source, at[name])) if name in at else "-"
            for name, source in TAGS.items()
        ]
        listed = [str(len(lists[name])) for to, name in at.items() if to not in TAGS]
        table.add_row(
            segment.key,
            segment.title,
            str(preview.size),
            report.as_percent(preview.revenue_share),
            *tagged,
            *(listed or ["-"]),
        )
    return table


def traffic(app: App, stage: Platforms) -> Table:
    """Each platform: the requests in its own log, and the waits that its limits asked for."""
    table = Table(
        title="Requests as the platforms logged them (waits pass in their time, not in yours)",
        title_justify="left",
    )
    table.add_column("platform")
    for heading in ("requests", "writes", "refused", "waits", "waited s"):
        table.add_column(heading, justify="right")
    for name, sandbox in stage.sandboxes.items():
        connectors = [name, *(tags for tags, source in TAGS.items() if source == name)]
        meters = [app.meters[connector] for connector in connectors if connector in app.meters]
        table.add_row(
            SHOPS[name][0] if name in SHOPS else "klaviyo",
            str(len(sandbox.log)),
            str(sandbox.writes()),
            str(sum(entry.status >= 400 for entry in sandbox.log)),
            str(sum(meter.waits for meter in meters)),
            f"{sum(meter.waited for meter in meters):.0f}",
        )
    return table


def explanation(console: Console, app: App) -> None:
    """Why the customer who spent most is in each segment or not."""
    asking = app.asking("explain", [Segment("best", "best", "amount_spent IN TOP 10%")])
    worths, _ = asking.worths(["best"])
    (_, best), *_ = worths["best"].best
    (person,) = app.store.people([best])
    console.print(f"\n[bold]segmentd explain {person.source}:{person.customer_id}[/]")
    told_of = dict(asking.explain(best, [segment.key for segment in app.config.segments]))
    for segment in app.config.segments:
        told = told_of[segment.key]
        state = "a member" if told.member else "not a member"
        console.print(f"  {segment.title}: {state}", markup=False, highlight=False)
        console.print(told.to_text(), markup=False, highlight=False)


def _tagged(stage: Platforms, source: str, tag: str) -> int:
    return sum(tag in tags for tags in stage.shop(source).tags().values())
