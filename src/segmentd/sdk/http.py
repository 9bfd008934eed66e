"""Talking to a platform over HTTP: deadlines, size caps, pacing, retries, no secret in any text.

The only module that knows httpx. One synchronous client per connector, used by one thread.
"""

from __future__ import annotations

import json
import logging
import re
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import httpx
import orjson

from segmentd.domain.errors import AuthError, ConfigError, RejectedError, TransientError
from segmentd.sdk.contract import Runtime
from segmentd.sdk.rate_limit import Pacer
from segmentd.sdk.redaction import Redaction
from segmentd.sdk.retry import DEFAULT_POLICY, RetryPolicy, call

# httpx logs every URL with its query at INFO, httpcore headers at DEBUG: both hold secrets
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

_LONGEST_WAIT = 86_400.0
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_JSON_BEGINS = re.compile(rb"[{\[]|^\s*\"")
_TAGS = re.compile(rb"<[^>]*>")


@dataclass
class HttpResponse:
    """One answer, read whole."""

    status: int
    headers: Mapping[str, str]
    """Names are lower case."""
    body: bytes
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


@dataclass
class Outgoing:
    """A request about to be sent: what an ``Auth`` may change."""

    method: str
    url: str
    """Without the query."""
    params: dict[str, str]
    headers: dict[str, str]
    """Names are lower case."""
    body: bytes | None


Auth = Callable[[Outgoing], None]
"""Signs a request; called before every try, so that a renewed token or nonce is used."""
Classify = Callable[[HttpResponse], None]
"""Raises AuthError, TransientError, RejectedError or ConfigError if the answer is no success."""


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
    phrase = httpx.codes.get_reason_phrase(response.status)
    title = response.excerpt
    return f"{response.status} {phrase}".rstrip() + (f' ("{title}")' if title else "")


class HttpClient:
    """Sends requests to one platform, each as often as the retry policy allows."""

    def __init__(
        self,
        base_url: str,
        runtime: Runtime,
        *,
        headers: Mapping[str, str] | None = None,
        auth: Auth | None = None,
        pacer: Pacer | None = None,
        retry: RetryPolicy = DEFAULT_POLICY,
        classify: Classify = classify_status,
        max_body: int = 32 * 2**20,
    ) -> None:
        """``max_body``: bytes of an unpacked answer beyond which it is refused."""
        self._base_url = base_url.rstrip("/")
        self._runtime = runtime
        self._headers = {name.lower(): value for name, value in (headers or {}).items()}
        self._auth = auth
        self._pacer = pacer
        self._retry = retry
        self._classify = classify
        self._max_body = max_body
        # trust_env: proxies from the environment would see the secrets. follow_redirects: own
        # headers such as X-Shopify-Access-Token would travel along to the other host.
        self._client = httpx.Client(
            trust_env=False,
            follow_redirects=False,
            limits=httpx.Limits(max_connections=4, max_keepalive_connections=2),
            headers={"user-agent": "segmentd", "accept": "application/json"},
            timeout=runtime.timeout,
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        write: bool = False,
        cost: float = 1.0,
        retry: bool = True,
        classify: Classify | None = None,
        expect_json: bool = True,
    ) -> HttpResponse:
        """The answer to a request, once ``classify`` finds nothing wrong with it.

        ``write``: it changes the remote side (for the meter). ``cost``: for the pacer. ``retry``
        False: for a write that must not be made twice. ``expect_json``: an answer 200 or 201 that
        is no JSON is a failure for now, and tried again; a 202, 204 … may be empty.
        Raises what ``classify`` raises; TransientError if the network fails after all tries;
        ConfigError if certificate or address cannot be trusted.
        """
        body = content if json is None else orjson.dumps(json)
        fixed = {} if json is None else {"content-type": "application/json"}
        given = {name.lower(): value for name, value in (headers or {}).items()}

        def attempt() -> HttpResponse:
            if self._pacer:
                self._pacer.acquire(cost)
            outgoing = Outgoing(
                method.upper(),
                self._base_url + path,
                dict(params or {}),
                {**self._headers, **fixed, **given},
                body,
            )
            if self._auth:
                self._auth(outgoing)
            self._runtime.meter.requests += 1
            self._runtime.meter.writes += write
            response = self._exchange(outgoing)
            (classify or self._classify)(response)
            if expect_json and response.status in {200, 201} and outgoing.method != "HEAD":
                response.json()
            return response

        policy = self._retry if retry else RetryPolicy(attempts=1)
        return call(attempt, policy, self._runtime)

    def _exchange(self, outgoing: Outgoing) -> HttpResponse:
        redaction = Redaction.of(outgoing.headers, outgoing.params)
        parts = urlsplit(outgoing.url)
        place = f"{parts.hostname} {redaction(parts.path)}"
        try:
            return self._send(outgoing, place, redaction)
        except httpx.HTTPError as error:
            raise _network_error(error, place, self._runtime.timeout) from None
        except (httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
            raise ConfigError(f"{place}: no valid address ({type(error).__name__})") from None

    def _send(self, outgoing: Outgoing, place: str, redaction: Redaction) -> HttpResponse:
        # spaces as %20, so that a signature over the parameters (OAuth 1.0a) fits what is sent
        query = urlencode(outgoing.params, quote_via=quote, safe="")
        url = f"{outgoing.url}?{query}" if query else outgoing.url
        deadline = self._runtime.monotonic() + self._runtime.timeout
        body = bytearray()
        with self._client.stream(
            outgoing.method, url, headers=outgoing.headers, content=outgoing.body
        ) as response:
            for chunk in response.iter_bytes(65_536):
                body += chunk
                # httpx's own timeout begins anew with every chunk
                if self._runtime.monotonic() > deadline:
                    raise TransientError(
                        f"{place}: the answer took longer than {self._runtime.timeout:g} s"
                    )
                if len(body) > self._max_body:
                    raise TransientError(
                        f"{place}: the answer is larger than {self._max_body} bytes"
                    )
        return HttpResponse(
            response.status_code,
            {name.lower(): value for name, value in response.headers.items()},
            bytes(body),
            outgoing.url,
            self._runtime.now(),
            redaction,
        )


_REASONS: list[tuple[type[httpx.HTTPError], str]] = [
    (httpx.ConnectTimeout, "no connection within {timeout:g} s"),
    (httpx.TimeoutException, "no answer within {timeout:g} s"),
    (httpx.DecodingError, "the answer cannot be unpacked"),
    (httpx.RemoteProtocolError, "connection broken in the middle of an answer"),
]


def _network_error(
    error: httpx.HTTPError, place: str, timeout: float
) -> ConfigError | TransientError:
    """The same in our words; never httpx's text, which may quote URL and headers."""
    cause = _root(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return ConfigError(f"{place}: its certificate is not trusted: {cause.verify_message}")
    if isinstance(error, httpx.LocalProtocolError | httpx.UnsupportedProtocol):
        return ConfigError(f"{place}: the request cannot be sent; is a character in it wrong?")
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return TransientError(f"{place}: {reason.format(timeout=timeout)}")
    reason = getattr(cause, "strerror", None) or "connection failed"
    return TransientError(f"{place}: {str(reason).lower()}")


def _root(error: BaseException) -> BaseException:
    """The system's own error behind what httpx and httpcore made of it."""
    while (deeper := error.__cause__ or error.__context__) is not None:
        error = deeper
    return error
