"""What commands are told."""

from __future__ import annotations

import subprocess
import sys

import pytest

from segmentd.domain.cursor import Cursor, Window
from segmentd.domain.records import Customer
from segmentd.store import Store
from shop_in_store import DAY, NOW, Shop, customer, order, rows


def test_status_of_an_empty_store(store: Store) -> None:
    status = store.status()
    assert status.streams == []
    assert status.segments == []
    assert set(status.counts.values()) == {0}
    assert status.next_due is None
    assert status.database.startswith(("SQLite 3.", "PostgreSQL "))


def test_status_counts_what_is_there(shop: Shop) -> None:
    shop.save(customer("1"), customer("2"), order("o1", "1", currency="USD"), order("o2", "1"))
    shop.remove("customers", "2")
    shop.remove("orders", "o2")
    counts = shop.store.status().counts
    assert counts == {
        "profiles": 1, "customers": 1, "orders": 1, "products": 0, "dirty": 2, "fx_missing": 1,
    }  # fmt: skip


def test_status_says_how_far_each_stream_is_read(shop: Shop) -> None:
    shop.store.save_cursor(shop.lease, "shop", "orders", Cursor(NOW))
    shop.store.save_cursor(shop.lease, "shop", "customers", Cursor(None, Window(None, NOW), "p2"))
    customers, orders = shop.store.status().streams
    assert (customers.watermark, customers.unfinished) == (None, True)
    assert (orders.watermark, orders.unfinished) == (NOW, False)


def test_people_are_found_by_email_or_id(shop: Shop, store: Store) -> None:
    other = Shop(store, "other")
    shop.save(customer("1", "Ann@Shopper.example"), customer("2", "bob@shopper.example"))
    other.save(customer("1", "ann@shopper.example"), order("o1", email="guest@shopper.example"))
    ann, bob = shop.profile("1"), shop.profile("2")
    assert store.find(" ann@shopper.EXAMPLE") == sorted([ann, other.profile("1")])
    assert store.find("shop:2") == [bob]
    assert store.find("other:1") == [other.profile("1")]
    guest = other.profile("guest:guest@shopper.example")
    assert store.find("guest@shopper.example") == [guest]
    assert store.find("shop:3") == store.find("nobody@shopper.example") == store.find("") == []


def test_an_old_address_still_finds_the_person(shop: Shop) -> None:
    shop.save(order("o1", email="old@shopper.example"))
    shop.save(customer("1", "old@shopper.example"))
    shop.save(customer("1", "new@shopper.example", at=NOW + DAY))
    assert shop.store.find("old@shopper.example") == [shop.profile("1")]


def test_people_come_in_the_order_asked(shop: Shop) -> None:
    shop.save(Customer("1", NOW, NOW - DAY, "a@shopper.example", country="DE"), customer("2"))
    ids = [shop.profile("2"), shop.profile("1"), 999]
    bob, ann = shop.store.people(ids)
    assert (bob.customer_id, bob.email) == ("2", None)
    assert (ann.customer_id, ann.email, ann.country) == ("1", "a@shopper.example", "DE")
    assert ann.created_at == NOW - DAY


def test_who_is_gone_is_not_among_the_profiles(shop: Shop) -> None:
    shop.save(customer("1"), customer("2"), order("o1", email="guest@shopper.example"))
    shop.remove("customers", "1")
    found = [person.customer_id for person in shop.store.profiles()]
    assert found == ["2", "guest:guest@shopper.example"]


def test_ping_raises_what_is_wrong(store: Store) -> None:
    store.ping()
    rows(store, "SELECT 1")


def test_the_store_is_imported_late() -> None:
    """``--help`` must not pay for sqlmodel, nor ``status`` for pandas (performance.md, 9)."""
    script = """
import sys
import segmentd.store
assert not {"sqlmodel", "sqlalchemy", "pandas"} & set(sys.modules)
segmentd.store.open_store
print(sorted({"pandas", "alembic", "pyarrow", "adbc_driver_manager"} & set(sys.modules)))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_nothing_else_has_that_name() -> None:
    import segmentd.store

    with pytest.raises(AttributeError, match="no attribute 'Shop'"):
        _ = segmentd.store.Shop
