from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from segmentd.sdk import (
    AuthError,
    Customer,
    Order,
    OrderLine,
    Product,
    Runtime,
    TransientError,
    Window,
)
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Request, Response
from segmentd_shopify.sandbox import ALL_SCOPES, ShopifySandbox
from segmentd_shopify.settings import ShopifySettings
from segmentd_shopify.source import ShopifySource

Configure = Callable[..., ShopifySettings]
Make = Callable[..., Any]
MINUTE = timedelta(minutes=1)


def read(source: ShopifySource, stream: str, window: Window, position: str | None = None) -> Any:
    """All records, by id."""
    return {
        record.id: record
        for batch in source.read(stream, window, position)
        for record in batch.records
    }


def queries(sandbox: ShopifySandbox) -> list[dict[str, Any]]:
    return [orjson.loads(entry.request.body) for entry in sandbox.log]


# -- what is asked


def test_asks_by_quoted_utc_instants_with_both_ends(
    source: ShopifySource, sandbox: ShopifySandbox, start: datetime
) -> None:
    list(source.read("orders", Window(start - MINUTE, start), None))
    [counted, sent] = queries(sandbox)
    assert counted["variables"]["query"] == sent["variables"]["query"]
    assert sent["variables"] == {
        "first": 100,
        "lines": 20,
        "after": None,
        "query": "updated_at:>='2026-11-20T08:59:00Z' AND updated_at:<='2026-11-20T09:00:00Z'",
    }
    assert "sortKey: UPDATED_AT" in sent["query"]
    assert "reverse" not in sent["query"]


def test_the_first_window_has_no_beginning(
    source: ShopifySource, sandbox: ShopifySandbox, start: datetime
) -> None:
    list(source.read("customers", Window(None, start), None))
    assert queries(sandbox)[0]["variables"]["query"] == "updated_at:<='2026-11-20T09:00:00Z'"


def test_goes_on_with_the_same_bounds_behind_the_position(
    configure: Configure,
    runtime: Runtime,
    sandbox: ShopifySandbox,
    make_customer: Make,
    start: datetime,
) -> None:
    for number in range(1, 6):
        sandbox.put_customer(make_customer(number))
    sandbox.clock.advance(60)
    window = Window(None, start + MINUTE)
    with closing(ShopifySource(configure(customers_page=2), runtime)) as source:
        first = next(iter(source.read("customers", window, None)))
        rest = read(source, "customers", window, first.position)
    assert [record.id for record in first.records] == ["1", "2"]
    assert sorted(rest) == ["3", "4", "5"]
    assert {sent["variables"]["query"] for sent in queries(sandbox)} == {
        "updated_at:<='2026-11-20T09:01:00Z'"
    }


@pytest.mark.parametrize("position", ["bm90aGluZw==", "garbage", "eyJsYXN0X2lkIjoxfQ=="])
def test_a_position_that_means_nothing_restarts_the_window(
    source: ShopifySource,
    sandbox: ShopifySandbox,
    make_customer: Make,
    start: datetime,
    position: str,
) -> None:
    sandbox.put_customer(make_customer(1))
    sandbox.clock.advance(60)
    assert sorted(read(source, "customers", Window(None, start), position)) == ["1"]


def test_a_shop_that_refuses_its_own_cursors_ends_in_trouble(
    configure: Configure,
    runtime: Runtime,
    sandbox: ShopifySandbox,
    make_customer: Make,
    start: datetime,
) -> None:
    for number in range(1, 6):
        sandbox.put_customer(make_customer(number))
    sandbox.clock.advance(60)
    refusal = {"errors": [{"message": "Invalid cursor for current pagination sort."}]}
    behind_the_first = faults.when(
        lambda request: b'"after":null' not in request.body, faults.body(orjson.dumps(refusal))
    )
    sandbox.faults = [faults.none()] + [behind_the_first] * 50
    with closing(ShopifySource(configure(customers_page=2), runtime)) as source:
        batches = source.read("customers", Window(None, start), None)
        # the first page, and once more the first page
        assert [len(next(batches).records) for _ in range(2)] == [2, 2]
        with pytest.raises(TransientError, match="cursor"):
            next(batches)


def test_an_answer_without_a_list_is_no_end(
    source: ShopifySource, sandbox: ShopifySandbox, start: datetime
) -> None:
    sandbox.faults = [faults.none(), faults.body(b'{"data": {"page": null}}')]
    with pytest.raises(TransientError, match="without a list"):
        list(source.read("orders", Window(None, start), None))


