"""What a source ought to yield of a store, told from the rows alone."""

from __future__ import annotations

from segmentd.sdk import Customer, Order, OrderLine, Refund
from segmentd_woocommerce.sandbox.store import CustomerRow, OrderRow

NO_ORDERS = {"checkout-draft", "trash"}


def customer(row: CustomerRow, meta_key: str) -> Customer:
    """An account."""
    address = row.billing
    return Customer(
        id=str(row.id),
        updated_at=row.modified,
        created_at=row.created,
        email=row.email or None,
        first_name=row.first_name or None,
        last_name=row.last_name or None,
        phone=address.get("phone") or None,
        country=address.get("country") or None,
        region=address.get("state") or None,
        city=address.get("city") or None,
        postcode=address.get("postcode") or None,
        account_state="ENABLED",
        tags=tags(row, meta_key),
    )


def tags(row: CustomerRow, meta_key: str) -> list[str]:
    """The tags in the customer meta."""
    values = [meta.value for meta in row.meta if meta.key == meta_key]
    return values[0].split(",") if values and isinstance(values[0], str) else []


def order(row: OrderRow) -> Order:
    """An order."""
    assert row.modified is not None  # noqa: S101 - orders always have one
    return Order(
        id=str(row.id),
        placed_at=row.paid_at or row.created,
        updated_at=row.modified,
        currency=row.currency,
        total=row.total,
        paid=row.status in {"processing", "completed", "refunded"},
        customer_id=str(row.customer_id) if row.customer_id else None,
        email=row.email or None,
        cancelled_at=row.modified if row.status == "cancelled" else None,
        status=row.status,
        channel=row.channel,
        discount=row.discount,
        discount_codes=list(row.codes),
        country=row.country or None,
        region=row.state or None,
        city=row.city or None,
        lines=[_line(line) for line in row.lines],
        refunds=[Refund(str(refund.id), refund.created, refund.amount) for refund in row.refunds],
    )


def _line(line: OrderLine) -> OrderLine:
    """What the API can hold of a line: no vendor."""
    return OrderLine(
        id=line.id,
        product_id=line.product_id,
        quantity=line.quantity,
        amount=line.amount,
        discount=line.discount,
        title=line.title,
    )
