"""Accounts end, and what was bought under their addresses without them goes on."""

from __future__ import annotations

from segmentd.domain.memberships import Cause
from segmentd.domain.records import Order
from segmentd.store.customers import remove_customers
from segmentd.store.guests import owners
from segmentd.store.saving import Saving
from segmentd.store.types import moment

_BY_ADDRESS = """
SELECT o.order_id, o.profile_id, o.placed_at, o.country, o.region, o.city,
       CASE WHEN c.email_key = o.email_key THEN c.email ELSE o.email_key END AS email
FROM customers c JOIN orders o ON o.profile_id = c.profile_id
WHERE c.source = ? AND c.guest = 0 AND c.customer_id IN (?*)
  AND o.customer_id IS NULL AND o.email_key IS NOT NULL
"""


def remove_accounts(saving: Saving, ids: list[str]) -> int:
    """Tombstone accounts; orders that they had by their address alone become a guest's.

    WooCommerce makes the orders of a deleted account a guest's. Where they were read before it was
    known that the account is gone, its address still led to it.
    """
    rows = saving.bulk.rows(_BY_ADDRESS, saving.source, ids)
    removed = remove_customers(saving, ids)
    orders = [
        Order(
            str(row.order_id), moment(row.placed_at), moment(row.placed_at), "", 0, paid=True,
            email=row.email, country=row.country or None, region=row.region, city=row.city,
        )
        for row in rows
    ]  # fmt: skip
    moves = [
        (profile_id, row.profile_id, row.order_id)
        for row, profile_id in zip(rows, owners(saving, orders), strict=True)
        if profile_id is not None
    ]
    for table in ("orders", "order_lines", "refunds"):
        saving.bulk.execute_many(
            f"UPDATE {table} SET profile_id = ? WHERE profile_id = ? AND order_id = ?",  # noqa: S608
            moves,
        )
    saving.mark((profile_id for profile_id, _, _ in moves), Cause.ORDER)
    return removed
