"""Records as JSON:API resources, and lists of them as pages."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from segmentd_klaviyo.sandbox import filters
from segmentd_klaviyo.sandbox.account import PLAIN, Account, ImportJob, ListRecord, Profile, invalid
from segmentd_klaviyo.sandbox.document import Fault, Operation

# links always point to the real service, as behind a proxy: a client that follows them blindly
# would leave the address it was given, and take its key along
HOST = "https://a.klaviyo.com"
Resource = dict[str, Any]


@dataclass
class Call:
    """A request that was admitted."""

    operation: Operation
    path: str
    ids: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    now: datetime


@dataclass
class Answer:
    """Status and payload; None is no body."""

    status: int = 200
    payload: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def stamp(instant: datetime | None) -> str | None:
    """An instant as Klaviyo writes it."""
    return instant.isoformat(timespec="seconds") if instant else None


def link(path: str) -> dict[str, str]:
    """The self link."""
    return {"self": f"{HOST}{path}/"}


def list_resource(record: ListRecord, call: Call) -> Resource:
    """A list."""
    attributes: dict[str, Any] = {
        "name": record.name,
        "created": stamp(record.created),
        "updated": stamp(record.updated),
        "opt_in_process": record.opt_in_process,
    }
    if call.query.get("additional-fields[list]"):
        attributes["profile_count"] = len(record.members)
    return _resource("list", record.id, attributes, f"/api/lists/{record.id}", call)


def profile_resource(profile: Profile, call: Call, joined: datetime | None = None) -> Resource:
    """A profile; ``joined``: since when it is on the list that was asked for."""
    attributes = {key: profile.attributes.get(key) for key in PLAIN}
    attributes |= {
        "created": stamp(profile.created),
        "updated": stamp(profile.updated),
        "last_event_date": None,
        "location": profile.attributes.get("location") or {},
        "properties": profile.attributes.get("properties") or {},
    }
    if joined:
        attributes["joined_group_at"] = stamp(joined)
    if "subscriptions" in call.query.get("additional-fields[profile]", "").split(","):
        attributes["subscriptions"] = _subscriptions(profile)
    return _resource("profile", profile.id, attributes, f"/api/profiles/{profile.id}", call)


def _subscriptions(profile: Profile) -> Resource:
    reachable = profile.consent == "SUBSCRIBED" and not profile.suppressions
    return {
        "email": {
            "marketing": {
                "can_receive_email_marketing": reachable,
                "consent": profile.consent or "NEVER_SUBSCRIBED",
                "suppression": [
                    {"reason": reason, "timestamp": stamp(profile.updated)}
                    for reason in sorted(profile.suppressions)
                ],
                "list_suppressions": [],
            }
        }
    }


def job_resource(job: ImportJob, call: Call) -> Resource:
    """An import job."""
    status = job.status(call.now)
    path = f"/api/profile-bulk-import-jobs/{job.id}"
    attributes = {
        "status": status,
        "created_at": stamp(job.created),
        "total_count": len(job.rows),
        "completed_count": len(job.rows) - len(job.errors) if job.completed else 0,
        "failed_count": len(job.errors),
        "completed_at": stamp(job.completed),
        "expires_at": stamp(job.created + timedelta(days=7)),
        "started_at": None if status == "queued" else stamp(min(job.started, call.now)),
    }
    return _resource("profile-bulk-import-job", job.id, attributes, path, call)


def error_resources(account: Account, job: ImportJob, call: Call) -> list[Resource]:
    """What went wrong with the rows of a job."""
    return [
        _resource(
            "import-error",
            f"{job.id}-{index:05d}",
            {
                "code": code,
                "title": "Invalid input",
                "detail": detail,
                "source": {"pointer": _row_pointer(account, index)},
                "original_payload": job.rows[index]["attributes"],
            },
            f"/api/import-errors/{job.id}-{index:05d}",
            call,
        )
        for index, code, detail in job.errors
    ]


def _row_pointer(account: Account, index: int) -> str:
    return f"/data/attributes/profiles/data/{index}/attributes" if account.pointers else "/data"


def _resource(
    kind: str, remote_id: str, attributes: Mapping[str, Any], path: str, call: Call
) -> Resource:
    chosen = call.query.get(f"fields[{kind}]")
    if chosen is not None:
        wanted = {name.partition(".")[0] for name in chosen.split(",")}
        attributes = {key: value for key, value in attributes.items() if key in wanted}
    return {
        "type": kind,
        "id": remote_id,
        "attributes": dict(attributes),
        "relationships": {},
        "links": link(path),
    }


def one(resource: Resource, status: int = 200) -> Answer:
    """A single resource."""
    return Answer(status, {"data": resource})


def profile_view(profile: Profile, joined: datetime | None = None) -> Resource:
    """What profiles are filtered and sorted by; far cheaper than the whole resource."""
    times = {"created": profile.created, "updated": profile.updated, "joined_group_at": joined}
    return {"id": profile.id, "attributes": {**profile.attributes, **times}}


def reference(kind: str) -> Callable[[str], Resource]:
    """Shows only type and id of a record."""
    return lambda remote_id: {"type": kind, "id": remote_id}


def all_of(call: Call, resources: Sequence[Resource]) -> Answer:
    """A collection without pages."""
    return Answer(payload={"data": list(resources), "links": link(call.path)})


def filtered(
    call: Call, resources: Sequence[Resource], aliases: Mapping[str, Set[str]] | None = None
) -> list[Resource]:
    """The resources that the request's filter keeps, in the order it asks for."""
    try:
        conditions = filters.parse(call.query.get("filter", ""), call.operation.filters)
    except ValueError as error:
        raise invalid(Fault(str(error), parameter="filter")) from None
    kept = [
        resource
        for resource in resources
        if all(c.holds(resource, (aliases or {}).get(resource["id"], set())) for c in conditions)
    ]
    order = call.query.get("sort", "")
    name = order.removeprefix("-")
    if name and name != "id":
        kept.sort(key=lambda r: str(r["attributes"].get(name)), reverse=order.startswith("-"))
    elif order == "-id":
        kept.reverse()
    return kept


