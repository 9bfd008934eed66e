"""The HTTP client against real servers: sandboxes, and sockets that misbehave."""

from __future__ import annotations

import contextlib
import gzip
import random
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from segmentd.domain.errors import AuthError, ConfigError, RejectedError, TransientError
from segmentd.sdk.contract import Runtime
from segmentd.sdk.http import HttpClient, HttpResponse, Outgoing
from segmentd.sdk.rate_limit import Pacer
from segmentd.sdk.retry import RetryPolicy
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Request, Response, Sandbox
from segmentd.sdk.testing.server import serve

UNTRUSTED = Path(__file__).with_name("untrusted.pem")


class Echo(Sandbox):
    """Answers with what it was sent."""

    def handle(self, request: Request) -> Response:
        return Response.json(
            {
                "method": request.method,
                "path": request.path,
                "query": request.query_string,
                "headers": request.headers,
                "body": request.body.decode(),
            }
        )

    def is_write(self, request: Request) -> bool:
        return request.method != "GET"

    def credentials(self) -> Mapping[str, str]:
        return {}

    def settings(self, url: str) -> Mapping[str, object]:
        return {}


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def url(echo: Echo) -> Iterator[str]:
    with serve(echo) as url:
        yield url


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def runtime(slept: list[float]) -> Runtime:
    return Runtime(slept.append, random=random.Random(3), timeout=5.0)


@contextlib.contextmanager
def client(url: str, runtime: Runtime, **options: Any) -> Iterator[HttpClient]:
    with contextlib.closing(HttpClient(url, runtime, **options)) as http:
        yield http


@contextlib.contextmanager
def socket_server(
    behave: Callable[[socket.socket, threading.Event], None], context: ssl.SSLContext | None = None
) -> Iterator[str]:
    """One connection after the other is handed to ``behave``, with an event for the end."""
    done = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def loop() -> None:
        while not done.is_set():
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    if context:
                        connection = context.wrap_socket(connection, server_side=True)
                    with connection:
                        connection.recv(65_536)
                        behave(connection, done)

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        done.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


# -- what is sent


def test_sends_method_path_query_headers_and_body(url: str, runtime: Runtime) -> None:
    with client(url + "/", runtime, headers={"X-Token": "t"}) as http:
        answer = http.request(
            "patch", "/a b/ü", params={"q": "x y&z=ä"}, json={"n": 1}, headers={"X-More": "m"}
        ).json()
    assert answer["method"] == "PATCH"
    assert answer["path"] == "/a b/ü"
    assert answer["query"] == "q=x%20y%26z%3D%C3%A4"
    assert answer["body"] == '{"n":1}'
    sent = answer["headers"]
    assert (sent["x-token"], sent["x-more"]) == ("t", "m")
    assert sent["content-type"] == sent["accept"] == "application/json"
    assert sent["user-agent"] == "segmentd"


def test_sends_content_as_it_is(url: str, runtime: Runtime) -> None:
    with client(url, runtime) as http:
        answer = http.request("POST", "/", content=b"a=1", headers={"Content-Type": "text/x"})
    assert answer.json()["body"] == "a=1"
    assert answer.json()["headers"]["content-type"] == "text/x"


def test_every_try_is_signed_anew(echo: Echo, url: str, runtime: Runtime) -> None:
    nonces = iter(["one", "two", "three"])

    def sign(outgoing: Outgoing) -> None:
        assert outgoing.url == f"{url}/x"
        outgoing.params["nonce"] = next(nonces)
        outgoing.headers["x-signed"] = outgoing.method

    echo.faults[:] = [faults.status(500), faults.reset()]
    with client(url, runtime, auth=sign) as http:
        answer = http.request("GET", "/x", params={"page": "1"}).json()
    assert answer["query"] == "page=1&nonce=three"
    assert answer["headers"]["x-signed"] == "GET"
    assert [entry.request.query["nonce"] for entry in echo.log] == ["one", "two", "three"]


def test_every_try_is_paced_by_its_cost(echo: Echo, url: str, runtime: Runtime) -> None:
    costs: list[float] = []

    class Noting(Pacer):
        def acquire(self, cost: float) -> None:
            costs.append(cost)

    echo.faults[:] = [faults.status(500)]
    with client(url, runtime, pacer=Noting()) as http:
        http.request("GET", "/", cost=7)
    assert costs == [7, 7]


