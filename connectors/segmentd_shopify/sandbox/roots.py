"""The root fields that the sandbox serves: lists, counts, single records, and tag mutations."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from segmentd.sdk import Order
from segmentd_shopify.sandbox import index
from segmentd_shopify.sandbox.bulk import Job, JobError
from segmentd_shopify.sandbox.bulk_rules import refusals
from segmentd_shopify.sandbox.fields import FieldError, Rows, rows_asked
from segmentd_shopify.sandbox.search import EmptyValue, Fields, Query, Unserved, Values, parse_query
from segmentd_shopify.sandbox.shop import Record, Shop

_OTHER_CUSTOMER_FIELDS = """accepts_marketing country email first_name last_abandoned_order_date
last_name order_date orders_count phone state tag tag_not total_spent"""
_OTHER_ORDER_FIELDS = """cart_token channel checkout_token confirmation_number customer_id
delivery_method discount_code email financial_status fulfillment_status gateway location_id
metafields name po_number return_status risk_level sales_channel sku source_identifier source_name
status tag tag_not test"""
_OTHER_PRODUCT_FIELDS = """barcode category_id collection_id gift_card handle inventory_total
metafields price product_type published_at published_status sku status tag tag_not title
variant_title vendor"""
_CUSTOMERS = Fields(
    instants=frozenset({"updated_at", "customer_date"}),
    unserved=frozenset(_OTHER_CUSTOMER_FIELDS.split()),
)
_ORDERS = Fields(
    instants=frozenset({"updated_at", "created_at", "processed_at"}),
    unserved=frozenset(_OTHER_ORDER_FIELDS.split()),
)
_PRODUCTS = Fields(
    instants=frozenset({"updated_at", "created_at"}),
    unserved=frozenset(_OTHER_PRODUCT_FIELDS.split()),
)
_SEARCHED = {
    "customers": _CUSTOMERS,
    # the API's own list for this root; a search by e-mail counts every customer
    "customersCount": Fields(instants=frozenset({"updated_at", "created_at"})),
    "orders": _ORDERS,
    "ordersCount": _ORDERS,
    "products": _PRODUCTS,
    "productsCount": _PRODUCTS,
}
_CREATED = frozenset({"created_at", "customer_date", "processed_at"})


@dataclass
class Root:
    """What a root field works with; ``search`` collects the warnings of searches."""

    shop: Shop
    scopes: frozenset[str]
    key: str
    search: list[dict[str, Any]]
    version: str

    def query(self, field: str, text: str | None) -> Query:
        """Understand a search, noting what the real API warns of."""
        try:
            query = parse_query(text, _SEARCHED[field], self.shop.zone)
        except EmptyValue as error:
            raise FieldError("Internal error.", "INTERNAL_SERVER_ERROR") from error
        if query.warnings:
            self.search.append(
                {
                    "path": [self.key],
                    "query": text,
                    "parsed": query.parsed,
                    "warnings": query.warnings,
                }
            )
        return query

    def hidden(self, record: Record) -> bool:
        """Whether it is an order outside of the app's access window."""
        return isinstance(record, Order) and not self.shop.shows(record, self.scopes)

    def found(
        self, stream: str, sort: str, query: Query, after: index.Key | None = None
    ) -> Iterator[index.Key]:
        """Keys of what a search finds behind ``after``, sorted by the field ``sort``."""
        place = self.shop.indexes[stream]
        keys = place.keys(self.shop.clock.now().timestamp())
        records = self.shop.records(stream)
        limits: tuple[int | None, int | None] = (None, None)
        if sort == "UPDATED_AT":
            limits = query.bounds("updated_at")
        else:
            keys = sorted((_value(sort, records[number]), number) for _, number in keys)
        for key in index.between(keys, *limits, after):
            record = records[key[1]]
            if query.matches(_values(record, place.visible[key[1]])) and not self.hidden(record):
                yield key


def _values(record: Record, updated_at: int) -> Values:
    def value(name: str) -> int:
        return updated_at if name == "updated_at" else _value(name, record)

    return value


def _value(name: str, record: Any) -> int:
    """The number by which a record is searched or sorted."""
    if name.lower() in _CREATED:
        moment = getattr(record, "placed_at", None) or getattr(record, "created_at", None)
        return int((moment or record.updated_at).timestamp())
    if name.lower() == "id":
        return int(record.id)
    raise Unserved(f"sort key {name}")


def _list(stream: str, default_sort: str) -> Callable[[Root, Mapping[str, Any]], Rows]:
    def resolve(root: Root, given: Mapping[str, Any]) -> Rows:
        first = rows_asked(given)
        sort = given.get("sortKey") or default_sort
        after = None if given.get("after") is None else _after(given["after"], sort)
        found = root.found(stream, sort, root.query(stream, given.get("query")), after)
        keys = list(itertools.islice(found, first + 1))
        shown = {number: value for value, number in keys[:first]}
        records = root.shop.records(stream)
        return Rows(
            [records[number] for number in shown],
            lambda record: _cursor(shown[int(record.id)], int(record.id), sort),
            len(keys) > first,
            after is not None,
        )

    return resolve


def _cursor(value: int, number: int, sort: str) -> str:
    return index.encode(number, str(number) if sort == "ID" else value * 1000)


