"""Shopify's words into ours: plain functions over the parsed JSON of one node.

They raise KeyError, TypeError or ValueError for a node that cannot be understood.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from segmentd.sdk import Customer, Order, OrderLine, Product, Refund, clean, instant, minor_units

Node = Mapping[str, Any]

# prices repeat: a third of the time of a page of orders goes into exact decimals otherwise
_units = lru_cache(maxsize=8192)(minor_units)
# and so do titles, countries and states
_text = lru_cache(maxsize=8192)(clean)
_PAID = {"PAID", "PARTIALLY_PAID", "PARTIALLY_REFUNDED", "REFUNDED"}
PROTECTED = {
    "firstName": ("Name", ("first_name",)),
    "lastName": ("Name", ("last_name",)),
    "defaultEmailAddress": ("Email", ("email", "email_consent")),
    "defaultPhoneNumber": ("Phone", ("phone", "sms_consent")),
    "defaultAddress": (
        "Address",
        ("country", "region", "city", "postcode", "latitude", "longitude"),
    ),
    "email": ("Email", ("email",)),
    "shippingAddress": ("Address", ("country", "region", "city")),
}
"""Field of a customer or an order that may be denied → the protected customer data that it is of,
and what we make of it. https://shopify.dev/docs/apps/launch/protected-customer-data"""


def gid(kind: str, record_id: str) -> str:
    """``("Customer", "7")`` → ``gid://shopify/Customer/7``."""
    return f"gid://shopify/{kind}/{record_id}"


def number(global_id: str) -> str:
    """``gid://shopify/Customer/7`` → ``"7"``; some ids carry parameters behind a question mark."""
    digits = global_id.rpartition("/")[2]
    if digits.isdigit():
        return digits
    digits = digits.partition("?")[0]
    if digits.isdigit():
        return digits
    raise ValueError(f"{global_id!r:.80} is no id of a record")


# and so do products
_number = lru_cache(maxsize=8192)(number)


def to_customer(node: Node, metafields: Sequence[str] = ()) -> Customer:
    """A customer; everything but the id may be missing or denied.

    ``metafields``: NAMESPACE.KEY of those that were asked for, in the order of their aliases.
    """
    email = node["defaultEmailAddress"] or {}
    phone = node["defaultPhoneNumber"] or {}
    address = node["defaultAddress"] or {}
    return Customer(
        id=number(node["id"]),
        updated_at=instant(node["updatedAt"]),
        created_at=instant(node["createdAt"]),
        email=clean(email.get("emailAddress")),
        first_name=clean(node["firstName"]),
        last_name=clean(node["lastName"]),
        phone=clean(phone.get("phoneNumber")),
        country=_text(address.get("countryCodeV2")),
        region=_text(address.get("provinceCode")),
        city=_text(address.get("city")),
        postcode=_text(address.get("zip")),
        latitude=_degrees(address.get("latitude")),
        longitude=_degrees(address.get("longitude")),
        language=_text(node["locale"]),
        account_state=_text(node["state"]),
        email_consent=_text(email.get("marketingState")),
        sms_consent=_text(phone.get("marketingState")),
        tags=_texts(node["tags"]),
        traits=_traits(node, metafields),
    )


def withheld(denied: Iterable[str]) -> dict[str, str]:
    """Our fields of a customer that come out of denied ones → the right that is missing."""
    return {
        field: f'protected customer data "{PROTECTED[name][0]}"'
        for name in denied
        for field in PROTECTED[name][1]
    }


def _degrees(value: Any) -> float | None:
    return None if value is None else float(value)


def _traits(node: Node, metafields: Sequence[str]) -> dict[str, str]:
    found = {}
    for n, metafield in enumerate(metafields):
        value = clean((node[f"m{n}"] or {}).get("value"))
        if value is not None:
            found[f"metafields.{metafield}"] = value
    return found


