"""The routes of ``wc/v3``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from segmentd.sdk.testing.sandbox import Request, Response
from segmentd_woocommerce.sandbox import arguments, catalog, documents, lists, writes
from segmentd_woocommerce.sandbox.access import Key, forbid
from segmentd_woocommerce.sandbox.answers import Refusal, answer, chosen
from segmentd_woocommerce.sandbox.arguments import Sent, read_arguments
from segmentd_woocommerce.sandbox.store import CustomerRow, Dated, Store

Document = documents.Document
_LIST = "Sorry, you cannot list resources."
_VIEW = "Sorry, you cannot view this resource."
_EDIT = "Sorry, you are not allowed to edit this resource."
_BATCH = "Sorry, you are not allowed to batch manipulate this resource."


@dataclass(frozen=True)
class Call:
    """A request to a route, with what is known about it."""

    request: Request
    key: Key | None
    base: str
    """Address of ``wc/v3`` as the store believes it to be."""
    now: datetime
    sent: Mapping[str, Sent]

    @property
    def fields(self) -> str | None:
        """The ``_fields`` parameter."""
        fields = self.sent.get("_fields")
        return fields if isinstance(fields, str) else None

    def check_view(self, message: str) -> None:
        """Refusal unless the key's owner may see what is in the shop."""
        if self.key is None or not self.key.may_manage:
            raise forbid(self.key, "view", message)


Handler = Callable[[Store, Call, "re.Match[str]"], Response]


def dispatch(store: Store, call: Call, path: str) -> Response:
    """Answer ``path``, the part behind ``wc/v3/``; HEAD is answered as GET."""
    method = "GET" if call.request.method == "HEAD" else call.request.method
    method = "PUT" if method == "PATCH" else method
    for pattern, methods, handler in _ROUTES:
        found = re.fullmatch(pattern, path.strip("/"))
        if found and method in methods:
            return handler(store, call, found)
    raise Refusal(404, "rest_no_route", "No route was found matching the URL and request method.")


def _listed(
    store: Store,
    call: Call,
    rows: list[Any],
    values: Mapping[str, Any],
    render: Callable[[Any], Document],
    extra: Mapping[str, str] | None = None,
) -> Response:
    page = lists.part(rows, values)
    path = call.request.path
    url = call.base.partition("/wp-json/")[0] + path
    # orders and refunds count nothing beyond the last page, customers do
    total = 0 if extra is not None and not page else len(rows)
    link_extra = dict(extra or {})
    if extra is not None and not page:
        link_extra = {name: value for name, value in link_extra.items() if "status" in name}
    found = lists.headers(total, values, call.sent, url, link_extra)
    kind = path.rpartition("/")[2]
    rendered = [render(row) for row in page]
    store.host.show(kind, [document["id"] for document in rendered], call.fields)
    payload = [_shown(store, kind, chosen(one, call.fields, linked=False)) for one in rendered]
    return answer(payload, headers=found)


def _shown(store: Store, kind: str, document: Document) -> Document:
    """The document, or what a plugin made of it."""
    if (kind, document.get("id")) in store.poisoned:
        return {"id": document["id"], "date_modified_gmt": document["date_modified_gmt"]}
    return document


def _customers(store: Store, call: Call, _: re.Match[str]) -> Response:
    values = read_arguments(call.sent, arguments.CUSTOMERS)
    call.check_view(_LIST)
    rows = lists.customers(store.customers, values)
    return _listed(store, call, rows, values, lambda row: documents.customer(row, store, call.base))


def _bounded(store: Store, values: dict[str, Any]) -> dict[str, Any]:
    """The arguments as a plugin leaves them."""
    is_misread = store.misreads_dates and values["modified_after"] is not None
    return {**values, "dates_are_gmt": False} if is_misread else values


def _orders(store: Store, call: Call, _: re.Match[str]) -> Response:
    values = _bounded(store, read_arguments(call.sent, arguments.ORDERS))
    call.check_view(_LIST)
    rows = lists.orders(store.orders, values, store.zone)
    extra = {f"status[{index}]": status for index, status in enumerate(values["status"])}
    extra |= {"dp": "2", "context": "view"}
    return _listed(
        store, call, rows, values, lambda row: documents.order(row, store, call.base), extra
    )


