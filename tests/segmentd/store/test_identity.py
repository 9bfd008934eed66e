"""Who is who inside of a source."""

from __future__ import annotations

import pytest

from segmentd.domain.records import Customer, Record
from shop_in_store import DAY, HOUR, NOW, Shop, customer, order, rows

A = "a@shopper.example"
B = "b@shopper.example"


def test_a_guest_order_then_an_account_with_the_same_email_is_one_customer(shop: Shop) -> None:
    shop.save(order("o1", email=A))
    shop.clean()
    shop.save(customer("1", A.upper()))
    shop.save(order("o2", "1"))
    assert shop.orders(shop.profile("1")) == {"o1", "o2"}
    assert shop.profiles() == 1
    assert shop.dirty() == {shop.profile("1")}


def test_a_guest_order_after_the_account_goes_to_it(shop: Shop) -> None:
    shop.save(customer("1", A))
    shop.save(order("o1", email=f"  {A.title()} "))
    assert shop.orders(shop.profile("1")) == {"o1"}
    assert shop.profiles() == 1


def test_account_and_guest_order_in_one_batch(shop: Shop) -> None:
    shop.save(order("o1", email=A), customer("1", A))
    assert shop.orders(shop.profile("1")) == {"o1"}
    assert shop.profiles() == 1


def test_two_orders_of_one_guest_in_one_batch_are_one_person(shop: Shop) -> None:
    shop.save(order("o1", email=A), order("o2", email=A.upper()), order("o3", email=B))
    assert shop.orders(shop.profile(f"guest:{A}")) == {"o1", "o2"}
    assert shop.profiles() == 2


def test_a_guest_comes_back(shop: Shop) -> None:
    shop.save(order("o1", email=A))
    shop.save(order("o2", email=A))
    assert shop.orders(shop.profile(f"guest:{A}")) == {"o1", "o2"}


def test_an_order_of_a_customer_not_read_yet(shop: Shop) -> None:
    shop.save(order("o1", "1", A))
    profile = shop.profile("1")
    assert shop.store.frames([profile]).profiles["email"].tolist() == [None]
    shop.save(customer("1", A))
    assert shop.profile("1") == profile
    assert shop.store.frames([profile]).profiles["email"].tolist() == [A]
    assert shop.profiles() == 1


def test_the_record_of_a_customer_known_by_id_alone_brings_its_guest_orders(shop: Shop) -> None:
    shop.save(order("o1", "1"), order("o2", email=A))
    assert shop.profiles() == 2
    shop.save(customer("1", A))
    assert shop.orders(shop.profile("1")) == {"o1", "o2"}
    assert shop.profiles() == 1


def test_an_account_that_changes_its_email_stays_who_it_was(shop: Shop) -> None:
    shop.save(customer("1", A), order("o1", email=A))
    profile = shop.profile("1")
    shop.save(customer("1", B, at=NOW + HOUR))
    assert shop.profile("1") == profile
    assert shop.orders(profile) == {"o1"}
    shop.save(order("o2", email=B))
    assert shop.orders(profile) == {"o1", "o2"}


def test_an_account_that_takes_the_email_of_a_guest_gets_its_orders(shop: Shop) -> None:
    shop.save(customer("1", A), order("o1", "1"), order("o2", email=B))
    shop.save(customer("1", B, at=NOW + HOUR))
    assert shop.orders(shop.profile("1")) == {"o1", "o2"}
    assert shop.profiles() == 1


def test_the_old_email_of_an_account_that_adopted_a_guest_leads_to_it(shop: Shop) -> None:
    shop.save(order("o1", email=A))
    shop.save(customer("1", A))
    shop.save(customer("1", B, at=NOW + HOUR))
    shop.save(order("o2", email=A))
    assert shop.orders(shop.profile("1")) == {"o1", "o2"}


def test_a_second_account_does_not_take_an_adopted_guest(shop: Shop) -> None:
    shop.save(order("o1", email=A))
    shop.save(customer("1", A))
    shop.save(customer("1", B, at=NOW + HOUR), customer("2", A))
    assert shop.orders(shop.profile("1")) == {"o1"}
    assert shop.orders(shop.profile("2")) == set()
    shop.save(order("o2", email=A))
    assert shop.orders(shop.profile("2")) == {"o2"}


def test_two_accounts_with_one_email_adopt_a_guest_once(shop: Shop) -> None:
    shop.save(order("o1", email=A))
    shop.save(customer("1", A), customer("2", A))
    assert shop.orders(shop.profile("1")) == {"o1"}
    assert shop.orders(shop.profile("2")) == set()


