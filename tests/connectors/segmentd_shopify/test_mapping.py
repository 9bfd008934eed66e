from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from segmentd.sdk import Customer, Order, OrderLine, Product, Refund
from segmentd_shopify.mapping import number, to_customer, to_order, to_product

Recorded = Callable[[str], Any]


@pytest.fixture
def customers(recorded: Recorded) -> list[Any]:
    return list(recorded("customers_page")["data"]["customers"]["nodes"])


@pytest.fixture
def orders(recorded: Recorded) -> list[Any]:
    """The recorded orders with the fields that our operation asks for besides."""
    nodes = copy.deepcopy(recorded("orders_page")["data"]["orders"]["nodes"])
    for node in nodes:
        node["totalDiscountsSet"] = {"shopMoney": {"amount": "6.9", "currencyCode": "EUR"}}
        for refund in node["refunds"]:
            refund["processedAt"] = refund["createdAt"]
        for line in node["lineItems"]["nodes"]:
            line["originalTotalSet"] = line["discountedTotalSet"]
    return list(nodes)


def at(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def test_a_customer_with_everything(customers: list[Any]) -> None:
    assert to_customer(customers[0]) == Customer(
        id="7700000000101",
        updated_at=at(2026, 11, 20, 8, 1, 7),
        created_at=at(2024, 3, 2, 9, 14, 11),
        email="mirela.osterhagen@example.com",
        first_name="Mirela",
        last_name="Osterhagen",
        phone="+4915550100101",
        country="DE",
        region=None,
        city="Bremen",
        postcode="28195",
        language="de",
        account_state="ENABLED",
        email_consent="SUBSCRIBED",
        sms_consent="NOT_SUBSCRIBED",
        tags=["newsletter", "segd:vip", "Wholesale"],
    )


def test_a_customer_with_coordinates_and_metafields(customers: list[Any]) -> None:
    node = customers[0] | {"m0": {"value": " 1990-05-30 "}, "m1": None, "m2": {"value": ""}}
    node["defaultAddress"] |= {"latitude": 53.0758, "longitude": 8.8072}
    mapped = to_customer(node, ["facts.birth_date", "facts.shoe_size", "custom.note"])
    assert (mapped.latitude, mapped.longitude) == (53.0758, 8.8072)
    assert mapped.traits == {"metafields.facts.birth_date": "1990-05-30"}


def test_a_customer_without_name_phone_and_address(customers: list[Any]) -> None:
    mapped = to_customer(customers[1])
    assert (mapped.first_name, mapped.last_name, mapped.phone, mapped.country) == (None,) * 4
    assert mapped.sms_consent is None
    assert mapped.email_consent == "NOT_SUBSCRIBED"


def test_a_customer_of_whom_only_the_id_may_be_known(customers: list[Any]) -> None:
    denied = ("firstName", "lastName", "defaultEmailAddress", "defaultPhoneNumber")
    mapped = to_customer({**customers[0], **dict.fromkeys([*denied, "defaultAddress"])})
    assert mapped.id == "7700000000101"
    assert mapped.email is None
    assert mapped.email_consent is None


def test_a_paid_order(orders: list[Any]) -> None:
    assert to_order(orders[0]) == Order(
        id="5500000000201",
        placed_at=at(2026, 11, 19, 10),
        updated_at=at(2026, 11, 19, 10, 0, 2),
        currency="EUR",
        total=6190,
        paid=True,
        customer_id="7700000000101",
        email="mirela.osterhagen@example.com",
        status="paid",
        channel="web",
        discount=690,
        discount_codes=["SPRING10"],
        country="DE",
        city="Bremen",
        lines=[
            OrderLine(
                id="99100000001",
                product_id="8800000001",
                quantity=2,
                amount=5500,
                title="Heather honey 500 g",
                vendor="Imkerei Nord",
            )
        ],
    )


def test_money_is_of_the_shops_currency_and_refunds_are_listed(orders: list[Any]) -> None:
    mapped = to_order(orders[1])
    assert (mapped.currency, mapped.total) == ("EUR", 13450)
    assert mapped.refunds == [Refund("440000001", at(2026, 11, 20, 6, 59, 58), 3000)]
    assert mapped.paid


def test_a_cancelled_order_of_a_guest_with_a_deleted_product(orders: list[Any]) -> None:
    mapped = to_order(orders[2])
    assert mapped.cancelled_at == at(2026, 11, 20, 7, 9, 59)
    assert (mapped.status, mapped.paid) == (None, False)
    assert (mapped.customer_id, mapped.email) == (None, "walkin@example.com")
    assert (mapped.channel, mapped.country) == ("pos", None)
    assert mapped.lines[0].product_id is None


def test_what_discounts_took_off_a_line(orders: list[Any]) -> None:
    [line] = orders[0]["lineItems"]["nodes"]
    line["originalTotalSet"] = {"shopMoney": {"amount": "61.9", "currencyCode": "EUR"}}
    [mapped] = to_order(orders[0]).lines
    assert (mapped.amount, mapped.discount) == (5500, 690)


@pytest.mark.parametrize(
    ("status", "paid"),
    [
        ("PAID", True),
        ("PARTIALLY_PAID", True),
        ("PARTIALLY_REFUNDED", True),
        ("REFUNDED", True),
        ("AUTHORIZED", False),
        ("EXPIRED", False),
        ("PENDING", False),
        ("VOIDED", False),
    ],
)
def test_paid_means_that_money_came_in(orders: list[Any], status: str, paid: bool) -> None:
    mapped = to_order({**orders[0], "displayFinancialStatus": status})
    assert mapped.paid is paid
    assert mapped.status == status.lower()


def test_without_a_status_what_was_received_tells(orders: list[Any]) -> None:
    assert to_order({**orders[0], "displayFinancialStatus": None}).paid


def test_the_business_date_counts(orders: list[Any]) -> None:
    mapped = to_order({**orders[0], "processedAt": "2019-05-01T12:00:00Z"})
    assert mapped.placed_at == at(2019, 5, 1, 12)


def test_a_refund_without_money_is_none(orders: list[Any]) -> None:
    orders[1]["refunds"][0]["totalRefundedSet"]["shopMoney"]["amount"] = "0.0"
    assert to_order(orders[1]).refunds == []


def test_a_refund_without_creation_has_its_processing(orders: list[Any]) -> None:
    orders[1]["refunds"][0] |= {"createdAt": None, "processedAt": "2026-11-20T05:00:00Z"}
    assert to_order(orders[1]).refunds[0].created_at == at(2026, 11, 20, 5)


def test_yen_have_no_decimals(orders: list[Any]) -> None:
    money = {"shopMoney": {"amount": "1500.0", "currencyCode": "JPY"}}
    lines = orders[0]["lineItems"]
    lines["nodes"][0] |= {"originalTotalSet": money, "discountedTotalSet": money}
    mapped = to_order({**orders[0], "totalPriceSet": money})
    assert (mapped.currency, mapped.total, mapped.lines[0].amount) == ("JPY", 1500, 1500)


@pytest.fixture
def product() -> dict[str, Any]:
    return {
        "id": "gid://shopify/Product/8800000001",
        "title": "Heather honey 500 g",
        "vendor": "",
        "productType": "Honey",
        "tags": ["organic"],
        "updatedAt": "2026-11-20T08:00:00Z",
        "publishedAt": "2024-02-01T08:00:00Z",
        "priceRangeV2": {"minVariantPrice": {"amount": "27.5", "currencyCode": "EUR"}},
        "variants": {"nodes": [{"price": "27.50", "compareAtPrice": None}]},
    }


def test_a_product(product: dict[str, Any]) -> None:
    assert to_product(product) == Product(
        "8800000001",
        "Heather honey 500 g",
        "Honey",
        None,
        ["organic"],
        updated_at=at(2026, 11, 20, 8),
        published_at=at(2024, 2, 1, 8),
        price=2750,
    )


def test_a_product_that_was_never_published(product: dict[str, Any]) -> None:
    assert to_product(product | {"publishedAt": None}).published_at is None


@pytest.mark.parametrize(
    ("variants", "price"),
    [
        ([("40.00", None), ("27.50", None)], 2750),
        ([("40.00", "60.00"), ("27.50", "35.00")], 3500),
        ([("27.50", "20.00")], 2750),
        ([("27.50", "0.00")], 2750),
        ([("40.00", "60.00")], 2750),
        ([], 2750),
    ],
    ids=["cheapest", "reduced", "raised", "zero", "cheapest-not-listed", "none-listed"],
)
def test_a_product_costs_what_its_cheapest_variant_costs_without_a_sale(
    product: dict[str, Any], variants: list[tuple[str, str | None]], price: int
) -> None:
    nodes = [{"price": now, "compareAtPrice": before} for now, before in variants]
    assert to_product(product | {"variants": {"nodes": nodes}}).price == price


@pytest.mark.parametrize(
    ("gid", "digits"),
    [
        ("gid://shopify/Customer/10900217200946", "10900217200946"),
        ("gid://shopify/AbandonedCheckoutLineItem/1?checkout_id=36", "1"),
    ],
)
def test_ids_are_the_numbers_of_global_ids(gid: str, digits: str) -> None:
    assert number(gid) == digits


@pytest.mark.parametrize("gid", ["", "gid://shopify/Job/30946a4c-4395", "gid://shopify/Customer/"])
def test_other_ids_are_refused(gid: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        number(gid)


@pytest.mark.parametrize(
    "broken",
    [
        {"updatedAt": "soon"},
        {"totalPriceSet": {"shopMoney": {"amount": "NaN", "currencyCode": "EUR"}}},
        {"lineItems": None},
    ],
    ids=["time", "money", "lines"],
)
def test_what_cannot_be_understood_is_an_error(orders: list[Any], broken: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        to_order({**orders[0], **broken})
