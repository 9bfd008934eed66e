"""The sandbox understands the whole language of queries, and says what it does not model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from segmentd.sdk import OrderLine
from segmentd.sdk.testing.sandbox import Request, Response
from segmentd_shopify.sandbox import ALL_SCOPES, ShopifySandbox

Ask = Callable[..., Any]
Post = Callable[..., Response]
Make = Callable[..., Any]


@pytest.fixture
def three(sandbox: ShopifySandbox, make_customer: Make) -> None:
    """Customers 1 to 3, found by searching."""
    for number in (1, 2, 3):
        sandbox.put_customer(make_customer(number))
    sandbox.clock.advance(60)


@pytest.mark.usefixtures("three")
def test_edges_carry_the_cursors_of_their_nodes(ask: Ask) -> None:
    text = """query ($after: String) { customers(first: 2, after: $after) {
      edges { cursor node { id } } pageInfo { endCursor } } }"""
    page = ask(text)["data"]["customers"]
    assert page["edges"][1]["cursor"] == page["pageInfo"]["endCursor"]
    behind = ask(text, after=page["edges"][0]["cursor"])["data"]["customers"]["edges"]
    assert [edge["node"]["id"][-1] for edge in behind] == ["2", "3"]


@pytest.mark.usefixtures("three")
def test_fragments_on_types_interfaces_and_nothing(ask: Ask) -> None:
    text = """{ __typename customers(first: 1) { nodes { ... { id } ... on Node { id }
      ... on HasMetafields { __typename } ...Tags } } }
      fragment Tags on Customer { tags }"""
    node = {"id": "gid://shopify/Customer/1", "__typename": "Customer", "tags": []}
    assert ask(text)["data"] == {"__typename": "QueryRoot", "customers": {"nodes": [node]}}


def test_a_mistake_in_a_fragment_is_found_there(ask: Ask) -> None:
    text = "query Q { shop { ...F } } fragment F on Shop { nope }"
    [error] = ask(text)["errors"]
    assert error["path"] == ["fragment F", "nope"]


def test_of_several_operations_one_is_named(sandbox: ShopifySandbox) -> None:
    def answer(name: str | None) -> Any:
        content = {"query": "query A { shop { name } } query B { shop { id } }"}
        body = orjson.dumps({**content, "operationName": name})
        token = sandbox.credentials()["token"]
        headers = {"content-type": "application/json", "x-shopify-access-token": token}
        path = "/admin/api/2026-10/graphql.json"
        return orjson.loads(sandbox.respond(Request("POST", path, "", headers, body)).body)

    assert answer("A")["data"] == {"shop": {"name": "sandbox"}}
    assert answer("B")["data"] == {"shop": {"id": "gid://shopify/Shop/1"}}
    assert "operation name" in answer(None)["errors"][0]["message"]
    assert "'C'" in answer("C")["errors"][0]["message"]


def test_lines_go_on_behind_a_cursor(ask: Ask, sandbox: ShopifySandbox, make_order: Make) -> None:
    lines = [OrderLine(str(number), "9", 1, 100, title=" blank ") for number in range(10, 15)]
    sandbox.put_order(make_order(1, lines=lines))
    text = """query ($after: String) { order(id: "gid://shopify/Order/1") {
      lineItems(first: 3, after: $after) { nodes { id title }
      pageInfo { hasNextPage hasPreviousPage endCursor } } } }"""
    first = ask(text)["data"]["order"]["lineItems"]
    rest = ask(text, after=first["pageInfo"]["endCursor"])["data"]["order"]["lineItems"]
    assert [node["id"][-2:] for node in first["nodes"] + rest["nodes"]] == [
        "10", "11", "12", "13", "14",
    ]  # fmt: skip
    assert (first["pageInfo"]["hasNextPage"], rest["pageInfo"]["hasNextPage"]) == (True, False)
    assert rest["pageInfo"]["hasPreviousPage"]
    assert first["nodes"][0]["title"] == "blank"


@pytest.mark.parametrize(
    "text",
    [
        "{ segments(first: 1) { nodes { id } } }",
        "{ shop { url } }",
        "{ customers(first: 1) { nodes { note } } }",
        "{ customers(first: 1, sortKey: NAME) { nodes { id } } }",
        "{ orders(first: 1, reverse: true) { nodes { id } } }",
        "{ orders(last: 1) { nodes { id } } }",
        'mutation { tagsAdd(id: "gid://shopify/Order/1", tags: "a") { node { id } } }',
        'mutation { customerUpdate(input: {tags: "a"}) { customer { id } } }',
    ],
)
@pytest.mark.usefixtures("three")
def test_what_is_not_modelled_is_said(post: Post, text: str) -> None:
    answer = post(text)
    assert answer.status == 400
    assert b"does not serve" in answer.body


def test_a_single_record_of_another_kind_is_an_error(ask: Ask) -> None:
    answer = ask('{ order(id: "gid://shopify/Customer/1") { id } }')
    assert answer["data"] == {"order": None}
    assert answer["errors"][0]["extensions"]["code"] == "RESOURCE_NOT_FOUND"


@pytest.mark.parametrize("sandbox", [{"scopes": ALL_SCOPES - {"read_products"}}], indirect=True)
def test_rights_hold_for_single_records_and_products_of_lines(
    ask: Ask, sandbox: ShopifySandbox, make_order: Make
) -> None:
    sandbox.put_order(make_order(1))
    denied = ask('{ node(id: "gid://shopify/Product/9") { id } }')
    assert denied["errors"][0]["extensions"]["code"] == "ACCESS_DENIED"
    text = """{ order(id: "gid://shopify/Order/1") { lineItems(first: 1) {
      nodes { product { id } } } } }"""
    answer = ask(text)
    assert answer["data"]["order"]["lineItems"]["nodes"] == [{"product": None}]
    [error] = answer["errors"]
    assert error["path"] == ["order", "lineItems", "nodes", 0, "product"]


@pytest.mark.parametrize("cursor", ["bm90aGluZw==", "W10=", "!", "eyJsYXN0X2lkIjoxfQ=="])
def test_a_cursor_that_is_none_is_refused(ask: Ask, cursor: str) -> None:
    text = "query ($after: String) { orders(first: 1, after: $after) { nodes { id } } }"
    assert "Invalid cursor" in ask(text, after=cursor)["errors"][0]["message"]
