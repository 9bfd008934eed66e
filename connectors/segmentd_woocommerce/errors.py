"""What a store's answers mean: WooCommerce's error codes as the errors of segmentd.

An error is JSON ``{"code", "message", "data": {"status"}}``; web servers, firewalls and WordPress
in maintenance answer with pages. The server's message is never quoted: it is translated into the
store's language, and could repeat what was sent.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from segmentd.sdk import (
    AuthError,
    ConfigError,
    HttpResponse,
    RejectedError,
    SegmentdError,
    TransientError,
    classify_status,
    retry_after,
)

PERMALINKS = (
    "in the store's admin choose any other than Plain under Settings > Permalinks, "
    "then save: WooCommerce accepts no key before"
)
_KEYS = "WooCommerce > Settings > Advanced > REST API"
_CODE = re.compile(r"[a-z_]{1,80}")


class NotSignedInError(AuthError):
    """The store saw no key that it knows: perhaps only this way of showing it does not work."""


class BadSignatureError(AuthError):
    """The store saw our key and refused it: the secret, the rights of the key, or our clock."""

    def __init__(self, message: str, server_now: datetime | None) -> None:
        super().__init__(message)
        self.server_now = server_now


class ForbiddenError(AuthError):
    """The person to whom the key belongs may not do this."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class MissingError(RejectedError):
    """The record exists no longer."""


class BusyError(TransientError):
    """The host asks to come later: asking for less would not help."""


class UnreadableError(TransientError):
    """The host failed, again and again, at the least that can be asked for."""


class TooMuchError(SegmentdError):
    """The host failed at something that can be asked for in parts."""


def classify(response: HttpResponse) -> None:
    """Raise the error that an answer stands for, if it is none that a request hopes for."""
    status = response.status
    if 200 <= status < 300:
        return
    if 300 <= status < 400:
        raise _moved(response)
    code, data = _error(response)
    if status in {408, 425, 429, 503}:
        raise BusyError(_sentence(response), retry_after=retry_after(response))
    if status >= 500:
        classify_status(response)
    if status in {401, 402, 403, 423}:
        raise _refused(response, code)
    if code is None:
        # a firewall or proxy; with 404 perhaps the web server, as permalinks are off
        hint = f"if this does not pass: {PERMALINKS}" if status == 404 else None
        raise TransientError(_sentence(response), hint=hint)
    if status == 404:
        raise _not_found(response, code)
    raise RejectedError(f"{_sentence(response)}: {code}{_parameters(data)}")


def classify_root(response: HttpResponse) -> None:
    """The same for ``/wp-json/`` itself: what is missing there was never there."""
    if response.status == 404:
        raise ConfigError(
            f"{response.place}: this is no WordPress, or permalinks are off: set url "
            "to the store's own address",
            hint=PERMALINKS,
        )
    classify(response)


def _sentence(response: HttpResponse) -> str:
    try:
        classify_status(response)
    except (AuthError, ConfigError, RejectedError, TransientError) as error:
        return error.message
    return response.place


def _error(response: HttpResponse) -> tuple[str | None, dict[str, Any]]:
    """Code and data of an error in JSON; no code if the answer is none of the store's own."""
    try:
        body = response.json()
    except TransientError:
        return None, {}
    if not isinstance(body, dict) or not isinstance(code := body.get("code"), str):
        return None, {}
    # ``data`` is a bare number in some errors
    data = body.get("data")
    code = code if _CODE.fullmatch(code) else "an unknown code"
    return code, data if isinstance(data, dict) else {}


def _parameters(data: dict[str, Any]) -> str:
    params = data.get("params")
    names = [name for name in params if _CODE.fullmatch(name)] if isinstance(params, dict) else []
    return f" ({', '.join(names)})" if names else ""


def _moved(response: HttpResponse) -> ConfigError:
    """A redirect is never followed: the key must not go where nobody sent it."""
    location = urlsplit(response.headers.get("location", ""))
    asked = urlsplit(response.url)
    if "/wp-json/" not in location.path:
        return ConfigError(
            f"{asked.hostname}: permalinks are off or this is not the store: /wp-json/ leads away",
            hint=PERMALINKS,
        )
    address = f"{location.scheme or asked.scheme}://{location.netloc.rpartition('@')[2]}"
    return ConfigError(f"{asked.hostname}: the store lives at {address}: set that as url")


def _refused(response: HttpResponse, code: str | None) -> AuthError:
    if code is None or response.status not in {401, 403}:
        return AuthError(f"{_sentence(response)}: a firewall or login page stands before the store")
    if response.status == 403:
        return ForbiddenError(
            f"{response.place}: the user to whom the key belongs may not do this ({code}): "
            f"make the key for an administrator, under {_KEYS}",
            code,
        )
    if code == "woocommerce_rest_authentication_error":
        return BadSignatureError(f"{response.place}: {_explain(response)}", response.date)
    return NotSignedInError(
        f"{response.place}: the store does not know the key: it is wrong or revoked, or the host "
        'strips the Authorization header (then auth = "query"), or the store takes our https '
        f"for plain http ({code})"
    )


def _explain(response: HttpResponse) -> str:
    """One sentence for the many meanings of one code, by words of the message if in English."""
    message = str(response.json().get("message", ""))
    for word, sentence in _EXPLANATIONS:
        if word in message:
            return sentence
    return (
        "the store refuses the key: the secret is wrong, or the key lacks the right to read or "
        f"write; look at it under {_KEYS}"
    )


_EXPLANATIONS = [
    ("secret is invalid", "the consumer secret does not belong to the consumer key"),
    ("key is invalid", "the store does not know the consumer key"),
    ("write permissions", f"the key may only read: make one with Read/Write under {_KEYS}"),
    ("read permissions", f"the key may only write: make one with Read/Write under {_KEYS}"),
    (
        "signature",
        "the signature is refused: the consumer secret is wrong, or url is not exactly the store's "
        "own address (Settings > General > Site Address)",
    ),
    ("timestamp", "the clocks of this machine and of the store differ by more than 15 minutes"),
    ("nonce", "the store has seen this signature before: something repeats our requests"),
]


def _not_found(response: HttpResponse, code: str) -> ConfigError | RejectedError:
    if code == "rest_no_route":
        return ConfigError(
            f"{response.place}: no such route: is WooCommerce switched on, and url the store's?"
        )
    if code.endswith("_invalid_id"):
        return MissingError(f"{response.place}: exists no longer")
    return RejectedError(f"{_sentence(response)}: {code}")
