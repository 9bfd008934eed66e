"""Calls to Klaviyo: one table of operations with their limits and scopes, errors in our words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from segmentd.sdk import (
    AuthError,
    ConfigError,
    HttpClient,
    HttpResponse,
    Page,
    RejectedError,
    Runtime,
    TransientError,
    WindowLimits,
    classify_status,
    paginate,
)
from segmentd_klaviyo.mapping import Problem, Resource, next_query, problems, query_of
from segmentd_klaviyo.settings import ENDPOINT, KlaviyoSettings

MEDIA_TYPE = "application/vnd.api+json"
PAGE = {"page[size]": "100"}
"""The largest page of profiles, members, jobs and import errors."""
# requests per second and per minute, developers.klaviyo.com, "Rate limits, status codes, and
# errors"; of the two figures published for L (700 and 750) the smaller one
_XS = ((1, 1.0), (15, 60.0))
_S = ((3, 1.0), (60, 60.0))
_M = ((10, 1.0), (150, 60.0))
_L = ((75, 1.0), (700, 60.0))
_ABOUT_ROWS = frozenset({400, 404, 409, 413, 422})
_OF_ALL_PLATFORMS = frozenset({402, 408, 423, 425, 429})


@dataclass(frozen=True)
class Operation:
    """One operation of the API, as the OpenAPI document (revision 2026-07-15) names it."""

    id: str
    method: str
    path: str
    limits: tuple[tuple[int, float], ...]
    """At most so many requests in so many seconds; per account and operation."""
    scopes: str
    success: frozenset[int] = frozenset({200})


ACCOUNTS = Operation("get_accounts", "GET", "/api/accounts", _XS, "accounts:read")
LISTS = Operation("get_lists", "GET", "/api/lists", _L, "lists:read")
LIST = Operation("get_list", "GET", "/api/lists/{id}", _L, "lists:read")
CREATE_LIST = Operation("create_list", "POST", "/api/lists", _M, "lists:write", frozenset({201}))
MEMBERS = Operation(
    "get_profiles_for_list", "GET", "/api/lists/{id}/profiles", _L, "lists:read, profiles:read"
)
FLOW_TRIGGERS = Operation(
    "get_ids_for_flows_triggered_by_list",
    "GET",
    "/api/lists/{id}/relationships/flow-triggers",
    _S,
    "flows:read, lists:read",
)
ADD_MEMBERS = Operation(
    "add_profiles_to_list",
    "POST",
    "/api/lists/{id}/relationships/profiles",
    _M,
    "lists:write, profiles:write",
    frozenset({204}),
)
REMOVE_MEMBERS = Operation(
    "remove_profiles_from_list",
    "DELETE",
    "/api/lists/{id}/relationships/profiles",
    _M,
    "lists:write, profiles:write",
    frozenset({204}),
)
PROFILES = Operation("get_profiles", "GET", "/api/profiles", _L, "profiles:read")
UPSERT = Operation(
    "create_or_update_profile",
    "POST",
    "/api/profile-import",
    _L,
    "profiles:write",
    frozenset({200, 201}),
)
IMPORT = Operation(
    "bulk_import_profiles",
    "POST",
    "/api/profile-bulk-import-jobs",
    _M,
    "lists:write, profiles:write",
    frozenset({202}),
)
JOBS = Operation(
    "get_bulk_import_profiles_jobs",
    "GET",
    "/api/profile-bulk-import-jobs",
    _M,
    "lists:read, profiles:read",
)
JOB = Operation(
    "get_bulk_import_profiles_job",
    "GET",
    "/api/profile-bulk-import-jobs/{id}",
    _M,
    "lists:read, profiles:read",
)
JOB_LISTS = Operation(
    "get_list_ids_for_bulk_import_profiles_job",
    "GET",
    "/api/profile-bulk-import-jobs/{id}/relationships/lists",
    _M,
    "lists:read",
)
JOB_PROFILES = Operation(
    "get_profiles_for_bulk_import_profiles_job",
    "GET",
    "/api/profile-bulk-import-jobs/{id}/profiles",
    _M,
    "profiles:read",
)
JOB_ERRORS = Operation(
    "get_errors_for_bulk_import_profiles_job",
    "GET",
    "/api/profile-bulk-import-jobs/{id}/import-errors",
    _M,
    "profiles:read",
)


class Refused(RejectedError):  # noqa: N818 - an answer of Klaviyo, handled row by row
    """Klaviyo refuses a request for good and says why."""

    def __init__(self, status: int, found: list[Problem], operation: Operation) -> None:
        super().__init__(f"Klaviyo refuses {operation.id} ({status}): {found[0].reason}")
        self.status = status
        self.problems = found
        self._operation = operation

    @property
    def of_request(self) -> bool:
        """The request as a whole is wrong: no row of it can be the reason."""
        if self.status == 404:
            return "{id}" not in self._operation.path or self._at_relationships
        return (
            self.status not in _ABOUT_ROWS
            or self._at_relationships
            or any(problem.parameter for problem in self.problems)
        )

    @property
    def _at_relationships(self) -> bool:
        return any("/relationships" in (problem.pointer or "") for problem in self.problems)


@contextmanager
def refusals_named() -> Iterator[None]:
    """A refusal that no row is the reason of is for a person: ConfigError."""
    try:
        yield
    except Refused as error:
        raise ConfigError(error.message) from error


class Klaviyo:
    """One account, asked by one thread."""

    def __init__(self, settings: KlaviyoSettings, runtime: Runtime) -> None:
        key = settings.secret("api_key").reveal()
        self._runtime = runtime
        self._revision = settings.revision
        self._pacers: dict[str, WindowLimits] = {}
        self._http = HttpClient(
            settings.endpoint(ENDPOINT),
            runtime,
            headers={
                "authorization": f"Klaviyo-API-Key {key}",
                "revision": settings.revision,
                # else a retired revision is silently answered by another one
                "x-klaviyo-revision-fall-forward-opt-out": "1",
                "accept": MEDIA_TYPE,
            },
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def call(
        self,
        operation: Operation,
        remote_id: str = "",
        *,
        params: Mapping[str, str] | None = None,
        json: object | None = None,
        retry: bool = True,
    ) -> Any:
        """The answer's payload, None if it has none.

        Raises Refused for a 4xx in Klaviyo's own words; AuthError for a wrong key or one without
        the scopes, which it names; ConfigError for a retired revision; TransientError for
        everything else.
        """
        self._pace(operation)
        response = self._http.request(
            operation.method,
            operation.path.replace("{id}", remote_id),
            params=params,
            json=json,
            headers={"content-type": MEDIA_TYPE},
            write=operation.method != "GET",
            retry=retry,
            classify=lambda response: self._classify(operation, response),
        )
        return response.json() if response.body else None

    def one(
        self, operation: Operation, remote_id: str = "", *, json: object = None, retry: bool = True
    ) -> Resource:
        """The single resource of an answer."""
        payload = self.call(operation, remote_id, json=json, retry=retry)
        return _resource(payload.get("data") if isinstance(payload, dict) else None, operation)

    def many(
        self, operation: Operation, remote_id: str = "", params: Mapping[str, str] | None = None
    ) -> Iterator[Resource]:
        """All resources of a collection, page by page."""

        def fetch(token: str | None) -> Page[Resource]:
            query = dict(params or {}) if token is None else query_of(token)
            payload = self.call(operation, remote_id, params=query)
            data = payload.get("data") if isinstance(payload, dict) else None
            if not isinstance(data, list):
                raise TransientError(f"Klaviyo's answer to {operation.id} holds no data")
            return Page([_resource(item, operation) for item in data], next_query(payload))

        for page in paginate(fetch):
            yield from page.items

    def wait(self, seconds: float) -> None:
        """Let time pass because Klaviyo needs it."""
        self._runtime.meter.waits += 1
        self._runtime.meter.waited += seconds
        self._runtime.sleep(seconds)

    def _pace(self, operation: Operation) -> None:
        if operation.id not in self._pacers:
            self._pacers[operation.id] = WindowLimits(self._runtime, operation.limits)
        self._pacers[operation.id].acquire(1.0)

    def _classify(self, operation: Operation, response: HttpResponse) -> None:
        status = response.status
        if status in operation.success:
            return
        if status == 401:
            raise AuthError("Klaviyo does not know the API key (401): it is wrong or was deleted")
        if status == 403:
            raise AuthError(
                f"Klaviyo refuses the API key for {operation.id} (403); "
                f"it needs the scopes {operation.scopes}"
            )
        if status == 410:
            raise ConfigError(
                f"Klaviyo does not serve revision {self._revision} any more: "
                "set revision to one that it serves"
            )
        if 200 <= status < 300:
            raise TransientError(f"{response.place}: {status} is no answer to {operation.id}")
        if 400 <= status < 500 and status not in _OF_ALL_PLATFORMS:
            raise self._refused(operation, response)
        classify_status(response)

    def _refused(
        self, operation: Operation, response: HttpResponse
    ) -> RejectedError | TransientError:
        found = problems(response.json())
        if found:
            return Refused(response.status, found, operation)
        # a proxy's page, say: nothing that a row could be given up for
        return TransientError(f"{response.place}: {response.status}, but not in Klaviyo's words")


def _resource(data: object, operation: Operation) -> Resource:
    if isinstance(data, dict) and isinstance(data.get("id"), str):
        attributes = data.get("attributes")
        return {**data, "attributes": attributes if isinstance(attributes, dict) else {}}
    raise TransientError(f"Klaviyo's answer to {operation.id} holds a record without an id")
