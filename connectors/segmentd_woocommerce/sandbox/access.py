"""Who asks: keys, the ways of showing them, and what their owners may do.

As ``WC_REST_Authentication`` of WooCommerce 10.5 does it, error texts included.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, quote, unquote

from segmentd.sdk.testing.sandbox import Request
from segmentd_woocommerce.sandbox.answers import Refusal

_ERROR = "woocommerce_rest_authentication_error"
_WINDOW = 15 * 60
_OAUTH = ["consumer_key", "timestamp", "nonce", "signature", "signature_method"]
_OAUTH_HEADER = re.compile(r'(oauth_[a-z_-]*)="([^"]*)"')


@dataclass
class Key:
    """A key of the REST API."""

    key: str
    secret: str
    permissions: str = "read_write"
    """``read``, ``write`` or ``read_write``."""
    owner: str = "administrator"
    """Role of the user to whom it belongs: ``administrator``, ``shop_manager`` or another."""
    nonces: set[str] = field(default_factory=set)

    @property
    def may_manage(self) -> bool:
        """Whether the owner may see customers and orders."""
        return self.owner in {"administrator", "shop_manager"}


@dataclass
class Door:
    """The keys of a store and the ways in which it can see them."""

    keys: list[Key]
    https: bool = False
    """PHP believes that requests come over https, whatever the port speaks."""
    strips_authorization: bool = False

    def sign_in(self, request: Request, now: datetime) -> Key | None:
        """Whose request it is; None for nobody's; Refusal for a key that is not proved."""
        key = self._by_password(request) if self.https else None
        key = key or self._by_signature(request, now)
        if key is not None:
            _check_permission(key, request.method)
        return key

    def _known(self, name: str | None) -> Key | None:
        return next((key for key in self.keys if key.key == name), None)

    def _by_password(self, request: Request) -> Key | None:
        query = request.query
        name, secret = query.get("consumer_key"), query.get("consumer_secret")
        if not (name and secret):
            name, secret = self._basic(request)
        key = self._known(name)
        if key is not None and key.secret != secret:
            raise Refusal(401, _ERROR, "Consumer secret is invalid.")
        return key

    def _basic(self, request: Request) -> tuple[str | None, str | None]:
        scheme, _, credentials = self._authorization(request).partition(" ")
        if scheme.lower() != "basic":
            return None, None
        try:
            name, _, secret = base64.b64decode(credentials).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return None, None
        return name, secret

    def _authorization(self, request: Request) -> str:
        return "" if self.strips_authorization else request.headers.get("authorization", "")

    def _by_signature(self, request: Request, now: datetime) -> Key | None:
        params = dict(parse_qsl(request.query_string, keep_blank_values=True))
        header = self._authorization(request)
        if header.startswith("OAuth "):
            params |= {name: unquote(value) for name, value in _OAUTH_HEADER.findall(header)}
        missing = [f"oauth_{name}" for name in _OAUTH if not params.get(f"oauth_{name}")]
        if len(missing) == len(_OAUTH):
            return None
        if missing:
            plural = "s" if len(missing) > 1 else ""
            code = "woocommerce_rest_authentication_missing_parameter"
            raise Refusal(401, code, f"Missing OAuth parameter{plural} {', '.join(missing)}")
        key = self._known(params["oauth_consumer_key"])
        if key is None:
            raise Refusal(401, _ERROR, "Consumer key is invalid.")
        self._check_signature(request, params, key)
        _check_freshness(params, key, now)
        return key

    def _check_signature(self, request: Request, params: Mapping[str, str], key: Key) -> None:
        method = params["oauth_signature_method"]
        if method not in {"HMAC-SHA1", "HMAC-SHA256"}:
            raise Refusal(401, _ERROR, "Invalid signature - signature method is invalid.")
        url = f"{'https' if self.https else 'http'}://{request.headers.get('host')}{request.path}"
        text = base_string(request.method, url, params)
        algorithm = method.removeprefix("HMAC-").lower()
        digest = hmac.digest(f"{key.secret}&".encode(), text.encode(), algorithm)
        if base64.b64encode(digest).decode() != params["oauth_signature"].replace(" ", "+"):
            raise Refusal(401, _ERROR, "Invalid signature - provided signature does not match.")


def base_string(method: str, url: str, params: Mapping[str, str]) -> str:
    """The text that is signed, made as WooCommerce makes it: pairs escaped, then once more."""
    pairs = []
    for name in sorted(params):
        if name != "oauth_signature":
            pair = f"{quote(name, safe='')}={quote(params[name], safe='')}"
            pairs.append(quote(pair, safe=""))
    return f"{method}&{quote(url, safe='')}&{'%26'.join(pairs)}"


def _check_freshness(params: Mapping[str, str], key: Key, now: datetime) -> None:
    stamp = params["oauth_timestamp"]
    if not stamp.isdigit() or abs(int(stamp) - now.timestamp()) > _WINDOW:
        raise Refusal(401, _ERROR, "Invalid timestamp.")
    nonce = hashlib.sha256(params["oauth_nonce"].encode()).hexdigest()
    if nonce in key.nonces:
        raise Refusal(401, _ERROR, "Invalid nonce - nonce has already been used.")
    key.nonces.add(nonce)


def _check_permission(key: Key, method: str) -> None:
    right = "read" if method in {"GET", "HEAD"} else "write"
    if right not in key.permissions:
        text = f"The API key provided does not have {right} permissions."
        raise Refusal(401, _ERROR, text)


def forbid(key: Key | None, what: str, message: str) -> Refusal:
    """Nobody gets 401 where somebody without the right gets 403."""
    return Refusal(401 if key is None else 403, f"woocommerce_rest_cannot_{what}", message)
