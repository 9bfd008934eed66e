"""A small world for the stories: a Shopify shop, a WooCommerce shop and a Klaviyo account.

All over real HTTP on loopback, with invented people. ``snapshot`` and ``restore`` put the remote
side back, so that the same change can be crashed again and again.
"""

from __future__ import annotations

import copy
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from segmentd.config import load_config
from segmentd.domain.records import Customer, Order, OrderLine, Product
from segmentd.sdk.testing.sandbox import (
    ListSandbox,
    Request,
    Response,
    Sandbox,
    SandboxClock,
    ShopSandbox,
)
from segmentd.sdk.testing.server import serve
from segmentd_klaviyo.sandbox import KlaviyoSandbox
from segmentd_shopify.sandbox import ShopifySandbox
from segmentd_woocommerce.sandbox import WooCommerceSandbox

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)

SEGMENTS = """
[segments.spender]
title = "Big spender"
where = "amount_spent >= 100"
push = ["shop_tags", "woo_tags", "newsletter"]

[segments.repeat]
title = "Repeat"
where = "number_of_orders >= 2"
push = ["shop_tags", "woo_tags"]

[segments.recent]
title = "Ordered lately"
where = "last_order_date >= -30d"
push = ["newsletter"]

[segments.top]
title = "Top quarter"
where = "amount_spent IN TOP 25%"
push = [{ to = "shop_tags", tag = "top-25" }]
"""


class Stage(Sandbox):
    """Stands at a port in front of a sandbox that can be exchanged for an earlier copy."""

    def __init__(self, actor: Sandbox) -> None:
        super().__init__(actor.clock)
        self.actor = actor

    def respond(self, request: Request) -> Response:
        return self.actor.respond(request)

    def handle(self, request: Request) -> Response:
        return self.actor.handle(request)

    def is_write(self, request: Request) -> bool:
        return self.actor.is_write(request)

    def credentials(self) -> Mapping[str, str]:
        return self.actor.credentials()

    def settings(self, url: str) -> Mapping[str, object]:
        return self.actor.settings(url)


@dataclass
class World:
    """The remote side and the configuration that points to it."""

    stages: dict[str, Stage]
    config: Path
    urls: dict[str, str] = field(default_factory=dict)

    @property
    def shopify(self) -> ShopSandbox:
        actor = self.stages["shopify"].actor
        assert isinstance(actor, ShopSandbox)
        return actor

    @property
    def woo(self) -> ShopSandbox:
        actor = self.stages["woocommerce"].actor
        assert isinstance(actor, ShopSandbox)
        return actor

    @property
    def klaviyo(self) -> ListSandbox:
        actor = self.stages["klaviyo"].actor
        assert isinstance(actor, ListSandbox)
        return actor

    def shops(self) -> list[ShopSandbox]:
        return [self.shopify, self.woo]

    def snapshot(self) -> dict[str, Sandbox]:
        """A deep copy of everything remote."""
        return {name: copy.deepcopy(stage.actor) for name, stage in self.stages.items()}

    def restore(self, snapshot: Mapping[str, Sandbox]) -> None:
        """Put everything remote back to a snapshot, which stays usable."""
        for name, actor in snapshot.items():
            self.stages[name].actor = copy.deepcopy(actor)

    def tag_of(self, destination: str, segment: str) -> str | None:
        """The name that a segment's members get at a destination, if it is pushed there."""
        for configured in load_config(self.config).segments:
            for to in configured.push:
                if (configured.key, to.destination) == (segment, destination):
                    return to.name
        return None

    def names(self, destination: str) -> dict[str, str]:
        """Segment → its name at a destination."""
        segments = [segment.key for segment in load_config(self.config).segments]
        found = {key: self.tag_of(destination, key) for key in segments}
        return {key: name for key, name in found.items() if name is not None}

    def writes(self) -> int:
        """Requests so far that change something at any of the platforms."""
        return sum(stage.actor.writes() for stage in self.stages.values())

    def now(self) -> datetime:
        """The clock of the shops."""
        return self.shopify.clock.now()

    def advance(self, seconds: float) -> None:
        """Let time pass at all platforms."""
        for stage in self.stages.values():
            stage.actor.clock.advance(seconds)


def toml_value(value: object) -> str:
    """A settings value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def toml_table(name: str, settings: Mapping[str, object]) -> str:
    """A TOML table."""
    lines = [f"{key} = {toml_value(value)}" for key, value in settings.items()]
    return "\n".join([f"[{name}]", *lines, ""])


@contextmanager
def world(folder: Path, store_url: str, *, segments: str = SEGMENTS) -> Iterator[World]:
    """Start the three platforms and write a configuration for them into ``folder``."""
    actors: dict[str, Sandbox] = {
        "shopify": ShopifySandbox(SandboxClock(START), currency="USD", time_zone="UTC", points=20_000, restored=1_000),
        "woocommerce": WooCommerceSandbox(SandboxClock(START)),
        "klaviyo": KlaviyoSandbox(SandboxClock(START)),
    }
    with ExitStack() as stack:
        made = World(
            {name: Stage(actor) for name, actor in actors.items()}, folder / "segmentd.toml"
        )
        for name, stage in made.stages.items():
            made.urls[name] = stack.enter_context(serve(stage))
            for key, value in stage.credentials().items():
                os.environ[f"SANDBOX_{name.upper()}_{key.upper()}"] = value
        made.config.write_text(_toml(made, store_url) + segments, encoding="utf-8")
        yield made


def _toml(made: World, store_url: str) -> str:
    tables = {
        "sources.shop": "shopify",
        "sources.woo": "woocommerce",
        "destinations.newsletter": "klaviyo",
    }
    text = f'[store]\nurl = "{store_url}"\n\n[shop]\ntime_zone = "UTC"\ncurrency = "USD"\n\n'
    for table, name in tables.items():
        settings = {"connector": name, **made.stages[name].settings(made.urls[name])}
        text += toml_table(table, settings) + "\n"
    text += '[destinations.shop_tags]\nconnector = "shopify"\nsource = "shop"\n\n'
    text += '[destinations.woo_tags]\nconnector = "woocommerce"\nsource = "woo"\n\n'
    return text


def customer(number: int, **more: object) -> Customer:
    """An invented customer."""
    made = Customer(
        id=str(number),
        email=f"c{number:04d}@shopper.example",
        created_at=START - timedelta(days=200),
        country="US",
    )
    for key, value in more.items():
        setattr(made, key, value)
    return made


def order(number: int, customer_id: int | None, total: int, at: datetime, **more: object) -> Order:
    """An invented paid order with one line."""
    made = Order(
        id=str(number),
        placed_at=at,
        updated_at=at,
        currency="USD",
        total=total,
        paid=True,
        customer_id=None if customer_id is None else str(customer_id),
        status="paid",
        lines=[OrderLine(id=str(number * 10), product_id="7", quantity=1, amount=total)],
    )
    if customer_id is not None:
        made.email = f"c{customer_id:04d}@shopper.example"
    for key, value in more.items():
        setattr(made, key, value)
    return made


def populate(shop: ShopSandbox, customers: int, first: int = 1) -> None:
    """Customers with one to three orders each, the older the higher their number."""
    shop.put_product(Product(id="7", title="Mug", product_type="kitchen"))
    for number in range(first, first + customers):
        shop.put_customer(customer(number, updated_at=START - timedelta(days=100)))
        for index in range(1 + number % 3):
            at = START - timedelta(days=5 + number, hours=index)
            total = 1500 + 700 * (number % 9)
            shop.put_order(order(number * 100 + index, number, total, at))
