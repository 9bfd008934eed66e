"""A shop in memory."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson

from segmentd.domain.identity import tag_key
from segmentd.domain.records import Customer, Order, Product, Refund
from segmentd.sdk.testing.memory.protocol import (
    LARGEST_BATCH,
    MOST_TAGS,
    TOKEN,
    TOKEN_VARIABLE,
    refuse,
    unauthorized,
)
from segmentd.sdk.testing.sandbox import Request, Response, SandboxClock, ShopSandbox
from segmentd.sdk.values import instant


class MemoryShop(ShopSandbox):
    """Records as they were put in, sorted by id wherever they are listed."""

    currency = "EUR"
    time_zone = "Europe/Berlin"

    def __init__(self, clock: SandboxClock | None = None) -> None:
        super().__init__(clock)
        self.customers: dict[str, Customer] = {}
        self.orders: dict[str, Order] = {}
        self.products: dict[str, Product] = {}
        self.poisoned: set[str] = set()
        """Ids of records that are listed in a form which nobody can read."""

    # -- verbs

    def put_customer(self, customer: Customer) -> str:
        kept = copy.deepcopy(customer)
        kept.updated_at = customer.updated_at or self._now()
        kept.created_at = customer.created_at or kept.updated_at
        self.customers[kept.id] = kept
        return kept.id

    def put_order(self, order: Order) -> str:
        self.orders[order.id] = copy.deepcopy(order)
        return order.id

    def put_product(self, product: Product) -> str:
        kept = copy.deepcopy(product)
        kept.updated_at = product.updated_at or self._now()
        self.products[kept.id] = kept
        return kept.id

    def refund(self, order_id: str, amount: int, at: datetime) -> None:
        order = self.orders[order_id]
        order.refunds.append(Refund(f"{order_id}{len(order.refunds)}", at, amount))
        order.updated_at = self._now()

    def cancel(self, order_id: str, at: datetime) -> None:
        self.orders[order_id].cancelled_at = at
        self.orders[order_id].updated_at = self._now()

    def delete_customer(self, customer_id: str) -> None:
        del self.customers[customer_id]
        for order in self.orders.values():
            if order.customer_id == customer_id:
                order.customer_id = None
                order.updated_at = self._now()

    def poison(self, stream: str) -> str:
        """Make one record of ``stream`` unreadable; returns its id."""
        key = next(iter(self._records(stream)))
        self.poisoned.add(key)
        return key

    def projection(self) -> tuple[Sequence[Customer], Sequence[Order]]:
        return _sorted(self.customers), _sorted(self.orders)

    def tags(self) -> dict[str, set[str]]:
        return {key: set(customer.tags) for key, customer in self.customers.items()}

    def set_tags(self, customer_id: str, tags: Sequence[str]) -> None:
        customer = self.customers[customer_id]
        customer.tags = list(tags)
        customer.updated_at = self._now()

    # -- protocol

    def credentials(self) -> Mapping[str, str]:
        return {"token": TOKEN}

    def settings(self, url: str) -> Mapping[str, object]:
        return {"connector": "memory", "base_url": url, "token_env": TOKEN_VARIABLE}

    def is_write(self, request: Request) -> bool:
        return request.method == "POST"

    def handle(self, request: Request) -> Response:
        refusal = unauthorized(request)
        if refusal:
            return refusal
        match request.method, request.path.strip("/").split("/"):
            case "GET", ["shop"]:
                return self._shop()
            case "GET", ["customers" | "orders" | "products" as stream]:
                return self._list(stream, request.query)
            case "GET", ["customers" | "orders" | "products" as stream, key]:
                return self._one(stream, key)
            case "POST", ["tags"]:
                return self._tag(orjson.loads(request.body)["customers"])
        return refuse(404, "no_route", "no such address")

    def _shop(self) -> Response:
        return Response.json(
            {"name": "memory", "currency": self.currency, "time_zone": self.time_zone}
        )

    def _list(self, stream: str, query: Mapping[str, str]) -> Response:
        after, size = int(query.get("after") or 0), int(query["limit"])
        found = [
            record
            for record in _sorted(self._records(stream))
            if _within(record.updated_at, query) and int(record.id) > after
        ]
        shown = [self._shown(record) for record in found[:size]]
        return Response.json(
            {"count": len(found), "records": shown, "more": len(found) > size},
        )

    def _shown(self, record: Any) -> object:
        return {"id": record.id, "tags": 7} if record.id in self.poisoned else record

    def _one(self, stream: str, key: str) -> Response:
        record = self._records(stream).get(key)
        return Response.json(record) if record else refuse(404, "not_found", "no such record")

    def _tag(self, wishes: Sequence[Mapping[str, Any]]) -> Response:
        if len(wishes) > LARGEST_BATCH:
            return refuse(400, "too_many", f"more than {LARGEST_BATCH} customers")
        return Response.json({"results": [self._tag_one(wish) for wish in wishes]})

    def _tag_one(self, wish: Mapping[str, Any]) -> Mapping[str, object]:
        customer = self.customers.get(wish["id"])
        if customer is None:
            return {"id": wish["id"], "status": "gone"}
        leaving = {tag_key(tag) for tag in wish["remove"]}
        tags = [tag for tag in customer.tags if tag_key(tag) not in leaving]
        present = {tag_key(tag) for tag in tags}
        tags += [tag for tag in wish["add"] if tag_key(tag) not in present]
        if len(tags) > MOST_TAGS:
            return {"id": wish["id"], "status": "refused", "detail": "too many tags"}
        if tags != customer.tags:
            self.set_tags(customer.id, tags)
        return {"id": wish["id"], "status": "done", "updated_at": customer.updated_at}

    def _records(self, stream: str) -> Mapping[str, Any]:
        kinds: dict[str, Mapping[str, Any]] = {
            "customers": self.customers,
            "orders": self.orders,
            "products": self.products,
        }
        return kinds[stream]

    def _now(self) -> datetime:
        return self.clock.now().replace(microsecond=0)


def _sorted(records: Mapping[str, Any]) -> list[Any]:
    return [copy.deepcopy(records[key]) for key in sorted(records, key=int)]


def _within(updated_at: datetime, query: Mapping[str, str]) -> bool:
    since, until = query.get("since"), query.get("until")
    return (not since or updated_at >= instant(since)) and (
        not until or updated_at <= instant(until)
    )
