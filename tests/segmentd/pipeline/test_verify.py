"""What a store's verification finds, and what it takes for no fault."""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.domain.errors import ConfigError
from segmentd.domain.records import Customer, Order
from segmentd.pipeline import segment as segmenting
from segmentd.pipeline import verify as verifying
from segmentd.pipeline.verification import Differing, Entry, Moved, Verification
from segmentd.sdk.testing.memory import MemoryLists, MemoryShop, registered
from segmentd.sdk.testing.sandbox import SandboxClock

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
DAY = timedelta(days=1)
ON_SQLITE = pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
CONFIG = """
[store]
url = "{url}"
[shop]
time_zone = "UTC"
[sources.shop]
connector = "memory"
shop = "shop"
token_env = "SANDBOX_MEMORY_TOKEN"
[destinations.tags]
connector = "memory"
source = "shop"
[destinations.news]
connector = "memory"
shop = "lists"
kind = "lists"
token_env = "SANDBOX_MEMORY_TOKEN"
[guard]
floor = 1000
[segments.spender]
where = "amount_spent >= {spent}"
push = ["tags", "news"]
[segments.top]
where = "amount_spent IN TOP 10%"
[segments.rich]
where = "amount_spent > STORE AVERAGE"
[segments.three]
where = "number_of_orders >= 1"
limit = {{ count = 3, by = "amount_spent" }}
[segments.lately]
where = "last_order_date >= -9d"
grace = "5d"
[segments.returned]
where = "LEFT segment('lately') >= -30d"
[segments.hot]
where = "orders_placed MATCHES (date >= -36h, count >= 1)"
"""
SET = """
[sets.tiers]
segments = ["best", "kept"]
[segments.best]
where = "amount_spent >= 200"
[segments.kept]
where = "amount_spent >= 100"
{pins}
[segments.other]
where = "NOT segment('best')"
"""
FEW = """
[segments.few]
where = "amount_spent > STORE AVERAGE"
limit = { count = 4, by = "number_of_orders" }
"""
LARGE = """
[segments.large]
where = "amount_spent >= $large_order"
"""
IDLE = """
[segments.idle]
where = "days_since_last_order > STORE AVERAGE"
"""


