"""A list of a store in portions that the host can make, and its records one by one.

Offsets, never page numbers: with these a list could not be read in portions of changing size.
"""

from __future__ import annotations

from collections.abc import Mapping

from segmentd.sdk import RetryPolicy
from segmentd_woocommerce.client import WooClient
from segmentd_woocommerce.errors import UnreadableError
from segmentd_woocommerce.pages import FAILURE, LARGEST_PAGE, Listing, Row

_A_FEW = RetryPolicy(attempts=3)
_GLANCE = "id,date_modified_gmt"


class RecordList:
    """One list of a store, as the filters in ``params`` make it."""

    def __init__(self, client: WooClient, path: str, params: Mapping[str, str]) -> None:
        self._client = client
        self._path = path
        self.params = dict(params)

    def part(self, offset: int, least: int) -> Listing:
        """Rows from ``offset`` on, at least ``least`` of them (1 or 2) if there are so many.

        UnreadableError if the store fails even at the fewest.
        """

        def ask(rows: int) -> Listing:
            asked = min(LARGEST_PAGE, rows + least - 1)
            return self._client.listing(self._path, self.params, offset, asked)

        return self._client.adaptively(self._path, ask)

    def glance(self, offset: int) -> Listing:
        """One row with hardly any fields; UnreadableError if not even these can be shown."""
        params = {**self.params, "_fields": _GLANCE}

        def attempt() -> Listing:
            return self._client.listing(self._path, params, offset, 1)

        return self._client.unless_dead(self._path, lambda: self._client.persist(attempt, _A_FEW))

    def whole(self, row: Row) -> Row | None:
        """The record that was glanced at, by its id; None if it is no longer in the list.

        The row itself with ``FAILURE`` if the store fails whenever it has to show all of it.
        """
        try:
            rows = self._client.unless_dead(
                self._path, lambda: self._client.named(self._path, [row["id"]], self.params)
            )
        except UnreadableError as error:
            return {**row, FAILURE: error.message}
        return rows[0] if rows else None
