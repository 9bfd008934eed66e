"""What Shopify's answers mean. Nearly everything comes as HTTP 200: the body decides.

https://shopify.dev/docs/api/admin-graphql#status_and_error_codes
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from segmentd.sdk import (
    AuthError,
    ConfigError,
    HttpResponse,
    RejectedError,
    SegmentdError,
    TransientError,
    classify_status,
)

_REJECTED = {
    "BAD_REQUEST",
    "INVALID_VARIABLE",
    "MAX_INPUT_SIZE_EXCEEDED",
    "NOT_FOUND",
    "RESOURCE_NOT_FOUND",
}
_STATUS = {
    402: (AuthError, "the shop is frozen: its owner must settle its account with Shopify"),
    403: (
        AuthError,
        "the app lacks a right that it needs; give it the scopes and install it again",
    ),
    404: (ConfigError, "no shop answers there: check shop in the settings"),
    423: (AuthError, "the shop is locked: its owner must ask Shopify's support"),
    430: (AuthError, "Shopify refuses requests from here for security reasons"),
}


class TokenError(AuthError):
    """HTTP 401: the token is wrong, revoked or past its day."""


class CursorError(RejectedError):
    """The place to read on from means nothing to Shopify (any more)."""


class SearchError(ConfigError):
    """Shopify understood a search otherwise than it was meant, so that it finds the wrong rows."""


def check_status(response: HttpResponse) -> None:
    """Raise for an HTTP status that is no success."""
    if response.status == 401:
        raise TokenError(f"{response.place}: Shopify refuses the token; it is wrong or revoked")
    if response.status in _STATUS:
        kind, sentence = _STATUS[response.status]
        raise kind(f"{response.place}: {sentence}")
    try:
        classify_status(response)
    except RejectedError as error:
        # not about a row: those are refused in the body of a 200
        raise ConfigError(f"{error}: Shopify does not take our request") from None


def check_body(body: Mapping[str, Any], optional: frozenset[str]) -> set[str]:
    """Raise for errors in a GraphQL answer; they come before its data.

    ``optional``: last names of the paths of fields that may be denied (protected customer data);
    they are null then, and nothing is raised. Returns those that were denied.
    """
    errors = body.get("errors") or []
    if not isinstance(errors, list):
        raise TransientError(f"Shopify: {errors!s:.200}")
    denied = set()
    for error in errors:
        name = _denied(error)
        if name not in optional:
            raise _meaning(error, body)
        denied.add(name)
    if not isinstance(body.get("data"), dict):
        raise TransientError("Shopify answered without data")
    for search in body.get("extensions", {}).get("search") or []:
        if search.get("warnings"):
            raise SearchError(_search_sentence(search["warnings"][0]))
    return denied


def throttled_for(body: Mapping[str, Any]) -> float | None:
    """Seconds until the bucket holds what the request costs."""
    cost = body.get("extensions", {}).get("cost") or {}
    status = cost.get("throttleStatus") or {}
    rate = float(status.get("restoreRate") or 0)
    if rate <= 0:
        return None
    missing = float(cost.get("requestedQueryCost") or 0) - float(status["currentlyAvailable"])
    return max(0.0, missing / rate)


def _code(error: Mapping[str, Any]) -> str:
    return str((error.get("extensions") or {}).get("code") or "")


def _denied(error: Mapping[str, Any]) -> str:
    """The field that the app may not see; empty if the error says something else."""
    names = [name for name in error.get("path") or () if isinstance(name, str)]
    return names[-1] if names and _code(error) == "ACCESS_DENIED" else ""


def _meaning(error: Mapping[str, Any], body: Mapping[str, Any]) -> SegmentdError:
    code = _code(error)
    text = f"{error.get('message')!s:.200}"
    if code == "THROTTLED":
        return TransientError("Shopify: too many requests", retry_after=throttled_for(body))
    if code == "INTERNAL_SERVER_ERROR":
        return TransientError(f"Shopify failed: {text}")
    if code == "ACCESS_DENIED":
        return AuthError(f"Shopify: {text}")
    if code == "MAX_COST_EXCEEDED":
        return ConfigError(f"Shopify: {text} Set smaller pages (orders_page, lines_page)")
    if "cursor" in text.lower():
        return CursorError(f"Shopify: {text}")
    if code in _REJECTED:
        return RejectedError(f"Shopify: {text}")
    return ConfigError(f"Shopify does not take our request: {text}. Is api_version too new or old?")


def _search_sentence(warning: Mapping[str, Any]) -> str:
    return (
        f"Shopify did not understand our search ({warning.get('field')}: "
        f"{warning.get('message')}); nothing was read. Is api_version too new or old?"
    )
