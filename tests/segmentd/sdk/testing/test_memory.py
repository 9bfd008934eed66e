"""The memory connector without HTTP, as tests of other pieces use it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from segmentd.domain.cursor import Window
from segmentd.domain.errors import ConfigError, TransientError
from segmentd.domain.records import Customer, Order
from segmentd.sdk.contract import Action, Change, Outcome, Runtime
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.memory import (
    MemoryDestination,
    MemoryLists,
    MemorySettings,
    MemoryShop,
    MemorySource,
    registered,
)
from segmentd.sdk.testing.sandbox import SandboxClock

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SETTINGS = MemorySettings(shop="shop", page_size=2)


@pytest.fixture
def shop() -> Iterator[MemoryShop]:
    shop = MemoryShop(SandboxClock(NOON, frozen=True))
    with registered("shop", shop):
        yield shop


@pytest.fixture
def runtime(shop: MemoryShop) -> Runtime:
    return Runtime(shop.clock.advance, now=shop.clock.now, random=random.Random(1))


def put_customers(shop: MemoryShop, count: int) -> None:
    for number in range(1, count + 1):
        shop.put_customer(Customer(str(number), email=f"shopper{number}@shopper.example"))


def read(runtime: Runtime, stream: str) -> list[str]:
    batches = MemorySource(SETTINGS, runtime).read(stream, Window(None, NOON), None)
    return [record.id for batch in batches for record in batch.records]


def test_reads_without_a_server(shop: MemoryShop, runtime: Runtime) -> None:
    put_customers(shop, 5)
    assert read(runtime, "customers") == ["1", "2", "3", "4", "5"]
    assert runtime.meter.requests == len(shop.log) == 3


def test_f18_retries_without_a_server(shop: MemoryShop, runtime: Runtime) -> None:
    put_customers(shop, 5)
    shop.faults[:] = [faults.reset(), faults.none(), faults.html(), faults.status(500)]
    assert read(runtime, "customers") == ["1", "2", "3", "4", "5"]
    assert runtime.meter.retries == 3
    shop.faults[:] = [faults.reset()] * 6
    with pytest.raises(TransientError):
        read(runtime, "customers")


def test_tags_without_a_server(shop: MemoryShop, runtime: Runtime) -> None:
    put_customers(shop, 1)
    shop.clock.advance(60)
    change = Change(Action.ADD, "VIP", "1", None)
    (receipt,) = MemoryDestination(SETTINGS, runtime).apply([change], {})
    assert receipt.outcome is Outcome.APPLIED
    assert receipt.updated_at == shop.clock.now()
    assert shop.tags() == {"1": {"VIP"}}


def test_lists_without_a_server(runtime: Runtime) -> None:
    lists = MemoryLists()
    settings = MemorySettings(shop="lists", kind="lists")
    with registered("lists", lists):
        destination = MemoryDestination(settings, runtime)
        names = {"VIP": destination.prepare("VIP", None)}
        change = Change(Action.ADD, "VIP", None, "ada@shopper.example")
        (receipt,) = destination.apply([change], names)
    assert receipt.outcome is Outcome.APPLIED
    assert lists.members() == {"VIP": {"ada@shopper.example"}}
    assert lists.consents() == {"ada@shopper.example": "NEVER_SUBSCRIBED"}


def test_a_change_without_the_key_that_is_needed(shop: MemoryShop, runtime: Runtime) -> None:
    change = Change(Action.ADD, "VIP", None, "ada@shopper.example")
    (receipt,) = MemoryDestination(SETTINGS, runtime).apply([change], {})
    assert (receipt.outcome, receipt.detail) == (Outcome.REJECTED, "has no customer_id")


def test_only_what_is_registered_can_be_reached(runtime: Runtime) -> None:
    with pytest.raises(ConfigError, match="'nowhere'"):
        MemorySource(MemorySettings(shop="nowhere"), runtime)


def test_what_is_put_in_and_taken_out_is_a_copy(shop: MemoryShop) -> None:
    customer = Customer("1", tags=["VIP"])
    shop.put_customer(customer)
    customer.tags.append("later")
    shop.projection()[0][0].tags.append("later")
    assert shop.tags() == {"1": {"VIP"}}


def test_a_deleted_customer_leaves_guest_orders(shop: MemoryShop) -> None:
    put_customers(shop, 1)
    order = Order("9", NOON, NOON, "EUR", 100, paid=True, customer_id="1")
    shop.put_order(order)
    shop.clock.advance(60)
    shop.delete_customer("1")
    (left,) = shop.projection()[1]
    assert left.customer_id is None
    assert left.updated_at == shop.clock.now()
