"""A small world for the stories: a Shopify shop, a WooCommerce shop and a Klaviyo account.

All over real HTTP on loopback, with invented people. ``snapshot`` and ``restore`` put the remote
side back, so that the same change can be crashed again and again.
"""

from __future__ import annotations

import copy
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from segmentd.config import load_config
from segmentd.sdk.testing.sandbox import (
    Request,
    Response,
    Sandbox,
    SandboxClock,
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
push = ["shop_tags", "woo_tags", "newsletter"]

[segments.recent]
title = "Ordered lately"
where = "last_order_date >= -30d"
push = ["shop_tags", "woo_tags", "newsletter"]

[segments.top]
title = "Top quarter"
where = "amount_spent IN TOP 25%"
push = [{ to = "shop_tags", tag = "top-25" }]

# most of the memberships change in the stories
[guard]
floor = 1000
"""

PORTIONS: Mapping[str, Mapping[str, object]] = {
    "shopify": {"products_page": 4, "customers_page": 5, "orders_page": 5},
    "woocommerce": {"per_page": 5},
    "klaviyo": {"poll_every": "10ms"},
}
"""So small that a few records are several pages, and so quick that nothing is waited for."""


_APP = ("client_id", "client_secret")


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
    def shopify(self) -> ShopifySandbox:
        """The Shopify shop as it is now."""
        actor = self.stages["shopify"].actor
        assert isinstance(actor, ShopifySandbox)
        return actor

    @property
    def woo(self) -> WooCommerceSandbox:
        """The WooCommerce store as it is now."""
        actor = self.stages["woocommerce"].actor
        assert isinstance(actor, WooCommerceSandbox)
        return actor

    @property
    def klaviyo(self) -> KlaviyoSandbox:
        """The Klaviyo account as it is now."""
        actor = self.stages["klaviyo"].actor
        assert isinstance(actor, KlaviyoSandbox)
        return actor

    def snapshot(self) -> dict[str, Sandbox]:
        """A deep copy of everything remote."""
        return {name: copy.deepcopy(stage.actor) for name, stage in self.stages.items()}

    def hang_up(self) -> None:
        """Wait until what a dead client had sent is answered.

        The servers accept connections in order and end a connection when the client has.
        """
        for url in self.urls.values():
            parts = urlsplit(url)
            with socket.create_connection((parts.hostname, parts.port)) as last:
                last.shutdown(socket.SHUT_WR)
                assert last.recv(1) == b""
        for thread in threading.enumerate():
            if self._answers(thread):
                thread.join()

    def _answers(self, thread: threading.Thread) -> bool:
        """Whether a thread serves a connection to one of the platforms."""
        work = getattr(thread, "_target", None)
        of_ours = getattr(getattr(work, "__self__", None), "sandbox", None) in self.stages.values()
        return of_ours and getattr(work, "__name__", "") == "process_request_thread"

    def restore(self, snapshot: Mapping[str, Sandbox]) -> None:
        """Put everything remote back to a snapshot, which stays usable."""
        for name, actor in snapshot.items():
            self.stages[name].actor = copy.deepcopy(actor)

    @cached_property
    def names(self) -> Mapping[str, Mapping[str, str]]:
        """Destination → segment → the name that its members get there."""
        found: dict[str, dict[str, str]] = {}
        for segment in load_config(self.config).segments:
            for to in segment.push:
                found.setdefault(to.destination, {})[segment.key] = to.name
        return found

    def written(self, platform: str) -> list[Request]:
        """Requests so far that were to change something at a platform."""
        return [entry.request for entry in self.stages[platform].actor.log if entry.write]

    def writes(self) -> int:
        """How many requests so far were to change something at any of the platforms."""
        return sum(len(self.written(name)) for name in self.stages)

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
def world(folder: Path, store_url: str) -> Iterator[World]:
    """Start the three platforms and write a configuration for them into ``folder``.

    Their clocks stand still until ``advance``.
    """
    clocks = [SandboxClock(START, frozen=True) for _ in range(3)]
    actors: dict[str, Sandbox] = {
        "shopify": ShopifySandbox(
            clocks[0], currency="USD", time_zone="UTC", points=20_000, restored=1_000
        ),
        "woocommerce": WooCommerceSandbox(clocks[1]),
        "klaviyo": KlaviyoSandbox(clocks[2]),
    }
    with ExitStack() as stack:
        stages = {name: Stage(actor) for name, actor in actors.items()}
        made = World(stages, folder / "segmentd.toml")
        for name, stage in stages.items():
            made.urls[name] = stack.enter_context(serve(stage))
            for key, value in stage.credentials().items():
                variable = f"SANDBOX_{name.upper()}_{key.upper()}"
                os.environ[variable] = value
                stack.callback(os.environ.pop, variable, None)
        made.config.write_text(_toml(made, store_url) + SEGMENTS, encoding="utf-8")
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
        if settings.pop("token_env", None):
            # with an app's id and secret every process asks for a token of its own
            settings |= {f"{key}_env": f"SANDBOX_SHOPIFY_{key.upper()}" for key in _APP}
        text += toml_table(table, {**settings, **PORTIONS[name]}) + "\n"
    text += '[destinations.shop_tags]\nconnector = "shopify"\nsource = "shop"\n\n'
    text += '[destinations.woo_tags]\nconnector = "woocommerce"\nsource = "woo"\n\n'
    return text
