"""The daemon's HTTP side, on a thread of its own: probes, status and metrics.

Answers tell nothing of versions, paths or errors to whoever asks.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping

import orjson
import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from segmentd.domain.errors import ConfigError
from segmentd.web.health import Health
from segmentd.web.metrics import CONTENT_TYPE, Metrics

_log = structlog.get_logger(__name__)

Status = Callable[[], Mapping[str, object]]
"""What ``/statusz`` shows: values that JSON knows, without personal data."""


def application(health: Health, status: Status, metrics: Metrics) -> Starlette:
    """The routes."""

    def livez(_: Request) -> Response:
        return _json({"alive": True}) if health.alive() else _json({"alive": False}, 503)

    def readyz(_: Request) -> Response:
        obstacles = health.obstacles()
        ready = not obstacles
        return _json({"ready": ready, "obstacles": obstacles}, 200 if ready else 503)

    def statusz(_: Request) -> Response:
        return _json(status())

    def figures(_: Request) -> Response:
        return Response(metrics.render(), headers={"content-type": CONTENT_TYPE})

    routes = {"/livez": livez, "/readyz": readyz, "/statusz": statusz, "/metrics": figures}
    return Starlette(
        routes=[Route(path, _guarded(answer)) for path, answer in routes.items()],
        exception_handlers={HTTPException: _refusal},
    )


class WebServer:
    """Serves an application at ``url`` from ``start`` to ``stop``."""

    def __init__(self, app: Starlette, host: str, port: int) -> None:
        """Take the port at once; ConfigError if that is not possible. Port 0 is any free one."""
        self._socket = _bind(host, port)
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                limit_concurrency=64,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=1,
            )
        )
        self._thread = threading.Thread(target=self._serve, name="web", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Give the port back, after the answers in flight."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=3)
        self._socket.close()

    def _serve(self) -> None:
        # the sockets are ours to close, also where it fails before its loop
        with contextlib.suppress(SystemExit):
            self._server.run(sockets=[self._socket])


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise ConfigError(
            f"cannot listen at {host} port {port}: {error.strerror or error}; "
            "set another port in [web], or enabled = false"
        ) from error


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status, {"content-type": "application/json"})


def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for nothing else
    response = _json({"error": error.detail}, error.status_code)
    response.headers.update(error.headers or {})
    return response


def _guarded(answer: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """No error text reaches the one who asks."""

    def guarded(request: Request) -> Response:
        try:
            return answer(request)
        except Exception as error:  # noqa: BLE001 - whatever a status report may raise
            _log.error("web_request_failed", path=request.url.path, error=str(error))
            return _json({"error": "internal error"}, 500)

    return guarded