def to_order(node: Node) -> Order:
    """An order whose ``lineItems`` are complete; money in the shop's currency.

    ``processedAt`` is the business date, which imports set into the past.
    """
    status = node["displayFinancialStatus"]
    customer = node["customer"]
    address = node["shippingAddress"] or {}
    currency = node["totalPriceSet"]["shopMoney"]["currencyCode"]
    discounts = node["totalDiscountsSet"]
    lines = [_line(line, currency) for line in node["lineItems"]["nodes"]]
    if len(lines) > 1:
        lines.sort(key=_by_number)
    return Order(
        id=number(node["id"]),
        placed_at=instant(node["processedAt"]),
        updated_at=instant(node["updatedAt"]),
        currency=currency,
        total=_shop_money(node["totalPriceSet"], currency),
        # a cancelled order has no status; what was received then tells
        paid=status in _PAID if status else _shop_money(node["totalReceivedSet"], currency) > 0,
        customer_id=None if customer is None else number(customer["id"]),
        email=clean(node["email"]),
        cancelled_at=None if node["cancelledAt"] is None else instant(node["cancelledAt"]),
        test=node["test"],
        status=status.lower() if status else None,
        channel=_text(node["sourceName"]),
        discount=_shop_money(discounts, currency) if discounts else 0,
        discount_codes=_texts(node["discountCodes"]),
        tags=_texts(node["tags"]),
        country=_text(address.get("countryCodeV2")),
        region=_text(address.get("provinceCode")),
        city=_text(address.get("city")),
        lines=lines,
        refunds=_refunds(node["refunds"], currency) if node["refunds"] else [],
    )


def to_product(node: Node) -> Product:
    """A product; what it costs is what its cheapest variant costs when it is not on sale."""
    return Product(
        id=number(node["id"]),
        title=_text(node["title"]),
        product_type=_text(node["productType"]),
        vendor=_text(node["vendor"]),
        tags=_texts(node["tags"]),
        updated_at=instant(node["updatedAt"]),
        published_at=None if node["publishedAt"] is None else instant(node["publishedAt"]),
        price=_regular_price(node),
    )


def _regular_price(node: Node) -> int:
    lowest = node["priceRangeV2"]["minVariantPrice"]
    currency = lowest["currencyCode"]
    price = _units(lowest["amount"], currency)
    for variant in node["variants"]["nodes"]:
        if variant["compareAtPrice"] and _units(variant["price"], currency) == price:
            return max(price, _units(variant["compareAtPrice"], currency))
    return price


def _line(node: Node, currency: str) -> OrderLine:
    product = node["product"]
    before = node["originalTotalSet"]["shopMoney"]["amount"]
    charged = node["discountedTotalSet"]["shopMoney"]["amount"]
    amount = _units(charged, currency)
    # in the order of the fields: the names cost a tenth of the time of a page
    return OrderLine(
        number(node["id"]),
        None if product is None else _number(product["id"]),
        node["quantity"],
        amount,
        0 if before == charged else _units(before, currency) - amount,
        _text(node["title"]),
        _text(node["vendor"]),
    )


def _by_number(line: OrderLine) -> int:
    """The lines of a bulk result come in any order, which must not look like a change."""
    return int(line.id)


def _refunds(nodes: list[Node], currency: str) -> list[Refund]:
    """Refunds of money; one that only took goods back has the amount 0 and is left out."""
    refunds = []
    for node in nodes:
        amount = _shop_money(node["totalRefundedSet"], currency)
        if amount:
            at = instant(node["createdAt"] or node["processedAt"])
            refunds.append(Refund(number(node["id"]), at, amount))
    return refunds


def _shop_money(bag: Node, currency: str) -> int:
    """Minor units of a MoneyBag in the shop's currency, not in the one the customer saw."""
    return _units(bag["shopMoney"]["amount"], currency)


def _texts(texts: list[str]) -> list[str]:
    return [text for each in texts if (text := _text(each))] if texts else []
