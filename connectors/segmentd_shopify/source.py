"""Reads products, customers and orders of a Shopify shop by their change time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, cast

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
    Page,
    Record,
    Rejection,
    Runtime,
    ShopInfo,
    Source,
    Stream,
    TransientError,
    Window,
    paginate,
)
from segmentd_shopify.client import Identity, ShopifyClient
from segmentd_shopify.errors import CursorError, SearchError
from segmentd_shopify.mapping import Node, gid, to_customer, to_order, to_product
from segmentd_shopify.operations import COUNTS, EXIST, ORDER_LINES, ORDERS, PRODUCTS, customers
from segmentd_shopify.settings import ShopifySettings

_NEEDED = ("read_products", "read_customers", "read_orders")
_MOST_IDS = 250
"""Items that an input array may have."""


@dataclass(frozen=True)
class _Reading:
    """How one stream is read. ``optional``: protected customer data, which may be denied."""

    kind: str
    operation: str
    convert: Callable[[Node], Record]
    optional: frozenset[str] = frozenset()


_STREAMS = ("products", "customers", "orders")
_PERSONAL = frozenset(
    {"firstName", "lastName", "defaultEmailAddress", "defaultPhoneNumber", "defaultAddress"}
)


def _readings(metafields: Sequence[str]) -> dict[str, _Reading]:
    to_whole_customer = partial(to_customer, metafields=metafields)
    return {
        "products": _Reading("Product", PRODUCTS, to_product),
        "customers": _Reading("Customer", customers(metafields), to_whole_customer, _PERSONAL),
        "orders": _Reading("Order", ORDERS, to_order, frozenset({"email", "shippingAddress"})),
    }


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
        self._readings = _readings(settings.metafields)
        self._sizes: dict[str, dict[str, int]] = {
            "products": {"first": settings.products_page},
            "customers": {"first": settings.customers_page},
            "orders": {"first": settings.orders_page, "lines": settings.lines_page},
        }

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
        """Pages by change time, oldest first; the position is Shopify's cursor."""
        convert = self._readings[stream].convert
        for page in self._pages(stream, _search(window), position):
            records: list[Record] = []
            rejected: list[Rejection] = []
            for node in page.items:
                try:
                    records.append(convert(node))
                except (AttributeError, KeyError, TypeError, ValueError) as error:
                    rejected.append(_rejection(node, error))
            yield Batch(records, page.end, rejected)

    def count(self, stream: str, window: Window) -> int | None:
        """How many records changed in the window."""
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

    def _pages(self, stream: str, search: str, position: str | None) -> Iterator[_Nodes]:
        """All pages behind ``position``; from the beginning if Shopify refuses a cursor."""

        def fetch(cursor: str | None) -> _Nodes:
            return self._page(stream, search, cursor)

        try:
            yield from _walk(fetch, position)
        except CursorError:
            try:
                yield from _walk(fetch, None)
            except CursorError as error:
                raise TransientError(str(error)) from error

    def _page(self, stream: str, search: str, cursor: str | None) -> _Nodes:
        reading = self._readings[stream]
        variables = {**self._sizes[stream], "query": search, "after": cursor}
        page = self._client.execute(reading.operation, variables, optional=reading.optional)["page"]
        if page is None:
            raise TransientError(f"Shopify answered without a list of {stream}")
        if stream == "orders":
            for order in page["nodes"]:
                self._complete_lines(order)
        return _nodes(page)

    def _complete_lines(self, order: dict[str, Any]) -> None:
        """Fetch the lines that did not fit into the page of orders."""
        first = _nodes(order["lineItems"])
        if first.next is None:
            return

        def fetch(cursor: str | None) -> _Nodes:
            data = self._client.execute(ORDER_LINES, {"id": order["id"], "after": cursor})
            # null: the order was deleted since its page was read
            return _nodes(data["order"]["lineItems"]) if data["order"] else _Nodes([], None, None)

        for page in _walk(fetch, first.next):
            order["lineItems"]["nodes"] += page.items


def _rejection(node: Node, error: Exception) -> Rejection:
    record_id = str(node.get("id")).rpartition("/")[2]
    return Rejection(record_id, f"not understood: {type(error).__name__}: {error}")


@dataclass(frozen=True)
class _Nodes(Page[dict[str, Any]]):
    """A page of nodes; ``end`` is the cursor of its last one."""

    end: str | None


def _nodes(connection: Node) -> _Nodes:
    info = connection["pageInfo"]
    end = info["endCursor"]
    return _Nodes(connection["nodes"], end if info["hasNextPage"] else None, end)


def _walk(fetch: Callable[[str | None], _Nodes], start: str | None) -> Iterator[_Nodes]:
    yield from cast("Iterator[_Nodes]", paginate(fetch, start))


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
