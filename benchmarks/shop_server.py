"""A server that answers at once with a Shopify shop, rendered before the first request.

So that a benchmark measures the reader and not the shop. Run by ``ingest`` as a process of its own:
``python -m benchmarks.shop_server ORDERS CUSTOMERS [--bulk] [--changed]`` prints its port and
serves until ended. It counts so few records that they are read page by page; with ``--bulk`` so
many that they are read by bulk operations, which have ended when they are first looked at. With
``--changed`` every tenth record is another than before.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

PAGE = 250
SHOP = "bench.myshopify.com"
_BEGIN = datetime(2024, 1, 1, tzinfo=UTC)
_PRODUCTS = 2000
_AFTER = re.compile(rb'"after":\s*"page-(\d+)"')
_JOB = re.compile(rb"BulkOperation/(\d+)")
_TENTH = 10
_LATER = 1_000 * 24 * 60
"""Minutes after everything else."""


def _money(cents: int) -> dict[str, Any]:
    return {"shopMoney": {"amount": f"{cents // 100}.{cents % 100:02}"}}


def _time(minutes: float) -> str:
    return (_BEGIN + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def customers(count: int) -> Iterator[dict[str, Any]]:
    """Customer nodes as the source asks for them."""
    for number in range(1, count + 1):
        yield {
            "id": f"gid://shopify/Customer/{7_000_000 + number}",
            "createdAt": _time(number),
            "updatedAt": _time(number),
            "firstName": f"First{number % 997}",
            "lastName": f"Last{number % 1999}",
            "locale": "de",
            "state": "ENABLED",
            "tags": ["wholesale"] if number % 50 == 0 else [],
            "defaultEmailAddress": {
                "emailAddress": f"c{number}@shopper.example",
                "marketingState": "SUBSCRIBED" if number % 3 else "NOT_SUBSCRIBED",
            },
            "defaultPhoneNumber": None,
            "defaultAddress": {
                "city": "Köln",
                "zip": "50667",
                "provinceCode": "NW",
                "countryCodeV2": "DE",
                "latitude": 50.9375,
                "longitude": 6.9603,
            },
        }


def orders(count: int, buyers: int) -> Iterator[dict[str, Any]]:
    """Order nodes with 1, 2, 3, 4, 1, 2 … lines: 2.5 on average."""
    choose = random.Random(7)
    for number in range(1, count + 1):
        lines = [_line(number, line, choose) for line in range(1 + number % 4)]
        total = sum(cents for cents, _ in lines) + 490
        price = _money(total)
        price["shopMoney"]["currencyCode"] = "EUR"
        yield {
            "id": f"gid://shopify/Order/{5_000_000_000 + number}",
            "processedAt": _time(number * 5),
            "updatedAt": _time(number * 5 + 2),
            "cancelledAt": _time(number * 5 + 2) if number % 40 == 0 else None,
            "test": False,
            "email": f"c{number}@shopper.example",
            "displayFinancialStatus": "PAID",
            "sourceName": "web",
            "tags": [],
            "totalPriceSet": price,
            "totalReceivedSet": _money(total),
            "totalDiscountsSet": _money(500 if number % 3 == 0 else 0),
            "discountCodes": ["SPRING"] if number % 3 == 0 else [],
            "customer": {"id": f"gid://shopify/Customer/{7_000_000 + choose.randint(1, buyers)}"},
            "shippingAddress": {"countryCodeV2": "DE", "provinceCode": "NW", "city": "Köln"},
            "refunds": _refunds(number, total),
            "lineItems": {
                "nodes": [node for _, node in lines],
                "pageInfo": {"hasNextPage": False, "endCursor": f"line-{number}"},
            },
        }


def _line(order: int, line: int, choose: random.Random) -> tuple[int, dict[str, Any]]:
    product = choose.randint(1, _PRODUCTS)
    cents = 100 + product * 7 % 9000
    discount = cents // 10 if order % 3 == 0 else 0
    return cents, {
        "id": f"gid://shopify/LineItem/{order * 10 + line}",
        "title": f"Thing number {product}",
        "vendor": f"Maker {product % 20}",
        "quantity": 1 + line % 3,
        "product": {"id": f"gid://shopify/Product/{product}"},
        "originalTotalSet": _money(cents + discount),
        "discountedTotalSet": _money(cents),
    }


def _refunds(number: int, total: int) -> list[dict[str, Any]]:
    if number % 25:
        return []
    return [
        {
            "id": f"gid://shopify/Refund/{number}",
            "createdAt": _time(number * 5 + 2),
            "processedAt": _time(number * 5 + 2),
            "totalRefundedSet": _money(total // 2),
        }
    ]


def changed(nodes: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The same records, every tenth of them changed since."""
    for number, node in enumerate(nodes):
        if number % _TENTH == 0:
            node["updatedAt"] = _time(_LATER)
            node["tags"] = [*node["tags"], "changed"]
        yield node


def _write_lines(path: Path, nodes: Iterator[dict[str, Any]]) -> int:
    """A bulk operation's file, children directly below their root; returns its lines."""
    count = 0
    with path.open("wb") as file:
        for node in nodes:
            children = node.pop("lineItems", {"nodes": []})["nodes"]
            for line in (node, *({**child, "__parentId": node["id"]} for child in children)):
                file.write(orjson.dumps(line) + b"\n")
                count += 1
    return count


