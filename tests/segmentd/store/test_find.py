"""Who is meant by what a person types."""

from __future__ import annotations

import pytest

from segmentd.store import Store
from shop_in_store import Shop, customer, order


@pytest.mark.parametrize(
    ("who", "customer_id"),
    [
        ("shop:1", "1"),
        ("A@shopper.example ", "1"),
        ("g@shopper.example", "guest:g@shopper.example"),
        ("shop:guest:g@shopper.example", "guest:g@shopper.example"),
    ],
)
def test_everybody_is_found_by_address_and_by_what_exports_call_them(
    store: Store, shop: Shop, who: str, customer_id: str
) -> None:
    shop.save(customer("1", "a@shopper.example"), order("10", None, "g@shopper.example"))
    assert store.find(who) == [shop.profile(customer_id)]


@pytest.mark.parametrize("who", ["other:1", "shop:2", "nobody@shopper.example", "1", ""])
def test_nobody_else_is_found(store: Store, shop: Shop, who: str) -> None:
    shop.save(customer("1", "a@shopper.example"))
    assert store.find(who) == []
