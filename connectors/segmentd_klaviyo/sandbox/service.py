"""The sandbox: admits or refuses requests as Klaviyo would, and is the oracle of the tests."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from typing import Any

import orjson

from segmentd.sdk.testing.sandbox import ListSandbox, Request, Response, SandboxClock
from segmentd_klaviyo.sandbox import consent, reads, writes
from segmentd_klaviyo.sandbox.account import Account, ImportJob, ListRecord, Refusal, invalid
from segmentd_klaviyo.sandbox.answers import Answer, Call
from segmentd_klaviyo.sandbox.document import MEDIA_TYPE, Fault, Operation, document
from segmentd_klaviyo.sandbox.rates import Rates, Throttled

API_KEY = "pk_" + "5a" * 17
REVISIONS = frozenset({"2026-07-15", "2026-10-15"})
_HANDLERS = {**reads.HANDLERS, **writes.HANDLERS, **consent.HANDLERS}


class KlaviyoSandbox(ListSandbox):
    """A Klaviyo account with a private API key."""

    def __init__(self, clock: SandboxClock | None = None) -> None:
        super().__init__(clock)
        self.account = Account()
        self.scopes = {scope for operation in document().operations for scope in operation.scopes}
        """What the key may do."""
        self._rates = Rates()
        self._errors = 0

    def handle(self, request: Request) -> Response:
        """Answer as Klaviyo would."""
        headers: dict[str, str] = {}
        try:
            operation, ids = self._admit(request)
            quota, limits = operation.rate(request.query)
            headers = self._rates.count(quota, limits, self.clock.now())
            answer = self._carry_out(operation, ids, request)
        except Throttled as full:
            refusal = Refusal(429, "throttled", "Request was throttled.", Fault(str(full)))
            return self._refuse(refusal, {"retry-after": str(full.retry_after)})
        except Refusal as refusal:
            return self._refuse(refusal, headers)
        body = b"" if answer.payload is None else orjson.dumps(answer.payload)
        return Response(answer.status, {"content-type": MEDIA_TYPE, **headers}, body)

    def is_write(self, request: Request) -> bool:
        """Every method but GET changes something."""
        return request.method != "GET"

    def credentials(self) -> Mapping[str, str]:
        """The one key there is."""
        return {"api_key": API_KEY}

    def settings(self, url: str) -> Mapping[str, object]:
        """How to connect."""
        return {"base_url": url, "api_key_env": "SANDBOX_KLAVIYO_API_KEY"}

    def members(self) -> dict[str, set[str]]:
        """List name → addresses, once every job whose time has come is done."""
        self.account.work(self.clock.now())
        return {
            record.name: {
                self.account.profiles[one_id].email or one_id for one_id in record.members
            }
            for record in self.account.lists.values()
        }

    def consents(self) -> dict[str, str]:
        """Address → consent and suppressions, of everybody who has any of them."""
        return {
            profile.email or profile.id: " ".join(
                [
                    profile.consent or "NEVER_SUBSCRIBED",
                    *sorted(profile.suppressions),
                    *sorted(profile.left_lists),
                ]
            )
            for profile in self.account.profiles.values()
            if profile.consent or profile.suppressions or profile.left_lists
        }

    def put_list(self, name: str, *, flows: int = 0) -> str:
        """A person makes a list in Klaviyo, and ``flows`` that it triggers; its id."""
        now = self.clock.now()
        record = ListRecord(self.account.new_id("Y", 6), name, "double_opt_in", now, now)
        record.flows = [self.account.new_id("F", 6) for _ in range(flows)]
        self.account.lists[record.id] = record
        return record.id

    def delete_list(self, name: str) -> None:
        """A person deletes a list in Klaviyo."""
        lists = self.account.lists
        self.account.lists = {key: record for key, record in lists.items() if record.name != name}

    def put_profile(
        self, email: str, consent: str | None = None, suppressed: str | None = None, **more: str
    ) -> str:
        """A person who is in Klaviyo already; ``more`` attributes such as phone_number; the id."""
        profile, _ = self.account.upsert({"email": email, **more}, self.clock.now())
        profile.consent = consent
        profile.suppressions = {suppressed} if suppressed else set()
        return profile.id

    def put_member(self, list_id: str, email: str) -> str:
        """A person puts somebody on a list by hand; the id of the profile."""
        profile, _ = self.account.upsert({"email": email}, self.clock.now())
        self.account.lists[list_id].members[profile.id] = self.clock.now()
        return profile.id

    def put_job(self, list_id: str, *emails: str) -> ImportJob:
        """An import that an earlier run began and nobody waited for."""
        rows = [{"type": "profile", "attributes": {"email": email}} for email in emails]
        account = self.account
        job = ImportJob(
            account.new_id("01KAJOB", 27),
            rows,
            [list_id],
            self.clock.now(),
            account.job_seconds,
            account.job_polls,
        )
        account.jobs[job.id] = job
        return job

    def _admit(self, request: Request) -> tuple[Operation, dict[str, str]]:
        if request.headers.get("authorization") != f"Klaviyo-API-Key {API_KEY}":
            raise Refusal(
                401,
                "not_authenticated",
                "Authentication credentials were not provided.",
                Fault("Missing or invalid private key.", pointer="/data/"),
            )
        self._check_revision(request)
        found = document().find(request.method, request.path)
        if found is None:
            raise Refusal(404, "not_found", "Not found.", Fault("There is no such resource."))
        if lacking := found[0].scopes - self.scopes:
            detail = f"The key lacks the scopes {', '.join(sorted(lacking))}."
            raise Refusal(403, "permission_denied", "Permission denied.", Fault(detail))
        return found

    def _check_revision(self, request: Request) -> None:
        revision = request.headers.get("revision", "")
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", revision):
            detail = "A revision header of the form YYYY-MM-DD is required."
            raise invalid(Fault(detail, parameter="revision"))
        opted_out = request.headers.get("x-klaviyo-revision-fall-forward-opt-out") == "1"
        if revision not in REVISIONS and opted_out:
            raise Refusal(410, "gone", "Gone.", Fault(f"Revision {revision} is not supported."))

    def _carry_out(self, operation: Operation, ids: Mapping[str, str], request: Request) -> Answer:
        if faults := list(document().query_faults(operation, request.query)):
            raise invalid(*faults)
        body = self._body(operation, request) if "requestBody" in operation.definition else None
        now = self.clock.now()
        self.account.work(now)
        path = request.path.rstrip("/")
        call = Call(operation, path, ids, request.query, body, now)
        return _HANDLERS[operation.id](self.account, call)

    def _body(self, operation: Operation, request: Request) -> Any:
        media_type = request.headers.get("content-type", "").partition(";")[0]
        if media_type != MEDIA_TYPE:
            detail = f"Content-Type must be {MEDIA_TYPE}."
            raise Refusal(415, "unsupported_media_type", "Unsupported media type.", Fault(detail))
        most = operation.limit("max_payload_bytes")
        if most is not None and len(request.body) > most:
            detail = f"The payload may have {most} bytes at most."
            raise Refusal(413, "payload_too_large", "Payload too large.", Fault(detail))
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            raise invalid(Fault("The body is no JSON.", pointer="/")) from None
        if faults := list(document().body_faults(operation, body)):
            raise invalid(*faults)
        return body

    def _refuse(self, refusal: Refusal, headers: Mapping[str, str]) -> Response:
        errors = [self._error(refusal, fault) for fault in refusal.faults]
        body = orjson.dumps({"errors": errors})
        return Response(refusal.status, {"content-type": MEDIA_TYPE, **headers}, body)

    def _error(self, refusal: Refusal, fault: Fault) -> dict[str, Any]:
        self._errors += 1
        where = {"parameter": fault.parameter} if fault.parameter else {"pointer": fault.pointer}
        return {
            "id": str(uuid.UUID(int=self._errors)),
            "status": refusal.status,
            "code": refusal.code,
            "title": refusal.title,
            "detail": fault.detail,
            "source": {key: value or "/data/" for key, value in where.items()},
            "links": {},
            "meta": dict(refusal.meta),
        }
