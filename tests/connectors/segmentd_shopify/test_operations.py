"""Every operation is valid, and fits into a request, on both API versions."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import TypeInfo, TypeInfoVisitor, Visitor, parse, visit

from segmentd_shopify.operations import (
    BULK_LIST,
    BULK_RUN,
    BULK_STATE,
    COUNTS,
    EXIST,
    IDENTIFY,
    ORDER_LINES,
    ORDERS,
    ORDERS_BY_ID,
    PRODUCTS,
    PRODUCTS_BY_ID,
    bulk_query,
    customers,
    tag_mutation,
)
from segmentd_shopify.sandbox.bulk_rules import refusals
from segmentd_shopify.sandbox.cost import MAXIMUM, requested_cost
from segmentd_shopify.sandbox.schema import VERSIONS, prepare, schema

SEARCH = "updated_at:>='2026-11-20T08:59:00Z' AND updated_at:<='2026-11-20T09:00:00Z'"
READS = (
    IDENTIFY,
    customers(),
    ORDERS,
    ORDER_LINES,
    ORDERS_BY_ID,
    PRODUCTS,
    PRODUCTS_BY_ID,
    EXIST,
    BULK_STATE,
    BULK_LIST,
    *COUNTS.values(),
)
BULK = [
    bulk_query("products", SEARCH),
    bulk_query("customers", SEARCH),
    bulk_query("orders", SEARCH),
]
METAFIELDS = [f"facts.number-{n}" for n in range(50)]
BOTH = pytest.mark.parametrize("version", VERSIONS)


def cost(operation: str, version: str = "2026-10", **variables: Any) -> int:
    prepared = prepare(operation, version)
    return requested_cost(prepared, prepared.variables(variables))


@BOTH
@pytest.mark.parametrize("operation", [*READS, customers(METAFIELDS)])
def test_reads_are_valid(version: str, operation: str) -> None:
    assert not prepare(operation, version).is_mutation


@BOTH
@pytest.mark.parametrize("query", [*BULK, bulk_query("customers", SEARCH, METAFIELDS)])
def test_shopify_runs_them_in_bulk(version: str, query: str) -> None:
    assert refusals(query, version) == []
    assert prepare(BULK_RUN, version).is_mutation


@pytest.mark.parametrize(
    ("query", "page"), list(zip(BULK, [PRODUCTS, customers(), ORDERS], strict=True))
)
def test_bulk_and_pages_ask_for_the_same(query: str, page: str) -> None:
    def fields(text: str) -> set[str]:
        ways = {"edges", "node", "nodes", "pageInfo", "hasNextPage", "endCursor"}
        # a place among its siblings, where lines come in no order
        own = {"position"}
        names = set()

        class Find(Visitor):
            def enter_field(self, node: Any, *_: Any) -> None:
                names.add(node.name.value)

        visit(parse(text), Find())
        return names - ways - own

    assert fields(query) == fields(page)


@BOTH
def test_tag_mutations_are_valid(version: str) -> None:
    assert prepare(tag_mutation(["tagsAdd", "tagsRemove"] * 10), version).is_mutation


@BOTH
@pytest.mark.parametrize("operation", [*READS, *BULK, tag_mutation(["tagsAdd", "tagsRemove"])])
def test_nothing_deprecated_but_the_phone_consent_is_used(version: str, operation: str) -> None:
    """Its successor does not exist in 2026-07 yet."""
    deprecated = []
    types = TypeInfo(schema(version))

    class Find(Visitor):
        def enter_field(self, node: Any, *_: Any) -> None:
            field = types.get_field_def()
            if field is not None and field.deprecation_reason is not None:
                deprecated.append(f"{types.get_parent_type()}.{node.name.value}")

    visit(parse(operation), TypeInfoVisitor(types, Find()))
    assert set(deprecated) <= {"CustomerPhoneNumber.marketingState"}


@BOTH
@pytest.mark.parametrize(
    ("operation", "variables", "points"),
    [
        (IDENTIFY, {}, 3),
        (customers(), {"first": 250, "query": ""}, 35),
        (customers(METAFIELDS), {"first": 250, "query": ""}, 585),
        (ORDERS, {"first": 100, "lines": 20, "query": ""}, 137),
        (ORDERS, {"first": 50, "lines": 25, "query": ""}, 121),
        (ORDERS, {"first": 250, "lines": 250, "query": ""}, 299),
        (ORDER_LINES, {"id": "gid://shopify/Order/1"}, 25),
        (PRODUCTS, {"first": 250, "query": ""}, 90),
        (ORDERS_BY_ID, {"ids": ["gid://shopify/Order/1"] * 100, "lines": 20}, 15),
        (PRODUCTS_BY_ID, {"ids": ["gid://shopify/Product/1"] * 100}, 8),
        (BULK_RUN, {"query": "{ shop { id } }", "grouped": True}, 10),
        (BULK_STATE, {"id": "gid://shopify/BulkOperation/1"}, 1),
        (BULK_LIST, {}, 6),
        (EXIST, {"ids": ["gid://shopify/Order/1"] * 250}, 1),
        (COUNTS["customers"], {"query": ""}, 10),
    ],
)
def test_what_reading_costs(
    version: str, operation: str, variables: dict[str, Any], points: int
) -> None:
    assert cost(operation, version, **variables) == points
    assert points < MAXIMUM


def test_twenty_tag_mutations_cost_200() -> None:
    variables: dict[str, Any] = {f"id{n}": "gid://shopify/Customer/1" for n in range(20)}
    variables |= {f"tags{n}": ["a"] for n in range(20)}
    assert cost(tag_mutation(["tagsAdd"] * 20), **variables) == 200
