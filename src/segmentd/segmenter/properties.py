"""The properties of single orders, lines, refunds and events: one value per row of their table."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import pandas as pd

from segmentd.segmenter.columns import (
    Ints,
    TermColumn,
    combined,
    divide,
    floats,
    lists,
    positions_of,
    texts,
    unknown,
)
from segmentd.segmenter.days import months_of, weekdays_of
from segmentd.segmenter.events import EventTable, Tables
from segmentd.segmenter.language import Events
from segmentd.segmenter.predicates import Floats, Terms

_ORDER_TEXTS = {"app_id": "channel", "channel": "channel", "country": "country"}
_ORDER_LISTS = {"discount_code": "discount_codes", "tag": "tags"}
_PRODUCT_TEXTS = {"id": "remote_id", "title": "title", "type": "product_type", "vendor": "vendor"}


class Properties:
    """Each property is made when it is asked for, and once."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self._numbers: dict[tuple[str, str | None, str], Floats] = {}
        self._terms: dict[tuple[str, str | None, str], TermColumn] = {}

    def numbers(self, events: Events, name: str) -> Floats:
        """Minor units, plain numbers, epoch seconds, 1 and 0 for truths; NaN where missing."""
        key = (events.function, events.argument, name)
        if key not in self._numbers:
            table = self._tables.table(events)
            self._numbers[key] = self._number(table, name) if table else np.zeros(0)
        return self._numbers[key]

    def terms(self, events: Events, name: str) -> TermColumn:
        """Texts, ids, lists, and whatever has no type of its own."""
        key = (events.function, events.argument, name)
        if key not in self._terms:
            table = self._tables.table(events)
            self._terms[key] = self._text(table, name) if table else unknown(0)
        return self._terms[key]

    # numbers

    def _number(self, table: EventTable, name: str) -> Floats:
        if name in _TIMES:
            return _TIMES[name](self._tables, table)
        makers = self._makers(table)
        return makers[name](self._tables) if name in makers else np.full(len(table.rows), np.nan)

    def _makers(self, table: EventTable) -> dict[str, Callable[[Tables], Floats]]:
        if table is self._tables.orders:
            return _ORDERS
        if table is self._tables.lines:
            return {**_LINES, "launch_age": self._launch_age}
        if table is self._tables.refunds:
            return _REFUNDS
        return {"amount": lambda _: table.floats("amount")}

    def _launch_age(self, tables: Tables) -> Floats:
        published = np.append(floats(tables.frames.products, "published_at"), np.nan)
        clock = tables.clock
        age = clock.days(tables.lines.placed) - clock.days(published)[self._products]
        return np.where(age < 0, np.nan, age)

    # texts

    def _text(self, table: EventTable, name: str) -> TermColumn:
        if table is self._tables.orders:
            return _order_terms(table, name)
        if table is self._tables.lines:
            return self._product_terms(name)
        if table is self._tables.refunds:
            return unknown(len(table.rows))
        key = name.removeprefix("properties.") + "="
        packed = table.terms("properties", packed=True)
        return packed.map(lambda terms: _value(terms, key))

    def _product_terms(self, name: str) -> TermColumn:
        column = _product_column(self._tables.frames.products, name)
        # the last is that of the unknown product, whose position is -1
        codes = np.append(column.codes, len(column.distinct))
        return TermColumn(codes[self._products], [*column.distinct, ()])

    @cached_property
    def _products(self) -> Ints:
        """The position of every line's product."""
        index = pd.Index(self._tables.frames.products["product_id"].to_numpy(np.int64))
        return positions_of(index, pd.Series(self._tables.lines.ints("product_id")))


def _value(terms: Terms, key: str) -> Terms:
    for term in terms:
        if term.startswith(key):
            return (term[len(key) :],) if len(term) > len(key) else ()
    return ()


def _order_terms(orders: EventTable, name: str) -> TermColumn:
    if name in _ORDER_LISTS:
        return orders.terms(_ORDER_LISTS[name], packed=True)
    if name in _ORDER_TEXTS:
        return orders.terms(_ORDER_TEXTS[name])
    return unknown(len(orders.rows))


