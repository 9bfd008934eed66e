"""The suite for sources fails where it must: each planted bug is caught by the test named."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from segmentd.domain.cursor import Window
from segmentd.domain.errors import AuthError, RejectedError, SegmentdError, TransientError
from segmentd.domain.records import Customer, Order
from segmentd.sdk.contract import Batch, Runtime, ShopInfo
from segmentd.sdk.http import HttpClient, HttpResponse, classify_status
from segmentd.sdk.settings import ConnectorSettings
from segmentd.sdk.testing.conformance import SourceConformance
from segmentd.sdk.testing.memory import MemoryShop, MemorySource
from segmentd.sdk.testing.memory.mapping import read_records

PAGE = 4


class StrictSince(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        since = window.since and window.since + timedelta(seconds=1)
        return super().read(stream, replace(window, since=since), position)


class StrictUntil(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        return super().read(stream, replace(window, until=window.until - timedelta(1)), position)


class DropsLastPage(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        batches = list(super().read(stream, window, position))
        yield from batches[:-1] if len(batches) > 1 else batches


class ErrorIsTheEnd(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        with contextlib.suppress(TransientError):
            yield from super().read(stream, window, position)


class IgnoresPosition(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        return super().read(stream, window, None)


class PositionBehindUnreadRecords(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        for batch in super().read(stream, window, position):
            yield replace_position(batch, str(int(batch.position or 0) + 1))


class PagesByTime(MemorySource):
    """The next page begins behind the last time stamp, not behind the last record."""

    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        last: datetime | None = None
        for batch in super().read(stream, window, position):
            records: list[Any] = list(batch.records)
            yield Batch([r for r in records if r.updated_at != last], batch.position)
            last = records[-1].updated_at if records else last


class PagesByNumber(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        number = int(position or 0)
        while True:
            until = self._page(stream, window, None, (number + 1) * PAGE)
            records, rejected = read_records(stream, until["records"][number * PAGE :])
            number += 1
            yield Batch(records, str(number), rejected)
            if not until["more"]:
                return


class BadRecordSpoilsItsPage(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        for batch in super().read(stream, window, position):
            yield Batch([] if batch.rejected else batch.records, batch.position, batch.rejected)


class BadRecordStopsAll(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        for batch in super().read(stream, window, position):
            if batch.rejected:
                raise RejectedError(batch.rejected[0].reason)
            yield batch


class BadRecordIsDropped(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        for batch in super().read(stream, window, position):
            yield Batch(batch.records, batch.position)


class RetriesRefusals(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        for _ in range(20):
            with contextlib.suppress(AuthError):
                yield from super().read(stream, window, position)
                return
        raise AuthError("refused")


class WithClient(MemorySource):
    """A source whose HTTP client is changed."""

    def __init__(self, settings: ConnectorSettings, runtime: Runtime) -> None:
        super().__init__(settings, runtime)
        assert isinstance(self._client, HttpClient)
        self.change(self._client)

    def change(self, client: HttpClient) -> None:
        raise NotImplementedError


class FollowsRedirects(WithClient):
    def change(self, client: HttpClient) -> None:
        client._client.follow_redirects = True


class SecretInAddress(WithClient):
    def change(self, client: HttpClient) -> None:
        token = client._headers["authorization"].partition(" ")[2]
        client._auth = lambda outgoing: outgoing.params.update(token=token)


class IgnoresRetryAfter(WithClient):
    def change(self, client: HttpClient) -> None:
        def classify(response: HttpResponse) -> None:
            if response.status == 429:
                raise TransientError("slow down")
            classify_status(response)

        client._classify = classify


class NeverRetries(WithClient):
    def change(self, client: HttpClient) -> None:
        client._retry = replace(client._retry, attempts=1)


class TakesPagesForEmptyLists(WithClient):
    def change(self, client: HttpClient) -> None:
        send = client._send

        def tolerant(*arguments: Any) -> HttpResponse:
            response: HttpResponse = send(*arguments)
            if response.headers.get("content-type", "").startswith("text/html"):
                response.status, response.body = 200, b'{"count":0,"records":[],"more":false}'
            return response

        vars(client)["_send"] = tolerant


class SecretInErrors(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        try:
            yield from super().read(stream, window, position)
        except SegmentdError as error:
            assert isinstance(self._client, HttpClient)
            raise TransientError(f"{error} {self._client._headers}") from error


class BelievesAny404(MemorySource):
    def _is_gone(self, stream: str, key: str) -> bool:
        try:
            self._client.request("GET", f"/{stream}/{key}")
        except RejectedError:
            return True
        return False


class BelievesAnyFailure(MemorySource):
    def gone(self, stream: str, ids: Sequence[str]) -> set[str]:
        try:
            return super().gone(stream, ids)
        except TransientError:
            return set(ids)


class ForgetsLines(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        for batch in super().read(stream, window, position):
            for record in batch.records:
                if isinstance(record, Order):
                    record.lines = record.lines[:100]
            yield batch


class IdsThroughFloat(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        for batch in super().read(stream, window, position):
            for record in batch.records:
                record.id = str(int(float(record.id)))
            yield batch


class RawTexts(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        raw = self._page(stream, window, position, 1_000)["records"]
        yield Batch([customer_from(entry) for entry in raw], None)


class ReadsEverything(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        return super().read(stream, replace(window, since=None), position)


class OwnClock(MemorySource):
    def info(self) -> ShopInfo:
        return replace(super().info(), now=datetime(2020, 1, 1, tzinfo=UTC))


class FiltersByCreation(MemorySource):
    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        for batch in super().read(stream, window, position):
            kept = [r for r in batch.records if not window.since or placed(r) >= window.since]
            yield Batch(kept, batch.position)


class CountsNothing(MemorySource):
    def count(self, stream: str, window: Window) -> int | None:
        return 0


def replace_position(batch: Batch, position: str) -> Batch:
    return Batch(batch.records, position, batch.rejected)


def customer_from(entry: Mapping[str, Any]) -> Customer:
    instants = {key: datetime.fromisoformat(entry[key]) for key in ("updated_at", "created_at")}
    return Customer(**{**entry, **instants})


def placed(record: Any) -> datetime:
    return getattr(record, "placed_at", datetime.max.replace(tzinfo=UTC))


CAUGHT: Sequence[tuple[type[MemorySource], str, tuple[object, ...]]] = [
    (StrictSince, "i6_both_ends_of_a_window_belong_to_it", ("orders",)),
    (StrictUntil, "i6_both_ends_of_a_window_belong_to_it", ("customers",)),
    (DropsLastPage, "i1_many_records_of_one_second", ("orders",)),
    (
        ErrorIsTheEnd,
        "f26_a_lasting_fault_is_no_end",
        (
            "status-500",
            "last",
        ),
    ),
    (IgnoresPosition, "i6_goes_on_from_every_position", ("orders",)),
    (PositionBehindUnreadRecords, "i6_goes_on_from_every_position", ("orders",)),
    (PagesByTime, "i1_many_records_of_one_second", ("customers",)),
    (PagesByNumber, "f31_pages_that_shift_lose_nothing", ("customers",)),
    (PagesByNumber, "f31_pages_that_shift_lose_nothing", ("orders",)),
    (BadRecordSpoilsItsPage, "i16_an_unreadable_record_is_rejected_alone", ("orders",)),
    (BadRecordStopsAll, "i16_an_unreadable_record_is_rejected_alone", ("orders",)),
    (BadRecordIsDropped, "i16_an_unreadable_record_is_rejected_alone", ("customers",)),
    (RetriesRefusals, "f35_a_lasting_401_is_an_auth_error", ()),
    (FollowsRedirects, "f22_follows_no_redirect", (302,)),
    (SecretInAddress, "i14_no_secret_in_addresses", ()),
    (IgnoresRetryAfter, "f25_waits_exactly_as_long_as_the_server_says", ()),
    (
        NeverRetries,
        "f18_to_f27_one_fault_costs_nothing",
        (
            "reset",
            "middle",
        ),
    ),
    (
        TakesPagesForEmptyLists,
        "f18_to_f27_one_fault_costs_nothing",
        (
            "page-instead-of-json",
            "last",
        ),
    ),
    (SecretInErrors, "i14_no_secret_in_errors_or_logs", (500,)),
    (BelievesAny404, "i8_trouble_is_no_deletion", ("page-404",)),
    (BelievesAnyFailure, "i8_trouble_is_no_deletion", ("status-500",)),
    (ForgetsLines, "i1_an_order_with_many_lines", ()),
    (IdsThroughFloat, "i13_ids_beyond_floating_point", ()),
    (RawTexts, "i1_awkward_texts", ("nul\x00inside",)),
    (ReadsEverything, "i6_a_change_comes_in_the_next_window", ("orders",)),
    (ReadsEverything, "i6_nothing_changed_nothing_comes", ("customers",)),
    (OwnClock, "info_tells_currency_zone_and_the_servers_clock", ()),
    (FiltersByCreation, "i6_a_refund_moves_an_old_order_into_the_window", ()),
    (CountsNothing, "count_is_about_what_is_read", ()),
]


def suite_for(source: type[MemorySource]) -> SourceConformance:
    class Suite(SourceConformance):
        sandbox_class = MemoryShop
        source_class = source
        extra_settings: ClassVar = {"page_size": PAGE}
        page_size = PAGE

    return Suite()


@pytest.mark.parametrize(("mutant", "name", "arguments"), CAUGHT)
def test_a_planted_bug_is_caught(
    mutant: type[MemorySource], name: str, arguments: tuple[object, ...]
) -> None:
    sound, mutated = suite_for(MemorySource), suite_for(mutant)
    with sound.open() as bench:
        getattr(sound, f"test_{name}")(bench, *arguments)
    with mutated.open() as bench, pytest.raises((AssertionError, SegmentdError, KeyError)):
        getattr(mutated, f"test_{name}")(bench, *arguments)
