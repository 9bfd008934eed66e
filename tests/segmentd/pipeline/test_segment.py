"""When a pass must look at everybody again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.domain.records import Customer, Order
from segmentd.sdk.testing.memory import MemoryShop, registered

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
CONFIG = """
[store]
url = "sqlite:///s.db"
[shop]
time_zone = "{zone}"
[sources.shop]
connector = "memory"
shop = "shop"
token_env = "SANDBOX_MEMORY_TOKEN"
[segments.recent]
where = "last_order_date >= -3d"
[segments.{key}]
where = "{rule}"
"""


@contextmanager
def app(folder: Path, **parts: str) -> Iterator[App]:
    values = {"zone": "UTC", "key": "ever", "rule": "number_of_orders >= 1", **parts}
    config = folder / "segmentd.toml"
    config.write_text(CONFIG.format(**values))
    opened = open_app(load_config(config), clock=lambda: NOON)
    try:
        yield opened
    finally:
        opened.close()


def shop_with_an_order(placed: datetime) -> MemoryShop:
    shop = MemoryShop()
    shop.put_customer(Customer("1", email="ada@shopper.example", created_at=placed))
    shop.put_order(Order("10", placed, placed, "EUR", 5000, paid=True, customer_id="1"))
    return shop


def members(opened: App) -> set[str]:
    return {membership.segment for membership in opened.store.memberships()}


def pull(opened: App, shop: MemoryShop) -> None:
    with registered("shop", shop):
        opened.pull().check()


def test_an_earlier_now_gives_the_answer_of_that_day(tmp_path: Path, token: None) -> None:
    with app(tmp_path) as opened:
        pull(opened, shop_with_an_order(NOON - timedelta(days=9)))
        opened.clock = lambda: NOON
        opened.segment()
        assert members(opened) == {"ever"}
        opened.clock = lambda: NOON - timedelta(days=8)
        opened.segment()
        assert members(opened) == {"ever", "recent"}
        opened.clock = lambda: NOON - timedelta(days=10)
        opened.segment()
        assert members(opened) == set()


def test_another_time_zone_is_another_rule(tmp_path: Path, token: None) -> None:
    # 23:30 UTC on the 6th is the 7th in Auckland: three days before the 10th, in Auckland the 11th
    shop = shop_with_an_order(datetime(2026, 3, 6, 23, 30, tzinfo=UTC))
    with app(tmp_path) as opened:
        pull(opened, shop)
        opened.segment()
        assert members(opened) == {"ever"}
    with app(tmp_path, zone="Pacific/Honolulu") as opened:
        assert not opened.segment().entered
    with app(tmp_path, zone="Asia/Tokyo") as opened:
        summary = opened.segment()
        assert summary.edited == ["ever", "recent"]
        assert members(opened) == {"ever", "recent"}


def test_an_edited_rule_evaluates_everybody_and_says_why(tmp_path: Path, token: None) -> None:
    with app(tmp_path) as opened:
        pull(opened, shop_with_an_order(NOON - timedelta(days=9)))
        opened.segment()
    with app(tmp_path, rule="number_of_orders >= 2") as opened:
        summary = opened.segment()
        assert (summary.edited, summary.left, members(opened)) == (["ever"], 1, set())
        last = list(opened.store.changes())[-1]
        assert (last.segment, last.change, last.cause) == ("ever", "left", "rule")


def test_a_segment_that_is_configured_no_more_ends(tmp_path: Path, token: None) -> None:
    with app(tmp_path) as opened:
        pull(opened, shop_with_an_order(NOON - timedelta(days=9)))
        opened.segment()
    with app(tmp_path, key="other") as opened:
        opened.segment()
        assert members(opened) == {"other"}


def test_nothing_is_decided_before_the_first_import_is_whole(tmp_path: Path, token: None) -> None:
    with app(tmp_path) as opened:
        assert opened.segment().insufficient_data
        assert members(opened) == set()
        assert opened.store.status().segments == []
