"""``check``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from segmentd import plugins
from segmentd.bootstrap import Outcome, check_rules
from segmentd.cli.common import Invocation, echo_json, json_option, pass_invocation
from segmentd.cli.exits import Exit, code_of
from segmentd.config import Config, ConnectorConfig
from segmentd.domain.errors import ConfigError, SegmentdError
from segmentd.domain.identity import email_key
from segmentd.domain.suggest import did_you_mean
from segmentd.sdk.contract import Destination, Runtime
from segmentd.sdk.settings import ConnectorSettings
from segmentd.store import migrate

Step = Callable[[], str]
"""Looks at one thing: returns what it saw, or raises what is wrong."""


@dataclass
class Finding:
    """What became of one step."""

    about: str
    text: str
    error: SegmentdError | None = None


@click.command()
@click.option("--offline", is_flag=True, help="Do not contact the platforms.")
@json_option
@pass_invocation
def check(invocation: Invocation, offline: bool, as_json: bool) -> Exit:
    """Check configuration, secrets, rules, names, database and platforms; changes nothing."""
    config = invocation.start()
    findings = []
    for about, step in _steps(config, offline=offline):
        findings.append(_taken(about, step))
        if not as_json:
            _show(findings[-1])
    if as_json:
        echo_json([_plain(finding) for finding in findings])
    failed = {str(i): finding.error for i, finding in enumerate(findings) if finding.error}
    worst = Outcome[object](failed=failed).worst()
    return code_of(worst) if worst else Exit.OK


def _steps(config: Config, *, offline: bool) -> Iterator[tuple[str, Step]]:
    yield str(config.path), partial(_summary, config)
    for about, connector in _connectors(config):
        yield f"{about} secrets", partial(_secrets, connector.settings)
    yield "rules", partial(_rules, config)
    for name, connector in config.destinations.items():
        yield f"[destinations.{name}] names", partial(_names, config, connector)
    yield "database", partial(_database, config.store_url)
    if offline:
        return
    for name, connector in config.sources.items():
        yield f"[sources.{name}] platform", partial(_shop, connector)
    for name, connector in config.destinations.items():
        yield f"[destinations.{name}] platform", partial(_account, connector)


def _connectors(config: Config) -> Iterator[tuple[str, ConnectorConfig]]:
    for name, connector in config.sources.items():
        yield f"[sources.{name}]", connector
    for name, connector in config.destinations.items():
        yield f"[destinations.{name}]", connector


def _taken(about: str, step: Step) -> Finding:
    try:
        return Finding(about, step())
    except SegmentdError as error:
        return Finding(about, error.message, error)


def _show(finding: Finding) -> None:
    text = finding.text.replace("\n", "\n      ")  # several rules may be wrong
    click.echo(f"{'FAIL' if finding.error else 'ok  '}  {finding.about}: {text}")
    if finding.error and finding.error.hint:
        click.echo(f"      try: {finding.error.hint}")


def _plain(finding: Finding) -> dict[str, object]:
    return {
        "about": finding.about,
        "ok": finding.error is None,
        "text": finding.text,
        "hint": finding.error.hint if finding.error else None,
    }


def _summary(config: Config) -> str:
    counts = {
        "sources": len(config.sources),
        "destinations": len(config.destinations),
        "segments": len(config.segments),
    }
    text = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    return f"{text}; paused" if config.paused else text


def _secrets(settings: ConnectorSettings) -> str:
    return ", ".join(settings.check_secrets()) or "none are named"


def _rules(config: Config) -> str:
    check_rules(config)
    _check_pins(config)
    return f"{len(config.segments)} understood"


def _check_pins(config: Config) -> None:
    """A pin on nobody is only a warning of each pass: customers come and go, but sources do not."""
    for segment in config.segments:
        for pin in segment.pins:
            source = pin.customer.partition(":")[0]
            if source not in config.sources and email_key(pin.customer) is None:
                near = did_you_mean(source, config.sources)
                raise ConfigError(
                    f"[segments.{segment.key}] pins {pin.customer}, which is no e-mail address, "
                    f'and no source is called "{source}"{near}'
                )


def _names(config: Config, connector: ConnectorConfig) -> str:
    names = [
        to.name
        for segment in config.segments
        for to in segment.push
        if to.destination == connector.name
    ]
    with closing(_destination(connector)) as destination:
        for name in names:
            destination.check_name(name)
    return ", ".join(names) or "no segment is pushed there"


def _database(url: str) -> str:
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:") and not path.exists():
        if not os.access(path.parent, os.W_OK):
            raise ConfigError(f"{path} cannot be made: its folder is missing or not ours to write")
        return f"{path} will be made by the first command that needs it"
    return f"schema {migrate.check(url)}"


def _shop(connector: ConnectorConfig) -> str:
    with closing(plugins.source(connector.connector)(connector.settings, Runtime())) as source:
        info = source.info()
    return _said(f"{info.name}, {info.currency}, {info.time_zone}", info.warnings)


def _account(connector: ConnectorConfig) -> str:
    with closing(_destination(connector)) as destination:
        info = destination.info()
    return _said(info.name, info.warnings)


def _destination(connector: ConnectorConfig) -> Destination:
    return plugins.destination(connector.connector)(connector.settings, Runtime())


def _said(text: str, warnings: Sequence[str]) -> str:
    return "; ".join([text, *(f"warning: {warning}" for warning in warnings)])
