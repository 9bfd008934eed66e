"""``segmentd healthcheck`` as a container's probe calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from segmentd.cli.common import Invocation
from segmentd.cli.exits import code_of
from segmentd.cli.run import healthcheck
from segmentd.domain.errors import ConfigError
from segmentd.web.health import Health
from segmentd.web.metrics import Metrics
from segmentd.web.server import WebServer, application

Probe = Callable[[str], Result]


@pytest.fixture
def daemon() -> Iterator[tuple[WebServer, Health]]:
    health = Health()
    server = WebServer(application(health, dict, Metrics()), "127.0.0.1", 0)
    server.start()
    yield server, health
    server.stop()


@pytest.fixture
def probe(tmp_path: Path) -> Probe:
    def run(web: str) -> Result:
        path = tmp_path / "segmentd.toml"
        # a source whose settings cannot be read: the probe must not care
        path.write_text(f'[sources.shop]\nconnector = "${{NOT_SET}}"\n[web]\n{web}\n')
        return CliRunner().invoke(healthcheck, obj=Invocation(path), standalone_mode=False)

    return run


def test_a_living_daemon_is_healthy(daemon: tuple[WebServer, Health], probe: Probe) -> None:
    assert probe(f"port = {daemon[0].port}").return_value == 0


def test_it_is_asked_on_this_machine_where_it_listens_everywhere(
    daemon: tuple[WebServer, Health], probe: Probe
) -> None:
    assert probe(f'port = {daemon[0].port}\nhost = "0.0.0.0"').return_value == 0


def test_a_hung_daemon_is_not(daemon: tuple[WebServer, Health], probe: Probe) -> None:
    daemon[1].silence = -1
    assert probe(f"port = {daemon[0].port}").return_value == 1


def test_a_dead_daemon_is_not(daemon: tuple[WebServer, Health], probe: Probe) -> None:
    daemon[0].stop()
    result = probe(f"port = {daemon[0].port}")
    assert result.return_value == 1
    assert "no answer from 127.0.0.1" in result.stderr


@pytest.mark.parametrize("web", ["enabled = false", "port = 0"])
def test_without_a_port_there_is_nothing_to_ask(probe: Probe, web: str) -> None:
    refused = probe(web).exception
    assert isinstance(refused, ConfigError)
    assert "names no port" in refused.message
    assert code_of(refused) == 2