def test_an_order_that_changes_hands_makes_both_dirty(shop: Shop) -> None:
    shop.save(customer("1", A), customer("2", B), order("o1", "1"))
    shop.clean()
    shop.save(order("o1", "2", at=NOW + HOUR))
    assert shop.dirty() == {shop.profile("1"), shop.profile("2")}
    assert shop.orders(shop.profile("2")) == {"o1"}


def test_an_order_without_any_person_is_kept_for_nobody(shop: Shop) -> None:
    saved = shop.save(order("o1"), order("o2", email="no address"))
    assert (saved.written, saved.dirty) == (2, 0)
    assert set(shop.store.ids("shop", "orders")) == {"o1", "o2"}
    assert shop.profiles() == 0


def test_guests_live_where_their_latest_order_went(shop: Shop) -> None:
    shop.save(order("o1", email=A, country="DE", city="Ulm", placed=NOW - DAY))
    shop.save(order("o2", email=A, country="FR", placed=NOW))
    shop.save(order("o3", email=A, country="IT", placed=NOW - 2 * DAY))
    profiles = shop.store.frames([shop.profile(f"guest:{A}")]).profiles
    assert profiles[["country", "city"]].to_numpy().tolist() == [["FR", None]]


def test_an_account_keeps_its_own_address(shop: Shop) -> None:
    shop.save(Customer("1", NOW, email=A, country="DE"), order("o1", email=A, country="FR"))
    assert shop.store.frames([shop.profile("1")]).profiles["country"].tolist() == ["DE"]


def test_guests_and_the_gone_are_not_among_the_ids(shop: Shop) -> None:
    shop.save(customer("1", A), customer("2"), order("o1", email=B))
    shop.remove("customers", "2")
    assert list(shop.store.ids("shop", "customers")) == ["1"]


def test_a_guest_with_the_email_of_a_removed_account_is_somebody_new(shop: Shop) -> None:
    shop.save(order("o1", email=A))
    shop.save(customer("1", A))
    removed = shop.profile("1")
    shop.remove("customers", "1")
    shop.save(order("o2", email=A))
    assert shop.profile(f"guest:{A}") != removed
    assert shop.orders(shop.profile(f"guest:{A}")) == {"o1", "o2"}


def test_a_merge_keeps_one_history(shop: Shop) -> None:
    shop.save(customer("1", A), order("o1", email=B))
    account, guest = shop.profile("1"), shop.profile(f"guest:{B}")
    with shop.store._database.write() as connection:
        for number, (profile, segment) in enumerate(
            [(account, "vip"), (guest, "vip"), (guest, "new")]
        ):
            connection.exec_driver_sql(
                "INSERT INTO memberships (profile_id, segment, since, cause) "
                f"VALUES ({profile}, '{segment}', {_at(shop, 100 + number)}, 'data')"
            )
            connection.exec_driver_sql(
                "INSERT INTO membership_changes "
                "(change_id, profile_id, segment, entered, at, cause) "
                f"VALUES ({number}, {profile}, '{segment}', 1, {_at(shop, 100 + number)}, 'data')"
            )
    shop.save(customer("1", B, at=NOW + HOUR))
    since = {(m.profile_id, m.segment): int(m.since.timestamp()) for m in shop.store.memberships()}
    assert since == {(account, "vip"): 100, (account, "new"): 102}
    history = [(c.profile_id, c.segment) for c in shop.store.changes()]
    assert history == [(account, "vip"), (account, "new")]


def _at(shop: Shop, seconds: int) -> str:
    return str(seconds) if shop.store._database.sqlite else f"to_timestamp({seconds})"


@pytest.mark.parametrize("first", ["orders", "customers"])
def test_both_streams_may_come_first(shop: Shop, first: str) -> None:
    """Full equals incremental, whatever is read first."""
    customers: list[Record] = [customer("1", A), customer("2", B)]
    orders: list[Record] = [
        order("o1", "1"),
        order("o2", email=A),
        order("o3", email=B),
        order("o4", "2", A),
    ]
    for batch in [orders, customers] if first == "orders" else [customers, orders]:
        shop.save(*batch)
    assert shop.orders(shop.profile("1")) == {"o1", "o2"}
    assert shop.orders(shop.profile("2")) == {"o3", "o4"}
    assert shop.profiles() == 2
    orphans = rows(
        shop.store,
        "SELECT * FROM order_lines WHERE profile_id NOT IN (SELECT profile_id FROM profiles)",
    )
    assert orphans == []
