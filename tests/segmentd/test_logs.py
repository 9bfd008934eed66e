"""Logs: JSON lines, and nothing in them that must not be there."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from segmentd import logs

SENTINELS = (
    "shpat_0123456789abcdef",
    "shpss_0123456789abcdef",
    "ck_0123456789abcdef0123456789abcdef01234567",
    "cs_0123456789abcdef0123456789abcdef01234567",
    "pk_0123456789abcdef",
    "whsec_0123456789abcdef",
    "anna.blum+news@shopper.example",
)


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Terminal(io.StringIO):
    """A stream that says it is one."""

    def isatty(self) -> bool:
        return True


def logged(write: Callable[[Any], None], stream: io.StringIO | None = None) -> str:
    """What ``write(logger)`` leaves on the stream at DEBUG."""
    out = stream if stream is not None else io.StringIO()
    logs.configure("debug", out)
    write(structlog.get_logger())
    return out.getvalue()


def test_a_line_is_one_json_document_with_time_level_and_event() -> None:
    text = logged(lambda log: log.info("pull_done", connector="shop", records=5, waited=0.5))
    line = json.loads(text)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("ts"))
    assert line == {
        "level": "info",
        "event": "pull_done",
        "connector": "shop",
        "records": 5,
        "waited": 0.5,
    }


def test_what_is_bound_to_the_context_is_in_every_line() -> None:
    def write(log: Any) -> None:
        with structlog.contextvars.bound_contextvars(run_id="r1"):
            log.info("one")
            logging.getLogger("elsewhere").warning("two %s", "words")

    lines = [json.loads(line) for line in logged(write).splitlines()]
    assert [(line["event"], line["run_id"]) for line in lines] == [
        ("one", "r1"),
        ("two words", "r1"),
    ]


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
@pytest.mark.parametrize("sentinel", SENTINELS)
def test_no_secret_and_no_person_in_any_part_of_a_line(
    sentinel: str, stream: Callable[[], io.StringIO]
) -> None:
    def write(log: Any) -> None:
        log.info(" ".join(["sent", sentinel]))
        log.info("event", note=f"with {sentinel}.", nested={"list": [f"<{sentinel}>"]})
        log.info("event", **{sentinel: 1}, other=Exception(sentinel), raw=sentinel.encode())
        logging.getLogger("library").error("url https://x.example/?key=%s", sentinel)
        try:
            int(sentinel)
        except ValueError:
            log.exception("failed")

    text = logged(write, stream())
    assert "***" in text
    assert sentinel not in text


@pytest.mark.parametrize(
    "key", ["token", "client_secret", "Authorization", "api_key", "email", "phone", "first_name"]
)
@pytest.mark.parametrize("value", ["plain", 4915112345678, ["plain"], {"any": "plain"}, b"plain"])
def test_the_name_of_a_value_is_enough_to_hide_it(key: str, value: object) -> None:
    line = json.loads(logged(lambda log: log.info("event", **{key: value})))
    assert line[key] == "***"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("Klaviyo-API-Key xyz", "Klaviyo-API-Key ***"),
        ("GET /orders?consumer_secret=abc&page=2", "GET /orders?consumer_secret=***&page=2"),
        ("postgresql+psycopg://me:pw@db/shop", "postgresql+psycopg://***@db/shop"),
        ("nobody is called a@b.example here", "nobody is called ***@*** here"),
        ("3 orders @ 5 EUR, stock_id=7", "3 orders @ 5 EUR, stock_id=7"),
        ("sqlite:////data/segmentd.db", "sqlite:////data/segmentd.db"),
    ],
)
def test_redact(text: str, expected: str) -> None:
    assert logs.redact(text) == expected


def test_local_variables_stay_out_of_tracebacks() -> None:
    def write(log: Any) -> None:
        held = "kept" + "-private"
        try:
            held.index("x")
        except ValueError:
            log.exception("failed")

    text = logged(write)
    assert "ValueError: substring not found" in text
    assert "kept-private" not in text


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_a_value_can_neither_forge_a_line_nor_steer_a_terminal(
    stream: Callable[[], io.StringIO],
) -> None:
    text = logged(
        lambda log: log.info("event\nforged", name="a\r\nforged\x1b[2J\x9b2J\u2028x\x00"), stream()
    )
    # a terminal's own colours end with m; nothing that came from the values is left
    assert not re.search(r"\x1b\[2J|[\x00\r\x9b\u2028]", text)
    assert text.count("\n") == 1


def test_libraries_that_log_every_request_are_quiet() -> None:
    def write(_log: Any) -> None:
        logging.getLogger("httpx").info("HTTP Request: GET https://x.example/?consumer_secret=abc")

    assert logged(write) == ""


def test_less_important_lines_are_left_out() -> None:
    out = io.StringIO()
    logs.configure("warning", out)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["loud"]
