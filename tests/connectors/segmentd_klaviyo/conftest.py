"""A Klaviyo account whose every answer is held against the official document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from segmentd.sdk import Runtime
from segmentd.sdk.testing.sandbox import Request, Response, SandboxClock
from segmentd.sdk.testing.server import serve
from segmentd_klaviyo.destination import KlaviyoDestination
from segmentd_klaviyo.sandbox import API_KEY, KlaviyoSandbox, document
from segmentd_klaviyo.settings import KlaviyoSettings

START = datetime(2026, 11, 21, 3, 0, 0, tzinfo=UTC)
EXAMPLES = Path(__file__).parent / "examples"
Example = Mapping[str, Any]
Ask = Callable[..., Response]


class CheckedSandbox(KlaviyoSandbox):
    """Fails the test if an answer is none that the document allows."""

    def handle(self, request: Request) -> Response:
        response = super().handle(request)
        found = document().find(request.method, request.path)
        if found:
            faults = list(
                document().answer_faults(found[0], response.status, without_nulls(response.body))
            )
            self.broken += faults
            assert not faults, faults
        return response

    broken: list[object]


def without_nulls(body: bytes) -> bytes:
    """The document types ``links.next`` as a text, the official SDK's models take null as well."""
    payload = orjson.loads(body) if body else None
    if isinstance(payload, dict) and isinstance(payload.get("links"), dict):
        payload["links"] = {key: link for key, link in payload["links"].items() if link}
    return orjson.dumps(payload) if body else b""


@pytest.fixture
def sandbox() -> Iterator[CheckedSandbox]:
    made = CheckedSandbox(SandboxClock(START, frozen=True))
    made.broken = []
    yield made
    assert made.broken == []


@pytest.fixture
def url(sandbox: CheckedSandbox) -> Iterator[str]:
    with serve(sandbox) as address:
        yield address


@pytest.fixture
def runtime(sandbox: CheckedSandbox) -> Runtime:
    """Sleeping lets the sandbox's clock advance."""
    clock = sandbox.clock
    return Runtime(
        sleep=clock.advance, monotonic=lambda: clock.now().timestamp(), now=lambda: clock.now()
    )


@pytest.fixture
def make(
    sandbox: CheckedSandbox, url: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., KlaviyoDestination]]:
    """Makes destinations that talk to the sandbox; settings as keywords."""
    monkeypatch.setenv("SANDBOX_KLAVIYO_API_KEY", API_KEY)
    opened: list[KlaviyoDestination] = []

    def factory(**settings: object) -> KlaviyoDestination:
        table = {**sandbox.settings(url), **settings}
        opened.append(KlaviyoDestination(KlaviyoSettings.model_validate(table), runtime))
        return opened[-1]

    yield factory
    for destination in opened:
        destination.close()


@pytest.fixture
def destination(make: Callable[..., KlaviyoDestination]) -> KlaviyoDestination:
    return make()


@pytest.fixture
def ask(sandbox: CheckedSandbox) -> Ask:
    """Sends one raw request into the sandbox, correct unless told otherwise."""

    def send(
        method: str,
        path: str,
        query: str = "",
        body: object = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> Response:
        usual: dict[str, str | None] = {
            "authorization": f"Klaviyo-API-Key {API_KEY}",
            "revision": "2026-07-15",
            "content-type": "application/vnd.api+json",
            **(headers or {}),
        }
        sent = {name: value for name, value in usual.items() if value is not None}
        raw = body if isinstance(body, bytes) else orjson.dumps(body) if body is not None else b""
        return sandbox.respond(Request(method, path, query, sent, raw))

    return send


def load(name: str) -> Example:
    """One example by the beginning of its file name."""
    (path,) = EXAMPLES.glob(f"{name}-*.json")
    example: Example = json.loads(path.read_text(encoding="utf-8"))
    return example


@pytest.fixture
def example() -> Callable[[str], Example]:
    return load
