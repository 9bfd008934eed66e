"""Shopify's Admin GraphQL API: one call per operation, paced by what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from segmentd.sdk import (
    AuthError,
    ConfigError,
    CostBucket,
    HttpClient,
    HttpResponse,
    Outgoing,
    Runtime,
)
from segmentd_shopify.errors import TokenError, check_body, check_status
from segmentd_shopify.operations import IDENTIFY
from segmentd_shopify.settings import ShopifySettings
from segmentd_shopify.tokens import token_for

_FIRST_GUESS = 50.0
"""Cost assumed of an operation until its first answer tells."""


@dataclass(frozen=True)
class Identity:
    """What the shop says about itself and about our app."""

    name: str
    currency: str
    time_zone: str
    scopes: frozenset[str]
    now: datetime
    warnings: Sequence[str]


class ShopifyClient:
    """Runs operations; waits before a request for the cost points that it needs."""

    def __init__(self, settings: ShopifySettings, runtime: Runtime) -> None:
        self._settings = settings
        self._token = token_for(settings, runtime)
        self._bucket = CostBucket(runtime)
        self._costs: dict[str, float] = {}
        self._served: str | None = None
        self.denied: set[str] = set()
        """Optional fields that the app was not allowed to see, in any answer so far."""
        self._now: datetime = runtime.now()
        self._http = HttpClient(
            settings.url, runtime, auth=self._sign, pacer=self._bucket, classify=check_status
        )

    def close(self) -> None:
        """Close the connections."""
        self._http.close()
        self._token.close()

    def execute(
        self,
        operation: str,
        variables: Mapping[str, Any],
        *,
        optional: frozenset[str] = frozenset(),
        write: bool = False,
        cost: float | None = None,
        retry: bool = True,
    ) -> dict[str, Any]:
        """``data`` of the answer.

        ``optional``: names of fields that may be denied. ``cost``: points, where they are known;
        else what the same operation cost the last time. ``retry`` False: for what must not be done
        twice. Raises AuthError, ConfigError, TransientError, RejectedError; CursorError and
        SearchError see ``errors``.
        """

        def post() -> dict[str, Any]:
            return self._post(operation, variables, optional, write=write, cost=cost, retry=retry)

        try:
            return post()
        except TokenError:
            if not self._token.renew():
                raise
        return post()

    def identify(self, needed: Sequence[str]) -> Identity:
        """Who the shop is, and what our app may do.

        Raises AuthError naming the scope of ``needed`` that is missing; ConfigError if the token
        answers for another shop than the one configured (a renamed shop keeps its old address).
        """
        data = self.execute(IDENTIFY, {})
        shop = data["shop"]
        handles = {scope["handle"] for scope in data["currentAppInstallation"]["accessScopes"]}
        # who may write may read
        handles |= {f"read_{h.removeprefix('write_')}" for h in handles if h.startswith("write_")}
        if shop["myshopifyDomain"] != self._settings.shop:
            raise ConfigError(
                f"{self._settings.shop} answers as {shop['myshopifyDomain']}: set shop to that name"
            )
        for scope in needed:
            if scope not in handles:
                raise AuthError(f"{self._settings.shop}: the app lacks the scope {scope}")
        return Identity(
            shop["name"],
            shop["currencyCode"],
            shop["ianaTimezone"],
            frozenset(handles),
            self._now,
            self._version_warnings(),
        )

    def _version_warnings(self) -> list[str]:
        asked = self._settings.api_version
        if self._served in {None, asked}:
            return []
        return [f"Shopify serves API version {self._served} instead of {asked}: set api_version"]

    def _sign(self, outgoing: Outgoing) -> None:
        outgoing.headers["x-shopify-access-token"] = self._token.value()

    def _post(
        self,
        operation: str,
        variables: Mapping[str, Any],
        optional: frozenset[str],
        *,
        write: bool,
        cost: float | None,
        retry: bool,
    ) -> dict[str, Any]:
        def classify(response: HttpResponse) -> None:
            check_status(response)
            self._observe(operation, response)
            self.denied |= check_body(response.json(), optional)

        response = self._http.request(
            "POST",
            f"/admin/api/{self._settings.api_version}/graphql.json",
            json={"query": operation, "variables": variables},
            write=write,
            cost=cost or self._costs.get(operation, _FIRST_GUESS),
            retry=retry,
            classify=classify,
        )
        data: dict[str, Any] = response.json()["data"]
        return data

    def _observe(self, operation: str, response: HttpResponse) -> None:
        """Learn from an answer: the bucket, the operation's cost, the version, the time."""
        self._served = response.headers.get("x-shopify-api-version", self._served)
        self._now = response.date or response.received_at
        cost = response.json().get("extensions", {}).get("cost")
        if not cost:
            return
        self._costs[operation] = cost["requestedQueryCost"]
        status = cost["throttleStatus"]
        self._bucket.observe(
            status["maximumAvailable"], status["currentlyAvailable"], status["restoreRate"]
        )
