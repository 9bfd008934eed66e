"""The tests that every source passes."""
# ruff: noqa: S101 - a suite of tests

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import ClassVar

import pytest

from segmentd.domain.cursor import Cursor, Window
from segmentd.domain.errors import AuthError, SegmentdError, TransientError
from segmentd.domain.records import Customer, Order, OrderLine, Product
from segmentd.sdk.contract import Source, StreamKind
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.bench import (
    FAULTS,
    PLACES,
    Reading,
    Recorder,
    SourceBench,
    at,
    differences,
    frozen_clock,
    running,
    serving,
    text_of,
)
from segmentd.sdk.testing.sandbox import Request, Response, SandboxClock, ShopSandbox

Bench = SourceBench[ShopSandbox]
STREAMS = ("customers", "orders")


class SourceConformance:
    """Subclass it in ``tests/conformance`` and name the two classes; no more is needed.

        class TestShopifySource(SourceConformance):
            sandbox_class = ShopifySandbox
            source_class = ShopifySource
            extra_settings: ClassVar = {"page_size": 5}
            page_size = 5

    If the sandbox has a method ``poison(stream) -> id``, which makes one record unreadable, the
    isolation of such records is tested too.
    """

    sandbox_class: ClassVar[type[ShopSandbox]]
    source_class: ClassVar[type[Source]]
    extra_settings: ClassVar[Mapping[str, object]] = {}
    """Settings beside those that the sandbox gives: small pages make the suite fast."""
    page_size: ClassVar[int] = 50
    """Records in one page with these settings."""
    public_credentials: ClassVar[frozenset[str]] = frozenset()
    """Credentials that may be seen in addresses (the key of a pair of key and secret)."""

    def make_sandbox(self, clock: SandboxClock) -> ShopSandbox:
        """An empty shop."""
        return self.sandbox_class(clock)

    @contextlib.contextmanager
    def open(self) -> Iterator[Bench]:
        """A served empty shop and what is needed to read it."""
        sandbox = self.make_sandbox(frozen_clock())
        with serving(sandbox) as url:
            bench = SourceBench(sandbox, url, self.extra_settings, self.source_class)
            with running(bench):
                yield bench

    @pytest.fixture
    def bench(self) -> Iterator[Bench]:
        with self.open() as bench:
            yield bench

    # -- what the source says about itself

    def test_declares_its_streams_and_fields(self) -> None:
        names = [stream.name for stream in self.source_class.streams]
        order = ["products", "customers", "orders"]
        assert names == [name for name in order if name in names], "streams in reading order"
        assert {"customers", "orders"} <= set(names)
        assert all(stream.lag >= timedelta(0) for stream in self.source_class.streams)
        assert self.source_class.fields

    def test_info_tells_currency_zone_and_the_servers_clock(self, bench: Bench) -> None:
        bench.clock.advance(86_400 * 3)
        with bench.source() as source:
            info = source.info()
        assert len(info.currency) == 3
        assert info.time_zone
        assert abs(info.now - bench.clock.now()) <= timedelta(seconds=2)
        assert info.now.utcoffset() == timedelta(0)

    def test_counts_requests_and_never_writes(self, bench: Bench) -> None:
        fill(bench, self.page_size + 1)
        with bench.source() as source:
            source.info()
        bench.read("customers")
        assert bench.runtime.meter.requests == len(bench.sandbox.log)
        assert bench.runtime.meter.writes == 0
        assert bench.sandbox.writes() == 0

    def test_count_is_about_what_is_read(self, bench: Bench) -> None:
        fill(bench, 2 * self.page_size + 1)
        with bench.source() as source:
            count = source.count("orders", bench.window())
        assert count is None or count == len(bench.sandbox.projection()[1])

    # -- I1: what is read is what is there

    @pytest.mark.parametrize("stream", STREAMS)
    def test_i1_reads_every_field_of_every_record(self, bench: Bench, stream: str) -> None:
        fill_variety(bench)
        assert_read_whole(bench, stream, bench.read(stream))

    def test_i1_reads_products(self, bench: Bench) -> None:
        if "products" not in {stream.name for stream in self.source_class.streams}:
            pytest.skip("has no products")
        key = bench.sandbox.put_product(
            Product("71", "Größe <L>", "Shirt", "Acme", ["new"], ["Shirts"])
        )
        product = bench.read("products").latest[key]
        assert isinstance(product, Product)
        assert product.title == "Größe <L>"

    @pytest.mark.parametrize("stream", STREAMS)
    def test_i1_many_records_of_one_second(self, bench: Bench, stream: str) -> None:
        fill(bench, 3 * self.page_size + 1)
        assert_read_whole(bench, stream, bench.read(stream))
        exactly = Window(bench.now(), bench.now())
        assert_read_whole(bench, stream, bench.read(stream, exactly))

    def test_i1_an_order_with_many_lines(self, bench: Bench) -> None:
        customer = put_customer(bench, 1)
        put_order(bench, 1, customer, lines=300)
        put_order(bench, 2, customer, lines=2)
        assert_read_whole(bench, "orders", bench.read("orders"))

    def test_i1_an_empty_shop(self, bench: Bench) -> None:
        assert bench.read("customers").records == []
        assert bench.read("orders").records == []

    def test_i13_ids_beyond_floating_point(self, bench: Bench) -> None:
        first = bench.sandbox.put_customer(customer_number(2**53 + 1))
        second = bench.sandbox.put_customer(customer_number(2**53))
        assert set(bench.read("customers").latest) == {first, second}

    @pytest.mark.parametrize(
        "name",
        [
            "Zoë O'Brien",
            '"; DROP TABLE customers; --',
            "nul\x00inside",
            "שלום 👩‍👩‍👧",
            "=1+1",
            "x" * 65_536,
            "<b>&amp;</b>",
        ],
        ids=["quote", "sql", "nul", "unicode", "formula", "64kB", "html"],
    )
    def test_i1_awkward_texts(self, bench: Bench, name: str) -> None:
        bench.sandbox.put_customer(replace(customer_number(1), first_name=name, city=name[:200]))
        assert_read_whole(bench, "customers", bench.read("customers"))

    # -- I6: what changed is read, and reading goes on where it stopped

    @pytest.mark.parametrize("stream", STREAMS)
    def test_i6_both_ends_of_a_window_belong_to_it(self, bench: Bench, stream: str) -> None:
        fill(bench, 1)
        since = bench.now()
        bench.clock.advance(3600)
        fill(bench, 1, first=2)
        reading = bench.read(stream, Window(since, bench.now()))
        assert_read_whole(bench, stream, reading)

    @pytest.mark.parametrize("stream", STREAMS)
    def test_i6_a_change_comes_in_the_next_window(self, bench: Bench, stream: str) -> None:
        fill(bench, 3 * self.page_size)
        bench.clock.advance(86_400)
        changed = change(bench, stream, 2)
        reading = bench.read(stream, bench.window(timedelta(hours=1)))
        expected = projection(bench, stream)[changed]
        assert differences([expected], {changed: reading.latest.get(changed, expected)}) == []
        assert changed in reading.latest
        if self._kind(stream) is StreamKind.DELTA:
            assert len(reading.latest) < 3 * self.page_size, "a delta reads what changed, not all"

    @pytest.mark.parametrize("stream", STREAMS)
    def test_i6_nothing_changed_nothing_comes(self, bench: Bench, stream: str) -> None:
        fill(bench, 3)
        bench.clock.advance(86_400)
        reading = bench.read(stream, bench.window(timedelta(hours=1)))
        if self._kind(stream) is StreamKind.DELTA:
            assert reading.records == []
        else:
            assert_read_whole(bench, stream, reading)

    @pytest.mark.parametrize("stream", STREAMS)
    def test_i6_goes_on_from_every_position(self, bench: Bench, stream: str) -> None:
        fill(bench, 3 * self.page_size + 1)
        whole = bench.read(stream)
        assert len(whole.batches) > 1, "one page only: is page_size right?"
        window = bench.window()
        for number, batch in enumerate(whole.batches):
            rest = bench.read(stream, window, batch.position)
            both = Reading([*whole.batches[: number + 1], *rest.batches])
            assert_read_whole(bench, stream, both)
        late = bench.read(stream, window, whole.batches[-2].position)
        assert len(late.records) < len(whole.records), "a position saves reading again"

    @pytest.mark.parametrize("stream", STREAMS)
    def test_i6_a_change_during_the_reading_is_not_lost(self, bench: Bench, stream: str) -> None:
        fill(bench, 3 * self.page_size + 1)
        bench.clock.advance(60)
        lag = next(entry.lag for entry in self.source_class.streams if entry.name == stream)
        cursor = Cursor().open(bench.now(), lag)
        assert cursor.window
        seen = Reading()
        with bench.source() as source:
            for batch in source.read(stream, cursor.window, None):
                if not seen.batches:
                    bench.clock.advance(5)
                    change(bench, stream, 1)
                    change(bench, stream, 3 * self.page_size + 1)
                seen.batches.append(batch)
        bench.clock.advance(60)
        cursor = cursor.close().open(bench.now(), lag)
        assert cursor.window
        seen.batches += bench.read(stream, cursor.window).batches
        assert_read_whole(bench, stream, seen)

    @pytest.mark.parametrize("stream", STREAMS)
    def test_f31_pages_that_shift_lose_nothing(self, bench: Bench, stream: str) -> None:
        fill(bench, 3 * self.page_size + 1)
        untouched = set(projection(bench, stream))
        bench.clock.advance(60)
        seen = Reading()
        with bench.source() as source:
            for batch in source.read(stream, bench.window(), None):
                seen.batches.append(batch)
                if len(seen.batches) == 1:
                    bench.clock.advance(5)
                    leaving = str(batch.records[0].id)
                    untouched.discard(leaving)
                    shift(bench, stream, leaving)
        assert untouched - set(seen.latest) == set(), "an unchanged record was lost"

    def test_i6_a_refund_moves_an_old_order_into_the_window(self, bench: Bench) -> None:
        fill(bench, 2)
        bench.clock.advance(86_400 * 40)
        key = sorted(projection(bench, "orders"))[0]
        bench.sandbox.refund(key, 250, bench.now())
        order = bench.read("orders", bench.window(timedelta(hours=1))).latest[key]
        assert isinstance(order, Order)
        assert [refund.amount for refund in order.refunds] == [250]
        assert differences([projection(bench, "orders")[key]], {key: order}) == []

    def test_i6_a_cancellation_moves_an_old_order_into_the_window(self, bench: Bench) -> None:
        fill(bench, 2)
        bench.clock.advance(86_400 * 40)
        key = sorted(projection(bench, "orders"))[0]
        bench.sandbox.cancel(key, bench.now())
        order = bench.read("orders", bench.window(timedelta(hours=1))).latest[key]
        assert isinstance(order, Order)
        assert order.cancelled_at is not None
        assert differences([projection(bench, "orders")[key]], {key: order}) == []

    # -- I8: only what the shop confirms is gone

    def test_i8_confirms_only_what_is_gone(self, bench: Bench) -> None:
        gone, *alive = [put_customer(bench, number) for number in range(1, 5)]
        bench.sandbox.delete_customer(gone)
        with bench.source() as source:
            assert source.gone("customers", [*alive[:1], gone, *alive[1:]]) == {gone}
            assert source.gone("customers", []) == set()
            assert source.gone("customers", alive) == set()

    @pytest.mark.parametrize("fault", ["status-500", "page-404", "page-instead-of-json", "null"])
    def test_i8_trouble_is_no_deletion(self, bench: Bench, fault: str) -> None:
        alive = put_customer(bench, 1)
        trouble = faults.html(404) if fault == "page-404" else FAULTS[fault]
        bench.sandbox.faults[:] = [trouble] * 200
        gone: set[str] = set()
        with bench.source() as source, contextlib.suppress(SegmentdError):
            gone = source.gone("customers", [alive])
        assert gone == set()

    # -- I16: one bad record costs one record

    @pytest.mark.parametrize("stream", STREAMS)
    def test_i16_an_unreadable_record_is_rejected_alone(self, bench: Bench, stream: str) -> None:
        fill(bench, self.page_size + 1)
        poison = getattr(bench.sandbox, "poison", None)
        if poison is None:
            pytest.skip("the sandbox cannot make a record unreadable")
        bad = poison(stream)
        reading = bench.read(stream)
        assert reading.rejected == [bad]
        assert set(reading.latest) == set(projection(bench, stream)) - {bad}

    # -- F17 to F29: faults are got over, or said

    @pytest.mark.parametrize("place", PLACES)
    @pytest.mark.parametrize("fault", FAULTS)
    def test_f18_to_f27_one_fault_costs_nothing(self, bench: Bench, fault: str, place: str) -> None:
        fill(bench, 2 * self.page_size + 1)
        with bench.counted() as requests:
            bench.read("orders")
        bench.sandbox.faults[:] = at(place, requests[0], FAULTS[fault])
        assert_read_whole(bench, "orders", bench.read("orders"))
        assert bench.sandbox.faults == [], "the fault was not met"

    def test_f25_waits_exactly_as_long_as_the_server_says(self, bench: Bench) -> None:
        fill(bench, 1)
        times: list[float] = []

        def refuse(request: Request, handle: object) -> Response:  # noqa: ARG001
            times.append(bench.runtime.monotonic())
            return Response(429, {"retry-after": "17"})

        def serve_late(request: Request, handle: faults.Handler) -> Response:
            times.append(bench.runtime.monotonic())
            return handle(request)

        bench.sandbox.faults[:] = [refuse, serve_late]
        assert_read_whole(bench, "customers", bench.read("customers"))
        assert 17 <= times[1] - times[0] < 19
        assert bench.runtime.meter.waited >= 17

    @pytest.mark.parametrize("place", PLACES)
    @pytest.mark.parametrize("fault", ["status-500", "page-instead-of-json", "reset"])
    def test_f26_a_lasting_fault_is_no_end(self, bench: Bench, fault: str, place: str) -> None:
        fill(bench, 2 * self.page_size + 1)
        with bench.counted() as requests:
            bench.read("orders")
        script = at(place, requests[0], FAULTS[fault])
        bench.sandbox.faults[:] = script + [FAULTS[fault]] * 200
        with bench.counted() as requests:
            reading = bench.read_until_error("orders")
        assert isinstance(reading.error, TransientError), "reading must not end as if complete"
        assert requests[0] <= len(script) + 10, "a storm of retries"

    # -- rights and secrets

    def test_f35_wrong_secrets_stop_at_once(self, bench: Bench) -> None:
        fill(bench, 1)
        with bench.wrong_secrets() as wrong, bench.counted() as requests:
            with bench.source() as source, pytest.raises(AuthError) as raised:
                source.info()
            assert isinstance(bench.read_until_error("customers").error, AuthError)
        assert requests[0] <= 12, "a storm of retries"
        assert bench.leaked([text_of(raised.value)]) == []
        assert not [secret for secret in wrong if secret in text_of(raised.value)]

    def test_f35_a_lasting_401_is_an_auth_error(self, bench: Bench) -> None:
        fill(bench, 1)
        bench.sandbox.faults[:] = [faults.status(401, body=b'{"message":"no"}')] * 200
        with bench.counted() as requests:
            reading = bench.read_until_error("customers")
        assert isinstance(reading.error, AuthError)
        assert requests[0] <= 6, "a storm of retries"

    @pytest.mark.parametrize("code", [301, 302, 307, 308])
    def test_f22_follows_no_redirect(self, bench: Bench, code: int) -> None:
        fill(bench, 1)
        other = Recorder(frozen_clock())
        with serving(other) as elsewhere:
            bench.sandbox.faults[:] = [faults.redirect(f"{elsewhere}/steal", code)] * 200
            reading = bench.read_until_error("customers")
        assert isinstance(reading.error, SegmentdError)
        assert other.log == []

    @pytest.mark.parametrize("code", [400, 401, 403, 404, 500])
    def test_i14_no_secret_in_errors_or_logs(self, bench: Bench, code: int) -> None:
        fill(bench, 1)
        bench.sandbox.faults[:] = [faults.echo_everything(code)] * 200
        reading = bench.read_until_error("customers")
        assert isinstance(reading.error, SegmentdError)
        assert bench.leaked([text_of(reading.error)]) == []

    def test_i14_no_secret_in_addresses(self, bench: Bench) -> None:
        fill(bench, 1)
        bench.read("customers")
        addresses = [
            f"{entry.request.path}?{entry.request.query_string}" for entry in bench.sandbox.log
        ]
        assert bench.leaked(addresses, self.public_credentials) == []

    def _kind(self, stream: str) -> StreamKind:
        return next(entry.kind for entry in self.source_class.streams if entry.name == stream)


# -- what the shop is filled with


def customer_number(number: int) -> Customer:
    """An invented person."""
    return Customer(
        str(number),
        email=f"shopper{number}@shopper.example",
        first_name="Ada",
        last_name=f"Number {number}",
        country="DE",
        city="Köln",
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
            lines=[OrderLine("7001", None, 5, 450, title="Thing", sku="T-1")],
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
