"""The way to a memory sandbox: over HTTP if it is served, else straight into it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Protocol
from urllib.parse import urlencode

import orjson

from segmentd.domain.errors import ConfigError, TransientError
from segmentd.sdk.contract import Runtime
from segmentd.sdk.http import Classify, HttpClient, HttpResponse, classify_status
from segmentd.sdk.retry import DEFAULT_POLICY, RetryPolicy, call
from segmentd.sdk.testing.faults import DropConnection
from segmentd.sdk.testing.memory.protocol import TOKEN
from segmentd.sdk.testing.memory.settings import MemorySettings
from segmentd.sdk.testing.sandbox import Request, Sandbox

_REGISTERED: dict[str, Sandbox] = {}


@contextlib.contextmanager
def registered(name: str, sandbox: Sandbox) -> Iterator[None]:
    """While the context lasts, settings with ``shop = name`` lead to ``sandbox``."""
    _REGISTERED[name] = sandbox
    try:
        yield
    finally:
        del _REGISTERED[name]


class Client(Protocol):
    """What of the HTTP client the connector uses."""

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object | None = None,
        write: bool = False,
        retry: bool = True,
        classify: Classify | None = None,
    ) -> HttpResponse: ...

    def close(self) -> None: ...


class DirectClient:
    """The same without HTTP, faults and retries included."""

    def __init__(self, sandbox: Sandbox, runtime: Runtime) -> None:
        self._sandbox = sandbox
        self._runtime = runtime

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object | None = None,
        write: bool = False,
        retry: bool = True,
        classify: Classify | None = None,
    ) -> HttpResponse:
        """As ``HttpClient.request``."""
        headers = {"authorization": f"Bearer {TOKEN}"}
        body = b"" if json is None else orjson.dumps(json)
        request = Request(method, path, urlencode(params or {}), headers, body)

        def attempt() -> HttpResponse:
            self._runtime.meter.requests += 1
            self._runtime.meter.writes += write
            try:
                answer = self._sandbox.respond(request)
            except DropConnection:
                raise TransientError(f"memory {path}: connection broken") from None
            response = HttpResponse(
                answer.status, answer.headers, answer.body, path, self._runtime.now()
            )
            (classify or classify_status)(response)
            response.json()
            return response

        policy = DEFAULT_POLICY if retry else RetryPolicy(attempts=1)
        return call(attempt, policy, self._runtime)

    def close(self) -> None:
        """Nothing is open."""


def connect(settings: MemorySettings, runtime: Runtime) -> Client:
    """The client for ``settings``; ConfigError if they lead nowhere."""
    if settings.base_url:
        token = settings.secret("token").reveal()
        headers = {"authorization": f"Bearer {token}"}
        return HttpClient(settings.endpoint(settings.base_url), runtime, headers=headers)
    if settings.shop not in _REGISTERED:
        raise ConfigError(f"no memory shop is registered as {settings.shop!r}")
    return DirectClient(_REGISTERED[settings.shop], runtime)
