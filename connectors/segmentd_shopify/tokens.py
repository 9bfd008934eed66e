"""The access token: permanent, or asked for with an app's id and secret and good for a day.

https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant
"""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urlencode

from segmentd.sdk import (
    AuthError,
    HttpClient,
    HttpResponse,
    Runtime,
    TransientError,
    classify_status,
)
from segmentd_shopify.settings import ShopifySettings

_MARGIN = 300.0
"""Seconds before its end at which a token is replaced."""


class Token(Protocol):
    """Where the value of ``X-Shopify-Access-Token`` comes from."""

    def value(self) -> str:
        """The token to send now."""

    def renew(self) -> bool:
        """The shop refused the token: forget it; False if there is no way to get another."""

    def close(self) -> None:
        """Let go of connections."""


def token_for(settings: ShopifySettings, runtime: Runtime) -> Token:
    """The kind of token that the settings name the secrets for."""
    if settings.has_secret("token"):
        return PermanentToken(settings)
    return AppToken(settings, runtime)


class PermanentToken:
    """The token of an app created in the shop's admin (``shpat_…``)."""

    def __init__(self, settings: ShopifySettings) -> None:
        self._secret = settings.secret("token")

    def value(self) -> str:
        """The token."""
        return self._secret.reveal()

    def renew(self) -> bool:
        """A person would have to make a new one."""
        return False

    def close(self) -> None:
        """Nothing is open."""


class AppToken:
    """A token from the client credentials grant; there is no refresh token, one asks again."""

    def __init__(self, settings: ShopifySettings, runtime: Runtime) -> None:
        self._id = settings.secret("client_id")
        self._secret = settings.secret("client_secret")
        self._runtime = runtime
        self._http = HttpClient(settings.url, runtime, classify=_classify_grant)
        self._token: str | None = None
        self._renew_at = 0.0

    def value(self) -> str:
        """The token, a new one if it ends soon; AuthError if Shopify gives none."""
        if self._token is None or self._runtime.monotonic() >= self._renew_at:
            self._token = self._ask()
        return self._token

    def renew(self) -> bool:
        """Ask for a new one next time."""
        self._token = None
        return True

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def _ask(self) -> str:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._id.reveal(),
            "client_secret": self._secret.reveal(),
        }
        answer = self._http.request(
            "POST",
            "/admin/oauth/access_token",
            content=urlencode(form).encode(),
            headers={"content-type": "application/x-www-form-urlencoded"},
            retry=False,  # the request that needs the token is tried again, and asks again
        ).json()
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise TransientError("Shopify answered the request for a token without a token")
        seconds = float(answer.get("expires_in") or 86_399)
        self._renew_at = self._runtime.monotonic() + seconds - min(_MARGIN, seconds / 10)
        return token


def _classify_grant(response: HttpResponse) -> None:
    """A refusal comes as 400 or 401 with an ``error`` such as ``shop_not_permitted``."""
    if response.status in {400, 401, 403}:
        raise AuthError(
            f"{response.place}: Shopify gives this app no token ({_reason(response)}); "
            "check client id and secret, and that the app is installed in this shop"
        )
    classify_status(response)


def _reason(response: HttpResponse) -> str:
    try:
        reason = response.json().get("error")
    except (TransientError, AttributeError):
        reason = None
    return reason if isinstance(reason, str) else f"status {response.status}"
