"""Logs on stderr: for people on a terminal, JSON lines otherwise; secrets and persons left out."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

_MASK = "***"
_PRIVATE_KEY = re.compile(
    r"token|secret|authorization|password|api_?key|hmac|cookie|e?mail|phone"
    r"|first_?name|last_?name|address",
    re.IGNORECASE,
)
# (what to find, what stays of it)
_PRIVATE_TEXT = (
    (
        re.compile(r"\b(shp(?:at|ss|rt|ca|pa|ua)_|[cp]k_|cs_|whsec_)[A-Za-z0-9_-]{4,}"),
        r"\1" + _MASK,
    ),
    (re.compile(r"\b(bearer|basic|klaviyo-api-key)\s+[^\s\"',;]+", re.IGNORECASE), r"\1 " + _MASK),
    (
        re.compile(r"\b(consumer_(?:key|secret)|access_token|oauth_signature)=[^\s&\"']+"),
        r"\1=" + _MASK,
    ),
    (re.compile(r"(://)[^/\s@]+@"), r"\1" + _MASK + "@"),
    (re.compile(r"[^\s@\"'<>(),;:=\[\]{}|]{1,64}@[\w-]+(?:\.[\w-]+)+"), _MASK + "@" + _MASK),
)
# C0, DEL, C1 and the two line ends of Unicode: a value must not forge a line or steer a terminal
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINES = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")
# they say at INFO what our own lines say already, httpx with the whole query of each URL
_TALKATIVE = ("httpx", "httpcore", "apscheduler", "alembic", "uvicorn.access")

Event = MutableMapping[str, Any]


def redact(text: str) -> str:
    """``text`` without secrets and e-mail addresses, control characters but line ends escaped."""
    for pattern, rest in _PRIVATE_TEXT:
        text = pattern.sub(rest, text)
    return _CONTROL_BUT_LINES.sub(_escape, text)


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's logs to ``stream`` (stderr) from ``level`` on."""
    out = stream or sys.stderr
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared_processors(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            # a traceback as text: the structured one would print local variables
            structlog.processors.format_exc_info,
            _redact_event,
            _renderer(terminal=out.isatty()),
        ],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def _shared_processors() -> list[structlog.typing.Processor]:
    return [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, _stamp]


def _renderer(*, terminal: bool) -> structlog.typing.Processor:
    if terminal:
        return structlog.dev.ConsoleRenderer(timestamp_key="ts")
    return structlog.processors.JSONRenderer(ensure_ascii=False)


def _stamp(_logger: object, _method: str, event: Event) -> Event:
    event["ts"] = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return event


def _redact_event(_logger: object, _method: str, event: Event) -> Event:
    """The last before rendering, so that nothing is added behind it."""
    ordered = {"ts": None, "level": None, "event": None, **event}
    return {_text(key): _redact_value(key, value) for key, value in ordered.items()}


def _redact_value(key: str, value: object) -> object:
    if key == "exception":
        return redact(str(value))
    if value is None or isinstance(value, bool | int | float):
        return _MASK if _PRIVATE_KEY.search(key) and value is not None else value
    if _PRIVATE_KEY.search(key):
        return _MASK
    if isinstance(value, dict):
        return {_text(str(name)): _redact_value(str(name), item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact_value(key, item) for item in value]
    return _text(str(value))


def _text(value: str) -> str:
    return _CONTROL.sub(_escape, redact(value))


def _escape(match: re.Match[str]) -> str:
    return match[0].encode("unicode_escape").decode("ascii")