# -- the late index


@pytest.mark.parametrize("sandbox", [{"index_lag": 240.0}], indirect=True)
def test_a_change_that_search_finds_late_comes_with_the_overlap(
    source: ShopifySource, sandbox: ShopifySandbox, make_customer: Make, start: datetime
) -> None:
    sandbox.put_customer(make_customer(1))
    sandbox.clock.advance(60)
    assert read(source, "customers", Window(None, start + MINUTE)) == {}
    sandbox.clock.advance(180)
    lag = next(stream.lag for stream in source.streams if stream.name == "customers")
    overlapping = Window(start + MINUTE - lag, start + 4 * MINUTE)
    assert sorted(read(source, "customers", overlapping)) == ["1"]


@pytest.mark.parametrize("sandbox", [{"index_lag": 60.0}], indirect=True)
def test_what_is_read_is_newer_than_what_was_searched(
    source: ShopifySource, sandbox: ShopifySandbox, make_customer: Make, start: datetime
) -> None:
    sandbox.put_customer(make_customer(1, updated_at=start - 10 * MINUTE))
    sandbox.put_customer(make_customer(1, last_name="Edited"))
    found = read(source, "customers", Window(None, start - 5 * MINUTE))
    assert found["1"].last_name == "Edited"
    assert found["1"].updated_at == start


def test_a_mass_import_in_one_second_is_read_page_by_page(
    configure: Configure,
    runtime: Runtime,
    sandbox: ShopifySandbox,
    make_order: Make,
    start: datetime,
) -> None:
    """Ties are broken by id, so that a mass import in one second does not go in a loop."""
    for number in range(1, 24):
        sandbox.put_order(make_order(number))
    sandbox.clock.advance(60)
    with closing(ShopifySource(configure(orders_page=5), runtime)) as source:
        batches = list(source.read("orders", Window(start, start), None))
    assert [len(batch.records) for batch in batches] == [5, 5, 5, 5, 3]
    assert len({record.id for batch in batches for record in batch.records}) == 23


# -- what an order needs beyond its page


def test_further_lines_are_fetched_for_their_order_only(
    configure: Configure,
    runtime: Runtime,
    sandbox: ShopifySandbox,
    make_order: Make,
    start: datetime,
) -> None:
    many = [OrderLine(str(n), "9", 1, 100, title="Thing") for n in range(1000, 1600)]
    sandbox.put_order(make_order(1, lines=many, total=60_000))
    sandbox.put_order(make_order(2))
    sandbox.clock.advance(60)
    with closing(ShopifySource(configure(lines_page=7), runtime)) as source:
        orders = read(source, "orders", Window(None, start))
    assert orders["1"].lines == many
    assert len(orders["2"].lines) == 1
    # how many orders, those two, 593 more lines at 250 a page
    assert len(sandbox.log) == 1 + 1 + 3


def test_an_order_deleted_while_its_lines_are_read(
    configure: Configure,
    runtime: Runtime,
    sandbox: ShopifySandbox,
    make_order: Make,
    make_customer: Make,
    start: datetime,
) -> None:
    lines = [OrderLine(str(n), "9", 1, 100, title="Thing") for n in range(10, 30)]
    sandbox.put_customer(make_customer(7))
    sandbox.put_order(make_order(1, lines=lines, customer_id="7"))
    sandbox.put_order(make_order(2))
    sandbox.clock.advance(60)

    def delete_before_answering(request: Request, handle: faults.Handler) -> Response:
        sandbox.delete_customer("7")
        return handle(request)

    sandbox.faults = [faults.none(), faults.none(), delete_before_answering]
    with closing(ShopifySource(configure(lines_page=5), runtime)) as source:
        orders = read(source, "orders", Window(None, start))
    assert sorted(orders) == ["1", "2"]


def test_one_broken_node_is_rejected_by_its_number(
    source: ShopifySource, sandbox: ShopifySandbox, make_order: Make, start: datetime
) -> None:
    for number in (1, 2, 3):
        sandbox.put_order(make_order(number))
    bad = sandbox.poison("orders")
    sandbox.clock.advance(60)
    [batch] = source.read("orders", Window(None, start), None)
    assert [rejection.id for rejection in batch.rejected] == [bad]
    assert len(batch.records) == 2


