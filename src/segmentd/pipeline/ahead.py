"""Fetching the next while one is being written."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable, Iterator
from contextvars import copy_context
from functools import partial
from itertools import islice
from queue import SimpleQueue
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 1.0
"""Seconds that a fetch in flight has to end when no more is wanted."""


def ahead(items: Iterable[T]) -> Generator[T]:
    """The items, each made by another thread while the one before is in use; never two ahead.

    All that ``items`` does happens in that one thread, its closing too. An error in it is raised
    here after the items before it. To be closed (``contextlib.closing``) where it may be left
    early: a fetch that then goes on beyond ``PATIENCE`` is left to itself and to the closing of
    what it fetches from.
    """
    wanted: SimpleQueue[bool] = SimpleQueue()
    made: SimpleQueue[list[T] | BaseException] = SimpleQueue()
    # what is logged there belongs to the run that it is done for
    make = partial(copy_context().run, _make, iter(items), wanted, made)
    # daemonic: a request that hangs must not keep the process from ending
    thread = threading.Thread(target=make, name="ahead", daemon=True)
    thread.start()
    wanted.put(True)
    try:
        while found := made.get():
            if isinstance(found, BaseException):
                raise found
            wanted.put(True)
            yield found[0]
    finally:
        wanted.put(False)
        thread.join(PATIENCE)


def _make(
    items: Iterator[T], wanted: SimpleQueue[bool], made: SimpleQueue[list[T] | BaseException]
) -> None:
    """One item for each wish; an empty list for the end."""
    try:
        while wanted.get():
            made.put(list(islice(items, 1)))
        # generators and files; a plain iterator has nothing to let go of
        if hasattr(items, "close"):
            items.close()
    except BaseException as error:  # noqa: BLE001 - raised where the items are used
        made.put(error)
