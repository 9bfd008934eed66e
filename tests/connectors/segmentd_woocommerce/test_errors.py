"""What the recorded errors of a real store become."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from segmentd.sdk import (
    AuthError,
    ConfigError,
    HttpResponse,
    RejectedError,
    SegmentdError,
    TransientError,
)
from segmentd_woocommerce.errors import (
    BadSignatureError,
    BusyError,
    ForbiddenError,
    MissingError,
    NotSignedInError,
    classify,
    classify_root,
)

_FILE = Path(__file__).parent / "recorded" / "errors.json"
_RECORDED = json.loads(_FILE.read_text(encoding="utf-8"))["exchanges"]


def answer(status: int, body: object, **headers: str) -> HttpResponse:
    content = body if isinstance(body, str) else json.dumps(body)
    url = "https://store.example/wp-json/wc/v3/orders"
    return HttpResponse(status, headers, content.encode(), url, datetime.now(UTC))


def expected(exchange: dict[str, Any]) -> type[SegmentdError]:
    """By the table of errors; the first code that fits."""
    status, body = exchange["status"], exchange.get("body", {})
    code = body.get("code", "")
    table: list[tuple[bool, type[SegmentdError]]] = [
        (status in {429, 503}, BusyError),
        (status >= 500, TransientError),
        (code == "woocommerce_rest_authentication_error", BadSignatureError),
        (status == 401, NotSignedInError),
        (status == 403, ForbiddenError),
        (code == "rest_no_route", ConfigError),
        (status == 404, MissingError),
        (status in {400, 410, 413}, RejectedError),
    ]
    return next(kind for fits, kind in table if fits)


@pytest.mark.parametrize(
    "exchange",
    [one for one in _RECORDED if one["status"] >= 300],
    ids=lambda one: f"{one['status']} {one.get('note', one['request'])}"[:70],
)
def test_recorded_errors(exchange: dict[str, Any]) -> None:
    headers = {name: value for name, value in exchange["headers"].items() if name != "link"}
    body = exchange["body"] if "body" in exchange else exchange["body_text"]
    with pytest.raises(SegmentdError) as caught:
        classify(answer(exchange["status"], body, **headers))
    assert type(caught.value) is expected(exchange)
    assert "store.example" in str(caught.value)


def test_maintenance_says_how_long() -> None:
    with pytest.raises(BusyError) as caught:
        classify(answer(503, "<html></html>", **{"retry-after": "600"}))
    assert caught.value.retry_after == 600


def test_names_the_parameters_that_are_refused() -> None:
    (exchange,) = [one for one in _RECORDED if one.get("note") == "per_page over 100"]
    with pytest.raises(RejectedError, match=r"rest_invalid_param \(per_page\)"):
        classify(answer(400, exchange["body"]))


@pytest.mark.parametrize("status", [400, 404, 406])
def test_a_page_is_the_hosts_and_passes(status: int) -> None:
    with pytest.raises(TransientError):
        classify(answer(status, "<html><title>Blocked</title></html>"))


@pytest.mark.parametrize("status", [401, 402, 403, 423])
def test_a_closed_door_is_for_a_person(status: int) -> None:
    with pytest.raises(AuthError, match="firewall or login page"):
        classify(answer(status, "<html><title>Log in</title></html>"))


def test_permalinks_off() -> None:
    with pytest.raises(ConfigError, match="permalinks are off") as caught:
        classify(answer(301, "", location="https://store.example/"))
    assert "Settings > Permalinks" in str(caught.value.hint)


def test_the_store_lives_elsewhere() -> None:
    location = "https://user:pass@www.store.example/wp-json/wc/v3/orders?consumer_secret=cs_1"
    with pytest.raises(ConfigError, match=r"lives at https://www\.store\.example: set") as caught:
        classify(answer(301, "", location=location))
    assert "cs_1" not in str(caught.value)
    assert "pass" not in str(caught.value)


def test_no_wordpress_at_all() -> None:
    with pytest.raises(ConfigError, match="no WordPress"):
        classify_root(answer(404, "<html></html>"))


def test_a_message_is_not_repeated() -> None:
    body = {"code": "ck_0123", "message": "you sent consumer_secret=cs_1", "data": {"status": 400}}
    for status in (400, 401, 403, 404):
        with pytest.raises(SegmentdError) as caught:
            classify(answer(status, body))
        assert "cs_1" not in str(caught.value)
        assert "ck_0123" not in str(caught.value)


def test_a_localized_store_is_understood() -> None:
    body = {"code": "woocommerce_rest_authentication_error", "message": "Ungültig.", "data": None}
    with pytest.raises(BadSignatureError, match="secret is wrong, or the key lacks the right"):
        classify(answer(401, body))
