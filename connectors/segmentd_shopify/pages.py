"""Reading records page by page, and by their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

from segmentd.sdk import Batch, Page, Record, Rejection, TransientError, paginate
from segmentd_shopify.client import ShopifyClient
from segmentd_shopify.errors import CursorError
from segmentd_shopify.mapping import PROTECTED, Node, gid, to_customer, to_order, to_product
from segmentd_shopify.operations import (
    ORDER_LINES,
    ORDERS,
    ORDERS_BY_ID,
    PRODUCTS,
    PRODUCTS_BY_ID,
    customers,
)
from segmentd_shopify.settings import ShopifySettings


@dataclass(frozen=True)
class Reading:
    """How one stream is read.

    ``sizes``: variables that say how much comes at once. ``optional``: protected customer data,
    which may be denied. ``by_id``: the operation for those whose lines a bulk result tears apart.
    """

    kind: str
    operation: str
    convert: Callable[[Node], Record]
    sizes: dict[str, int]
    optional: frozenset[str] = frozenset()
    by_id: str = ""

    def record(self, node: Node) -> Record | Rejection:
        """A node as a record, or why it cannot be understood."""
        try:
            return self.convert(node)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            record_id = str(node.get("id")).rpartition("/")[2]
            return Rejection(record_id, f"not understood: {type(error).__name__}: {error}")


def batch(found: Iterable[Record | Rejection], position: str | None) -> Batch:
    """Records, and apart from them what was no record."""
    records: list[Record] = []
    rejected: list[Rejection] = []
    for each in found:
        if isinstance(each, Rejection):
            rejected.append(each)
        else:
            records.append(each)
    return Batch(records, position, rejected)


def readings(settings: ShopifySettings) -> dict[str, Reading]:
    """Stream → how it is read."""
    fields = settings.metafields
    return {
        "products": Reading(
            "Product",
            PRODUCTS,
            to_product,
            {"first": settings.products_page},
            by_id=PRODUCTS_BY_ID,
        ),
        "customers": Reading(
            "Customer",
            customers(fields),
            partial(to_customer, metafields=fields),
            {"first": settings.customers_page},
            frozenset(PROTECTED),
        ),
        "orders": Reading(
            "Order",
            ORDERS,
            to_order,
            {"first": settings.orders_page, "lines": settings.lines_page},
            frozenset(PROTECTED),
            by_id=ORDERS_BY_ID,
        ),
    }


class Pages:
    """Asks for pages of nodes, each order with all of its lines."""

    def __init__(self, client: ShopifyClient) -> None:
        self._client = client

    def read(self, reading: Reading, search: str, position: str | None) -> Iterator[Batch]:
        """All pages behind ``position``; from the beginning if Shopify refuses a cursor."""

        def fetch(cursor: str | None) -> _Nodes:
            return self._page(reading, search, cursor)

        try:
            yield from self._batches(reading, fetch, position)
        except CursorError:
            try:
                yield from self._batches(reading, fetch, None)
            except CursorError as error:
                raise TransientError(str(error)) from error

    def by_id(self, reading: Reading, ids: Sequence[str]) -> list[dict[str, Any]]:
        """The nodes of some ids, without those that are gone."""
        sizes = {name: size for name, size in reading.sizes.items() if name != "first"}
        variables = {**sizes, "ids": [gid(reading.kind, each) for each in ids]}
        data = self._client.execute(reading.by_id, variables, optional=reading.optional)
        return [self._whole(node) for node in data["nodes"] if node is not None]

    def _batches(
        self, reading: Reading, fetch: Callable[[str | None], _Nodes], start: str | None
    ) -> Iterator[Batch]:
        for page in _walk(fetch, start):
            yield batch(map(reading.record, page.items), page.end)

    def _page(self, reading: Reading, search: str, cursor: str | None) -> _Nodes:
        variables = {**reading.sizes, "query": search, "after": cursor}
        page = self._client.execute(reading.operation, variables, optional=reading.optional)["page"]
        if page is None:
            raise TransientError(f"Shopify answered without a list of {reading.kind.lower()}s")
        for node in page["nodes"]:
            self._whole(node)
        return _nodes(page)

    def _whole(self, node: dict[str, Any]) -> dict[str, Any]:
        """Fetch the lines of an order that did not come with it."""
        first = _nodes(node["lineItems"]) if "lineItems" in node else _NONE
        if first.next is None:
            return node

        def fetch(cursor: str | None) -> _Nodes:
            data = self._client.execute(ORDER_LINES, {"id": node["id"], "after": cursor})
            # null: the order was deleted since its page was read
            return _nodes(data["order"]["lineItems"]) if data["order"] else _NONE

        for page in _walk(fetch, first.next):
            node["lineItems"]["nodes"] += page.items
        return node


@dataclass(frozen=True)
class _Nodes(Page[dict[str, Any]]):
    """A page of nodes; ``end`` is the cursor of its last one."""

    end: str | None


_NONE = _Nodes([], None, None)


def _nodes(connection: Node) -> _Nodes:
    info = connection["pageInfo"]
    end = info["endCursor"]
    return _Nodes(connection["nodes"], end if info["hasNextPage"] else None, end)


def _walk(fetch: Callable[[str | None], _Nodes], start: str | None) -> Iterator[_Nodes]:
    yield from cast("Iterator[_Nodes]", paginate(fetch, start))
