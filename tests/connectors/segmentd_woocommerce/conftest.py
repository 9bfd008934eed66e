"""A store as it was when its answers were recorded, and clients of it."""

from __future__ import annotations

import base64
import json
import random
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from segmentd.sdk import Customer, Order, OrderLine, Product, Refund, Runtime
from segmentd.sdk.testing.sandbox import Request, Response, SandboxClock
from segmentd.sdk.testing.server import serve
from segmentd_woocommerce.client import WooClient
from segmentd_woocommerce.destination import WooCommerceDestination
from segmentd_woocommerce.sandbox import WooCommerceSandbox
from segmentd_woocommerce.settings import WooCommerceSettings
from segmentd_woocommerce.source import WooCommerceSource

START = datetime(2026, 11, 21, 21, 42, 0, tzinfo=UTC)
RECORDED = Path(__file__).parent / "recorded"
Ask = Callable[..., Response]


@pytest.fixture
def recorded() -> Callable[[str], Any]:
    """Loads one of the files with a real store's answers."""
    return lambda name: json.loads((RECORDED / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def new_order() -> Callable[..., Order]:
    """An order by its number; everything else can be told."""
    return order


def order(number: int, **changes: Any) -> Order:
    fields: dict[str, Any] = {
        "placed_at": START,
        "updated_at": START,
        "currency": "USD",
        "total": 3596,
        "paid": True,
        "customer_id": "4",
        "country": "US",
        "region": "TX",
        "city": "Austin",
        "lines": [OrderLine(str(number * 10), "10", 1, 3096, title="Tea & Co")],
    }
    return Order(str(number), **{**fields, **changes})


@pytest.fixture
def clock() -> SandboxClock:
    return SandboxClock(START, frozen=True)


@pytest.fixture
def sandbox(clock: SandboxClock) -> WooCommerceSandbox:
    return WooCommerceSandbox(clock)


@pytest.fixture
def url(sandbox: WooCommerceSandbox, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for key, value in sandbox.credentials().items():
        monkeypatch.setenv(f"SANDBOX_WOOCOMMERCE_{key.upper()}", value)
    with serve(sandbox) as served:
        yield served


@pytest.fixture
def runtime(clock: SandboxClock) -> Runtime:
    return Runtime(
        sleep=clock.advance,
        monotonic=lambda: clock.now().timestamp(),
        now=clock.now,
        random=random.Random(1),
        timeout=10.0,
    )


@pytest.fixture
def settings(sandbox: WooCommerceSandbox, url: str) -> Callable[..., WooCommerceSettings]:
    def make(**changes: object) -> WooCommerceSettings:
        return WooCommerceSettings.model_validate({**sandbox.settings(url), **changes})

    return make


@pytest.fixture
def client(
    settings: Callable[..., WooCommerceSettings], runtime: Runtime
) -> Iterator[Callable[..., WooClient]]:
    made: list[WooClient] = []

    def make(**changes: object) -> WooClient:
        made.append(WooClient(settings(**changes), runtime))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def source(
    settings: Callable[..., WooCommerceSettings], runtime: Runtime
) -> Iterator[WooCommerceSource]:
    made = WooCommerceSource(settings(per_page=5), runtime)
    yield made
    made.close()


@pytest.fixture
def destination(
    settings: Callable[..., WooCommerceSettings], runtime: Runtime
) -> Iterator[WooCommerceDestination]:
    made = WooCommerceDestination(settings(), runtime)
    yield made
    made.close()


@pytest.fixture
def ask(sandbox: WooCommerceSandbox) -> Ask:
    """Asks the sandbox itself, over what it takes for https, with an administrator's key."""
    sandbox.door.https = True

    def send(request: str, body: object = None, **headers: str | None) -> Response:
        method, _, target = request.partition(" ")
        path, _, query = target.partition("?")
        usual = {"host": "store.example", **basic(sandbox.credentials()), **headers}
        sent = {name: value for name, value in usual.items() if value is not None}
        content = body.encode() if isinstance(body, str) else orjson.dumps(body)
        return sandbox.respond(
            Request(method, path, query, sent, content if body is not None else b"")
        )

    return send


def basic(credentials: Mapping[str, str]) -> dict[str, str]:
    pair = f"{credentials['key']}:{credentials['secret']}".encode()
    return {"authorization": f"Basic {base64.b64encode(pair).decode()}"}


@pytest.fixture
def shop(sandbox: WooCommerceSandbox) -> WooCommerceSandbox:
    """The sandbox with what the recorded requests ask for."""
    put = sandbox.put_customer
    for number in (1, 4, 5, 6, 23, 24, 25, 260, 300):
        email = f"c{number - 3:03}@example.com"
        put(Customer(str(number), START, START, email, "Vera", "Vip", "+12025550001", "US", "TX"))
    sandbox.store.customers.rows[1].role = "administrator"
    sandbox.put_product(Product("10", "Tea & Co", vendor="Acme", tags=["new"], categories=["お茶"]))
    sandbox.put_product(Product("33", "Sampler", tags=["new"], categories=["Coffee", "Gift sets"]))
    for number in (43, 44, 514, 946, 1104):
        sandbox.put_order(order(number, discount=500, discount_codes=["Été2025"]))
    for number in (55, 57, 925):
        amount = 3596 if number != 55 else 2422
        back = Refund(str(number + 1), START, amount)
        owner = {"customer_id": None, "email": "G@X.example"} if number == 925 else {}
        sandbox.put_order(order(number, refunds=[back], **owner))
    for number in (62, 63):
        sandbox.put_order(order(number, customer_id=None, email="C004@EXAMPLE.COM"))
    for number in (64, 66, 67):
        sandbox.put_order(order(number, total=3000))
    sandbox.put_draft(order(605, paid=False))
    sandbox.put_order(order(717))
    sandbox.trash_order("717")
    return sandbox
