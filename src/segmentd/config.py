"""The configuration file, read, typed and checked as a whole before anything else happens.

Every mistake is one sentence with file, table and key. What only the platforms or the rule
language can tell is checked by ``segmentd check``.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from segmentd import plugins
from segmentd.config_file import ConfigFile, config_path
from segmentd.config_segments import read_rules
from segmentd.config_tables import (
    WEEKDAYS,
    GuardTable,
    Schedule,
    ShopTable,
    StoreTable,
    WebTable,
)
from segmentd.domain.errors import ConfigError
from segmentd.domain.ledger import Guard
from segmentd.domain.segments import ExclusiveSet, Segment, Value
from segmentd.domain.suggest import did_you_mean
from segmentd.sdk.contract import Destination, Source
from segmentd.sdk.settings import ConnectorSettings

DEFAULT_INTERVAL = timedelta(minutes=5)

_Plugin = TypeVar("_Plugin", bound=type[Source] | type[Destination])
_TOP = {
    "conditions",
    "destinations",
    "guard",
    "include",
    "paused",
    "segments",
    "sets",
    "shop",
    "sources",
    "store",
    "variables",
    "web",
}
_SCHEDULE = {"every", "cron"}
# Docker mounts secrets there with mode 0444 and offers no way to change that outside of swarm
_MOUNTED_SECRETS = Path("/run/secrets")


@dataclass(frozen=True)
class ConnectorConfig:
    """One source or destination: ``name`` is its table, ``connector`` the plug-in."""

    name: str
    connector: str
    settings: ConnectorSettings
    source: str | None = None
    """Destinations: the source whose shop, settings and customers it shares."""
    every: timedelta | None = None
    """Sources: the pull interval, unless ``cron``."""
    cron: str | None = None


@dataclass(frozen=True)
class Shop:
    """Overrides of what the platforms say; None leaves it to them."""

    time_zone: str | None = None
    currency: str | None = None
    week_start: int = 0
    """0 for Monday; the platforms do not say."""


@dataclass(frozen=True)
class Web:
    """Where the daemon listens; port 0 is any free one."""

    host: str
    port: int


@dataclass(frozen=True)
class Config:
    """The whole configuration, consistent in itself."""

    path: Path
    store_url: str
    """SQLAlchemy URL; a relative SQLite path counts from the folder of the file."""
    lease: timedelta
    """After so long a silence of a process, another one takes over what it was doing."""
    shop: Shop
    sources: Mapping[str, ConnectorConfig]
    destinations: Mapping[str, ConnectorConfig]
    segments: tuple[Segment, ...]
    sets: tuple[ExclusiveSet, ...]
    variables: Mapping[str, Value]
    """What ``$name`` in a rule stands for."""
    conditions: Mapping[str, str]
    """The same, for rules that several segments share."""
    guard: Guard
    paused: bool
    """Pull and segment go on; nothing is pushed."""
    web: Web | None
    """None: the daemon does not listen."""


def load_config(path: Path | None = None) -> Config:
    """Read the configuration at ``config_path(path)``.

    Raises ConfigError; nothing is contacted and no secret is read.
    """
    file = ConfigFile(config_path(path))
    file.check_keys(_TOP)
    sources = {name: _source(file, name, raw) for name, raw in file.tables("sources").items()}
    destinations = {
        name: _destination(file, name, raw) for name, raw in file.tables("destinations").items()
    }
    store = file.parse(StoreTable, "store", file.table("store"))
    shop = file.parse(ShopTable, "shop", file.table("shop"))
    guard = file.parse(GuardTable, "guard", file.table("guard"))
    web = file.parse(WebTable, "web", file.table("web"))
    rules = read_rules(file, _kinds(destinations))
    return Config(
        path=file.path,
        store_url=_store_url(file, store),
        lease=store.lease,
        shop=Shop(shop.time_zone, shop.currency, WEEKDAYS.index(shop.week_start)),
        sources=sources,
        destinations=destinations,
        segments=rules.segments,
        sets=rules.sets,
        variables=rules.variables,
        conditions=rules.conditions,
        guard=Guard(guard.floor, guard.share_of_name, guard.share_of_all),
        paused=_paused(file),
        web=Web(web.host, web.port) if web.enabled else None,
    )


def _kinds(destinations: Mapping[str, ConnectorConfig]) -> dict[str, str | None]:
    """Destination → ``tags`` or ``lists``; None where its settings decide."""
    return {
        name: said.kind
        if (said := plugins.capabilities(plugins.destination(destination.connector)))
        else None
        for name, destination in destinations.items()
    }


def _source(file: ConfigFile, name: str, raw: dict[str, Any]) -> ConnectorConfig:
    table = f"sources.{name}"
    connector = _connector(file, table, raw)
    schedule = file.parse(Schedule, table, {key: raw[key] for key in raw.keys() & _SCHEDULE})
    settings_class = _plugin(file, table, plugins.source, connector).Settings
    settings = _settings(file, table, settings_class, raw, {"connector", *_SCHEDULE})
    every = DEFAULT_INTERVAL if schedule.every is None and not schedule.cron else schedule.every
    return ConnectorConfig(name, connector, settings, every=every, cron=schedule.cron)


def _destination(file: ConfigFile, name: str, raw: dict[str, Any]) -> ConnectorConfig:
    table = f"destinations.{name}"
    connector = _connector(file, table, raw)
    destination = _plugin(file, table, plugins.destination, connector)
    source = file.expanded(table, raw, "source")
    if source is None:
        _refuse_shopless(file, table, destination)
    else:
        raw = {**_shared(file, table, source, connector), **raw}
    settings = _settings(file, table, destination.Settings, raw, {"connector", "source"})
    return ConnectorConfig(name, connector, settings, source=source)


def _connector(file: ConfigFile, table: str, raw: dict[str, Any]) -> str:
    connector = file.expanded(table, raw, "connector")
    if connector is None:
        raise file.error(table, 'key "connector" is missing')
    return connector


def _plugin(file: ConfigFile, table: str, find: Callable[[str], _Plugin], name: str) -> _Plugin:
    try:
        return find(name)
    except ConfigError as error:
        raise file.error(table, f'key "connector": {error.message}') from error


def _shared(file: ConfigFile, table: str, source: str, connector: str) -> dict[str, Any]:
    """The settings that a destination takes over from the source of the same shop."""
    sources = file.tables("sources")
    if source not in sources:
        near = did_you_mean(source, sources)
        raise file.error(table, f'key "source": no source is called "{source}"{near}')
    theirs = file.expanded(f"sources.{source}", sources[source], "connector")
    if theirs != connector:
        raise file.error(
            table,
            f'key "source": [sources.{source}] is a {theirs} shop, this is a {connector} one',
        )
    own = {"connector", *_SCHEDULE}
    return {key: value for key, value in sources[source].items() if key not in own}


def _refuse_shopless(file: ConfigFile, table: str, destination: type[Destination]) -> None:
    capabilities = plugins.capabilities(destination)
    if capabilities is not None and capabilities.needs == "customer_id":
        raise file.error(
            table, 'key "source" is missing: name the source whose customers are to be tagged'
        )


def _settings(
    file: ConfigFile,
    table: str,
    model: type[ConnectorSettings],
    raw: Mapping[str, Any],
    envelope: set[str],
) -> ConnectorSettings:
    own = {key: value for key, value in raw.items() if key not in envelope}
    settings = file.parse(model, table, own, envelope)
    secrets = {
        key: file.path.parent / value
        for key, value in settings
        if key.endswith("_file") and isinstance(value, Path)
    }
    for key, secret in secrets.items():
        if _readable_by_all(secret):
            raise file.error(
                table, f'key "{key}": everybody may read {secret}; type chmod 600 {secret}'
            )
    return settings.model_copy(update=secrets)


def _readable_by_all(path: Path) -> bool:
    if _MOUNTED_SECRETS in path.parents:
        return False
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False  # missing: ``check`` and the first use of the secret say so


def _store_url(file: ConfigFile, store: StoreTable) -> str:
    # late: SQLAlchemy takes as long to import as all the rest, and a probe can do without
    from segmentd.store.engine import parse_url

    try:
        parsed = parse_url(store.url)
    except ConfigError as error:
        raise file.error("store", f'key "url": {error.message}') from None
    if parsed.drivername != "sqlite":
        return store.url
    return f"sqlite:///{(file.path.parent / store.url.removeprefix('sqlite:///')).absolute()}"


def _paused(file: ConfigFile) -> bool:
    paused = file.value("paused", False)
    if not isinstance(paused, bool):
        raise file.error("", 'key "paused" must be true or false')
    return paused