def test_f24_no_proxy_from_the_environment(
    url: str, runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with client(url, runtime) as http:
        assert http.request("GET", "/").status == 200


def test_one_connection_serves_many_requests(runtime: Runtime) -> None:
    connections = 0

    def answer_twice(connection: socket.socket, done: threading.Event) -> None:
        nonlocal connections
        connections += 1
        for _ in range(2):
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")
            connection.recv(65_536)

    with socket_server(answer_twice) as url, client(url, runtime) as http:
        http.request("GET", "/")
        http.request("GET", "/")
    assert connections == 1


# -- what comes back


def test_the_answer(echo: Echo, url: str, runtime: Runtime) -> None:
    with client(url, runtime) as http:
        answer = http.request("GET", "/x", params={"token": "secret"})
    assert answer.status == 200
    assert answer.url == f"{url}/x"
    assert answer.headers["content-type"] == "application/json"
    assert answer.date is not None
    assert abs((answer.date - echo.clock.now()).total_seconds()) < 5


def test_headers_that_come_twice_are_joined(runtime: Runtime) -> None:
    def answer(connection: socket.socket, done: threading.Event) -> None:
        connection.sendall(
            b"HTTP/1.1 200 OK\r\nLink: <a>\r\nlink: <b>\r\ncontent-length: 2\r\n\r\n[]"
        )

    with socket_server(answer) as url, client(url, runtime) as http:
        assert http.request("GET", "/").headers["link"] == "<a>, <b>"


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"null", b"7", b'"text"', b"<html>", b'{"a":', b"[1", b"\x00", b"[" * 5000],
)
def test_f27_what_is_no_json_is_tried_again(
    echo: Echo, url: str, runtime: Runtime, body: bytes
) -> None:
    echo.faults[:] = [faults.body(body)]
    with client(url, runtime) as http:
        assert http.request("GET", "/x").json()["path"] == "/x"
    assert len(echo.log) == 2
    echo.faults[:] = [faults.body(body)] * 6
    with client(url, runtime) as http, pytest.raises(TransientError, match=r"127\.0\.0\.1 /x: "):
        http.request("GET", "/x")


def test_f27_an_answer_may_be_empty_where_none_is_due(
    echo: Echo, url: str, runtime: Runtime
) -> None:
    echo.faults[:] = [faults.status(204)]
    with client(url, runtime) as http:
        assert http.request("POST", "/").body == b""
        assert http.request("HEAD", "/").body == b""


def test_f41_one_bad_value_does_not_spoil_a_page(echo: Echo, url: str, runtime: Runtime) -> None:
    echo.faults[:] = [
        faults.body(b'[{"name": "\\ud800"}, {"total": NaN}, {"id": 18014398509481985}]')
    ]
    with client(url, runtime) as http:
        page = http.request("GET", "/").json()
    assert page == [{"name": "\ud800"}, {"total": "NaN"}, {"id": 18014398509481985}]


def test_f21_a_huge_answer_is_cut_off(echo: Echo, url: str, runtime: Runtime) -> None:
    echo.faults[:] = [faults.body(b'"' + b"x" * 3000)] * 6
    with client(url, runtime, max_body=1000) as http, pytest.raises(TransientError, match="larger"):
        http.request("GET", "/")


def test_f21_a_packed_answer_is_measured_unpacked(echo: Echo, url: str, runtime: Runtime) -> None:
    packed = gzip.compress(b" " * 5_000_000)
    assert len(packed) < 10_000
    answer = Response(200, {"content-encoding": "gzip"}, packed)
    echo.faults[:] = [faults.answer(answer)] * 6
    with (
        client(url, runtime, max_body=100_000) as http,
        pytest.raises(TransientError, match="larger"),
    ):
        http.request("GET", "/")


# -- when it goes wrong


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RejectedError),
        (401, AuthError),
        (402, AuthError),
        (403, AuthError),
        (404, RejectedError),
        (408, TransientError),
        (422, RejectedError),
        (423, AuthError),
        (425, TransientError),
        (429, TransientError),
        (500, TransientError),
        (503, TransientError),
        (599, TransientError),
        (304, ConfigError),
    ],
)
def test_a_status_has_its_meaning(
    echo: Echo, url: str, runtime: Runtime, status: int, kind: type[Exception]
) -> None:
    echo.faults[:] = [faults.status(status)] * 6
    with client(url, runtime) as http, pytest.raises(kind, match=f"/orders: {status}"):
        http.request("GET", "/orders")
    assert len(echo.log) == (6 if kind is TransientError else 1)


def test_a_platform_may_have_its_own_meanings(echo: Echo, url: str, runtime: Runtime) -> None:
    def classify(response: HttpResponse) -> None:
        if "busy" in response.json():
            raise TransientError("busy")

    echo.faults[:] = [faults.body(b'{"busy": 1}'), faults.status(404, body=b"{}")]
    with client(url, runtime, classify=classify) as http:
        assert http.request("GET", "/").status == 404
        assert http.request("GET", "/", classify=lambda response: None).status == 200
    assert runtime.meter.retries == 1


