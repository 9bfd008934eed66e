"""``init``."""

from __future__ import annotations

from importlib.resources import files

import click

from segmentd.cli.common import Invocation, pass_invocation
from segmentd.config_file import config_path
from segmentd.domain.errors import ConfigError

EXAMPLE = files("segmentd").joinpath("config.example.toml")


@click.command()
@pass_invocation
def init(invocation: Invocation) -> None:
    """Write a segmentd.toml to start from; an existing file is left alone."""
    path = config_path(invocation.config_path)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(EXAMPLE.read_text(encoding="utf-8"))
    except FileExistsError:
        raise ConfigError(f"there is a {path} already; it was left as it is") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    click.echo(f"wrote {path}; fill in your shop, then type: segmentd check")
