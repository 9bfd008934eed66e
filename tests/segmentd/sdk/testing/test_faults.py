from __future__ import annotations

import pytest

from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Fault, Request, Response

REQUEST = Request("GET", "/orders", "token=abc", {"authorization": "Bearer t"}, b"")


def strike(fault: Fault) -> tuple[Response, int]:
    """What the client sees, and how often the sandbox acted."""
    acted = 0

    def handle(request: Request) -> Response:
        nonlocal acted
        acted += 1
        return Response.json({"orders": [1, 2, 3]})

    return fault(REQUEST, handle), acted


@pytest.mark.parametrize(
    ("fault", "status", "body", "acted"),
    [
        (faults.none(), 200, b'{"orders":[1,2,3]}', 1),
        (faults.status(429, {"retry-after": "7"}), 429, b"", 0),
        (faults.body(b"[]"), 200, b"[]", 0),
        (faults.empty_body(), 200, b"", 0),
        (faults.redirect("https://x.example", 308), 308, b"", 0),
        (faults.truncated_json(5), 200, b'{"ord', 1),
        (faults.before(b"<br>"), 200, b'<br>{"orders":[1,2,3]}', 1),
    ],
)
def test_faults(fault: Fault, status: int, body: bytes, acted: int) -> None:
    response, times = strike(fault)
    assert (response.status, response.body, times) == (status, body, acted)


def test_a_page_for_people() -> None:
    response, acted = strike(faults.html(503))
    assert (response.status, acted) == (503, 0)
    assert response.headers["content-type"].startswith("text/html")


def test_a_cut_keeps_the_whole_body_for_its_length() -> None:
    response, acted = strike(faults.cut_body(4))
    assert (response.cut, len(response.body), acted) == (4, 18, 1)


def test_an_echo_shows_all_that_was_sent() -> None:
    response, _ = strike(faults.echo_everything(400))
    assert b"token=abc" in response.body
    assert b"Bearer t" in response.body


@pytest.mark.parametrize("fault", [faults.reset(), faults.drop_answer()])
def test_broken_connections(fault: Fault) -> None:
    with pytest.raises(faults.DropConnection):
        strike(fault)


def test_only_the_requests_that_are_meant() -> None:
    orders = faults.when(lambda request: request.path == "/orders", faults.status(500))
    others = faults.when(lambda request: request.path == "/others", faults.status(500))
    assert strike(orders)[0].status == 500
    assert strike(others)[0].status == 200


def test_an_answer_used_twice_does_not_share_its_headers() -> None:
    fault = faults.status(500, {"x": "1"})
    strike(fault)[0].headers["date"] = "today"
    assert "date" not in strike(fault)[0].headers
