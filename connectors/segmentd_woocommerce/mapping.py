"""WooCommerce's words into ours; pure.

Every function raises KeyError, TypeError or ValueError for a row that cannot be understood.
Facts: https://woocommerce.github.io/woocommerce-rest-api-docs/ and measurements on 10.5.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from segmentd.sdk import (
    Customer,
    Order,
    OrderLine,
    Product,
    Refund,
    clean,
    instant,
    minor_units,
)

Row = Mapping[str, Any]

CUSTOMER_FIELDS = (
    "id,date_created_gmt,date_modified_gmt,email,first_name,last_name,"
    "billing.country,billing.state,billing.city,billing.postcode,billing.phone,"
    "shipping.country,shipping.state,shipping.city,shipping.postcode,meta_data"
)
ORDER_FIELDS = (
    "id,status,currency,total,discount_total,discount_tax,customer_id,created_via,"
    "billing.email,billing.country,billing.state,billing.city,"
    "date_created_gmt,date_modified_gmt,date_paid_gmt,line_items,coupon_lines,refunds"
)
"""Lists only whole: a path into a list drops the list."""
PRODUCT_FIELDS = (
    "id,name,date_created_gmt,date_modified_gmt,regular_price,price,categories,tags,brands"
)

DRAFTS = frozenset({"checkout-draft", "auto-draft"})
"""Begun at the checkout, not placed; in ``status=any`` all the same. Deleted after a day."""
_PAID = frozenset({"processing", "completed", "refunded"})
_UNPAID = frozenset({"pending", "on-hold", "cancelled", "failed", "trash"})


def customer(row: Row, meta_key: str, meta: Sequence[str] = ()) -> Customer:
    """An account; ``meta_key`` holds its tags, the keys ``meta`` its traits."""
    address = _address(row)
    return Customer(
        id=str(row["id"]),
        # null until WooCommerce first saves the profile
        updated_at=_moment(row["date_modified_gmt"]),
        created_at=_moment(row["date_created_gmt"]),
        email=clean(row["email"]),
        first_name=clean(row["first_name"]),
        last_name=clean(row["last_name"]),
        phone=clean(row["billing"].get("phone")),
        country=clean(address.get("country")),
        region=clean(address.get("state")),
        city=clean(address.get("city")),
        postcode=clean(address.get("postcode")),
        account_state="ENABLED",
        tags=_tags_or_none(meta_value(row, meta_key)),
        traits=_traits(row, meta),
    )


def _traits(row: Row, keys: Sequence[str]) -> dict[str, str]:
    values = {key: _meta_text(meta_value(row, key)) for key in keys}
    return {f"meta.{key}": text for key, text in values.items() if text}


def _meta_text(value: object) -> str | None:
    """Lists and objects, as plugins keep them, in JSON."""
    if isinstance(value, list | dict):
        return clean(json.dumps(value, ensure_ascii=False)) if value else None
    return clean(value)


def _tags_or_none(value: object) -> list[str]:
    try:
        return tags_in(value)
    except ValueError:
        return []


def _address(row: Row) -> Row:
    """The billing address, or the shipping address if nothing of that says where it is."""
    for kind in ("billing", "shipping"):
        address: Row = row.get(kind) or {}
        if any(clean(address.get(part)) for part in ("country", "state", "city", "postcode")):
            return address
    return {}


def meta_value(row: Row, key: str) -> object:
    """The value of a meta key; None if there is none. Of several the last counts."""
    value: object = None
    for entry in row["meta_data"]:
        if entry["key"] == key:
            value = entry["value"]
    return value


def tags_in(value: object) -> list[str]:
    """The tags in a meta value: a text with commas; a list, as other software may have left it.

    ValueError for anything else.
    """
    if value is None:
        return []
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not all(isinstance(tag, str) for tag in value):
        raise ValueError("the customer meta holds something else than tags")
    return [tag for tag in map(clean, value) if tag]


def order(row: Row, refunded_at: Mapping[int, datetime]) -> Order:
    """An order; ``refunded_at``: refund id → when, as far as known."""
    currency = row["currency"]
    billing = row["billing"]
    changed = instant(row["date_modified_gmt"])
    created = _moment(row["date_created_gmt"])
    status = row["status"]
    return Order(
        id=str(row["id"]),
        placed_at=_moment(row["date_paid_gmt"]) or created or changed,
        updated_at=changed,
        currency=currency,
        total=minor_units(row["total"], currency),
        paid=_was_paid(row),
        customer_id=str(row["customer_id"]) if row["customer_id"] else None,
        email=clean(billing.get("email")),
        cancelled_at=changed if status == "cancelled" else None,
        status=status,
        channel=clean(row["created_via"]),
        discount=_sum(currency, row["discount_total"], row["discount_tax"]),
        discount_codes=[code for line in row["coupon_lines"] if (code := clean(line["code"]))],
        country=clean(billing.get("country")),
        region=clean(billing.get("state")),
        city=clean(billing.get("city")),
        lines=[_line(line, currency) for line in row["line_items"]],
        refunds=[
            Refund(
                id=str(refund["id"]),
                # the list in the order has amounts only
                created_at=refunded_at.get(refund["id"], changed),
                amount=abs(minor_units(refund["total"], currency)),
            )
            for refund in row["refunds"]
        ],
    )


def _was_paid(row: Row) -> bool:
    """Cash on delivery is processing without a date of payment; plugins have their own statuses."""
    status = row["status"]
    return status in _PAID or (status not in _UNPAID and _moment(row["date_paid_gmt"]) is not None)


def _line(row: Row, currency: str) -> OrderLine:
    # gross, as the order's total is; discounts are off already
    amount = _sum(currency, row["total"], row["total_tax"])
    return OrderLine(
        id=str(row["id"]),
        # 0 once the product was deleted
        product_id=str(row["product_id"]) if row["product_id"] else None,
        quantity=int(row["quantity"]),
        amount=amount,
        # a price that was raised by hand is no discount
        discount=max(0, _sum(currency, row["subtotal"], row["subtotal_tax"]) - amount),
        title=_unescaped(row["name"]),
    )


def product(row: Row, currency: str) -> Product:
    """A product; what other shops call its type is a category here.

    One with variations has no regular price of its own: ``price`` is that of its cheapest one.
    """
    categories = _names(row["categories"])
    # brands came with WooCommerce 9.6
    brands = _names(row.get("brands") or [])
    price = row["regular_price"] or row["price"]
    return Product(
        id=str(row["id"]),
        title=_unescaped(row["name"]),
        vendor=brands[0] if brands else None,
        tags=_names(row["tags"]),
        categories=categories,
        updated_at=_moment(row["date_modified_gmt"]),
        published_at=_moment(row["date_created_gmt"]),
        price=minor_units(price, currency) if price else None,
    )


def _names(terms: list[Row]) -> list[str]:
    return [name for term in terms if (name := _unescaped(term["name"]))]


def _unescaped(text: object) -> str | None:
    """Product and term names come HTML-escaped (``&amp;``)."""
    cleaned = clean(text)
    return cleaned and html.unescape(cleaned)


def _moment(text: object) -> datetime | None:
    """A ``*_gmt`` field; None for null and for MySQL's ``0000-00-00``."""
    if not isinstance(text, str) or text.startswith("0000"):
        return None
    return instant(text)


# prices repeat, and exact decimals take time
@lru_cache(maxsize=8192)
def _sum(currency: str, amount: str, tax: str) -> int:
    """Added before rounding: with more decimals than the currency has it makes a difference."""
    if not tax.strip("0."):  # most
        return minor_units(amount, currency)
    try:
        return minor_units(format(Decimal(amount) + Decimal(tax), "f"), currency)
    except InvalidOperation as error:
        raise ValueError(f"{amount!r:.40} and {tax!r:.40} are no amounts of money") from error
