"""The sandbox answers as the recorded store did: status, errors word for word, shapes and types."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from segmentd.sdk import Order
from segmentd.sdk.testing.sandbox import Response
from segmentd_woocommerce.sandbox import Key, WooCommerceSandbox

Ask = Callable[..., Response]
Exchange = dict[str, Any]

_RECORDED = Path(__file__).parent / "recorded"
_NOT_SERVED = ("products/tags", "coupons", "data/currencies", "settings/general")


def exchanges(name: str) -> list[Exchange]:
    content = json.loads((_RECORDED / f"{name}.json").read_text(encoding="utf-8"))
    found: list[Exchange] = content["exchanges"]
    return [one for one in found if not any(part in one["request"] for part in _NOT_SERVED)]


def each(*names: str) -> pytest.MarkDecorator:
    found = [one for name in names for one in exchanges(name)]
    return pytest.mark.parametrize("exchange", found, ids=[_name(one) for one in found])


def _name(exchange: Exchange) -> str:
    return f"{exchange['request']} {exchange.get('note', '')}"[:110]


def shape(value: Any) -> Any:
    """Keys and types; a list is as its first element, an empty one says nothing."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def misfits(ours: Any, theirs: Any, path: str = "") -> list[str]:
    """Where two shapes differ; null and an empty list fit everything."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        found = [f"{path}.{key}: only ours" for key in ours.keys() - theirs.keys()]
        found += [f"{path}.{key}: only theirs" for key in theirs.keys() - ours.keys()]
        for key in ours.keys() & theirs.keys():
            found += misfits(ours[key], theirs[key], f"{path}.{key}")
        return found
    if isinstance(ours, list) and isinstance(theirs, list):
        return misfits(ours[0], theirs[0], f"{path}[]") if ours and theirs else []
    same = ours == theirs or "NoneType" in (ours, theirs) or {ours, theirs} == {"int", "float"}
    return [] if same else [f"{path}: {ours} for {theirs}"]


def assert_same_form(response: Response, exchange: Exchange) -> None:
    assert response.status == exchange["status"]
    for header in ("x-wp-total", "x-wp-totalpages", "link", "allow", "content-type"):
        if header in exchange["headers"] and exchange["status"] == 200:
            assert header in response.headers, header
    theirs = exchange["body"]
    found = misfits(shape(orjson.loads(response.body)), shape(theirs))
    # attributes of variations and details of coupons depend on the store
    loose = [
        *("meta_data", "taxes", "tax_lines", "coupon_lines", "fee_lines", ".settings."),
        *("_links.refunded_by", "image.id", "parent_name", "price_html", ".active_plugins"),
    ]
    assert [one for one in found if not any(part in one for part in loose)] == []


@each("customers-page", "orders-page", "order-with-refund", "order-variants", "products")
def test_reads(shop: WooCommerceSandbox, ask: Ask, exchange: Exchange) -> None:
    assert_same_form(ask(exchange["request"]), exchange)


@each("order-checkout-draft")
def test_drafts(shop: WooCommerceSandbox, ask: Ask, exchange: Exchange) -> None:
    response = ask(exchange["request"])
    assert_same_form(response, exchange)
    assert b'"checkout-draft"' in response.body


def test_the_trash_is_asked_for_alone(shop: WooCommerceSandbox, ask: Ask) -> None:
    def ids(status: str) -> set[int]:
        body = ask(f"GET /wp-json/wc/v3/orders?per_page=100&_fields=id&status={status}").body
        return {row["id"] for row in orjson.loads(body)}

    assert 717 not in ids("any")
    assert 717 not in ids("any,trash")
    assert ids("trash") == {717}
    assert 605 in ids("any")


@pytest.mark.parametrize("collection", ["customers", "orders"])
def test_totals_beyond_the_last_page(shop: WooCommerceSandbox, ask: Ask, collection: str) -> None:
    response = ask(f"GET /wp-json/wc/v3/{collection}?per_page=100&page=99")
    assert orjson.loads(response.body) == []
    is_counted = response.headers["x-wp-total"] != "0"
    assert is_counted == (collection == "customers")


def test_unknown_parameters_are_ignored(shop: WooCommerceSandbox, ask: Ask) -> None:
    everything = ask("GET /wp-json/wc/v3/customers?role=all")
    filtered = ask("GET /wp-json/wc/v3/customers?role=all&modified_after=2099-01-01T00:00:00")
    assert filtered.body == everything.body


def test_links_to_other_pages_repeat_the_query(shop: WooCommerceSandbox, ask: Ask) -> None:
    first = exchanges("orders-page")[0]
    link = ask(first["request"]).headers["link"]
    assert link == first["headers"]["link"]


def _by_note(part: str) -> Exchange:
    found, *_ = [one for one in exchanges("errors") if part in one.get("note", "")]
    return found


_WEB_SERVER = ("rate limit set", "maintenance mode", "PHP fatal", "prints a warning")
_SIGNED_OTHERWISE = (
    *("no credentials", "unknown consumer key", "known key, wrong secret", "over plain http"),
    *("strips the Auth", "query-string credentials", "read-only key", "write-only key"),
    *("without the right", "shop-manager key", "irregular error shape"),
)
_PLAIN = [
    one
    for one in exchanges("errors")
    if not any(part in one.get("note", "") for part in (*_WEB_SERVER, *_SIGNED_OTHERWISE))
]


@pytest.mark.parametrize("exchange", _PLAIN, ids=[_name(one) for one in _PLAIN])
def test_refuses_word_for_word(shop: WooCommerceSandbox, ask: Ask, exchange: Exchange) -> None:
    response = ask(exchange["request"], exchange.get("request_body"))
    assert response.status == exchange["status"]
    assert orjson.loads(response.body) == exchange["body"]


def test_refuses_unsigned_requests(sandbox: WooCommerceSandbox, ask: Ask) -> None:
    exchange = _by_note("no credentials")
    response = ask(exchange["request"], authorization=None)
    assert (response.status, orjson.loads(response.body)) == (401, exchange["body"])


def test_refuses_an_unknown_key(sandbox: WooCommerceSandbox, ask: Ask) -> None:
    exchange = _by_note("unknown consumer key")
    sandbox.door.keys.clear()
    response = ask(exchange["request"])
    assert (response.status, orjson.loads(response.body)) == (401, exchange["body"])


def test_refuses_a_wrong_secret(sandbox: WooCommerceSandbox, ask: Ask) -> None:
    exchange = _by_note("known key, wrong secret")
    sandbox.door.keys[0].secret += "x"
    response = ask(exchange["request"])
    assert (response.status, orjson.loads(response.body)) == (401, exchange["body"])


def test_ignores_passwords_over_plain_http(sandbox: WooCommerceSandbox, ask: Ask) -> None:
    exchange = _by_note("over plain http")
    sandbox.door.https = False
    response = ask(exchange["request"])
    assert (response.status, orjson.loads(response.body)) == (401, exchange["body"])
    key = sandbox.credentials()
    query = f"consumer_key={key['key']}&consumer_secret={key['secret']}"
    assert ask(f"{exchange['request']}&{query}", authorization=None).status == 401


def test_takes_the_query_where_the_header_is_stripped(
    sandbox: WooCommerceSandbox, ask: Ask
) -> None:
    sandbox.door.strips_authorization = True
    exchange = _by_note("strips the Auth")
    response = ask(exchange["request"])
    assert (response.status, orjson.loads(response.body)) == (401, exchange["body"])
    key = sandbox.credentials()
    query = f"consumer_key={key['key']}&consumer_secret={key['secret']}"
    assert ask(f"{exchange['request']}&{query}").status == 200


@pytest.mark.parametrize(
    ("note", "permissions", "owner"),
    [
        ("read-only key writes", "read", "administrator"),
        ("write-only key reads", "write", "administrator"),
        ("without the right", "read_write", "customer"),
        ("edits an administrator", "read_write", "shop_manager"),
        ("batch is refused as a whole", "read_write", "shop_manager"),
    ],
)
def test_rights(
    shop: WooCommerceSandbox, ask: Ask, note: str, permissions: str, owner: str
) -> None:
    exchange = _by_note(note)
    key = shop.credentials()
    shop.door.keys[:] = [Key(key["key"], key["secret"], permissions, owner)]
    response = ask(exchange["request"], exchange.get("request_body"))
    assert response.status == exchange["status"]
    assert orjson.loads(response.body) == exchange["body"]


def test_a_shop_manager_edits_customers(shop: WooCommerceSandbox, ask: Ask) -> None:
    shop.door.keys[0].owner = "shop_manager"
    assert ask("PUT /wp-json/wc/v3/customers/4", {}).status == 200


def test_tells_a_site_without_a_key_and_refuses_one(sandbox: WooCommerceSandbox, ask: Ask) -> None:
    open_, _, refused, *_ = exchanges("store-info")
    assert_same_form(ask(open_["request"], authorization=None), open_)
    assert ask(refused["request"]).status == refused["status"]
    assert orjson.loads(ask(refused["request"]).body) == refused["body"]


def test_tells_the_settings_of_the_store(sandbox: WooCommerceSandbox, ask: Ask) -> None:
    (exchange,) = [one for one in exchanges("store-info") if "system_status" in one["request"]]
    ours, theirs = orjson.loads(ask(exchange["request"]).body), exchange["body"]
    assert shape(ours["environment"]) == shape(theirs["environment"])
    assert shape(ours["settings"]).items() <= shape(theirs["settings"]).items()


def test_permalinks_off_lead_away(sandbox: WooCommerceSandbox, ask: Ask) -> None:
    sandbox.permalinks = False
    response = ask("GET /wp-json/wc/v3/orders")
    assert response.status == 301
    assert "/wp-json/" not in response.headers["location"]


_BOUNDARIES = json.loads((_RECORDED / "modified-after-boundaries.json").read_text("utf-8"))


@pytest.mark.parametrize("result", _BOUNDARIES["results"], ids=lambda one: one["query"])
def test_bounds_of_a_date_filter(
    sandbox: WooCommerceSandbox,
    ask: Ask,
    new_order: Callable[..., Order],
    result: dict[str, Any],
) -> None:
    for row in _BOUNDARIES["orders"]:
        placed, changed = (
            datetime.fromisoformat(row[name]).replace(tzinfo=UTC)
            for name in ("date_created_gmt", "date_modified_gmt")
        )
        sandbox.put_order(new_order(row["id"], placed_at=placed, updated_at=changed))
    response = ask(f"GET /wp-json/wc/v3/orders?orderby=id&order=asc&{result['query']}")
    body = orjson.loads(response.body)
    assert response.status == result["status"]
    if response.status == 200:
        assert [row["id"] for row in body] == result["ids"]
        assert response.headers["x-wp-total"] == result["total"]
        for row in body:
            (known,) = [one for one in _BOUNDARIES["orders"] if one["id"] == row["id"]]
            assert known.items() <= row.items()
    else:
        assert body["message"] == result["ids"]


def test_a_customers_meta(shop: WooCommerceSandbox, ask: Ask) -> None:
    for exchange in exchanges("customer-meta-write"):
        shop.clock.advance(1)
        response = ask(exchange["request"], exchange.get("request_body"))
        assert_same_form(response, exchange)
        ours, theirs = orjson.loads(response.body), exchange["body"]
        assert ours["id"] == theirs["id"]
        if "meta_data" in theirs:
            assert _pairs(ours) == _pairs(theirs), exchange["note"]


def _pairs(row: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(meta["key"], meta["value"]) for meta in row["meta_data"]]


def test_every_write_moves_the_change_time(shop: WooCommerceSandbox, ask: Ask) -> None:
    times = set()
    for _ in range(3):
        shop.clock.advance(1)
        times.add(orjson.loads(ask("PUT /wp-json/wc/v3/customers/4", {}).body)["date_modified_gmt"])
    assert len(times) == 3


def test_a_batch_fails_item_by_item(shop: WooCommerceSandbox, ask: Ask) -> None:
    first, too_large, fields = exchanges("batch-partial-failure")
    response = ask(first["request"], first["request_body"])
    ours, theirs = orjson.loads(response.body)["update"], first["body"]["update"]
    assert [row["id"] for row in ours] == [row["id"] for row in theirs]
    assert [row.get("error") for row in ours] == [row.get("error") for row in theirs]
    assert ours[3]["email"] == "", "nothing in a batch is checked"
    assert "segmentd_tags" not in dict(_pairs(ours[4]))
    many = ask(too_large["request"], {"update": [{"id": 4}] * 101})
    assert (many.status, orjson.loads(many.body)) == (413, too_large["body"])
    assert orjson.loads(ask(fields["request"], fields["request_body"]).body) == []


def test_which_change_moves_an_orders_change_time(
    shop: WooCommerceSandbox, ask: Ask, recorded: Callable[[str], Any]
) -> None:
    """The verbs of the sandbox, step by step as recorded, as far as it has them."""

    verbs: dict[str, Callable[[], None]] = {
        "partial refund created": lambda: shop.refund("43", 500, shop.clock.now()),
        "refund deleted": lambda: shop.delete_refund("43", str(_shown(ask)["refunds"][0]["id"])),
        "meta written": lambda: shop.touch_order("43"),
        "trashed": lambda: shop.trash_order("43"),
        "restored": lambda: shop.restore_order("43"),
        "that customer deleted": lambda: shop.delete_customer("4"),
    }
    steps = recorded("order-change-sequence")["steps"]
    for before, step in itertools.pairwise(steps):
        verb = next((verbs[name] for name in verbs if step["step"].startswith(name)), None)
        if verb is None:
            continue
        then = _shown(ask)["date_modified_gmt"]
        shop.clock.advance(1)
        verb()
        after = step["order_after"]
        moved = after["date_modified_gmt"] != before["order_after"]["date_modified_gmt"]
        shown = _shown(ask)
        assert (shown["date_modified_gmt"] != then) == moved, step["step"]
        assert len(shown["refunds"]) == len(after["refunds"])
        assert (shown["status"] == "trash") == (after["status"] == "trash")
        assert (shown["customer_id"] == 0) == (after["customer_id"] == 0)
    shop.delete_order("43")
    assert orjson.loads(ask("GET /wp-json/wc/v3/orders/43").body) == steps[-1]["order_after"]


def _shown(ask: Ask) -> dict[str, Any]:
    row: dict[str, Any] = orjson.loads(ask("GET /wp-json/wc/v3/orders/43").body)
    return row


def test_a_guests_order_keeps_the_address(shop: WooCommerceSandbox, ask: Ask) -> None:
    shop.delete_customer("4")
    assert _shown(ask)["billing"]["email"] == "c001@example.com"
    assert _shown(ask)["date_modified_gmt"] == "2026-11-21T21:42:00"


def test_pages_follow_one_another(
    sandbox: WooCommerceSandbox, ask: Ask, new_order: Callable[..., Order]
) -> None:
    for number in range(1, 301):
        moment = sandbox.clock.now() - timedelta(seconds=number)
        sandbox.put_order(new_order(number, updated_at=moment))
    first = "GET /wp-json/wc/v3/orders?orderby=modified&order=asc&per_page=100&_fields=id"
    pages = [orjson.loads(ask(f"{first}&page={page}").body) for page in (1, 2, 3)]
    assert [row["id"] for page in pages for row in page] == list(range(300, 0, -1))
    assert orjson.loads(ask(f"{first}&page=2&offset=299").body) == [{"id": 1}]
