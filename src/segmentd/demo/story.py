"""The story that the demo tells, with what it measured on the way."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from rich.console import Console

from segmentd.bootstrap import App, SyncSummary
from segmentd.cli import report
from segmentd.demo import show
from segmentd.demo.history import History
from segmentd.demo.platforms import LISTS, TAGS, Platforms
from segmentd.domain.errors import SafetyStop
from segmentd.domain.identity import tag_key

BEGIN = datetime(1998, 6, 1, tzinfo=UTC)
LATER = datetime(1998, 7, 1, tzinfo=UTC)

SEGMENTS = """
[segments.vip]
title = "VIP"
where = "amount_spent IN TOP 10%"
push = ["shop_tags", "woo_tags", "newsletter"]

[segments.repeat]
title = "Repeat buyer"
where = "number_of_orders >= 3"
push = ["shop_tags", "woo_tags"]

[segments.one_timer]
title = "One order only"
where = "number_of_orders = 1"
push = ["shop_tags", "woo_tags"]

[segments.active]
title = "Active 30d"
where = "last_order_date >= -30d"
push = ["shop_tags", "woo_tags"]

[segments.quiet]
title = "Gone quiet"
where = "amount_spent >= 200 AND last_order_date < -180d"
push = ["newsletter"]
"""


@dataclass(frozen=True)
class Check:
    """Something the demo proves."""

    claim: str
    holds: bool


@dataclass
class Story:
    """One run; ``checks`` is what was proved."""

    app: App
    stage: Platforms
    history: History
    console: Console
    checks: list[Check] = field(default_factory=list)

    def tell(self) -> None:
        """From the first backfill to the last comparison."""
        self._begin()
        self._a_month_later()
        self._nothing_new()
        self.compare()
        self.console.print()
        self.console.print(show.segments(self.app, self.stage))
        self.console.print(show.traffic(self.app, self.stage))
        show.explanation(self.console, self.app)

    def _begin(self) -> None:
        self._title(f"{BEGIN:%d %B %Y}: the first time")
        with show.step(self.console, self.app, "backfill"):
            pulled = self.app.backfill()
        pulled.check()
        self._say(report.pulled_lines(pulled))
        with show.step(self.console, self.app, "segment"):
            segmented = self.app.segment()
        self._say(report.segmented_lines(segmented))
        planned = self.app.plan()
        self._say(["the plan, before anything is sent:", *report.plan_lines(planned)])
        with show.step(self.console, self.app, "push"):
            pushed = self.app.push()
        pushed.check()
        self._say(report.pushed_lines(pushed))

    def _a_month_later(self) -> None:
        self._title(f"{LATER:%d %B %Y}: a month of orders later")
        self.stage.live(self.history, LATER, since=BEGIN)
        with show.step(self.console, self.app, "sync"):
            done = self.app.sync()
        done.pulled.check()
        self._say(
            [
                *report.pulled_lines(done.pulled),
                *report.segmented_lines(done.segmented),
                *report.pushed_lines(done.pushed),
            ]
        )
        new = sum(1 for _ in self.history.orders(LATER, since=BEGIN))
        written = _written(done, "orders")
        self._prove(f"the second pull wrote the {new} new orders and no other", written == new)
        self._release(done)

    def _release(self, done: SyncSummary) -> None:
        """A month at once is more than the guard lets pass: a person looks, and confirms."""
        held = {name: error for name, error in done.failed.items() if isinstance(error, SafetyStop)}
        if not held:
            done.check()
            return
        self._say([f"held by the guard: {name}: {e.message}" for name, e in held.items()])
        plans = self.app.plan(list(held))
        self._say(["what it holds:", *report.plan_lines(plans), "confirmed, as a person would:"])
        before = self.stage.writes()
        pushed = self.app.push(list(held), [plan.id for plan in plans.done])
        pushed.check()
        sent = self.stage.writes() - before
        changes = sum(len(plan.changes) for plan in plans.done)
        self._say(
            [*report.pushed_lines(pushed), f"{sent} write requests for these {changes} changes"]
        )

    def _nothing_new(self) -> None:
        self._title("once more, with nothing new")
        before = self.stage.writes()
        done = self.app.sync()
        done.check()
        changed = done.segmented.entered + done.segmented.left
        sent = self.stage.writes() - before
        self._say([f"{sent} write requests, {changed} membership changes"])
        self._prove("a sync without news sends no write request", sent == 0 and changed == 0)

    def compare(self) -> None:
        """Hold what is at the platforms against the exported memberships."""
        self._title("the platforms against the memberships")
        for destination, source in TAGS.items():
            wanted = wanted_tags(self.app, destination, source)
            found = {who: tags for who, tags in self._found(destination, source).items() if tags}
            self._prove(
                f"{source}: the tags of {len(found)} customers are exactly the memberships",
                found == wanted,
            )
        lists = {name: set(members) for name, members in self.stage.lists.members().items()}
        wanted_lists = wanted_members(self.app)
        self._prove(
            f"{LISTS}: the {sum(map(len, lists.values()))} members are exactly the memberships",
            lists == wanted_lists,
        )
        self._prove(
            "nobody's consent was touched",
            set(self.stage.lists.consents().values()) <= {"NEVER_SUBSCRIBED"},
        )
        requests = sum(len(sandbox.log) for sandbox in self.stage.sandboxes.values())
        counted = sum(meter.requests for meter in self.app.meters.values())
        self._prove("we counted every request that arrived", requests == counted)

    def _found(self, destination: str, source: str) -> dict[str, set[str]]:
        ours = {tag_key(name) for name in names(self.app, destination).values()}
        return {
            customer: {tag_key(tag) for tag in tags} & ours
            for customer, tags in self.stage.shop(source).tags().items()
        }

    def _prove(self, claim: str, holds: bool) -> None:
        self.checks.append(Check(claim, holds))
        mark = "[green]✓[/]" if holds else "[bold red]✗[/]"
        self.console.print(f"  {mark} {claim}", highlight=False)

    def _title(self, text: str) -> None:
        self.console.print()
        self.console.rule(f"[bold]{text}", align="left")

    def _say(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.console.print(f"  {line}", markup=False, highlight=False)


def names(app: App, destination: str) -> dict[str, str]:
    """Segment → its name at a destination."""
    return {
        segment.key: to.name
        for segment in app.config.segments
        for to in segment.push
        if to.destination == destination
    }


def wanted_tags(app: App, destination: str, source: str) -> dict[str, set[str]]:
    """Customer → tags, as the exported memberships say."""
    tags = names(app, destination)
    wanted: dict[str, set[str]] = defaultdict(set)
    for row in app.store.memberships(None):
        if row.source == source and row.segment in tags:
            wanted[row.customer_id].add(tag_key(tags[row.segment]))
    return dict(wanted)


def wanted_members(app: App) -> Mapping[str, set[str]]:
    """List → addresses, as the exported memberships say."""
    lists = names(app, LISTS)
    wanted: dict[str, set[str]] = {name: set() for name in lists.values()}
    for row in app.store.memberships(None):
        if row.segment in lists and row.email:
            wanted[lists[row.segment]].add(row.email)
    return wanted


def _written(done: SyncSummary, stream: str) -> int:
    return sum(
        part.written
        for summary in done.pulled.done
        for part in summary.streams
        if part.stream == stream
    )
