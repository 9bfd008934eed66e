"""Ready faults for ``Sandbox.faults``: what networks and servers do on a bad day.

sandbox.faults += [status(500), status(429, {"retry-after": "7"}), drop_answer()]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from segmentd.sdk.testing.sandbox import Fault, Request, Response

Handler = Callable[[Request], Response]


class DropConnection(Exception):  # noqa: N818 - an instruction to the server
    """Raised by a fault: the server breaks the connection without an answer."""


def none() -> Fault:
    """No fault: lets one request through, to place the next fault behind it."""
    return lambda request, handle: handle(request)


def answer(response: Response) -> Fault:
    """``response`` instead of doing anything."""

    def fault(request: Request, handle: Handler) -> Response:  # noqa: ARG001 - not handled
        return replace(response, headers=dict(response.headers))

    return fault


def status(code: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Fault:
    """An error status, nothing done."""
    return answer(Response(code, dict(headers or {}), body))


def html(code: int = 200) -> Fault:
    """A page for people instead of JSON (maintenance, firewall, login), nothing done."""
    page = b"<!doctype html><html><head><title>Be right back</title></head><body></body></html>"
    return answer(Response(code, {"content-type": "text/html; charset=utf-8"}, page))


def body(content: bytes, content_type: str = "application/json") -> Fault:
    """A success that says ``content``, nothing done."""
    return answer(Response(200, {"content-type": content_type}, content))


def empty_body() -> Fault:
    """A success without a body, nothing done."""
    return body(b"")


def redirect(location: str, code: int = 302) -> Fault:
    """An answer that points elsewhere, nothing done."""
    return status(code, {"location": location})


def cut_body(size: int) -> Fault:
    """Acts, then breaks the connection after ``size`` bytes of the body."""

    def fault(request: Request, handle: Handler) -> Response:
        return replace(handle(request), cut=size)

    return fault


def truncated_json(size: int) -> Fault:
    """Acts, then sends only ``size`` bytes as if they were all (a broken proxy)."""

    def fault(request: Request, handle: Handler) -> Response:
        response = handle(request)
        return replace(response, body=response.body[:size])

    return fault


def before(text: bytes) -> Fault:
    """Acts, with ``text`` in front of the body (a PHP warning)."""

    def fault(request: Request, handle: Handler) -> Response:
        response = handle(request)
        return replace(response, body=text + response.body)

    return fault


def drop_answer() -> Fault:
    """Acts, then breaks the connection without an answer."""

    def fault(request: Request, handle: Handler) -> Response:
        handle(request)
        raise DropConnection

    return fault


def reset() -> Fault:
    """Breaks the connection, nothing done."""

    def fault(request: Request, handle: Handler) -> Response:  # noqa: ARG001 - not handled
        raise DropConnection

    return fault


def echo_everything(code: int = 400) -> Fault:
    """An error page that shows the whole request, secrets included, nothing done."""

    def fault(request: Request, handle: Handler) -> Response:  # noqa: ARG001 - not handled
        shown = f"{request.query_string} {dict(request.headers)} {request.path}".encode()
        return Response(code, {"content-type": "text/plain"}, shown)

    return fault


def when(match: Callable[[Request], bool], then: Fault) -> Fault:
    """``then`` for requests that ``match``; others pass (and use the fault up)."""
    return lambda request, handle: (then if match(request) else none())(request, handle)
