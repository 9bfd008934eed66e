"""A Shopify sandbox on a port, with time that moves only when someone waits.

``@pytest.mark.parametrize("sandbox", [{"index_lag": 60}], indirect=True)`` changes the shop.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from segmentd.sdk import Customer, Order, OrderLine, Runtime
from segmentd.sdk.testing.sandbox import Request, Response, SandboxClock
from segmentd.sdk.testing.server import serve
from segmentd_shopify.client import ShopifyClient
from segmentd_shopify.destination import ShopifyDestination
from segmentd_shopify.sandbox import ShopifySandbox
from segmentd_shopify.settings import ShopifySettings
from segmentd_shopify.source import ShopifySource

START = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
RECORDED = Path(__file__).parent / "recorded"


@pytest.fixture
def start() -> datetime:
    """The sandbox's time at the beginning."""
    return START


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> ShopifySandbox:
    return ShopifySandbox(SandboxClock(START, frozen=True), **getattr(request, "param", {}))


@pytest.fixture
def url(sandbox: ShopifySandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Where the sandbox is served; its secrets are in the environment."""
    for key, value in sandbox.credentials().items():
        monkeypatch.setenv(f"SANDBOX_SHOPIFY_{key.upper()}", value)
    with serve(sandbox) as address:
        yield address


@pytest.fixture
def sleeps() -> list[float]:
    """Every wait, in seconds."""
    return []


@pytest.fixture
def runtime(sandbox: ShopifySandbox, sleeps: list[float]) -> Runtime:
    def sleep(seconds: float) -> None:
        sleeps.append(seconds)
        sandbox.clock.advance(seconds)

    return Runtime(
        sleep=sleep,
        monotonic=lambda: (sandbox.clock.now() - START).total_seconds(),
        now=sandbox.clock.now,
        random=random.Random(7),
    )


@pytest.fixture
def configure(sandbox: ShopifySandbox, url: str) -> Callable[..., ShopifySettings]:
    """Settings that lead to the sandbox; keywords change them, None leaves one out."""

    def make(**more: object) -> ShopifySettings:
        table = {**sandbox.settings(url), **more}
        del table["connector"]  # the core's own key
        return ShopifySettings.model_validate(
            {key: value for key, value in table.items() if value is not None}
        )

    return make


@pytest.fixture
def app_settings(configure: Callable[..., ShopifySettings]) -> ShopifySettings:
    """Settings with an app's id and secret instead of a token."""
    return configure(
        token_env=None,
        client_id_env="SANDBOX_SHOPIFY_CLIENT_ID",
        client_secret_env="SANDBOX_SHOPIFY_CLIENT_SECRET",
    )


@pytest.fixture
def client(configure: Callable[..., ShopifySettings], runtime: Runtime) -> Iterator[ShopifyClient]:
    with closing(ShopifyClient(configure(), runtime)) as made:
        yield made


@pytest.fixture
def source(configure: Callable[..., ShopifySettings], runtime: Runtime) -> Iterator[ShopifySource]:
    with closing(ShopifySource(configure(), runtime)) as made:
        yield made


@pytest.fixture
def destination(
    configure: Callable[..., ShopifySettings], runtime: Runtime
) -> Iterator[ShopifyDestination]:
    with closing(ShopifyDestination(configure(), runtime)) as made:
        yield made


@pytest.fixture
def post(sandbox: ShopifySandbox) -> Callable[..., Response]:
    """The sandbox's answer, without HTTP, to a GraphQL request with the right token."""

    def send(query: str, version: str = "2026-10", /, **variables: Any) -> Response:
        body = orjson.dumps({"query": query, "variables": variables})
        headers = {
            "content-type": "application/json",
            "x-shopify-access-token": sandbox.credentials()["token"],
        }
        path = f"/admin/api/{version}/graphql.json"
        return sandbox.respond(Request("POST", path, "", headers, body))

    return send


@pytest.fixture
def ask(post: Callable[..., Response]) -> Callable[..., Any]:
    """The same, as parsed JSON."""
    return lambda *args, **variables: orjson.loads(post(*args, **variables).body)


@pytest.fixture
def recorded() -> Callable[[str], Any]:
    """An answer in the shape that the real API was recorded with; people and numbers invented."""
    return lambda name: json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def make_customer() -> Callable[..., Customer]:
    """An invented person, changed at the start of the sandbox's time."""

    def make(number: int, **fields: Any) -> Customer:
        values = {"email": f"shopper{number}@shopper.example", "updated_at": START, **fields}
        return Customer(str(number), **values)

    return make


@pytest.fixture
def make_order() -> Callable[..., Order]:
    """An order of one line at 12.50."""

    def make(number: int, at: datetime = START, **fields: Any) -> Order:
        values: dict[str, Any] = {
            "placed_at": at,
            "updated_at": at,
            "currency": "EUR",
            "total": 1250,
            "paid": True,
            "lines": [OrderLine(str(number * 100), "9", 1, 1250, title="Heather honey")],
            **fields,
        }
        return Order(str(number), **values)

    return make
