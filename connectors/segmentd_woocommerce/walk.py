"""Reading a list whole although rows leave it while it is read.

WooCommerce pages by offset only. If a row that was read leaves the list (an order is changed and
moves to the end, an account is deleted), the rows behind it move up and one of them is never shown:
woocommerce/woocommerce #33386, and reproduced. So every page begins with the last row of the page
before. If another row stands there, the walk goes back until it finds a row that it knows; rows
shown twice are no harm.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Protocol

from segmentd.sdk import TransientError
from segmentd_woocommerce.errors import UnreadableError
from segmentd_woocommerce.pages import BEHIND, FAILURE, Listing, Row

_STEPS = 20
"""Records to read one by one before pages are tried again, on a host that cannot show two."""
_MOST_IN_A_ROW = 10
"""So many records one after the other that cannot be shown are the host's fault, not theirs."""


class Records(Protocol):
    """A list by offset; see ``records.RecordList``."""

    def part(self, offset: int, least: int) -> Listing: ...

    def glance(self, offset: int) -> Listing: ...

    def whole(self, row: Row) -> Row | None: ...


class Walk:
    """Goes through a list page by page, each joined to what is known.

    Where the host fails even at the smallest page, it goes record by record: which one is it?
    """

    def __init__(self, records: Records, known: Callable[[Row], bool], offset: int = 0) -> None:
        """``known`` tells the rows that were read before."""
        self.offset = offset
        """Rows of the list that were read."""
        self.total: int | None = None
        """Rows that the list has, by the answer read last."""
        self.head: int | None = None
        """Id of the first row of the list, while that is known."""
        self._records = records
        self._known = known
        self._at_end = False
        self._heads = 0
        self._last: int | None = None
        self._steps = 0
        """How many records to read one by one before pages are tried again."""
        self._failures = 0
        """How many records just before ``offset`` could not be shown."""

    def page(self) -> list[Row] | None:
        """The next rows, some of them perhaps known; None at the end.

        A record that the store cannot show comes alone, as a row with ``FAILURE``.
        """
        if self._at_end:
            return None
        if not self._steps:
            with contextlib.suppress(UnreadableError):
                return self._page()
            self._steps = _STEPS
        return self._step()

    def _page(self) -> list[Row]:
        before = self.offset
        start, listing = self._joined()
        rows, total = listing.rows, listing.total
        self.total = total
        self.offset = start + len(rows)
        if total is None:
            self._at_end = len(rows) < listing.asked
        elif self.offset >= total or (start + listing.asked >= total and self._all_known(rows)):
            # the second: the store counts last rows that it does not list
            self._at_end = True
        elif start == max(0, before - 1) and self.offset <= before:
            raise TransientError("the store lists fewer records than it counts")
        if rows:
            self._last = rows[-1]["id"]
        return rows

    def _all_known(self, rows: list[Row]) -> bool:
        return all(self._known(row) for row in rows)

    def _joined(self) -> tuple[int, Listing]:
        back = 1
        while True:
            start = max(0, self.offset - back)
            listing = self._records.part(start, 2 if self.offset else 1)
            first = listing.rows[0] if listing.rows else None
            if start == 0:
                self.head = first["id"] if first else None
                return start, listing
            if first is not None and self._known(first):
                self._check_advance(first)
                return start, listing
            back *= 4

    def _check_advance(self, first: Row) -> None:
        """Once is possible: the first rows of the list may be counted but not shown."""
        self._heads = self._heads + 1 if first["id"] == self.head else 0
        if self._heads > 1:
            raise TransientError("the store shows the beginning of a list again and again")

    def _step(self) -> list[Row] | None:
        """The next record alone, by its id, so that nothing can move in between."""
        while True:
            failure, listing = self._glance_joined()
            if listing is None:
                return self._unreadable({BEHIND: self._last, FAILURE: failure})
            self.total = listing.total
            if not listing.rows:
                self._at_end = True
                return None
            row = self._records.whole(listing.rows[0])
            if row is not None:
                break
        if FAILURE in row:
            return self._unreadable(row)
        self._failures = 0
        self._steps -= 1
        return self._passed(row)

    def _glance_joined(self) -> tuple[str, Listing | None]:
        """What stands behind the rows that were read; None with the reason if it is unreadable."""
        back = 1
        while True:
            failure, listing = self._glance(self.offset)
            # looked at afterwards: had a row left before, this one would not stand there now
            if self.offset == 0 or self._is_joined():
                return failure, listing
            self.offset = max(0, self.offset - back)
            self._failures = 0
            back *= 4

    def _glance(self, offset: int) -> tuple[str, Listing | None]:
        try:
            return "", self._records.glance(offset)
        except UnreadableError as error:
            return error.message, None

    def _is_joined(self) -> bool:
        _, listing = self._glance(self.offset - 1)
        if listing is None:
            return self._failures > 0
        if not (listing.rows and self._known(listing.rows[0])):
            return False
        self._last = listing.rows[0]["id"]
        return True

    def _unreadable(self, row: Row) -> list[Row]:
        self._failures += 1
        if self._failures > _MOST_IN_A_ROW:
            raise TransientError(f"the store fails at one record after the other: {row[FAILURE]}")
        self._steps = 1  # found: behind it come pages again
        return self._passed(row)

    def _passed(self, row: Row) -> list[Row]:
        self.offset += 1
        self._last = row.get("id", self._last)
        return [row]
