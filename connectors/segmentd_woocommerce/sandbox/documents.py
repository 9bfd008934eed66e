"""Rows as the API shows them, key by key as recorded from WooCommerce 10.5."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from segmentd.sdk import OrderLine, exponent
from segmentd_woocommerce.sandbox.store import CustomerRow, OrderRow, RefundRow, Store

Document = dict[str, Any]

_SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_BILLING = (
    "first_name last_name company address_1 address_2 city postcode country state email phone"
)
_SHIPPING = "first_name last_name company address_1 address_2 city postcode country state phone"
_ALL = ["GET", "POST", "PUT", "PATCH", "DELETE"]


def money(minor: int, currency: str) -> str:
    """Never fewer decimals than the store's two, whatever the currency has."""
    decimals = exponent(currency)
    if decimals == 2 and minor >= 0:  # nearly all: lists of long orders need this fast
        return f"{minor // 100}.{minor % 100:02}"
    return format(Decimal(minor).scaleb(-decimals), f".{max(2, decimals)}f")


def gmt(moment: datetime | None) -> str | None:
    """A ``*_gmt`` field: no ``Z``."""
    return None if moment is None else _naive(moment, UTC)


def local(moment: datetime | None, zone: ZoneInfo) -> str | None:
    """The same in the store's time, without an offset."""
    return None if moment is None else _naive(moment, zone)


def _naive(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).replace(tzinfo=None).isoformat(timespec="seconds")


def customer(row: CustomerRow, store: Store, base: str) -> Document:
    """A customer; no sums over orders in v3."""
    digest = hashlib.sha256(row.email.lower().encode()).hexdigest() if row.email else ""
    return {
        "id": row.id,
        "date_created": local(row.created, store.zone),
        "date_created_gmt": gmt(row.created),
        "date_modified": local(row.modified, store.zone),
        "date_modified_gmt": gmt(row.modified),
        "email": row.email,
        "first_name": row.first_name,
        "last_name": row.last_name,
        "role": row.role,
        "username": f"c{row.id:03d}",
        "billing": {name: row.billing.get(name, "") for name in _BILLING.split()},
        "shipping": {name: row.shipping.get(name, "") for name in _SHIPPING.split()},
        "is_paying_customer": row.paying,
        "avatar_url": f"https://secure.gravatar.com/avatar/{digest}?s=96&d=mm&r=g",
        "meta_data": [{"id": meta.id, "key": meta.key, "value": meta.value} for meta in row.meta],
        "_links": links(base, "customers", row.id),
    }


def links(base: str, collection: str, id_: int, allow: Sequence[str] = _ALL) -> Document:
    """Where an object and its list are, by the store's own idea of its address."""
    return {
        "self": [{"href": f"{base}/{collection}/{id_}", "targetHints": {"allow": list(allow)}}],
        "collection": [{"href": f"{base}/{collection}"}],
    }


def order(row: OrderRow, store: Store, base: str) -> Document:
    """An order; refunds are not off the total."""
    address = {
        **dict.fromkeys(["first_name", "last_name", "company", "address_1", "address_2"], ""),
        "city": row.city,
        "state": row.state,
        "postcode": "",
        "country": row.country,
    }
    zone, currency = store.zone, row.currency
    rest = row.total - sum(line.amount for line in row.lines) if row.lines else 0
    zero = money(0, currency)
    completed = row.paid_at if row.status == "completed" else None
    key = f"wc_order_{row.id:013d}"
    return {
        "id": row.id,
        "parent_id": 0,
        "status": row.status,
        "currency": currency,
        "version": "10.5.2",
        "prices_include_tax": False,
        "date_created": local(row.created, zone),
        "date_modified": local(row.modified, zone),
        "discount_total": money(row.discount, currency),
        "discount_tax": zero,
        "shipping_total": money(max(rest, 0), currency),
        "shipping_tax": zero,
        "cart_tax": zero,
        "total": money(row.total, currency),
        "total_tax": zero,
        "customer_id": row.customer_id,
        "order_key": key,
        "billing": {**address, "email": row.email, "phone": ""},
        "shipping": {**address, "phone": ""},
        "payment_method": "cod",
        "payment_method_title": "Cash on delivery",
        "transaction_id": "",
        "customer_ip_address": "",
        "customer_user_agent": "",
        "created_via": row.channel,
        "customer_note": "",
        "date_completed": local(completed, zone),
        "date_paid": local(row.paid_at, zone),
        "cart_hash": "",
        "number": str(row.id),
        "meta_data": _order_meta(row),
        "line_items": [_line(line, row) for line in row.lines],
        "tax_lines": [],
        "shipping_lines": [_shipping(row, rest)] if rest > 0 else [],
        "fee_lines": [_fee(row, rest)] if rest < 0 else [],
        "coupon_lines": [
            _coupon(row, code, row.discount if index == 0 else 0)
            for index, code in enumerate(row.codes)
        ],
        "refunds": [
            {"id": refund.id, "reason": refund.reason, "total": money(-refund.amount, currency)}
            for refund in row.refunds
        ],
        "payment_url": f"{base.partition('/wp-json')[0]}/checkout/order-pay/{row.id}/"
        f"?pay_for_order=true&key={key}",
        "is_editable": False,
        "needs_payment": row.status in {"pending", "failed", "checkout-draft"},
        "needs_processing": True,
        "date_created_gmt": gmt(row.created),
        "date_modified_gmt": gmt(row.modified),
        "date_completed_gmt": gmt(completed),
        "date_paid_gmt": gmt(row.paid_at),
        "currency_symbol": _SYMBOLS.get(currency, currency),
        "_links": _order_links(row, base),
    }