def _pages(nodes: Iterator[dict[str, Any]]) -> list[bytes]:
    chunks = list(iter(lambda: list(islice(nodes, PAGE)), [])) or [[]]
    return [
        _answer(
            {
                "page": {
                    "nodes": chunk,
                    "pageInfo": {
                        "hasNextPage": index + 1 < len(chunks),
                        "endCursor": f"page-{index}",
                    },
                }
            }
        )
        for index, chunk in enumerate(chunks)
    ]


def _answer(data: Mapping[str, Any]) -> bytes:
    status = {"maximumAvailable": 20000.0, "currentlyAvailable": 20000, "restoreRate": 1000.0}
    cost = {"requestedQueryCost": 1, "actualQueryCost": 1, "throttleStatus": status}
    body = orjson.dumps({"data": data, "extensions": {"cost": cost}})
    now = format_datetime(datetime.now(UTC), usegmt=True)
    head = (
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
        f"date: {now}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Pages:
    """Everything that is answered page by page."""

    def __init__(self, streams: Mapping[str, Iterator[dict[str, Any]]]) -> None:
        scopes = ("read_products", "read_customers", "read_all_orders", "read_orders")
        self._shop = _answer(
            {
                "shop": {
                    "name": "Bench",
                    "myshopifyDomain": SHOP,
                    "ianaTimezone": "Europe/Berlin",
                    "currencyCode": "EUR",
                },
                "currentAppInstallation": {"accessScopes": [{"handle": s} for s in scopes]},
            }
        )
        self._streams = {f"{name}(".encode(): _pages(nodes) for name, nodes in streams.items()}

    def answer(self, body: bytes) -> bytes:
        """The rendered answer to one request."""
        if b"Count(" in body:
            return _answer({"counted": {"count": 0}})
        for word, pages in self._streams.items():
            if word in body:
                after = _AFTER.search(body)
                return pages[int(after[1]) + 1 if after else 0]
        return self._shop


class Jobs(Pages):
    """As ``Pages``, for bulk operations: job ``n`` is the ``n``-th stream."""

    def __init__(self, streams: Mapping[str, Iterator[dict[str, Any]]], folder: Path) -> None:
        super().__init__({})
        self.port = 0
        self.files = [folder / name for name in streams]
        self._lines = [
            _write_lines(file, nodes)
            for file, nodes in zip(self.files, streams.values(), strict=True)
        ]

    def answer(self, body: bytes) -> bytes:
        """What is said about counts and jobs."""
        if b"Count(" in body:
            return _answer({"counted": {"count": 1_000_000}})
        if b"bulkOperations(" in body:
            return _answer({"bulkOperations": {"nodes": []}})
        if b"bulkOperationRunQuery(" in body:
            job = next(n for n, file in enumerate(self.files) if f"{file.name}(".encode() in body)
            return _answer(
                {"bulkOperationRunQuery": {"bulkOperation": _job(job), "userErrors": []}}
            )
        asked = _JOB.search(body)
        return super().answer(body) if asked is None else self._ended(int(asked[1]))

    def _ended(self, job: int) -> bytes:
        lines, url = self._lines[job], f"http://127.0.0.1:{self.port}/{job}?key=1"
        ended = {"status": "COMPLETED", "errorCode": None, "objectCount": str(lines)}
        return _answer({"bulkOperation": {**_job(job), **ended, "url": url if lines else None}})


def _job(number: int) -> dict[str, Any]:
    return {"id": f"gid://shopify/BulkOperation/{number}", "status": "CREATED"}


class Connection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, just enough for two well-behaved clients."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._received = b""
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        if head.startswith(b"GET ") and isinstance(self._pages, Jobs):
            self._received = b""
            job = int(head.split(b"?")[0].rpartition(b"/")[2])
            self._sending = asyncio.ensure_future(self._send(self._pages.files[job]))
            return
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        if length is None or len(body) >= int(length[1]):
            self._received = b""
            self._transport.write(self._pages.answer(body))

    async def _send(self, path: Path) -> None:
        """A file; of one that is larger than memory but pieces are held."""
        head = f"HTTP/1.1 200 OK\r\ncontent-length: {path.stat().st_size}\r\n\r\n"
        self._transport.write(head.encode())
        with path.open("rb") as file:
            await asyncio.get_running_loop().sendfile(self._transport, file)


async def _serve(pages: Pages) -> None:
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(pages), "127.0.0.1", 0
    )
    port = server.sockets[0].getsockname()[1]
    if isinstance(pages, Jobs):
        pages.port = port
    print(port, flush=True)
    await server.serve_forever()


def main() -> None:
    """Render the shop, print the port, serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("orders", type=int)
    parser.add_argument("customers", type=int)
    parser.add_argument("--bulk", action="store_true")
    parser.add_argument("--changed", action="store_true")
    given = parser.parse_args()
    streams = {
        "products": iter(()),
        "customers": customers(given.customers),
        "orders": orders(given.orders, given.customers),
    }
    if given.changed:
        streams = {name: changed(nodes) for name, nodes in streams.items()}
    with tempfile.TemporaryDirectory(prefix="segmentd-bench-") as folder:
        asyncio.run(_serve(Jobs(streams, Path(folder)) if given.bulk else Pages(streams)))


if __name__ == "__main__":
    main()
