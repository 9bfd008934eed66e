"""Talking to a platform over HTTP: deadlines, size caps, pacing, retries, no secret in any text.

The only module that knows httpx. One synchronous client per connector, used by one thread at a
time.
"""

from __future__ import annotations

import functools
import logging
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import quote, urlencode, urlsplit

import httpcore
import httpx
import orjson

from segmentd.domain.errors import ConfigError, TransientError
from segmentd.sdk.contract import Runtime
from segmentd.sdk.deadline import Deadline, DeadlineBackend
from segmentd.sdk.rate_limit import Pacer
from segmentd.sdk.redaction import Redaction
from segmentd.sdk.response import HttpResponse as HttpResponse
from segmentd.sdk.response import classify_status as classify_status
from segmentd.sdk.response import describe as describe
from segmentd.sdk.response import retry_after as retry_after
from segmentd.sdk.retry import DEFAULT_POLICY, RetryPolicy, call

# httpx logs every URL with its query at INFO, httpcore headers at DEBUG: both hold secrets
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


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


def _headers(response: httpx.Response) -> dict[str, str]:
    """One text per name; headers that came several times (Link) are joined by commas."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in response.headers.raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


@functools.cache
def _tls() -> ssl.SSLContext:
    """Reading the certificates takes longer than many requests: once per process."""
    return httpx.create_ssl_context(trust_env=False)


class _Transport(httpx.HTTPTransport):
    """httpx's own, with our connections below it: httpx has no setting for them."""

    def __init__(self, deadline: Deadline) -> None:
        super().__init__(verify=_tls(), trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=_tls(),
            max_connections=4,
            max_keepalive_connections=2,
            keepalive_expiry=15.0,
            network_backend=DeadlineBackend(deadline),
        )


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
        self._deadline = Deadline(runtime.monotonic)
        # trust_env: proxies from the environment would see the secrets. follow_redirects: own
        # headers such as X-Shopify-Access-Token would travel along to the other host.
        self._client = httpx.Client(
            trust_env=False,
            follow_redirects=False,
            transport=_Transport(self._deadline),
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
    ) -> HttpResponse:
        """The answer to a request, once ``classify`` finds nothing wrong with it.

        ``write``: it changes the remote side (for the meter). ``cost``: for the pacer. ``retry``
        False: for a write that must not be made twice. An answer 200 or 201 that is no JSON is a
        failure for now, and tried again; a 202, 204 … may be empty.
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
            self._runtime.meter.writes += write
            response = self._exchange(outgoing)
            (classify or self._classify)(response)
            if response.status in {200, 201} and outgoing.method != "HEAD":
                response.json()
            return response

        policy = self._retry if retry else RetryPolicy(attempts=1)
        return call(attempt, policy, self._runtime)

    @contextmanager
    def download(
        self, path: str, headers: Mapping[str, str] | None = None
    ) -> Iterator[tuple[HttpResponse, Iterator[bytes]]]:
        """The head of an answer to GET, and its body, unpacked, in pieces of up to 64 KiB.

        For files of any size, see ``download.read_lines``: neither retried nor paced nor limited
        in size, and every piece has the runtime's whole timeout. ``path`` is taken as it is, with
        the query of a signed address. Raises what ``request`` raises, within the block too.
        """
        path, _, query = path.partition("?")
        given = {name.lower(): value for name, value in (headers or {}).items()}
        outgoing = Outgoing("GET", self._base_url + path, {}, {**self._headers, **given}, None)
        if self._auth:
            self._auth(outgoing)
        redaction = Redaction.of(outgoing.headers, outgoing.params)
        with (
            self._in_our_words(outgoing.url, redaction),
            self._answer(outgoing, query) as response,
        ):
            head = self._response(outgoing, response, b"", redaction)
            self._classify(head)
            yield head, self._pieces(response)

    @contextmanager
    def _answer(self, outgoing: Outgoing, query: str) -> Iterator[httpx.Response]:
        self._runtime.meter.requests += 1
        self._deadline.begin(self._runtime.timeout)
        url = f"{outgoing.url}?{query}" if query else outgoing.url
        with self._client.stream(
            outgoing.method, url, headers=outgoing.headers, content=outgoing.body
        ) as response:
            yield response

    def _pieces(self, response: httpx.Response) -> Iterator[bytes]:
        for piece in response.iter_bytes(65_536):
            yield piece
            self._deadline.begin(self._runtime.timeout)

    @contextmanager
    def _in_our_words(self, url: str, redaction: Redaction) -> Iterator[None]:
        parts = urlsplit(url)
        place = f"{parts.hostname} {redaction(parts.path)}"
        try:
            yield
        except httpx.HTTPError as error:
            raise _network_error(error, place, self._runtime.timeout) from None
        except (httpx.InvalidURL, httpx.StreamError, UnicodeError) as error:
            raise ConfigError(f"{place}: no valid address ({type(error).__name__})") from None

    def _exchange(self, outgoing: Outgoing) -> HttpResponse:
        redaction = Redaction.of(outgoing.headers, outgoing.params)
        with self._in_our_words(outgoing.url, redaction):
            return self._send(outgoing, redaction)

    def _send(self, outgoing: Outgoing, redaction: Redaction) -> HttpResponse:
        # spaces as %20, so that a signature over the parameters (OAuth 1.0a) fits what is sent
        query = urlencode(outgoing.params, quote_via=quote, safe="")
        body = bytearray()
        with self._answer(outgoing, query) as response:
            for chunk in response.iter_bytes(65_536):
                body += chunk
                if len(body) > self._max_body:
                    head = self._response(outgoing, response, b"", redaction)
                    raise TransientError(
                        f"{head.place}: the answer is larger than {self._max_body} bytes"
                    )
        return self._response(outgoing, response, bytes(body), redaction)

    def _response(
        self, outgoing: Outgoing, response: httpx.Response, body: bytes, redaction: Redaction
    ) -> HttpResponse:
        return HttpResponse(
            response.status_code,
            _headers(response),
            body,
            outgoing.url,
            self._runtime.now(),
            redaction,
        )


_REASONS: list[tuple[type[httpx.HTTPError], str]] = [
    (httpx.ConnectTimeout, "no connection within {timeout:g} s"),
    (httpx.TimeoutException, "no whole answer within {timeout:g} s"),
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
