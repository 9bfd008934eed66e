"""Reads a shop in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from segmentd.domain.cursor import Window
from segmentd.domain.fields import (
    ACCOUNT_FIELDS,
    ADDRESS_FIELDS,
    CONSENT_FIELDS,
    COORDINATE_FIELDS,
    META_FIELDS,
    METAFIELDS,
    ORDER_FIELDS,
    PROFILE_FIELDS,
)
from segmentd.sdk.contract import Batch, Runtime, ShopInfo, Source, Stream
from segmentd.sdk.http import HttpResponse, classify_status
from segmentd.sdk.pagination import Page, paginate
from segmentd.sdk.settings import ConnectorSettings
from segmentd.sdk.testing.memory.client import connect
from segmentd.sdk.testing.memory.mapping import read_records
from segmentd.sdk.testing.memory.settings import MemorySettings


class MemorySource(Source):
    """Lists by change time, page by page, each behind the last id of the one before."""

    Settings = MemorySettings
    streams: ClassVar[Sequence[Stream]] = (
        Stream("products"),
        Stream("customers"),
        Stream("orders"),
    )
    fields = (
        ORDER_FIELDS | ADDRESS_FIELDS | CONSENT_FIELDS | ACCOUNT_FIELDS | PROFILE_FIELDS
        | COORDINATE_FIELDS | METAFIELDS | META_FIELDS
    )  # fmt: skip

    def __init__(self, settings: ConnectorSettings, runtime: Runtime) -> None:
        self._settings = MemorySettings.model_validate(settings)
        self._runtime = runtime
        self._client = connect(self._settings, runtime)

    def info(self) -> ShopInfo:
        response = self._client.request("GET", "/shop")
        shop = response.json()
        now = response.date or self._runtime.now()
        return ShopInfo(shop["name"], shop["currency"], shop["time_zone"], now)

    def count(self, stream: str, window: Window) -> int | None:
        return int(self._page(stream, window, None, 1)["count"])

    def read(self, stream: str, window: Window, position: str | None) -> Iterator[Batch]:
        def fetch(after: str | None) -> Page[Mapping[str, Any]]:
            page = self._page(stream, window, after, self._settings.page_size)
            return Page(page["records"], page["records"][-1]["id"] if page["more"] else None)

        for page in paginate(fetch, position):
            records, rejected = read_records(stream, page.items)
            last = str(page.items[-1]["id"]) if page.items else position
            yield Batch(records, last, rejected)

    def gone(self, stream: str, ids: Sequence[str]) -> set[str]:
        return {key for key in ids if self._is_gone(stream, key)}

    def close(self) -> None:
        self._client.close()

    def _page(self, stream: str, window: Window, after: str | None, size: int) -> Any:
        params = {"until": window.until.isoformat(), "limit": str(size), "after": after or ""}
        if window.since:
            params["since"] = window.since.isoformat()
        return self._client.request("GET", f"/{stream}", params=params).json()

    def _is_gone(self, stream: str, key: str) -> bool:
        response = self._client.request("GET", f"/{stream}/{key}", classify=_found_or_missing)
        return response.status == 404


def _found_or_missing(response: HttpResponse) -> None:
    """Only the shop's own word for it counts: any 404 may come from a proxy or a broken route."""
    if response.status != 404 or response.json().get("code") != "not_found":
        classify_status(response)
