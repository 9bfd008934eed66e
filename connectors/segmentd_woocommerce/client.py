"""One connection to a store: signs in, takes turns, asks for what the host can bear."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
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
    UnreadableError,
    classify,
    classify_root,
)
from segmentd_woocommerce.pages import Listing, PageSize, Row
from segmentd_woocommerce.settings import WooCommerceSettings
from segmentd_woocommerce.turns import turns_of

_PATIENT = RetryPolicy()
_NOBODY = 2**53 - 1
"""An id that no record has."""

T = TypeVar("T")


class WooClient:
    """Requests to one store, one at a time."""

    def __init__(self, settings: WooCommerceSettings, runtime: Runtime) -> None:
        self._runtime = runtime
        self._credentials = Credentials(
            settings.secret("key"),
            settings.secret("secret"),
            ways(settings.auth, settings.store),
            runtime,
        )
        self._http = HttpClient(settings.store, runtime, auth=self._credentials, classify=classify)
        self._sizes: dict[str, PageSize] = defaultdict(lambda: PageSize(settings.per_page))
        self._turns = turns_of(settings.store, runtime)
        self._load = settings.load
        self._took = 0.0
        """Seconds that the last answer took."""

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def persist(self, attempt: Callable[[], T], policy: RetryPolicy = _PATIENT) -> T:
        """What ``attempt``, made again while it fails for now, returns."""
        return call(attempt, policy, self._runtime)

    def root(self, fields: str) -> HttpResponse:
        """What WordPress tells everybody about the site."""
        params = {"_fields": fields}
        return self.persist(
            lambda: self._send("GET", "/wp-json/", params=params, classify=classify_root)
        )

    def get(self, path: str, params: Mapping[str, str]) -> HttpResponse:
        """One object of ``wc/v3``; MissingError if it was deleted."""
        return self.persist(lambda: self._request("GET", path, params=params))

    def listing(self, path: str, params: Mapping[str, str], offset: int, asked: int) -> Listing:
        """A part of a list, tried once."""
        place = {"per_page": str(asked)} | ({"offset": str(offset)} if offset else {})
        try:
            response = self._request("GET", path, params={**params, **place})
        except RejectedError as error:
            # not one record is refused but what we ask for, by the settings
            raise ConfigError(error.message) from error
        total = response.headers.get("x-wp-total", "")
        return Listing(rows_of(response), int(total) if total.isdigit() else None, asked)

    def adaptively(self, path: str, ask: Callable[[int], T]) -> T:
        """What ``ask`` returns for as many rows of a list as the host can make in good time.

        UnreadableError if the host fails, again and again, even if asked for one.
        """
        size = self._sizes[path]
        rows = size.rows

        def attempt() -> T:
            nonlocal rows
            rows = size.rows
            try:
                answer = ask(rows)
            except BusyError:
                raise  # a host that says "later" (429, 503) is not helped by smaller pages
            except TransientError:
                size.failed()
                raise
            size.succeeded(self._took)
            return answer

        try:
            return self.persist(attempt)
        except BusyError:
            raise
        except TransientError as error:
            if rows > 1:
                raise
            raise UnreadableError(error.message) from error

    def named(
        self, path: str, ids: Sequence[int], params: Mapping[str, str], *, divisible: bool = False
    ) -> list[Row]:
        """Those of ``ids`` (at most 100) that a list still has; see ``write``."""
        return self._divisibly(lambda: self.named_once(path, ids, params), divisible=divisible)

    def named_once(self, path: str, ids: Sequence[int], params: Mapping[str, str]) -> list[Row]:
        """The same, tried once."""
        include = {**params, "include": ",".join(map(str, ids))}
        wanted = set(ids)
        return [row for row in self.listing(path, include, 0, len(ids)).rows if row["id"] in wanted]

    def unless_dead(self, path: str, attempt: Callable[[], T]) -> T:
        """What ``attempt`` returns; UnreadableError if the host fails at it though it answers for
        something else, TransientError if it cannot even do that."""
        try:
            return attempt()
        except BusyError:
            raise  # it says "later", and nothing of what it was asked
        except TransientError as error:
            # a list asked for nobody
            self.named_once(path, [_NOBODY], {"_fields": "id"})
            raise UnreadableError(error.message) from error

    def count(self, path: str, params: Mapping[str, str]) -> int | None:
        """How many rows a list has."""
        return self.persist(lambda: self.listing(path, {**params, "_fields": "id"}, 0, 1)).total

    def write(
        self, method: str, path: str, body: object, *, divisible: bool = False, **params: str
    ) -> Any:
        """Change something that may be changed twice; the answer's JSON.

        ``divisible``: if the host cannot do it all, TooMuchError at once instead of trying again.
        """

        def attempt() -> Any:
            return self._request(method, path, params=params, json=body, write=True).json()

        return self._divisibly(attempt, divisible=divisible)

    def _divisibly(self, attempt: Callable[[], T], *, divisible: bool) -> T:
        def once() -> T:
            try:
                return attempt()
            except BusyError:
                raise
            except TransientError as error:
                if divisible:
                    raise TooMuchError(error.message) from error
                raise

        return self.persist(once)

    def prove_write(self) -> None:
        """Ask for a change of no customer: shows whether the key may write and use batches."""
        nobody: dict[str, object] = {"update": []}
        self.persist(lambda: self._request("POST", "customers/batch", json=nobody))

    def _request(self, method: str, path: str, **options: Any) -> HttpResponse:
        """One request to ``wc/v3``, made again once if signing in another way can help."""
        try:
            return self._send(method, f"/wp-json/wc/v3/{path}", **options)
        except AuthError as error:
            if not self._can_sign_in_otherwise(error):
                raise
        return self._send(method, f"/wp-json/wc/v3/{path}", **options)

    def _send(self, method: str, path: str, **options: Any) -> HttpResponse:
        """One try, when it is our turn; whoever calls tries again."""
        with self._turns.turn(self._runtime, self._load):
            begun = self._runtime.monotonic()
            try:
                return self._http.request(method, path, retry=False, **options)
            finally:
                self._took = self._runtime.monotonic() - begun

    def _can_sign_in_otherwise(self, error: AuthError) -> bool:
        if isinstance(error, NotSignedInError):
            return self._credentials.turn()
        if isinstance(error, BadSignatureError) and self._credentials.way == "oauth1":
            return error.server_now is not None and self._credentials.set_clock(error.server_now)
        return False


def rows_of(response: HttpResponse) -> list[Row]:
    """The records of a list; TransientError if the answer is anything else than a list of them."""
    rows = response.json()
    if not isinstance(rows, list) or not all(
        isinstance(row, dict) and isinstance(row.get("id"), int) for row in rows
    ):
        raise TransientError(f"{response.place}: the answer is no list of records")
    return rows
