"""Reads a WooCommerce store: products and orders by change time, customers by sweeps.

Known limits of the API: deleting a refund does not move its order's change time, and what is
deleted for good leaves nothing to ask for. A new full read, and ``gone``, notice these.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import ClassVar
from urllib.parse import urlsplit

from segmentd.sdk import (
    ACCOUNT_FIELDS,
    ADDRESS_FIELDS,
    META_FIELDS,
    ORDER_FIELDS,
    AuthError,
    Batch,
    ConfigError,
    ConnectorSettings,
    Gone,
    Record,
    RejectedError,
    Rejection,
    Runtime,
    ShopInfo,
    Source,
    Stream,
    StreamKind,
    TransientError,
    Window,
    instant,
)
from segmentd_woocommerce import mapping
from segmentd_woocommerce.client import WooClient, rows_of
from segmentd_woocommerce.errors import MissingError, UnreadableError
from segmentd_woocommerce.info import ROOT_FIELDS, STATUS_FIELDS, check_namespaces, shop_info
from segmentd_woocommerce.pages import BEHIND, FAILURE, LARGEST_PAGE, Row
from segmentd_woocommerce.paging import Changes, Place, Sweep, SweepPlace, bounds, place_of
from segmentd_woocommerce.settings import WooCommerceSettings

_LISTED, _TRASH = "any", "trash"
"""``any`` has everything but the trash, also ``any,trash``: so there are two lists to read."""
_REFUND_FIELDS = {"_fields": "id,date_created_gmt"}


class WooCommerceSource(Source):
    """A WooCommerce store."""

    Settings = WooCommerceSettings
    streams: ClassVar[Sequence[Stream]] = (
        Stream("products"),
        # no filter by date: it would be ignored without an error (woocommerce #31482)
        Stream("customers", StreamKind.SWEEP),
        Stream("orders"),
    )
    fields: ClassVar[frozenset[str]] = (
        ORDER_FIELDS | ADDRESS_FIELDS | ACCOUNT_FIELDS | META_FIELDS | {"customer_account_status"}
    )

    def __init__(self, settings: ConnectorSettings, runtime: Runtime) -> None:
        if not isinstance(settings, WooCommerceSettings):
            raise ConfigError("these are not the settings of a WooCommerce store")
        self._settings = settings
        self._runtime = runtime
        self._client = WooClient(settings, runtime)
        self._has_refund_list = True
        self._currency: str | None = None

    def info(self) -> ShopInfo:
        """Two requests; the second needs the key."""
        try:
            # without the key: WordPress takes it for an application password and refuses it
            root = self._client.root(ROOT_FIELDS).json()
        except AuthError:
            root = {}  # closed to strangers by a security plugin
        check_namespaces(root)
        response = self._client.get("system_status", {"_fields": STATUS_FIELDS})
        host = urlsplit(self._settings.store).hostname or ""
        now = response.date or self._runtime.now()
        try:
            info = shop_info(root, response.json(), host, now)
        except (AttributeError, KeyError, TypeError) as error:
            raise TransientError(f"{response.place}: not what a store says of itself") from error
        self._currency = info.currency
        return info

    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        """See ``Source.read``; a position is a page's end, and good for this window only."""
        if stream == "customers":
            return self._customers(position)
        if stream == "orders":
            return self._orders(window, position)
        return self._products(window, position)

    def count(self, stream: str, window: Window) -> int | None:
        """From the head of an answer with one id."""
        if stream == "customers":
            return self._client.count(stream, {"role": self._settings.customer_role})
        total = self._client.count(stream, bounds(window))
        if stream == "orders":
            trash = self._client.count(stream, {**bounds(window), "status": _TRASH})
            total = None if total is None or trash is None else total + trash
        return total

    def gone(self, stream: str, ids: Sequence[str]) -> set[str]:
        """One request for each id; what lies in the trash is gone too.

        One at which the store fails, though it answers otherwise, is not confirmed to be gone.
        """
        return {id_ for id_ in ids if self._is_gone(stream, id_)}

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _is_gone(self, stream: str, id_: str) -> bool:
        path, fields = f"{stream}/{int(id_)}", {"_fields": "id,status"}
        try:
            row = self._client.unless_dead(stream, lambda: self._client.get(path, fields).json())
        except MissingError:
            return True
        except UnreadableError:
            return False
        if not isinstance(row, dict) or row.get("id") != int(id_):
            raise TransientError(f"{stream}/{id_}: the answer is another record")
        return row.get("status") == _TRASH

    def _customers(self, position: str | None) -> Iterator[Batch]:
        # only role=all shows customers who are also staff, subscribers, wholesale customers …
        params = {"role": self._settings.customer_role, "_fields": mapping.CUSTOMER_FIELDS}
        meta_key, meta = self._settings.meta_key, self._settings.meta
        sweep = Sweep(self._client, "customers", params, SweepPlace.of(position))
        for rows, place in sweep.pages():
            yield _batch(rows, lambda row: mapping.customer(row, meta_key, meta), place.text())

    def _products(self, window: Window, position: str | None) -> Iterator[Batch]:
        params = {"_fields": mapping.PRODUCT_FIELDS}
        # prices of products come without one
        currency = self._currency or self.info().currency
        _, place = _begin(window, position)
        for rows, reached in Changes(self._client, "products", params, window, place).pages():
            yield _batch(rows, lambda row: mapping.product(row, currency), reached.text(_LISTED))

    def _orders(self, window: Window, position: str | None) -> Iterator[Batch]:
        phase, place = _begin(window, position)
        if phase == _LISTED:
            params = {"status": _LISTED, "_fields": mapping.ORDER_FIELDS}
            for rows, reached in Changes(self._client, "orders", params, window, place).pages():
                yield self._order_batch(rows, reached.text(_LISTED))
            _, place = _begin(window, None)
        params = {"status": _TRASH, "_fields": "id,date_modified_gmt,status"}
        for rows, reached in Changes(self._client, "orders", params, window, place).pages():
            yield _batch(rows, _trashed, reached.text(_TRASH))

    def _order_batch(self, rows: list[Row], position: str) -> Batch:
        placed = [row for row in rows if row.get("status") not in mapping.DRAFTS]
        refunded_at = self._refund_times(placed)
        return _batch(placed, lambda row: mapping.order(row, refunded_at), position)

    def _refund_times(self, orders: list[Row]) -> dict[int, datetime]:
        """When money was given back: one request for a page of orders, none if none was."""
        ids = [refund["id"] for order in orders for refund in order.get("refunds") or []]
        found = self._listed_refunds(ids) if self._has_refund_list else {}
        for order in orders:
            if any(refund["id"] not in found for refund in order.get("refunds") or []):
                found |= self._refunds_of(order)
        return found

    def _listed_refunds(self, ids: list[int]) -> dict[int, datetime]:
        def ask(rows: int) -> tuple[int, list[Row]]:
            part = ids[start : start + rows]
            return len(part), self._client.named_once("refunds", part, _REFUND_FIELDS)

        found: dict[int, datetime] = {}
        start = 0
        while start < len(ids):
            try:
                count, rows = self._client.adaptively("refunds", ask)
            except ConfigError:
                self._has_refund_list = False  # came with WooCommerce 9.0
                break
            except UnreadableError:
                break  # one by one, to see of which order it is
            start += count
            found |= _times(rows)
        return found

    def _refunds_of(self, order: Row) -> dict[int, datetime]:
        """Those of one order; the order is marked if the store fails to show them."""
        path = f"orders/{order['id']}/refunds"
        params = {"per_page": str(LARGEST_PAGE), **_REFUND_FIELDS}
        try:
            rows = self._client.unless_dead(
                "orders", lambda: rows_of(self._client.get(path, params))
            )
        except RejectedError:
            return {}  # deleted since: the order comes again, or is found gone
        except UnreadableError as error:
            order[FAILURE] = error.message
            return {}
        return _times(rows)


