"""Questions about a store: everybody is read, nothing is kept."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from segmentd.bootstrap import App, compiled, open_app
from segmentd.config import load_config
from segmentd.domain.records import Customer, Order, Refund
from segmentd.pipeline import ask as asking
from segmentd.pipeline import segment as segmenting
from segmentd.pipeline.ask import Asking
from segmentd.sdk.testing.memory import MemoryShop, registered
from segmentd.segmenter.preview import EVERYBODY

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
CONFIG = """
[store]
url = "sqlite:///s.db"
[shop]
time_zone = "UTC"
currency = "EUR"
[sources.shop]
connector = "memory"
shop = "shop"
token_env = "SANDBOX_MEMORY_TOKEN"
[segments.repeat]
where = "number_of_orders >= 2"
[segments.top]
where = "amount_spent IN TOP 10%"
[segments.silent]
where = "last_order_date < -$at_risk_days"
[segments.both]
where = "segment('repeat') AND segment('top')"
"""


def fill(shop: MemoryShop) -> None:
    """Customer n of thirty has n % 3 orders of n EUR; the last one got 20 EUR back."""
    for number in range(1, 31):
        shop.put_customer(Customer(str(number), email=f"c{number}@shopper.example"))
        for nth in range(number % 3):
            placed = NOON - timedelta(days=5 + nth)
            order = Order(
                f"{number}0{nth}", placed, placed, "EUR", number * 100, paid=True,
                customer_id=str(number),
            )  # fmt: skip
            if number == 29:
                order.refunds = [Refund("r", placed, 1000)]
            shop.put_order(order)


@pytest.fixture
def app(tmp_path: Path, token: None) -> Iterator[App]:
    config = tmp_path / "segmentd.toml"
    config.write_text(CONFIG)
    shop = MemoryShop()
    fill(shop)
    opened = open_app(load_config(config), clock=lambda: NOON)
    with registered("shop", shop):
        opened.pull().check()
    yield opened
    opened.close()


def ask(app: App) -> Asking:
    return Asking(app.store, compiled(app.config, app.shop()), NOON)


def test_spend_is_net_of_refunds_whatever_the_rule_asks_for(app: App) -> None:
    found, _ = ask(app).of("repeat").preview("repeat")
    spent = sum(n * (n % 3) * 100 for n in range(1, 31) if n % 3 == 2) - 2000
    assert (found.worth.size, found.worth.revenue) == (10, spent)
    sizes, _ = ask(app).worths(["repeat"])
    assert sizes["repeat"] == found.worth
    assert sizes[EVERYBODY] == found.everybody


def test_workers_say_the_same(app: App, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    question = Asking(
        app.store,
        compiled(app.config, app.shop()),
        NOON,
        lambda done, total: seen.append((done, total)),
    ).of("both")
    here = question.preview("both")
    assert seen == [(1, 1), (1, 1)]
    monkeypatch.setattr(segmenting, "CHUNK", 0)
    monkeypatch.setattr(asking, "RANGE", 7)
    assert question.preview("both") == here
    assert seen[-1] == (5, 5)
    assert here[0].size == 2


def test_others_are_compared_as_they_are_stored(app: App) -> None:
    app.segment()
    found, _ = ask(app).of("repeat").preview("repeat", ["repeat", "top", "silent"])
    assert {key: (size, both.common) for key, (size, both) in found.overlaps.items()} == {
        "top": (2, 2),
        "silent": (0, 0),
    }


def test_what_could_not_be_fitted_yet(app: App) -> None:
    (profile,) = app.store.find("shop:1")
    ((_, why),) = ask(app).explain(profile, ["silent"])
    assert (why.holds, why.member) == (False, False)
    assert why.notes == ("$at_risk_days is not fitted yet",)
    assert why.text == "last_order_date < -$at_risk_days"
    app.segment()
    ((_, why),) = ask(app).explain(profile, ["silent"])
    assert why.text == "last_order_date < -90d"


def test_an_empty_store(tmp_path: Path) -> None:
    config = tmp_path / "segmentd.toml"
    config.write_text(CONFIG)
    app = open_app(load_config(config), clock=lambda: NOON)
    found, thresholds = ask(app).preview("top")
    assert (found.size, found.share, found.sample) == (0, 0.0, ())
    assert "TOP 10% amount_spent" not in thresholds
    app.close()
