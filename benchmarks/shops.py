"""Invented shops of any size, the same ones each time: seasons, repeat buyers, guests, refunds.

How often somebody buys is gamma-Poisson with an exponential lifetime, prices are lognormal,
products are bought by Zipf's law, days follow the year and the week. All people are invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

END = datetime(2026, 11, 1, tzinfo=UTC)
"""The ``now`` of all measurements; nothing happens in the shop after it."""
HOUR, DAY = 3_600, 86_400
REFUNDED_AFTER = 9 * DAY
DAYS = 3 * 365
ORDERS_PER_CUSTOMER = 5
PRODUCTS = 400
CATEGORIES = 20
COUNTRIES = ("DE", "AT", "CH", "FR", "NL", "BE", "IT", "ES", "PL", "DK", "SE", "GB")
CODES = ("WELCOME", "SPRING", "SUMMER", "AUTUMN", "WINTER", "FRIEND", "SORRY", "BLACK")
TAGS = ("wholesale", "press", "friends", "blogger")
CHANNELS = ("web", "pos", "app")

_GUESTS, _COUPONS, _REFUNDED, _CANCELLED, _UNPAID = 0.15, 0.30, 0.04, 0.03, 0.02
_SUBSCRIBED, _TAGGED = 0.45, 0.12
_SEED = 20261101


@dataclass(frozen=True)
class Shop:
    """Everything that happened, as columns; instants are epoch seconds, money is cents.

    Customer ``i`` is profile ``i + 1``. Orders stand in the order in which they were placed:
    order ``j`` has the id ``j + 1``. ``first_line[j]:first_line[j + 1]`` are its lines.
    """

    guest: Flags
    registered: Ints
    country: Ints
    tag: Ints
    """Index into TAGS; -1: none."""
    subscribed: Flags
    customer: Ints
    placed: Ints
    code: Ints
    """Index into CODES; -1: none."""
    channel: Ints
    cancelled: Flags
    refunded: Flags
    paid: Flags
    first_line: Ints
    product: Ints
    quantity: Ints
    amount: Ints
    discount: Ints
    price: Ints
    """Of each product."""

    @property
    def customers(self) -> int:
        return len(self.guest)

    @property
    def orders(self) -> int:
        return len(self.customer)

    @property
    def lines(self) -> int:
        return len(self.product)

    @property
    def total(self) -> Ints:
        """Of each order: its lines and the shipping."""
        return np.add.reduceat(self.amount, self.first_line[:-1]) + 490


def shop(customers: int) -> Shop:
    """A shop with so many customers, five times as many orders and 2.5 lines an order."""
    choose = np.random.default_rng(_SEED)
    orders = customers * ORDERS_PER_CUSTOMER
    end = int(END.timestamp())
    begin = end - DAYS * DAY
    guest = choose.random(customers) < _GUESTS
    registered = begin + (choose.random(customers) ** 0.8 * DAYS * DAY).astype(np.int64)
    customer, placed = _placed(choose, orders, guest, registered, begin)
    code = np.where(choose.random(orders) < _COUPONS, choose.integers(0, len(CODES), orders), -1)
    counts = 1 + choose.poisson(1.5, orders)
    first_line = np.concatenate(([0], np.cumsum(counts)))
    price = np.maximum(np.exp(choose.normal(7.6, 0.8, PRODUCTS)).astype(np.int64), 99)
    product, quantity, amount, discount = _lines(choose, price, np.repeat(code >= 0, counts))
    return Shop(
        guest,
        registered,
        choose.choice(len(COUNTRIES), customers, p=_falling(len(COUNTRIES))),
        np.where(choose.random(customers) < _TAGGED, choose.integers(0, len(TAGS), customers), -1),
        choose.random(customers) < _SUBSCRIBED,
        customer,
        placed,
        code,
        choose.choice(len(CHANNELS), orders, p=_falling(len(CHANNELS))),
        # nothing of what follows an order lies beyond the end
        (choose.random(orders) < _CANCELLED) & (placed < end - HOUR),
        (choose.random(orders) < _REFUNDED) & (placed < end - REFUNDED_AFTER),
        choose.random(orders) >= _UNPAID,
        first_line,
        product,
        quantity,
        amount,
        discount,
        price,
    )


def chunks(count: int, size: int) -> Iterator[slice]:
    """Slices that cover ``count`` rows."""
    for start in range(0, count, size):
        yield slice(start, min(start + size, count))


def _falling(count: int) -> Floats:
    """Shares by Zipf's law."""
    weights = 1 / np.arange(1, count + 1)
    shares: Floats = weights / weights.sum()
    return shares


def _placed(
    choose: np.random.Generator, orders: int, guest: Flags, registered: Ints, begin: int
) -> tuple[Ints, Ints]:
    """Who places each order and when, in the order of time; every guest has one at least."""
    end = begin + DAYS * DAY
    left = np.minimum(registered + choose.exponential(300 * DAY, len(guest)), end)
    weights = choose.gamma(0.8, 1.0, len(guest)) * (left - registered)
    guests = np.flatnonzero(guest)
    counts = choose.multinomial(orders - len(guests), weights / weights.sum())
    counts[guests] += 1
    customer = np.repeat(np.arange(len(guest)), counts)
    season = _season(begin)
    days = np.arange(len(season)) * DAY + begin
    low, high = np.interp(registered, days, season), np.interp(left, days, season)
    drawn = low[customer] + choose.random(orders) * (high - low)[customer]
    placed = np.interp(drawn, season, days).astype(np.int64)
    ranked = np.argsort(placed, kind="stable")
    return customer[ranked], placed[ranked]


def _season(begin: int) -> Floats:
    """How much of the three years' trade was done at the beginning of each day."""
    day = np.arange(DAYS) + begin // DAY
    year = 1 + 0.8 * np.exp(-(((day % 365.25) - 335) ** 2) / 800)
    week = np.where(day % 7 < 2, 1.4, 1.0)
    trade: Floats = np.concatenate(([0.0], np.cumsum(year * week)))
    shares: Floats = trade / trade[-1]
    return shares


def _lines(
    choose: np.random.Generator, price: Ints, discounted: Flags
) -> tuple[Ints, Ints, Ints, Ints]:
    count = len(discounted)
    product = choose.choice(PRODUCTS, count, p=_falling(PRODUCTS))
    quantity = choose.choice(np.array([1, 2, 3]), count, p=[0.8, 0.15, 0.05])
    before = price[product] * quantity
    discount = np.where(discounted, before // 10, 0)
    return product, quantity, before - discount, discount
