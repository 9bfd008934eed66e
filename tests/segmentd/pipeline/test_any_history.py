"""Whatever happens in a shop, in whatever order: each sync leaves everything as it ought to be.

A state machine lives through random histories of a shop in memory: orders, guests who open an
account, refunds, cancellations, tags by hand, time that passes. After every sync a pass over
everybody must change nothing, the tags and the list must be what the memberships say, a merchant's
own tags must still be there, and one more sync must send nothing.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.domain.records import Customer, Order
from segmentd.sdk.testing.memory import MemoryLists, MemoryShop, registered
from segmentd.sdk.testing.memory.protocol import TOKEN, TOKEN_VARIABLE
from segmentd.sdk.testing.sandbox import SandboxClock
from segmentd.store import open_store

pytestmark = pytest.mark.unmeasured

START = datetime(2026, 3, 25, 12, tzinfo=UTC)
CONFIG = """
[store]
url = "sqlite:///segmentd.db"
[sources.shop]
connector = "memory"
shop = "shop"
page_size = 3
token_env = "{variable}"
[destinations.tags]
connector = "memory"
source = "shop"
[destinations.news]
connector = "memory"
shop = "lists"
kind = "lists"
token_env = "{variable}"
[guard]
floor = 1000000
[segments.spender]
where = "amount_spent >= 100"
push = ["tags", "news"]
[segments.repeat]
where = "number_of_orders >= 2 AND NOT customer_tags CONTAINS 'wholesale'"
push = ["tags"]
[segments.recent]
where = "last_order_date >= -3d"
push = ["tags", "news"]
[segments.rich]
where = "amount_spent > STORE AVERAGE"
push = ["tags"]
[segments.hot]
where = "orders_placed MATCHES (date >= -36h, count >= 1)"
push = ["tags"]
"""
TAGS = ("spender", "repeat", "recent", "rich", "hot")

customers = st.integers(1, 6).map(str)
totals = st.integers(0, 9).map(lambda n: n * 1700)
hours = st.integers(0, 150)


class Shop(RuleBasedStateMachine):
    """The shop, the e-mail platform, and segmentd between them."""

    @initialize()
    def open(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(_empty_database(), self.folder / "segmentd.db")
        self.clock = SandboxClock(START, frozen=True)
        self.shop, self.lists = MemoryShop(self.clock), MemoryLists(self.clock)
        self.numbers = 0
        self.merchants: dict[str, set[str]] = {}
        self.touched: set[tuple[str, str]] = set()
        os.environ[TOKEN_VARIABLE] = TOKEN
        config = self.folder / "segmentd.toml"
        config.write_text(CONFIG.format(variable=TOKEN_VARIABLE))
        self.app: App = open_app(load_config(config), clock=self.clock.now)
        for number in range(1, 7):
            self.shop.put_customer(Customer(str(number), email=_email(str(number))))

    def teardown(self) -> None:
        if hasattr(self, "app"):
            self.app.close()
            shutil.rmtree(self.folder)

    @rule(who=customers, total=totals, ago=hours)
    def order(self, who: str, total: int, ago: int) -> None:
        self._order(total, ago, customer_id=who, email=_email(who))

    @rule(who=st.integers(7, 9).map(str), total=totals, ago=hours)
    def order_as_guest(self, who: str, total: int, ago: int) -> None:
        self._order(total, ago, email=_email(who).upper())

    @rule(who=st.integers(7, 9).map(str))
    def open_account(self, who: str) -> None:
        self._tick()
        # put again, the account would lose its tags: that is a merchant's edit, not an opening
        if who not in self.shop.customers:
            self.shop.put_customer(Customer(who, email=_email(who)))

    @precondition(lambda self: self.numbers)
    @rule(data=st.data(), part=st.sampled_from([0.25, 1.0]))
    def refund(self, data: st.DataObject, part: float) -> None:
        self._tick()
        order = self.shop.orders[data.draw(st.sampled_from(sorted(self.shop.orders)))]
        left = order.total - sum(refund.amount for refund in order.refunds)
        self.shop.refund(order.id, int(left * part), self._now())

    @precondition(lambda self: self.numbers)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        self._tick()
        self.shop.cancel(data.draw(st.sampled_from(sorted(self.shop.orders))), self._now())

    @rule(who=customers, tag=st.sampled_from([*TAGS, "wholesale", "Expo 2025"]))
    def tag_by_hand(self, who: str, tag: str) -> None:
        self._tick()
        tags = self.shop.customers[who].tags
        if tag not in tags:
            self.merchants.setdefault(who, set()).add(tag)
            self.shop.set_tags(who, [*tags, tag])
            self.touched.add((who, tag))

    @rule(who=customers, tag=st.sampled_from([*TAGS, "wholesale"]))
    def untag_by_hand(self, who: str, tag: str) -> None:
        self._tick()
        self.merchants.setdefault(who, set()).discard(tag)
        self.shop.set_tags(who, [t for t in self.shop.customers[who].tags if t != tag])
        self.touched.add((who, tag))

    @rule(passed=st.sampled_from([600, 3600, 86_400, 3 * 86_400]))
    def wait(self, passed: int) -> None:
        self.clock.advance(passed)

    @rule()
    def sync(self) -> None:
        self._tick()
        self._sync()
        self._everybody_is_where_they_belong()
        self._tick()
        self._sync()
        quiet = self._writes()
        self._tick()
        self._sync()
        assert self._writes() == quiet, "a sync without news sent something"

    def _everybody_is_where_they_belong(self) -> None:
        again = self.app.segment(full=True)
        assert (again.entered, again.left) == (0, 0), "a pass over everybody finds differences"
        wanted: dict[str, set[str]] = {}
        emails: dict[str, set[str]] = {"spender": set(), "recent": set()}
        for membership in self.app.store.memberships():
            wanted.setdefault(membership.customer_id, set()).add(membership.segment)
            if membership.segment in emails:
                emails[membership.segment].add(str(membership.email).lower())
        for who, tags in self.shop.tags().items():
            assert self.merchants.get(who, set()) <= tags, "a merchant's tag is gone"
            for tag in TAGS:
                if (who, tag) not in self.touched:
                    assert (tag in tags) == (tag in wanted.get(who, set())), (who, tag)
        members = self.lists.members()
        for name, expected in emails.items():
            assert {email.lower() for email in members.get(name, set())} == expected, name

    def _sync(self) -> None:
        with registered("shop", self.shop), registered("lists", self.lists):
            self.app.sync().check()

    def _writes(self) -> int:
        return self.shop.writes() + self.lists.writes()

    def _order(self, total: int, ago: int, *, email: str, customer_id: str | None = None) -> None:
        self._tick()
        self.numbers += 1
        placed = self._now() - timedelta(hours=ago)
        self.shop.put_order(
            Order(
                str(1000 + self.numbers),
                placed,
                self._now(),
                "EUR",
                total,
                paid=True,
                customer_id=customer_id,
                email=email,
            )
        )

    def _tick(self) -> None:
        # change times are whole seconds: what happens in one second cannot be told apart
        self.clock.advance(2)

    def _now(self) -> datetime:
        return self.clock.now().replace(microsecond=0)


def _email(who: str) -> str:
    return f"c{who}@shopper.example"


_EMPTY: list[Path] = []


def _empty_database() -> Path:
    """A migrated database without rows; made once, since it takes longer than all else here."""
    if not _EMPTY:
        path = Path(tempfile.mkdtemp()) / "empty.db"
        open_store(f"sqlite:///{path}").close()
        _EMPTY.append(path)
    return _EMPTY[0]


Shop.TestCase.settings = settings(
    max_examples=12,
    stateful_step_count=14,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestAnyHistory = Shop.TestCase
