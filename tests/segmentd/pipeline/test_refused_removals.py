"""A tag that could not be taken off once is still ours."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from daemons import put
from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.sdk.contract import Change, Outcome, Receipt
from segmentd.sdk.testing.memory import MemoryDestination, MemoryShop, registered

CONFIG = """
[store]
url = "sqlite:///segmentd.db"
[sources.shop]
connector = "memory"
shop = "first"
[destinations.tags]
connector = "memory"
source = "shop"
[segments.buyers]
where = "number_of_orders >= 1"
push = ["tags"]
"""


@pytest.fixture
def shop() -> MemoryShop:
    made = MemoryShop()
    put(made, 1, 10_000)
    return made


@pytest.fixture
def app(shop: MemoryShop, tmp_path: Path) -> Iterator[App]:
    path = tmp_path / "segmentd.toml"
    path.write_text(CONFIG)
    with ExitStack() as stack:
        stack.enter_context(registered("first", shop))
        app = open_app(load_config(path), sleep=lambda _: None)
        stack.callback(app.close)
        app.sync().check()
        yield app


def refuse(
    _destination: MemoryDestination, changes: Iterable[Change], _names: Mapping[str, str]
) -> Iterator[Receipt]:
    for change in changes:
        yield Receipt(change, Outcome.REJECTED, "the customer cannot be saved")


def leave(app: App, shop: MemoryShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The customer leaves, and the shop refuses to take the tag off."""
    shop.cancel("1001", shop.clock.now())
    with monkeypatch.context() as patched:
        patched.setattr(MemoryDestination, "apply", refuse)
        (summary,) = app.sync().pushed.done
    assert summary.rejected == 1


def test_i3_it_goes_once_the_shop_lets_it(
    app: App, shop: MemoryShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(app, shop, monkeypatch)
    assert shop.tags()["1"] == {"buyers"}
    assert app.store.status().rejected == 1
    app.sync().check()
    assert shop.tags()["1"] == set()
    assert app.store.status().rejected == 0


def test_i4_it_is_not_taken_for_the_merchants_own(
    app: App, shop: MemoryShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(app, shop, monkeypatch)
    again = copy.deepcopy(shop.orders["1001"])
    again.id, again.cancelled_at = "1002", None
    shop.put_order(again)
    app.sync().check()
    (name,) = app.store.status().names
    assert name.states == {"delivered": 1}
