"""What each field of the served types answers, from records in our words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from segmentd.sdk import Customer, Order, OrderLine, Product, Refund, exponent
from segmentd_shopify.sandbox.index import encode
from segmentd_shopify.sandbox.search import Unserved
from segmentd_shopify.sandbox.shop import Shop

Resolver = Callable[[Any], Any]
ShopResolver = Callable[[Shop, Any, Mapping[str, Any]], Any]
"""A resolver that looks at the whole shop or takes arguments."""


class Money(NamedTuple):
    """An amount in minor units; stands for MoneyV2 and, both currencies alike, for MoneyBag."""

    amount: int
    currency: str


@dataclass(frozen=True)
class Rows:
    """What a connection answers."""

    nodes: Sequence[Any]
    cursors: Callable[[Any], str]
    has_next: bool
    has_previous: bool


def gid(kind: str, record_id: str | None) -> str | None:
    """``("Customer", "7")`` → ``gid://shopify/Customer/7``."""
    return None if record_id is None else f"gid://shopify/{kind}/{record_id}"


MOST_ROWS = 250
EVERY_ROW = 2**62
"""What ``first`` is inside of a bulk operation, whatever was asked for."""


class FieldError(Exception):
    """A field fails alone: its root is null, with an entry in ``errors``."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


def rows_asked(given: Mapping[str, Any]) -> int:
    """How many rows of a connection are asked for; every connection wants to be told."""
    if any(given.get(name) for name in ("last", "before", "savedSearchId", "reverse")):
        raise Unserved("paging backwards")
    first = given.get("first")
    if first is None:
        raise FieldError("you must provide one of first or last", "BAD_REQUEST")
    if not 0 <= first <= MOST_ROWS and first != EVERY_ROW:
        raise FieldError(f"first must be between 0 and {MOST_ROWS}", "BAD_REQUEST")
    return int(first)


def money_text(money: Money) -> str:
    """A decimal as Shopify writes it: no padding, one decimal at least (``15.0``)."""
    places = exponent(money.currency)
    whole, part = divmod(abs(money.amount), 10**places)
    decimals = f"{part:0{places}d}".rstrip("0") if places else ""
    return f"{'-' if money.amount < 0 else ''}{whole}.{decimals or '0'}"


def instant_text(moment: datetime | None) -> str | None:
    """UTC, whole seconds, ``Z``."""
    return None if moment is None else moment.isoformat()[:19] + "Z"


def _address(record: Customer | Order) -> Customer | Order | None:
    return record if record.country or record.region or record.city else None


def _default_address(customer: Customer) -> Customer | Order | None:
    known = customer.postcode is not None or customer.latitude is not None
    return customer if known else _address(customer)


def _of_customer(name: str) -> Resolver:
    """What only customers have of an address here; orders have it not."""
    return lambda record: getattr(record, name, None)


def _refunded(order: Order) -> int:
    return sum(refund.amount for refund in order.refunds)


def _received(order: Order) -> int:
    if not order.paid:
        return 0
    return (order.total + 1) // 2 if order.status == "partially_paid" else order.total


def _current_total(order: Order) -> int:
    return 0 if order.cancelled_at else order.total - _refunded(order)


def _money(amount: Callable[[Order], int]) -> Resolver:
    return lambda order: Money(amount(order), order.currency)


def _upper(text: str | None) -> str | None:
    return None if text is None else text.upper()


def _lines(_: Shop, order: Order, given: Mapping[str, Any]) -> Rows:
    lines = [(order, line) for line in order.lines]
    start = 0
    if given.get("after"):
        cursors = [_line_cursor(row) for row in lines]
        start = cursors.index(given["after"]) + 1 if given["after"] in cursors else len(lines)
    end = start + rows_asked(given)
    return Rows(lines[start:end], _line_cursor, end < len(lines), start > 0)


def _line_cursor(row: tuple[Order, OrderLine]) -> str:
    return encode(int(row[1].id), row[1].id)


def _line_total(_: Shop, row: tuple[Order, OrderLine], given: Mapping[str, Any]) -> Money:
    """Without ``withCodeDiscounts`` the discounts by code are still in the amount."""
    order, line = row
    by_code = bool(order.discount_codes) and not given.get("withCodeDiscounts")
    return Money(line.amount + line.discount if by_code else line.amount, order.currency)


def _metafield(
    _: Shop, customer: Customer, given: Mapping[str, Any]
) -> tuple[str, str, str] | None:
    """Namespace, key and value; null where the customer has none."""
    # without a namespace the app's own is meant, where this sandbox keeps nothing
    namespace, key = given.get("namespace") or "", given["key"]
    value = customer.traits.get(f"metafields.{namespace}.{key}")
    return None if value is None else (namespace, key, value)


def _price(shop: Shop, product: Product, _: Mapping[str, Any]) -> Money:
    return Money(product.price or 0, shop.currency)


def _variants(shop: Shop, product: Product, given: Mapping[str, Any]) -> Rows:
    """One variant, never on sale."""
    rows = [(product.id, money_text(_price(shop, product, given)))]
    asked = 0 if given.get("after") else rows_asked(given)
    return Rows(rows[:asked], lambda row: encode(int(row[0]), row[0]), asked < 1, False)


def _product(shop: Shop, row: tuple[Order, OrderLine], _: Mapping[str, Any]) -> Product | None:
    number = row[1].product_id
    if number is None:
        return None
    return shop.products.get(int(number)) or Product(number)


def _customer(shop: Shop, order: Order, _: Mapping[str, Any]) -> Customer | None:
    number = order.customer_id
    if number is None:
        return None
    return shop.customers.get(int(number)) or Customer(number)


def _refund_list(_: Shop, order: Order, given: Mapping[str, Any]) -> list[tuple[Order, Refund]]:
    return [(order, refund) for refund in order.refunds[: given.get("first")]]


def _spent(shop: Shop, customer: Customer, _: Mapping[str, Any]) -> Money:
    orders = [shop.orders[number] for number in shop.orders_of[int(customer.id)]]
    amount = sum(_received(order) - _refunded(order) for order in orders if not order.test)
    return Money(amount, shop.currency)


def _order_count(shop: Shop, customer: Customer, _: Mapping[str, Any]) -> str:
    orders = (shop.orders[number] for number in shop.orders_of[int(customer.id)])
    return str(sum(not order.test for order in orders))


_ADDRESS: dict[str, Resolver] = {
    "city": lambda record: record.city,
    "provinceCode": lambda record: record.region,
    "countryCodeV2": lambda record: record.country,
    "zip": _of_customer("postcode"),
    "latitude": _of_customer("latitude"),
    "longitude": _of_customer("longitude"),
}

FIELDS: dict[str, dict[str, Resolver]] = {
    "Customer": {
        "id": lambda customer: gid("Customer", customer.id),
        "legacyResourceId": lambda customer: customer.id,
        "createdAt": lambda customer: instant_text(customer.created_at),
        "updatedAt": lambda customer: instant_text(customer.updated_at),
        "firstName": lambda customer: customer.first_name,
        "lastName": lambda customer: customer.last_name,
        "locale": lambda customer: customer.language,
        "state": lambda customer: customer.account_state,
        "tags": lambda customer: customer.tags,
        "defaultEmailAddress": lambda customer: customer if customer.email else None,
        "defaultPhoneNumber": lambda customer: customer if customer.phone else None,
        "defaultAddress": _default_address,
    },
    "CustomerEmailAddress": {
        "emailAddress": lambda customer: customer.email,
        "marketingState": lambda customer: customer.email_consent,
        "marketingOptInLevel": lambda _: "SINGLE_OPT_IN",
        "marketingUpdatedAt": lambda _: None,
    },
    "CustomerPhoneNumber": {
        "phoneNumber": lambda customer: customer.phone,
        "marketingState": lambda customer: customer.sms_consent,
        "marketingUpdatedAt": lambda _: None,
        "smsMarketingConsent": lambda customer: customer,
    },
    "CustomerSmsMarketingConsent": {
        "state": lambda customer: customer.sms_consent,
        "optInLevel": lambda _: None,
        "updatedAt": lambda _: None,
    },
    "MailingAddress": _ADDRESS,
    "Order": {
        "id": lambda order: gid("Order", order.id),
        "legacyResourceId": lambda order: order.id,
        "name": lambda order: f"#{order.id}",
        "createdAt": lambda order: instant_text(order.placed_at),
        "processedAt": lambda order: instant_text(order.placed_at),
        "updatedAt": lambda order: instant_text(order.updated_at),
        "cancelledAt": lambda order: instant_text(order.cancelled_at),
        "cancelReason": lambda order: "OTHER" if order.cancelled_at else None,
        "closedAt": lambda order: instant_text(order.cancelled_at),
        "test": lambda order: order.test,
        "email": lambda order: order.email,
        "phone": lambda _: None,
        "displayFinancialStatus": lambda order: _upper(order.status),
        "displayFulfillmentStatus": lambda _: "UNFULFILLED",
        "currencyCode": lambda order: order.currency,
        "presentmentCurrencyCode": lambda order: order.currency,
        "totalPriceSet": _money(lambda order: order.total),
        "currentTotalPriceSet": _money(_current_total),
        "totalReceivedSet": _money(_received),
        "totalRefundedSet": _money(_refunded),
        "totalDiscountsSet": _money(lambda order: order.discount),
        "netPaymentSet": _money(lambda order: _received(order) - _refunded(order)),
        "discountCodes": lambda order: order.discount_codes,
        "sourceName": lambda order: order.channel,
        "attribution": lambda order: order if order.channel else None,
        "tags": lambda order: order.tags,
        "shippingAddress": _address,
    },
    "OrderAttribution": {
        "handle": lambda order: order.channel,
        "displayName": lambda order: order.channel,
    },
    "LineItem": {
        "id": lambda row: gid("LineItem", row[1].id),
        "title": lambda row: row[1].title or "",
        "vendor": lambda row: row[1].vendor,
        "quantity": lambda row: row[1].quantity,
        "currentQuantity": lambda row: 0 if row[0].cancelled_at else row[1].quantity,
        "originalTotalSet": lambda row: Money(row[1].amount + row[1].discount, row[0].currency),
    },
    "ProductVariant": {
        "id": lambda row: gid("ProductVariant", row[0]),
        "position": lambda _: 1,
        "price": lambda row: row[1],
        "compareAtPrice": lambda _: None,
    },
    "ProductPriceRangeV2": {
        "minVariantPrice": lambda money: money,
        "maxVariantPrice": lambda money: money,
    },
    "Metafield": {
        "namespace": lambda metafield: metafield[0],
        "key": lambda metafield: metafield[1],
        "value": lambda metafield: metafield[2],
    },
    "Refund": {
        "id": lambda row: gid("Refund", row[1].id),
        "createdAt": lambda row: instant_text(row[1].created_at),
        "processedAt": lambda row: instant_text(row[1].created_at),
        "updatedAt": lambda row: instant_text(row[1].created_at),
        "totalRefundedSet": lambda row: Money(row[1].amount, row[0].currency),
    },
    "Product": {
        "id": lambda product: gid("Product", product.id),
        "title": lambda product: product.title or "",
        "vendor": lambda product: product.vendor or "",
        "productType": lambda product: product.product_type or "",
        "tags": lambda product: product.tags,
        "status": lambda _: "ACTIVE",
        "updatedAt": lambda product: instant_text(product.updated_at),
        "publishedAt": lambda product: instant_text(product.published_at),
    },
    "MoneyBag": {"shopMoney": lambda money: money, "presentmentMoney": lambda money: money},
    "MoneyV2": {"amount": money_text, "currencyCode": lambda money: money.currency},
    "PageInfo": {
        "hasNextPage": lambda rows: rows.has_next,
        "hasPreviousPage": lambda rows: rows.has_previous,
        "startCursor": lambda rows: rows.cursors(rows.nodes[0]) if rows.nodes else None,
        "endCursor": lambda rows: rows.cursors(rows.nodes[-1]) if rows.nodes else None,
    },
    "Count": {"count": lambda count: count[0], "precision": lambda count: count[1]},
    "TagsAddPayload": {"node": lambda answer: answer[0], "userErrors": lambda answer: answer[1]},
    "TagsRemovePayload": {"node": lambda answer: answer[0], "userErrors": lambda answer: answer[1]},
    "UserError": {"field": lambda error: error[0], "message": lambda error: error[1]},
    "BulkOperation": {
        "id": lambda job: gid("BulkOperation", str(job.number)),
        "status": lambda job: job.status,
        "type": lambda _: "QUERY",
        "query": lambda job: job.query,
        "errorCode": lambda job: job.error_code,
        "createdAt": lambda job: instant_text(job.created_at),
        "completedAt": lambda job: instant_text(job.completed_at),
        # UnsignedInt64: as texts
        "objectCount": lambda job: str(job.objects),
        "rootObjectCount": lambda job: str(job.roots),
        "fileSize": lambda job: str(len(job.file)) if job.url else None,
        "url": lambda job: job.url,
        "partialDataUrl": lambda job: job.partial_url,
    },
    "BulkOperationRunQueryPayload": {
        "bulkOperation": lambda answer: answer[0],
        "userErrors": lambda answer: answer[1],
    },
    "BulkOperationUserError": {
        "field": lambda error: error[0],
        "message": lambda error: error[1],
        "code": lambda error: error[2],
    },
    "BulkOperationCancelPayload": {
        "bulkOperation": lambda answer: answer[0],
        "userErrors": lambda answer: answer[1],
    },
    "AppInstallation": {
        "id": lambda _: gid("AppInstallation", "1"),
        "accessScopes": sorted,
    },
    "AccessScope": {"handle": lambda scope: scope, "description": lambda scope: scope},
}

CONNECTION: dict[str, Resolver] = {
    "nodes": lambda rows: rows.nodes,
    "edges": lambda rows: [(rows.cursors(node), node) for node in rows.nodes],
    "pageInfo": lambda rows: rows,
}
EDGE: dict[str, Resolver] = {"cursor": lambda edge: edge[0], "node": lambda edge: edge[1]}

SHOP_FIELDS: dict[str, dict[str, ShopResolver]] = {
    "Customer": {
        "numberOfOrders": _order_count,
        "amountSpent": _spent,
        "metafield": _metafield,
    },
    "Order": {"customer": _customer, "lineItems": _lines, "refunds": _refund_list},
    "LineItem": {"product": _product, "discountedTotalSet": _line_total},
    "Product": {"priceRangeV2": _price, "variants": _variants},
}

KINDS: dict[type, str] = {Customer: "Customer", Order: "Order", Product: "Product"}
"""The GraphQL type of a record, where a field's type is an interface."""