@pytest.mark.parametrize(
    "sandbox",
    [
        {
            "protected": frozenset(
                {
                    "Customer.firstName",
                    "Customer.lastName",
                    "Customer.defaultEmailAddress",
                    "Customer.defaultPhoneNumber",
                    "Customer.defaultAddress",
                    "Order.email",
                    "Order.shippingAddress",
                }
            )
        }
    ],
    indirect=True,
)
def test_ids_alone_are_enough(
    source: ShopifySource,
    sandbox: ShopifySandbox,
    make_customer: Make,
    make_order: Make,
    start: datetime,
) -> None:
    sandbox.put_customer(make_customer(1, first_name="Tove", phone="+4600", country="SE"))
    sandbox.put_order(make_order(5, customer_id="1", email="tove@shopper.example"))
    sandbox.clock.advance(60)
    customer = read(source, "customers", Window(None, start))["1"]
    order = read(source, "orders", Window(None, start))["5"]
    assert (customer.email, customer.first_name, customer.country) == (None, None, None)
    assert (order.customer_id, order.email, order.country) == ("1", None, None)


def test_products(source: ShopifySource, sandbox: ShopifySandbox, start: datetime) -> None:
    product = Product("9", "Heather honey", "Honey", "Imkerei Nord", ["organic"], ["Food"], start)
    product.published_at, product.price = start - timedelta(days=30), 1250
    sandbox.put_product(product)
    sandbox.clock.advance(60)
    [found] = read(source, "products", Window(None, start)).values()
    assert found == replace(product, categories=[])


def test_metafields_that_the_settings_name(
    configure: Configure,
    runtime: Runtime,
    sandbox: ShopifySandbox,
    make_customer: Make,
    start: datetime,
) -> None:
    put: Customer = make_customer(
        1,
        postcode="50667",
        latitude=50.9375,
        longitude=6.9603,
        traits={"metafields.facts.birth_date": "1990-05-30", "metafields.facts.other": "x"},
    )
    sandbox.put_customer(put)
    sandbox.put_customer(make_customer(2))
    sandbox.clock.advance(60)
    settings = configure(metafields=["facts.shoe_size", "facts.birth_date"])
    with closing(ShopifySource(settings, runtime)) as source:
        found = read(source, "customers", Window(None, start))
    assert found["1"].traits == {"metafields.facts.birth_date": "1990-05-30"}
    assert (found["1"].postcode, found["1"].latitude, found["1"].longitude) == (
        "50667", 50.9375, 6.9603,
    )  # fmt: skip
    assert (found["2"].traits, found["2"].postcode, found["2"].latitude) == ({}, None, None)


def test_a_metafield_that_changes_alone_comes_with_a_backfill(
    configure: Configure,
    runtime: Runtime,
    sandbox: ShopifySandbox,
    make_customer: Make,
    start: datetime,
) -> None:
    sandbox.put_customer(make_customer(1, traits={"metafields.facts.size": "42"}))
    sandbox.clock.advance(60)
    seen = start + MINUTE
    sandbox.clock.advance(3600)
    sandbox.set_metafield("1", "metafields.facts.size", "43")
    sandbox.clock.advance(3600)
    later = seen + 120 * MINUTE
    with closing(ShopifySource(configure(metafields=["facts.size"]), runtime)) as source:
        assert read(source, "customers", Window(seen, later)) == {}
        whole = read(source, "customers", Window(None, later))
    assert whole["1"].traits == {"metafields.facts.size": "43"}


# -- rights


def test_info(source: ShopifySource, sandbox: ShopifySandbox) -> None:
    info = source.info()
    assert (info.name, info.currency, info.time_zone) == ("sandbox", "EUR", "Europe/Berlin")
    assert info.now == sandbox.clock.now()
    assert info.warnings == []


@pytest.mark.parametrize("scope", ["read_products", "read_orders"])
def test_info_names_a_missing_scope(
    make_source_without: Callable[[str], ShopifySource], scope: str
) -> None:
    with pytest.raises(AuthError, match=scope):
        make_source_without(scope).info()


@pytest.fixture
def make_source_without(
    sandbox: ShopifySandbox, source: ShopifySource
) -> Callable[[str], ShopifySource]:
    def make(scope: str) -> ShopifySource:
        sandbox.scopes = ALL_SCOPES - {scope}
        return source

    return make


