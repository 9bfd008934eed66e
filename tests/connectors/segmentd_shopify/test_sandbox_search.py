"""The sandbox falls into the same traps of the search syntax as the real API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from segmentd.sdk import Product
from segmentd_shopify.sandbox import ShopifySandbox

Ask = Callable[..., Any]
Make = Callable[..., Any]
ORDERS = """query ($query: String, $first: Int = 50, $after: String) {
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes { id } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""


@pytest.fixture
def find(ask: Ask, sandbox: ShopifySandbox, make_order: Make, start: datetime) -> Any:
    """Searches five orders, 1 to 5, the n-th changed n minutes before the start."""
    for number in range(1, 6):
        sandbox.put_order(make_order(number, at=start - timedelta(minutes=number)))
    sandbox.clock.advance(60)

    def search(query: str | None) -> list[str]:
        answer = ask(ORDERS, query=query)
        assert "search" not in answer["extensions"], answer["extensions"]["search"]
        return [node["id"].rpartition("/")[2] for node in answer["data"]["orders"]["nodes"]]

    return search


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (None, "54321"),
        ("", "54321"),
        ("updated_at:>='2026-11-20T08:57:00Z'", "321"),
        ("updated_at:>'2026-11-20T08:57:00Z'", "321"),
        ("updated_at:<='2026-11-20T08:57:00Z'", "543"),
        ("updated_at:<'2026-11-20T08:57:00Z'", "543"),
        ('updated_at:"2026-11-20T08:57:00Z"', "3"),
        ("updated_at:>='2026-11-20T08:56:00Z' AND updated_at:<='2026-11-20T08:58:00Z'", "432"),
        ("updated_at:>='2026-11-20T08:56:00Z' updated_at:<='2026-11-20T08:58:00Z'", "432"),
        ("updated_at:>='2026-11-20T09:57:00+01:00'", "321"),
        ("updated_at:>='2026-11-20T09:57:00'", "321"),
        ("updated_at:>='2026-11-20'", "54321"),
        ("updated_at:>=2026-11-21", ""),
        ("id:>=3", "543"),
        ("id:>3", "54"),
        ("id:<3", "21"),
        ("NOT id:3", "5421"),
        ("-id:3", "5421"),
        ("id:1 OR id:2", "21"),
        ("id:1 OR id:2 id:2 OR id:3", "2"),
        ("(id:1 id:2) OR id:3", "3"),
        ("-(id:1 OR id:2)", "543"),
    ],
)
def test_finds(find: Callable[[str | None], list[str]], query: str | None, found: str) -> None:
    assert find(query) == list(found)


def test_an_unquoted_timestamp_is_cut_at_its_hour_in_shop_time(
    ask: Ask, sandbox: ShopifySandbox, recorded: Callable[[str], Any]
) -> None:
    example = next(case["body"] for case in recorded("errors") if "unquoted" in case["case"])
    [expected] = example["extensions"]["search"]
    [search] = ask(ORDERS, query=expected["query"])["extensions"]["search"]
    # the shop of the recording was in New York, ours is in Berlin
    expected["parsed"]["and"][0]["range_gte"] = "2026-01-01T00:00:00+01:00"
    assert search == expected


def test_what_is_ignored_inside_of_alternatives_matches_nothing_less(ask: Ask) -> None:
    answer = ask(ORDERS, query="(colour:red OR size:xl) id:1")
    assert len(answer["extensions"]["search"][0]["warnings"]) == 2


def test_an_unquoted_timestamp_loses_its_minutes(
    ask: Ask, sandbox: ShopifySandbox, make_order: Make, start: datetime
) -> None:
    sandbox.put_order(make_order(1, at=start - timedelta(hours=1, minutes=30)))
    sandbox.clock.advance(60)
    # 09:00 in Berlin is 08:00 UTC: the order of 07:30 UTC is lost
    lost = ask(ORDERS, query="updated_at:>=2026-11-20T07:00:00Z")["data"]["orders"]["nodes"]
    assert [node["id"] for node in lost] == ["gid://shopify/Order/1"]
    lost = ask(ORDERS, query="updated_at:>=2026-11-20T09:00:00Z")["data"]["orders"]["nodes"]
    assert lost == []


def test_an_unknown_field_is_ignored_and_everything_matches(
    ask: Ask, sandbox: ShopifySandbox, make_customer: Make, recorded: Callable[[str], Any]
) -> None:
    for number in (1, 2, 3):
        sandbox.put_customer(make_customer(number))
    sandbox.clock.advance(60)
    answer = ask('{ customersCount(query: "email:x@example.com") { count precision } }')
    example = next(case["body"] for case in recorded("errors") if "invalid search" in case["case"])
    assert answer["data"]["customersCount"] == {"count": 3, "precision": "EXACT"}
    assert answer["extensions"]["search"] == example["extensions"]["search"]


