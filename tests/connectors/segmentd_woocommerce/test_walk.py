"""Joining the pages of a list, whatever leaves it in between."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from segmentd.sdk import TransientError
from segmentd_woocommerce.pages import Listing, Row
from segmentd_woocommerce.walk import Walk


class Rows:
    """A list of ids, as a store would page it."""

    def __init__(self, ids: list[int], size: int, *, counted: bool = True) -> None:
        self.ids = ids
        self.size = size
        self.counted = counted
        self.asked: list[int] = []
        self.hidden: set[int] = set()
        self.most = 100
        self.ignores_offset = False
        self.seen: set[int] = set()

    def part(self, offset: int, least: int) -> Listing:
        self.asked.append(offset)
        asked = self.size + least - 1
        offset = 0 if self.ignores_offset else offset
        shown = self.ids[offset : offset + min(asked, self.most)]
        rows = [{"id": id_} for id_ in shown if id_ not in self.hidden]
        return Listing(rows, len(self.ids) if self.counted else None, asked)

    def glance(self, offset: int) -> Listing:
        raise AssertionError("only where a page cannot be had")

    def whole(self, row: Row) -> Row:
        raise AssertionError("only where a page cannot be had")

    def walk(self) -> Iterator[list[int]]:
        walk = Walk(self, lambda row: row["id"] in self.seen)
        while (rows := walk.page()) is not None:
            yield [row["id"] for row in rows if row["id"] not in self.seen]
            self.seen |= {row["id"] for row in rows}


def test_each_page_begins_with_the_last_row_of_the_one_before() -> None:
    rows = Rows(list(range(1, 12)), 4)
    assert list(rows.walk()) == [[1, 2, 3, 4], [5, 6, 7, 8], [9, 10, 11]]
    assert rows.asked == [0, 3, 7]


@pytest.mark.parametrize("count", [0, 1, 4, 5, 8, 9])
@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("counted", [True, False])
def test_reads_all(count: int, size: int, counted: bool) -> None:
    rows = Rows(list(range(count)), size, counted=counted)
    assert [id_ for page in rows.walk() for id_ in page] == list(range(count))


def test_rows_that_leave_hide_none() -> None:
    rows = Rows(list(range(40)), 5)
    pages = rows.walk()
    first = next(pages)
    del rows.ids[:4]
    assert first + [id_ for page in pages for id_ in page] == list(range(40))


@pytest.mark.parametrize("seed", range(30))
def test_whatever_leaves_between_pages(seed: int) -> None:
    chance = random.Random(seed)
    rows = Rows(list(range(80)), chance.choice([1, 2, 5, 9]))
    left: set[int] = set()
    found: list[int] = []
    for page in rows.walk():
        found += page
        for _ in range(chance.choice([0, 0, 1, 3, 12])):
            if rows.ids:
                left.add(rows.ids.pop(chance.randrange(len(rows.ids))))
    assert set(range(80)) - left <= set(found)
    assert len(found) == len(set(found))


def test_a_host_that_shows_less_than_asked() -> None:
    rows = Rows(list(range(20)), 8)
    rows.most = 3
    assert sorted(id_ for page in rows.walk() for id_ in page) == list(range(20))


@pytest.mark.parametrize("hidden", [{19}, {17, 18, 19}, {4}, {0, 1}, {7, 8}])
def test_rows_that_are_counted_but_not_shown(hidden: set[int]) -> None:
    rows = Rows(list(range(20)), 4)
    rows.hidden = hidden
    assert {id_ for page in rows.walk() for id_ in page} == set(range(20)) - hidden


def test_a_whole_page_that_is_not_shown_is_no_end() -> None:
    rows = Rows(list(range(40)), 4)
    rows.hidden = set(range(8, 30))
    with pytest.raises(TransientError, match="fewer records than it counts"):
        list(rows.walk())


def test_a_host_that_ignores_the_offset() -> None:
    rows = Rows(list(range(20)), 4)
    rows.ignores_offset = True
    with pytest.raises(TransientError, match="again and again"):
        list(rows.walk())
