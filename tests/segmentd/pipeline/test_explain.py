"""What an explanation names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from segmentd.bootstrap import open_app
from segmentd.config import load_config
from segmentd.domain.records import Customer, Order
from segmentd.sdk.testing.memory import MemoryShop, registered

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_orders_are_named_as_in_the_shop(tmp_path: Path, token: None) -> None:
    shop = MemoryShop()
    shop.put_customer(Customer("1", email="ada@shopper.example"))
    for number in (4711, 4712):
        placed = NOON - timedelta(days=5)
        shop.put_order(Order(str(number), placed, placed, "EUR", 9900, paid=True, customer_id="1"))
    config = tmp_path / "segmentd.toml"
    config.write_text(
        '[store]\nurl = "sqlite:///s.db"\n[sources.shop]\nconnector = "memory"\nshop = "shop"\n'
        'token_env = "SANDBOX_MEMORY_TOKEN"\n[segments.repeat]\n'
        'where = "number_of_orders >= 2 AND last_order_date >= -30d"\n'
    )
    app = open_app(load_config(config), clock=lambda: NOON)
    with registered("shop", shop):
        app.pull().check()
    app.segment()
    (profile,) = app.store.find("ADA@shopper.example")
    ((key, why),) = app.asking("explain").explain(profile, ["repeat"])
    assert (key, why.member, why.used_orders()) == ("repeat", True, {"4711", "4712"})
    assert "orders 4712, 4711" in why.to_text()
    # the day of the order, and thirty more: midnight in Berlin
    assert why.due == datetime(2026, 4, 4, 22, tzinfo=UTC)
    app.close()