@pytest.mark.parametrize("sandbox", [{"scopes": ALL_SCOPES - {"read_all_orders"}}], indirect=True)
def test_sixty_days_are_not_taken_for_all(
    source: ShopifySource, sandbox: ShopifySandbox, make_order: Make, start: datetime
) -> None:
    old = start - timedelta(days=61)
    sandbox.put_order(make_order(1, at=old, updated_at=start))
    sandbox.put_order(make_order(2))
    sandbox.clock.advance(60)
    assert [("60 days" in warning) for warning in source.info().warnings] == [True]
    assert sorted(read(source, "orders", Window(None, start))) == ["2"]
    assert [order.id for order in sandbox.projection()[1]] == ["2"]
    # an old order answers null as if it were deleted
    assert source.gone("orders", ["1", "2"]) == set()


# -- what is gone, and how many there are


def test_gone_by_the_hundreds(
    source: ShopifySource, sandbox: ShopifySandbox, make_customer: Make
) -> None:
    ids = [sandbox.put_customer(make_customer(number)) for number in range(1, 600)]
    sandbox.delete_customer("300")
    assert source.gone("customers", [*ids, "777"]) == {"300", "777"}
    assert len(sandbox.log) == 3


@pytest.mark.parametrize("stream", ["orders", "products"])
def test_gone_orders_and_products(
    source: ShopifySource, sandbox: ShopifySandbox, make_order: Make, stream: str
) -> None:
    sandbox.put_order(make_order(1))
    sandbox.put_product(Product("1"))
    assert source.gone(stream, ["1", "2"]) == {"2"}


@pytest.mark.parametrize("stream", ["customers", "orders", "products"])
def test_counts_the_window(
    source: ShopifySource,
    sandbox: ShopifySandbox,
    make_customer: Make,
    make_order: Make,
    start: datetime,
    stream: str,
) -> None:
    for number in range(1, 8):
        moment = start - number * MINUTE
        sandbox.put_customer(make_customer(number, updated_at=moment))
        sandbox.put_order(make_order(number, at=moment))
        sandbox.put_product(Product(str(number), updated_at=moment))
    assert source.count(stream, Window(start - 5 * MINUTE, start)) == 5


def test_counts_beyond_ten_thousand(
    source: ShopifySource, sandbox: ShopifySandbox, start: datetime
) -> None:
    for number in range(1, 10_051):
        sandbox.put_customer(Customer(str(number), updated_at=start - MINUTE))
    assert source.count("customers", Window(None, start)) == 10_050


def test_a_count_that_shopify_misunderstands_is_unknown(
    source: ShopifySource,
    sandbox: ShopifySandbox,
    recorded: Callable[[str], Any],
    start: datetime,
) -> None:
    body = next(case["body"] for case in recorded("errors") if "customersCount" in case["case"])
    sandbox.faults = [faults.body(orjson.dumps(body))]
    assert source.count("customers", Window(None, start)) is None


# -- the whole shop, exactly, within its means


def test_reads_a_backfill_within_the_cost_budget(
    source: ShopifySource,
    sandbox: ShopifySandbox,
    make_order: Make,
    runtime: Runtime,
    start: datetime,
) -> None:
    for number in range(1, 3001):
        moment = start - timedelta(hours=3001 - number)
        sandbox.put_order(make_order(number, at=moment, customer_id=str(number % 40 + 1)))
    orders = read(source, "orders", Window(None, start))
    assert sorted(orders.values(), key=lambda order: str(order.id)) == list(sandbox.projection()[1])
    assert "THROTTLED" not in str([entry.status for entry in sandbox.log])
    assert len(sandbox.log) == 1 + 30
    assert runtime.meter.retries == 0


def test_an_order_is_what_the_shop_has(
    source: ShopifySource, sandbox: ShopifySandbox, make_order: Make, start: datetime
) -> None:
    put: Order = make_order(
        1,
        email="walkin@shopper.example",
        test=True,
        channel="pos",
        discount=150,
        discount_codes=["SPRING10"],
        tags=["gift"],
        country="US",
        region="CA",
        city="Fresno",
        lines=[OrderLine("7", "9", 2, 1250, 150, "Heather honey", "Nord")],
    )
    sandbox.put_order(put)
    sandbox.refund("1", 250, start)
    sandbox.clock.advance(60)
    order = read(source, "orders", Window(None, start))["1"]
    assert (order.status, [refund.amount for refund in order.refunds]) == (
        "partially_refunded",
        [250],
    )
    order.status, order.refunds = None, []
    assert order == put
