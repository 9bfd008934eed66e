"""The web server over real HTTP on loopback."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from segmentd.domain.errors import ConfigError
from segmentd.web.health import Health, Phase
from segmentd.web.metrics import Metrics
from segmentd.web.server import WebServer, application


@dataclass
class Site:
    port: int
    health: Health
    metrics: Metrics

    def ask(self, path: str, method: str = "GET") -> tuple[int, Mapping[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()


STATUS: dict[str, object] = {"sources": {"shop": {"lag": 3}}}


@pytest.fixture
def site() -> Iterator[Site]:
    health, metrics = Health(phase=Phase.RUNNING), Metrics()

    def status() -> Mapping[str, object]:
        if "broken" in STATUS:
            raise RuntimeError("password=hunter2")
        return STATUS

    server = WebServer(application(health, status, metrics), "127.0.0.1", 0)
    server.start()
    yield Site(server.port, health, metrics)
    server.stop()


def test_livez_follows_the_heartbeat(site: Site) -> None:
    assert site.ask("/livez")[0] == 200
    site.health.silence = -1
    assert site.ask("/livez")[0] == 503


def test_livez_does_not_look_at_the_store(site: Site) -> None:
    site.health.checks.append(lambda: "store down")
    assert site.ask("/livez")[0] == 200


def test_readyz_names_what_is_in_the_way(site: Site) -> None:
    status, _, body = site.ask("/readyz")
    assert (status, json.loads(body)) == (200, {"ready": True, "obstacles": []})
    site.health.checks.append(lambda: "store down")
    status, _, body = site.ask("/readyz")
    assert (status, json.loads(body)) == (503, {"ready": False, "obstacles": ["store down"]})


def test_statusz_is_the_status_as_json(site: Site) -> None:
    status, headers, body = site.ask("/statusz")
    assert (status, json.loads(body)) == (200, STATUS)
    assert headers["content-type"] == "application/json"


def test_an_error_is_told_to_nobody(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STATUS, "broken", True)
    status, _, body = site.ask("/statusz")
    assert (status, json.loads(body)) == (500, {"error": "internal error"})


def test_metrics_are_in_the_text_format(site: Site) -> None:
    site.metrics.lock_epoch(5)
    status, headers, body = site.ask("/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"\nsegmentd_lock_epoch 5.0\n" in body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/docs", 404),
        ("GET", "/livez/../statusz", 404),
        ("GET", "/metrics/x", 404),
        ("POST", "/livez", 405),
        ("DELETE", "/statusz", 405),
        ("PUT", "/metrics", 405),
    ],
)
def test_what_is_not_there_is_refused_in_few_words(
    site: Site, method: str, path: str, status: int
) -> None:
    found, headers, body = site.ask(path, method)
    assert found == status
    assert set(json.loads(body)) == {"error"}
    assert ("allow" in headers) is (status == 405)


def test_a_head_request_has_no_body(site: Site) -> None:
    status, _, body = site.ask("/livez", "HEAD")
    assert (status, body) == (200, b"")


@pytest.mark.parametrize("path", ["/livez", "/nowhere"])
def test_no_header_tells_what_software_answers(site: Site, path: str) -> None:
    headers = site.ask(path)[1]
    assert not headers.keys() & {"server", "x-powered-by", "via"}
    assert not any("uvicorn" in value or "starlette" in value for value in headers.values())


def test_a_taken_port_is_an_error_of_the_configuration() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port}"):
            WebServer(application(Health(), dict, Metrics()), "127.0.0.1", port)


def test_the_port_is_free_again_after_stop() -> None:
    server = WebServer(application(Health(), dict, Metrics()), "127.0.0.1", 0)
    server.start()
    server.stop()
    with socket.create_server(("127.0.0.1", server.port)):
        pass


def test_a_server_that_never_started_can_be_stopped() -> None:
    WebServer(application(Health(), dict, Metrics()), "127.0.0.1", 0).stop()
