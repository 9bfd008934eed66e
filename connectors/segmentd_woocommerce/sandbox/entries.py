"""From the records of the domain, a convenient notation, to the rows of a store."""

from __future__ import annotations

from datetime import datetime
from typing import overload

from segmentd.sdk import Customer, Order, Product
from segmentd_woocommerce.sandbox.store import (
    STATUSES,
    CustomerRow,
    OrderRow,
    ProductRow,
    RefundRow,
)


@overload
def _whole(moment: datetime) -> datetime: ...
@overload
def _whole(moment: None) -> None: ...
def _whole(moment: datetime | None) -> datetime | None:
    """MySQL keeps whole seconds."""
    return moment and moment.replace(microsecond=0)


def customer_row(customer: Customer, old: CustomerRow | None, now: datetime) -> CustomerRow:
    """An account; what a record does not have stays as it was."""
    row = old or CustomerRow(int(customer.id), _whole(customer.created_at) or now, None, "")
    row.created = _whole(customer.created_at) or row.created
    row.modified = _whole(customer.updated_at) or now
    row.email = customer.email or ""
    row.first_name = customer.first_name or ""
    row.last_name = customer.last_name or ""
    row.billing |= {
        "first_name": row.first_name,
        "last_name": row.last_name,
        "email": row.email,
        "phone": customer.phone or "",
        "country": customer.country or "",
        "state": customer.region or "",
        "city": customer.city or "",
        "postcode": customer.postcode or "",
    }
    return row


def order_row(order: Order, email: str) -> OrderRow:
    """An order; paid when it was placed, if at all."""
    id_ = int(order.id)
    refunds = [
        RefundRow(
            int(refund.id) if refund.id.isdigit() else 0,
            id_,
            _whole(refund.created_at),
            _whole(refund.created_at),
            refund.amount,
        )
        for refund in order.refunds
    ]
    return OrderRow(
        id=id_,
        created=_whole(order.placed_at),
        modified=_whole(order.updated_at),
        status=_status(order),
        currency=order.currency,
        total=order.total,
        customer_id=int(order.customer_id) if order.customer_id else 0,
        paid_at=_whole(order.placed_at) if order.paid else None,
        email=email,
        country=order.country or "",
        state=order.region or "",
        city=order.city or "",
        channel=order.channel or "checkout",
        discount=order.discount,
        codes=[code.lower() for code in order.discount_codes],
        lines=list(order.lines),
        refunds=refunds,
    )


def _status(order: Order) -> str:
    """The record's own if the store has it, else what fits the rest of the record."""
    if order.cancelled_at is not None:
        return "cancelled"
    if order.status in STATUSES:
        return str(order.status)
    if not order.paid:
        return "pending"
    returned = sum(refund.amount for refund in order.refunds)
    return "refunded" if order.refunds and returned >= order.total else "completed"


def product_row(product: Product, now: datetime) -> ProductRow:
    """A product; a shop without categories has its type as one."""
    categories = product.categories or ([product.product_type] if product.product_type else [])
    modified = _whole(product.updated_at) or now
    return ProductRow(
        id=int(product.id),
        created=_whole(product.published_at) or modified,
        modified=modified,
        name=product.title or "",
        categories=list(categories),
        tags=list(product.tags),
        brand=product.vendor,
        price=product.price,
    )
