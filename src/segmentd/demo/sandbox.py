"""``sandbox``."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import click

from segmentd import plugins
from segmentd.cli.common import Instant
from segmentd.domain.errors import ConfigError
from segmentd.sdk.testing.sandbox import Sandbox, SandboxClock, ShopSandbox

_END_OF_HISTORY = datetime(1998, 7, 1, tzinfo=UTC)


@click.command()
@click.argument("connector")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Default: any free one.")
@click.option(
    "--data",
    type=click.Choice(["cdnow", "empty"]),
    help="What a shop begins with: the history of a record shop of 1997/98, or nothing.",
)
@click.option(
    "--until",
    type=Instant(),
    default=_END_OF_HISTORY,
    help="The history's present.  [default: 1998-07-01]",
)
def sandbox(connector: str, port: int, data: str | None, until: datetime) -> None:
    """Serve the fake platform of CONNECTOR on this machine until Ctrl-C.

    Prints what to put into segmentd.toml, and the secrets as shell commands.
    """
    from segmentd.sdk.testing.server import serve

    made = _filled(plugins.sandbox(connector), connector, data, until)
    with serve(made, port) as url:
        for line in _instructions(made, connector, url):
            click.echo(line)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


def _filled(kind: type[Sandbox], connector: str, data: str | None, until: datetime) -> Sandbox:
    if data == "cdnow" and not issubclass(kind, ShopSandbox):
        raise ConfigError(f"the sandbox of {connector} is no shop: it can only begin empty")
    if data == "empty" or not issubclass(kind, ShopSandbox):
        return kind()
    from segmentd.demo.history import CDNOW, fill, load_history

    shop: Any = kind
    # the history is in dollars; amounts in another currency than the shop's would not count
    made: ShopSandbox = shop(SandboxClock(until), currency="USD")
    fill(made, load_history(CDNOW), until)
    return made


def _instructions(made: Sandbox, connector: str, url: str) -> Iterator[str]:
    settings = {"connector": connector, **made.settings(url)}
    is_shop = isinstance(made, ShopSandbox)
    yield f"# the sandbox of {connector}: {url}"
    if is_shop:
        yield f"# its present is {made.clock.now():%Y-%m-%dT%H:%M:%SZ}: see --now"
    yield f"[{'sources' if is_shop else 'destinations'}.{connector}]"
    for key, value in settings.items():
        # JSON's texts, numbers and flags are TOML's
        yield f"{key} = {json.dumps(value)}"
    if is_shop and connector in plugins.installed(plugins.DESTINATIONS):
        yield f"[destinations.{connector}_tags]"
        yield f'connector = "{connector}"'
        yield f'source = "{connector}"'
    for key, value in made.credentials().items():
        if variable := settings.get(f"{key}_env"):
            yield f"export {variable}={value}"
    yield "# answers until Ctrl-C"
