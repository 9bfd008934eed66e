"""Walking through pages: bounded, and never in a circle."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from segmentd.domain.errors import TransientError

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """One page of a list, and the token that asks for the next one."""

    items: Sequence[T]
    next: str | None
    """None: this was the last page."""


def paginate(
    fetch: Callable[[str | None], Page[T]], start: str | None = None, limit: int = 1_000_000
) -> Iterator[Page[T]]:
    """Every page from ``start`` on; ``fetch`` gets the token of the page to fetch.

    Raises TransientError if a token comes twice (a server that sends us in a circle) and after
    ``limit`` pages: either way the list was not read whole.
    """
    token = start
    seen = {start}
    for _ in range(limit):
        page = fetch(token)
        yield page
        if page.next is None:
            return
        if page.next in seen:
            raise TransientError("the pages of a list go in a loop: a page token came twice")
        seen.add(page.next)
        token = page.next
    raise TransientError(f"a list has more than {limit} pages: reading it was given up")
