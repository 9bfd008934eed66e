"""The sandbox server, looked at with raw sockets."""

from __future__ import annotations

import gc
import socket
import threading
import time
from collections.abc import Iterator, Mapping

import pytest

from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Fault, Request, Response, Sandbox
from segmentd.sdk.testing.server import serve


class Echo(Sandbox):
    def __init__(self) -> None:
        super().__init__()
        self.inside = 0

    def handle(self, request: Request) -> Response:
        self.inside += 1
        assert self.inside == 1, "two requests at once in the sandbox"
        body = f"{request.method} {request.path}?{request.query_string} ".encode() + request.body
        self.inside -= 1
        return Response(204 if request.path == "/nothing" else 200, {"x-seen": "yes"}, body)

    def is_write(self, request: Request) -> bool:
        return request.method == "POST"

    def credentials(self) -> Mapping[str, str]:
        return {}

    def settings(self, url: str) -> Mapping[str, object]:
        return {}


@pytest.fixture
def sandbox() -> Echo:
    return Echo()


@pytest.fixture
def port(sandbox: Echo) -> Iterator[int]:
    with serve(sandbox) as url:
        yield int(url.rpartition(":")[2])


def ask(connection: socket.socket, request: bytes, until: bytes) -> bytes:
    """Send, and receive until ``until`` came or the connection ended."""
    connection.sendall(request)
    seen = b""
    while until not in seen:
        chunk = connection.recv(65_536)
        if not chunk:
            break
        seen += chunk
    return seen


def test_keeps_connections_alive(sandbox: Echo, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        for number in range(3):
            answer = ask(connection, f"GET /a%20b?n={number} HTTP/1.1\r\n\r\n".encode(), b"n=")
            assert b"HTTP/1.1 200 OK\r\n" in answer
            assert f"GET /a b?n={number} ".encode() in answer
            assert b"date: " in answer
    assert len(sandbox.log) == 3


def test_reads_bodies_and_header_names_in_lower_case(sandbox: Echo, port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = b"POST /x HTTP/1.1\r\nContent-Length: 4\r\nX-Token: T\r\n\r\n"
        assert b"POST /x? abcd" in ask(connection, head + b"abcd", b"abcd")
    assert sandbox.log[0].request.headers["x-token"] == "T"
    assert sandbox.writes() == 1


def test_answers_without_a_body(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        empty = ask(connection, b"GET /nothing HTTP/1.1\r\n\r\n", b"\r\n\r\n")
        assert empty.startswith(b"HTTP/1.1 204")
        assert b"content-length" not in empty
        head = ask(connection, b"HEAD /x HTTP/1.1\r\n\r\n", b"\r\n\r\n")
        assert b"content-length: 9" in head
        assert head.endswith(b"\r\n\r\n")


def test_a_cut_answer_promises_more_than_it_sends(sandbox: Echo, port: int) -> None:
    sandbox.faults[:] = [faults.cut_body(3)]
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /x HTTP/1.1\r\n\r\n")
        seen = connection.recv(65_536)
        with pytest.raises(ConnectionResetError):
            connection.recv(65_536)
    assert b"content-length: 8" in seen
    assert seen.endswith(b"\r\n\r\nGET")


@pytest.mark.parametrize(("fault", "acted"), [(faults.reset(), 0), (faults.drop_answer(), 1)])
def test_a_broken_connection_is_in_the_log(
    sandbox: Echo, port: int, fault: Fault, acted: int
) -> None:
    done: list[Request] = []
    handle = sandbox.handle

    def noting(request: Request) -> Response:
        done.append(request)
        return handle(request)

    vars(sandbox)["handle"] = noting
    sandbox.faults[:] = [fault]
    with (
        socket.create_connection(("127.0.0.1", port)) as connection,
        pytest.raises(ConnectionResetError),
    ):
        ask(connection, b"POST /x HTTP/1.1\r\n\r\n", b"never")
    assert len(done) == acted
    assert [(entry.status, entry.write) for entry in sandbox.log] == [(0, True)]


def test_requests_enter_the_sandbox_one_at_a_time(sandbox: Echo, port: int) -> None:
    def ask_often() -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            for _ in range(30):
                ask(connection, b"GET /x HTTP/1.1\r\n\r\n", b"/x? ")

    threads = [threading.Thread(target=ask_often) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(sandbox.log) == 120


def test_listens_on_this_machine_only(port: int) -> None:
    with (
        pytest.raises(OSError, match=r".") as raised,
        socket.create_connection(("127.0.0.2", port), timeout=1),
    ):
        pass
    assert isinstance(raised.value, ConnectionRefusedError | TimeoutError)


def test_leaves_nothing_open_behind(sandbox: Echo) -> None:
    before = threading.active_count()
    with serve(sandbox) as url:
        port = int(url.rpartition(":")[2])
        connection = socket.create_connection(("127.0.0.1", port))
        ask(connection, b"GET /x HTTP/1.1\r\n\r\n", b"/x? ")
    assert connection.recv(100) == b""
    connection.close()
    assert threading.active_count() == before
    gc.collect()  # an unclosed socket would warn, and warnings are errors
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_a_given_port_and_latency(sandbox: Echo) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    begun = time.monotonic()
    with serve(sandbox, port, latency=0.05) as url:
        assert url == f"http://127.0.0.1:{port}"
        with socket.create_connection(("127.0.0.1", port)) as connection:
            ask(connection, b"GET /x HTTP/1.1\r\n\r\n", b"/x? ")
    assert time.monotonic() - begun >= 0.05


def test_rubbish_is_answered_and_does_not_stop_it(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        assert b"400" in ask(connection, b"rubbish\r\n\r\n", b"never")
    with socket.create_connection(("127.0.0.1", port)) as connection:
        assert b"200" in ask(connection, b"GET /x HTTP/1.1\r\n\r\n", b"/x? ")
