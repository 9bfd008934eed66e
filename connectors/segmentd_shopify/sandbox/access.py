"""Who may call the sandbox, and how fast: tokens, and the bucket of cost points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import orjson

from segmentd.sdk.testing.sandbox import Request, Response, SandboxClock

TOKEN_SECONDS = 86_399
"""How long a token from the client credentials grant is good: a day."""


class Tokens:
    """A permanent token, and an app that gets tokens for a day."""

    def __init__(self, clock: SandboxClock, scopes: frozenset[str]) -> None:
        self._clock = clock
        self._scopes = scopes
        self.permanent = "shpat_sandbox_permanent"
        self.client_id = "sandbox-client-id"
        self.client_secret = "shpss_sandbox_secret"  # noqa: S105 - of an invented shop
        self._issued: dict[str, float] = {}

    def accepts(self, token: str | None) -> bool:
        """Whether the token is good now."""
        if token == self.permanent:
            return True
        expires = self._issued.get(token or "")
        return expires is not None and self._clock.now().timestamp() < expires

    def revoke(self) -> None:
        """Issued tokens are good no longer, although their day is not over."""
        self._issued.clear()

    def grant(self, request: Request) -> Response:
        """The client credentials grant; form or JSON, as the official library sends it."""
        given = _form(request)
        if given.get("grant_type") != "client_credentials":
            return Response.json({"error": "unsupported_grant_type"}, 400)
        if (given.get("client_id"), given.get("client_secret")) != (
            self.client_id,
            self.client_secret,
        ):
            text = "The client id or secret is wrong"
            return Response.json({"error": "invalid_client", "error_description": text}, 401)
        token = f"shpat_sandbox_{len(self._issued)}_{int(self._clock.now().timestamp())}"
        self._issued[token] = self._clock.now().timestamp() + TOKEN_SECONDS
        return Response.json(
            {
                "access_token": token,
                "scope": ",".join(sorted(self._scopes)),
                "expires_in": TOKEN_SECONDS,
            }
        )


def _form(request: Request) -> Mapping[str, Any]:
    if "json" in request.headers.get("content-type", ""):
        content = orjson.loads(request.body)
        return content if isinstance(content, dict) else {}
    return {key: values[-1] for key, values in parse_qs(request.body.decode()).items()}


class Bucket:
    """Cost points: restored by the second, taken before a request, the unused part given back."""

    def __init__(self, clock: SandboxClock, maximum: float, rate: float) -> None:
        self._clock = clock
        self.maximum = maximum
        self.rate = rate
        self._available = maximum
        self._seen = clock.now()

    def available(self) -> float:
        """Points there now."""
        now = self._clock.now()
        restored = max(0.0, (now - self._seen).total_seconds()) * self.rate
        self._available = min(self.maximum, self._available + restored)
        self._seen = now
        return self._available

    def take(self, points: float) -> bool:
        """Take points if they are there."""
        if points > self.available():
            return False
        self._available -= points
        return True

    def give_back(self, points: float) -> None:
        """Return what was not used."""
        self._available = min(self.maximum, self._available + points)

    def cost(self, requested: int, actual: int | None) -> dict[str, Any]:
        """``extensions.cost`` of an answer."""
        return {
            "requestedQueryCost": requested,
            "actualQueryCost": actual,
            "throttleStatus": {
                "maximumAvailable": int(self.maximum),
                "currentlyAvailable": int(self.available()),
                "restoreRate": int(self.rate),
            },
        }
