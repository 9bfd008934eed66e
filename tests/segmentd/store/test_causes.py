"""Who must be evaluated after a batch, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from segmentd.domain.memberships import Cause
from segmentd.domain.records import Customer, Gone, Order, OrderLine, Product, Record, Refund
from segmentd.sdk.contract import ShopInfo
from shop_in_store import HOUR, NOW, Shop, customer, order

A = "a@shopper.example"
LATER = NOW + HOUR
LONG_AGO = NOW - timedelta(days=730)
REFUND = Refund("r", LATER, 5)
GUEST = f"guest:{A}"


def mug(n: int = 1) -> Product:
    """What customer ``n`` has bought."""
    return Product(f"p{n}", title="Mug", tags=["gift"], price=900)


def buyer(n: int = 1) -> Customer:
    """Customer ``n``, as they were."""
    return customer(str(n), f"c{n}@shopper.example")


def line(n: int = 1) -> OrderLine:
    """The line of order ``n``."""
    return OrderLine(f"l{n}", f"p{n}", quantity=2, amount=900, title="Mug")


def sold(n: int = 1, **later: Any) -> Order:
    """The order of customer ``n``: as it was, or what of it is different later."""
    at = LATER if later else NOW
    before = order(f"o{n}", str(n), lines=[line(n)], status="paid", placed=LONG_AGO, at=at)
    return replace(before, **later)


NEWS: dict[str, tuple[Callable[[int], Record], Cause]] = {
    "an order": (lambda n: order(f"new{n}", str(n)), Cause.ORDER),
    "an old order": (lambda n: order(f"new{n}", str(n), placed=LONG_AGO), Cause.ORDER),
    "an order by address": (lambda n: order(f"new{n}", email=buyer(n).email), Cause.ORDER),
    "total": (lambda n: sold(n, total=1), Cause.ORDER),
    "cancelled": (lambda n: sold(n, cancelled_at=LATER), Cause.ORDER),
    "quantity": (lambda n: sold(n, lines=[replace(line(n), quantity=1)]), Cause.ORDER),
    "total and refund": (lambda n: sold(n, total=1, refunds=[REFUND]), Cause.ORDER),
    "refund": (lambda n: sold(n, refunds=[REFUND]), Cause.REFUND),
    "refund and status": (lambda n: sold(n, status="refunded", refunds=[REFUND]), Cause.REFUND),
    "order deleted": (lambda n: Gone("orders", f"o{n}"), Cause.ORDER),
    "country": (lambda n: replace(buyer(n), country="FR"), Cause.PROFILE),
    "tag": (lambda n: replace(buyer(n), tags=["VIP"]), Cause.PROFILE),
    "trait": (lambda n: replace(buyer(n), traits={"meta.level": "gold"}), Cause.TRAIT),
    "customer deleted": (lambda n: Gone("customers", str(n)), Cause.PROFILE),
    "title": (lambda n: replace(mug(n), title="Cup"), Cause.PRODUCT),
    "price": (lambda n: replace(mug(n), price=800), Cause.PRODUCT),
    "published": (lambda n: replace(mug(n), published_at=LONG_AGO), Cause.PRODUCT),
}
UNSEEN: dict[str, Callable[[int], Record]] = {
    "status": lambda n: sold(n, status="fulfilled"),
    "title of a line": lambda n: sold(n, lines=[replace(line(n), id="7", title="A mug")]),
    "vendor of a line": lambda n: sold(n, lines=[replace(line(n), vendor="Maker")]),
    "name": lambda n: replace(buyer(n), first_name="Ann", last_name="B", phone="+49 1"),
    "change time": lambda n: replace(mug(n), updated_at=LATER),
    "unlisted": lambda n: Gone("products", f"p{n}"),
    "bought by nobody": lambda n: Product(f"p{n}00", title="Cup"),
}


def fill(shop: Shop, count: int) -> None:
    """Customers who have bought; nobody waits to be evaluated."""
    for n in range(1, count + 1):
        shop.save(mug(n), buyer(n), sold(n))
    shop.clean()


def test_what_changed_is_the_cause(shop: Shop) -> None:
    fill(shop, len(NEWS))
    records = [news(n) for n, (news, _) in enumerate(NEWS.values(), 1)]
    assert shop.save(*records).written == len(NEWS)
    found = shop.causes()
    told = {name: found.get(str(n)) for n, name in enumerate(NEWS, 1)}
    assert told == {name: cause for name, (_, cause) in NEWS.items()}
    assert len(found) == len(NEWS)


def test_what_no_rule_can_see_marks_nobody(shop: Shop) -> None:
    fill(shop, len(UNSEEN))
    shop.save(*[news(n) for n, news in enumerate(UNSEEN.values(), 1)])
    assert shop.causes() == {}


def test_a_status_is_kept_though_no_rule_sees_it(shop: Shop) -> None:
    fill(shop, 1)
    assert shop.save(sold(status="fulfilled")).written == 1
    assert shop.save(sold(status="fulfilled")).written == 0
    assert shop.save(sold(status="lone \ud83d", refunds=[REFUND])).written == 1
    assert shop.causes() == {"1": Cause.REFUND}


def test_refunds_of_an_order_come_change_and_go(shop: Shop) -> None:
    fill(shop, 1)
    for refunds in ([REFUND], [replace(REFUND, amount=6)], []):
        shop.clean()
        assert shop.save(sold(refunds=refunds)).written == 1
        assert shop.causes() == {"1": Cause.REFUND}


def test_a_product_that_is_listed_again_as_it_was_marks_nobody(shop: Shop) -> None:
    fill(shop, 1)
    shop.remove("products", "p1")
    assert shop.save(mug()).written == 1
    assert shop.causes() == {}


def test_an_order_that_changes_hands_is_news_of_both(shop: Shop) -> None:
    fill(shop, 2)
    shop.save(sold(customer_id="2", refunds=[REFUND]))
    assert shop.causes() == {"1": Cause.ORDER, "2": Cause.ORDER}


def test_an_account_that_takes_a_guest_over_is_a_merge(shop: Shop) -> None:
    shop.save(order("o3", email=A))
    assert shop.causes() == {GUEST: Cause.ORDER}
    shop.save(customer("3", A))
    assert shop.causes() == {"3": Cause.MERGE}


def test_two_histories_that_become_one_are_a_merge(shop: Shop) -> None:
    fill(shop, 1)
    shop.save(order("o3", email=A))
    shop.save(customer("1", A, at=LATER), sold(total=1))
    assert shop.causes() == {"1": Cause.MERGE}
    assert shop.orders(shop.profile("1")) == {"o1", "o3"}


def test_of_several_causes_in_a_batch_the_strongest_stays(shop: Shop) -> None:
    fill(shop, 1)
    told = replace(buyer(), traits={"meta.level": "gold"}, country="FR")
    shop.save(replace(mug(), title="Cup"), told)
    assert shop.causes() == {"1": Cause.TRAIT}
    shop.clean()
    told = replace(told, country="IT")
    shop.save(replace(mug(), title="Pot"), sold(refunds=[REFUND]), order("o3", "1"), told)
    assert shop.causes() == {"1": Cause.REFUND}


def test_a_later_batch_says_why_now(shop: Shop) -> None:
    fill(shop, 1)
    shop.save(sold(refunds=[REFUND]))
    shop.save(replace(buyer(), tags=["VIP"]))
    assert shop.causes() == {"1": Cause.PROFILE}


def test_what_a_backfill_brings_is_imported(shop: Shop) -> None:
    fill(shop, 2)
    shop.save(order("o3", "1"), replace(buyer(2), country="FR"), stream="orders:backfill")
    assert shop.causes() == {"1": Cause.IMPORT, "2": Cause.IMPORT}


def test_another_currency_is_news_of_everybody_who_bought(shop: Shop) -> None:
    fill(shop, 2)
    shop.store.save_shop(shop.lease, "shop", ShopInfo("A shop", "USD", "UTC", NOW))
    assert shop.causes() == {"1": Cause.ORDER, "2": Cause.ORDER}


def test_who_inherits_the_orders_of_a_gone_account_has_orders(shop: Shop) -> None:
    fill(shop, 1)
    shop.save(order("o3", email=buyer().email))
    shop.clean()
    shop.remove("customers", "1")
    assert shop.causes() == {"1": Cause.PROFILE, f"guest:{buyer().email}": Cause.ORDER}
