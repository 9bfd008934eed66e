"""Showing the key to a store, in the way that the store can see it.

WooCommerce reads Basic credentials and ``consumer_key`` / ``consumer_secret`` in the query only if
PHP believes that the request came over https; over plain http only a signature (OAuth 1.0a,
one-legged) is accepted:
https://woocommerce.github.io/woocommerce-rest-api-docs/#authentication
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import quote

from segmentd.sdk import Outgoing, Runtime, Secret

KEYED_PATHS = "/wp-json/wc/"
"""WooCommerce looks at a key only under this path, and WordPress itself chokes on it elsewhere."""


def ways(auth: str, url: str) -> list[str]:
    """The ways to try, in their order, for the setting ``auth`` and a store at ``url``."""
    if auth != "auto":
        return [auth]
    return ["basic", "query"] if url.startswith("https:") else ["oauth1"]


class Credentials:
    """An ``Auth`` of the HTTP client that can turn to another way if one does not work."""

    def __init__(self, key: Secret, secret: Secret, tried: list[str], runtime: Runtime) -> None:
        self._key = key
        self._secret = secret
        self._ways = tried
        self._runtime = runtime
        self._clock_error = timedelta(0)

    @property
    def way(self) -> str:
        """The way in use: ``basic``, ``query`` or ``oauth1``."""
        return self._ways[0]

    def __call__(self, outgoing: Outgoing) -> None:
        if KEYED_PATHS not in outgoing.url:
            return
        if self.way == "basic":
            pair = f"{self._key.reveal()}:{self._secret.reveal()}".encode()
            outgoing.headers["authorization"] = f"Basic {base64.b64encode(pair).decode()}"
        elif self.way == "query":
            outgoing.params["consumer_key"] = self._key.reveal()
            outgoing.params["consumer_secret"] = self._secret.reveal()
        else:
            self._sign(outgoing)

    def turn(self) -> bool:
        """Use the next way from now on; False if there is none left."""
        if len(self._ways) == 1:
            return False
        del self._ways[0]
        return True

    def set_clock(self, server: datetime) -> bool:
        """Sign by the server's clock; False if that was done already.

        A signature is good for 15 minutes around the server's own time.
        """
        error = server - self._runtime.now()
        if abs(error - self._clock_error) < timedelta(minutes=1):
            return False
        self._clock_error = error
        return True

    def _sign(self, outgoing: Outgoing) -> None:
        moment = self._runtime.now() + self._clock_error
        outgoing.params |= {
            "oauth_consumer_key": self._key.reveal(),
            "oauth_timestamp": str(int(moment.timestamp())),
            # never from runtime.random: two runs with one seed would use a nonce twice
            "oauth_nonce": secrets.token_hex(16),
            "oauth_signature_method": "HMAC-SHA256",
        }
        outgoing.params["oauth_signature"] = signature(
            outgoing.method, outgoing.url, outgoing.params, self._secret.reveal()
        )


def signature(method: str, url: str, params: Mapping[str, str], secret: str) -> str:
    """The OAuth 1.0a signature (HMAC-SHA256, no token) of a request: RFC 5849 §3.4.

    ``params``: all that is sent, the ``oauth_*`` ones included. Lists must be sent as one text with
    commas: WooCommerce builds another text than ours for ``status[]=``.
    """
    pairs = [f"{_escape(name)}={_escape(params[name])}" for name in sorted(params)]
    text = "&".join([method, _escape(url), _escape("&".join(pairs))])
    digest = hmac.digest(f"{secret}&".encode(), text.encode(), hashlib.sha256)
    return base64.b64encode(digest).decode()


def _escape(text: str) -> str:
    return quote(text, safe="")
