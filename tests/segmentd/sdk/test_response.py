from __future__ import annotations

from datetime import UTC, datetime

import pytest

from segmentd.domain.errors import TransientError
from segmentd.sdk.response import HttpResponse, classify_status, retry_after

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
DATE = "Mon, 02 Mar 2026 12:00:00 GMT"


def response(
    status: int = 200, headers: dict[str, str] | None = None, body: bytes = b"{}"
) -> HttpResponse:
    return HttpResponse(status, headers or {}, body, "https://shop.example/wp-json/orders", NOW)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7),
        ("2.5", 2.5),
        ("0", 0),
        ("-5", 0),
        ("1000000000", 86_400),
        ("Mon, 02 Mar 2026 12:00:30 GMT", 30),
        ("Mon, 02 Mar 2026 11:00:00 GMT", 0),
        ("Mon, 02 Mar 2099 12:00:00 GMT", 86_400),
        ("", None),
        ("soon", None),
        ("inf", None),
        ("Mon, 99 Mar 2026 12:00:00 GMT", None),
    ],
)
def test_f25_what_the_server_asks_for(header: str, seconds: float | None) -> None:
    assert retry_after(response(429, {"retry-after": header, "date": DATE})) == seconds


def test_f25_a_date_counts_from_the_servers_clock() -> None:
    headers = {
        "retry-after": "Mon, 02 Mar 2026 11:00:30 GMT",
        "date": "Mon, 02 Mar 2026 11:00:00 GMT",
    }
    assert retry_after(response(503, headers)) == 30


def test_f25_without_a_date_header_from_ours() -> None:
    assert retry_after(response(503, {"retry-after": "Mon, 02 Mar 2026 12:00:09 GMT"})) == 9


def test_f25_the_wait_is_in_the_error() -> None:
    with pytest.raises(TransientError) as raised:
        classify_status(response(429, {"retry-after": "11"}))
    assert raised.value.retry_after == 11


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (DATE, NOW),
        ("Mon, 02 Mar 2026 13:00:00 +0100", NOW),
        ("Mon, 02 Mar 2026 12:00:00 -0000", NOW),
        ("", None),
        ("yesterday", None),
    ],
)
def test_the_servers_clock(text: str, moment: datetime | None) -> None:
    assert response(headers={"date": text}).date == moment


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b"<html><head><title> Be \n back </title>", "Be back"),
        (b"<p>Fatal <b>error</b></p>", "Fatal error"),
        (b"plain words", "plain words"),
        (b"x" * 500, "x" * 80),
        (b'{"email": "ada@shopper.example"}', ""),
        (b'  [{"email": 1}]', ""),
        (b'"ada"', ""),
        (b'Notice: odd in /srv/x.php\n{"first_name": "Ada"}', "Notice: odd in /srv/x.php"),
        (b"write to ada@shopper.example", "write to ***"),
        (b"", ""),
    ],
)
def test_only_words_for_people_are_quoted(body: bytes, shown: str) -> None:
    assert response(body=body).excerpt == shown


def test_a_sentence_names_place_status_and_title() -> None:
    page = response(503, body=b"<title>Maintenance</title>")
    with pytest.raises(TransientError) as raised:
        classify_status(page)
    expected = 'shop.example /wp-json/orders: 503 Service Unavailable ("Maintenance")'
    assert str(raised.value) == expected


def test_a_status_without_a_name() -> None:
    with pytest.raises(TransientError, match=r"/wp-json/orders: 520$"):
        classify_status(response(520, body=b""))


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_success_says_nothing(status: int) -> None:
    classify_status(response(status))


def test_json_is_read_once() -> None:
    answer = response(body=b'{"a": 1}')
    assert answer.json() is answer.json()


def test_a_byte_order_mark_is_no_error() -> None:
    assert response(body=b'\xef\xbb\xbf{"a": 1}').json() == {"a": 1}


def test_bytes_that_are_no_utf8_spoil_one_text_only() -> None:
    assert response(body=b'[{"a": "Z\xfcrich"}, {"a": "Bern"}]').json()[1] == {"a": "Bern"}


def test_neither_body_nor_headers_are_in_its_representation() -> None:
    shown = repr(response(headers={"set-cookie": "sentinel"}, body=b"sentinel"))
    assert "sentinel" not in shown
