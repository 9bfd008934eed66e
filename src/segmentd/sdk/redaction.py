"""Keeping secrets and addresses out of sentences that quote what a server said."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_ADDRESS = re.compile(r"[^\s@<>\"']+(?:@|%40)[^\s@<>\"']+")
_HARMLESS_HEADERS = {"accept", "content-type", "user-agent", "revision", "idempotency-key"}
_SECRET_PARAMETER = re.compile(r"secret|token|key|signature|nonce|password", re.IGNORECASE)


@dataclass(frozen=True)
class Redaction:
    """Replaces the values that one request carried as secrets, and e-mail addresses, by ``***``."""

    secrets: tuple[str, ...] = ()

    @classmethod
    def of(cls, headers: Mapping[str, str], params: Mapping[str, str]) -> Redaction:
        """From a request as it was sent."""
        values = [value for name, value in headers.items() if name not in _HARMLESS_HEADERS]
        values += [value for name, value in params.items() if _SECRET_PARAMETER.search(name)]
        found = {secret for value in values for secret in _spellings(value) if len(secret) >= 4}
        return cls(tuple(sorted(found, key=len, reverse=True)))

    def __call__(self, text: str) -> str:
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return _ADDRESS.sub("***", text)


def _spellings(value: str) -> Iterator[str]:
    """A header's value as it is, without its scheme, and the two halves of Basic credentials."""
    yield value
    scheme, _, credentials = value.partition(" ")
    yield credentials
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(credentials, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            return
        yield from (pair, *pair.split(":", 1))
