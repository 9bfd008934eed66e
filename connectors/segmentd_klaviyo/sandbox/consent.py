"""The operations that change consent.

They work as in the real service, so that a test would see it if we ever called them.
Effects: developers.klaviyo.com, "Collect email and SMS consent via API", and the descriptions of
these operations in the OpenAPI document.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from segmentd_klaviyo.sandbox.account import ROWS, Account, Profile
from segmentd_klaviyo.sandbox.answers import Answer, Call, link, one, stamp
from segmentd_klaviyo.sandbox.reads import Handler
from segmentd_klaviyo.sandbox.writes import limited

_LIFTED_BY_SUBSCRIBING = {"UNSUBSCRIBE", "SPAM_COMPLAINT", "USER_SUPPRESSED"}


def _rows(call: Call) -> list[dict[str, Any]]:
    attributes = call.body["data"].get("attributes", {})
    return limited(call, attributes.get("profiles", {}).get("data", []), ROWS)


def _list_id(call: Call) -> str | None:
    relationships = call.body["data"].get("relationships", {})
    found: str | None = relationships.get("list", {}).get("data", {}).get("id")
    return found


def _subscribe(account: Account, call: Call) -> Answer:
    list_id = _list_id(call)
    for row in _rows(call):
        identifiers = {key: row["attributes"].get(key) for key in ("email", "phone_number")}
        given = {key: value for key, value in identifiers.items() if value}
        profile, _ = account.upsert(given, call.now)
        profile.consent = "SUBSCRIBED"
        profile.suppressions -= _LIFTED_BY_SUBSCRIBING
        if list_id:
            profile.left_lists.discard(list_id)
            account.list_record(list_id).members.setdefault(profile.id, call.now)
    return Answer(202)


def _unsubscribe(account: Account, call: Call) -> Answer:
    list_id = _list_id(call)
    for row in _rows(call):
        profile = account.by_email(row["attributes"].get("email") or "")
        if profile is None:
            continue
        if list_id and profile.id in account.list_record(list_id).members:
            del account.list_record(list_id).members[profile.id]
            profile.left_lists.add(list_id)
        else:
            # without a list, and for somebody who is not on it, it means all lists
            profile.consent = "UNSUBSCRIBED"
            profile.suppressions.add("UNSUBSCRIBE")
    return Answer(202)


def _affected(account: Account, call: Call) -> Iterator[Profile]:
    """Profiles by e-mail, or all of a list."""
    if list_id := _list_id(call):
        yield from [account.profiles[one_id] for one_id in account.list_record(list_id).members]
        return
    for row in _rows(call):
        if profile := account.by_email(row["attributes"]["email"]):
            yield profile


def _suppress(account: Account, call: Call) -> Answer:
    for profile in _affected(account, call):
        profile.suppressions.add("USER_SUPPRESSED")
    return _job(account, call, "profile-suppression-bulk-create-job")


def _unsuppress(account: Account, call: Call) -> Answer:
    for profile in _affected(account, call):
        profile.suppressions.discard("USER_SUPPRESSED")
    return _job(account, call, "profile-suppression-bulk-delete-job")


def _job(account: Account, call: Call, kind: str) -> Answer:
    remote_id = account.new_id("01KASUP", 27)
    count = len(list(_affected(account, call)))
    resource = {
        "type": kind,
        "id": remote_id,
        "attributes": {
            "status": "complete",
            "created_at": stamp(call.now),
            "total_count": count,
            "completed_count": count,
            "completed_at": stamp(call.now),
            "skipped_count": 0,
        },
        "links": link(f"/api/{kind}s/{remote_id}"),
    }
    return one(resource, 202)


HANDLERS: Mapping[str, Handler] = {
    "bulk_subscribe_profiles": _subscribe,
    "bulk_unsubscribe_profiles": _unsubscribe,
    "bulk_suppress_profiles": _suppress,
    "bulk_unsuppress_profiles": _unsuppress,
}
