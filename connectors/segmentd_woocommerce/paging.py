"""Reading lists whole although rows leave them while they are read.

WooCommerce pages by offset only. If a row that was read leaves the list (an order is changed and
moves to the end, an account is deleted), the rows behind it move up and one of them is never shown:
woocommerce/woocommerce #33386, and reproduced. So every page begins with the last row of the page
before. If another row stands there, the walk goes back until it finds a row that it knows; rows
shown twice are no harm.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from segmentd.sdk import ConfigError, TransientError, Window, instant
from segmentd_woocommerce.client import LARGEST_PAGE, Listing, Row, WooClient

_SECOND = timedelta(seconds=1)
_ZONE_SHIFT = timedelta(hours=2)
"""Orders kept as posts, and products, are sorted by local time: where clocks are set back, rows of
an hour come mixed. Rows so much older than the last one are surely behind us."""
_TAIL = 10
"""Ids that a position keeps, to find the place again even if some of these rows are gone."""


class Walk:
    """Goes through a list page by page, each joined to what is known."""

    def __init__(
        self, fetch: Callable[[int, int], Listing], known: Callable[[Row], bool], offset: int = 0
    ) -> None:
        """``fetch(offset, overlap)`` lists a part; ``known`` tells the rows read before."""
        self.offset = offset
        """Rows of the list that were read."""
        self.listing: Listing | None = None
        """The part read last."""
        self.head: int | None = None
        """Id of the first row of the list, while that is known."""
        self._fetch = fetch
        self._known = known
        self._at_end = False
        self._heads = 0

    def page(self) -> list[Row] | None:
        """The next rows, some of them perhaps known; None at the end."""
        if self._at_end:
            return None
        before = self.offset
        start, listing = self._joined()
        rows, total = listing.rows, listing.total
        self.listing = listing
        self.offset = start + len(rows)
        if total is None:
            self._at_end = len(rows) < listing.asked
        elif self.offset >= total or (start + listing.asked >= total and self._all_known(rows)):
            # the second: the store counts last rows that it does not list
            self._at_end = True
        elif start == before - 1 and self.offset <= before:
            raise TransientError("the store lists fewer records than it counts")
        return rows

    def _all_known(self, rows: list[Row]) -> bool:
        return all(self._known(row) for row in rows)

    def _joined(self) -> tuple[int, Listing]:
        back = 1
        while True:
            start = max(0, self.offset - back)
            listing = self._fetch(start, min(self.offset - start, LARGEST_PAGE - 1))
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


@dataclass(frozen=True)
class Place:
    """How far a list of changed records was read."""

    since: datetime | None
    """Only records changed at this instant or later are listed."""
    offset: int = 0
    """Records of that list that were read."""
    last: datetime | None = None
    """Change time of the last one."""
    ids: list[int] = field(default_factory=list)
    """Ids of the last few."""

    def text(self, phase: str) -> str:
        """As the core stores it."""
        since, last = (moment and moment.isoformat() for moment in (self.since, self.last))
        return json.dumps([phase, since, self.offset, last, self.ids])


def place_of(position: str) -> tuple[str, Place]:
    """Phase and place from what ``Place.text`` made."""
    phase, since, offset, last, ids = json.loads(position)
    return phase, Place(since and instant(since), offset, last and instant(last), ids)


class Changes:
    """The records of one list that changed in a window, in the order of their changes.

    The lower bound follows the records read, so that offsets stay small and the list short, the
    upper bound is fixed, so that what changes meanwhile leaves the list for the next window.
    """

    def __init__(
        self, client: WooClient, path: str, params: dict[str, str], window: Window, place: Place
    ) -> None:
        self._client = client
        self._path = path
        self._params = {
            **params,
            "orderby": "modified",
            "order": "asc",
            "dates_are_gmt": "true",
            "modified_before": _stamp(window.until + _SECOND),
        }
        self._until = window.until
        self._since = place.since
        self._seen: dict[int, datetime] = dict.fromkeys(place.ids, place.last or window.until)
        # rows read before the process was started again: only how many, and about when
        self._unknown = place.offset - len(place.ids)
        self._unknown_until = place.last and place.last + _ZONE_SHIFT
        self._walk = Walk(self._fetch, lambda row: row["id"] in self._seen, place.offset)

    def pages(self) -> Iterator[tuple[list[Row], Place]]:
        """Rows not yet read, and the place behind them."""
        while (rows := self._walk.page()) is not None:
            stamps = [(row, self._changed(row)) for row in rows]
            fresh = [row for row, stamp in stamps if self._seen.get(row["id"]) != stamp]
            self._seen |= {row["id"]: stamp for row, stamp in stamps}
            if not rows:
                return
            last = min(stamps[-1][1], self._until)
            self._advance(last - _ZONE_SHIFT)
            ids = [row["id"] for row in rows[-_TAIL:]]
            ids = ids[max(0, len(ids) - self._walk.offset) :]
            yield fresh, Place(self._since, self._walk.offset, last, ids)

    def _fetch(self, offset: int, overlap: int) -> Listing:
        params = dict(self._params)
        if self._since is not None:
            # exclusive, and of whole seconds
            params["modified_after"] = _stamp(self._since - _SECOND)
        return self._client.part(self._path, params, offset, overlap)

    def _changed(self, row: Row) -> datetime:
        try:
            stamp = instant(row["date_modified_gmt"])
        except (KeyError, ValueError) as error:
            raise TransientError(f"{self._path}: a row without date_modified_gmt") from error
        if self._since is not None and stamp < self._since:
            raise ConfigError(
                f"the store ignores modified_after: {self._path} shows a record of {stamp:%Y-%m-%d}"
                f" though asked for later ones; WooCommerce must be 5.4 or newer, and no cache may "
                "stand before /wp-json/"
            )
        return stamp

    def _advance(self, since: datetime) -> None:
        """Let the list begin later; offsets count from there."""
        if self._since is not None and since <= self._since:
            return
        behind = [id_ for id_, stamp in self._seen.items() if stamp < since]
        for id_ in behind:
            del self._seen[id_]
        passed = len(behind)
        if self._unknown_until is not None and self._unknown_until < since:
            passed += self._unknown
            self._unknown, self._unknown_until = 0, None
        self._since = since
        self._walk.head = None
        self._walk.offset = max(0, self._walk.offset - passed)


@dataclass(frozen=True)
class SweepPlace:
    """How far a list sorted by id was read."""

    offset: int = 0
    last: int = 0
    """The largest id read."""
    count: int = 0
    """Ids read in this pass."""
    before: int | None = None
    """Ids read in the pass before this one, if there was one."""

    def text(self) -> str:
        """As the core stores it."""
        return json.dumps([self.offset, self.last, self.count, self.before])

    @classmethod
    def of(cls, position: str | None) -> SweepPlace:
        """From what ``text`` made."""
        return cls(*json.loads(position)) if position else cls()


class Sweep:
    """All records of a list, by id; a second pass if fewer came than the store counts."""

    def __init__(
        self, client: WooClient, path: str, params: dict[str, str], place: SweepPlace
    ) -> None:
        self._client = client
        self._path = path
        self._params = {**params, "orderby": "id", "order": "asc"}
        self._place = place

    def pages(self) -> Iterator[tuple[list[Row], SweepPlace]]:
        """Rows not yet read, and the place behind them."""
        while True:
            walk = Walk(self._fetch, self._is_known, self._place.offset)
            while (rows := walk.page()) is not None:
                yield self._fresh(rows, walk.offset), self._place
            if self._is_whole(walk.listing.total if walk.listing else None):
                return
            self._place = SweepPlace(before=self._place.count)

    def _is_whole(self, total: int | None) -> bool:
        """Whether all came that the store counts; what it hides twice it hides for good."""
        count, before = self._place.count, self._place.before
        if total is None or count >= total or count == before:
            return True
        if before is not None:
            raise TransientError(f"{self._path}: {total} records are counted, {count} listed")
        return False

    def _fresh(self, rows: list[Row], offset: int) -> list[Row]:
        ids = [row["id"] for row in rows]
        if ids != sorted(ids):
            raise TransientError(f"{self._path}: the store ignores orderby=id")
        fresh = [row for row in rows if not self._is_known(row)]
        self._place = replace(
            self._place,
            offset=offset,
            last=max([self._place.last, *ids]),
            count=self._place.count + len(fresh),
        )
        return fresh

    def _fetch(self, offset: int, overlap: int) -> Listing:
        return self._client.part(self._path, self._params, offset, overlap)

    def _is_known(self, row: Row) -> bool:
        known: bool = row["id"] <= self._place.last
        return known


def bounds(window: Window) -> dict[str, str]:
    """The filter for what changed in a window."""
    params = {"dates_are_gmt": "true", "modified_before": _stamp(window.until + _SECOND)}
    if window.since is not None:
        params["modified_after"] = _stamp(window.since - _SECOND)
    return params


def _stamp(moment: datetime) -> str:
    """As the store reads it with ``dates_are_gmt``; fractions would be cut anyway."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