def _refunds(store: Store, call: Call, _: re.Match[str]) -> Response:
    """Store-wide; ``parent`` has no effect."""
    values = read_arguments(call.sent, arguments.REFUNDS)
    call.check_view(_LIST)
    rows = lists.dated(store.refunds, values, store.zone)

    def render(row: Any) -> Document:
        return documents.refund(row, store.orders.rows[row.order_id], store, call.base)

    return _listed(store, call, rows, values, render, {"dp": "2"})


def _order_refunds(store: Store, call: Call, found: re.Match[str]) -> Response:
    values = read_arguments(call.sent, arguments.REFUNDS)
    call.check_view(_LIST)
    rows = lists.dated(store.refunds, values, store.zone)
    rows = [row for row in rows if row.order_id == int(found["id"])]
    return _listed(
        store, call, rows, values, lambda row: _own_refund(store, call, row), {"dp": "2"}
    )


def _own_refund(store: Store, call: Call, row: Any) -> Document:
    document = documents.refund(row, store.orders.rows[row.order_id], store, call.base)
    del document["parent_id"]
    return document


def _order_refund(store: Store, call: Call, found: re.Match[str]) -> Response:
    call.check_view(_VIEW)
    row = store.refunds.rows.get(int(found["refund"]))
    if row is None or row.order_id != int(found["id"]):
        raise _invalid_id("shop_order_refund")
    return _one(store, call, _own_refund(store, call, row))


def _products(store: Store, call: Call, _: re.Match[str]) -> Response:
    values = _bounded(store, read_arguments(call.sent, arguments.PRODUCTS))
    call.check_view(_LIST)
    rows = lists.dated(store.products, values, store.zone)
    return _listed(store, call, rows, values, lambda row: catalog.product(row, store, call.base))


def _categories(store: Store, call: Call, _: re.Match[str]) -> Response:
    values = read_arguments(call.sent, arguments.TERMS)
    call.check_view(_LIST)
    names = sorted({name for row in store.products.rows.values() for name in row.categories})
    return _listed(
        store, call, names, values, lambda name: catalog.category(name, store, call.base)
    )


def _one(store: Store, call: Call, document: Document) -> Response:
    kind = call.request.path.partition("/wc/v3/")[2].partition("/")[0]
    store.host.show(kind, [document["id"]], call.fields)
    allow = {"allow": "GET, POST, PUT, PATCH, DELETE"}
    return answer(chosen(document, call.fields, linked=True), headers=allow)


def _find(rows: Mapping[int, Dated], id_: str, kind: str) -> Any:
    row = rows.get(int(id_))
    if row is None:
        raise _invalid_id(kind)
    return row


def _invalid_id(kind: str) -> Refusal:
    return Refusal(404, f"woocommerce_rest_{kind}_invalid_id", "Invalid ID.")


def _order(store: Store, call: Call, found: re.Match[str]) -> Response:
    """One order; those in the trash too; a refund's id is none of an order."""
    call.check_view(_VIEW)
    row = _find(store.orders.rows, found["id"], "shop_order")
    return _one(store, call, documents.order(row, store, call.base))


def _product(store: Store, call: Call, found: re.Match[str]) -> Response:
    call.check_view(_VIEW)
    row = _find(store.products.rows, found["id"], "product")
    return _one(store, call, catalog.product(row, store, call.base))


def _customer(store: Store, call: Call, found: re.Match[str]) -> Response:
    call.check_view(_VIEW)
    return _one(store, call, documents.customer(_user(store, found["id"]), store, call.base))


def _user(store: Store, id_: object) -> CustomerRow:
    row = store.customers.rows.get(int(str(id_))) if str(id_).isdigit() else None
    if row is None:
        raise writes.missing_user()
    return row


