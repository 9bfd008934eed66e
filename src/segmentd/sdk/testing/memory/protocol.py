"""The words that the memory sandboxes and their connector exchange."""

from __future__ import annotations

from segmentd.sdk.testing.sandbox import Request, Response

TOKEN = "memory-0123456789abcdef"  # noqa: S105 - known to everyone, opens nothing
TOKEN_VARIABLE = "SANDBOX_MEMORY_TOKEN"  # noqa: S105 - a name
LARGEST_BATCH = 100
LONGEST_NAME = 255
MOST_TAGS = 250


def refuse(status: int, code: str, message: str) -> Response:
    """An error answer."""
    return Response.json({"code": code, "message": message}, status)


def unauthorized(request: Request) -> Response | None:
    """The refusal of a request without the token; None if it has it."""
    if request.headers.get("authorization") == f"Bearer {TOKEN}":
        return None
    return refuse(401, "unauthorized", "the token is wrong")
