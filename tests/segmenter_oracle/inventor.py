"""Random people around an instant, with many events near to the edges of days."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from segmenter_oracle.histories import (
    PRODUCTS,
    Event,
    Line,
    Membership,
    Order,
    Person,
    Product,
)

CATALOGUE = [
    *PRODUCTS,
    Product(5, "15", "Crème brûlée", "Straße", "ÉCLAIR", ["Été"], ["Dessert"], 1_703_500_000),
]
EVENT_NAMES = (
    "checkout",
    "checkout",
    "Viewed Product",
    "Viewed Product",
    "viewed product",
    "shopify_email.opened",
    "shopify_email.clicked",
    "storefront.product_viewed",
)
HOMES: list[tuple[str | None, str | None, str | None, str | None, float | None, float | None]] = [
    (None, None, None, None, None, None),
    ("DE", "BE", "Berlin", "10115", 52.53, 13.38),
    ("DE", None, "Berlin", None, None, None),
    ("US", "CA", "Los Angeles", "90001", 33.97, -118.25),
    ("US", "AK", "Nome", "99762-1", None, None),
    ("AU", "NSW", "Sydney", "2000", -33.87, 151.21),
    ("FR", None, "Évry", "91000", 48.63, 2.43),
    ("BR", "SP", None, "01310-100", None, None),
    ("KE", None, "Nairobi", None, -1.29, 36.82),
    ("ZZ", None, None, "ab 1", None, None),
]


class Inventor:
    """Makes people up."""

    def __init__(self, seed: int, zone: ZoneInfo, now: int) -> None:
        self.random = random.Random(seed)
        self.zone = zone
        self.now = now
        self.last_id = 0

    def people(self, count: int, segments: list[str] | None = None) -> list[Person]:
        """People with ids from 1, each with a past in some of the segments."""
        return [self._person(number, segments or []) for number in range(1, count + 1)]

    def instant(self) -> int:
        """An instant: at an edge of a day, an exact number of hours ago, or anywhere."""
        pick = self.random.random()
        today = datetime.fromtimestamp(self.now, self.zone).date()
        if pick < 0.5:
            back = self.random.choice(
                [0, 1, 2, 6, 7, 8, 29, 30, 31, 60, 89, 90, 91, 364, 365, -1, -3]
            )
            return self._midnight(today - timedelta(back)) + self.random.choice([-1, 0, 1, 43_200])
        if pick < 0.7:
            hours = self.random.choice([0, 1, 24, 48, -1])
            return self.now - hours * 3600 + self.random.choice([-1, 0, 1])
        return self.now - self.random.randrange(-5 * 86_400, 500 * 86_400)

    def _midnight(self, day: date) -> int:
        return int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp())

    def _maybe(self, *choices: Any) -> Any:
        return self.random.choice([None, *choices])

    def _next_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def _person(self, number: int, segments: list[str]) -> Person:
        pick = self.random.choice
        country, region, city, postcode, latitude, longitude = pick(HOMES)
        person = Person(
            number,
            self._maybe(self.instant(), self.instant(), self.instant()),
            self._maybe(f"p{number}@Mail.example", f"p{number}@shopper.example"),
            country,
            region,
            city,
            self._maybe("de", "en", "EN"),
            self._maybe("ENABLED", "DISABLED"),
            self._maybe("SUBSCRIBED", "UNSUBSCRIBED"),
            self._maybe("SUBSCRIBED", "PENDING"),
            self.random.sample(["VIP", "wholesale", "new-ish", "O'Hara"], pick([0, 0, 1, 2])),
            [self._order() for _ in range(pick([0, 0, 1, 1, 2, 3, 6]))],
        )
        person.postcode, person.latitude, person.longitude = postcode, latitude, longitude
        self._met(person)
        person.traits = self._traits()
        for segment in segments:
            person.memberships += self._memberships(segment)
        return person

    def _order(self) -> Order:
        placed = self.instant()
        pick, chance = self.random.choice, self.random.random
        total = pick([0, 999, 1000, 1001, 5000, 12_345])
        refunds = [
            (placed + pick([0, 3600, 86_400 * 20]), pick([1, 500, 1000]))
            for _ in range(pick([0, 0, 0, 1, 2]))
        ]
        return Order(
            self._next_id(),
            placed,
            None if chance() < 0.05 else total,
            placed + pick([60, 86_400, 86_400 * 40]) if chance() < 0.15 else None,
            chance() < 0.9,
            self._maybe("web", "POS", "42"),
            self._maybe("DE", "FR"),
            pick([[], [], ["SUMMER"], ["Winter", "x"]]),
            [self._line() for _ in range(pick([0, 1, 1, 2, 3]))],
            refunds,
            pick([0, 0, 100, 999]),
            pick([[], [], ["gift"], ["Gift", "urgent"]]),
        )

    def _line(self) -> Line:
        pick = self.random.choice
        return Line(
            pick([None, *CATALOGUE]),
            pick([1, 1, 2, 5, 0]),
            pick([0, 500, 1000]),
            pick([0, 0, 100, None]),
        )

    def _met(self, person: Person) -> None:
        """Events, some of them near to the orders."""
        placed = [order.placed_at for order in person.orders]
        for _ in range(self.random.choice([0, 1, 3, 5, 8])):
            near = placed and self.random.random() < 0.4
            at = self._near(self.random.choice(placed)) if near else self.instant()
            person.events.append(self._event(at))

    def _near(self, instant: int) -> int:
        return instant + self.random.choice([-86_400, -3600, -1, 0, 1, 3600, 86_400, 86_401])

    def _event(self, at: int) -> Event:
        pick = self.random.choice
        properties = {
            "id": self._maybe("11", "12"),
            "activity_id": self._maybe("7", "gid://shopify/MarketingActivity/8"),
            "color": self._maybe("Red", "blue", "a=b"),
            "seconds": self._maybe("0", "12.5", "120", "many"),
            "until": self._maybe("2026-03-29", "2026-07-01T10:00:00Z", "2026-02-30", "soon"),
        }
        known = {name: value for name, value in properties.items() if value is not None}
        ended = self._near(at) if self.random.random() < 0.3 else None
        return Event(
            self._next_id(),
            pick(EVENT_NAMES),
            at,
            self._maybe(0, 999, 2500),
            None if ended is None else max(ended, at),
            known,
        )

    def _traits(self) -> dict[str, str]:
        today = datetime.fromtimestamp(self.now, UTC).date()
        born = today - timedelta(self.random.choice([0, 1, -1, 7, -7, 30, 180]))
        traits = {
            "metafields.facts.birth_date": self._maybe(
                f"{born.replace(day=min(born.day, 28), year=1990)}",
                "1980-02-29",
                "2004-12-31",
                "1999-01-01",
            ),
            "meta.loyalty_level": self._maybe("gold", "Silver", "Goldrausch"),
            "traits.age": self._maybe("17", "18", "18.0", "40.5", "unknown"),
            "traits.club": self._maybe("true", "false"),
        }
        return {name: value for name, value in traits.items() if value is not None}

    def _memberships(self, segment: str) -> list[Membership]:
        instants = sorted({self.instant() for _ in range(self.random.choice([0, 1, 2, 3, 4]))})
        rows = [
            Membership(segment, entered, left)
            for entered, left in zip(instants[::2], [*instants[1::2], None], strict=False)
        ]
        if rows and rows[-1].left_at is None and self.random.random() < 0.3:
            rows[-1].lapsing_at = max(rows[-1].entered_at, min(self.now, self.instant()))
        return rows
