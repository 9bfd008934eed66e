"""Parts of the lists of a store, and how many rows of one to ask for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LARGEST_PAGE = 100
"""More is refused with 400 (``per_page``) or 413 (``batch``)."""
_FIRST_PAGE = 50
"""A store that makes 100 a second needs 0.1 s to begin and 0.5 s for these; one that is ten times
slower still answers before its web server gives up."""
_QUICK = 2.0
"""Seconds: an answer that came so soon may be twice as long."""
_SLOW = 5.0
"""Seconds: an answer that took longer keeps one of few PHP processes from the shop's visitors."""
_SMALLEST_FOR_SPEED = 10
"""WordPress alone takes 0.1 s and more to begin: still smaller pages only add load."""
_PAGES_BEFORE_MORE = 20
"""Good answers after which a size that failed is tried again."""

FAILURE = "segmentd_failure"
"""Key of a row that the store cannot show: why. The row has no more than an id and a change time,
or only ``BEHIND``."""
BEHIND = "segmentd_behind"
"""Key of a row of which not even the id can be shown: the id of the row before it."""

Row = dict[str, Any]
"""A record as the store shows it."""


@dataclass(frozen=True)
class Listing:
    """A part of a list."""

    rows: list[Row]
    total: int | None
    """``X-WP-Total``; 0 on orders if asked for beyond the end; None if a proxy dropped it."""
    asked: int
    """How many rows were asked for."""


class PageSize:
    """Rows to ask for: more while answers are quick, fewer when they are slow or fail."""

    def __init__(self, most: int) -> None:
        self.rows = min(_FIRST_PAGE, most)
        self._most = most
        self._bearable = most
        """What the host has not failed at lately."""
        self._failing = False
        self._good = 0

    def failed(self) -> None:
        """The host broke off, ran out of time or memory, or printed half an answer."""
        if self._failing:
            # a host that is down fails at every size: find out with few requests
            self.rows = max(1, self.rows // 4)
        else:
            self.rows = self._bearable = max(1, self.rows // 2)
        self._failing, self._good = True, 0

    def succeeded(self, seconds: float) -> None:
        """The host answered after so many seconds."""
        self._failing = False
        self._good += 1
        if self._good == _PAGES_BEFORE_MORE:
            self._bearable, self._good = min(self._most, 2 * self._bearable), 0
        if seconds <= _QUICK:
            self.rows = min(self._bearable, 2 * self.rows)
        elif seconds > _SLOW:
            self.rows = max(min(self.rows, _SMALLEST_FOR_SPEED), self.rows // 2)
