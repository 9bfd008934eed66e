"""One connection to a store: signs in, asks for pages that the host can bear, checks what comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from segmentd.sdk import (
    AuthError,
    ConfigError,
    HttpClient,
    HttpResponse,
    RejectedError,
    RetryPolicy,
    Runtime,
    TransientError,
)
from segmentd.sdk.retry import call
from segmentd_woocommerce.auth import Credentials, ways
from segmentd_woocommerce.errors import (
    BadSignatureError,
    BusyError,
    NotSignedInError,
    TooMuchError,
    classify,
    classify_root,
)
from segmentd_woocommerce.settings import WooCommerceSettings

LARGEST_PAGE = 100
"""More is refused with 400 (``per_page``) or 413 (``batch``)."""
_SMALLEST_PAGE = 10
"""The start of WordPress alone takes 0.1 s: still smaller pages only add load."""
_PAGES_BEFORE_GROWING = 20

T = TypeVar("T")
Row = dict[str, Any]
"""A record as the store shows it."""


@dataclass(frozen=True)
class Listing:
    """A part of a list."""

    rows: list[Row]
    total: int | None
    """``X-WP-Total``; 0 on orders if asked for beyond the end; None if a proxy dropped it."""
    asked: int
    """How many rows were asked for."""


class WooClient:
    """Requests to one store, one at a time: parallel ones gain little and burden the host."""

    def __init__(self, settings: WooCommerceSettings, runtime: Runtime) -> None:
        self._runtime = runtime
        self._credentials = Credentials(
            settings.secret("key"),
            settings.secret("secret"),
            ways(settings.auth, settings.store),
            runtime,
        )
        self._http = HttpClient(settings.store, runtime, auth=self._credentials, classify=classify)
        self._page = _PageSize(settings.per_page)

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def root(self, fields: str) -> HttpResponse:
        """What WordPress tells everybody about the site."""
        return self._http.request(
            "GET", "/wp-json/", params={"_fields": fields}, classify=classify_root
        )

    def get(self, path: str, params: Mapping[str, str]) -> HttpResponse:
        """One object of ``wc/v3``; MissingError if it was deleted."""
        return self._request("GET", path, params=params)

    def part(self, path: str, params: Mapping[str, str], offset: int, overlap: int = 0) -> Listing:
        """A part of a list from ``offset`` on: a page, and ``overlap`` rows more if possible."""

        def attempt() -> Listing:
            asked = min(LARGEST_PAGE, self._page.size + overlap)
            try:
                listing = self._part(path, {**params, "per_page": str(asked)}, offset, asked)
            except TransientError as error:
                self._page.failed(error)
                raise
            self._page.succeeded()
            return listing

        return call(attempt, RetryPolicy(), self._runtime)

    def named(
        self,
        path: str,
        ids: Sequence[int],
        params: Mapping[str, str],
        *,
        divisible: bool = False,
    ) -> list[Row]:
        """Those of ``ids`` (at most 100) that a list still has; see ``write``."""
        asked = {"include": ",".join(map(str, ids)), "per_page": str(len(ids))}
        wanted = set(ids)

        def attempt() -> list[Row]:
            response = self._request("GET", path, params={**params, **asked}, retry=False)
            return [row for row in rows_of(response) if row["id"] in wanted]

        return self._persist(attempt, divisible=divisible)

    def count(self, path: str, params: Mapping[str, str]) -> int | None:
        """How many rows a list has."""
        listing = self._part(path, {**params, "per_page": "1", "_fields": "id"}, 0, 1, retry=True)
        return listing.total

    def write(
        self, method: str, path: str, body: object, *, divisible: bool = False, **params: str
    ) -> Any:
        """Change something that may be changed twice; the answer's JSON.

        ``divisible``: if the host cannot do it all, TooMuchError at once instead of trying again.
        """

        def attempt() -> Any:
            return self._request(
                method, path, params=params, json=body, write=True, retry=False
            ).json()

        return self._persist(attempt, divisible=divisible)

    def _persist(self, attempt: Callable[[], T], *, divisible: bool) -> T:
        def once() -> T:
            try:
                return attempt()
            except BusyError:
                raise
            except TransientError as error:
                if divisible:
                    raise TooMuchError(error.message) from error
                raise

        return call(once, RetryPolicy(), self._runtime)

    def prove_write(self) -> None:
        """Ask for a change of no customer: shows whether the key may write and use batches."""
        self._request("POST", "customers/batch", json={"update": []})

    def _part(
        self, path: str, params: dict[str, str], offset: int, asked: int, *, retry: bool = False
    ) -> Listing:
        if offset:
            params["offset"] = str(offset)
        try:
            response = self._request("GET", path, params=params, retry=retry)
        except RejectedError as error:
            # not one record is refused but what we ask for, by the settings
            raise ConfigError(error.message) from error
        total = response.headers.get("x-wp-total", "")
        return Listing(rows_of(response), int(total) if total.isdigit() else None, asked)

    def _request(self, method: str, path: str, **options: Any) -> HttpResponse:
        """One request to ``wc/v3``, made again once if signing in another way can help."""
        try:
            return self._http.request(method, f"/wp-json/wc/v3/{path}", **options)
        except AuthError as error:
            if not self._can_sign_in_otherwise(error):
                raise
        return self._http.request(method, f"/wp-json/wc/v3/{path}", **options)

    def _can_sign_in_otherwise(self, error: AuthError) -> bool:
        if isinstance(error, NotSignedInError):
            return self._credentials.turn()
        if isinstance(error, BadSignatureError) and self._credentials.way == "oauth1":
            return error.server_now is not None and self._credentials.set_clock(error.server_now)
        return False


class _PageSize:
    """Rows to ask for: fewer as soon as the host fails, carefully more again later."""

    def __init__(self, most: int) -> None:
        self.size = most
        self._most = most
        self._good = 0

    def failed(self, error: TransientError) -> None:
        # a host that says "later" (429, 503) is not helped by smaller pages; one that breaks off,
        # runs out of time or prints half an answer is
        if not isinstance(error, BusyError):
            self.size = max(min(_SMALLEST_PAGE, self._most), self.size // 2)
        self._good = 0

    def succeeded(self) -> None:
        self._good += 1
        if self._good >= _PAGES_BEFORE_GROWING:
            self.size = min(self._most, self.size * 2)
            self._good = 0


def rows_of(response: HttpResponse) -> list[Row]:
    """The records of a list; TransientError if the answer is anything else than a list of them."""
    rows = response.json()
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get("id"), int) for row in rows
    ):
        raise TransientError(f"{response.place}: the answer is no list of records")
    return rows
