from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from segmentd.sdk import AuthError, ConfigError, RejectedError, Runtime, TransientError
from segmentd.sdk.testing import faults
from segmentd.sdk.testing.sandbox import Fault
from segmentd_shopify.client import ShopifyClient
from segmentd_shopify.errors import CursorError, SearchError, TokenError
from segmentd_shopify.operations import IDENTIFY, customers, tag_mutation
from segmentd_shopify.sandbox import ALL_SCOPES, ShopifySandbox
from segmentd_shopify.settings import ShopifySettings

Recorded = Callable[[str], Any]
Configure = Callable[..., ShopifySettings]
PAGE = {"first": 250, "after": None, "query": "updated_at:<='2026-11-20T09:00:00Z'"}
NEEDED = ("read_products", "read_customers", "read_orders")


def answers(body: object) -> Fault:
    return faults.body(json.dumps(body).encode())


def error(code: str | None, **more: Any) -> dict[str, Any]:
    return {"errors": [{"message": "No", "extensions": {"code": code}, **more}]}


@pytest.fixture
def example(recorded: Recorded) -> Callable[[str], Any]:
    """A recorded error by the beginning of its description."""

    def find(words: str) -> Any:
        cases = [case for case in recorded("errors") if case["case"].startswith(words)]
        assert len(cases) == 1
        return cases[0]["body"]

    return find


# -- every row of the table of errors


def test_waits_exactly_until_a_throttled_request_is_affordable(
    client: ShopifyClient,
    sandbox: ShopifySandbox,
    example: Callable[[str], Any],
    sleeps: list[float],
) -> None:
    sandbox.faults = [answers(example("throttled"))]
    assert client.execute(IDENTIFY, {})["shop"]["currencyCode"] == "EUR"
    assert sleeps == [pytest.approx((170 - 66) / 100)]


def test_a_request_that_is_too_expensive_is_not_tried_again(
    client: ShopifyClient, sandbox: ShopifySandbox, example: Callable[[str], Any]
) -> None:
    sandbox.faults = [answers(example("single query"))]
    with pytest.raises(ConfigError, match="orders_page"):
        client.execute(customers(), PAGE)
    assert len(sandbox.log) == 1


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("MAX_INPUT_SIZE_EXCEEDED", RejectedError),
        ("INVALID_VARIABLE", RejectedError),
        ("RESOURCE_NOT_FOUND", RejectedError),
        ("undefinedField", ConfigError),
        ("PARSE_ERROR", ConfigError),
        ("selectionMismatch", ConfigError),
        ("missingRequiredArguments", ConfigError),
        (None, ConfigError),
        ("ACCESS_DENIED", AuthError),
    ],
)
def test_lasting_errors_are_raised_at_once(
    client: ShopifyClient, sandbox: ShopifySandbox, code: str | None, kind: type[Exception]
) -> None:
    sandbox.faults = [answers(error(code))]
    with pytest.raises(kind) as raised:
        client.execute(customers(), PAGE)
    assert type(raised.value) is kind
    assert len(sandbox.log) == 1


@pytest.mark.parametrize(
    "fault",
    [
        answers(error("INTERNAL_SERVER_ERROR")),
        answers({"errors": "something is wrong"}),
        answers({"extensions": {}}),
        faults.status(500),
        faults.status(502),
        faults.status(504),
        faults.status(429, {"retry-after": "2"}),
        faults.html(),
        faults.reset(),
        faults.cut_body(10),
    ],
    ids=["internal", "text", "no-data", "500", "502", "504", "429", "html", "reset", "cut"],
)
def test_passing_trouble_is_tried_again(
    client: ShopifyClient, sandbox: ShopifySandbox, fault: Fault
) -> None:
    sandbox.faults = [fault]
    assert client.execute(customers(), PAGE)["page"]["nodes"] == []
    assert len(sandbox.log) == 2


def test_lasting_trouble_is_said(client: ShopifyClient, sandbox: ShopifySandbox) -> None:
    sandbox.faults = [answers(error("INTERNAL_SERVER_ERROR"))] * 10
    with pytest.raises(TransientError, match="Shopify failed"):
        client.execute(customers(), PAGE)
    assert len(sandbox.log) == 6


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (400, ConfigError, "does not take"),
        (401, TokenError, "refuses the token"),
        (402, AuthError, "frozen"),
        (403, AuthError, "scopes"),
        (404, ConfigError, "check shop"),
        (423, AuthError, "locked"),
        (430, AuthError, "security"),
    ],
)
def test_a_person_must_act(
    client: ShopifyClient, sandbox: ShopifySandbox, status: int, kind: type[Exception], words: str
) -> None:
    sandbox.faults = [faults.html(status)] * 3
    with pytest.raises(kind, match=words):
        client.execute(customers(), PAGE)
    assert len(sandbox.log) == 1


