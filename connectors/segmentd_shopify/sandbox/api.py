"""The sandbox shop: Shopify's Admin GraphQL API over HTTP, as strict as the real one."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from segmentd.sdk import Customer, Order, Product
from segmentd.sdk.testing.sandbox import Request, Response, SandboxClock, ShopSandbox
from segmentd_shopify.sandbox.access import Bucket, Tokens
from segmentd_shopify.sandbox.bulk import Job, Jobs, Refusal
from segmentd_shopify.sandbox.cost import MAXIMUM, cost_of_rows, requested_cost
from segmentd_shopify.sandbox.execute import Answer, execute
from segmentd_shopify.sandbox.schema import VERSIONS, Prepared, Refused, prepare
from segmentd_shopify.sandbox.search import Unserved
from segmentd_shopify.sandbox.shop import Shop

ALL_SCOPES = frozenset(
    {"read_customers", "write_customers", "read_orders", "read_all_orders", "read_products"}
)
_PATH = re.compile(r"/admin/api/(20\d\d-(?:01|04|07|10))/graphql\.json")
_JOBS = {"bulkOperationRunQuery", "bulkOperationCancel"}
_LIMITS = "https://shopify.dev/api/usage/rate-limits"


class ShopifySandbox(ShopSandbox):
    """A shop on the Standard plan unless told otherwise.

    ``index_lag``: seconds after which a change is found by searching (by id it is there at once).
    ``protected``: fields of protected customer data that the app is not approved for, such as
    ``Customer.firstName``. ``points`` and ``restored``: size of the cost bucket and what comes back
    per second (Standard 2000 and 100, Plus 20000 and 1000).
    """

    def __init__(
        self,
        clock: SandboxClock | None = None,
        *,
        shop: str = "sandbox.myshopify.com",
        currency: str = "EUR",
        time_zone: str = "Europe/Berlin",
        scopes: frozenset[str] = ALL_SCOPES,
        protected: frozenset[str] = frozenset(),
        index_lag: float = 3.0,
        points: float = 2000.0,
        restored: float = 100.0,
    ) -> None:
        super().__init__(clock)
        self.domain = shop
        self.scopes = scopes
        self.protected = protected
        self.shop = Shop(
            self.clock, domain=shop, currency=currency, time_zone=time_zone, index_lag=index_lag
        )
        self.tokens = Tokens(self.clock, scopes)
        self.bucket = Bucket(self.clock, points, restored)
        self._poisoned: set[str] = set()

    @property
    def bulk(self) -> Jobs:
        """The bulk operations, and the script of how the next ones end."""
        return self.shop.jobs

    def handle(self, request: Request) -> Response:
        """Answer one HTTP request."""
        if "host" in request.headers:
            self.bulk.origin = f"http://{request.headers['host']}"
        self.bulk.advance(self._rows_in_bulk)
        file = self.bulk.serve(request)
        if file is not None:
            return file
        if request.path == "/admin/oauth/access_token" and request.method == "POST":
            return self.tokens.grant(request)
        match = _PATH.fullmatch(request.path)
        if match is None or request.method != "POST":
            return Response.json({"errors": "Not Found"}, 404)
        if not self.tokens.accepts(request.headers.get("x-shopify-access-token")):
            text = "[API] Invalid API key or access token (unrecognized login or wrong password)"
            return Response.json({"errors": text}, 401)
        if not request.headers.get("content-type", "").startswith("application/json"):
            return Response.json(
                {"errors": {"query": "Required parameter missing or invalid"}}, 400
            )
        version = _served(match[1])
        if version is None:
            return Response.json({"errors": "Not Found"}, 404)
        response = self._graphql(request, version)
        response.headers["x-shopify-api-version"] = version
        return response

    def _graphql(self, request: Request, version: str) -> Response:
        content = _content(request.body)
        if content is None:
            return Response.json(
                {"errors": {"query": "Required parameter missing or invalid"}}, 400
            )
        try:
            prepared = prepare(content["query"], version, content.get("operationName"))
            return self._run(prepared, content.get("variables") or {})
        except Refused as refused:
            return Response.json({"errors": refused.errors})
        except Unserved as error:
            return Response.json({"errors": f"The sandbox does not serve this: {error}"}, 400)

    def _run(self, prepared: Prepared, given: dict[str, Any]) -> Response:
        variables = prepared.variables(given)
        requested = requested_cost(prepared, variables)
        if requested > MAXIMUM:
            return Response.json({"errors": [_too_expensive(requested)]})
        if not self.bucket.take(requested):
            extensions = {"code": "THROTTLED", "documentation": _LIMITS}
            return self._refusal([{"message": "Throttled", "extensions": extensions}], requested)
        try:
            answer = execute(self.shop, prepared, variables, self.scopes, self.protected)
        except Refused as refused:
            self.bucket.give_back(requested)
            return self._refusal(refused.errors, requested)
        _spoil(answer.data, self._poisoned)
        actual = cost_of_rows(prepared, variables, answer.rows)
        self.bucket.give_back(requested - actual)
        return Response.json(_body(answer, self.bucket.cost(requested, actual)))

    def _rows_in_bulk(self, job: Job) -> dict[str, Any]:
        """Everything that the query of a bulk operation finds; it costs no points."""
        prepared = prepare(job.query, job.version)
        variables = prepared.variables({})
        answer = execute(
            self.shop, prepared, variables, self.scopes, self.protected, every_row=True
        )
        if answer.errors:
            raise Refusal(answer.errors[0]["extensions"]["code"])
        _spoil(answer.data, self._poisoned)
        return answer.data

    def _refusal(self, errors: list[dict[str, Any]], requested: int) -> Response:
        cost = self.bucket.cost(requested, None)
        return Response.json({"errors": errors, "extensions": {"cost": cost}})

    def is_write(self, request: Request) -> bool:
        """Whether it is a mutation of the shop: running a query in bulk changes nothing there."""
        content = _content(request.body) if "graphql" in request.path else None
        if content is None:
            return False
        try:
            prepared = prepare(content["query"], VERSIONS[-1])
        except Refused:
            return False
        return prepared.is_mutation and not prepared.roots <= _JOBS

    def credentials(self) -> Mapping[str, str]:
        """A permanent token, and an app's id and secret."""
        return {
            "token": self.tokens.permanent,
            "client_id": self.tokens.client_id,
            "client_secret": self.tokens.client_secret,
        }

    def settings(self, url: str) -> Mapping[str, object]:
        """Connects with the permanent token."""
        return {
            "connector": "shopify",
            "shop": self.domain,
            "token_env": "SANDBOX_SHOPIFY_TOKEN",
            "base_url": url,
        }

    def put_customer(self, customer: Customer) -> str:
        """Create or change a customer."""
        return self.shop.put_customer(customer)

    def set_metafield(self, customer_id: str, name: str, value: str) -> None:
        """Change a metafield of a customer alone."""
        self.shop.set_metafield(customer_id, name, value)

    def put_order(self, order: Order) -> str:
        """Create or change an order."""
        return self.shop.put_order(order)

    def put_product(self, product: Product) -> str:
        """Create or change a product."""
        return self.shop.put_product(product)

    def refund(self, order_id: str, amount: int, at: datetime) -> None:
        """Give money back."""
        self.shop.refund(order_id, amount, at)

    def cancel(self, order_id: str, at: datetime) -> None:
        """Cancel an order."""
        self.shop.cancel(order_id, at)

    def delete_customer(self, customer_id: str) -> None:
        """A person deletes the customer's orders, then the customer."""
        self.shop.delete_customer(customer_id)

    def projection(self) -> tuple[Sequence[Customer], Sequence[Order]]:
        """Customers, and the orders that the app's scopes let it see."""
        orders = [
            order for order in self.shop.orders.values() if self.shop.shows(order, self.scopes)
        ]
        return (
            sorted(self.shop.customers.values(), key=lambda customer: customer.id),
            sorted(orders, key=lambda order: order.id),
        )

    def poison(self, stream: str) -> str:
        """From now on one record of ``stream`` is answered with an unreadable change time."""
        number = min(self.shop.records(stream))
        kind = stream.removesuffix("s").capitalize()
        self._poisoned.add(f"gid://shopify/{kind}/{number}")
        return str(number)

    def tags(self) -> dict[str, set[str]]:
        """Customer id → tags."""
        return {customer.id: set(customer.tags) for customer in self.shop.customers.values()}

    def set_tags(self, customer_id: str, tags: Sequence[str]) -> None:
        """A person replaces a customer's tags in the admin."""
        self.shop.set_tags(int(customer_id), tags)