def _times(refunds: list[Row]) -> dict[int, datetime]:
    """By id; for one without a date ``mapping.order`` takes that of the order's last change."""
    found: dict[int, datetime] = {}
    for refund in refunds:
        with contextlib.suppress(KeyError, ValueError):
            found[refund["id"]] = instant(refund["date_created_gmt"])
    return found


def _begin(window: Window, position: str | None) -> tuple[str, Place]:
    if position is not None:
        return place_of(position)
    return _LISTED, Place(window.since and window.since.replace(microsecond=0))


def _batch(rows: list[Row], make: Callable[[Row], Record], position: str) -> Batch:
    records: list[Record] = []
    rejected: list[Rejection] = []
    for row in rows:
        if FAILURE in row:
            rejected.append(_unreadable(row))
            continue
        try:
            records.append(make(row))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            reason = f"not understood: {type(error).__name__} {error!s:.100}"
            rejected.append(Rejection(str(row["id"]), reason))
    return Batch(records, position, rejected)


def _unreadable(row: Row) -> Rejection:
    """By its id; if not even that can be shown, by that of the record before it in the list."""
    name = f"behind {row[BEHIND] or 'the beginning'}" if BEHIND in row else str(row["id"])
    return Rejection(name, f"the store fails whenever it has to show this record: {row[FAILURE]}")


def _trashed(row: Row) -> Gone:
    if row["status"] != _TRASH:
        raise ConfigError(
            f"the store ignores status=trash: the list shows order {row['id']}, which is "
            f"{row['status']}; no plugin may set the status of order lists by REST itself, and no "
            "cache may stand before /wp-json/"
        )
    return Gone("orders", str(row["id"]))