def test_a_write_that_must_not_be_made_twice(echo: Echo, url: str, runtime: Runtime) -> None:
    echo.faults[:] = [faults.drop_answer()]
    with client(url, runtime) as http, pytest.raises(TransientError):
        http.request("POST", "/", write=True, retry=False)
    assert len(echo.log) == 1


def test_counts_what_it_does(echo: Echo, url: str, runtime: Runtime, slept: list[float]) -> None:
    echo.faults[:] = [faults.status(503)]
    with client(url, runtime) as http:
        http.request("POST", "/", write=True)
        http.request("GET", "/")
    meter = runtime.meter
    assert (meter.requests, meter.writes, meter.retries, meter.waits) == (3, 2, 1, 1)
    assert meter.waited == sum(slept)


def test_f17_nobody_listens(runtime: Runtime) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        client(f"http://127.0.0.1:{port}", runtime) as http,
        pytest.raises(TransientError, match=r"127\.0\.0\.1 /x: connection refused"),
    ):
        http.request("GET", "/x", params={"token": "s3cret"})
    assert runtime.meter.requests == 6


def test_f17_no_such_host(runtime: Runtime) -> None:
    with (
        client("http://no-such-host.invalid", runtime, retry=RetryPolicy(attempts=1)) as http,
        pytest.raises(TransientError, match=r"no-such-host\.invalid /x: "),
    ):
        http.request("GET", "/x")


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n"])
def test_f19_a_dripping_answer_ends_at_the_deadline(begin: bytes) -> None:
    def drip(connection: socket.socket, done: threading.Event) -> None:
        for byte in (begin or b"HTTP/1.1 200 OK\r\nx-long: ") + b" " * 400:
            connection.sendall(bytes([byte]))
            if not begin or byte == 32:
                done.wait(0.05)

    runtime = Runtime(timeout=0.4)
    begun = time.monotonic()
    with (
        socket_server(drip) as url,
        client(url, runtime) as http,
        pytest.raises(TransientError, match=r"no whole answer within 0\.4 s"),
    ):
        http.request("GET", "/", retry=False)
    assert 0.3 < time.monotonic() - begun < 4.0  # the whole answer takes 20 s


def test_f19_a_silent_server_ends_at_the_deadline() -> None:
    def wait(connection: socket.socket, done: threading.Event) -> None:
        done.wait(5)

    with (
        socket_server(wait) as url,
        client(url, Runtime(timeout=0.2)) as http,
        pytest.raises(TransientError, match="no whole answer"),
    ):
        http.request("GET", "/", retry=False)


@pytest.mark.parametrize("fault", [faults.reset(), faults.drop_answer(), faults.cut_body(5)])
def test_f18_a_broken_connection(echo: Echo, url: str, runtime: Runtime, fault: Any) -> None:
    echo.faults[:] = [faults.none(), fault]
    with client(url, runtime) as http:
        http.request("GET", "/first")
        assert http.request("GET", "/second").json()["path"] == "/second"
    assert runtime.meter.retries == 1


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_f22_a_redirect_is_not_followed_but_said(
    echo: Echo, url: str, runtime: Runtime, code: int
) -> None:
    echo.faults[:] = [faults.redirect("https://other.example/p?token=abc", code)]
    with (
        client(url, runtime) as http,
        pytest.raises(ConfigError, match=r"other\.example") as raised,
    ):
        http.request("GET", "/")
    assert "abc" not in str(raised.value)
    assert len(echo.log) == 1


def test_f23_an_untrusted_certificate_is_not_tried_again(runtime: Runtime) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(UNTRUSTED)
    with (
        socket_server(lambda connection, done: None, context) as url,
        client(url, runtime) as http,
        pytest.raises(ConfigError, match="certificate"),
    ):
        http.request("GET", "/")
    assert runtime.meter.requests == 1


def test_f23_a_trusted_certificate_is_spoken_to(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusting = ssl.create_default_context(cafile=UNTRUSTED)
    monkeypatch.setattr("segmentd.sdk.http._tls", lambda: trusting)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(UNTRUSTED)

    def answer(connection: socket.socket, done: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

    with socket_server(answer, context) as url, client(url, runtime) as http:
        assert http.request("GET", "/").json() == {}
    assert runtime.meter.requests == 1


def test_a_secret_with_a_newline_is_not_shown(url: str, runtime: Runtime) -> None:
    with (
        client(url, runtime, headers={"x-token": "sentinel\nvalue"}) as http,
        pytest.raises(ConfigError) as raised,
    ):
        http.request("GET", "/")
    assert "sentinel" not in str(raised.value)


def test_an_address_that_is_none(runtime: Runtime) -> None:
    with client("http://127.0.0.1:9", runtime) as http, pytest.raises(ConfigError, match="address"):
        http.request("GET", "/orders\n1")
