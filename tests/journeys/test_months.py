"""Real shops, month by month in one store: who entered, left and stayed, as computed elsewhere.

Each month brings what happened in it, as incremental pulls do, and passes evaluate only who changed
or is due. In its middle there is a pass before its news have come, so that half of them come late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from journeys.months import Book, Month, books, instant, named
from journeys.world import toml_table
from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.demo.history import History, fill, load_history
from segmentd.domain.cursor import Cursor
from segmentd.domain.records import Record
from segmentd.domain.segments import Segment
from segmentd.pipeline.ports import Lease
from segmentd.pipeline.segment import SegmentSummary, segment
from segmentd.pipeline.verify import verify
from segmentd.sdk.contract import ShopInfo
from segmentd.sdk.testing.sandbox import SandboxClock
from segmentd.sdk.testing.server import serve
from segmentd.segmenter.ruleset import Shop, compile_segments
from segmentd.store import Store, open_store
from segmentd_shopify.sandbox import ShopifySandbox

pytestmark = pytest.mark.unmeasured

TTL = timedelta(days=1)
HALF = timedelta(days=14)
LONG_AGO = instant("1990-01-01")


class Life:
    """A history that a store lives through."""

    def __init__(self, store: Store, book: Book) -> None:
        self.store = store
        self.history: History = load_history(book.folder)
        self.segments = [Segment(name, name, rule) for name, rule in book.rules.items()]
        self.ruleset = compile_segments(self.segments, Shop("UTC", book.currency))
        self.until: datetime | None = None
        with self._lease("source:shop") as lease:
            store.save_shop(lease, "shop", ShopInfo("shop", book.currency, "UTC", LONG_AGO))
            self._save(lease, "products", self.history.products)

    def go_on(self, until: datetime) -> None:
        """Pull what happened since."""
        with self._lease("source:shop") as lease:
            self._save(lease, "customers", list(self.history.customers(until, self.until)))
            self._save(lease, "orders", list(self.history.orders(until, self.until)))
        self.until = until

    def decide(self, now: datetime) -> SegmentSummary:
        """One pass."""
        with self._lease("segment") as lease:
            return segment(
                self.store, lease, self.segments, self.ruleset, now, _ignore, complete=True
            )

    def is_as_computed_anew(self, now: datetime) -> bool:
        """What ``segmentd verify`` says."""
        found = verify(self.store, self.segments, self.ruleset, now, _ignore, complete=True)
        return found.same and not (found.dirty or found.due or found.edited)

    def members(self, as_of: datetime | None = None) -> dict[str, set[str]]:
        """Segment → customers, by their ids in the files."""
        found: dict[str, set[str]] = {each.key: set() for each in self.segments}
        for membership in self.store.memberships(as_of):
            found[membership.segment].add(named(membership.email))
        return found

    def _save(self, lease: Lease, stream: str, records: Sequence[Record]) -> None:
        self.store.save_batch(lease, "shop", stream, records, [], Cursor(), self.until or LONG_AGO)

    @contextmanager
    def _lease(self, name: str) -> Iterator[Lease]:
        lease = self.store.acquire(name, "test:1", TTL, LONG_AGO)
        yield lease
        self.store.release(lease)


def _ignore(_done: int, _total: int) -> None:
    return None


@pytest.mark.parametrize("book", books(), ids=lambda book: book.folder.name)
def test_months(book: Book, tmp_path: Path) -> None:
    got: dict[str, list[Month]] = {name: [] for name in book.rules}
    seen: dict[str, dict[str, set[str]]] = {}
    with open_store(f"sqlite:///{tmp_path}/s.db") as store:
        life = Life(store, book)
        for date in book.dates:
            # rules are new once
            assert life.decide(instant(date) - HALF).full == (not seen)
            life.go_on(instant(date))
            assert not life.decide(instant(date)).full
            seen[date] = life.members()
            before = list(seen.values())[-2] if len(seen) > 1 else None
            for name, months in got.items():
                months.append(Month.of(date, before[name] if before else None, seen[date][name]))
        assert life.is_as_computed_anew(instant(book.dates[-1]))
        assert got == {name: list(months) for name, months in book.months.items()}
        # the history gives the months back, and all changes together the memberships of now
        for date in book.dates[::5]:
            assert life.members(instant(date)) == seen[date]
        sums: Counter[tuple[str, str]] = Counter()
        for each in store.changes():
            sums[each.segment, named(each.email)] += 1 if each.change == "entered" else -1
        assert set(sums.values()) == {0, 1}
        inside = {(name, who) for name, members in life.members().items() for who in members}
        assert {member for member, count in sums.items() if count} == inside


def test_months_over_http(
    tmp_path: Path, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (book, *_) = books()
    history, begin = load_history(book.folder), instant(book.dates[0])
    clock = SandboxClock(begin, frozen=True)
    shop = ShopifySandbox(clock, currency="USD", time_zone="UTC", points=20_000, restored=100_000)
    for key, value in shop.credentials().items():
        monkeypatch.setenv(f"SANDBOX_SHOPIFY_{key.upper()}", value)
    with serve(shop) as url, _app(tmp_path, postgres_url, book, shop.settings(url), clock) as app:
        until: datetime | None = None
        before: dict[str, set[str]] | None = None
        for at, date in enumerate(book.dates):
            clock.advance((instant(date) - clock.now()).total_seconds())
            fill(shop, history, instant(date), since=until)
            until = instant(date)
            app.pull().check()
            assert app.segment().full == (at == 0)
            now: dict[str, set[str]] = {name: set() for name in book.rules}
            for membership in app.store.memberships():
                now[membership.segment].add(named(membership.email))
            for name, months in book.months.items():
                found = Month.of(date, before[name] if before else None, now[name])
                assert found == months[at], (name, date)
            before = now
        assert app.verify().same


@contextmanager
def _app(
    folder: Path, store_url: str, book: Book, settings: Mapping[str, object], clock: SandboxClock
) -> Iterator[App]:
    segments = [toml_table(f"segments.{name}", {"where": r}) for name, r in book.rules.items()]
    text = "\n".join(
        [
            toml_table("store", {"url": store_url}),
            toml_table("sources.shop", {"connector": "shopify", **settings}),
            *segments,
        ]
    )
    config = folder / "segmentd.toml"
    config.write_text(text, encoding="utf-8")
    app = open_app(load_config(config), clock=clock.now)
    try:
        yield app
    finally:
        app.close()
