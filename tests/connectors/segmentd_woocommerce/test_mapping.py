"""The recorded documents of a real store in our words."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from segmentd.sdk import Customer, Order, OrderLine, Product, Refund
from segmentd_woocommerce import mapping

Recorded = Callable[[str], Any]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def body(recorded: Recorded, name: str, request: str) -> Any:
    """The answer to the first request that ends so."""
    return next(
        one["body"] for one in recorded(name)["exchanges"] if one["request"].endswith(request)
    )


def test_a_customer(recorded: Recorded) -> None:
    row = body(recorded, "customers-page", "per_page=3&page=2")[0]
    row["meta_data"] = [{"id": 1, "key": "segmentd_tags", "value": "VIP, lapsed,"}]
    assert mapping.customer(row, "segmentd_tags") == Customer(
        id="4",
        updated_at=at("2026-11-21T21:09:03"),
        created_at=at("2023-11-23T00:00:00"),
        email="c001@example.com",
        first_name="Vera",
        last_name="Vip",
        phone="+12025550001",
        country="US",
        region="TX",
        city="Austin",
        postcode="73301",
        account_state="ENABLED",
        tags=["VIP", "lapsed"],
    )


def test_the_customer_meta_that_rules_ask_for(recorded: Recorded) -> None:
    row = body(recorded, "customers-page", "per_page=3&page=2")[0]
    values = {"loyalty_level": " gold ", "age": 41, "sizes": ["M", "Größe 3"], "none": "", "of": []}
    row["meta_data"] = [
        {"id": n, "key": key, "value": value} for n, (key, value) in enumerate(values.items())
    ]
    found = mapping.customer(row, "segmentd_tags", [*values, "missing"])
    assert found.traits == {
        "meta.loyalty_level": "gold",
        "meta.age": "41",
        "meta.sizes": '["M", "Größe 3"]',
    }
    assert mapping.customer(row, "segmentd_tags", ["age"]).traits == {"meta.age": "41"}


def test_a_customer_without_address_or_profile(recorded: Recorded) -> None:
    row = body(recorded, "customer-meta-write", "PUT /wp-json/wc/v3/customers/23")
    row |= {"email": "", "date_modified_gmt": None, "meta_data": []}
    row["shipping"] |= {"country": "FR", "city": "Paris", "postcode": "75001"}
    found = mapping.customer(row, "segmentd_tags")
    assert (found.email, found.updated_at, found.tags) == (None, None, [])
    assert (found.country, found.region, found.city) == ("FR", None, "Paris")
    assert found.postcode == "75001"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, []),
        ("", []),
        ("a", ["a"]),
        (" a ,,b ", ["a", "b"]),
        (["a", "b"], ["a", "b"]),
    ],
)
def test_tags_in_the_meta(value: object, expected: list[str]) -> None:
    assert mapping.tags_in(value) == expected


@pytest.mark.parametrize("value", [{"a": "b"}, [1], 5])
def test_something_else_in_the_meta(value: object) -> None:
    with pytest.raises(ValueError, match="something else than tags"):
        mapping.tags_in(value)


def test_a_customer_is_read_whatever_is_in_the_meta(recorded: Recorded) -> None:
    row = body(recorded, "customers-page", "per_page=3&page=2")[0]
    row["meta_data"] = [{"id": 1, "key": "segmentd_tags", "value": {"a": "b"}}]
    assert mapping.customer(row, "segmentd_tags").tags == []


def test_an_order_with_a_refund(recorded: Recorded) -> None:
    row = body(recorded, "order-with-refund", "orders/55")
    assert mapping.order(row, {56: at("2025-03-05T12:00:00")}) == Order(
        id="55",
        placed_at=at("2025-03-01T12:01:00"),
        updated_at=at("2025-03-05T12:00:00"),
        currency="USD",
        total=7766,
        paid=True,
        customer_id="5",
        email="c002@example.com",
        status="completed",
        channel="checkout",
        country="GB",
        city="London",
        lines=[OrderLine("25", "15", 3, 7266, title="Ceramic mug No. 6")],
        refunds=[Refund("56", at("2025-03-05T12:00:00"), 2422)],
    )


def test_a_refund_of_unknown_time_has_the_orders(recorded: Recorded) -> None:
    row = body(recorded, "order-with-refund", "orders/55")
    (refund,) = mapping.order(row, {}).refunds
    assert refund.created_at == at("2025-03-05T12:00:00")


def test_tax_and_coupon(recorded: Recorded) -> None:
    found = mapping.order(body(recorded, "order-variants", "orders/1104"), {})
    assert found.total == 22194
    (line,) = found.lines
    assert line.amount == 19926 + 1768, "gross, as the total is"
    assert line.amount + line.discount == 23442 + 2080
    assert (found.discount, found.discount_codes) == (3516 + 312, ["été2025"])


def test_a_cancelled_order(recorded: Recorded) -> None:
    found = mapping.order(body(recorded, "order-variants", "orders/1104"), {})
    assert (found.status, found.paid) == ("cancelled", False)
    assert found.cancelled_at == found.updated_at == at("2026-11-08T16:37:39")
    assert found.placed_at == at("2026-11-08T16:36:39"), "never paid: when it was made"


def test_a_guests_order(recorded: Recorded) -> None:
    found = mapping.order(body(recorded, "order-variants", "orders/62"), {})
    assert (found.customer_id, found.email) == (None, "c004@example.com")


def test_a_variation(recorded: Recorded) -> None:
    row = body(recorded, "orders-page", "dates_are_gmt=true&per_page=3")[2]
    line = mapping.order(row, {}).lines[0]
    assert line.product_id == "34"
    assert line.title == 'T-shirt "Crème & Co" - L'


@pytest.mark.parametrize(
    ("currency", "total", "line"), [("EUR", 2248, 1748), ("JPY", 22, 17), ("KWD", 22480, 17480)]
)
def test_amounts_are_of_the_orders_currency(
    recorded: Recorded, currency: str, total: int, line: int
) -> None:
    row = body(recorded, "order-variants", "orders/62")
    lines = body(
        recorded, "order-variants", "orders/64?_fields=id,currency,currency_symbol,total,line_items"
    )
    found = mapping.order({**row, **lines, "currency": currency}, {})
    assert (found.total, found.lines[0].amount) == (total, line)


def test_amounts_are_added_before_they_are_rounded(recorded: Recorded) -> None:
    row = body(recorded, "order-variants", "orders/62")
    row["line_items"][0] |= {"total": "1.004", "total_tax": "0.004"}
    assert mapping.order(row, {}).lines[0].amount == 101


def test_a_price_that_was_raised_by_hand_is_no_discount(recorded: Recorded) -> None:
    row = body(recorded, "order-variants", "orders/62")
    row["line_items"][0] |= {"subtotal": "10.00", "total": "12.00", "total_tax": "0.00"}
    assert mapping.order(row, {}).lines[0].discount == 0


@pytest.mark.parametrize(
    ("status", "paid_gmt", "expected"),
    [
        ("processing", None, True),
        ("completed", "2025-07-01T12:01:00", True),
        ("refunded", "2025-07-01T12:01:00", True),
        ("on-hold", None, False),
        ("pending", None, False),
        ("failed", None, False),
        ("cancelled", "2025-07-01T12:01:00", False),
        ("shipped", "2025-07-01T12:01:00", True),
        ("quote", None, False),
    ],
)
def test_when_an_order_counts_as_paid(
    recorded: Recorded, status: str, paid_gmt: str | None, expected: bool
) -> None:
    row = body(recorded, "order-variants", "orders/62")
    found = mapping.order({**row, "status": status, "date_paid_gmt": paid_gmt}, {})
    assert found.paid is expected


def test_a_deleted_product(recorded: Recorded) -> None:
    row = body(recorded, "order-variants", "orders/62")
    row["line_items"][0] |= {"product_id": 0, "sku": None}
    (line,) = mapping.order(row, {}).lines
    assert (line.product_id, line.title) == (None, "Espresso No. 2")


def test_an_impossible_date_is_none(recorded: Recorded) -> None:
    row = body(recorded, "order-variants", "orders/62")
    found = mapping.order({**row, "date_paid_gmt": "0000-00-00T00:00:00"}, {})
    assert found.placed_at == at("2025-07-01T12:00:00")


@pytest.mark.parametrize(
    ("field", "value"),
    [("total", "n/a"), ("total", 26.48), ("date_modified_gmt", None), ("line_items", [{}])],
)
def test_what_cannot_be_understood_is_refused(
    recorded: Recorded, field: str, value: object
) -> None:
    row = body(recorded, "order-variants", "orders/62")
    with pytest.raises((KeyError, TypeError, ValueError)):
        mapping.order({**row, field: value}, {})


def test_products(recorded: Recorded) -> None:
    simple = body(recorded, "products", "type=simple")[0]
    simple["brands"] = [{"id": 1, "name": "Tea &amp; Co", "slug": "tea-co"}]
    assert mapping.product(simple, "USD") == Product(
        id="33",
        title="Sampler No. 24",
        vendor="Tea & Co",
        tags=["new"],
        categories=["お茶"],
        updated_at=at("2026-11-21T21:07:55"),
        published_at=at("2026-11-21T21:07:55"),
        price=8488,
    )


@pytest.mark.parametrize(
    ("regular", "now", "currency", "price"),
    [
        ("84.88", "60.00", "USD", 8488),
        ("", "25.50", "EUR", 2550),
        ("", "", "EUR", None),
        ("1500", "1500", "JPY", 1500),
    ],
    ids=["on-sale", "with-variations", "not-for-sale", "yen"],
)
def test_a_product_costs_its_regular_price(
    recorded: Recorded, regular: str, now: str, currency: str, price: int | None
) -> None:
    row = body(recorded, "products", "type=simple")[0]
    row |= {"regular_price": regular, "price": now}
    assert mapping.product(row, currency).price == price


def test_a_product_of_an_older_store_has_no_brands(recorded: Recorded) -> None:
    row = body(recorded, "products", "variations,date_modified_gmt")[0]
    row |= {"regular_price": "", "price": "25.00", "date_created_gmt": row["date_modified_gmt"]}
    found = mapping.product(row, "USD")
    assert (found.title, found.vendor) == ('T-shirt "Crème & Co"', None)


class Noting(dict[str, Any]):
    """An object that notes which of its fields are looked at, as ``_fields`` names them."""

    def __init__(self, row: dict[str, Any], noted: set[str], inside: str = "") -> None:
        super().__init__(row)
        self._noted = noted
        self._inside = inside

    def __getitem__(self, name: str) -> Any:
        return self._note(name, super().__getitem__(name))

    def get(self, name: str, default: Any = None) -> Any:
        return self._note(name, super().get(name, default))

    def _note(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return Noting(value, self._noted, f"{name}.")
        self._noted.add(self._inside + name)
        return value


def test_asks_for_what_is_used_and_no_more(recorded: Recorded) -> None:
    """Every field costs the store time, lists most of all."""
    noted: set[str] = set()
    row = body(recorded, "orders-page", "dates_are_gmt=true&per_page=3")[2]
    mapping.order(Noting(row, noted), {})
    assert noted == set(mapping.ORDER_FIELDS.split(","))
    noted.clear()
    row = body(recorded, "customers-page", "per_page=3&page=2")[0]
    for part in ("country", "state", "city", "postcode"):
        row["billing"][part] = ""  # then the shipping address is looked at
    mapping.customer(Noting(row, noted), "segmentd_tags")
    assert noted == set(mapping.CUSTOMER_FIELDS.split(","))
    noted.clear()
    row = body(recorded, "products", "type=simple")[0]
    row["regular_price"] = ""
    mapping.product(Noting(row, noted), "USD")
    assert noted == set(mapping.PRODUCT_FIELDS.split(","))
