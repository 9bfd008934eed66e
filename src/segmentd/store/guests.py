"""Finds the profile that an order belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from segmentd.domain.memberships import Cause
from segmentd.domain.records import Order
from segmentd.store.bulk import Found
from segmentd.store.customers import (
    CUSTOMER_COLUMNS,
    PROFILE_COLUMNS,
    add_empty_customers,
    address_key,
    customer_rows,
)
from segmentd.store.saving import Saving


def owners(saving: Saving, orders: Sequence[Order]) -> list[int | None]:
    """The profile of each order; None where nobody can be found.

    By customer id if the order has one, else by e-mail: an account's first, then a guest's.
    """
    ids = {order.customer_id for order in orders if order.customer_id}
    accounts = customer_rows(saving, sorted(ids))
    accounts |= add_empty_customers(saving, ids - accounts.keys())
    guests = _guests(saving, [order for order in orders if not order.customer_id])
    return [
        accounts[order.customer_id]
        if order.customer_id
        else guests.get(address_key(order.email) or "")
        for order in orders
    ]


@dataclass(slots=True)
class _Guest:
    """A guest and the order that tells most recently where they live."""

    key: str
    latest: Order
    row: Found | None = None
    row_id: int = 0
    profile_id: int = 0

    @property
    def customer_id(self) -> str:
        return f"guest:{self.key}"


def _guests(saving: Saving, orders: list[Order]) -> dict[str, int]:
    """E-mail key → profile, of the account that has it or of a guest."""
    latest: dict[str, Order] = {}
    for order in orders:
        key = address_key(order.email)
        if key and (key not in latest or order.placed_at >= latest[key].placed_at):
            latest[key] = order
    if not latest:
        return {}
    found = _accounts(saving, list(latest))
    guests = {key: _Guest(key, order) for key, order in latest.items() if key not in found}
    for row in _stored(saving, [guest.customer_id for guest in guests.values()]):
        guests[row.email_key].row = row
    _write(saving, [guest for guest in guests.values() if _number(saving, guest)])
    return found | {key: guest.profile_id for key, guest in guests.items()}


def _accounts(saving: Saving, keys: list[str]) -> dict[str, int]:
    rows = saving.bulk.rows(
        "SELECT email_key, profile_id FROM customers WHERE source = ? AND guest = 0 "
        "AND gone_at IS NULL AND email_key IN (?*) ORDER BY row_id DESC",
        saving.source,
        keys,
    )
    return {row.email_key: row.profile_id for row in rows}


def _stored(saving: Saving, ids: list[str]) -> Sequence[Found]:
    if not ids:
        return ()
    return saving.bulk.rows(
        "SELECT c.email_key, c.row_id, c.profile_id, c.updated_at, c.gone_at, "
        "p.customer_id AS main FROM customers c JOIN profiles p ON p.profile_id = c.profile_id "
        "WHERE c.source = ? AND c.customer_id IN (?*)",
        saving.source,
        ids,
    )


def _number(saving: Saving, guest: _Guest) -> bool:
    """Say which row and profile are the guest's, 0 for new ones; whether they must be written."""
    row = guest.row
    if row is None:
        return True
    guest.row_id = row.row_id
    if row.gone_at is not None:
        return True
    guest.profile_id = row.profile_id
    # one whom an account adopted is left as it is
    newer = saving.bulk.instant(guest.latest.placed_at) > row.updated_at
    return bool(row.main == guest.customer_id and newer)


def _write(saving: Saving, guests: list[_Guest]) -> None:
    new = [guest for guest in guests if not guest.row_id]
    for row_id, guest in enumerate(new, saving.bulk.take("customers", len(new)) if new else 0):
        guest.row_id = row_id
    homeless = [guest for guest in guests if not guest.profile_id]
    first = saving.bulk.take("profiles", len(homeless)) if homeless else 0
    for profile_id, guest in enumerate(homeless, first):
        guest.profile_id = profile_id
    saving.bulk.upsert("profiles", PROFILE_COLUMNS, [_profile(saving, g) for g in guests])
    saving.bulk.upsert("customers", CUSTOMER_COLUMNS, [_customer(saving, g) for g in guests])
    saving.mark((guest.profile_id for guest in guests), Cause.PROFILE)


def _profile(saving: Saving, guest: _Guest) -> tuple[Any, ...]:
    order = guest.latest
    return (
        guest.profile_id, saving.source, guest.customer_id, order.email, guest.key, None,
        order.country, order.region, order.city, None, None, None, None, None, None, None, "",
        None, saving.touch,
    )  # fmt: skip


def _customer(saving: Saving, guest: _Guest) -> tuple[Any, ...]:
    order = guest.latest
    return (
        guest.row_id, saving.source, guest.customer_id, guest.profile_id, 1, order.email,
        guest.key, "", saving.bulk.instant(order.placed_at), None, b"",
    )  # fmt: skip
