"""The forms of a store's answers: lists, objects, errors, and the choice of fields."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from segmentd.sdk.testing.sandbox import Response

JSON = "application/json; charset=UTF-8"
_NO_CACHE = "no-cache, must-revalidate, max-age=0, no-store, private"


class Refusal(Exception):  # noqa: N818 - an answer, not a mistake of ours
    """Raised where a request ends with an error."""

    def __init__(self, status: int, code: str, message: str, **data: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body = {"code": code, "message": message, "data": {"status": status, **data}}


def answer(
    payload: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """JSON with the headers that WordPress adds."""
    fixed = {"server": "nginx/1.22.1", "content-type": JSON, "cache-control": _NO_CACHE}
    return Response.json(payload, status, {**fixed, **(headers or {})})


def page(status: int, text: str, headers: Mapping[str, str] | None = None) -> Response:
    """A page for people."""
    body = f"<html>\r\n<head><title>{text}</title></head>\r\n<body></body>\r\n</html>\r\n"
    fixed = {"server": "nginx/1.22.1", "content-type": "text/html; charset=UTF-8"}
    return Response(status, {**fixed, **(headers or {})}, body.encode())


def chosen(document: dict[str, Any], fields: str | None, *, linked: bool) -> dict[str, Any]:
    """What ``_fields`` leaves of a document; single objects keep their links, lists lose them.

    A path works into objects; into a list it drops the list.
    """
    if fields is None:
        return document
    wanted = [field.strip() for field in fields.split(",") if field.strip()]
    found: dict[str, Any] = {}
    for name, value in document.items():
        if name in wanted or (name == "_links" and linked):
            found[name] = value
        elif isinstance(value, dict):
            inner = _inner(value, name, wanted)
            if inner:
                found[name] = inner
    return found


def _inner(value: dict[str, Any], name: str, wanted: Sequence[str]) -> dict[str, Any]:
    return {key: inner for key, inner in value.items() if f"{name}.{key}" in wanted}
