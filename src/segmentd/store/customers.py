"""Saves customers and decides who is who inside of one source.

An account is one profile. A guest is a customer called ``guest:<e-mail>`` with a profile of its
own, until an account turns up with that e-mail: then the account takes the profile over, or, if it
has one already, the guest's history moves there. The guest's row stays as an alias, so that the
same address leads to the same person even after the account changed its e-mail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from segmentd.domain.identity import email_key, tag_key
from segmentd.domain.memberships import Cause
from segmentd.domain.records import Customer
from segmentd.segmenter.frames import pack
from segmentd.store.bulk import Found
from segmentd.store.content import Prepared, is_older
from segmentd.store.merge import merge_profiles
from segmentd.store.relative import remove_values
from segmentd.store.saving import Saving
from segmentd.store.traits import remove_traits, save_traits

LONGEST_EMAIL = 320
"""RFC 3696: 64 characters, @, 255 characters."""

PROFILE_COLUMNS = (
    "profile_id", "source", "customer_id", "email", "email_key", "created_at", "country", "region",
    "city", "postcode", "latitude", "longitude", "language", "account_state", "email_consent",
    "sms_consent", "tags", "gone_at", "touched",
)  # fmt: skip
CUSTOMER_COLUMNS = (
    "row_id", "source", "customer_id", "profile_id", "guest", "email", "email_key", "tag_keys",
    "updated_at", "gone_at", "hash",
)  # fmt: skip


def address_key(email: str | None) -> str | None:
    """``email_key``, but None for what is too long to be an address."""
    key = email_key(email)
    return key if key and len(key) <= LONGEST_EMAIL else None


def save_customers(saving: Saving, customers: Mapping[str, Prepared[Customer]]) -> None:
    """Write what is new or changed; adopt guests by e-mail."""
    if not customers:
        return
    stored = {row.customer_id: row for row in _stored(saving, list(customers))}
    changed = []
    for key, prepared in customers.items():
        row = stored.get(key)
        if row is None or _changed(saving, prepared, row):
            changed.append(_Change(prepared, row, address_key(prepared.record.email)))
    saving.written += len(changed)
    saving.unchanged += len(customers) - len(changed)
    _touch(saving, customers, stored)
    _leave_addresses(saving, changed)
    _number(saving, changed)
    _write(saving, changed)


def customer_rows(saving: Saving, ids: Sequence[str]) -> dict[str, int]:
    """Customer id → profile, for those that the store knows, gone or not."""
    if not ids:
        return {}
    return dict(
        saving.bulk.tuples(
            "SELECT customer_id, profile_id FROM customers "
            "WHERE source = ? AND customer_id IN (?*)",
            saving.source,
            list(ids),
        )
    )


def add_empty_customers(saving: Saving, ids: Iterable[str]) -> dict[str, int]:
    """Enter customers of whom only the id is known; their own record fills them later."""
    changes = [_Change(Prepared(Customer(id=key), b""), None, None) for key in sorted(set(ids))]
    _number(saving, changes)
    _write(saving, changes)
    return {change.record.id: change.profile_id for change in changes}


def remove_customers(saving: Saving, ids: list[str]) -> int:
    """Tombstone accounts: the profile and its guest aliases end with them."""
    bulk, at = saving.bulk, saving.bulk.instant(saving.now)
    profiles = [
        row.profile_id
        for row in bulk.rows(
            "SELECT profile_id FROM customers "
            "WHERE source = ? AND guest = 0 AND gone_at IS NULL AND customer_id IN (?*)",
            saving.source,
            ids,
        )
    ]
    bulk.execute("UPDATE customers SET gone_at = ? WHERE profile_id IN (?*)", at, profiles)
    bulk.execute(
        "UPDATE profiles SET gone_at = ?, due_at = NULL WHERE profile_id IN (?*)", at, profiles
    )
    remove_traits(saving, profiles)
    # nobody evaluates them any more, and percentile cuts count whoever has a value
    remove_values(bulk, profiles)
    saving.mark_touched(profiles)
    saving.mark(profiles, Cause.PROFILE)
    return len(profiles)


@dataclass(slots=True)
class _Change:
    prepared: Prepared[Customer]
    stored: Found | None
    email_key: str | None
    row_id: int = 0
    profile_id: int = 0

    @property
    def record(self) -> Customer:
        return self.prepared.record


def _stored(saving: Saving, ids: list[str]) -> Sequence[Found]:
    if not ids:
        return ()
    return saving.bulk.rows(
        "SELECT customer_id, row_id, profile_id, email_key, updated_at, gone_at, hash "
        "FROM customers WHERE source = ? AND customer_id IN (?*)",
        saving.source,
        ids,
    )


def _changed(saving: Saving, prepared: Prepared[Customer], row: Found) -> bool:
    if row.gone_at is not None:
        return True
    if is_older(saving.bulk.instant(prepared.record.updated_at), row.updated_at):
        return False
    return bool(row.hash != prepared.hash)


def _touch(
    saving: Saving,
    customers: Mapping[str, Prepared[Customer]],
    stored: Mapping[str, Found],
) -> None:
    """Keep a newer change time of an unchanged record: it says how new our sight of the tags is."""
    touched: list[Found] = []
    times = []
    for key, row in stored.items():
        at = saving.bulk.instant(customers[key].record.updated_at)
        if row.hash == customers[key].hash and is_older(row.updated_at, at):
            touched.append(row)
            times.append((at, row.row_id))
    saving.bulk.execute_many("UPDATE customers SET updated_at = ? WHERE row_id = ?", times)
    saving.mark_touched([row.profile_id for row in touched])


def _leave_addresses(saving: Saving, changes: list[_Change]) -> None:
    """Who shares the address that an account gives up may be all that keeps it on a list."""
    keys = [
        change.stored.email_key
        for change in changes
        if change.stored is not None and change.stored.email_key not in {None, change.email_key}
    ]
    if not keys:
        return
    bulk = saving.bulk
    rows = list(bulk.rows("SELECT profile_id FROM profiles WHERE email_key IN (?*)", keys))
    # and the ledger may name somebody who gave the address up before
    for name in bulk.rows("SELECT destination, name FROM destination_names"):
        rows += bulk.rows(
            "SELECT profile_id FROM ledger "
            "WHERE destination = ? AND name_key = ? AND target IN (?*)",
            name.destination,
            tag_key(name.name),
            keys,
        )
    saving.mark_touched([row.profile_id for row in rows])


def _number(saving: Saving, changes: list[_Change]) -> None:
    """Give every change its row and its profile; guests are adopted here."""
    guests = _guests(saving, changes)
    new = [change for change in changes if change.stored is None]
    rows = saving.bulk.take("customers", len(new)) if new else 0
    for row_id, change in enumerate(new, rows):
        change.row_id = row_id
    homeless = []
    for change in changes:
        guest = guests.pop(change.email_key, None)
        if change.stored is not None:
            change.row_id, change.profile_id = change.stored.row_id, change.stored.profile_id
            if guest is not None:
                merge_profiles(saving, guest, change.profile_id)
        elif guest is not None:
            change.profile_id = guest
            saving.mark([guest], Cause.MERGE)
        else:
            homeless.append(change)
    first = saving.bulk.take("profiles", len(homeless)) if homeless else 0
    for profile_id, change in enumerate(homeless, first):
        change.profile_id = profile_id


def _may_adopt(change: _Change) -> bool:
    """Whether a guest with that address can have appeared since the account was stored."""
    stored = change.stored
    return stored is None or stored.gone_at is not None or stored.email_key != change.email_key


def _guests(saving: Saving, changes: list[_Change]) -> dict[str | None, int]:
    """E-mail key → profile of a guest whom no account has adopted yet."""
    keys = [change.email_key for change in changes if change.email_key and _may_adopt(change)]
    if not keys:
        return {}
    rows = saving.bulk.rows(
        "SELECT c.email_key, c.profile_id FROM customers c "
        "JOIN profiles p ON p.profile_id = c.profile_id AND p.customer_id = c.customer_id "
        "WHERE c.source = ? AND c.guest = 1 AND c.gone_at IS NULL AND c.email_key IN (?*)",
        saving.source,
        keys,
    )
    return {row.email_key: row.profile_id for row in rows}


def _write(saving: Saving, changes: list[_Change]) -> None:
    instant, source = saving.bulk.instant, saving.source
    profiles, customers = [], []
    for change in changes:
        c, key, profile_id = change.record, change.email_key, change.profile_id
        profiles.append((
            profile_id, source, c.id, c.email, key, instant(c.created_at), c.country, c.region,
            c.city, c.postcode, c.latitude, c.longitude, c.language, c.account_state,
            c.email_consent, c.sms_consent, pack(c.tags), None, saving.touch,
        ))  # fmt: skip
        customers.append((
            change.row_id, source, c.id, profile_id, 0, c.email, key,
            pack(map(tag_key, c.tags)), instant(c.updated_at), None, change.prepared.hash,
        ))  # fmt: skip
    saving.bulk.upsert("profiles", PROFILE_COLUMNS, profiles)
    saving.bulk.upsert("customers", CUSTOMER_COLUMNS, customers)
    saving.mark((change.profile_id for change in changes), Cause.PROFILE)
    altered = save_traits(saving, {change.profile_id: change.record.traits for change in changes})
    known = {change.profile_id for change in changes if change.stored is not None}
    saving.mark(altered & known, Cause.TRAIT)
