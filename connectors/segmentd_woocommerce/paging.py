"""What changed in a window, and everything: two ways through a list, and how far they came."""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from segmentd.sdk import ConfigError, TransientError, Window, instant
from segmentd_woocommerce.client import WooClient
from segmentd_woocommerce.errors import UnreadableError
from segmentd_woocommerce.pages import BEHIND, FAILURE, Row
from segmentd_woocommerce.records import RecordList
from segmentd_woocommerce.walk import Walk

_SECOND = timedelta(seconds=1)
_ZONE_SHIFT = timedelta(hours=27)
"""Orders kept as posts, and products, are sorted by local time: where clocks are set back, rows of
an hour come mixed, and of up to 26 hours where a shop that stood at UTC+14 is told that it stands
at UTC-12. Rows so much older than the last one are surely behind us; the younger ones that were
read are kept in mind, at less than 200 bytes each."""
_NEVER = datetime.min.replace(tzinfo=UTC)
"""For a row that shows no time: WordPress keeps 0000-00-00 for what was inserted as a draft, and
compares it as before everything. The list does not show it any more once it has a lower bound."""
_TAIL = 10
"""Ids that a position keeps, to find the place again even if some of these rows are gone."""


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
        self._path = path
        self._newest = RecordList(client, path, {**params, "orderby": "modified", "order": "desc"})
        self._list = RecordList(
            client,
            path,
            {
                **params,
                "orderby": "modified",
                "order": "asc",
                "dates_are_gmt": "true",
                "modified_before": _stamp(window.until + _SECOND),
            },
        )
        self._until = window.until
        self._since: datetime | None = None
        self._place = place
        self._tail = deque(place.ids, _TAIL)
        last = place.last or _NEVER
        self._seen: dict[int, datetime] = dict.fromkeys(place.ids, last)
        # rows read before the process was started again: only how many, and about when
        self._unknown = place.offset - len(place.ids)
        self._unknown_until = last + _ZONE_SHIFT
        self._walk = Walk(self._list, self._is_known, place.offset)
        self._begin_at(place.since)

    def pages(self) -> Iterator[tuple[list[Row], Place]]:
        """Rows not yet read, and the place behind them; see ``Walk.page``.

        A place is never behind a row with ``FAILURE``: after a crash it is tried again.
        """
        rows = self._walk.page()
        if not self._place.offset:
            self._check_bounds()
        while rows:
            yield self._fresh(rows), self._place
            rows = self._walk.page()

    def _fresh(self, rows: list[Row]) -> list[Row]:
        if BEHIND in rows[0]:
            return rows
        stamps = [(row, self._changed(row)) for row in rows]
        fresh = [row for row, stamp in stamps if self._seen.get(row["id"]) != stamp]
        self._seen |= {row["id"]: stamp for row, stamp in stamps}
        if FAILURE not in rows[0]:
            dated = [stamp for _, stamp in stamps if stamp != _NEVER]
            last = min(dated[-1], self._until) if dated else self._place.last
            self._place = self._reached(rows, last)
        return fresh

    def _check_bounds(self) -> None:
        """ConfigError if the list leaves out what changed within its bounds.

        Plugins are known that let ``modified_after`` count in local time. In a list without bounds
        the row before the first of ours must be older. If it is not, perhaps it came just now, or
        the clocks were changed: then our list shows it if asked for its id.
        """
        if self._since is None:
            return
        with contextlib.suppress(UnreadableError):
            for row in self._newest.glance(self._walk.total or self._walk.offset).rows:
                stamp = self._time_of(row)
                if self._since <= stamp <= self._until and self._is_left_out(row):
                    raise ConfigError(
                        f"the store misunderstands modified_after: {self._path} leaves out a record"
                        f" of {stamp:%Y-%m-%d %H:%M} GMT; look for a plugin or snippet that changes"
                        " the dates by which REST lists are asked for, and switch it off"
                    )

    def _is_left_out(self, row: Row) -> bool:
        if self._list.whole(row) is not None:
            return False
        # perhaps it was changed meanwhile, and left for the next window
        found = self._newest.whole(row)
        return found is not None and self._time_of(found) == self._time_of(row)

    def _reached(self, rows: list[Row], last: datetime | None) -> Place:
        if last is not None:
            self._advance(last - _ZONE_SHIFT)
        for row in rows:
            if row["id"] in self._tail:
                self._tail.remove(row["id"])
            self._tail.append(row["id"])
        ids = list(self._tail)
        offset = self._walk.offset
        return Place(self._since, offset, last, ids[max(0, len(ids) - offset) :])

    def _is_known(self, row: Row) -> bool:
        """Whether we read it, and it has not moved in the list since."""
        read = self._seen.get(row["id"])
        return read is not None and self._changed(row) <= read

    def _changed(self, row: Row) -> datetime:
        stamp = self._time_of(row)
        if self._since is not None and _NEVER < stamp < self._since:
            raise ConfigError(
                f"the store ignores modified_after: {self._path} shows a record of {stamp:%Y-%m-%d}"
                f" though asked for later ones; WooCommerce must be 5.4 or newer, and no cache may "
                "stand before /wp-json/"
            )
        return stamp

    def _time_of(self, row: Row) -> datetime:
        try:
            return instant(row["date_modified_gmt"])
        except KeyError as error:
            raise TransientError(f"{self._path}: a row without date_modified_gmt") from error
        except ValueError:
            return _NEVER  # whoever reads the rest of the row takes or rejects it

    def _advance(self, since: datetime) -> None:
        """Let the list begin later; offsets count from there.

        Not before all unknown rows can go at once: nobody could tell how many of them had gone.
        """
        if since <= (self._since or _NEVER) or since <= self._unknown_until:
            return
        behind = [id_ for id_, stamp in self._seen.items() if stamp < since]
        for id_ in behind:
            del self._seen[id_]
        passed = len(behind) + self._unknown
        self._unknown = 0
        self._begin_at(since)
        self._walk.head = None
        self._walk.offset = max(0, self._walk.offset - passed)

    def _begin_at(self, since: datetime | None) -> None:
        self._since = since
        if since is not None:
            # exclusive, and of whole seconds
            self._list.params["modified_after"] = _stamp(since - _SECOND)


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
        self._path = path
        self._list = RecordList(client, path, {**params, "orderby": "id", "order": "asc"})
        self._place = place
        self._last = place.last
        self._failed = 0
        """Records of this pass that the store counts but cannot show."""

    def pages(self) -> Iterator[tuple[list[Row], SweepPlace]]:
        """Rows not yet read, and the place behind them; see ``Changes.pages``."""
        while True:
            walk = Walk(self._list, self._is_known, self._place.offset)
            while (rows := walk.page()) is not None:
                yield self._fresh(rows, walk.offset), self._place
            if self._is_whole(walk.total):
                return
            self._place = SweepPlace(before=self._place.count)
            self._last = self._failed = 0

    def _is_whole(self, total: int | None) -> bool:
        """Whether all came that the store counts; what it hides twice it hides for good."""
        count, before = self._place.count, self._place.before
        if total is None or count + self._failed >= total or count == before:
            return True
        if before is not None:
            raise TransientError(f"{self._path}: {total} records are counted, {count} listed")
        return False

    def _fresh(self, rows: list[Row], offset: int) -> list[Row]:
        if rows and FAILURE in rows[0]:
            self._failed += 1
            self._last = rows[0].get("id", self._last)
            return rows
        ids = [row["id"] for row in rows]
        if ids != sorted(ids):
            raise TransientError(f"{self._path}: the store ignores orderby=id")
        fresh = [row for row in rows if not self._is_known(row)]
        self._last = max([self._last, *ids])
        self._place = replace(
            self._place, offset=offset, last=self._last, count=self._place.count + len(fresh)
        )
        return fresh

    def _is_known(self, row: Row) -> bool:
        known: bool = row["id"] <= self._last
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
