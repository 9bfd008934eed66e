"""How much of a shop's time is taken: one request at a time, and a rest after each answer."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import pytest

from segmentd.sdk import Action, Change, Customer, Order, Runtime, TransientError, Window
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Fault, Request, Response
from segmentd_woocommerce.destination import WooCommerceDestination
from segmentd_woocommerce.sandbox import WooCommerceSandbox
from segmentd_woocommerce.settings import WooCommerceSettings
from segmentd_woocommerce.source import WooCommerceSource
from segmentd_woocommerce.turns import Turns, turns_of

Spans = list[tuple[float, float]]


class Clock:
    """Time that passes only where it is spent."""

    def __init__(self) -> None:
        self.now = 1000.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def runtime(self) -> Runtime:
        return Runtime(sleep=self.sleep, monotonic=lambda: self.now)


def check_load(spans: Spans, load: float) -> None:
    """Over every window from the beginning of one request to that of a later one."""
    for first, (begun, _) in enumerate(spans):
        busy = 0.0
        for (start, end), (next_begun, _) in zip(spans[first:], spans[first + 1 :], strict=False):
            busy += end - start
            assert end <= next_begun, "two at a time"
            assert busy <= load * (next_begun - begun) + 1e-6


@pytest.mark.parametrize("load", [0.01, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("seed", range(5))
def test_takes_no_more_than_its_share(load: float, seed: int) -> None:
    chance = random.Random(seed)
    clock, turns, spans = Clock(), Turns(), []
    runtime = clock.runtime()
    for _ in range(60):
        with turns.turn(runtime, load):
            begun = clock.now
            clock.sleep(chance.choice([0.0, 0.1, 0.6, 3.0, 60.0]))
            spans.append((begun, clock.now))
        clock.sleep(chance.choice([0.0, 0.0, 0.05, 2.0, 30.0]))
    check_load(spans, load)


def test_waits_only_for_what_is_left_and_counts_it() -> None:
    clock, turns = Clock(), Turns()
    runtime = clock.runtime()
    with turns.turn(runtime, 0.25):
        clock.sleep(2)
    clock.sleep(5)  # our own work
    with turns.turn(runtime, 0.25):
        assert clock.now == 1008.0
    assert (runtime.meter.waits, runtime.meter.waited) == (1, 1.0)
    clock.sleep(100)
    with turns.turn(runtime, 0.25):
        assert clock.now == 1108.0
    assert runtime.meter.waits == 1


def test_rests_after_a_failure_too() -> None:
    clock, turns = Clock(), Turns()

    def fail() -> None:
        with turns.turn(clock.runtime(), 0.5):
            clock.sleep(60)
            raise TransientError("no answer")

    with pytest.raises(TransientError):
        fail()
    with turns.turn(clock.runtime(), 0.5):
        assert clock.now == 1120.0


def test_an_interrupted_rest_lets_the_next_one_go() -> None:
    clock, turns = Clock(), Turns()

    def stop(seconds: float) -> None:
        raise KeyboardInterrupt

    with turns.turn(clock.runtime(), 0.5):
        clock.sleep(1)
    stopped = Runtime(sleep=stop, monotonic=lambda: clock.now)
    with pytest.raises(KeyboardInterrupt), turns.turn(stopped, 0.5):
        pass
    with turns.turn(clock.runtime(), 0.5):
        assert clock.now == 1002.0


def test_one_at_a_time_and_in_turn() -> None:
    """Whoever reads much must not keep out who has little to write."""
    turns, order, inside = Turns(), [], threading.Lock()
    first_waits = threading.Event()

    def ask(name: str, times: int) -> None:
        for _ in range(times):
            with turns.turn(Runtime(), 1.0):
                assert inside.acquire(blocking=False), "two at a time"
                order.append(name)
                first_waits.wait(5)
                inside.release()

    reader = threading.Thread(target=ask, args=("read", 3))
    reader.start()
    while not order:
        time.sleep(0.001)
    writer = threading.Thread(target=ask, args=("write", 1))
    writer.start()
    while len(turns._queue) < 2:
        time.sleep(0.001)
    first_waits.set()
    reader.join()
    writer.join()
    assert order == ["read", "write", "read", "read"]


def test_one_queue_for_each_shop() -> None:
    runtime = Runtime()
    assert turns_of("https://a.example", runtime) is turns_of("https://a.example", Runtime())
    assert turns_of("https://a.example", runtime) is not turns_of("https://b.example", runtime)


# -- in the connector


def note(spans: Spans, clock: Callable[[], float], then: Fault) -> Fault:
    def fault(request: Request, handle: Callable[[Request], Response]) -> Response:
        begun = clock()
        try:
            return then(request, handle)
        finally:
            spans.append((begun, clock()))

    return fault


@pytest.mark.parametrize("load", [0.2, 0.5, 1.0])
def test_reading_and_writing_share_the_load(
    sandbox: WooCommerceSandbox,
    settings: Callable[..., WooCommerceSettings],
    runtime: Runtime,
    new_order: Callable[..., Order],
    load: float,
) -> None:
    for number in range(1, 121):
        sandbox.put_customer(Customer(str(number)))
        sandbox.put_order(new_order(number))
    now = sandbox.clock.now()
    spans: Spans = []
    bad = {7: faults.status(500), 9: faults.status(429, {"retry-after": "3"}), 12: faults.reset()}
    sandbox.faults += [
        note(spans, runtime.monotonic, bad.get(number, faults.none())) for number in range(300)
    ]
    sandbox.store.host.start, sandbox.store.host.record = 0.12, 0.01
    source = WooCommerceSource(settings(load=load), runtime)
    destination = WooCommerceDestination(settings(load=load), runtime)
    source.info()
    for stream in ("customers", "orders", "products"):
        for _ in source.read(stream, Window(None, now), None):
            changes = [Change(Action.ADD, "VIP", str(number), None) for number in range(1, 4)]
            assert len(list(destination.apply(changes, {"VIP": "VIP"}))) == 3
    destination.close()
    source.close()
    assert len(spans) > 15
    check_load(spans, load)
    busy = sum(end - begun for begun, end in spans)
    assert runtime.meter.waited >= busy * (1 / load - 1) * 0.7
