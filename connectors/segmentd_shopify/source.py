"""Reads products, customers and orders of a Shopify shop by their change time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import ClassVar

from segmentd.sdk import (
    ACCOUNT_FIELDS,
    ADDRESS_FIELDS,
    CONSENT_FIELDS,
    COORDINATE_FIELDS,
    METAFIELDS,
    ORDER_FIELDS,
    PROFILE_FIELDS,
    Batch,
    ConnectorSettings,
    Runtime,
    ShopInfo,
    Source,
    Stream,
    Window,
)
from segmentd_shopify.backfill import Backfill
from segmentd_shopify.bulk import BulkFailed, Position
from segmentd_shopify.client import Identity, ShopifyClient
from segmentd_shopify.errors import SearchError
from segmentd_shopify.mapping import gid, withheld
from segmentd_shopify.operations import COUNTS, EXIST
from segmentd_shopify.pages import Pages, readings
from segmentd_shopify.settings import ShopifySettings

_NEEDED = ("read_products", "read_customers", "read_orders")
_MOST_IDS = 250
"""Items that an input array may have."""
_STREAMS = ("products", "customers", "orders")


class ShopifySource(Source):
    """A Shopify shop as a source."""

    Settings = ShopifySettings
    streams: ClassVar[Sequence[Stream]] = tuple(Stream(name) for name in _STREAMS)
    # Shopify's search sees a change seconds to minutes late: Stream's lag of 10 minutes covers it
    fields = (
        ORDER_FIELDS | ADDRESS_FIELDS | COORDINATE_FIELDS | CONSENT_FIELDS | ACCOUNT_FIELDS
        | PROFILE_FIELDS | METAFIELDS
    )  # fmt: skip

    def __init__(self, settings: ConnectorSettings, runtime: Runtime) -> None:
        assert isinstance(settings, ShopifySettings)  # noqa: S101 - made by the core from Settings
        self._client = ShopifyClient(settings, runtime)
        self._identity: Identity | None = None
        self._readings = readings(settings)
        self._pages = Pages(self._client)
        self._backfill = Backfill(self._client, runtime, settings.metafields)
        self._bulk_from = settings.bulk_from
        self._counted: tuple[str, Window, int | None] | None = None

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def info(self) -> ShopInfo:
        """Who the shop is; warns if only the orders of the last 60 days can be read."""
        identity = self._identify()
        warnings = list(identity.warnings)
        if "read_all_orders" not in identity.scopes:
            warnings.append(
                "the app lacks the scope read_all_orders: orders older than 60 days are invisible, "
                "and rules over older purchases will be wrong"
            )
        return ShopInfo(
            identity.name, identity.currency, identity.time_zone, identity.now, warnings
        )

    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        """Few records page by page, many by a bulk operation.

        Pages come by change time, oldest first, and the position is Shopify's cursor. What was
        begun in one way goes on in it; only a bulk operation that fails leaves its window to pages,
        from the beginning. What Shopify did not let us see of customers is said with each batch: a
        bulk operation fails for it, so that pages tell.
        """
        for batch in self._batches(stream, window, position):
            batch.withheld = withheld(self._client.denied)
            yield batch

    def _batches(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        reading, search = self._readings[stream], _search(window)
        of_bulk = Position.parse(position)
        if position is None and self._is_large(stream, window):
            of_bulk = Position()
        if of_bulk is not None:
            try:
                yield from self._backfill.read(stream, reading, search, of_bulk)
            except BulkFailed:
                position = None
            else:
                return
        yield from self._pages.read(reading, search, position)

    def _is_large(self, stream: str, window: Window) -> bool:
        if self._counted is None or self._counted[:2] != (stream, window):
            self.count(stream, window)
        assert self._counted is not None  # noqa: S101 - by count
        return (self._counted[2] or 0) >= self._bulk_from

    def count(self, stream: str, window: Window) -> int | None:
        """How many records changed in the window."""
        self._counted = (stream, window, self._count(stream, window))
        return self._counted[2]

    def _count(self, stream: str, window: Window) -> int | None:
        try:
            data = self._client.execute(COUNTS[stream], {"query": _search(window)})
        except SearchError:
            return None
        return int(data["counted"]["count"]) if data["counted"] else None

    def gone(self, stream: str, ids: Sequence[str]) -> set[str]:
        """Ids that Shopify answers null for."""
        # out of the 60 days an order answers null as if it were deleted
        if stream == "orders" and "read_all_orders" not in self._identify().scopes:
            return set()
        kind = self._readings[stream].kind
        missing: set[str] = set()
        for start in range(0, len(ids), _MOST_IDS):
            asked = ids[start : start + _MOST_IDS]
            variables = {"ids": [gid(kind, each) for each in asked]}
            nodes = self._client.execute(EXIST, variables)["nodes"]
            missing |= {each for each, node in zip(asked, nodes, strict=True) if node is None}
        return missing

    def _identify(self) -> Identity:
        self._identity = self._client.identify(_NEEDED)
        return self._identity


def _search(window: Window) -> str:
    """The window in Shopify's search syntax; bounds are inclusive.

    The quotes matter: of an unquoted timestamp Shopify takes the hour, in the shop's time zone, and
    searches for the rest as a word.
    """
    until = f"updated_at:<='{_utc(window.until)}'"
    if window.since is None:
        return until
    return f"updated_at:>='{_utc(window.since)}' AND {until}"


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
