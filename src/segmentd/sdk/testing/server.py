"""A sandbox on a real HTTP port of this machine.

HTTP/1.1 with keep-alive, one thread per connection, one request at a time into the sandbox.
Listens on 127.0.0.1 only: a sandbox answers whoever knows its well-known secrets.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from segmentd.sdk.testing.faults import DropConnection
from segmentd.sdk.testing.sandbox import LoggedRequest, Request, Response, Sandbox

_NO_BODY = {204, 304}
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@contextlib.contextmanager
def serve(sandbox: Sandbox, port: int = 0, *, latency: float = 0.0) -> Iterator[str]:
    """Serve ``sandbox`` while the context lasts; yields ``http://127.0.0.1:PORT``.

    ``port`` 0 takes a free one. ``latency``: seconds added to every answer, waited outside of the
    sandbox, so that several connections wait at the same time.
    """
    server = _Server(sandbox, port, latency)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.hang_up()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # joined by server_close: no socket outlives the context
    request_queue_size = 128

    def __init__(self, sandbox: Sandbox, port: int, latency: float) -> None:
        self.sandbox = sandbox
        self.latency = latency
        self.turn = threading.Lock()
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def track(self, connection: socket.socket) -> None:
        self._open.add(connection)

    def forget(self, connection: socket.socket) -> None:
        self._open.discard(connection)

    def hang_up(self) -> None:
        """End connections that clients keep open."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        # the base would first say that nothing more comes, and the reset would come to nothing
        linger = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, len(_RESET_ON_CLOSE))
        if linger == _RESET_ON_CLOSE:
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def respond(self, request: Request) -> Response:
        with self.turn:
            try:
                response = self.sandbox.respond(request)
            except DropConnection:
                is_write = self.sandbox.is_write(request)
                self.sandbox.log.append(LoggedRequest(request, 0, is_write))
                raise
        if self.latency:
            time.sleep(self.latency)
        return response


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    connection: socket.socket

    def setup(self) -> None:
        super().setup()
        self.server.track(self.connection)

    def finish(self) -> None:
        self.server.forget(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def handle_one_request(self) -> None:
        try:
            self.raw_requestline = self.rfile.readline(65_537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            self._answer(self.server.respond(self._request()))
        except DropConnection:
            self._break()
        except OSError:
            self.close_connection = True

    def _request(self) -> Request:
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        return Request(self.command, unquote(path), query, headers, self.rfile.read(length))

    def _answer(self, response: Response) -> None:
        body = b"" if response.status in _NO_BODY else response.body
        try:
            phrase = HTTPStatus(response.status).phrase
        except ValueError:
            phrase = ""
        lines = [f"HTTP/1.1 {response.status} {phrase}"]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        if response.status not in _NO_BODY:
            lines.append(f"content-length: {len(body)}")
        head = "\r\n".join([*lines, "", ""]).encode("latin-1")
        if self.command == "HEAD":
            body = b""
        if response.cut is None:
            self.connection.sendall(head + body)
        else:
            self.connection.sendall(head + body[: response.cut])
            self._break()

    def _break(self) -> None:
        """End the connection by a reset, as a crashed server or a firewall does."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Stay silent: the sandbox keeps its own log."""
