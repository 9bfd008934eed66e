"""What commands share: the options, the configuration behind them, one way to print JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from segmentd.config import Config

F = TypeVar("F", bound=Callable[..., Any])

LOG_LEVELS = ("debug", "info", "warning", "error")
YEARS = range(1970, 3000)
"""Rules look back and ahead: there must be a calendar on both sides of an instant."""


@dataclass
class Invocation:
    """The options that stand before or behind any command."""

    config_path: Path | None = None
    log_level: str | None = None
    debug: bool = False

    def start(self, default_level: str = "warning") -> Config:
        """Set the logs up and read the configuration; ConfigError if it is wrong."""
        from segmentd.config import load_config

        self.start_logs(default_level)
        return load_config(self.config_path)

    def start_logs(self, default_level: str = "warning") -> None:
        """Set the logs up for a command that needs no configuration."""
        from segmentd import logs

        logs.configure(self.log_level or default_level)


pass_invocation = click.make_pass_decorator(Invocation, ensure=True)


def _keep(ctx: click.Context, param: click.Parameter, value: object) -> None:
    if value is not None and value is not False:
        setattr(ctx.ensure_object(Invocation), str(param.name), value)


def common_options() -> list[click.Option]:
    """The options that the program and every command take, wherever they are typed."""
    return [
        click.Option(
            ["--config", "config_path"],
            type=click.Path(path_type=Path, dir_okay=False),
            expose_value=False,
            callback=_keep,
            help="Configuration [default: $SEGMENTD_CONFIG, else ./segmentd.toml].",
        ),
        click.Option(
            ["--log-level"],
            type=click.Choice(LOG_LEVELS),
            expose_value=False,
            callback=_keep,
            help="How much is logged on stderr.",
        ),
        click.Option(
            ["--debug"],
            is_flag=True,
            envvar="SEGMENTD_DEBUG",
            expose_value=False,
            callback=_keep,
            help="Show where an error came from.",
        ),
    ]


class Instant(click.ParamType[datetime]):
    """An instant in ISO 8601; without an offset it is UTC."""

    name = "UTC instant"
    """What ``--help`` shows behind the option."""

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Whole seconds, UTC."""
        if isinstance(value, datetime):
            return value
        try:
            parsed = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(
                f"{value!r} is no instant; write for example 2011-09-01T00:00:00Z", param, ctx
            )
        if parsed.year not in YEARS:
            self.fail(
                f"{value!r} is too far away; write a year from {YEARS[0]} to {YEARS[-1]}",
                param,
                ctx,
            )
        zoned = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
        return zoned.astimezone(UTC).replace(microsecond=0)


def now_option(command: F) -> F:
    """``--now T``: passes ``now``, None for the real time."""
    return click.option("--now", type=Instant(), help="Pretend that this is the present.")(command)


def json_option(command: F) -> F:
    """``--json``: passes ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")(
        command
    )


def echo_lines(lines: Iterable[str]) -> None:
    """Print each line; nothing at all where there is none."""
    for line in lines:
        click.echo(line)


def echo_json(document: object) -> None:
    """Print ``document``; instants as ISO 8601 with ``Z``."""
    click.echo(json.dumps(document, ensure_ascii=False, default=_plain))


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