def _order_meta(row: OrderRow) -> list[Document]:
    meta: list[Document] = [
        {"id": row.id * 3, "key": "_wc_order_attribution_utm_source", "value": "google"}
    ]
    if row.status == "trash" and row.modified:
        stamp = str(int(row.modified.timestamp()))
        before = f"wc-{row.before_trash}"
        meta += [
            {"id": row.id * 3 + 1, "key": "_wp_trash_meta_status", "value": before},
            {"id": row.id * 3 + 2, "key": "_wp_trash_meta_time", "value": stamp},
        ]
    return meta


def _order_links(row: OrderRow, base: str) -> Document:
    found = links(base, "orders", row.id)
    templates = f"{base}/orders/{row.id}/actions/email_templates"
    found["email_templates"] = [{"embeddable": True, "href": templates}]
    if row.customer_id:
        found["customer"] = [{"href": f"{base}/customers/{row.customer_id}"}]
    return found


def _line(line: OrderLine, row: OrderRow) -> Document:
    zero = money(0, row.currency)
    total = money(line.amount, row.currency)
    product_id = _number(line.product_id)
    return {
        "id": int(line.id) if line.id.isdigit() else row.id * 100,
        "name": escaped(line.title or ""),
        "product_id": product_id,
        "variation_id": 0,
        "quantity": line.quantity,
        "tax_class": "",
        "subtotal": money(line.amount + line.discount, row.currency) if line.discount else total,
        "subtotal_tax": zero,
        "total": total,
        "total_tax": zero,
        "taxes": [],
        "meta_data": [],
        "sku": sku(product_id) if product_id else None,
        "global_unique_id": "",
        "price": _price(line, row.currency),
        "image": {"id": "", "src": ""},
        "parent_name": None,
    }


def _number(id_: str | None) -> int:
    return int(id_) if id_ and id_.isdigit() else 0


def sku(product_id: int) -> str:
    """The stock number of a product."""
    return f"SKU-{product_id:03d}"


def _price(line: OrderLine, currency: str) -> float:
    """The only amount that is a JSON number."""
    price = line.amount / 10 ** exponent(currency) / (line.quantity or 1)
    return int(price) if price.is_integer() else price


def _shipping(row: OrderRow, amount: int) -> Document:
    return {
        "id": row.id * 100 + 97,
        "method_title": "Flat rate",
        "method_id": "flat_rate",
        "instance_id": "",
        "total": money(amount, row.currency),
        "total_tax": money(0, row.currency),
        "taxes": [],
        "tax_status": "taxable",
        "meta_data": [],
    }


def _fee(row: OrderRow, amount: int) -> Document:
    return {
        "id": row.id * 100 + 98,
        "name": "Adjustment",
        "tax_class": "",
        "tax_status": "none",
        "amount": "",
        "total": money(amount, row.currency),
        "total_tax": money(0, row.currency),
        "taxes": [],
        "meta_data": [],
    }


def _coupon(row: OrderRow, code: str, discount: int) -> Document:
    return {
        "id": row.id * 100 + 99,
        "code": code,
        "discount": money(discount, row.currency),
        "discount_tax": money(0, row.currency),
        "meta_data": [],
        "discount_type": "fixed_cart",
        "nominal_amount": discount / 10 ** exponent(row.currency),
        "free_shipping": False,
    }


def refund(row: RefundRow, parent: OrderRow, store: Store, base: str) -> Document:
    """A refund in the store-wide list; the list of one order leaves ``parent_id`` out."""
    found = links(base, f"orders/{parent.id}/refunds", row.id, ["GET", "DELETE"])
    found["up"] = [{"href": f"{base}/orders/{parent.id}"}]
    kind = "full" if row.amount >= parent.total else "partial"
    return {
        "id": row.id,
        "parent_id": parent.id,
        "date_created": local(row.created, store.zone),
        "date_created_gmt": gmt(row.created),
        "amount": money(row.amount, parent.currency),
        "reason": row.reason,
        "refunded_by": 1,
        "refunded_payment": False,
        "meta_data": [{"id": row.id * 3, "key": "_refund_type", "value": kind}],
        "line_items": [],
        "shipping_lines": [],
        "tax_lines": [],
        "fee_lines": [],
        "_links": found,
    }


def escaped(text: str) -> str:
    """As product and term names come: ``&amp;``, but quotes as they are."""
    return html.escape(text, quote=False)
