"""What a batch writes, and what it leaves alone."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from segmentd.domain.cursor import Cursor, Window
from segmentd.domain.errors import LockedError
from segmentd.domain.records import Gone, OrderLine, Product, Record, Refund
from segmentd.sdk.contract import Rejection, ShopInfo
from segmentd.segmenter.frames import unpack
from segmentd.store import Store
from shop_in_store import DAY, HOUR, NOW, TTL, Shop, customer, lease_of, order, rows

LINE = OrderLine("1", "p1", quantity=2, amount=900, title="Mug")


def test_new_records_are_written_and_their_profiles_dirty(shop: Shop) -> None:
    saved = shop.save(customer("1", "a@shopper.example"), order("o1", "1", lines=[LINE]))
    assert (saved.written, saved.unchanged, saved.dirty) == (2, 0, 1)
    assert shop.dirty() == {shop.profile("1")}
    assert shop.orders(shop.profile("1")) == {"o1"}


def test_reading_the_same_again_changes_nothing(shop: Shop) -> None:
    records: list[Record] = [
        Product("p1", title="Mug"),
        customer("1", "a@shopper.example", tags=["VIP"]),
        order("o1", "1", lines=[LINE], refunds=[Refund("r1", NOW, 5)]),
        order("o2", email="guest@shopper.example"),
    ]
    shop.save(*records)
    shop.clean()
    saved = shop.save(*records)
    assert (saved.written, saved.unchanged, saved.dirty) == (0, 4, 0)
    assert shop.dirty() == set()


def test_a_newer_change_time_alone_is_kept_but_marks_nobody(shop: Shop) -> None:
    shop.save(customer("1", tags=["VIP"]))
    shop.clean()
    saved = shop.save(customer("1", tags=["VIP"], at=NOW + HOUR))
    assert (saved.written, saved.unchanged, saved.dirty) == (0, 1, 0)
    again = shop.save(customer("1", tags=["new"], at=NOW))
    assert again.unchanged == 1


def test_the_order_of_tags_is_no_change(shop: Shop) -> None:
    shop.save(customer("1", tags=["a", "b"]), Product("p", tags=["x", "y"]))
    saved = shop.save(customer("1", tags=["b", "a"]), Product("p", tags=["y", "x"]))
    assert saved.written == 0


@pytest.mark.parametrize(
    "changed",
    [
        replace(customer("1"), postcode="89073"),
        replace(customer("1"), latitude=48.5),
        replace(customer("1"), longitude=9.5),
        replace(customer("1"), traits={"meta.level": "gold"}),
        order("o1", "1", discount=1, lines=[LINE]),
        order("o1", "1", tags=["gift"], lines=[LINE]),
        order("o1", "1", lines=[replace(LINE, discount=1)]),
        Product("p1", title="Mug", published_at=NOW),
        Product("p1", title="Mug", price=1000),
    ],
    ids=[
        "postcode",
        "latitude",
        "longitude",
        "trait",
        "discount",
        "tag",
        "line",
        "published",
        "price",
    ],
)
def test_every_fact_is_a_change(shop: Shop, changed: Record) -> None:
    shop.save(Product("p1", title="Mug"), customer("1"), order("o1", "1", lines=[LINE]))
    shop.clean()
    assert shop.save(changed).written == 1
    assert shop.dirty() == {shop.profile("1")}


def test_prices_are_remembered(shop: Shop, store: Store) -> None:
    shop.save(Product("p1", price=1000, published_at=NOW - DAY))
    shop.save(Product("p1", price=800, published_at=NOW - DAY), at=NOW + HOUR)
    assert rows(store, "SELECT price FROM products") == [(800,)]
    assert rows(store, "SELECT price FROM product_history ORDER BY since") == [(1000,), (800,)]


def test_long_lists_of_an_order_are_cut_between_two_elements(shop: Shop, store: Store) -> None:
    tags = [f"größe-{n}" for n in range(300)]
    many = order("o1", "1", tags=tags, discount_codes=tags)
    shop.save(many, order("o2", "1", tags=["ö" * 1000], discount_codes=["x", "ö" * 1000]))
    frame = store.frames([shop.profile("1")]).orders
    cut = unpack(frame["tags"][0])
    assert cut == tags[: len(cut)]
    assert len(cut) > 80
    assert unpack(frame["discount_codes"][0]) == cut
    assert frame["tags"].tolist()[1] == ""
    assert unpack(frame["discount_codes"].tolist()[1]) == ["x"]


def test_an_older_record_does_not_overwrite_a_newer_one(shop: Shop) -> None:
    shop.save(customer("1", "new@shopper.example"), order("o1", "1", total=700))
    late: list[Record] = [
        customer("1", "old@shopper.example", at=NOW - HOUR),
        order("o1", "1", total=100, at=NOW - HOUR),
    ]
    assert shop.save(*late).written == 0
    assert shop.store.find("new@shopper.example") == [shop.profile("1")]
    assert rows(shop.store, "SELECT total FROM orders") == [(700,)]


def test_a_record_of_the_same_second_that_differs_is_written(shop: Shop) -> None:
    shop.save(order("o1", "1", total=700))
    assert shop.save(order("o1", "1", total=800)).written == 1
    assert rows(shop.store, "SELECT total FROM orders") == [(800,)]


def test_of_two_versions_in_one_batch_the_newer_stays(shop: Shop) -> None:
    shop.save(order("o1", "1", total=2, at=NOW), order("o1", "1", total=1, at=NOW - HOUR))
    assert rows(shop.store, "SELECT total FROM orders") == [(2,)]


def test_lines_and_refunds_follow_their_order(shop: Shop) -> None:
    lines = [LINE, OrderLine("2", None, quantity=1, amount=100)]
    shop.save(order("o1", "1", lines=lines, refunds=[Refund("r1", NOW, 5)]))
    shop.save(order("o1", "1", lines=[LINE], at=NOW + HOUR, cancelled_at=NOW))
    profile = shop.profile("1")
    found = rows(shop.store, "SELECT profile_id, line, quantity, amount FROM order_lines")
    assert found == [(profile, 0, 2, 900)]
    assert rows(shop.store, "SELECT * FROM refunds") == []
    assert rows(shop.store, "SELECT count(*) FROM order_lines WHERE cancelled_at IS NULL") == [(0,)]


def test_a_line_makes_its_product_known(shop: Shop) -> None:
    shop.save(order("o1", "1", lines=[LINE]))
    assert rows(shop.store, "SELECT remote_id, title FROM products") == [("p1", "Mug")]
    shop.clean()
    shop.save(Product("p1", title="Mug", product_type="kitchen"))
    assert rows(shop.store, "SELECT count(*) FROM products") == [(1,)]
    assert shop.dirty() == {shop.profile("1")}


def test_only_buyers_of_a_changed_product_become_dirty(shop: Shop) -> None:
    other = replace(LINE, product_id="p2")
    shop.save(
        Product("p1", title="Mug"),
        Product("p2", title="Cup"),
        order("o1", "1", lines=[LINE]),
        order("o2", "2", lines=[other]),
    )
    shop.clean()
    shop.save(Product("p1", title="Mug", updated_at=NOW), Product("p2", title="Big cup"))
    assert shop.dirty() == {shop.profile("2")}
    history = rows(shop.store, "SELECT title FROM product_history ORDER BY product_id")
    assert {title for (title,) in history} == {"Mug", "Big cup"}


def test_a_removed_order_leaves_no_facts(shop: Shop) -> None:
    shop.save(order("o1", "1", lines=[LINE], refunds=[Refund("r1", NOW, 5)]), order("o2", "1"))
    shop.clean()
    assert shop.remove("orders", "o1", "never seen") == 1
    assert shop.orders(shop.profile("1")) == {"o2"}
    assert rows(shop.store, "SELECT * FROM order_lines") == []
    assert rows(shop.store, "SELECT * FROM refunds") == []
    assert shop.dirty() == {shop.profile("1")}
    assert set(shop.store.ids("shop", "orders")) == {"o2"}
    assert shop.remove("orders", "o1") == 0


def test_an_order_that_was_taken_from_the_trash_is_back(shop: Shop) -> None:
    record = order("o1", "1", lines=[LINE])
    shop.save(record)
    assert shop.save(Gone("orders", "o1")).written == 1
    assert shop.save(record).written == 1
    assert shop.orders(shop.profile("1")) == {"o1"}
    assert rows(shop.store, "SELECT count(*) FROM order_lines") == [(1,)]


def test_a_removed_customer_is_nobody(shop: Shop) -> None:
    shop.save(customer("1", "a@shopper.example"), order("o1", "1", lines=[LINE]))
    profile = shop.profile("1")
    shop.clean()
    assert shop.remove("customers", "1") == 1
    frames = shop.store.frames([profile])
    assert [len(f) for f in (frames.profiles, frames.orders, frames.lines)] == [0, 0, 0]
    assert shop.dirty() == {profile}
    assert shop.profiles() == 0
    assert shop.store.find("a@shopper.example") == []
    assert list(shop.store.ids("shop", "customers")) == []


def test_a_removed_customer_that_is_read_again_is_back(shop: Shop) -> None:
    record = customer("1", "a@shopper.example")
    shop.save(record, order("o1", "1"))
    shop.remove("customers", "1")
    shop.save(record)
    assert len(shop.store.frames([shop.profile("1")]).orders) == 1


def test_amounts_in_another_currency_are_flagged(shop: Shop) -> None:
    refund = Refund("r1", NOW, 5)
    shop.save(order("o1", "1", currency="USD", lines=[LINE], refunds=[refund]), order("o2", "1"))
    frames = shop.store.frames([shop.profile("1")])
    assert frames.orders["total"].isna().tolist() == [True, False]
    assert frames.lines["amount"].isna().all()
    assert frames.refunds["amount"].isna().all()
    assert shop.store.status().counts["fx_missing"] == 1


def test_a_shop_that_changes_its_currency_is_judged_anew(shop: Shop) -> None:
    shop.save(order("o1", "1", currency="USD", lines=[LINE]), order("o2", "1", lines=[LINE]))
    shop.clean()
    shop.store.save_shop(shop.lease, "shop", ShopInfo("A shop", "USD", "UTC", NOW))
    frames = shop.store.frames([shop.profile("1")])
    assert frames.orders["total"].isna().tolist() == [False, True]
    assert frames.lines["amount"].isna().tolist() == [False, True]
    assert shop.dirty() == {shop.profile("1")}


def test_only_paid_orders_that_are_no_test_count(shop: Shop) -> None:
    shop.save(order("paid", "1"), order("unpaid", "1", paid=False), order("test", "1", test=True))
    found = rows(shop.store, "SELECT remote_id FROM orders WHERE counted = 1")
    assert found == [("paid",)]


def test_one_bad_record_does_not_hold_up_the_others(shop: Shop) -> None:
    saved = shop.save(
        order("huge", "1", total=2**53),
        order("", "1"),
        customer("x" * 501),
        order("good", "1"),
        rejected=[Rejection("odd", "no date")],
    )
    assert saved.written == 1
    assert shop.orders(shop.profile("1")) == {"good"}
    refused = {refusal.id: refusal.reason for refusal in shop.store.status().rejections}
    assert set(refused) == {"huge", "", "x" * 500, "odd"}


def test_a_rejected_record_that_is_accepted_later_is_struck_off(shop: Shop) -> None:
    shop.save(order("o1", "1", total=2**60), stream="orders:backfill")
    shop.save(order("o1", "1", total=2**60))
    (refusal,) = shop.store.status().rejections
    assert (refusal.id, refusal.times) == ("o1", 2)
    shop.save(order("o1", "1", total=20))
    assert shop.store.status().rejections == []


@pytest.mark.parametrize("text", ["nul\0", "half \ud83d pair", "\\u0000 spelled out", "'; --"])
def test_texts_that_databases_refuse_are_stored_alike(shop: Shop, text: str) -> None:
    shop.save(
        Product("p1", title=text),
        customer("1", tags=[text]),
        order("o1", "1", discount_codes=[text], country=text, lines=[LINE]),
        rejected=[Rejection(text, text)],
    )
    frames = shop.store.frames([shop.profile("1")])
    clean = text.replace("\0", "\ufffd").replace("\ud83d", "\ufffd")
    assert frames.profiles["tags"].tolist() == [f"\n{clean}\n"]
    assert frames.orders["discount_codes"].tolist() == [f"\n{clean}\n"]
    assert frames.orders["country"].tolist() == [clean]
    assert frames.products["title"].tolist() == [clean]


def test_enormous_texts_fit(shop: Shop) -> None:
    long = "ß" * 60_000
    shop.save(
        customer("1", f"{long}@shopper.example", tags=[long]),
        order("o1", "1", discount_codes=["A", long], country=long, channel=long),
        order("o2", email=f"{long}@shopper.example"),
    )
    frames = shop.store.frames([shop.profile("1")])
    assert frames.orders["discount_codes"].tolist() == ["\nA\n"]
    assert frames.profiles["tags"].tolist() == [f"\n{long}\n"]


def test_the_longest_order_fits_into_its_index(shop: Shop, store: Store) -> None:
    """Four bytes a character, and none like another: PostgreSQL compresses what repeats."""
    numbers = random.Random(1)
    words = ["".join(chr(numbers.randrange(0x20000, 0x2A000)) for _ in range(60)) for _ in range(9)]
    shop.save(
        order("o1", "1", tags=words, discount_codes=words, channel=words[0], country=words[1])
    )
    assert rows(store, "SELECT channel, country FROM orders") == [(words[0], words[1])]
    frame = store.frames([shop.profile("1")]).orders
    assert unpack(frame["tags"][0]) == unpack(frame["discount_codes"][0]) == words[:3]


def test_ids_beyond_float_precision_stay_exact(shop: Shop) -> None:
    ids = ["9007199254740993", "9007199254740992", "001"]
    shop.save(*(order(order_id, "1") for order_id in ids))
    assert shop.orders(shop.profile("1")) == set(ids)


def test_the_cursor_comes_with_its_records_or_not_at_all(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    cursor = Cursor(NOW - DAY, Window(NOW - DAY, NOW), "page 2")

    def fail(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr("segmentd.store.saving.Saving.mark_dirty", fail)
    with pytest.raises(RuntimeError):
        shop.store.save_batch(shop.lease, "shop", "orders", [order("o1", "1")], [], cursor, NOW)
    assert shop.store.cursor("shop", "orders") == Cursor()
    assert rows(shop.store, "SELECT * FROM orders") == []
    monkeypatch.undo()
    shop.store.save_batch(shop.lease, "shop", "orders", [order("o1", "1")], [], cursor, NOW)
    assert shop.store.cursor("shop", "orders") == cursor


@pytest.mark.parametrize(
    "cursor",
    [
        Cursor(),
        Cursor(NOW),
        Cursor(NOW, Window(None, NOW), None),
        Cursor(None, Window(NOW, NOW), "x"),
    ],
)
def test_cursors_are_kept_as_they_are(shop: Shop, cursor: Cursor) -> None:
    shop.store.save_cursor(shop.lease, "shop", "orders", cursor)
    assert shop.store.cursor("shop", "orders") == cursor


def test_complete_means_every_stream_to_its_end(shop: Shop) -> None:
    store = shop.store
    wanted = {"shop": ["customers", "orders"]}
    store.save_cursor(shop.lease, "shop", "customers", Cursor(NOW))
    store.save_cursor(shop.lease, "shop", "orders", Cursor(window=Window(None, NOW)))
    assert store.unread(wanted) == list(wanted)
    store.save_cursor(shop.lease, "shop", "orders", Cursor(NOW))
    assert store.unread(wanted) == []
    assert store.unread({**wanted, "other": ["orders"]}) == ["other"]


def test_who_lost_the_lease_writes_nothing(shop: Shop) -> None:
    later = NOW + TTL + HOUR
    shop.store.acquire("source:shop", "elsewhere:2", TTL, later)
    with pytest.raises(LockedError, match="taken over"):
        shop.save(order("o1", "1"))
    with pytest.raises(LockedError):
        shop.remove("orders", "o1")
    assert rows(shop.store, "SELECT * FROM orders") == []


def test_sources_do_not_mix(shop: Shop, store: Store) -> None:
    other = Shop(store, "other")
    shop.save(customer("1", "a@shopper.example"), order("o1", "1"))
    other.save(customer("1", "a@shopper.example"), order("o1", "1"))
    assert shop.profile("1") != other.profile("1")
    assert shop.orders(other.profile("1")) == {"o1"}
    other.remove("orders", "o1")
    assert shop.orders(shop.profile("1")) == {"o1"}


def test_the_shop_is_remembered(store: Store) -> None:
    assert store.shop("shop") is None
    lease = lease_of(store, "source:shop")
    info = ShopInfo("Mugs & more", "EUR", "Europe/Berlin", NOW)
    store.save_shop(lease, "shop", info)
    assert store.shop("shop") == info


def test_says_what_it_knows_of_accounts(shop: Shop, store: Store) -> None:
    Shop(store, "other").save(customer("1", "a@shopper.example"))
    shop.save(replace(customer("1"), country="NO"), customer("2", "gone@shopper.example"))
    shop.save(order("o1", email="guest@shopper.example"))
    shop.remove("customers", "2")
    assert store.knows("shop", ["email", "country", "first_name"]) == ["country"]
    assert store.knows("shop", ["first_name"]) == []
    shop.save(customer("3", "c3@shopper.example"))
    assert store.knows("shop", ["email", "country", "first_name"]) == ["email", "country"]
