"""Late, backdated and mended data: the store ends where a fresh one begins, and keeps what it said.

What cannot be the same as in a fresh store is what depends on what was stored before: grace, rules
to stay, ENTERED and LEFT, and since when somebody is a member.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.domain.records import Customer, Order
from segmentd.pipeline.history import Calendar
from segmentd.pipeline.reconstruct import reconstruct
from segmentd.sdk.testing.memory import MemoryShop, registered
from segmentd.sdk.testing.sandbox import SandboxClock

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
CONFIG = """
[store]
url = "{url}"
[shop]
time_zone = "UTC"
[sources.shop]
connector = "memory"
shop = "shop"
token_env = "SANDBOX_MEMORY_TOKEN"
[segments.spender]
where = "amount_spent >= 100"
[segments.top]
where = "amount_spent IN TOP 10%"
[segments.rich]
where = "amount_spent > STORE AVERAGE"
[segments.best]
where = "number_of_orders >= 1"
limit = {{ count = 5, by = "amount_spent" }}
[segments.recent]
where = "last_order_date >= -30d"
[segments.returned]
where = "orders_placed (date < -60d) THEN orders_placed (date >= -30d) WITHIN 365d"
[segments.graced]
where = "last_order_date >= -30d"
grace = "20d"
[segments.left]
where = "LEFT segment('recent') >= -90d"
"""
WITH_MEMORY = {"graced", "left"}


class World:
    """A shop of 25 customers and guests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = SandboxClock(BEGIN, frozen=True)
        self.shop = MemoryShop(self.clock)
        for number in range(1, 26):
            created = BEGIN - 900 * DAY
            self.shop.put_customer(
                Customer(str(number), created_at=created, email=f"c{number}@shopper.example")
            )

    def order(self, total: int, ago: timedelta, who: str | None, email: str | None = None) -> None:
        """The shop shows it from now on; it was placed long before, maybe."""
        now, number = self.clock.now(), str(1000 + len(self.shop.orders))
        placed = now - ago
        self.shop.put_order(
            Order(number, placed, now, "EUR", total, paid=True, customer_id=who, email=email)
        )

    @contextmanager
    def app(self, url: str) -> Iterator[App]:
        """segmentd beside it."""
        config = self.folder / "segmentd.toml"
        config.write_text(CONFIG.format(url=url))
        with registered("shop", self.shop):
            app = open_app(load_config(config), clock=self.clock.now)
            yield app
            app.close()


def members(app: App) -> set[tuple[str, str]]:
    """Who is where, but for segments with a memory."""
    return {
        (each.segment, str(each.email))
        for each in app.store.memberships()
        if each.segment not in WITH_MEMORY
    }


@pytest.fixture
def world(tmp_path: Path, token: None) -> World:
    return World(tmp_path)


def test_late_and_mended_data_end_where_a_fresh_store_begins(world: World) -> None:
    chance = random.Random(4)
    with world.app(f"sqlite:///{world.folder}/s.db") as app:
        for step in range(8):
            world.clock.advance(9 * 86_400)
            for _ in range(6):
                late = timedelta(days=chance.choice([0, 1, 40, 700]), hours=chance.randrange(24))
                world.order(chance.randrange(200) * 100, late, str(chance.randrange(1, 26)))
            world.order(chance.randrange(200) * 100, 50 * DAY, None, f"g{step % 3}@shopper.example")
            oldest = min(world.shop.orders.values(), key=lambda order: order.placed_at)
            if step == 4:
                world.shop.refund(oldest.id, oldest.total, world.clock.now())
                world.shop.put_customer(Customer("90", email="G0@shopper.example"))
            if step == 6:
                world.shop.cancel(sorted(world.shop.orders)[3], world.clock.now())
            app.sync().check()
        assert app.verify().same
        incremental = members(app)
    with world.app(f"sqlite:///{world.folder}/fresh.db") as fresh:
        fresh.sync().check()
        assert members(fresh) == incremental
    assert {segment for segment, _ in incremental} == {
        "spender", "top", "rich", "best", "recent", "returned",
    }  # fmt: skip


def test_what_was_said_then_stays_and_what_is_known_now_is_told_beside(world: World) -> None:
    with world.app(f"sqlite:///{world.folder}/s.db") as app:
        world.order(50_000, DAY, "1")
        app.sync().check()
        then = world.clock.now()
        world.clock.advance(40 * 86_400)
        # nobody had told that she had ordered, too
        world.order(50_000, 45 * DAY, "2")
        app.sync().check()
        now = world.clock.now()
        (two,) = app.store.find("shop:2")

        def inside(as_of: datetime | None) -> dict[str, datetime]:
            found = app.store.memberships(as_of)
            return {m.segment: m.since for m in found if m.profile_id == two}

        assert inside(then) == {}
        # since we know it, not since she ordered
        assert inside(None) == {"spender": now, "best": now}
        asking = app.asking("")
        past = reconstruct(asking, "spender", Calendar("UTC", months=True), then - 20 * DAY)
        assert [(period.begin.month, period.size) for period in past.periods] == [
            (2, 2),
            (3, 2),
            (4, 2),
        ]
        # what a fresh store cannot know: that both were members by grace, or left
        assert {m.segment for m in app.store.memberships() if m.profile_id != two} >= {
            "graced",
            "left",
        }
    with world.app(f"sqlite:///{world.folder}/fresh.db") as fresh:
        fresh.sync().check()
        assert not WITH_MEMORY & {m.segment for m in fresh.store.memberships()}
        (again,) = fresh.store.find("shop:2")
        found = {m.segment for m in fresh.store.memberships() if m.profile_id == again}
        assert found == {"spender", "best"}
