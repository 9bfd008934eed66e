"""The sandbox charges what the real API charged for the same operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from segmentd_shopify.sandbox import ShopifySandbox
from segmentd_shopify.sandbox.cost import requested_cost, rows_factor
from segmentd_shopify.sandbox.schema import prepare

Ask = Callable[..., Any]

CUSTOMER = """id tags numberOfOrders amountSpent { amount currencyCode }
  defaultEmailAddress { emailAddress marketingState }
  defaultAddress { city zip }"""
CUSTOMERS = """query ($first: Int!) { customers(first: $first) {
  nodes { %s defaultPhoneNumber { phoneNumber %s } %s } pageInfo { hasNextPage endCursor } } }"""
PORTABLE = CUSTOMERS % (CUSTOMER, "", "")
NEW = CUSTOMERS % (
    CUSTOMER,
    "smsMarketingConsent { state }",
    "statistics { rfmGroup predictedSpendTier }",
)
ORDERS = """query ($first: Int!, $lines: Int!) { orders(first: $first) { nodes {
  id totalPriceSet { shopMoney { amount } presentmentMoney { amount } } attribution { handle }
  customer { id } shippingAddress { city } refunds(first: 20) { totalRefundedSet { shopMoney {
  amount } } } lineItems(first: $lines) { nodes { id discountedTotalSet { shopMoney { amount } }
  product { id tags } variant { id } } pageInfo { hasNextPage } } } } }"""
LINES = """query { order(id: "gid://shopify/Order/1") { lineItems(first: 100) { nodes {
  product { id } variant { id } } } } }"""
CHECKOUTS = """query { abandonedCheckouts(first: 100) { nodes { id totalPriceSet { shopMoney {
  amount } } customer { id } lineItems(first: 10) { nodes { id product { id } } } } } }"""
WEBHOOK = """mutation { webhookSubscriptionCreate(topic: ORDERS_CREATE, webhookSubscription:
  {uri: "https://x.example"}) { webhookSubscription { id apiVersion { handle } } userErrors {
  message } } }"""
STAGED = """mutation { stagedUploadsCreate(input: []) { stagedTargets { url parameters { name
  value } } userErrors { message } } }"""
SEGMENT = "query { customerSegmentMembers(first: 250) { edges { node { id } } } }"


def cost(text: str, **variables: Any) -> int:
    prepared = prepare(text, "2026-10")
    return requested_cost(prepared, prepared.variables(variables))


@pytest.mark.parametrize(
    ("text", "variables", "points"),
    [
        ("{ shop { name plan { publicDisplayName } } "
         "currentAppInstallation { accessScopes { handle } } }", {}, 4),
        ("{ currentAppInstallation { accessScopes { handle } } }", {}, 2),
        (PORTABLE, {"first": 250}, 35),
        (PORTABLE, {"first": 100}, 29),
        (PORTABLE, {"first": 50}, 23),
        (NEW, {"first": 250}, 57),
        ("{ customers(first: 250, sortKey: ID) { nodes { id updatedAt } } }", {}, 13),
        ('{ nodes(ids: ["gid://shopify/Customer/1"]) { id } }', {}, 1),
        (ORDERS, {"first": 50, "lines": 25}, 170),
        (ORDERS, {"first": 100, "lines": 25}, 218),
        (ORDERS, {"first": 250, "lines": 50}, 299),
        (LINES, {}, 30),
        (CHECKOUTS, {}, 110),
        ("{ products(first: 250) { nodes { id tags } } }", {}, 13),
        ('{ collection(id: "gid://shopify/Collection/1") { products(first: 250) '
         "{ nodes { id } } } }", {}, 14),
        ('mutation { bulkOperationRunQuery(query: "", groupObjects: false) '
         "{ bulkOperation { id } userErrors { message } } }", {}, 10),
        ('{ bulkOperation(id: "gid://shopify/BulkOperation/1") { status } }', {}, 1),
        (STAGED, {}, 11),
        ('mutation { customerUpdate(input: {tags: "a"}) { customer { id tags } } }', {}, 10),
        (WEBHOOK, {}, 11),
        ("{ webhookSubscriptions(first: 100) { nodes { id } } }", {}, 11),
        (SEGMENT, {}, 13),
        ("{ events(first: 100) { nodes { id } } }", {}, 11),
        ("{ customersCount { count precision } }", {}, 10),
    ],
)  # fmt: skip
def test_the_recorded_costs(text: str, variables: dict[str, Any], points: int) -> None:
    assert cost(text, **variables) == points


@pytest.mark.parametrize(
    ("rows", "factor"),
    [(0, 0), (1, 1), (2, 1), (3, 2), (5, 3), (10, 4), (20, 5), (25, 6), (50, 7), (100, 9),
     (250, 11)],
)  # fmt: skip
def test_rows_cost_less_and_less(rows: int, factor: int) -> None:
    assert rows_factor(rows) == factor


def test_an_interface_costs_its_dearest_branch() -> None:
    dear = "... on Order { customer { id } lineItems(first: 1) { nodes { id } } }"
    assert cost(
        f'{{ node(id: "gid://shopify/Order/1") {{ id {dear} ... on Customer {{ id }} }} }}'
    ) == 1 + 1 + (2 + 1)


def test_fragments_and_nodes_beside_edges_add_up() -> None:
    text = """query { customers(first: 10) { ...Both } }
    fragment Both on CustomerConnection { nodes { id } edges { cursor node { id } } }"""
    assert cost(text) == 2 + 4 + 4


MANY = "mutation { " + " ".join(
    f'm{n}: tagsAdd(id: "gid://shopify/Customer/1", tags: ["a"]) {{ userErrors {{ message }} }}'
    for n in range(101)
) + " }"  # fmt: skip


def test_a_request_may_cost_a_thousand(ask: Ask, sandbox: ShopifySandbox) -> None:
    hundred = MANY.replace("m100: ", "# ").replace("# ", "\n#").rpartition("\n")[0] + " }"
    assert ask(hundred)["extensions"]["cost"]["requestedQueryCost"] == 1000
    assert ask(MANY)["errors"] == [
        {
            "message": "Query cost is 1010, which exceeds the single query max cost limit (1000).",
            "extensions": {
                "code": "MAX_COST_EXCEEDED",
                "cost": 1010,
                "maxCost": 1000,
                "documentation": "https://shopify.dev/api/usage/rate-limits",
            },
        }
    ]
    assert sandbox.bucket.available() == 1000


def test_the_bucket_gives_back_what_was_not_used(ask: Ask) -> None:
    empty = ask(PORTABLE, first=250)["extensions"]["cost"]
    assert (empty["requestedQueryCost"], empty["actualQueryCost"]) == (35, 2)
    assert empty["throttleStatus"] == {
        "maximumAvailable": 2000,
        "currentlyAvailable": 1998,
        "restoreRate": 100,
    }


def test_an_empty_bucket_throttles_until_the_clock_moved(
    ask: Ask, sandbox: ShopifySandbox, recorded: Callable[[str], Any]
) -> None:
    sandbox.bucket.take(1970)
    throttled = ask(PORTABLE, first=250)
    example = next(case["body"] for case in recorded("errors") if "throttled" in case["case"])
    assert throttled["errors"] == example["errors"]
    assert "data" not in throttled
    assert throttled["extensions"]["cost"] == {
        "requestedQueryCost": 35,
        "actualQueryCost": None,
        "throttleStatus": {
            "maximumAvailable": 2000,
            "currentlyAvailable": 30,
            "restoreRate": 100,
        },
    }
    sandbox.clock.advance(0.04)
    assert "errors" in ask(PORTABLE, first=250)
    sandbox.clock.advance(0.01)
    assert "errors" not in ask(PORTABLE, first=250)


def test_a_mutation_that_is_refused_costs_all_the_same(ask: Ask) -> None:
    text = (
        'mutation { tagsAdd(id: "gid://shopify/Customer/9", tags: "a") { userErrors { message } } }'
    )
    assert ask(text)["extensions"]["cost"]["actualQueryCost"] == 10
