"""Reading a store: what is asked for, in what portions, and what becomes of the odd cases."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from segmentd.sdk import (
    ConfigError,
    Customer,
    Gone,
    Order,
    Product,
    Record,
    Runtime,
    TransientError,
    Window,
)
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Fault, Request, Response
from segmentd_woocommerce.sandbox import WooCommerceSandbox
from segmentd_woocommerce.sandbox.store import Meta
from segmentd_woocommerce.settings import WooCommerceSettings
from segmentd_woocommerce.source import WooCommerceSource

NewOrder = Callable[..., Order]


def window(sandbox: WooCommerceSandbox, hours: float | None = None) -> Window:
    now = sandbox.clock.now()
    return Window(None if hours is None else now - timedelta(hours=hours), now)


def read(source: WooCommerceSource, stream: str, within: Window) -> list[Record]:
    return [record for batch in source.read(stream, within, None) for record in batch.records]


def paths(sandbox: WooCommerceSandbox) -> list[str]:
    return [entry.request.path.removeprefix("/wp-json/wc/v3/") for entry in sandbox.log]


def query(sandbox: WooCommerceSandbox, number: int = 0) -> dict[str, str]:
    return sandbox.log[number].request.query


def test_asks_for_all_roles_by_id(sandbox: WooCommerceSandbox, source: WooCommerceSource) -> None:
    for number in (1, 2, 3):
        sandbox.put_customer(Customer(str(number)))
    sandbox.store.customers.rows[2].role = "wholesale_customer"
    assert len(read(source, "customers", window(sandbox))) == 3
    asked = query(sandbox)
    assert (asked["role"], asked["orderby"], asked["order"]) == ("all", "id", "asc")
    assert "modified_after" not in asked


def test_reads_one_role_if_told(
    sandbox: WooCommerceSandbox,
    settings: Callable[..., WooCommerceSettings],
    runtime: Runtime,
) -> None:
    for number in (1, 2, 3):
        sandbox.put_customer(Customer(str(number)))
    sandbox.store.customers.rows[2].role = "subscriber"
    source = WooCommerceSource(settings(customer_role="subscriber"), runtime)
    assert [record.id for record in read(source, "customers", window(sandbox))] == ["2"]
    assert source.count("customers", window(sandbox)) == 1
    source.close()


def test_a_role_that_the_store_does_not_have(
    sandbox: WooCommerceSandbox,
    settings: Callable[..., WooCommerceSettings],
    runtime: Runtime,
) -> None:
    source = WooCommerceSource(settings(customer_role="pirate"), runtime)
    with pytest.raises(ConfigError, match=r"rest_invalid_param \(role\)"):
        read(source, "customers", window(sandbox))
    source.close()


def test_customers_deleted_during_the_sweep_hide_none(
    sandbox: WooCommerceSandbox, source: WooCommerceSource
) -> None:
    for number in range(1, 41):
        sandbox.put_customer(Customer(str(number)))
    batches = source.read("customers", window(sandbox), None)
    seen = {record.id for record in next(batches).records}
    for number in range(1, 31):
        sandbox.delete_customer(str(number))
    seen |= {record.id for batch in batches for record in batch.records}
    assert {str(number) for number in range(31, 41)} <= seen


def test_a_new_customer_during_the_sweep_comes_at_its_end(
    sandbox: WooCommerceSandbox, source: WooCommerceSource
) -> None:
    for number in range(1, 12):
        sandbox.put_customer(Customer(str(number)))
    batches = source.read("customers", window(sandbox), None)
    seen = [record.id for record in next(batches).records]
    sandbox.put_customer(Customer("99"))
    seen += [record.id for batch in batches for record in batch.records]
    assert seen[-1] == "99"
    assert len(seen) == 12


def _hide(count: int) -> Fault:
    """An old copy of the list, from a cache, without its last rows."""

    def fault(request: Request, handle: Callable[[Request], Response]) -> Response:
        response = handle(request)
        response.body = b"[" + b",".join(response.body[1:-1].split(b',{"id"')[:1]) + b"]"
        response.headers["x-wp-total"] = str(count)
        return response

    return fault


def test_a_sweep_that_brought_too_few_is_made_again(
    sandbox: WooCommerceSandbox, source: WooCommerceSource
) -> None:
    for number in range(1, 4):
        sandbox.put_customer(Customer(str(number)))
    sandbox.faults += [_hide(3), _hide(3)]
    ids = {record.id for record in read(source, "customers", window(sandbox))}
    assert ids == {"1", "2", "3"}


def test_pages_shrink_for_a_host_that_cannot(
    sandbox: WooCommerceSandbox,
    settings: Callable[..., WooCommerceSettings],
    runtime: Runtime,
    new_order: NewOrder,
) -> None:
    for number in range(1, 31):
        sandbox.put_order(new_order(number))
    sandbox.faults += [
        faults.status(504),
        faults.html(500),
        faults.truncated_json(40),
        faults.reset(),
    ]
    source = WooCommerceSource(settings(), runtime)
    assert len(read(source, "orders", window(sandbox))) == 30
    sizes = [int(entry.request.query["per_page"]) for entry in sandbox.log]
    assert sizes[:8] == [50, 25, 6, 1, 1, 3, 5, 9]
    source.close()


def test_pages_do_not_shrink_for_a_busy_host(
    sandbox: WooCommerceSandbox,
    settings: Callable[..., WooCommerceSettings],
    runtime: Runtime,
) -> None:
    sandbox.faults += [faults.html(429), faults.status(503, {"retry-after": "60"})]
    source = WooCommerceSource(settings(), runtime)
    began = sandbox.clock.now()
    assert read(source, "customers", window(sandbox)) == []
    assert {entry.request.query["per_page"] for entry in sandbox.log} == {"50"}
    assert sandbox.clock.now() - began >= timedelta(seconds=60)
    source.close()


def test_asks_light_and_by_gmt(sandbox: WooCommerceSandbox, source: WooCommerceSource) -> None:
    within = Window(
        datetime.fromisoformat("2026-11-21T10:00:00.7+00:00"),
        datetime.fromisoformat("2026-11-21T11:00:00.2+00:00"),
    )
    assert read(source, "orders", within) == []
    listed, trash = query(sandbox), query(sandbox, 2)
    for asked in (listed, trash):
        assert asked["modified_after"] == "2026-11-21T09:59:59", "exclusive"
        assert asked["modified_before"] == "2026-11-21T11:00:01", "exclusive"
        assert asked["dates_are_gmt"] == "true"
        assert (asked["orderby"], asked["order"]) == ("modified", "asc")
        assert "meta_data" not in asked["_fields"]
    assert (listed["status"], trash["status"]) == ("any", "trash")


@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize("stream", ["orders", "products"])
@pytest.mark.parametrize("minutes", [[5], [50, 400, 5]])
def test_a_store_that_misunderstands_the_bounds_is_noticed(
    sandbox: WooCommerceSandbox,
    source: WooCommerceSource,
    new_order: NewOrder,
    zone: str,
    stream: str,
    minutes: list[int],
) -> None:
    """Else an empty list would be believed, and orders lost without a word."""
    now = sandbox.clock.now()
    for number, ago in enumerate(minutes, 1):
        moment = now - timedelta(minutes=ago)
        sandbox.put_order(new_order(number, updated_at=moment))
        sandbox.put_product(Product(str(number), "Tea", updated_at=moment))
    within = window(sandbox, max(minutes) / 60 + 0.2)
    assert len(read(source, stream, within)) == len(minutes)
    sandbox.store.zone, sandbox.store.misreads_dates = ZoneInfo(zone), True
    for _ in range(2):
        batches = source.read(stream, within, None)
        with pytest.raises(ConfigError, match=r"misunderstands modified_after: .* leaves out"):
            next(batches)


def test_the_bounds_are_proved_by_one_light_request_for_each_list(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, new_order: NewOrder
) -> None:
    now = sandbox.clock.now()
    for number in range(1, 13):
        sandbox.put_order(new_order(number, updated_at=now - timedelta(minutes=10 * number)))
    batches = list(source.read("orders", window(sandbox, 1.1), None))
    proofs = [entry.request.query for entry in sandbox.log if "desc" in entry.request.query_string]
    assert [(asked["status"], asked.get("offset")) for asked in proofs] == [
        ("any", "6"),
        ("trash", None),
    ]
    for asked in proofs:
        assert (asked["per_page"], asked["_fields"]) == ("1", "id,date_modified_gmt")
        assert not {"modified_after", "modified_before"} & asked.keys()
    sandbox.log.clear()
    list(source.read("orders", window(sandbox, 1.1), batches[0].position))
    assert "any" not in [
        entry.request.query["status"]
        for entry in sandbox.log
        if "desc" in entry.request.query_string
    ], "once for each window"


@pytest.mark.parametrize("listed", [0, 3])
def test_an_order_that_becomes_visible_late_is_no_misunderstanding(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, new_order: NewOrder, listed: int
) -> None:
    now = sandbox.clock.now()

    def late(request: Request, handle: Callable[[Request], Response]) -> Response:
        response = handle(request)
        sandbox.put_order(new_order(9, updated_at=now - timedelta(minutes=30)))
        return response

    for number in range(1, listed + 1):
        sandbox.put_order(new_order(number, updated_at=now - timedelta(minutes=number)))
    sandbox.faults.append(late)
    read(source, "orders", window(sandbox, 1))
    assert "9" in [record.id for record in read(source, "orders", window(sandbox, 1))]


def test_an_order_that_is_changed_while_it_is_looked_for_is_no_misunderstanding(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, new_order: NewOrder
) -> None:
    within = window(sandbox, 1)

    def late(request: Request, handle: Callable[[Request], Response]) -> Response:
        response = handle(request)
        sandbox.put_order(new_order(9))
        return response

    def touch(request: Request, handle: Callable[[Request], Response]) -> Response:
        assert request.query["include"] == "9"
        sandbox.clock.advance(5)
        sandbox.touch_order("9")
        return handle(request)

    sandbox.faults += [late, faults.none(), touch]
    assert read(source, "orders", within) == []


def test_the_first_read_has_no_lower_bound(
    sandbox: WooCommerceSandbox, source: WooCommerceSource
) -> None:
    assert read(source, "orders", window(sandbox)) == []
    assert "modified_after" not in query(sandbox)


def test_trash_is_gone_and_comes_back(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, new_order: NewOrder
) -> None:
    sandbox.put_order(new_order(7))
    sandbox.clock.advance(86_400)
    sandbox.trash_order("7")
    assert read(source, "orders", window(sandbox, 1)) == [Gone("orders", "7")]
    assert source.gone("orders", ["7"]) == {"7"}
    sandbox.clock.advance(86_400)
    sandbox.restore_order("7")
    (order,) = read(source, "orders", window(sandbox, 1))
    assert isinstance(order, Order)
    assert order.status == "completed"
    assert source.gone("orders", ["7"]) == set()


def test_live_orders_in_the_list_of_the_trash_are_not_taken_for_gone(
    sandbox: WooCommerceSandbox,
    settings: Callable[..., WooCommerceSettings],
    runtime: Runtime,
    new_order: NewOrder,
) -> None:
    """A plugin sets the status of every order list itself, or a cache does not look at it."""

    def ignore(request: Request, handle: Callable[[Request], Response]) -> Response:
        return handle(replace(request, query_string=request.query_string.replace("trash", "any")))

    sandbox.put_order(new_order(7))
    sandbox.door.https = True
    sandbox.faults += [ignore] * 9
    told = r"ignores status=trash: .* order 7, which is completed"
    with closing(WooCommerceSource(settings(auth="basic"), runtime)) as source:
        batches = source.read("orders", window(sandbox), None)
        assert [type(record) for record in next(batches).records] == [Order]
        with pytest.raises(ConfigError, match=told):
            next(batches)


def test_reading_the_trash_goes_on_where_it_stopped(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, new_order: NewOrder
) -> None:
    for number in range(1, 13):
        sandbox.put_order(new_order(number))
        sandbox.trash_order(str(number))
    whole = list(source.read("orders", window(sandbox), None))
    rest = list(source.read("orders", window(sandbox), whole[0].position))
    ids = [record.id for batch in [whole[0], *rest] for record in batch.records]
    assert sorted(ids, key=int) == [str(number) for number in range(1, 13)]


def test_a_begun_checkout_is_no_order_until_it_is_placed(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, new_order: NewOrder
) -> None:
    sandbox.put_draft(new_order(7, paid=False))
    assert read(source, "orders", window(sandbox)) == []
    assert source.gone("orders", ["7"]) == set()
    sandbox.put_order(new_order(7))
    assert [record.id for record in read(source, "orders", window(sandbox))] == ["7"]


def test_an_order_of_a_deleted_customer_becomes_a_guests(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, new_order: NewOrder
) -> None:
    sandbox.put_customer(Customer("4", email="vera@shopper.example"))
    sandbox.put_order(new_order(7))
    sandbox.clock.advance(86_400)
    sandbox.delete_customer("4")
    (order,) = read(source, "orders", window(sandbox, 1))
    assert isinstance(order, Order)
    assert (order.customer_id, order.email) == (None, "vera@shopper.example")
    assert source.gone("customers", ["4"]) == {"4"}


def test_products_with_categories(sandbox: WooCommerceSandbox, source: WooCommerceSource) -> None:
    now = sandbox.clock.now()
    product = Product("10", "Tee & Kaffee", None, "Acme", ["neu"], ["Tee & Mehr"], now)
    product.published_at, product.price = now - timedelta(days=30), 1250
    sandbox.put_product(product)
    assert read(source, "products", window(sandbox)) == [product]
    assert read(source, "products", Window(now + timedelta(1), now + timedelta(2))) == []


def test_asks_for_the_currency_of_prices_once(
    sandbox: WooCommerceSandbox, source: WooCommerceSource
) -> None:
    sandbox.put_product(Product("10", "Tea", price=1250))
    source.info()
    read(source, "products", window(sandbox))
    assert paths(sandbox).count("system_status") == 1


def test_customer_meta_that_the_settings_name(
    sandbox: WooCommerceSandbox,
    settings: Callable[..., WooCommerceSettings],
    runtime: Runtime,
) -> None:
    customer = Customer("1", email="vera@shopper.example", postcode="73301", tags=["VIP"])
    sandbox.put_customer(customer)
    sandbox.store.customers.rows[1].meta.append(Meta(7, "loyalty_level", "gold"))
    with closing(WooCommerceSource(settings(meta=["loyalty_level"]), runtime)) as source:
        (found,) = read(source, "customers", window(sandbox))
    assert isinstance(found, Customer)
    assert found.traits == {"meta.loyalty_level": "gold"}
    assert (found.postcode, found.tags) == ("73301", ["VIP"])


def test_counts_without_reading(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, new_order: NewOrder
) -> None:
    for number in range(1, 8):
        sandbox.put_order(new_order(number))
        sandbox.put_customer(Customer(str(number)))
    sandbox.trash_order("7")
    assert source.count("orders", window(sandbox)) == 7
    assert source.count("customers", window(sandbox)) == 7
    assert source.count("products", window(sandbox)) == 0
    assert source.count("orders", Window(None, sandbox.clock.now() - timedelta(days=1))) == 0
    assert {entry.request.query["per_page"] for entry in sandbox.log} == {"1"}


def test_a_record_that_is_not_understood_is_told(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, new_order: NewOrder
) -> None:
    sandbox.put_order(new_order(1))
    sandbox.put_order(new_order(2))
    bad = sandbox.poison("orders")
    batches = list(source.read("orders", window(sandbox), None))
    (rejection,) = [rejection for batch in batches for rejection in batch.rejected]
    assert rejection.id == bad
    assert "not understood: KeyError" in rejection.reason


@pytest.mark.parametrize(
    "content", [b"{}", b'[{"name": "no id"}]', b"[7]", b'[{"id": 1}]'], ids=str
)
def test_an_answer_that_is_no_list_of_orders(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, content: bytes
) -> None:
    sandbox.faults += [faults.body(content)] * 10
    with pytest.raises(TransientError):
        read(source, "orders", window(sandbox))


def test_another_record_is_no_answer_about_one(
    sandbox: WooCommerceSandbox, source: WooCommerceSource
) -> None:
    sandbox.faults.append(faults.body(b'{"id": 2}'))
    with pytest.raises(TransientError, match="another record"):
        source.gone("customers", ["1"])


def test_what_a_sandbox_shows_is_what_a_source_reads(
    shop: WooCommerceSandbox, source: WooCommerceSource
) -> None:
    shop.set_tags("4", ["VIP", "größte Kundin"])
    shop.cancel("43", shop.clock.now())
    shop.refund("44", 3596, shop.clock.now())
    customers, orders = shop.projection()
    found: dict[str, Any] = {record.id: record for record in read(source, "orders", window(shop))}
    assert [found[order.id] for order in orders] == list(orders)
    assert found["44"].status == "refunded"
    found = {record.id: record for record in read(source, "customers", window(shop))}
    assert [found[customer.id] for customer in customers] == list(customers)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_product_that_was_never_saved_stops_nothing(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, number: int
) -> None:
    """A plugin inserted it as a draft: WordPress keeps 0000-00-00, WooCommerce shows null."""
    now = sandbox.clock.now()
    for other in range(1, 13):
        moment = now - timedelta(minutes=100 - other)
        sandbox.put_product(Product(str(other), "Tea", updated_at=moment, published_at=moment))
    sandbox.store.products.rows[number].modified = None
    sandbox.store.products.put(sandbox.store.products.rows[number])
    found = {record.id: record for record in read(source, "products", window(sandbox))}
    assert found.keys() == {str(other) for other in range(1, 13)}
    draft = found[str(number)]
    assert isinstance(draft, Product)
    assert draft.updated_at is None


def test_products_none_of_which_was_ever_saved(
    sandbox: WooCommerceSandbox, source: WooCommerceSource
) -> None:
    for number in range(1, 18):
        sandbox.put_product(Product(str(number), "Tea"))
        sandbox.store.products.rows[number].modified = None
    whole = list(source.read("products", window(sandbox), None))
    ids = [record.id for batch in whole for record in batch.records]
    assert ids == [str(number) for number in range(1, 18)]
    rest = source.read("products", window(sandbox), whole[1].position)
    left = [record.id for batch in rest for record in batch.records]
    assert left == ids[len(whole[0].records) + len(whole[1].records) :]


def test_an_order_without_a_change_time_is_told_and_the_rest_is_read(
    sandbox: WooCommerceSandbox, source: WooCommerceSource, new_order: NewOrder
) -> None:
    for number in range(1, 13):
        sandbox.put_order(new_order(number))
    sandbox.store.orders.rows[3].modified = None
    batches = list(source.read("orders", window(sandbox), None))
    assert len([record for batch in batches for record in batch.records]) == 11
    (rejection,) = [rejection for batch in batches for rejection in batch.rejected]
    assert rejection.id == "3"
    assert "None is no instant" in rejection.reason


def test_a_row_without_a_date_in_a_list_of_later_ones(
    sandbox: WooCommerceSandbox, source: WooCommerceSource
) -> None:
    """It says nothing about whether the store heeds the filter."""
    sandbox.faults.append(faults.body(b'[{"id": 1, "date_modified_gmt": null}]'))
    batches = list(source.read("orders", window(sandbox, 1), None))
    assert [rejection.id for batch in batches for rejection in batch.rejected] == ["1"]