def _product_column(products: pd.DataFrame, name: str) -> TermColumn:
    if name == "tag":
        return lists(products["tags"])
    if name == "category":
        return _categories(products)
    if name in _PRODUCT_TEXTS:
        return texts(products[_PRODUCT_TEXTS[name]])
    return unknown(len(products))


def _categories(products: pd.DataFrame) -> TermColumn:
    """Categories, and the product type: Shopify has the one, WooCommerce the other."""
    categories, types = lists(products["categories"]), texts(products["product_type"])
    codes, found = combined(categories, types)
    return TermColumn(codes, [several + one for several, one in found])


# orders in their sequence


def _place(tables: Tables) -> Floats:
    rows, begins = tables.orders.sequence
    places = np.zeros(len(rows))
    places[rows] = np.arange(len(rows)) - begins + 1
    return places


def _place_from_the_end(tables: Tables) -> Floats:
    orders = tables.orders
    return _place(tables) - orders.count()[orders.profile] - 1


def _gap(tables: Tables) -> Floats:
    rows, begins = tables.orders.sequence
    days = tables.clock.days(tables.orders.placed)[rows]
    gaps = np.full(len(rows), np.nan)
    gaps[rows] = np.where(begins == np.arange(len(rows)), np.nan, np.diff(days, prepend=np.nan))
    return gaps


# money of orders, lines and refunds


def _order_positions(tables: Tables, table: EventTable) -> Ints:
    index = pd.Index(tables.orders.ints("order_id"))
    return positions_of(index, pd.Series(table.ints("order_id")))


def _sum_by_order(tables: Tables, table: EventTable, name: str) -> Floats:
    positions = _order_positions(tables, table)
    known = positions >= 0
    weights = np.nan_to_num(table.floats(name)[known])
    sums = np.bincount(positions[known], weights, minlength=len(tables.orders.rows))
    return sums.astype(np.float64)


def _net(tables: Tables) -> Floats:
    return tables.orders.floats("total") - _sum_by_order(tables, tables.refunds, "amount")


def _fully_refunded(tables: Tables) -> Floats:
    # the last is that of an order that is not in the frames, whose position is -1
    full = np.append(_net(tables) <= 0, False)
    return full[_order_positions(tables, tables.refunds)].astype(np.float64)


def _order_discounted(tables: Tables) -> Floats:
    coupons = tables.orders.terms("discount_codes", packed=True).test(bool)
    return (coupons | (tables.orders.floats("discount") > 0)).astype(np.float64)


def _unit_price(tables: Tables) -> Floats:
    lines = tables.lines
    quantity = lines.floats("quantity")
    price = divide(lines.floats("amount") + lines.floats("discount"), quantity)
    return np.where(quantity > 0, price, np.nan)


_TIMES: dict[str, Callable[[Tables, EventTable], Floats]] = {
    "date": lambda _, table: table.placed,
    "month": lambda tables, table: months_of(tables.clock.days(table.placed)),
    "weekday": lambda tables, table: weekdays_of(tables.clock.days(table.placed)),
    "hour": lambda tables, table: tables.clock.hours(table.placed),
}
_ORDERS: dict[str, Callable[[Tables], Floats]] = {
    "amount": lambda tables: tables.orders.floats("total"),
    "net_amount": _net,
    "discount": lambda tables: tables.orders.floats("discount"),
    "discounted": _order_discounted,
    "items": lambda tables: _sum_by_order(tables, tables.lines, "quantity"),
    "nth": _place,
    "nth from the end": _place_from_the_end,
    "gap": _gap,
}
_LINES: dict[str, Callable[[Tables], Floats]] = {
    "amount": lambda tables: tables.lines.floats("amount"),
    "discount": lambda tables: tables.lines.floats("discount"),
    "discounted": lambda tables: (tables.lines.floats("discount") > 0).astype(np.float64),
    "unit_price": _unit_price,
    "quantity": lambda tables: tables.lines.floats("quantity"),
}
_REFUNDS: dict[str, Callable[[Tables], Floats]] = {
    "amount": lambda tables: tables.refunds.floats("amount"),
    "full": _fully_refunded,
}