def _put_customer(store: Store, call: Call, found: re.Match[str]) -> Response:
    body = writes.body_of(call.request.body)
    writes.check_schema(body)
    row = _user(store, found["id"])
    # an administrator edits everybody, a shop manager only customers
    owner = call.key.owner if call.key else None
    if owner != "administrator" and not (owner == "shop_manager" and row.role == "customer"):
        raise forbid(call.key, "edit", _EDIT)
    writes.update(store, row, body, call.now)
    return _one(store, call, documents.customer(row, store, call.base))


def _delete_customer(_: Store, call: Call, __: re.Match[str]) -> Response:
    if call.key is None or call.key.owner != "administrator":
        raise forbid(call.key, "delete", "Sorry, you are not allowed to delete this resource.")
    code = "woocommerce_rest_trash_not_supported"
    raise Refusal(501, code, "Customers do not support trashing.")


def _batch(store: Store, call: Call, _: re.Match[str]) -> Response:
    """Only updates; answers come in the order of the request, 200 whatever fails."""
    body = writes.body_of(call.request.body)
    if call.key is None or call.key.owner != "administrator":
        raise forbid(call.key, "batch", _BATCH)
    items = body.get("update") or []
    if len(items) > writes.BATCH_LIMIT:
        code = "woocommerce_rest_request_entity_too_large"
        text = f"Unable to accept more than {writes.BATCH_LIMIT} items for this request."
        raise Refusal(413, code, text)
    answers = [_batch_item(store, call, item) for item in items]
    allow = {"allow": "POST, PUT, PATCH"}
    if not answers or call.fields is not None:
        # _fields applies to the outer object, and PHP shows an empty one as a list
        return answer([], headers=allow)
    return answer({"update": answers}, headers=allow)


def _batch_item(store: Store, call: Call, item: Mapping[str, Any]) -> Document:
    try:
        row = _user(store, item.get("id"))
        writes.update(store, row, item, call.now)
    except Refusal as refusal:
        return {"id": item.get("id"), "error": refusal.body}
    return documents.customer(row, store, call.base)


def _system_status(store: Store, call: Call, _: re.Match[str]) -> Response:
    call.check_view(_LIST)
    home = call.base.partition("/wp-json")[0]
    document = {
        "environment": {
            "home_url": home,
            "site_url": home,
            "version": "10.5.2",
            "wp_version": "6.9.1",
            "wp_multisite": False,
            "php_version": "8.2.36",
            "server_info": "nginx/1.22.1",
            # PHP's own, not the store's
            "default_timezone": "UTC",
            "language": "en_US",
        },
        "settings": {
            "api_enabled": False,
            "force_ssl": False,
            "currency": store.currency,
            "currency_symbol": "&#36;",
            "currency_position": "left",
            "thousand_separator": ",",
            "decimal_separator": ".",
            "number_of_decimals": 2,
            "geolocation_enabled": False,
            "HPOS_enabled": True,
            "HPOS_sync_enabled": False,
        },
        "active_plugins": [],
    }
    return answer(chosen(document, call.fields, linked=True), headers={"allow": "GET"})


_ROUTES: list[tuple[str, set[str], Handler]] = [
    (r"customers", {"GET"}, _customers),
    (r"customers/batch", {"POST", "PUT"}, _batch),
    (r"customers/(?P<id>\d+)", {"GET"}, _customer),
    (r"customers/(?P<id>\d+)", {"POST", "PUT"}, _put_customer),
    (r"customers/(?P<id>\d+)", {"DELETE"}, _delete_customer),
    (r"orders", {"GET"}, _orders),
    (r"orders/(?P<id>\d+)", {"GET"}, _order),
    (r"orders/(?P<id>\d+)/refunds", {"GET"}, _order_refunds),
    (r"orders/(?P<id>\d+)/refunds/(?P<refund>\d+)", {"GET"}, _order_refund),
    (r"refunds", {"GET"}, _refunds),
    (r"products", {"GET"}, _products),
    (r"products/categories", {"GET"}, _categories),
    (r"products/(?P<id>\d+)", {"GET"}, _product),
    (r"system_status", {"GET"}, _system_status),
]
