"""Reading many records by a bulk operation, and what becomes of those that it tears apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain

from segmentd.sdk import Batch, Record, Rejection, Runtime
from segmentd_shopify.bulk import Bulk, BulkFailed, Job, Position, ShortFileError
from segmentd_shopify.client import ShopifyClient
from segmentd_shopify.join import FAMILIES, Join
from segmentd_shopify.operations import bulk_query
from segmentd_shopify.pages import Pages, Reading, batch

AT_ONCE = 1_000
"""Records of a batch: with pages of 250 a fifth of the time goes into transactions."""
_MOST_JOBS = 2
"""For one window; then it is read page by page."""
_HELD_IF_GROUPED = 10
_HELD = 2_000
"""Roots that are held until their children have come, some 20 MB; see ``join``."""
_STRAYS = 100
"""Roots that are read by id at once: a page of orders asks for as many."""


class Backfill:
    """The other way to read a window: a job of Shopify's instead of pages."""

    def __init__(
        self,
        client: ShopifyClient,
        runtime: Runtime,
        metafields: Sequence[str],
        *,
        held: int | None = None,
        strays: int = _STRAYS,
    ) -> None:
        """``held`` and ``strays``: how much is kept in memory, where it is not to be the usual."""
        self._bulk = Bulk(client, runtime)
        self._pages = Pages(client)
        self._metafields = metafields
        self._held = held
        self._strays = strays

    def read(
        self, stream: str, reading: Reading, search: str, position: Position
    ) -> Iterator[Batch]:
        """Everything that ``search`` finds, behind ``position``; BulkFailed if no job brings it.

        A job that fails is tried a second time. The first one asks for children directly below
        their root, which is easily joined, but takes Shopify longer and may be too much for it; so
        the second one does not.
        """
        query = bulk_query(stream, search, self._metafields)
        while True:
            # the window is stored before the job is begun: after a crash its query finds it again
            yield Batch([], None if position == Position() else str(position))
            try:
                yield from self._read(stream, reading, query, position)
            except BulkFailed as failure:
                if failure.final or position.attempt >= _MOST_JOBS:
                    raise
                position = Position(position.attempt + 1)
            else:
                return

    def _read(
        self, stream: str, reading: Reading, query: str, position: Position
    ) -> Iterator[Batch]:
        grouped = FAMILIES[stream].connection is not None and position.attempt == 1
        position, job = yield from self._bulk.finished(query, position, grouped=grouped)
        yield from self._records(stream, reading, job, position)

    def _records(
        self, stream: str, reading: Reading, job: Job, position: Position
    ) -> Iterator[Batch]:
        join = Join(FAMILIES[stream], position.place)
        held = self._to_hold(stream, position)
        found: list[Record | Rejection] = []
        try:
            for line in chain.from_iterable(self._bulk.lines(job, position.place)):
                join.add(line)
                if join.held > held:
                    # at once: nodes that live long are what a garbage collector is slow with
                    found += map(reading.record, join.release(1))
                if join.strays >= self._strays:
                    found += self._apart(reading, join)
                if len(found) >= AT_ONCE:
                    yield batch([*found, *join.rejected()], _at(position, join))
                    found.clear()
        except ShortFileError as error:
            if position.short:
                raise BulkFailed(error.message) from error
            # the next reading knows by it that it is the second one to find the file so
            yield batch(found, _at(replace(position, short=True), join))
            raise
        while join.held:
            found += map(reading.record, join.release(AT_ONCE - len(found)))
            yield batch(found, _at(position, join))
            found.clear()
        found += self._apart(reading, join)
        yield batch([*found, *join.rejected()], _at(position, join))

    def _to_hold(self, stream: str, position: Position) -> int:
        """Roots that wait for children of theirs."""
        if FAMILIES[stream].connection is None:
            return 0
        if self._held is not None:
            return self._held
        return _HELD_IF_GROUPED if position.attempt == 1 else _HELD

    def _apart(self, reading: Reading, join: Join) -> list[Record | Rejection]:
        ids = join.read_apart()
        return [reading.record(node) for node in self._pages.by_id(reading, ids)] if ids else []


def _at(position: Position, join: Join) -> str:
    return str(replace(position, place=join.place))
