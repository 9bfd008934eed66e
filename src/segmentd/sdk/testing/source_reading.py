"""What a source reads is what is there."""
# ruff: noqa: S101 - a suite of tests

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from segmentd.domain.cursor import Window
from segmentd.domain.records import Product
from segmentd.sdk.testing.shop_contents import (
    STREAMS,
    Bench,
    assert_read_whole,
    customer_number,
    fill,
    fill_variety,
    projection,
    put_customer,
    put_order,
)
from segmentd.sdk.testing.source_case import SourceCase


class SourceReading(SourceCase):
    """Everything, field by field; see SourceConformance."""

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
        exactly = Window(bench.now(), bench.now())
        assert_read_whole(bench, stream, bench.read(stream))
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
