"""Who must be evaluated after a batch, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from segmentd.domain.memberships import Cause
from segmentd.domain.records import Customer, Gone, Order, OrderLine, Product, Record, Refund
from segmentd.sdk.contract import ShopInfo
from shop_in_store import DAY, HOUR, NOW, Shop, customer, order

A = "a@shopper.example"
B = "b@shopper.example"
LATER = NOW + HOUR
LONG_AGO = NOW - timedelta(days=730)
MUG = Product("p1", title="Mug", tags=["gift"], price=900)
LINE = OrderLine("1", "p1", quantity=2, amount=900, title="Mug")
SOLD = order("o1", "1", A, lines=[LINE], status="paid", placed=LONG_AGO)
GUEST = f"guest:{A}"


def changed(**values: object) -> Order:
    """The order of customer 1, read again later."""
    return replace(SOLD, updated_at=LATER, **values)  # type: ignore[arg-type]


@pytest.fixture
def shop(shop: Shop) -> Shop:
    """Two customers have bought; nobody waits to be evaluated."""
    shop.save(MUG, customer("1", B), customer("2"), SOLD, order("o2", "2"))
    shop.clean()
    return shop


@pytest.mark.parametrize(
    ("record", "cause"),
    [
        (order("o3", "1"), Cause.ORDER),
        (order("o3", "1", placed=LONG_AGO), Cause.ORDER),
        (order("o3", email=B), Cause.ORDER),
        (changed(total=1), Cause.ORDER),
        (changed(cancelled_at=LATER), Cause.ORDER),
        (changed(lines=[replace(LINE, quantity=1)]), Cause.ORDER),
        (changed(total=1, refunds=[Refund("r", LATER, 5)]), Cause.ORDER),
        (changed(refunds=[Refund("r", LATER, 5)]), Cause.REFUND),
        (changed(status="refunded", refunds=[Refund("r", LATER, 1000)]), Cause.REFUND),
        (Gone("orders", "o1"), Cause.ORDER),
        (replace(customer("1", B), country="FR"), Cause.PROFILE),
        (customer("1", B, tags=["VIP"]), Cause.PROFILE),
        (replace(customer("1", B), traits={"meta.level": "gold"}), Cause.TRAIT),
        (Gone("customers", "1"), Cause.PROFILE),
        (replace(MUG, title="Cup"), Cause.PRODUCT),
        (replace(MUG, price=800), Cause.PRODUCT),
        (replace(MUG, published_at=LONG_AGO), Cause.PRODUCT),
    ],
)
def test_what_changed_is_the_cause(shop: Shop, record: Record, cause: Cause) -> None:
    assert shop.save(record).written == 1
    assert shop.causes() == {"1": cause}


@pytest.mark.parametrize(
    "record",
    [
        changed(status="fulfilled"),
        changed(lines=[replace(LINE, id="7", title="A mug", vendor="Maker")]),
        Customer("1", LATER, NOW - 400 * DAY, B, first_name="Ann", last_name="B", phone="+49 1"),
        replace(MUG, updated_at=LATER),
        Product("p2", title="Cup"),
        Gone("products", "p1"),
    ],
    ids=["status", "title of a line", "name", "change time", "bought by nobody", "unlisted"],
)
def test_what_no_rule_can_see_marks_nobody(shop: Shop, record: Record) -> None:
    shop.save(record)
    assert shop.causes() == {}


def test_a_status_is_kept_though_no_rule_sees_it(shop: Shop) -> None:
    assert shop.save(changed(status="fulfilled")).written == 1
    assert shop.save(changed(status="fulfilled")).written == 0
    assert shop.save(changed(status="lone \ud83d", refunds=[Refund("r", LATER, 5)])).written == 1
    assert shop.causes() == {"1": Cause.REFUND}


def test_refunds_of_an_order_come_change_and_go(shop: Shop) -> None:
    for refunds in ([Refund("r", LATER, 5)], [Refund("r", LATER, 6)], []):
        shop.clean()
        assert shop.save(changed(refunds=refunds)).written == 1
        assert shop.causes() == {"1": Cause.REFUND}


def test_a_product_that_is_listed_again_as_it_was_marks_nobody(shop: Shop) -> None:
    shop.remove("products", "p1")
    assert shop.save(MUG).written == 1
    assert shop.causes() == {}


def test_an_order_that_changes_hands_is_news_of_both(shop: Shop) -> None:
    shop.save(changed(customer_id="2", refunds=[Refund("r", LATER, 5)]))
    assert shop.causes() == {"1": Cause.ORDER, "2": Cause.ORDER}


def test_an_account_that_takes_a_guest_over_is_a_merge(shop: Shop) -> None:
    shop.save(order("o3", email=A))
    assert shop.causes() == {GUEST: Cause.ORDER}
    shop.save(customer("3", A))
    assert shop.causes() == {"3": Cause.MERGE}


def test_two_histories_that_become_one_are_a_merge(shop: Shop) -> None:
    shop.save(order("o3", email=A))
    shop.save(customer("1", A, at=LATER), changed(total=1))
    assert shop.causes() == {"1": Cause.MERGE}
    assert shop.orders(shop.profile("1")) == {"o1", "o3"}


def test_of_several_causes_in_a_batch_the_strongest_stays(shop: Shop) -> None:
    refund = changed(refunds=[Refund("r", LATER, 5)])
    told = replace(customer("1", B), traits={"meta.level": "gold"}, country="FR")
    shop.save(replace(MUG, title="Cup"), told)
    assert shop.causes() == {"1": Cause.TRAIT}
    shop.clean()
    shop.save(replace(MUG, title="Pot"), refund, order("o3", "1"), replace(told, country="IT"))
    assert shop.causes() == {"1": Cause.REFUND}


def test_a_later_batch_says_why_now(shop: Shop) -> None:
    shop.save(changed(refunds=[Refund("r", LATER, 5)]))
    shop.save(customer("1", B, tags=["VIP"]))
    assert shop.causes() == {"1": Cause.PROFILE}


def test_what_a_backfill_brings_is_imported(shop: Shop) -> None:
    shop.save(order("o3", "1"), customer("2", A), stream="orders:backfill")
    assert shop.causes() == {"1": Cause.IMPORT, "2": Cause.IMPORT}


def test_another_currency_is_news_of_everybody_who_bought(shop: Shop) -> None:
    shop.store.save_shop(shop.lease, "shop", ShopInfo("A shop", "USD", "UTC", NOW))
    assert shop.causes() == {"1": Cause.ORDER, "2": Cause.ORDER}


def test_who_inherits_the_orders_of_a_gone_account_has_orders(shop: Shop) -> None:
    shop.save(order("o3", email=B))
    shop.clean()
    shop.remove("customers", "1")
    assert shop.causes() == {"1": Cause.PROFILE, f"guest:{B}": Cause.ORDER}
