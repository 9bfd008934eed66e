"""The operations that change lists and profiles, without effect on consent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from segmentd_klaviyo.sandbox.account import (
    IDENTIFIERS,
    ROWS,
    Account,
    ImportJob,
    ListRecord,
    Refusal,
    duplicate,
    identifier_faults,
    invalid,
)
from segmentd_klaviyo.sandbox.answers import (
    Answer,
    Call,
    job_resource,
    list_resource,
    one,
    profile_resource,
)
from segmentd_klaviyo.sandbox.document import Fault
from segmentd_klaviyo.sandbox.reads import Handler


def limited(call: Call, rows: list[Any], pointer: str) -> list[Any]:
    """``rows``, if they are not more than one call may carry; schemas do not say it."""
    most = call.operation.limit("max_items")
    if most is not None and len(rows) > most:
        raise invalid(Fault(f"Only {most} items are allowed in one request.", pointer=pointer))
    if not rows:
        raise invalid(Fault("At least one item is required.", pointer=pointer))
    return rows


def _name(call: Call) -> str:
    name: str = call.body["data"]["attributes"]["name"]
    if not name.strip():
        raise invalid(Fault("This field may not be blank.", pointer="/data/attributes/name"))
    return name


def _create_list(account: Account, call: Call) -> Answer:
    opt_in = call.body["data"]["attributes"].get("opt_in_process") or "double_opt_in"
    record = ListRecord(account.new_id("Y", 6), _name(call), opt_in, call.now, call.now)
    account.lists[record.id] = record
    return one(list_resource(record, call), 201)


def _update_list(account: Account, call: Call) -> Answer:
    record = account.list_record(call.ids["id"])
    record.name, record.updated = _name(call), call.now
    return one(list_resource(record, call))


def _delete_list(account: Account, call: Call) -> Answer:
    del account.lists[account.list_record(call.ids["id"]).id]
    return Answer(204)


def _chosen(account: Account, call: Call) -> list[str]:
    """Ids of the profiles in a relationship's body; all or nothing."""
    rows = limited(call, call.body["data"], "/data")
    for index, row in enumerate(rows):
        account.profile(row["id"], f"/data/{index}/id" if account.pointers else "/data")
    return [row["id"] for row in rows]


def _add_members(account: Account, call: Call) -> Answer:
    record = account.list_record(call.ids["id"])
    for remote_id in _chosen(account, call):
        record.members.setdefault(remote_id, call.now)
    return Answer(204)


def _remove_members(account: Account, call: Call) -> Answer:
    record = account.list_record(call.ids["id"])
    for remote_id in _chosen(account, call):
        record.members.pop(remote_id, None)
    return Answer(204)


def _attributes(account: Account, call: Call) -> dict[str, Any]:
    attributes: dict[str, Any] = call.body["data"]["attributes"]
    _refuse_patches(call.body["data"])
    faults = identifier_faults(attributes, "/data/attributes")
    if attributes.get("email") in account.refused:
        faults.append(Fault("Invalid email address", pointer="/data/attributes/email"))
    if call.operation.id == "update_profile":
        faults = [fault for fault in faults if "required" not in fault.detail]
    if faults:
        raise invalid(*faults)
    return attributes


def _upsert(account: Account, call: Call) -> Answer:
    profile, created = account.upsert(_attributes(account, call), call.now)
    return one(profile_resource(profile, call), 201 if created else 200)


def _create_profile(account: Account, call: Call) -> Answer:
    attributes = _attributes(account, call)
    if holders := account.holders(attributes):
        raise duplicate(holders[0])
    profile, _ = account.upsert(attributes, call.now)
    return one(profile_resource(profile, call), 201)


def _update_profile(account: Account, call: Call) -> Answer:
    profile = account.profile(call.ids["id"])
    attributes = _attributes(account, call)
    others = [holder for holder in account.holders(attributes) if holder is not profile]
    if others:
        raise duplicate(others[0])
    account.write(profile, attributes, call.now)
    return one(profile_resource(profile, call))


def _import(account: Account, call: Call) -> Answer:
    data = call.body["data"]
    rows = limited(call, data["attributes"]["profiles"]["data"], ROWS)
    faults = [fault for index, row in enumerate(rows) for fault in _row_faults(account, index, row)]
    if faults:
        raise invalid(*(faults if account.pointers else [Fault("Invalid input", pointer="/data")]))
    lists = [row["id"] for row in _lists(data)]
    for list_id in lists:
        account.list_record(list_id, "/data/relationships/lists")
    job = ImportJob(
        account.new_id("01KAJOB", 27),
        rows,
        lists,
        call.now,
        account.job_seconds,
        account.job_polls,
    )
    account.jobs[job.id] = job
    return one(job_resource(job, call), 202)


def _lists(data: Mapping[str, Any]) -> list[dict[str, str]]:
    found: list[dict[str, str]] = data.get("relationships", {}).get("lists", {}).get("data", [])
    return found


def _refuse_patches(row: Mapping[str, Any]) -> None:
    """Patching properties and identifiers exists, but its rules are not published in full."""
    if row.get("meta"):
        raise Refusal(501, "not_implemented", "Not here.", Fault("The sandbox patches nothing."))


def _row_faults(account: Account, index: int, row: Mapping[str, Any]) -> list[Fault]:
    pointer = f"{ROWS}/{index}/attributes"
    attributes = row["attributes"]
    _refuse_patches(row)
    faults = identifier_faults(attributes, pointer)
    if attributes.get("email") in account.refused:
        faults.append(Fault("Invalid input", pointer=f"{pointer}/email"))
    # only a row that carries more than identifiers can be so large
    if attributes.keys() - set(IDENTIFIERS) and len(orjson.dumps(row)) > 100_000:
        faults.append(Fault("A profile may have 100 KB at most.", pointer=pointer))
    return faults


HANDLERS: Mapping[str, Handler] = {
    "create_list": _create_list,
    "update_list": _update_list,
    "delete_list": _delete_list,
    "add_profiles_to_list": _add_members,
    "remove_profiles_from_list": _remove_members,
    "create_or_update_profile": _upsert,
    "create_profile": _create_profile,
    "update_profile": _update_profile,
    "bulk_import_profiles": _import,
}
