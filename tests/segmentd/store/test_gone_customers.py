"""What a deleted account leaves behind, and what it finds when it comes back."""

from __future__ import annotations

import pandas as pd

from segmentd.segmenter.ranks import HIGHEST, LOWEST
from segmentd.store import Store
from shop_in_store import Shop, customer, lease_of, order, rows

SPENT = "amount_spent"


def values_of(*profiles: int) -> pd.DataFrame:
    """Everybody spent 100 with one order."""
    index = pd.Index(profiles, name="profile_id")
    return pd.DataFrame({SPENT: 100.0, "orders": 1.0, "last_order_at": 1.0}, index=index)


def test_i2_a_gone_customer_does_not_count_for_percentiles(store: Store, shop: Shop) -> None:
    shop.save(customer("1"), customer("2"), order("10", "1"), order("11", "2"))
    lease = lease_of(store)
    store.save_values(lease, values_of(shop.profile("1"), shop.profile("2")))
    assert store.population(SPENT).count() == 2
    shop.remove("customers", "2")
    assert store.population(SPENT).between(LOWEST, HIGHEST) == [shop.profile("1")]


def test_i2_nor_does_one_who_was_evaluated_before_they_were_gone(store: Store, shop: Shop) -> None:
    shop.save(customer("1"), customer("2"), order("10", "1"), order("11", "2"))
    values = values_of(shop.profile("1"), shop.profile("2"))
    shop.remove("customers", "2")
    store.save_values(lease_of(store), values)
    assert store.population(SPENT).between(LOWEST, HIGHEST) == [shop.profile("1")]


def test_an_account_that_comes_back_adopts_who_ordered_meanwhile(store: Store, shop: Shop) -> None:
    shop.save(customer("1", "a@shopper.example"), order("10", "1"))
    shop.remove("customers", "1")
    shop.save(order("11", None, "a@shopper.example"))
    shop.save(customer("1", "a@shopper.example"))
    assert shop.profiles() == 1
    assert shop.orders(shop.profile("1")) == {"10", "11"}
    assert rows(store, "SELECT count(*) FROM profiles WHERE email_key = 'a@shopper.example'") == [
        (1,)
    ]
