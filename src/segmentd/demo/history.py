"""Purchase histories of real shops, read from CSV files into the records of the domain.

A history is a folder of gzipped CSV files: ``customers``, ``orders``, ``order_lines`` and, where
known, ``refunds`` and ``products``. Times are UTC (``2011-01-18T10:01:00Z``), money is in minor
units, lists are separated by ``;``. The ids of the files become what a shop can have, digits:
``C00010`` is 10, and products are numbered in the order of their ids.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from segmentd.domain.records import Customer, Order, OrderLine, Product, Refund
from segmentd.sdk.testing.sandbox import ShopSandbox

CDNOW = Path(__file__).parent / "cdnow"
"""The history that comes with segmentd; its NOTICE names the origin."""

# WordPress numbers products and orders in one sequence: far above the orders they cannot clash
_FIRST_PRODUCT = 1_000_001


@dataclass(frozen=True, slots=True)
class Part:
    """Every ``of``-th customer (and every ``of``-th guest order), beginning with ``number``."""

    number: int
    of: int

    def has(self, id: str) -> bool:  # noqa: A002 - the domain's word
        """Whether the customer, or the guest's order, with this id belongs to the part."""
        return int(id) % self.of == self.number


WHOLE = Part(0, 1)


@dataclass(frozen=True)
class History:
    """The customers, orders and products of one shop, each in the order of its time."""

    _customers: list[tuple[datetime, Customer]]
    _orders: list[Order]
    products: list[Product]

    def customers(
        self, until: datetime, since: datetime | None = None, part: Part = WHOLE
    ) -> Iterator[Customer]:
        """Customers who came before ``until``, and not before ``since``."""
        for came, customer in self._customers:
            if _within(came, since, until) and part.has(customer.id):
                yield customer

    def orders(
        self, until: datetime, since: datetime | None = None, part: Part = WHOLE
    ) -> Iterator[Order]:
        """Orders placed or refunded before ``until``, and not before ``since``, as known then."""
        for order in self._orders:
            if part.has(order.customer_id or order.id):
                known = _as_known(order, until)
                if known.placed_at < until and _within(known.updated_at, since, until):
                    yield known


def load_history(folder: Path) -> History:
    """Read the CSV files of ``folder``."""
    lines, products = _lines_and_products(folder)
    refunds = _refunds(folder)
    customers = [_customer(row) for row in _rows(folder, "customers")]
    orders = [
        _order(row, lines[row["order_id"]], refunds[row["order_id"]])
        for row in _rows(folder, "orders")
    ]
    customers.sort(key=lambda pair: (pair[0], int(pair[1].id)))
    orders.sort(key=lambda order: (order.placed_at, int(order.id)))
    return History(customers, orders, products)


def fill(
    sandbox: ShopSandbox,
    history: History,
    until: datetime,
    part: Part = WHOLE,
    since: datetime | None = None,
) -> int:
    """Let a shop live through the history from ``since`` to ``until``; returns its orders."""
    if since is None:
        for product in history.products:
            sandbox.put_product(product)
    for customer in history.customers(until, since, part):
        sandbox.put_customer(customer)
    count = 0
    for order in history.orders(until, since, part):
        sandbox.put_order(order)
        count += 1
    return count


def _rows(folder: Path, name: str) -> Iterator[dict[str, str]]:
    path = folder / f"{name}.csv.gz"
    if not path.exists() and name in {"products", "refunds"}:
        return
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _within(instant: datetime, since: datetime | None, until: datetime) -> bool:
    return instant < until and (since is None or instant >= since)


def _digits(text: str) -> str:
    return str(int("".join(character for character in text if character.isdigit())))


def _list(text: str) -> list[str]:
    return [element for element in text.split(";") if element]


def _customer(row: dict[str, str]) -> tuple[datetime, Customer]:
    created = datetime.fromisoformat(row["created_at"])
    return created, Customer(
        id=_digits(row["customer_id"]),
        created_at=created,
        updated_at=created,
        email=row["email"] or None,
        country=row["country_code"] or None,
        tags=_list(row["tags"]),
    )


def _order(row: dict[str, str], lines: list[OrderLine], refunds: list[Refund]) -> Order:
    placed = datetime.fromisoformat(row["created_at"])
    return Order(
        id=_digits(row["order_id"]),
        customer_id=_digits(row["customer_id"]) if row["customer_id"] else None,
        placed_at=placed,
        updated_at=placed,
        currency=row["currency"],
        total=int(row["total_cents"]),
        discount=int(row["discount_cents"]),
        discount_codes=_list(row["discount_codes"]),
        country=row["country_code"] or None,
        paid=True,
        lines=lines,
        refunds=refunds,
    )


def _as_known(order: Order, until: datetime) -> Order:
    """The order as its shop showed it just before ``until``: without the refunds of later."""
    refunds = [refund for refund in order.refunds if refund.created_at < until]
    changed = max([order.placed_at, *(refund.created_at for refund in refunds)])
    return replace(order, refunds=refunds, updated_at=changed)


def _lines_and_products(folder: Path) -> tuple[dict[str, list[OrderLine]], list[Product]]:
    titles = {row["product_id"]: row for row in _rows(folder, "products")}
    rows = list(_rows(folder, "order_lines"))
    names = sorted(titles.keys() | {row["product_id"] for row in rows})
    ids = {name: str(_FIRST_PRODUCT + index) for index, name in enumerate(names)}
    lines: dict[str, list[OrderLine]] = defaultdict(list)
    prices: dict[str, int] = defaultdict(int)
    for number, row in enumerate(rows, start=1):
        line = OrderLine(
            id=str(number),
            product_id=ids[row["product_id"]],
            quantity=int(row["quantity"]),
            amount=int(row["amount_cents"]),
            title=titles.get(row["product_id"], {}).get("title", row["product_id"]),
        )
        lines[row["order_id"]].append(line)
        # the histories tell no prices: the highest that was paid for one piece
        paid = line.amount // line.quantity if line.quantity > 0 else 0
        prices[row["product_id"]] = max(prices[row["product_id"]], paid)
    return lines, [_product(ids[n], n, titles.get(n, {}), prices.get(n)) for n in names]


def _product(
    id: str,  # noqa: A002 - the domain's word
    name: str,
    row: dict[str, str],
    price: int | None,
) -> Product:
    return Product(
        id=id,
        title=row.get("title") or name,
        product_type=row.get("product_type") or None,
        price=price,
    )


def _refunds(folder: Path) -> dict[str, list[Refund]]:
    refunds: dict[str, list[Refund]] = defaultdict(list)
    for number, row in enumerate(_rows(folder, "refunds"), start=1):
        refunds[row["order_id"]].append(
            Refund(
                id=str(number),
                created_at=datetime.fromisoformat(row["created_at"]),
                amount=int(row["amount_cents"]),
            )
        )
    return refunds