def test_data_beside_an_error_is_no_data(
    client: ShopifyClient, sandbox: ShopifySandbox, example: Callable[[str], Any]
) -> None:
    sandbox.faults = [answers(example("missing scope"))]
    with pytest.raises(AuthError, match="read_orders"):
        client.execute(customers(), PAGE)


@pytest.mark.parametrize("sandbox", [{"protected": {"Customer.firstName"}}], indirect=True)
def test_a_denied_field_passes_only_where_it_is_optional(
    client: ShopifyClient, sandbox: ShopifySandbox, make_customer: Callable[..., Any]
) -> None:
    sandbox.put_customer(make_customer(1, first_name="Tove"))
    sandbox.clock.advance(5)
    data = client.execute(customers(), PAGE, optional=frozenset({"firstName"}))
    assert data["page"]["nodes"][0]["firstName"] is None
    with pytest.raises(AuthError, match="firstName"):
        client.execute(customers(), PAGE, optional=frozenset({"lastName"}))


@pytest.mark.parametrize("case", ["unquoted timestamp", "invalid search field"])
def test_a_search_that_shopify_understood_otherwise_is_an_error(
    client: ShopifyClient, sandbox: ShopifySandbox, example: Callable[[str], Any], case: str
) -> None:
    sandbox.faults = [answers(example(case))]
    with pytest.raises(SearchError, match="did not understand our search"):
        client.execute(customers(), PAGE)


def test_an_unquoted_timestamp_is_an_error(client: ShopifyClient) -> None:
    with pytest.raises(SearchError, match="00"):
        client.execute(customers(), {**PAGE, "query": "updated_at:>=2026-01-01T00:00:00Z"})


def test_a_foreign_cursor_has_its_own_error(client: ShopifyClient) -> None:
    with pytest.raises(CursorError):
        client.execute(customers(), {**PAGE, "after": "bm90aGluZw=="})


# -- pacing


@pytest.mark.parametrize("sandbox", [{"points": 100.0, "restored": 10.0}], indirect=True)
def test_waits_before_the_bucket_is_empty(
    client: ShopifyClient, sandbox: ShopifySandbox, sleeps: list[float]
) -> None:
    tags = {"id0": "gid://shopify/Customer/1", "tags0": ["a"]}
    for _ in range(13):
        client.execute(tag_mutation(["tagsAdd"]), tags, write=True, cost=10)
    # 100 points pay for 10 of them, and 10 points come back in a second
    assert sum(sleeps) == pytest.approx(3.0)
    assert [entry.status for entry in sandbox.log] == [200] * 13
    assert sandbox.bucket.available() == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("sandbox", [{"points": 60.0, "restored": 10.0}], indirect=True)
def test_learns_what_an_operation_costs(
    client: ShopifyClient, sandbox: ShopifySandbox, sleeps: list[float]
) -> None:
    client.execute(IDENTIFY, {})
    for _ in range(20):
        client.execute(IDENTIFY, {})
    # 3 points each: the first guess of 50 is used once
    assert sum(sleeps) == pytest.approx(0.3, abs=0.11)
    assert "THROTTLED" not in str(sandbox.log)


# -- who the shop is


def test_identifies_shop_and_scopes(client: ShopifyClient, sandbox: ShopifySandbox) -> None:
    identity = client.identify(NEEDED)
    assert (identity.name, identity.currency) == ("sandbox", "EUR")
    assert identity.time_zone == "Europe/Berlin"
    assert identity.scopes == ALL_SCOPES
    assert identity.now == sandbox.clock.now()
    assert identity.warnings == []


@pytest.mark.parametrize("sandbox", [{"scopes": ALL_SCOPES - {"read_orders"}}], indirect=True)
def test_names_the_scope_that_is_missing(client: ShopifyClient) -> None:
    with pytest.raises(AuthError, match="read_orders"):
        client.identify(NEEDED)


@pytest.mark.parametrize("sandbox", [{"scopes": ALL_SCOPES - {"read_customers"}}], indirect=True)
def test_who_may_write_may_read(client: ShopifyClient) -> None:
    assert "read_customers" in client.identify(NEEDED).scopes


def test_a_token_of_another_shop_is_refused(configure: Configure, runtime: Runtime) -> None:
    with (
        closing(ShopifyClient(configure(shop="other.myshopify.com"), runtime)) as client,
        pytest.raises(ConfigError, match=r"answers as sandbox\.myshopify\.com"),
    ):
        client.identify(())


def test_a_retired_version_is_told(configure: Configure, runtime: Runtime) -> None:
    with closing(ShopifyClient(configure(api_version="2025-10"), runtime)) as client:
        warnings = client.identify(()).warnings
    assert len(warnings) == 1
    assert "2026-07 instead of 2025-10" in warnings[0]


def test_a_future_version_is_an_error(configure: Configure, runtime: Runtime) -> None:
    with (
        closing(ShopifyClient(configure(api_version="2027-01"), runtime)) as client,
        pytest.raises(ConfigError, match="check shop"),
    ):
        client.identify(())
