"""The barest way from Shopify's pages into a database: what ``ingest`` compares with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import httpx
import orjson
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

METADATA = sa.MetaData()
_TIME, _BIG = sa.DateTime(timezone=True), sa.BigInteger
CUSTOMERS = sa.Table(
    "customers",
    METADATA,
    sa.Column("id", _BIG, primary_key=True, autoincrement=False),
    sa.Column("updated_at", _TIME),
    sa.Column("created_at", _TIME),
    *(sa.Column(name, sa.Text) for name in ("email", "country", "region", "city", "postcode")),
    *(sa.Column(name, sa.Float) for name in ("latitude", "longitude")),
    *(sa.Column(name, sa.Text) for name in ("language", "state", "email_consent", "tags")),
)
ORDERS = sa.Table(
    "orders",
    METADATA,
    sa.Column("id", _BIG, primary_key=True, autoincrement=False),
    sa.Column("customer_id", _BIG, index=True),
    *(sa.Column(name, _TIME) for name in ("placed_at", "updated_at", "cancelled_at")),
    *(sa.Column(name, _BIG) for name in ("total", "discount")),
    *(sa.Column(name, sa.Boolean) for name in ("paid", "test")),
    *(sa.Column(name, sa.Text) for name in ("currency", "status", "channel", "email", "tags")),
    *(sa.Column(name, sa.Text) for name in ("discount_codes", "country", "region", "city")),
)
LINES = sa.Table(
    "order_lines",
    METADATA,
    sa.Column("order_id", _BIG, primary_key=True, autoincrement=False),
    sa.Column("line", sa.Integer, primary_key=True, autoincrement=False),
    *(sa.Column(name, _BIG) for name in ("product_id", "quantity", "amount", "discount")),
)
REFUNDS = sa.Table(
    "refunds",
    METADATA,
    sa.Column("id", _BIG, primary_key=True, autoincrement=False),
    sa.Column("order_id", _BIG),
    sa.Column("created_at", _TIME),
    sa.Column("amount", _BIG),
)

QUERY = "query Bare($after: String) {{ page: {stream}(first: 250, after: $after) {{ nodes }} }}"


def run(server: str, store: str) -> None:
    """Read every page and upsert its rows, one transaction a page."""
    engine = sa.create_engine(store)
    if engine.dialect.name == "sqlite":
        sa.event.listen(engine, "connect", lambda c, _: c.execute("PRAGMA journal_mode = WAL"))
    METADATA.create_all(engine)
    with httpx.Client() as client:
        for stream, rows_of in (("customers", customer_rows), ("orders", order_rows)):
            for nodes in _pages(client, server, stream):
                rows = rows_of(nodes)
                with engine.begin() as connection:
                    for table, values in rows.items():
                        if values:
                            connection.execute(_upsert(engine, table), values)
    engine.dispose()


def _pages(client: httpx.Client, server: str, stream: str) -> Iterator[list[dict[str, Any]]]:
    after = None
    while True:
        content = orjson.dumps(
            {"query": QUERY.format(stream=stream), "variables": {"after": after}}
        )
        answer = client.post(f"{server}/admin/api/2026-10/graphql.json", content=content)
        page = orjson.loads(answer.content)["data"]["page"]
        yield page["nodes"]
        if not page["pageInfo"]["hasNextPage"]:
            return
        after = page["pageInfo"]["endCursor"]


def _upsert(engine: sa.Engine, table: sa.Table) -> Any:
    insert: Callable[..., Any] = (
        sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
    )
    statement = insert(table)
    keys = list(table.primary_key)
    changed = {c.name: statement.excluded[c.name] for c in table.c if c not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def _number(gid: str) -> int:
    return int(gid.rpartition("/")[2])


def _cents(bag: dict[str, Any]) -> int:
    return int(bag["shopMoney"]["amount"].replace(".", ""))


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def customer_rows(nodes: list[dict[str, Any]]) -> dict[sa.Table, list[dict[str, Any]]]:
    return {
        CUSTOMERS: [
            {
                "id": _number(node["id"]),
                "updated_at": _time(node["updatedAt"]),
                "created_at": _time(node["createdAt"]),
                "email": node["defaultEmailAddress"]["emailAddress"],
                "country": node["defaultAddress"]["countryCodeV2"],
                "region": node["defaultAddress"]["provinceCode"],
                "city": node["defaultAddress"]["city"],
                "postcode": node["defaultAddress"]["zip"],
                "latitude": node["defaultAddress"]["latitude"],
                "longitude": node["defaultAddress"]["longitude"],
                "language": node["locale"],
                "state": node["state"],
                "email_consent": node["defaultEmailAddress"]["marketingState"],
                "tags": "\n".join(node["tags"]),
            }
            for node in nodes
        ]
    }


def order_rows(nodes: list[dict[str, Any]]) -> dict[sa.Table, list[dict[str, Any]]]:
    rows: dict[sa.Table, list[dict[str, Any]]] = {ORDERS: [], LINES: [], REFUNDS: []}
    for node in nodes:
        order_id = _number(node["id"])
        rows[ORDERS].append(_order_row(order_id, node))
        for line, item in enumerate(node["lineItems"]["nodes"]):
            amount = _cents(item["discountedTotalSet"])
            rows[LINES].append(
                {
                    "order_id": order_id,
                    "line": line,
                    "product_id": _number(item["product"]["id"]),
                    "quantity": item["quantity"],
                    "amount": amount,
                    "discount": _cents(item["originalTotalSet"]) - amount,
                }
            )
        for refund in node["refunds"]:
            rows[REFUNDS].append(
                {
                    "id": _number(refund["id"]),
                    "order_id": order_id,
                    "created_at": _time(refund["createdAt"]),
                    "amount": _cents(refund["totalRefundedSet"]),
                }
            )
    return rows


def _order_row(order_id: int, node: dict[str, Any]) -> dict[str, Any]:
    address = node["shippingAddress"]
    return {
        "id": order_id,
        "customer_id": _number(node["customer"]["id"]),
        "placed_at": _time(node["processedAt"]),
        "updated_at": _time(node["updatedAt"]),
        "cancelled_at": _time(node["cancelledAt"]),
        "total": _cents(node["totalPriceSet"]),
        "discount": _cents(node["totalDiscountsSet"]),
        "paid": node["displayFinancialStatus"] == "PAID",
        "test": node["test"],
        "currency": node["totalPriceSet"]["shopMoney"]["currencyCode"],
        "status": node["displayFinancialStatus"],
        "channel": node["sourceName"],
        "email": node["email"],
        "tags": "\n".join(node["tags"]),
        "discount_codes": "\n".join(node["discountCodes"]),
        "country": address["countryCodeV2"],
        "region": address["provinceCode"],
        "city": address["city"],
    }
