"""Portions that the host can make: more while it is quick, fewer when it is slow or fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta

import pytest

from segmentd.sdk import (
    Batch,
    Customer,
    Gone,
    Order,
    Record,
    Refund,
    Runtime,
    TransientError,
    Window,
)
from segmentd.sdk.testing import faults
from segmentd_woocommerce.pages import PageSize
from segmentd_woocommerce.sandbox import Host, WooCommerceSandbox
from segmentd_woocommerce.settings import WooCommerceSettings
from segmentd_woocommerce.source import WooCommerceSource

NewOrder = Callable[..., Order]


# -- how many


def sizes(size: PageSize, answers: list[float | None]) -> list[int]:
    """What is asked for after each answer, by its seconds; None for a failure."""
    found = []
    for seconds in answers:
        if seconds is None:
            size.failed()
        else:
            size.succeeded(seconds)
        found.append(size.rows)
    return found


@pytest.mark.parametrize(("most", "first"), [(100, 50), (50, 50), (20, 20), (1, 1)])
def test_begins_where_the_start_of_wordpress_weighs_little(most: int, first: int) -> None:
    assert PageSize(most).rows == first


@pytest.mark.parametrize(
    ("most", "answers", "asked"),
    [
        (100, [0.5, 0.5, 0.5], [100, 100, 100]),
        (70, [0.5], [70]),
        (100, [3.0, 4.9], [50, 50]),
        (100, [6.0, 6.0, 6.0, 6.0], [25, 12, 10, 10]),
        (7, [60.0], [7]),
        (100, [6.0, 1.0], [25, 50]),
        (100, [None, None, None, None, None], [25, 6, 1, 1, 1]),
        (100, [None, None, 0.2, 0.2, 0.2], [25, 6, 12, 24, 25]),
        (100, [None, 0.2, None, 0.2], [25, 25, 12, 12]),
        (1, [None, 0.2], [1, 1]),
    ],
)
def test_grows_and_shrinks(most: int, answers: list[float | None], asked: list[int]) -> None:
    assert sizes(PageSize(most), answers) == asked


def test_tries_what_failed_again_after_a_while() -> None:
    found = sizes(PageSize(100), [None, *[0.2] * 41])
    assert [found.index(size) for size in (25, 50, 100)] == [0, 20, 40]


# -- against hosts of all kinds


@pytest.fixture
def make(
    settings: Callable[..., WooCommerceSettings], runtime: Runtime
) -> Iterator[Callable[..., WooCommerceSource]]:
    made: list[WooCommerceSource] = []

    def one(**changes: object) -> WooCommerceSource:
        made.append(WooCommerceSource(settings(**changes), runtime))
        return made[-1]

    yield one
    for source in made:
        source.close()


Make = Callable[..., WooCommerceSource]


def fill(sandbox: WooCommerceSandbox, new_order: NewOrder, count: int) -> Window:
    begin = sandbox.clock.now()
    for number in range(1, count + 1):
        moment = begin + timedelta(seconds=number)
        sandbox.put_order(new_order(number, placed_at=begin, updated_at=moment))
        sandbox.put_customer(Customer(str(number)))
    sandbox.clock.advance(count + 1)
    return Window(None, sandbox.clock.now())


def read(source: WooCommerceSource, stream: str, window: Window) -> list[Batch]:
    return list(source.read(stream, window, None))


def records(batches: list[Batch]) -> list[Record]:
    return [record for batch in batches for record in batch.records]


def rejected(batches: list[Batch]) -> dict[str, str]:
    return {one.id: one.reason for batch in batches for one in batch.rejected}


def asked(sandbox: WooCommerceSandbox, path: str = "orders") -> list[int]:
    return [
        int(entry.request.query["per_page"])
        for entry in sandbox.log
        if entry.request.path.endswith(path) and entry.request.query.get("status") != "trash"
    ]


def test_a_good_host_is_asked_for_hundreds(
    sandbox: WooCommerceSandbox, make: Make, new_order: NewOrder
) -> None:
    window = fill(sandbox, new_order, 320)
    sandbox.store.host.start, sandbox.store.host.record = 0.12, 0.01
    assert len(records(read(make(), "orders", window))) == 320
    assert asked(sandbox) == [50, 100, 100, 100]


def test_a_slow_host_is_asked_for_few(
    sandbox: WooCommerceSandbox, make: Make, new_order: NewOrder
) -> None:
    window = fill(sandbox, new_order, 300)
    sandbox.store.host.start, sandbox.store.host.record = 1.0, 0.15
    assert len(records(read(make(), "orders", window))) == 300
    assert asked(sandbox)[:3] == [50, 26, 26]
    assert set(asked(sandbox)[1:]) == {26}


def test_a_host_that_gives_up_waiting_is_asked_for_less(
    sandbox: WooCommerceSandbox, make: Make, new_order: NewOrder
) -> None:
    window = fill(sandbox, new_order, 60)
    host = sandbox.store.host
    host.start, host.record, host.patience = 0.5, 0.5, 8.0
    assert len(records(read(make(), "orders", window))) == 60
    assert asked(sandbox)[:4] == [50, 25, 6, 7]


@pytest.mark.parametrize("memory", [1, 2, 40])
@pytest.mark.parametrize("stream", ["orders", "customers"])
def test_a_host_with_little_memory(
    sandbox: WooCommerceSandbox, make: Make, new_order: NewOrder, memory: int, stream: str
) -> None:
    window = fill(sandbox, new_order, 30)
    sandbox.store.host.memory = memory
    batches = read(make(), stream, window)
    assert len(records(batches)) == 30
    assert rejected(batches) == {}


def test_one_size_for_each_list(
    sandbox: WooCommerceSandbox, make: Make, new_order: NewOrder
) -> None:
    """Orders with all their lines weigh more than customers."""
    window = fill(sandbox, new_order, 60)
    sandbox.store.host.memory = 12
    source = make()
    read(source, "orders", window)
    sandbox.store.host.memory = None
    sandbox.log.clear()
    read(source, "customers", window)
    assert asked(sandbox, "customers") == [50, 100]


# -- records that break whatever page they are on


@pytest.mark.parametrize("bad", [1, 17, 30])
@pytest.mark.parametrize("stream", ["orders", "customers"])
def test_a_record_that_is_too_large_is_named_and_the_rest_is_read(
    sandbox: WooCommerceSandbox, make: Make, new_order: NewOrder, stream: str, bad: int
) -> None:
    window = fill(sandbox, new_order, 30)
    sandbox.store.host.too_large = {(stream, bad)}
    batches = read(make(), stream, window)
    ids = {record.id for record in records(batches)}
    assert ids == {str(number) for number in range(1, 31)} - {str(bad)}
    (reason,) = [rejected(batches)[str(bad)]]
    assert reason.startswith("the store fails whenever it has to show this record: 127.0.0.1")
    assert "500" in reason
    assert len(rejected(batches)) == 1


@pytest.mark.parametrize(
    ("bad", "names"),
    [
        ({1}, ["behind the beginning"]),
        ({17}, ["behind 16"]),
        ({17, 18, 20}, ["behind 16", "behind 19"]),
        ({30}, ["behind 29"]),
    ],
)
@pytest.mark.parametrize("stream", ["orders", "customers"])
def test_a_record_at_which_a_plugin_crashes_is_told_by_its_place(
    sandbox: WooCommerceSandbox,
    make: Make,
    new_order: NewOrder,
    stream: str,
    bad: set[int],
    names: list[str],
) -> None:
    window = fill(sandbox, new_order, 30)
    sandbox.store.host.crashing = {(stream, id_) for id_ in bad}
    batches = read(make(), stream, window)
    ids = {record.id for record in records(batches)}
    assert ids == {str(number) for number in range(1, 31) if number not in bad}
    assert sorted(rejected(batches)) == names


def test_after_a_crash_of_ours_a_broken_record_is_met_again(
    sandbox: WooCommerceSandbox, make: Make, new_order: NewOrder
) -> None:
    window = fill(sandbox, new_order, 30)
    sandbox.store.host.crashing = {("orders", 17)}
    whole = read(make(), "orders", window)
    (at,) = [number for number, batch in enumerate(whole) if batch.rejected]
    rest = list(make().read("orders", window, whole[at].position))
    assert rejected(rest).keys() == {"behind 16"}
    ids = {record.id for record in records(rest)}
    assert {str(number) for number in range(18, 31)} <= ids


def test_a_host_that_fails_at_all_records_is_broken_itself(
    sandbox: WooCommerceSandbox, make: Make, new_order: NewOrder
) -> None:
    window = fill(sandbox, new_order, 40)
    sandbox.store.host.crashing = {("orders", number) for number in range(1, 41)}
    with pytest.raises(TransientError, match="one record after the other"):
        read(make(), "orders", window)


def test_a_host_that_is_down_has_no_broken_records(
    sandbox: WooCommerceSandbox, make: Make, new_order: NewOrder
) -> None:
    window = fill(sandbox, new_order, 10)
    sandbox.faults += [faults.status(500)] * 100
    batches: list[Batch] = []
    with pytest.raises(TransientError, match="500"):
        batches.extend(make().read("orders", window, None))
    assert batches == []
    assert len(sandbox.log) <= 10


def test_an_order_whose_refunds_cannot_be_shown_is_rejected_alone(
    sandbox: WooCommerceSandbox, make: Make, new_order: NewOrder
) -> None:
    now = sandbox.clock.now()
    for number in range(1, 9):
        sandbox.put_order(new_order(number, refunds=[Refund(str(number + 100), now, 500)]))
    sandbox.store.host.crashing = {("refunds", 103)}
    batches = read(make(), "orders", Window(None, now))
    found = {record.id: record for record in records(batches) if not isinstance(record, Gone)}
    assert found.keys() == {"1", "2", "4", "5", "6", "7", "8"}
    assert list(rejected(batches)) == ["3"]
    one = found["8"]
    assert isinstance(one, Order)
    assert one.refunds == [Refund("108", now, 500)]


def test_what_breaks_the_store_is_not_confirmed_to_be_gone(
    sandbox: WooCommerceSandbox, make: Make
) -> None:
    sandbox.put_customer(Customer("1"))
    sandbox.store.host.crashing = {("customers", 1)}
    with closing(make()) as source:
        assert source.gone("customers", ["1", "2"]) == {"2"}
    sandbox.faults += [faults.status(500)] * 20
    with closing(make()) as source, pytest.raises(TransientError):
        source.gone("customers", ["1"])


def test_a_host_takes_no_time_unless_told(sandbox: WooCommerceSandbox, make: Make) -> None:
    assert sandbox.store.host == Host()
    before = sandbox.clock.now()
    make().info()
    assert sandbox.clock.now() == before
