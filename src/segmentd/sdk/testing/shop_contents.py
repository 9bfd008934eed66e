"""What the suite for sources puts into a shop, and how it compares what was read with it."""
# ruff: noqa: S101 - part of a suite of tests

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from segmentd.domain.records import Customer, Order, OrderLine
from segmentd.sdk.testing.bench import (
    Reading,
    SourceBench,
    differences,
)
from segmentd.sdk.testing.sandbox import ShopSandbox

Bench = SourceBench[ShopSandbox]
STREAMS = ("customers", "orders")


def customer_number(number: int) -> Customer:
    """An invented person."""
    return Customer(
        str(number),
        email=f"shopper{number}@shopper.example",
        first_name="Ada",
        last_name=f"Number {number}",
        country="DE",
        city="Köln",
        postcode="50667",
        latitude=50.9375,
        longitude=6.9603,
        language="de",
        account_state="ENABLED",
        email_consent="SUBSCRIBED",
        sms_consent="NOT_SUBSCRIBED",
    )


def put_customer(bench: Bench, number: int) -> str:
    return bench.sandbox.put_customer(customer_number(number))


def put_order(bench: Bench, number: int, customer_id: str | None, lines: int = 1) -> str:
    """An order of ``lines`` lines at 1.99 each, placed now."""
    charged = [
        OrderLine(str(number * 1000 + line), None, 1, 199, title=f"Thing {line}")
        for line in range(lines)
    ]
    bench.orders[number] = bench.sandbox.put_order(
        Order(
            str(5000 + number),
            placed_at=bench.now(),
            updated_at=bench.now(),
            currency=bench.currency,
            total=199 * lines,
            paid=True,
            customer_id=customer_id,
            email=f"shopper{number}@shopper.example",
            status="paid",
            country="DE",
            lines=charged,
        )
    )
    return bench.orders[number]


def fill(bench: Bench, count: int, first: int = 1) -> None:
    """``count`` customers with an order each, all stamped with this second."""
    for number in range(first, first + count):
        put_order(bench, number, put_customer(bench, number))


def fill_variety(bench: Bench) -> None:
    """One record of each kind that has a meaning of its own."""
    ada = put_customer(bench, 1)
    bench.sandbox.set_tags(ada, ["Wholesale", "vip"])
    bench.clock.advance(60)
    bench.sandbox.put_customer(Customer("2"))  # an account without anything
    bench.sandbox.put_customer(
        replace(customer_number(3), region="CA", country="US", email_consent="UNSUBSCRIBED")
    )
    put_order(bench, 1, ada, lines=3)
    bench.clock.advance(60)
    put_order(bench, 2, None)  # a guest
    refunded = put_order(bench, 3, ada)
    cancelled = put_order(bench, 4, ada)
    bench.clock.advance(60)
    bench.sandbox.refund(refunded, 199, bench.now())
    bench.sandbox.cancel(cancelled, bench.now())
    base = Order("5005", bench.now(), bench.now(), bench.currency, 0, paid=False, customer_id=ada)
    bench.sandbox.put_order(replace(base, status="pending"))
    bench.sandbox.put_order(replace(base, id="5006", test=True, paid=True, status="paid"))
    bench.sandbox.put_order(
        replace(
            base,
            id="5007",
            total=450,
            paid=True,
            status="paid",
            discount=50,
            discount_codes=["SPRING"],
            tags=["gift"],
            lines=[OrderLine("7001", None, 5, 450, discount=50, title="Thing")],
        )
    )


def projection(bench: Bench, stream: str) -> Mapping[str, Customer | Order]:
    customers, orders = bench.sandbox.projection()
    return {record.id: record for record in (customers if stream == "customers" else orders)}


def change(bench: Bench, stream: str, number: int) -> str:
    """Edit the record with this number by hand; returns its id."""
    if stream == "customers":
        edited = replace(customer_number(number), last_name="Edited")
        return bench.sandbox.put_customer(edited)
    bench.sandbox.refund(bench.orders[number], 1, bench.now())
    return bench.orders[number]


def shift(bench: Bench, stream: str, key: str) -> None:
    """Make a record leave the list that is being read, and another one come."""
    if stream == "customers":
        bench.sandbox.delete_customer(key)
    else:
        bench.sandbox.cancel(key, bench.now())
    fill(bench, 1, first=4000)


def assert_read_whole(bench: Bench, stream: str, reading: Reading) -> None:
    """What was read is what is there, field by field."""
    assert differences(list(projection(bench, stream).values()), reading.latest) == []
    assert reading.rejected == []
