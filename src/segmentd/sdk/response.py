"""An HTTP answer, and what it means."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import orjson

from segmentd.domain.errors import AuthError, ConfigError, RejectedError, TransientError
from segmentd.sdk.redaction import Redaction

_LONGEST_WAIT = 86_400.0
_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_JSON_BEGINS = re.compile(rb"[{\[]|^\s*\"")
_TAGS = re.compile(rb"<[^>]*>")


@dataclass
class HttpResponse:
    """One answer, read whole."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names are lower case."""
    body: bytes = field(repr=False)
    """Unpacked."""
    url: str
    """Without the query, which may hold secrets."""
    received_at: datetime
    """By our clock, for answers without a Date header."""
    _redaction: Redaction = field(default_factory=Redaction, repr=False)
    _parsed: Any = field(default=None, repr=False)

    @property
    def date(self) -> datetime | None:
        """The server's clock: the Date header."""
        return _http_date(self.headers.get("date", ""))

    @property
    def place(self) -> str:
        """Host and path, for sentences about this answer."""
        parts = urlsplit(self.url)
        return f"{parts.hostname} {self._redaction(parts.path)}"

    @property
    def excerpt(self) -> str:
        """What the answer says if it is a page or text for people, at most 80 characters.

        JSON is never quoted: it may hold personal data.
        """
        text = _JSON_BEGINS.split(self.body[:4096], maxsplit=1)[0]
        title = _TITLE.search(text)
        shown = title[1] if title else _TAGS.sub(b" ", text)
        return self._redaction(" ".join(shown.decode("utf-8", "replace").split()))[:80]

    def json(self) -> Any:
        """The body as an object or a list; TransientError if it is anything else."""
        if self._parsed is None:
            self._parsed = self._parse()
        return self._parsed

    def _parse(self) -> dict[str, Any] | list[Any]:
        if not self.body.strip():
            raise TransientError(f"{self.place}: the answer is empty where JSON was expected")
        try:
            parsed = _loads(self.body)
        except (ValueError, RecursionError):
            seen = self.excerpt
            what = f'begins with "{seen}"' if seen else "is cut short or broken"
            raise TransientError(f"{self.place}: the answer is no JSON: it {what}") from None
        if not isinstance(parsed, dict | list):
            raise TransientError(f"{self.place}: the answer is no JSON object or list")
        return parsed


def _loads(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson refuses a whole page for one lone surrogate or NaN; the mapping then refuses, or
        # cleans, only the record that holds it
        return json.loads(body.decode("utf-8-sig", "replace"), parse_constant=str)


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def retry_after(response: HttpResponse) -> float | None:
    """Seconds that the server asks us to wait (number or HTTP date), within 0 and a day.

    None if it does not say, or says nonsense.
    """
    text = response.headers.get("retry-after", "").strip()
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        return min(max(float(text), 0.0), _LONGEST_WAIT)
    moment = _http_date(text)
    if moment is None:
        return None
    seconds = (moment - (response.date or response.received_at)).total_seconds()
    return min(max(seconds, 0.0), _LONGEST_WAIT)


def classify_status(response: HttpResponse) -> None:
    """The meaning of a status code where a platform has no own one; see RFC 9110 §15.

    401, 402, 403, 423 → AuthError; 408, 425, 429, 5xx → TransientError; other 4xx →
    RejectedError; 3xx → ConfigError.
    """
    status = response.status
    if 200 <= status < 300:
        return
    sentence = f"{response.place}: {describe(response)}"
    if 300 <= status < 400:
        host = urlsplit(response.headers.get("location", "")).hostname or "another address"
        raise ConfigError(f"{sentence}, pointing to {host}: set that address, if it is right")
    if status in {401, 402, 403, 423}:
        raise AuthError(sentence)
    if status in {408, 425, 429} or not 400 <= status < 500:
        raise TransientError(sentence, retry_after=retry_after(response))
    raise RejectedError(sentence)


def describe(response: HttpResponse) -> str:
    """``429 Too Many Requests``, with the title of the page that came along, if any."""
    phrase = _PHRASES.get(response.status, "")
    title = response.excerpt
    return f"{response.status} {phrase}".rstrip() + (f' ("{title}")' if title else "")