def _served(asked: str) -> str | None:
    """The version that answers: a retired one falls forward to the oldest, a future one is none."""
    if asked > VERSIONS[-1]:
        return None
    return asked if asked in VERSIONS else VERSIONS[0]


def _content(body: bytes) -> dict[str, Any] | None:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(content, dict) or not isinstance(content.get("query"), str):
        return None
    return content


def _spoil(data: dict[str, Any], poisoned: set[str]) -> None:
    for value in data.values() if poisoned else ():
        if not isinstance(value, dict):
            continue
        nodes = [*value.get("nodes", ()), *(edge["node"] for edge in value.get("edges", ()))]
        for node in nodes:
            if node.get("id") in poisoned:
                node["updatedAt"] = "not a time"


def _too_expensive(cost: int) -> dict[str, Any]:
    return {
        "message": f"Query cost is {cost}, which exceeds the single query max cost limit (1000).",
        "extensions": {
            "code": "MAX_COST_EXCEEDED",
            "cost": cost,
            "maxCost": MAXIMUM,
            "documentation": _LIMITS,
        },
    }


def _body(answer: Answer, cost: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"data": answer.data, "extensions": {"cost": cost}}
    if answer.search:
        body["extensions"]["search"] = answer.search
    return {"errors": answer.errors, **body} if answer.errors else body