def page(call: Call, views: Sequence[Resource], show: Callable[[str], Resource]) -> Answer:
    """The page of a collection that the cursor and size of a request ask for.

    ``show`` makes the resource of one id, for those on the page alone.
    """
    size = int(call.query.get("page[size]", call.operation.query["page[size]"]["default"]))
    begin = _begin(call, views)
    shown = [view["id"] for view in views[begin : begin + size]]
    following = None
    if begin + size < len(views):
        query = {**call.query, "page[cursor]": _cursor(shown[-1])}
        following = f"{HOST}{call.path}/?{urlencode(query)}"
    # null on the last page, as the SDK's models allow; the document says: absent
    links = {**link(call.path), "prev": None, "next": following}
    return Answer(payload={"data": [show(one_id) for one_id in shown], "links": links})


def page_of(call: Call, resources: Sequence[Resource]) -> Answer:
    """A page of resources that are made already."""
    by_id = {resource["id"]: resource for resource in resources}
    return page(call, resources, by_id.__getitem__)


def _cursor(remote_id: str) -> str:
    return base64.urlsafe_b64encode(f"next::id::{remote_id}".encode()).decode().rstrip("=")


def _begin(call: Call, resources: Sequence[Resource]) -> int:
    cursor = call.query.get("page[cursor]")
    if cursor is None:
        return 0
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError):
        text = ""
    head, _, last = text.rpartition("::")
    if head != "next::id":
        raise invalid(Fault("Invalid cursor provided.", parameter="page[cursor]"))
    for index, resource in enumerate(resources):
        if resource["id"] == last:
            return index + 1
    # the last one shown is gone: go on behind the place where it was
    return sum(resource["id"] <= last for resource in resources)