class Story:
    """A shop with 24 buyers, a platform for letters, and segmentd between them."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder, self.url = folder, url
        self.clock = SandboxClock(NOON, frozen=True)
        self.shop, self.lists = MemoryShop(self.clock), MemoryLists(self.clock)
        for number in range(1, 25):
            self.shop.put_customer(Customer(str(number), email=f"c{number}@shopper.example"))
            self.order(number, number * 1000, timedelta(days=number // 2, hours=number))
        self.app = self.open()

    def open(self, spent: int = 100) -> App:
        """Beside others, if there are some."""
        config = self.folder / "segmentd.toml"
        config.write_text(CONFIG.format(url=self.url, spent=spent))
        return open_app(load_config(config), clock=self.clock.now)

    def reopen(self, more: str) -> None:
        """With more segments, and everything else as it was."""
        self.app.close()
        config = self.folder / "segmentd.toml"
        config.write_text(CONFIG.format(url=self.url, spent=100) + more)
        self.app = open_app(load_config(config), clock=self.clock.now)

    def order(self, who: int, total: int, ago: timedelta) -> None:
        """One more order of a customer."""
        number, now = len(self.shop.orders), self.clock.now()
        self.shop.put_order(
            Order(f"9{number}", now - ago, now, "EUR", total, paid=True, customer_id=str(who))
        )

    def behind(self, behind: timedelta) -> App:
        """Beside others, and begun a little earlier."""
        began = self.clock.now() - behind
        return open_app(load_config(self.folder / "segmentd.toml"), clock=lambda: began)

    def wait(self, passed: timedelta) -> None:
        """Let time go on."""
        self.clock.advance(passed.total_seconds())

    def sync(self, app: App | None = None) -> None:
        """Pull, segment and push."""
        (app or self.app).sync().check()

    def pull(self) -> None:
        """Only read."""
        self.app.pull().check()

    def profile(self, who: int) -> int:
        """The profile of a customer."""
        (profile_id,) = self.app.store.find(f"shop:{who}")
        return profile_id

    def spoil(self, statement: str, **values: object) -> None:
        """Somebody changes the database by hand."""
        with self.app.store._database.write() as connection:
            changed = connection.execute(text(statement), values)
            assert changed.rowcount == 1, "exactly one row"


@pytest.fixture
def fresh(tmp_path: Path, store_url: str, token: None) -> Iterator[Story]:
    """Before the first pull."""
    made = Story(tmp_path, store_url)
    with registered("shop", made.shop), registered("lists", made.lists):
        yield made
    made.app.close()


@pytest.fixture
def story(fresh: Story) -> Story:
    """When the first push has come back as news."""
    fresh.sync()
    fresh.wait(timedelta(seconds=2))
    fresh.sync()
    return fresh


def faults(found: Verification) -> Verification:
    """Without what is no fault."""
    return dataclasses.replace(
        found, profiles=0, dirty=0, due=0, early=0, edited=(), ledger=[], unconfigured={}
    )


def nothing(story: Story) -> Verification:
    """What is found if there is no fault."""
    return Verification(story.clock.now())


def test_an_untouched_store_is_as_computed_anew_whatever_happens(story: Story) -> None:
    for step in range(7):
        story.wait(timedelta(hours=47 * step))
        story.order(1 + step % 5, 7000 * step, timedelta(hours=50 * (step % 3)))
        if step % 3 == 2:
            refunded = list(story.shop.orders)[step]
            story.shop.refund(refunded, story.shop.orders[refunded].total, story.clock.now())
        if step % 3:
            story.pull()
            story.app.segment()
        else:
            story.sync()
        found = story.app.verify()
        assert faults(found) == nothing(story), step
        assert (found.dirty, found.due, found.edited) == (0, 0, [])
        assert found.profiles == 24


def test_each_change_by_hand_is_found_and_repaired(story: Story) -> None:
    now, three = story.clock.now(), story.profile(3)
    top = story.app.store.thresholds()["TOP 10% amount_spent"]
    soon = "due_at = due_at + 86400" if story.url.startswith("sqlite") else (
        "due_at = due_at + interval '1 day'"
    )  # fmt: skip
    changes: list[tuple[str, dict[str, object], Verification]] = [
        (
            "DELETE FROM memberships WHERE profile_id = :p AND segment = 'hot'",
            {"p": story.profile(2)},
            Verification(now, differing=[Differing("missing", "hot", 1, [story.profile(2)])]),
        ),
        (
            "UPDATE memberships SET segment = 'spender' WHERE profile_id = :p AND segment = 'hot'",
            {"p": story.profile(2)},
            Verification(
                now,
                differing=[
                    Differing("extra", "spender", 1, [story.profile(2)]),
                    Differing("missing", "hot", 1, [story.profile(2)]),
                ],
            ),
        ),
        (
            f"UPDATE profiles SET {soon} WHERE profile_id = :p",
            {"p": three},
            Verification(now, differing=[Differing("late", "", 1, [three])]),
        ),
        (
            "UPDATE profiles SET due_at = NULL WHERE profile_id = :p",
            {"p": three},
            Verification(now, differing=[Differing("late", "", 1, [three])]),
        ),
        (
            "UPDATE thresholds SET threshold = '1.0' "
            "WHERE expression = 'TOP 10% amount_spent' AND current = 1",
            {},
            Verification(now, moved=[Moved("TOP 10% amount_spent", "1.0", top)]),
        ),
    ]
    for statement, values, expected in changes:
        story.spoil(statement, **values)
        found = story.app.verify()
        assert faults(found) == expected, statement
        assert not found.same
        story.app.segment(full=True)
        assert faults(story.app.verify()) == nothing(story), statement


@ON_SQLITE
def test_a_value_changed_by_hand(story: Story) -> None:
    eight = story.profile(8)
    story.spoil(
        "UPDATE relative_values SET value = 999999 WHERE earlier = :p AND subject_id = "
        "(SELECT subject_id FROM relative_subjects WHERE name = 'amount_spent')",
        p=float(-eight),
    )
    found = story.app.verify()
    # the thresholds are those of the facts: it is the value alone that is wrong
    assert faults(found) == dataclasses.replace(
        nothing(story), differing=[Differing("value", "amount_spent", 1, [eight])]
    )


@ON_SQLITE
def test_grace_that_is_none_and_none_that_is_grace(story: Story) -> None:
    story.wait(4 * DAY)
    story.sync()
    graced = "SELECT profile_id FROM memberships WHERE lapsing_at IS NOT NULL ORDER BY 1"
    with story.app.store._database.read() as connection:
        by_grace = [profile_id for (profile_id,) in connection.execute(text(graced))]
    assert by_grace
    story.spoil(
        "UPDATE memberships SET lapsing_at = NULL WHERE profile_id = :p AND segment = 'lately'",
        p=by_grace[0],
    )
    found = story.app.verify()
    assert Differing("grace", "lately", 1, [by_grace[0]]) in found.differing


@ON_SQLITE
def test_an_entry_of_nobody_and_one_that_waits_for_a_push(story: Story) -> None:
    assert [
        (held.destination, held.waiting, held.strays) for held in story.app.verify().ledger
    ] == [
        ("tags", 0, []),
        ("news", 0, []),
    ]
    story.spoil("UPDATE ledger SET target = '777' WHERE destination = 'tags' AND target = '15'")
    tags, _ = story.app.verify().ledger
    # 15 is to be tagged again, and what nobody has is to be forgotten
    assert (tags.waiting, tags.strays) == (2, [Entry("spender", "777")])
    assert not story.app.verify().same
    story.spoil("UPDATE ledger SET target = '15' WHERE target = '777'")
    story.spoil(
        "UPDATE ledger SET profile_id = 9999 WHERE destination = 'news' AND profile_id = :p",
        p=story.profile(15),
    )
    _, news = story.app.verify().ledger
    assert news.strays == [Entry("spender", "c15@shopper.example")]


@ON_SQLITE
def test_what_waits_for_a_pass_is_no_difference(story: Story) -> None:
    story.wait(timedelta(seconds=2))
    story.order(1, 99_000, timedelta(0))
    story.pull()
    found = story.app.verify()
    assert (found.dirty, found.due) == (1, 0)
    assert faults(found) == nothing(story)
    # the best of all pushes the average up, and others out of the segments
    story.wait(3 * DAY)
    found = story.app.verify()
    assert found.dirty == 1
    assert found.due > 1
    assert faults(found) == nothing(story)
    # somebody who does not wait differs all the same
    unmoved = story.profile(24)
    story.spoil("DELETE FROM memberships WHERE profile_id = :p AND segment = 'spender'", p=unmoved)
    assert story.app.verify().differing == [Differing("missing", "spender", 1, [unmoved])]


@ON_SQLITE
def test_an_edited_rule_waits_and_the_others_are_compared(story: Story) -> None:
    story.spoil(
        "DELETE FROM memberships WHERE profile_id = :p AND segment = 'lately'", p=story.profile(3)
    )
    story.app.close()
    story.app = story.open(spent=200)
    found = story.app.verify()
    assert found.edited == ["spender"]
    assert found.differing == [Differing("missing", "lately", 1, [story.profile(3)])]


@ON_SQLITE
def test_what_depends_on_the_set_of_an_edited_segment_waits_too(story: Story) -> None:
    story.reopen(SET.format(pins=""))
    story.sync()
    assert story.app.verify().same
    pin = 'pins = [{ customer = "shop:24", member = true, reason = "a friend" }]'
    story.reopen(SET.format(pins=pin))
    found = story.app.verify()
    assert (found.edited, found.differing) == (["kept"], [])
    story.sync()
    assert story.app.verify().same


@ON_SQLITE
def test_nothing_is_compared_before_the_first_import_is_whole(fresh: Story) -> None:
    found = fresh.app.verify()
    assert found.insufficient_data
    assert found.same
    fresh.pull()
    found = fresh.app.verify()
    assert (found.insufficient_data, found.same, found.dirty) == (False, True, 24)
    assert "spender" in found.edited


@ON_SQLITE
def test_a_clock_a_few_seconds_behind_the_last_pass_may_verify(story: Story) -> None:
    story.wait(timedelta(seconds=-2))
    assert story.app.verify().same


@ON_SQLITE
def test_memberships_of_a_later_time_are_not_verified(story: Story) -> None:
    story.wait(-DAY)
    with pytest.raises(ConfigError, match="2026-03-10 12:00:02Z"):
        story.app.verify()


@ON_SQLITE
def test_it_writes_nothing(story: Story) -> None:
    def content() -> list[object]:
        with story.app.store._database.read() as connection:
            tables = ("memberships", "profiles", "thresholds", "relative_values", "counters",
                      "dirty", "ledger", "leases", "segments", "membership_changes")  # fmt: skip
            return [
                sorted(map(repr, connection.execute(text(f"SELECT * FROM {table}"))))
                for table in tables
            ]

    story.wait(DAY)
    before = content()
    story.app.verify()
    assert content() == before


def test_passes_that_are_published_meanwhile_are_no_false_alarm(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verifying, "RANGE", 12)
    story.reopen(FEW)
    story.sync()
    story.wait(timedelta(hours=2))
    other = open_app(load_config(story.folder / "segmentd.toml"), clock=story.clock.now)
    calls = 0

    def happen(_label: str, _done: int, _total: int | None) -> None:
        nonlocal calls
        calls += 1
        if calls % 2:
            story.wait(timedelta(hours=20))
            for who in (1, calls, 24):
                story.order(who, 9_000 * calls, timedelta(days=2))
            story.sync(other)

    story.app.progress = happen
    # two ranges for the values, for the limit, for the decisions: in the middle and behind
    found = story.app.verify()
    assert found.same, found
    assert calls == 6
    other.close()


@ON_SQLITE
def test_values_of_a_pass_that_is_not_published_yet_are_no_false_alarm(story: Story) -> None:
    story.reopen(IDLE)
    story.wait(timedelta(hours=11, minutes=59, seconds=50))
    story.sync()
    # at midnight everybody has been idle for a day more
    story.wait(timedelta(seconds=15))
    early = story.behind(timedelta(seconds=10))
    found: list[Verification] = []
    story.app.progress = lambda _label, _done, _total: found.append(early.verify())
    story.app.segment()
    unsettled = ["days_since_last_order"]
    assert [(each.differing, each.moved, each.unsettled) for each in found] == [([], [], unsettled)]
    assert found[0].same
    story.app.progress = lambda _label, _done, _total: None
    assert faults(story.app.verify()) == nothing(story)
    early.close()


@ON_SQLITE
def test_a_value_that_is_fitted_anew_meanwhile_is_no_false_alarm(story: Story) -> None:
    story.reopen(LARGE)
    story.sync()
    other = open_app(load_config(story.folder / "segmentd.toml"), clock=story.clock.now)
    fitted: list[str] = []

    def refit(_label: str, _done: int, _total: int | None) -> None:
        if not fitted:
            story.wait(8 * DAY)
            for who in (1, 2):
                story.order(who, 90_000, DAY)
            story.sync(other)
        fitted.append(other.store.thresholds()["FITTED large_order"])

    before = story.app.store.thresholds()["FITTED large_order"]
    story.app.progress = refit
    found = story.app.verify()
    assert before not in fitted
    assert found.same, found
    other.close()


@ON_SQLITE
def test_ranges_are_computed_by_workers(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verifying, "RANGE", 10)
    # as if the shop were too large to be read by one process
    monkeypatch.setattr(segmenting, "CHUNK", 10)
    nine = story.profile(9)
    story.spoil("DELETE FROM memberships WHERE profile_id = :p AND segment = 'lately'", p=nine)
    found = story.app.verify()
    assert (found.profiles, faults(found).differing) == (
        24,
        [Differing("missing", "lately", 1, [nine])],
    )
    # the workers are gone
    assert story.app.store._workers is None
    assert not multiprocessing.active_children()
