"""Fetching ahead changes nothing but the time that it takes."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segmentd.domain.errors import Stopping, TransientError
from segmentd.pipeline import ahead as module
from segmentd.pipeline.ahead import ahead


class Pages:
    """What is fetched: notes by whom, how much of it, and whether it was closed."""

    def __init__(self, count: int, error: BaseException | None = None) -> None:
        self.count = count
        self.error = error
        self.begun = [threading.Event() for _ in range(count + 1)]
        self.threads: set[int] = set()
        self.made = 0
        self.closed = False

    def __iter__(self) -> Iterator[int]:
        try:
            for number in range(self.count):
                self.threads.add(threading.get_ident())
                self.begun[number].set()
                self.made += 1
                yield number
            self.begun[self.count].set()
            if self.error is not None:
                raise self.error
        finally:
            self.threads.add(threading.get_ident())
            self.closed = True


errors = st.sampled_from([None, TransientError("later"), Stopping("now"), KeyboardInterrupt()])


@given(count=st.integers(0, 6), error=errors, taken=st.integers(0, 7))
def test_the_same_items_in_the_same_order_and_then_the_same_error(
    count: int, error: BaseException | None, taken: int
) -> None:
    pages = Pages(count, error)
    seen: list[int] = []
    raised: BaseException | None = None
    try:
        with closing(ahead(pages)) as items:
            for item in items:
                assert pages.made <= item + 2, "more than one ahead"
                seen.append(item)
                if len(seen) == taken:
                    break
    except (TransientError, Stopping, KeyboardInterrupt) as caught:
        raised = caught
    left_early = 0 < taken <= count
    assert seen == list(range(taken if left_early else count))
    assert raised is (None if left_early else error)
    assert pages.closed
    assert len(pages.threads) == 1
    assert threading.get_ident() not in pages.threads


def test_the_next_is_made_while_one_is_in_use() -> None:
    pages = Pages(3)
    for item in ahead(pages):
        assert pages.begun[item + 1].wait(10)


def _use(items: Iterable[int], error: BaseException) -> None:
    with closing(ahead(items)) as batches:
        for _ in batches:
            raise error


def test_an_error_of_who_uses_them_closes_them() -> None:
    pages = Pages(9)
    with pytest.raises(TransientError):
        _use(pages, TransientError("the database is locked"))
    assert pages.closed
    assert pages.made <= 2


def test_a_fetch_that_hangs_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)
    answer = threading.Event()

    def pages() -> Iterator[int]:
        yield 1
        answer.wait(10)
        yield 2

    with pytest.raises(KeyboardInterrupt):
        _use(pages(), KeyboardInterrupt())
    assert not answer.is_set()
    answer.set()


def test_an_error_while_closing_is_not_lost_on_the_console(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unhandled: list[object] = []
    monkeypatch.setattr(threading, "excepthook", unhandled.append)

    def pages() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            raise TransientError("cannot let go")

    with closing(ahead(pages())) as items:
        assert next(items) == 1
    assert unhandled == []
