"""What a pass asks of the store beside facts: who is meant by a pin, and what products cost."""

from __future__ import annotations

from segmentd.domain.records import Product
from segmentd.store import Store
from shop_in_store import HOUR, NOW, Shop, customer, order


def test_a_pin_means_customers_by_id_or_by_address(store: Store, shop: Shop) -> None:
    other = Shop(store, "other")
    shop.save(customer("1", "Ada@Shopper.example"), customer("2", "bo@shopper.example"))
    other.save(customer("1", "cy@shopper.example"), customer("3", "ada@shopper.example"))
    ada, bo, cy, ada2 = shop.profile("1"), shop.profile("2"), other.profile("1"), other.profile("3")
    asked = ["shop:1", "other:1", " ADA@shopper.example ", "bo@shopper.example", "shop:9", "x@y.z"]
    assert store.known(asked) == {
        "shop:1": [ada],
        "other:1": [cy],
        " ADA@shopper.example ": sorted([ada, ada2]),
        "bo@shopper.example": [bo],
    }
    assert store.known([]) == {}


def test_customers_without_an_address_are_told_apart(store: Store, shop: Shop) -> None:
    shop.save(customer("1", None), customer("2", None), customer("3", "cy@shopper.example"))
    asked = [f"shop:{number}" for number in (1, 2, 3)]
    assert store.known(asked) == {f"shop:{n}": [shop.profile(n)] for n in "123"}


def test_a_guest_is_found_by_address_and_by_the_account_that_adopts_it(
    store: Store, shop: Shop
) -> None:
    shop.save(order("o1", email="b@shopper.example"))
    guest = shop.profile("guest:b@shopper.example")
    names = ["guest:b@shopper.example", "shop:guest:b@shopper.example", "b@shopper.example"]
    assert store.known(names) == {names[1]: [guest], names[2]: [guest]}
    shop.save(customer("1", "b@shopper.example", at=NOW + HOUR))
    assert store.known(names[2:]) == {names[2]: [shop.profile("1")]}


def test_who_is_gone_is_not_known(store: Store, shop: Shop) -> None:
    shop.save(customer("1", "ada@shopper.example"))
    shop.remove("customers", "1")
    assert store.known(["shop:1", "ada@shopper.example"]) == {}


def test_prices_are_of_products_that_have_one(store: Store, shop: Shop) -> None:
    products = [Product("1", price=500), Product("2"), Product("3", price=500)]
    shop.save(*products, Product("4", price=900), stream="products")
    shop.remove("products", "4")
    assert store.prices() == [500, 500]
