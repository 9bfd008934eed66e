"""``rules lint``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime

import click

from segmentd import plugins
from segmentd.bootstrap import App, compiled
from segmentd.cli.common import Invocation, echo_json, json_option, now_option, pass_invocation
from segmentd.cli.exits import Exit
from segmentd.cli.facts import unfilled
from segmentd.cli.report import columns
from segmentd.cli.session import session
from segmentd.segmenter.figures import MAX_TAGS, Figures, figure_findings, of_all
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.lint import (
    Finding,
    reasoner,
    rule_findings,
    set_findings,
    window_findings,
)
from segmentd.segmenter.ruleset import Ruleset


@click.command()
@click.option("--strict", is_flag=True, help="End with 3 if there is anything to look at.")
@now_option
@json_option
@pass_invocation
def lint(invocation: Invocation, strict: bool, now: datetime | None, as_json: bool) -> Exit:
    """List what looks wrong with the rules, alone, side by side, and by this store's figures."""
    with session(invocation, now, quiet=as_json) as app:
        found = list(findings(app))
    if as_json:
        echo_json([asdict(each) for each in found])
    else:
        rows = [(each.kind, ", ".join(each.segments) or "all", each.text) for each in found]
        click.echo("\n".join(columns(rows)) or "nothing to look at")
    return Exit.PARTIAL if strict and found else Exit.OK


def findings(app: App) -> Iterator[Finding]:
    """Everything that looks wrong."""
    ruleset, now = compiled(app.config, app.shop()), app.clock()
    logic = reasoner(ruleset.shop, now)
    rules = ruleset.rules
    sets = {each.key: each.segments for each in app.config.sets}
    yield from rule_findings(rules, logic)
    yield from set_findings(rules, sets, logic)
    oldest, _ = app.store.order_times()
    if oldest is not None:
        clock = Clock(ruleset.shop.time_zone, now, ruleset.shop.week_start)
        yield from window_findings(rules, oldest, clock)
    for key, rule in rules.items():
        for name in unfilled(app.config, rule):
            yield Finding("not filled", (key,), f"no source that is configured fills {name}")
    yield from figure_findings(_figures(app, ruleset), now)


def _figures(app: App, ruleset: Ruleset) -> Figures:
    """As stored: a segment that was never evaluated has none."""
    store, config = app.store, app.config
    since = {key: at for key, at in store.rules_since().items() if key in ruleset.rules}
    tags = {name for name, each in config.destinations.items() if _has_tags(each.connector)}
    tagged = [s.key for s in config.segments if any(to.destination in tags for to in s.push)]
    _, latest = store.order_times()
    return Figures(
        profiles=store.status().counts["profiles"],
        members=of_all(store.member_ids(), since),
        pushed=[segment.key for segment in config.segments if segment.push],
        used=sorted({other for key in ruleset.rules for other in ruleset.refers(key)}),
        many_tags=len(store.in_many(tagged, MAX_TAGS)),
        latest_order=latest,
        last_moves=store.last_moves(),
        rules_since=since,
    )


def _has_tags(connector: str) -> bool:
    capabilities = getattr(plugins.destination(connector), "capabilities", None)
    return capabilities is None or capabilities.kind == "tags"
