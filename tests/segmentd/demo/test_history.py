"""The history loader against the known facts of the CDNOW sample, and a small shop made here."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime
from pathlib import Path

import pytest

from segmentd.demo.history import CDNOW, WHOLE, History, Part, load_history

END = datetime(1998, 7, 1, tzinfo=UTC)

SHOP = {
    "customers": """customer_id,email,created_at,country_code,tags
C07,c07@shopper.example,2024-01-05T08:00:00Z,DE,VIP;press
C02,c02@shopper.example,2024-01-01T08:00:00Z,,
""",
    "orders": """order_id,customer_id,created_at,currency,subtotal_cents,discount_cents,\
total_cents,discount_codes,country_code,n_lines
A11,C07,2024-02-01T10:00:00Z,EUR,1500,300,1200,SPRING;FRIEND,DE,2
A10,,2024-01-20T10:00:00Z,EUR,900,0,900,,,1
""",
    "order_lines": """order_id,line_no,product_id,quantity,unit_price_cents,amount_cents
A11,1,85123A,2,500,800
A11,2,POST,1,,400
A10,1,POST,1,,900
""",
    "refunds": """refund_id,order_id,created_at,amount_cents
R1,A11,2024-03-05T00:00:00Z,250
""",
    "products": '''product_id,title,product_type
85123A,"HEART, ""WHITE""",lighting
''',
}


@pytest.fixture
def shop(tmp_path: Path) -> History:
    for name, text in SHOP.items():
        with gzip.open(tmp_path / f"{name}.csv.gz", "wt", encoding="utf-8") as file:
            file.write(text)
    return load_history(tmp_path)


def day(month: int, number: int = 1) -> datetime:
    return datetime(2024, month, number, tzinfo=UTC)


def test_cdnow_has_its_published_size() -> None:
    history = load_history(CDNOW)
    orders = list(history.orders(END))
    assert len(list(history.customers(END))) == 2357
    assert len(orders) == len({order.id for order in orders}) == 6919
    assert sum(order.total for order in orders) == 24_409_194
    assert {order.currency for order in orders} == {"USD"}
    assert all(sum(line.amount for line in order.lines) == order.total for order in orders)


def test_cdnow_comes_with_its_notice() -> None:
    assert "Fader" in (CDNOW / "NOTICE").read_text()


def test_parts_share_the_customers_without_overlap_and_without_rest() -> None:
    history = load_history(CDNOW)
    halves = [{c.id for c in history.customers(END, part=Part(n, 2))} for n in (0, 1)]
    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == {customer.id for customer in history.customers(END)}
    for number, half in enumerate(halves):
        orders = history.orders(END, part=Part(number, 2))
        assert {order.customer_id for order in orders} == half


def test_months_add_up_to_the_whole() -> None:
    history = load_history(CDNOW)
    border = datetime(1998, 6, 1, tzinfo=UTC)
    before = [order.id for order in history.orders(border)]
    after = [order.id for order in history.orders(END, since=border)]
    assert len(after) > 50
    assert before + after == [order.id for order in history.orders(END)]


def test_ids_become_digits(shop: History) -> None:
    assert [customer.id for customer in shop.customers(day(12))] == ["2", "7"]
    assert [order.id for order in shop.orders(day(12))] == ["10", "11"]
    assert [product.id for product in shop.products] == ["1000001", "1000002"]


def test_customers_come_at_their_time(shop: History) -> None:
    assert [customer.id for customer in shop.customers(day(1, 5))] == ["2"]
    assert [customer.id for customer in shop.customers(day(12), since=day(1, 5))] == ["7"]


def test_a_customer_keeps_what_the_file_says(shop: History) -> None:
    second, seventh = shop.customers(day(12))
    assert (seventh.email, seventh.country) == ("c07@shopper.example", "DE")
    assert seventh.tags == ["VIP", "press"]
    assert seventh.updated_at == seventh.created_at == datetime(2024, 1, 5, 8, tzinfo=UTC)
    assert (second.country, second.tags) == (None, [])


def test_an_order_keeps_what_the_file_says(shop: History) -> None:
    order = list(shop.orders(day(12)))[1]
    assert (order.customer_id, order.total, order.discount) == ("7", 1200, 300)
    assert order.discount_codes == ["SPRING", "FRIEND"]
    assert [(line.quantity, line.amount, line.title) for line in order.lines] == [
        (2, 800, 'HEART, "WHITE"'),
        (1, 400, "POST"),
    ]
    assert [line.product_id for line in order.lines] == [product.id for product in shop.products]
    assert order.paid


def test_an_order_without_customer_is_a_guest_in_exactly_one_part(shop: History) -> None:
    guests = [
        order.id
        for number in (0, 1)
        for order in shop.orders(day(12), part=Part(number, 2))
        if order.customer_id is None
    ]
    assert guests == ["10"]


def test_a_refund_is_not_known_before_it_happened(shop: History) -> None:
    order = list(shop.orders(day(3, 5)))[-1]
    assert order.refunds == []
    assert order.updated_at == order.placed_at


def test_a_refund_brings_its_old_order_again(shop: History) -> None:
    (order,) = shop.orders(day(4), since=day(3))
    assert [refund.amount for refund in order.refunds] == [250]
    assert order.updated_at == day(3, 5)
    assert order.placed_at == datetime(2024, 2, 1, 10, tzinfo=UTC)


def test_products_without_a_description_are_called_by_their_id(shop: History) -> None:
    heart, post = shop.products
    assert (heart.title, heart.product_type) == ('HEART, "WHITE"', "lighting")
    assert (post.title, post.product_type) == ("POST", None)


def test_whole_is_every_customer() -> None:
    assert WHOLE.has("0")
    assert WHOLE.has("17")
