"""The sandbox answers in the shapes that the real API was recorded with, refusals included."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from segmentd.sdk import Customer, Order, OrderLine, Product
from segmentd.sdk.testing.sandbox import Request, Response
from segmentd_shopify.sandbox import ALL_SCOPES, ShopifySandbox

Ask = Callable[..., Any]
Post = Callable[..., Response]
Make = Callable[..., Any]
GRAPHQL = "/admin/api/2026-10/graphql.json"


def united(shapes: list[Any]) -> Any:
    """One shape with every field that any of ``shapes`` has; nulls and empty lists give way."""
    known = [shape for shape in shapes if shape not in (None, [])]
    if known and isinstance(known[0], dict):
        keys = {key: None for shape in known for key in shape}
        return {key: united([shape.get(key) for shape in known]) for key in keys}
    if known and isinstance(known[0], list):
        return united([each for shape in known for each in shape])
    return None


def selection(shape: Any) -> str:
    """The GraphQL selection whose answer has the fields of the united ``shape``."""
    if shape is None:
        return ""
    fields = []
    for key, inner in shape.items():
        arguments = "(first: 1)" if key == "lineItems" else ""
        fields.append(f"{key}{arguments} {selection(inner)}")
    return "{ " + " ".join(fields) + " }"


def kinds(value: Any) -> Any:
    """Keys and types of a value; lists by their first element."""
    if isinstance(value, Mapping):
        return {key: kinds(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [kinds(value[0])] if value else []
    return type(value).__name__


def test_customers_have_the_recorded_shape(
    ask: Ask, sandbox: ShopifySandbox, recorded: Callable[[str], Any], make_order: Make
) -> None:
    example = recorded("customers_page")["data"]["customers"]
    nodes = example["nodes"]
    # the sandbox keeps no times of consents
    for node in nodes:
        (node["defaultEmailAddress"] or {}).update(marketingUpdatedAt=None)
        (node["defaultPhoneNumber"] or {}).update(marketingUpdatedAt=None)
    for node in nodes:
        sandbox.put_customer(as_customer(node))
    sandbox.put_order(make_order(1, customer_id="7700000000101"))
    sandbox.clock.advance(60)
    text = f"{{ customers(first: 3, sortKey: UPDATED_AT) {selection(united([example]))} }}"
    answer = ask(text)["data"]["customers"]["nodes"]
    assert [kinds(node) for node in answer] == [kinds(node) for node in nodes]
    assert answer[0]["numberOfOrders"] == "1"
    assert answer[0]["amountSpent"] == {"amount": "12.5", "currencyCode": "EUR"}
    for made, node in zip(answer, nodes, strict=True):
        same = ("id", "createdAt", "updatedAt", "tags", "locale", "state", "defaultAddress")
        assert {key: made[key] for key in same} == {key: node[key] for key in same}


def as_customer(node: Mapping[str, Any]) -> Customer:
    email, phone = node["defaultEmailAddress"] or {}, node["defaultPhoneNumber"] or {}
    address = node["defaultAddress"] or {}
    return Customer(
        node["id"].rpartition("/")[2],
        datetime.fromisoformat(node["updatedAt"]),
        datetime.fromisoformat(node["createdAt"]),
        email.get("emailAddress"),
        node["firstName"],
        node["lastName"],
        phone.get("phoneNumber"),
        address.get("countryCodeV2"),
        address.get("provinceCode"),
        address.get("city"),
        address.get("zip"),
        language=node["locale"],
        account_state=node["state"],
        email_consent=email.get("marketingState"),
        sms_consent=phone.get("marketingState"),
        tags=node["tags"],
    )


def test_orders_have_the_recorded_shape(
    ask: Ask,
    sandbox: ShopifySandbox,
    recorded: Callable[[str], Any],
    make_order: Make,
    start: datetime,
) -> None:
    example = recorded("orders_page")["data"]["orders"]
    # the sandbox keeps nothing of a line that no rule asks for
    for node in example["nodes"]:
        for line_node in node["lineItems"]["nodes"]:
            for name in ("sku", "isGiftCard", "variant"):
                del line_node[name]
    line = OrderLine("5", "8800000001", 2, 5500, 0, "Heather honey", "Imkerei Nord")
    common = {
        "email": "mirela@shopper.example",
        "channel": "web",
        "discount_codes": ["SPRING10"],
        "customer_id": "7",
        "country": "DE",
        "city": "Bremen",
    }
    sandbox.put_order(make_order(1, lines=[line], **common))
    partly = OrderLine("8", "8800000001", 3, 9000, 0, "Candle", "Imkerei Nord")
    sandbox.put_order(make_order(2, lines=[partly, line], total=13450, **common))
    sandbox.refund("2", 3000, start)
    bare = OrderLine("9", None, 1, 1200, 0, "Deleted product line", None)
    guest = {"email": "walkin@shopper.example", "discount_codes": ["SPRING10"], "paid": False}
    sandbox.put_order(make_order(3, lines=[bare], **guest))
    sandbox.cancel("3", start)
    sandbox.clock.advance(60)
    text = f"{{ orders(first: 3, sortKey: UPDATED_AT) {selection(united([example]))} }}"
    answer = ask(text)["data"]["orders"]
    recorded_kinds = [kinds(node) for node in example["nodes"]]
    # products of deleted ones have no tags here; the guest's order came from no channel
    recorded_kinds[2]["sourceName"] = "NoneType"
    for kind in recorded_kinds[:2]:
        kind["lineItems"]["nodes"][0]["product"]["tags"] = []
        kind["lineItems"]["nodes"][0]["product"]["productType"] = "str"
    assert [kinds(node) for node in answer["nodes"]] == recorded_kinds
    totals = [node["totalPriceSet"]["shopMoney"]["amount"] for node in answer["nodes"]]
    assert totals == ["12.5", "134.5", "12.5"]
    assert answer["nodes"][1]["displayFinancialStatus"] == "PARTIALLY_REFUNDED"
    assert answer["nodes"][1]["netPaymentSet"]["shopMoney"]["amount"] == "104.5"
    assert answer["nodes"][2]["currentTotalPriceSet"]["shopMoney"]["amount"] == "0.0"


def test_the_last_page_is_the_recorded_one(ask: Ask, recorded: Callable[[str], Any]) -> None:
    text = """{ orders(first: 50) { nodes { id customer { id } } pageInfo { hasNextPage endCursor }
    } }"""
    example = recorded("orders_last_page_empty")
    answer = ask(text)
    assert answer["data"] == example["data"]
    assert answer["extensions"]["cost"]["actualQueryCost"] == 2


def test_without_the_discounts_by_code_a_line_is_dearer(
    ask: Ask, sandbox: ShopifySandbox, make_order: Make
) -> None:
    line = OrderLine("5", "9", 1, 1250, discount=250)
    sandbox.put_order(make_order(1, discount=250, discount_codes=["SPRING10"], lines=[line]))
    text = """{ order(id: "gid://shopify/Order/1") { lineItems(first: 1) { nodes {
      before: originalTotalSet { shopMoney { amount } }
      without: discountedTotalSet { shopMoney { amount } }
      with: discountedTotalSet(withCodeDiscounts: true) { shopMoney { amount } } } } } }"""
    [answered] = ask(text)["data"]["order"]["lineItems"]["nodes"]
    assert {key: money["shopMoney"]["amount"] for key, money in answered.items()} == {
        "before": "15.0",
        "without": "15.0",
        "with": "12.5",
    }


def test_metafields_are_answered_by_namespace_and_key(
    ask: Ask, sandbox: ShopifySandbox, make_customer: Make
) -> None:
    sandbox.put_customer(make_customer(1, traits={"metafields.facts.shoe_size": "42"}))
    text = """{ customer(id: "gid://shopify/Customer/1") {
      a: metafield(namespace: "facts", key: "shoe_size") { namespace key value }
      b: metafield(namespace: "facts", key: "birth_date") { value }
      c: metafield(key: "shoe_size") { value } } }"""
    assert ask(text)["data"]["customer"] == {
        "a": {"namespace": "facts", "key": "shoe_size", "value": "42"},
        "b": None,
        "c": None,
    }


def test_a_product_has_one_variant_at_its_price(ask: Ask, sandbox: ShopifySandbox) -> None:
    sandbox.put_product(Product("9", "Honey", price=1250, published_at=sandbox.shop.now()))
    sandbox.put_product(Product("10"))
    text = """query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Product { publishedAt
      priceRangeV2 { minVariantPrice { amount currencyCode } }
      variants(first: 10) { nodes { price compareAtPrice } } } } }"""
    ids = ["gid://shopify/Product/9", "gid://shopify/Product/10"]
    honey, free = ask(text, ids=ids)["data"]["nodes"]
    assert honey == {
        "publishedAt": "2026-11-20T09:00:00Z",
        "priceRangeV2": {"minVariantPrice": {"amount": "12.5", "currencyCode": "EUR"}},
        "variants": {"nodes": [{"price": "12.5", "compareAtPrice": None}]},
    }
    assert (free["publishedAt"], free["variants"]["nodes"][0]["price"]) == (None, "0.0")


# -- refusals


@pytest.mark.parametrize("sandbox", [{"scopes": ALL_SCOPES - {"read_orders"}}], indirect=True)
def test_a_missing_scope_nulls_one_field(ask: Ask, recorded: Callable[[str], Any]) -> None:
    example = next(case["body"] for case in recorded("errors") if "missing scope" in case["case"])
    answer = ask("query {\n  orders(first: 1) { nodes { id } }\n shop { name } }")
    assert answer["errors"] == example["errors"]
    assert answer["data"] == {"orders": None, "shop": {"name": "sandbox"}}


@pytest.mark.parametrize(
    "sandbox", [{"protected": frozenset({"Customer.firstName"})}], indirect=True
)
def test_protected_data_is_denied_in_every_row(
    ask: Ask, sandbox: ShopifySandbox, make_customer: Make
) -> None:
    for number in (1, 2):
        sandbox.put_customer(make_customer(number, first_name="Tove"))
    sandbox.clock.advance(60)
    answer = ask("{ customers(first: 2) { nodes { id firstName } } }")
    assert [error["path"] for error in answer["errors"]] == [
        ["customers", "nodes", 0, "firstName"],
        ["customers", "nodes", 1, "firstName"],
    ]
    assert {error["extensions"]["code"] for error in answer["errors"]} == {"ACCESS_DENIED"}
    assert [node["firstName"] for node in answer["data"]["customers"]["nodes"]] == [None, None]


def test_an_unknown_field_is_refused_as_recorded(ask: Ask, recorded: Callable[[str], Any]) -> None:
    example = next(case["body"] for case in recorded("errors") if "unknown field" in case["case"])
    text = "query CustomersDelta {\n  customers(first: 1) {\n    nodes {\n      nope\n    }\n  }\n}"
    assert ask(text) == example


def test_a_bad_id_is_refused_as_recorded(ask: Ask, recorded: Callable[[str], Any]) -> None:
    example = next(case["body"] for case in recorded("errors") if "bad variable" in case["case"])
    text = "query Customer\n" + " " * 32 + "($id: ID!) { customer(id: $id) { id } }"
    assert ask(text, id="not-a-shopify-gid") == example


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{ shop { name }", "PARSE_ERROR"),
        ("{ shop }", "selectionMismatch"),
        ("{ shop { name { x } } }", "selectionMismatch"),
        ("{ customer { id } }", "missingRequiredArguments"),
        ("{ orders(first: 1, size: 2) { nodes { id } } }", "argumentNotAccepted"),
        ("query ($n: String) { orders(first: $n) { nodes { id } } }", "variableMismatch"),
    ],
)
def test_other_mistakes_have_their_codes(ask: Ask, text: str, code: str) -> None:
    answer = ask(text)
    assert answer["errors"][0]["extensions"]["code"] == code
    assert "data" not in answer


@pytest.mark.parametrize("variables", [{}, {"first": "ten"}, {"first": None}])
def test_variables_must_fit(ask: Ask, variables: dict[str, Any]) -> None:
    answer = ask("query ($first: Int!) { orders(first: $first) { nodes { id } } }", **variables)
    assert answer["errors"][0]["extensions"]["code"] == "INVALID_VARIABLE"


def test_fields_of_the_next_version_do_not_exist(ask: Ask) -> None:
    text = (
        "{ customers(first: 1) { nodes { defaultPhoneNumber { smsMarketingConsent { state } } } } }"
    )
    assert ask(text)["data"] == {"customers": {"nodes": []}}
    assert ask(text, "2026-07")["errors"][0]["extensions"]["code"] == "undefinedField"


def test_a_record_that_is_missing_is_null(ask: Ask) -> None:
    text = """{ customer(id: "gid://shopify/Customer/1") { id }
      nodes(ids: ["gid://shopify/Customer/1", "gid://shopify/Order/2"]) { id __typename } }"""
    assert ask(text)["data"] == {"customer": None, "nodes": [None, None]}


def test_nodes_of_several_kinds(
    ask: Ask, sandbox: ShopifySandbox, make_customer: Make, make_order: Make
) -> None:
    sandbox.put_customer(make_customer(1))
    sandbox.put_order(make_order(2))
    text = """query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id
      ... on Customer { email: defaultEmailAddress { emailAddress } } ...Named } }
      fragment Named on Order { name }"""
    ids = ["gid://shopify/Order/2", "gid://shopify/Customer/1"]
    assert ask(text, ids=ids)["data"]["nodes"] == [
        {"__typename": "Order", "id": ids[0], "name": "#2"},
        {
            "__typename": "Customer",
            "id": ids[1],
            "email": {"emailAddress": "shopper1@shopper.example"},
        },
    ]


# -- HTTP


def send(
    sandbox: ShopifySandbox,
    *,
    method: str = "POST",
    path: str = GRAPHQL,
    content_type: str = "application/json",
    token: str | None = None,
    body: bytes = b'{"query": "{ shop { name } }"}',
) -> Response:
    headers = {
        "content-type": content_type,
        "x-shopify-access-token": token or sandbox.credentials()["token"],
    }
    return sandbox.respond(Request(method, path, "", headers, body))


def test_the_versions_header_and_date(sandbox: ShopifySandbox) -> None:
    answer = send(sandbox)
    assert answer.status == 200
    assert answer.headers["x-shopify-api-version"] == "2026-10"
    assert answer.headers["date"] == "Fri, 20 Nov 2026 09:00:00 GMT"


@pytest.mark.parametrize(
    ("asked", "served"), [("2026-10", "2026-10"), ("2026-07", "2026-07"), ("2024-01", "2026-07")]
)
def test_a_retired_version_falls_forward(sandbox: ShopifySandbox, asked: str, served: str) -> None:
    answer = send(sandbox, path=f"/admin/api/{asked}/graphql.json")
    assert answer.headers["x-shopify-api-version"] == served


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"method": "GET"}, 404),
        ({"path": "/admin/api/2026-10/customers.json"}, 404),
        ({"path": "/admin/api/2027-01/graphql.json"}, 404),
        ({"token": "shpat_wrong"}, 401),
        ({"content_type": "text/plain"}, 400),
        ({"body": b"{"}, 400),
        ({"body": b"[]"}, 400),
        ({"body": b'{"variables": {}}'}, 400),
    ],
)
def test_plain_mistakes(sandbox: ShopifySandbox, options: dict[str, Any], status: int) -> None:
    assert send(sandbox, **options).status == status


def test_the_recorded_401(sandbox: ShopifySandbox, recorded: Callable[[str], Any]) -> None:
    example = next(case["body"] for case in recorded("errors") if "expired" in case["case"])
    assert orjson.loads(send(sandbox, token="shpat_wrong").body) == example


@pytest.mark.parametrize(
    ("query", "write"),
    [
        ("{ shop { name } }", False),
        ('mutation { tagsAdd(id: "gid://shopify/Customer/1", tags: "a") { node { id } } }', True),
        ("mutation {", False),
    ],
)
def test_mutations_are_writes(sandbox: ShopifySandbox, post: Post, query: str, write: bool) -> None:
    post(query)
    assert sandbox.writes() == write


# -- the oracle


def test_a_customer_with_orders_goes_with_them(
    ask: Ask, sandbox: ShopifySandbox, make_customer: Make, make_order: Make
) -> None:
    sandbox.put_customer(make_customer(1))
    sandbox.put_order(make_order(2, customer_id="1"))
    sandbox.put_order(make_order(3))
    sandbox.delete_customer("1")
    sandbox.clock.advance(60)
    customers, orders = sandbox.projection()
    assert (customers, [order.id for order in orders]) == ([], ["3"])
    assert len(ask("{ orders(first: 9) { nodes { id } } }")["data"]["orders"]["nodes"]) == 1


def test_an_order_that_changes_hands_counts_for_the_new_customer(
    ask: Ask, sandbox: ShopifySandbox, make_customer: Make, make_order: Make
) -> None:
    for number in (1, 2):
        sandbox.put_customer(make_customer(number))
    sandbox.put_order(make_order(5, customer_id="1"))
    sandbox.put_order(make_order(5, customer_id="2"))
    text = """{ nodes(ids: ["gid://shopify/Customer/1", "gid://shopify/Customer/2"]) {
      ... on Customer { numberOfOrders } } }"""
    assert [node["numberOfOrders"] for node in ask(text)["data"]["nodes"]] == ["0", "1"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"paid": True}, "paid"),
        ({"paid": True, "status": "partially_paid"}, "partially_paid"),
        ({"paid": True, "status": "completed"}, "paid"),
        ({"paid": False}, "pending"),
        ({"paid": False, "status": "voided"}, "voided"),
        ({"paid": False, "status": "on-hold"}, "pending"),
    ],
)
def test_a_status_is_one_that_shopify_has(
    sandbox: ShopifySandbox, make_order: Make, fields: dict[str, Any], status: str
) -> None:
    sandbox.put_order(make_order(1, **fields))
    assert sandbox.projection()[1][0].status == status


def test_a_refund_in_full(sandbox: ShopifySandbox, make_order: Make, start: datetime) -> None:
    sandbox.put_order(make_order(1))
    later = start + timedelta(minutes=5)
    sandbox.refund("1", 1250, later)
    order: Order = sandbox.projection()[1][0]
    assert (order.status, order.paid, order.updated_at) == ("refunded", True, later)
    assert sum(refund.amount for refund in order.refunds) == 1250


def test_consent_belongs_to_an_address(sandbox: ShopifySandbox) -> None:
    sandbox.put_customer(Customer("1", email_consent="SUBSCRIBED", sms_consent="SUBSCRIBED"))
    [customer] = sandbox.projection()[0]
    assert (customer.email_consent, customer.sms_consent) == (None, None)
