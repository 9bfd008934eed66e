"""The stage of the demo: two shops and an e-mail platform on ports of this machine.

They share one clock, which stands in the year of the history. A wait for a rate limit advances
that clock instead of taking real time, and is counted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from segmentd import plugins
from segmentd.demo.history import History, Part, fill
from segmentd.sdk.testing.sandbox import ListSandbox, Sandbox, SandboxClock, ShopSandbox
from segmentd.sdk.testing.server import serve

SHOPS = {"shop": ("shopify", Part(0, 2)), "woo": ("woocommerce", Part(1, 2))}
"""Source → its platform, and its part of the history's customers."""
TAGS = {"shop_tags": "shop", "woo_tags": "woo"}
"""Destination → the source whose customers it tags."""
LISTS = "newsletter"

_HEAD = """[store]
url = "{url}"

# the days of the history are those of UTC, whatever the shops say
[shop]
time_zone = "UTC"

"""


@dataclass
class Platforms:
    """What is beyond the wire."""

    clock: SandboxClock
    sandboxes: Mapping[str, Sandbox]
    """By source, and the e-mail platform by its destination."""
    tables: dict[str, Mapping[str, object]] = field(default_factory=dict)
    """Name of a TOML table → the settings that connect to the platform."""

    def shop(self, source: str) -> ShopSandbox:
        """The shop of a source."""
        sandbox = self.sandboxes[source]
        assert isinstance(sandbox, ShopSandbox)  # noqa: S101 - SHOPS names shops
        return sandbox

    @property
    def lists(self) -> ListSandbox:
        """The e-mail platform."""
        sandbox = self.sandboxes[LISTS]
        assert isinstance(sandbox, ListSandbox)  # noqa: S101 - it was made as one
        return sandbox

    def live(self, history: History, until: datetime, since: datetime | None = None) -> None:
        """Let both shops live through the history up to ``until``."""
        self.clock.set(until)
        for source, (_, part) in SHOPS.items():
            fill(self.shop(source), history, until, part, since)
        # Shopify's search shows nothing of the last seconds
        self.clock.advance(60)

    def sleep(self, seconds: float) -> None:
        """Wait in the platforms' time."""
        self.clock.advance(seconds)

    def writes(self) -> int:
        """Requests so far that change something at any platform."""
        return sum(sandbox.writes() for sandbox in self.sandboxes.values())

    def write_config(self, path: Path, url: str, segments: str) -> None:
        """The configuration that connects to the platforms."""
        tables = [_table(name, values) for name, values in self.tables.items()]
        path.write_text("\n".join([_HEAD.format(url=url), *tables, segments]), encoding="utf-8")


@contextmanager
def platforms(now: datetime) -> Iterator[Platforms]:
    """Serve the three platforms; the secrets go into the environment as for a real one."""
    clock = SandboxClock(now)
    made: dict[str, Sandbox] = {}
    for source, (name, _) in SHOPS.items():
        shop: Any = plugins.sandbox(name)
        made[source] = shop(clock, currency="USD")
    made[LISTS] = plugins.sandbox("klaviyo")(clock)
    stage = Platforms(clock, made)
    with ExitStack() as stack:
        for name, sandbox in made.items():
            settings = sandbox.settings(stack.enter_context(serve(sandbox)))
            for variable in _hand_over(sandbox, settings):
                stack.callback(os.environ.pop, variable)
            if name in SHOPS:
                stage.tables[f"sources.{name}"] = {"connector": SHOPS[name][0], **settings}
            else:
                stage.tables[f"destinations.{name}"] = {"connector": "klaviyo", **settings}
        for destination, source in TAGS.items():
            stage.tables[f"destinations.{destination}"] = {
                "connector": SHOPS[source][0],
                "source": source,
            }
        yield stage


def _hand_over(sandbox: Sandbox, settings: Mapping[str, object]) -> list[str]:
    """Put the secrets where the settings say; returns the variables."""
    variables = {
        str(settings[f"{key}_env"]): secret
        for key, secret in sandbox.credentials().items()
        if f"{key}_env" in settings
    }
    os.environ.update(variables)
    return list(variables)


def _table(name: str, values: Mapping[str, object]) -> str:
    lines = [f"{key} = {_toml(value)}" for key, value in values.items()]
    return "\n".join([f"[{name}]", *lines, ""])


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)
