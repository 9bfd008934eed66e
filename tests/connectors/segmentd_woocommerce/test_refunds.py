"""When money was given back: orders tell only how much."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from segmentd.sdk import Order, Record, Refund, Window
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Request, Response
from segmentd_woocommerce.sandbox import WooCommerceSandbox
from segmentd_woocommerce.source import WooCommerceSource

NewOrder = Callable[..., Order]


def read(source: WooCommerceSource, sandbox: WooCommerceSandbox) -> list[Record]:
    window = Window(None, sandbox.clock.now())
    return [record for batch in source.read("orders", window, None) for record in batch.records]


def paths(sandbox: WooCommerceSandbox) -> list[str]:
    return [entry.request.path.removeprefix("/wp-json/wc/v3/") for entry in sandbox.log]


@pytest.fixture
def refunded(sandbox: WooCommerceSandbox, new_order: NewOrder) -> list[Refund]:
    """Three orders with one, none and two refunds."""
    now = sandbox.clock.now()
    made = [Refund(str(100 + n), now - timedelta(days=n), 100 * n) for n in (1, 2, 3)]
    sandbox.put_order(new_order(1, refunds=made[:1]))
    sandbox.put_order(new_order(2))
    sandbox.put_order(new_order(3, refunds=made[1:]))
    return made


def found_refunds(records: list[Record]) -> list[Refund]:
    return [refund for record in records if isinstance(record, Order) for refund in record.refunds]


def test_refund_times_cost_one_request_a_page(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, refunded: list[Refund]
) -> None:
    assert found_refunds(read(source, sandbox)) == refunded
    assert paths(sandbox) == ["orders", "refunds", "orders"]


def test_without_refunds_nothing_is_asked(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, new_order: NewOrder
) -> None:
    sandbox.put_order(new_order(2))
    read(source, sandbox)
    assert paths(sandbox) == ["orders", "orders"]


def test_an_older_store_has_refunds_by_order_only(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, refunded: list[Refund]
) -> None:
    body = b'{"code":"rest_no_route","message":"","data":{"status":404}}'
    no_route = faults.status(404, {"content-type": "application/json"}, body)
    sandbox.faults += [faults.none(), no_route]
    assert found_refunds(read(source, sandbox)) == refunded
    assert sorted(paths(sandbox)[2:4]) == ["orders/1/refunds", "orders/3/refunds"]
    assert found_refunds(read(source, sandbox)) == refunded
    assert paths(sandbox).count("refunds") == 1


def test_a_store_that_ignores_which_refunds_were_asked_for(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, refunded: list[Refund]
) -> None:
    sandbox.faults += [faults.none(), faults.body(b"[]")]
    assert found_refunds(read(source, sandbox)) == refunded


def test_a_deleted_refund_is_gone_at_the_next_reading(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, refunded: list[Refund]
) -> None:
    sandbox.delete_refund("3", refunded[1].id)
    left = found_refunds(read(source, sandbox))
    assert left == [refunded[0], refunded[2]]


def test_a_refund_of_an_order_deleted_meanwhile(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, refunded: list[Refund]
) -> None:
    def delete(request: Request, handle: Callable[[Request], Response]) -> Response:
        sandbox.delete_order("1")
        return handle(request)

    sandbox.faults += [faults.none(), delete]
    records = read(source, sandbox)
    (first, *_) = found_refunds(records)
    assert replace(first, created_at=refunded[0].created_at) == refunded[0]
    assert source.gone("orders", ["1", "2", "3"]) == {"1"}


def _undated(request: Request, handle: Callable[[Request], Response]) -> Response:
    """As WooCommerce shows refunds that a migration wrote past it."""
    response = handle(request)
    shown = orjson.loads(response.body)
    response.body = orjson.dumps([{**refund, "date_created_gmt": None} for refund in shown])
    return response


def test_a_refund_without_a_date_counts_from_the_orders_last_change(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, refunded: list[Refund]
) -> None:
    sandbox.faults += [faults.none(), _undated, _undated, _undated]
    records = read(source, sandbox)
    changed = sandbox.store.orders.rows[1].modified
    assert changed is not None
    assert found_refunds(records) == [replace(one, created_at=changed) for one in refunded]
