"""``run`` and ``healthcheck``."""

from __future__ import annotations

import http.client
import sys

import click

from segmentd.cli.common import Invocation, pass_invocation
from segmentd.cli.exits import Exit
from segmentd.cli.signals import Signals


@click.command()
@pass_invocation
def run(invocation: Invocation) -> None:
    """Keep everything up to date until stopped: pull, segment and push by schedule.

    SIGTERM and Ctrl-C end it within 10 seconds, a second one at once; SIGHUP reads the
    configuration again.
    """
    signals = Signals()
    signals.install()
    _do_without_arrow()
    config = invocation.start("info")

    from segmentd.cli.daemon import serve
    from segmentd.config import load_config

    serve(config, lambda: load_config(invocation.config_path), signals)


def _do_without_arrow() -> None:
    """Let pandas be imported without pyarrow, which nothing in the daemon's process needs: that is
    a quarter of its memory while it waits. Workers are processes of their own, and have it."""
    sys.modules["pyarrow"] = None  # type: ignore[assignment]  # reads as not installed


@click.command()
@pass_invocation
def healthcheck(invocation: Invocation) -> int:
    """Ask the running daemon whether it is alive, as a container's probe does.

    Ends with 0 if it is, with 1 if it is not, and with 2 where [web] names no port that could be
    asked: such a container is to run without a probe.
    """
    host, port = _address(invocation)
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/livez")
        status = connection.getresponse().status
    except OSError as error:
        click.echo(f"no answer from {host} port {port}: {error.strerror or error}", err=True)
        return Exit.UNEXPECTED
    finally:
        connection.close()
    return Exit.OK if status == http.HTTPStatus.OK else Exit.UNEXPECTED


def _address(invocation: Invocation) -> tuple[str, int]:
    """Where the daemon listens, read without importing the connectors: a probe runs often."""
    from segmentd.config_file import ConfigFile, config_path
    from segmentd.config_tables import WebTable

    file = ConfigFile(config_path(invocation.config_path))
    web = file.parse(WebTable, "web", file.table("web"))
    if not web.enabled or web.port == 0:
        raise file.error("web", "names no port that could be asked")
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - read, not bound
    return anywhere.get(web.host, web.host), web.port