def _after(cursor: str, sort: str) -> index.Key:
    wrong = FieldError("Invalid cursor for current pagination sort.", "INVALID_CURSOR")
    try:
        content = index.decode(cursor)
    except index.BadCursor as error:
        raise wrong from error
    value = content.get("last_value")
    if sort == "ID" and isinstance(value, str) and value.isdigit():
        return int(value), content["last_id"]
    if sort != "ID" and isinstance(value, int):
        return value // 1000, content["last_id"]
    raise wrong


def _count(stream: str) -> Callable[[Root, Mapping[str, Any]], tuple[int, str]]:
    def resolve(root: Root, given: Mapping[str, Any]) -> tuple[int, str]:
        query = root.query(f"{stream}Count", given.get("query"))
        count, limit = sum(1 for _ in root.found(stream, "ID", query)), given.get("limit", 10_000)
        if limit is not None and count > limit:
            return limit, "AT_LEAST"
        return count, "EXACT"

    return resolve


def _split(gid: str) -> tuple[str, int]:
    """Type and number of a global id; FieldError for a type that does not exist."""
    kind, _, number = gid.removeprefix("gid://shopify/").partition("/")
    if kind not in {"Customer", "Order", "Product"} or not number.isdigit():
        raise FieldError("invalid id", "RESOURCE_NOT_FOUND")
    return kind, int(number)


def _by_id(root: Root, gid: str) -> Record | None:
    kind, number = _split(gid)
    stream = f"{kind.lower()}s"
    if f"read_{stream}" not in root.scopes:
        message = f"Access denied for {kind} object. Required access: `read_{stream}` access scope."
        raise FieldError(message, "ACCESS_DENIED")
    record: Record | None = root.shop.records(stream).get(number)
    return None if record is None or root.hidden(record) else record


def _single(kind: str) -> Callable[[Root, Mapping[str, Any]], Record | None]:
    def resolve(root: Root, given: Mapping[str, Any]) -> Record | None:
        if _split(given["id"])[0] != kind:
            raise FieldError("Invalid id: " + given["id"], "RESOURCE_NOT_FOUND")
        return _by_id(root, given["id"])

    return resolve


def _nodes(root: Root, given: Mapping[str, Any]) -> list[Record | None]:
    return [_by_id(root, gid) for gid in given["ids"]]


def _change_tags(
    change: Callable[[Shop, int, list[str]], str | None],
) -> Callable[[Root, Mapping[str, Any]], tuple[Record | None, list[tuple[list[str], str]]]]:
    def resolve(
        root: Root, given: Mapping[str, Any]
    ) -> tuple[Record | None, list[tuple[list[str], str]]]:
        kind, number = _split(given["id"])
        if kind != "Customer":
            raise Unserved(f"tags of a {kind}")
        if number not in root.shop.customers:
            return None, [(["id"], "Customer does not exist")]
        refusal = change(root.shop, number, given["tags"])
        customer = root.shop.customers[number]
        return customer, [(["tags"], refusal)] if refusal else []

    return resolve


def _remove(shop: Shop, number: int, tags: list[str]) -> str | None:
    shop.remove_tags(number, tags)
    return None


def _run_in_bulk(root: Root, given: Mapping[str, Any]) -> tuple[Job | None, list[JobError]]:
    errors = refusals(given["query"], root.version)
    if errors:
        return None, [(["query"], message, "INVALID") for message in errors]
    return root.shop.jobs.run(given["query"], root.version, grouped=given["groupObjects"])


def _job(root: Root, given: Mapping[str, Any]) -> Job | None:
    kind, _, number = given["id"].removeprefix("gid://shopify/").partition("/")
    if kind != "BulkOperation" or not number.isdigit():
        raise FieldError("Invalid id: " + given["id"], "RESOURCE_NOT_FOUND")
    return root.shop.jobs.find(int(number))


def _jobs(root: Root, given: Mapping[str, Any]) -> Rows:
    """All of them; newest first with ``reverse``, which only this list is asked with."""
    if given.get("query") or given.get("after") or given.get("sortKey") == "COMPLETED_AT":
        raise Unserved("searching bulk operations")
    jobs = root.shop.jobs.all()
    if given.get("reverse"):
        jobs.reverse()
    first = rows_asked({**given, "reverse": False})
    return Rows(jobs[:first], lambda job: index.encode(job.number, ""), len(jobs) > first, False)


def _cancel(root: Root, given: Mapping[str, Any]) -> tuple[Job | None, list[Any]]:
    job = _job(root, given)
    if job is None:
        return None, [(["id"], "Bulk operation does not exist")]
    refusal = root.shop.jobs.cancel(job)
    return job, [(None, refusal)] if refusal else []


ROOTS: dict[str, Callable[[Root, Mapping[str, Any]], Any]] = {
    "shop": lambda root, _: root.shop,
    "currentAppInstallation": lambda root, _: root.scopes,
    "customers": _list("customers", "ID"),
    "orders": _list("orders", "PROCESSED_AT"),
    "products": _list("products", "ID"),
    "customersCount": _count("customers"),
    "ordersCount": _count("orders"),
    "productsCount": _count("products"),
    "customer": _single("Customer"),
    "order": _single("Order"),
    "product": _single("Product"),
    "node": lambda root, given: _by_id(root, given["id"]),
    "nodes": _nodes,
    "bulkOperation": _job,
    "bulkOperations": _jobs,
    "bulkOperationRunQuery": _run_in_bulk,
    "bulkOperationCancel": _cancel,
    "tagsAdd": _change_tags(Shop.add_tags),
    "tagsRemove": _change_tags(_remove),
}
"""Field of the root types → what it answers, in records of ours."""
