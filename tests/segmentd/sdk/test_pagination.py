from __future__ import annotations

import pytest

from segmentd.domain.errors import TransientError
from segmentd.sdk.pagination import Page, paginate


def pages_of(*successors: str | None) -> list[str | None]:
    """The tokens fetched from a list whose n-th page names the n-th successor."""
    fetched: list[str | None] = []

    def fetch(token: str | None) -> Page[int]:
        fetched.append(token)
        return Page([len(fetched)], successors[len(fetched) - 1])

    list(paginate(fetch))
    return fetched


def test_fetches_page_after_page() -> None:
    assert pages_of("a", "b", None) == [None, "a", "b"]


def test_yields_what_was_fetched() -> None:
    pages = iter([Page([1, 2], "next"), Page([3], None)])
    assert [page.items for page in paginate(lambda token: next(pages))] == [[1, 2], [3]]


def test_begins_where_told() -> None:
    fetched: list[str | None] = []

    def fetch(token: str | None) -> Page[int]:
        fetched.append(token)
        return Page([], None)

    list(paginate(fetch, "there"))
    assert fetched == ["there"]


@pytest.mark.parametrize("successors", [("a", "a", None), ("a", "b", "a", None)])
def test_f31_a_circle_is_an_error(successors: tuple[str | None, ...]) -> None:
    with pytest.raises(TransientError, match="loop"):
        pages_of(*successors)


def test_f31_a_circle_back_to_the_start_is_an_error() -> None:
    with pytest.raises(TransientError, match="loop"):
        list(paginate(lambda token: Page([], "start"), "start"))


def test_f31_endless_pages_are_an_error() -> None:
    numbers = iter(range(100))
    with pytest.raises(TransientError, match="more than 20 pages"):
        list(paginate(lambda token: Page([], str(next(numbers))), limit=20))


def test_a_page_is_not_fetched_before_it_is_asked_for() -> None:
    fetched: list[str | None] = []

    def fetch(token: str | None) -> Page[int]:
        fetched.append(token)
        return Page([], str(len(fetched)))

    next(iter(paginate(fetch)))
    assert fetched == [None]
