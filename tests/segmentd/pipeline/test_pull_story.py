"""What a pull believes, and how it goes on after an interruption."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.domain.errors import AuthError, TransientError
from segmentd.domain.records import Customer, Order
from segmentd.domain.segments import Segment
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.memory import MemoryShop, registered
from segmentd.sdk.testing.sandbox import SandboxClock

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
CONFIG = """
[store]
url = "sqlite:///s.db"
[sources.shop]
connector = "memory"
shop = "shop"
token_env = "SANDBOX_MEMORY_TOKEN"
page_size = 10
[sources.other]
connector = "memory"
shop = "other"
token_env = "SANDBOX_MEMORY_TOKEN"
"""


class Story:
    """Two shops, one of them with fifty customers."""

    def __init__(self, folder: Path) -> None:
        self.clock = SandboxClock(NOON, frozen=True)
        self.shop, self.other = MemoryShop(self.clock), MemoryShop(self.clock)
        for number in range(1, 51):
            self.shop.put_customer(Customer(str(number), email=f"c{number}@shopper.example"))
        self.clock.advance(3600)
        config = folder / "segmentd.toml"
        config.write_text(CONFIG)
        self.app: App = open_app(
            load_config(config), clock=self.clock.now, sleep=self.clock.advance
        )

    def customers(self) -> int:
        return self.app.store.status().counts["customers"]

    def watermark(self, stream: str = "customers") -> datetime | None:
        return self.app.store.cursor("shop", stream).watermark


@pytest.fixture
def story(tmp_path: Path, token: None) -> Iterator[Story]:
    made = Story(tmp_path)
    with registered("shop", made.shop), registered("other", made.other):
        yield made
    made.app.close()


def requests(shop: MemoryShop, path: str) -> int:
    return sum(entry.request.path == path for entry in shop.log)


def test_a_first_backfill_lets_the_pulls_begin_where_it_ended(story: Story) -> None:
    story.app.backfill().check()
    assert story.watermark() == story.clock.now().replace(microsecond=0)
    story.clock.advance(3600)
    story.shop.put_customer(Customer("51", email="c51@shopper.example"))
    done = story.app.pull()
    assert [stream.read for stream in done.done[0].streams] == [0, 1, 0]
    assert story.customers() == 51


def test_a_backfill_of_a_stretch_leaves_the_cursor_alone(story: Story) -> None:
    story.app.backfill(since=NOON - timedelta(days=1)).check()
    assert story.watermark() is None
    assert not story.app.complete()


def test_i6_a_shop_whose_clock_was_days_ahead_once_hides_no_later_order(story: Story) -> None:
    ours = SandboxClock(story.clock.now(), frozen=True)
    story.app.machine = ours.now
    story.app.pull(["shop"]).check()
    story.clock.advance(3 * 86_400)
    story.app.pull(["shop"]).check()
    story.clock.advance(3600 - 3 * 86_400)
    story.shop.put_customer(Customer("51", email="c51@shopper.example"))
    story.clock.advance(3600)
    ours.advance(7200)
    story.app.pull(["shop"]).check()
    assert story.customers() == 51
    assert story.watermark() == ours.now().replace(microsecond=0)


def test_an_interrupted_backfill_goes_on_where_it_stopped(story: Story) -> None:
    story.shop.faults = [faults.none()] * 6 + [faults.status(500)] * 60
    with pytest.raises(TransientError):
        story.app.backfill(["shop"]).check()
    stored, asked = story.customers(), requests(story.shop, "/customers")
    assert 0 < stored < 50
    story.shop.faults = []
    story.shop.log.clear()
    story.app.backfill(["shop"]).check()
    assert story.customers() == 50
    assert requests(story.shop, "/customers") < 7 <= asked + 7
    assert story.watermark() is not None


def test_streams_that_an_interrupted_backfill_has_read_are_not_read_again(story: Story) -> None:
    story.shop.faults = [faults.none()] * 8 + [faults.status(500)] * 60
    with pytest.raises(TransientError):
        story.app.backfill(["shop"]).check()
    story.shop.faults = []
    story.shop.log.clear()
    (shop,) = story.app.backfill(["shop"]).done
    assert "products" not in [stream.stream for stream in shop.streams]
    assert requests(story.shop, "/products") == 0
    story.clock.advance(60)
    (shop,) = story.app.backfill(["shop"]).done
    assert [stream.stream for stream in shop.streams] == ["products", "customers", "orders"]


def test_an_old_backfill_is_begun_anew(story: Story) -> None:
    story.shop.faults = [faults.none()] * 8 + [faults.status(500)] * 60
    with pytest.raises(TransientError):
        story.app.backfill(["shop"]).check()
    story.shop.faults = []
    story.clock.advance(8 * 86_400)
    (shop,) = story.app.backfill(["shop"]).done
    assert [stream.stream for stream in shop.streams] == ["products", "customers", "orders"]


def test_a_shop_that_suddenly_lists_far_less_is_not_believed(story: Story) -> None:
    story.app.backfill().check()
    for number in range(1, 41):
        story.shop.delete_customer(str(number))
    (shop, _) = story.app.backfill().done
    assert (shop.streams[1].held, shop.streams[1].removed, story.customers()) == (40, 0, 50)
    story.app.backfill(accept_removals=True).check()
    assert story.customers() == 10


def test_a_few_missing_are_removed_once_the_shop_confirms_each(story: Story) -> None:
    story.app.backfill().check()
    story.shop.delete_customer("7")
    (shop, _) = story.app.backfill().done
    assert (shop.streams[1].removed, story.customers()) == (1, 49)
    assert requests(story.shop, "/customers/7") == 1
    assert story.app.store.find("c7@shopper.example") == []


def test_one_source_that_refuses_us_does_not_stop_the_other(story: Story) -> None:
    story.other.faults = [faults.status(401)]
    done = story.app.pull()
    assert story.customers() == 50
    assert isinstance(done.failed["other"], AuthError)
    with pytest.raises(AuthError):
        done.check()


def test_a_refund_of_a_long_past_order_arrives(story: Story) -> None:
    placed = NOON - timedelta(days=700)
    story.shop.put_order(Order("900", placed, placed, "EUR", 9900, paid=True, customer_id="1"))
    story.app.backfill().check()
    story.clock.advance(86400)
    story.shop.refund("900", 9900, story.clock.now())
    done = story.app.pull(["shop"]).done[0]
    assert (done.streams[2].read, done.streams[2].written) == (1, 1)


def test_what_is_read_twice_is_written_once(story: Story) -> None:
    story.app.backfill().check()
    again = story.app.backfill(["shop"]).done[0]
    assert (again.read, again.written) == (50, 0)


def test_the_configured_currency_decides_which_amounts_count(story: Story) -> None:
    placed = NOON - timedelta(days=3)
    for number, currency in (("900", "EUR"), ("901", "USD")):
        story.shop.put_order(Order(number, placed, NOON, currency, 500, paid=True, customer_id="1"))
    story.app.backfill().check()
    assert story.app.store.status().counts["fx_missing"] == 1
    shop = replace(story.app.config.shop, currency="USD")
    story.app.config = replace(story.app.config, shop=shop)
    story.shop.refund("901", 1, NOON)
    story.app.pull().check()
    usd = Segment("usd", "usd", "amount_spent >= 4 AND amount_spent <= 5")
    worths, _ = story.app.asking("preview", [usd]).worths(["usd"])
    assert (worths["usd"].size, worths["usd"].revenue) == (1, 499)
