"""Small shops, made to show whom a rule selects and whom it does not."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from segmentd.domain.segments import Segment
from segmentd.segmenter.evaluate import evaluate
from segmentd.segmenter.ruleset import Shop, compile_segments
from segmenter_oracle.asking import NOW, cuts, instant
from segmenter_oracle.histories import Event, Line, Order, Person, Product, frames

FITTED = {
    "at_risk_days": 90,
    "dormant_days": 180,
    "lost_days": 365,
    "large_order": 500,
    "high_price": 100,
    "low_price": 5,
}
AT = instant(NOW)
NUMBERS = itertools.count(1)


def ago(days: float) -> int:
    return AT - round(days * 86_400)


RING = Product(1, "11", "Ring", "Rings", "Acme", ["eco", "health"], ["Jewellery"], ago(1000))
BAND = Product(2, "12", "Band", "Bands", "Acme", ["tech", "budget"], ["Jewellery"], ago(1000))
HAT = Product(3, "13", "Hat", None, None, ["outdoor"], ["Headwear"], ago(1000))
NEW = Product(4, "14", "New", "Rings", "Acme", [], [], ago(40))
NEWER = Product(5, "15", "Newer", "Rings", "Acme", [], [], ago(20))
SUBSCRIBER = {"email": "a@shopper.example", "email_consent": "SUBSCRIBED"}
PRODUCTS = [RING, BAND, HAT, NEW, NEWER]


def person(*orders: Order, **facts: object) -> Person:
    return dataclasses.replace(Person(0, orders=list(orders)), **facts)  # type: ignore[arg-type]


def order(days: float, total: int = 1000, **facts: object) -> Order:
    made = Order(next(NUMBERS), ago(days), total)
    return dataclasses.replace(made, **facts)  # type: ignore[arg-type]


def buys(*days: float, total: int = 1000) -> Person:
    return person(*(order(each, total) for each in days))


def bought(
    product: Product | None, days: float, quantity: int = 1, amount: int = 1000, discount: int = 0
) -> Order:
    lines = [Line(product, quantity, amount, discount)]
    return order(days, amount, discount=discount, lines=lines)


def on(*dates: str) -> Person:
    return person(*(Order(next(NUMBERS), instant(f"{date}T10:00:00")) for date in dates))


def did(*events: Event, **facts: object) -> Person:
    return person(events=list(events), **facts)


def event(name: str, days: float, **properties: str) -> Event:
    return Event(next(NUMBERS), name, ago(days), properties=properties)


def checkout(hours: float, amount: int = 5000, ended_at: int | None = None) -> Event:
    return Event(next(NUMBERS), "checkout", ago(hours / 24), amount, ended_at)


def bought_with(product: Product, other: Product, days: float) -> Order:
    lines = [Line(product, 1, 1000), Line(other, 1, 1000)]
    return order(days, 2000, lines=lines)


def code(days: float) -> Order:
    return order(days, codes=["SUMMER"], discount=100)


def refunded(days: float, total: int, amount: int) -> Order:
    return order(days, total, refunds=[(ago(days - 1), amount)])


def crowd() -> list[Person]:
    """Forty buyers of whom each spent more than the one before, on 1 to 5 orders."""
    return [
        buys(*(10 * n + 7 * more for more in range(1 + n // 10)), total=1000 * n)
        for n in range(1, 41)
    ]


@dataclass
class Case:
    """A preset, its parameters, and who belongs and who does not."""

    preset: str
    members: Sequence[Person]
    others: Sequence[Person]
    values: Mapping[str, object] = field(default_factory=dict)
    store: bool = False
    """There is a crowd beside them, for comparisons with the whole store."""

    def decide(self, where: str, stays: str = "") -> list[bool]:
        """Who belongs, the members first."""
        people = [*self.members, *self.others, *(crowd() if self.store else ())]
        numbered = [dataclasses.replace(one, id=n) for n, one in enumerate(people, start=1)]
        asked = Segment("asked", "Asked", where, stays=stays)
        ruleset = compile_segments([asked], Shop("UTC", "EUR"), variables=FITTED)
        known, now = frames(numbered, PRODUCTS), datetime.fromtimestamp(AT, UTC)
        found = evaluate(ruleset, known, now, cuts(ruleset, known, now))
        mine = len(self.members) + len(self.others)
        return [bool(one) for one in found.members["asked"].to_list()[:mine]]
