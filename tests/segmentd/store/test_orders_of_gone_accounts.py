"""What was bought under the address of an account does not end with the account."""

from __future__ import annotations

from segmentd.domain.records import OrderLine, Refund
from segmentd.store import Store
from shop_in_store import NOW, Shop, customer, order, rows

ADDRESS = "Ada@shopper.example"
GUEST = "guest:ada@shopper.example"


def test_a_guests_order_read_before_the_account_was_known_to_be_gone_stays_a_guests(
    store: Store, shop: Shop
) -> None:
    shop.save(customer("1", ADDRESS), order("10", "1", ADDRESS))
    # the shop has deleted the account already, and made its order a guest's
    shop.save(order("10", None, ADDRESS, country="DE"))
    assert shop.orders(shop.profile("1")) == {"10"}
    shop.clean()

    assert shop.remove("customers", "1") == 1

    assert shop.orders(shop.profile("1")) == set()
    assert shop.orders(shop.profile(GUEST)) == {"10"}
    assert shop.profile(GUEST) in shop.dirty()
    found = rows(store, "SELECT email, country FROM profiles WHERE customer_id = :c", c=GUEST)
    assert found == [(ADDRESS, "DE")]


def test_lines_and_refunds_go_with_their_order(store: Store, shop: Shop) -> None:
    lines = [OrderLine("1", "7", 2, 500)]
    refunds = [Refund("1", NOW, 100)]
    shop.save(customer("1", ADDRESS))
    shop.save(order("10", None, ADDRESS, lines=lines, refunds=refunds))
    shop.remove("customers", "1")
    guest = shop.profile(GUEST)
    assert rows(store, "SELECT profile_id, quantity FROM order_lines") == [(guest, 2)]
    assert rows(store, "SELECT profile_id, amount FROM refunds") == [(guest, 100)]


def test_another_account_with_the_address_takes_them(shop: Shop) -> None:
    shop.save(customer("1", ADDRESS), order("10", None, ADDRESS))
    shop.save(customer("2", ADDRESS.lower()))
    shop.clean()
    owner, other = ("1", "2") if shop.orders(shop.profile("1")) else ("2", "1")
    shop.remove("customers", owner)
    assert shop.orders(shop.profile(other)) == {"10"}
    assert shop.profile(other) in shop.dirty()


def test_orders_of_the_account_itself_stay_with_it(shop: Shop) -> None:
    shop.save(customer("1", ADDRESS), order("10", "1", ADDRESS), order("11", None, ADDRESS))
    shop.remove("customers", "1")
    assert shop.orders(shop.profile("1")) == {"10"}
    assert shop.orders(shop.profile(GUEST)) == {"11"}
