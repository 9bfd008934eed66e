from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from segmentd.sdk.testing import faults
from segmentd.sdk.testing.memory import MemoryShop
from segmentd.sdk.testing.sandbox import Request, Response, SandboxClock

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
REQUEST = Request("GET", "/shop", "a=1&b=&a=2", {}, b"")


def test_a_frozen_clock_moves_only_when_told() -> None:
    clock = SandboxClock(NOON, frozen=True)
    assert clock.now() == clock.now() == NOON
    clock.advance(90)
    assert clock.now() == NOON + timedelta(seconds=90)
    clock.set(NOON.astimezone(timezone(timedelta(hours=5))))
    assert clock.now() == NOON
    assert clock.now().utcoffset() == timedelta(0)


def test_a_clock_that_runs() -> None:
    clock = SandboxClock(NOON)
    clock.advance(3600)
    assert timedelta(hours=1) <= clock.now() - NOON < timedelta(hours=1, minutes=1)


def test_faults_serve_one_request_each_in_order() -> None:
    shop = MemoryShop(SandboxClock(NOON, frozen=True))
    shop.faults[:] = [faults.status(503), faults.none(), faults.status(429)]
    assert [shop.respond(REQUEST).status for _ in range(4)] == [503, 401, 429, 401]
    assert [entry.status for entry in shop.log] == [503, 401, 429, 401]
    assert shop.writes() == 0


def test_answers_carry_the_sandboxs_time() -> None:
    shop = MemoryShop(SandboxClock(NOON, frozen=True))
    assert shop.respond(REQUEST).headers["date"] == "Mon, 02 Mar 2026 12:00:00 GMT"


def test_the_query_of_a_request() -> None:
    assert REQUEST.query == {"a": "2", "b": ""}


def test_an_answer_in_json() -> None:
    response = Response.json({"a": 1}, 201, {"x": "y"})
    assert (response.status, response.body) == (201, b'{"a":1}')
    assert response.headers == {"content-type": "application/json", "x": "y"}