@pytest.mark.parametrize("query", ["updated_at:>='soon'", "updated_at:>=soon", "id:many"])
def test_a_value_of_the_wrong_kind_is_ignored_with_a_warning(ask: Ask, query: str) -> None:
    [search] = ask(ORDERS, query=query)["extensions"]["search"]
    assert [warning["code"] for warning in search["warnings"]] == ["invalid_value"]


@pytest.mark.parametrize("query", ["updated_at:>", "updated_at:>=''", "id:1 OR"])
def test_a_comparison_without_a_value_makes_it_fail(ask: Ask, query: str) -> None:
    answer = ask(ORDERS, query=query)
    assert answer["data"] == {"orders": None}
    assert answer["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"


@pytest.mark.parametrize("query", ["financial_status:paid", "honey"])
def test_what_the_sandbox_cannot_search_is_said(post: Callable[..., Any], query: str) -> None:
    answer = post(ORDERS, query=query)
    assert answer.status == 400
    assert b"does not serve" in answer.body


# -- pages


def test_pages_by_cursor_behind_the_last_row(
    find: Any, ask: Ask, sandbox: ShopifySandbox, make_order: Make, start: datetime
) -> None:
    first = ask(ORDERS, first=2)["data"]["orders"]
    assert first["pageInfo"]["hasNextPage"]
    assert not first["pageInfo"]["hasPreviousPage"]
    cursor = first["pageInfo"]["endCursor"]
    # the row that the cursor names moves away: reading goes on behind its old place
    sandbox.put_order(make_order(4, at=start))
    sandbox.clock.advance(60)
    rest = ask(ORDERS, first=50, after=cursor)["data"]["orders"]
    assert [node["id"][-1] for node in rest["nodes"]] == ["3", "2", "1", "4"]
    assert rest["pageInfo"]["hasPreviousPage"]
    assert not rest["pageInfo"]["hasNextPage"]


def test_cursors_look_like_the_recorded_ones(
    ask: Ask, sandbox: ShopifySandbox, make_customer: Make, recorded: Callable[[str], Any]
) -> None:
    example = recorded("customers_page")["data"]["customers"]
    # the cursor's content: {"last_id": 7700000000103, "last_value": 1795162980000}
    moment = datetime.fromtimestamp(1795162980, UTC)
    sandbox.put_customer(make_customer(7700000000103, updated_at=moment))
    sandbox.clock.set(moment)
    sandbox.clock.advance(60)
    text = "{ customers(first: 1, sortKey: UPDATED_AT) { nodes { id } pageInfo { endCursor } } }"
    page = ask(text)["data"]["customers"]
    assert page["pageInfo"]["endCursor"] == example["pageInfo"]["endCursor"]


def test_an_empty_page_has_no_cursors(ask: Ask) -> None:
    page = ask(ORDERS)["data"]["orders"]
    assert (page["pageInfo"]["startCursor"], page["pageInfo"]["endCursor"]) == (None, None)


def test_a_cursor_of_another_sort_is_refused(find: Any, ask: Ask) -> None:
    text = "{ orders(first: 1, sortKey: ID) { pageInfo { endCursor } } }"
    cursor = ask(text)["data"]["orders"]["pageInfo"]["endCursor"]
    answer = ask(ORDERS, after=cursor)
    assert answer["data"] == {"orders": None}
    assert answer["errors"][0]["message"] == "Invalid cursor for current pagination sort."


@pytest.mark.parametrize("first", [251, -1])
def test_a_page_has_250_rows_at_most(ask: Ask, first: int) -> None:
    assert ask(ORDERS, first=first)["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


@pytest.mark.parametrize(
    "text",
    [
        "{ orders { nodes { id } } }",
        "{ orders(first: 1) { nodes { lineItems { nodes { id } } } } }",
        "{ products(first: 1) { nodes { variants { nodes { price } } } } }",
    ],
)
def test_a_page_must_have_a_size(
    ask: Ask, sandbox: ShopifySandbox, make_order: Make, text: str
) -> None:
    sandbox.put_order(make_order(1))
    sandbox.put_product(Product("9", "Honey"))
    sandbox.clock.advance(60)
    answer = ask(text)
    assert answer["errors"][0]["message"] == "you must provide one of first or last"


def test_counts_stop_at_their_limit(find: Any, ask: Ask) -> None:
    assert ask("{ ordersCount(limit: 3) { count precision } }")["data"] == {
        "ordersCount": {"count": 3, "precision": "AT_LEAST"}
    }


# -- the late index


@pytest.mark.parametrize("sandbox", [{"index_lag": 30.0}], indirect=True)
def test_search_is_late_and_reading_by_id_is_not(
    ask: Ask, sandbox: ShopifySandbox, make_order: Make
) -> None:
    sandbox.put_order(make_order(1))
    text = '{ orders(first: 1) { nodes { id } } order(id: "gid://shopify/Order/1") { id } }'
    assert ask(text)["data"]["orders"]["nodes"] == []
    assert ask(text)["data"]["order"] == {"id": "gid://shopify/Order/1"}
    sandbox.clock.advance(30)
    assert len(ask(text)["data"]["orders"]["nodes"]) == 1
