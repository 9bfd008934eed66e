"""Whatever the order of the lines, and wherever the reading stops, the records are the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from segmentd.sdk import Batch, Order, OrderLine, Runtime, Window
from segmentd.sdk.testing.sandbox import SandboxClock
from segmentd.sdk.testing.server import serve
from segmentd_shopify import backfill
from segmentd_shopify.backfill import Backfill
from segmentd_shopify.join import BEGINNING, FAMILIES, Join, Place, parse
from segmentd_shopify.mapping import to_product
from segmentd_shopify.sandbox import ShopifySandbox
from segmentd_shopify.sandbox.bulk import Ending
from segmentd_shopify.settings import ShopifySettings
from segmentd_shopify.source import ShopifySource

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ORDERS = 8


class Reader:
    """A shop of a few orders with up to four lines each, read by jobs that end as told."""

    def __init__(self, sandbox: ShopifySandbox, url: str) -> None:
        self.sandbox = sandbox
        self.settings = ShopifySettings(
            shop=sandbox.domain,
            token_env="SANDBOX_SHOPIFY_TOKEN",
            base_url=url,
            orders_page=3,
            bulk_from=1,
        )
        self.runtime = Runtime(
            sleep=sandbox.clock.advance,
            monotonic=lambda: (sandbox.clock.now() - NOON).total_seconds(),
            now=sandbox.clock.now,
        )
        self.there = {order.id: order for order in sandbox.projection()[1]}

    def batches(self, position: str | None, held: int, strays: int) -> Iterator[Batch]:
        with closing(ShopifySource(self.settings, self.runtime)) as source:
            source._backfill = Backfill(source._client, self.runtime, (), held=held, strays=strays)
            yield from source.read("orders", Window(None, NOON), position)


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    sandbox = ShopifySandbox(SandboxClock(NOON, frozen=True), index_lag=0)
    for number in range(1, ORDERS + 1):
        lines = [
            OrderLine(str(number * 100 + n), None, 1, 100 + n, title="Thing")
            for n in range(number % 5)
        ]
        moment = NOON - timedelta(hours=number)
        sandbox.put_order(Order(str(number), moment, moment, "EUR", 500, paid=True, lines=lines))
    with pytest.MonkeyPatch.context() as patch, serve(sandbox) as url:
        patch.setattr(backfill, "AT_ONCE", 3)
        patch.setenv("SANDBOX_SHOPIFY_TOKEN", sandbox.credentials()["token"])
        yield Reader(sandbox, url)


def stored(batches: list[Batch]) -> dict[str, Any]:
    return {record.id: record for batch in batches for record in batch.records}


@examples(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 2**32),
    disorder=st.sampled_from([0.0, 0.1, 1.0]),
    held=st.integers(0, 2 * ORDERS),
    strays=st.integers(1, 4),
    stops=st.lists(st.integers(1, 12), max_size=2),
)
def test_any_order_and_any_stop(
    reader: Reader, seed: int, disorder: float, held: int, strays: int, stops: list[int]
) -> None:
    chance = random.Random(seed)

    def reorder(lines: list[bytes]) -> list[bytes]:
        places = [n + (chance.uniform(-1, 1) * disorder * len(lines)) for n in range(len(lines))]
        return [lines[n] for n in sorted(range(len(lines)), key=places.__getitem__)]

    reader.sandbox.bulk.script = [Ending(reorder=reorder)]
    before = len(reader.sandbox.bulk.all())
    seen: list[Batch] = []
    position: str | None = None
    for stop in [*stops, 10_000]:
        batches = reader.batches(position, held, strays)
        for _, batch in zip(range(stop), batches, strict=False):
            seen.append(batch)
            position = batch.position
    assert stored(seen) == reader.there
    assert [rejection for batch in seen for rejection in batch.rejected] == []
    assert len(reader.sandbox.bulk.all()) <= before + 1


def test_grouped_lines_need_no_request_but_for_the_file(reader: Reader) -> None:
    reader.sandbox.bulk.script = []
    log = len(reader.sandbox.log)
    assert stored(list(reader.batches(None, held=1, strays=1))) == reader.there
    assert not [e for e in reader.sandbox.log[log:] if b"ById" in e.request.body]


# -- by itself


def gid(kind: str, number: int) -> str:
    return f"gid://shopify/{kind}/{number}"


def add(join: Join, *nodes: dict[str, Any] | bytes) -> None:
    for node in nodes:
        join.add(node if isinstance(node, bytes) else orjson.dumps(node))


def order(number: int) -> dict[str, Any]:
    return {"id": gid("Order", number)}


def line(number: int, parent: int) -> dict[str, Any]:
    return {"id": gid("LineItem", number), "__parentId": gid("Order", parent)}


def test_children_before_and_behind_their_root() -> None:
    join = Join(FAMILIES["orders"], BEGINNING)
    add(join, line(1, 7), order(7), order(8), line(2, 7))
    whole = join.release(5)
    assert [node["id"][-1] for node in whole] == ["7", "8"]
    assert [child["id"][-1] for child in whole[0]["lineItems"]["nodes"]] == ["1", "2"]
    assert whole[1]["lineItems"]["nodes"] == []
    assert join.read_apart() == []


def test_the_place_is_before_all_that_is_not_whole_yet() -> None:
    join = Join(FAMILIES["orders"], Place(1000, 50))
    add(join, order(7))
    assert join.place == Place(1000, 50)
    add(join, order(8))
    join.release(1)
    assert join.place.line == 51
    add(join, line(1, 9))  # may belong to an order that comes yet
    join.release(1)
    assert join.place.line == 52
    add(join, order(9))
    assert join.place.line == 52
    join.release(1)
    assert join.place.line == 54


def test_the_place_is_not_between_a_child_and_its_root() -> None:
    """Whoever began there would meet the root, and not know of the child."""
    join = Join(FAMILIES["orders"], BEGINNING)
    add(join, line(1, 7), line(2, 9), order(7))
    assert len(join.release(1)) == 1
    assert join.place == BEGINNING
    add(join, order(9))
    join.release(1)
    assert join.place.line == 4


def test_who_is_read_apart_comes_no_second_time() -> None:
    join = Join(FAMILIES["orders"], BEGINNING)
    add(join, line(1, 7))
    assert join.read_apart() == ["7"]
    add(join, order(7), line(2, 7), order(8))
    assert [node["id"][-1] for node in join.release(9)] == ["8"]
    assert join.strays == 0
    assert join.place == BEGINNING, "whoever begins behind that line does not know that"


def test_the_same_root_twice_is_one_with_its_children_once() -> None:
    join = Join(FAMILIES["orders"], BEGINNING)
    add(join, order(7), line(1, 7), order(7) | {"test": True}, line(1, 7))
    [whole] = join.release(9)
    assert whole["test"] is True
    assert len(whole["lineItems"]["nodes"]) == 1


def test_a_child_of_something_else_is_no_child() -> None:
    join = Join(FAMILIES["orders"], BEGINNING)
    add(join, {"id": gid("LineItem", 1), "__parentId": gid("Fulfillment", 7)})
    [rejection] = join.rejected()
    assert rejection.id == "line 1"
    assert join.rejected() == []


def test_a_product_has_the_variants_that_its_page_would_have() -> None:
    join = Join(FAMILIES["products"], BEGINNING)
    prices = {"minVariantPrice": {"amount": "5.0", "currencyCode": "EUR"}}
    product: dict[str, Any] = {
        "id": gid("Product", 1), "title": "Honey", "vendor": "", "productType": "", "tags": [],
        "updatedAt": "2026-11-20T09:00:00Z", "publishedAt": None, "priceRangeV2": prices,
    }  # fmt: skip
    variants = [
        {"id": gid("ProductVariant", n), "position": n, "price": "5.0",
         "compareAtPrice": f"{n}.0", "__parentId": gid("Product", 1)}
        for n in range(6, 26)
    ]  # fmt: skip
    random.Random(1).shuffle(variants)
    add(join, product, *variants)
    [whole] = join.release(1)
    assert [v["position"] for v in whole["variants"]["nodes"]] == list(range(6, 16))
    assert to_product(whole).price == 600


@pytest.mark.parametrize(
    ("text", "node"),
    [
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": 1', None),
        (b"[1]", None),
        (b"\xff", None),
        (b"[" * 100_000, None),
    ],
)
def test_what_a_line_is(text: bytes, node: object) -> None:
    assert parse(text) == node
