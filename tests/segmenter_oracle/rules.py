"""Random rules over the whole language, as texts."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from segmentd.segmenter.fields import FIELDS, FUNCTIONS, Field, Kind, find_field
from segmenter_oracle.phrases import Phrases

_DATES = [
    "last_order_date",
    "first_order_date",
    "customer_added_date",
    "abandoned_checkout_date",
]
_TRAITS = [
    "metafields.facts.birth_date",
    "meta.loyalty_level",
    "traits.age",
    "traits.club",
    "traits.unknown",
]
_LISTS = ["customer_tags", "customer_countries", "customer_regions", "customer_cities"]
_UNFILLED = ["rfm_group", "companies", "predicted_clv"]
_EVENTS = [
    "orders_placed",
    "products_purchased",
    "refunds_received",
    "checkouts_abandoned",
    "events('Viewed Product')",
    "shopify_email.opened",
    "storefront.product_viewed",
    "storefront_event.product_viewed",
    "product_reviews",
]
_OPEN = ["properties.color", "properties.seconds", "properties.until", "properties.id"]
_OPEN_TOTALS = [
    "sum_properties.seconds",
    "max_properties.seconds",
    "median_properties.seconds",
    "first_properties.color",
    "last_properties.until",
]
_LENGTHS = ["1d", "7d", "30d", "2w", "1m", "1y"]
_SINCE = [
    "date >= -1y",
    "date > -90d",
    "date IN THIS YEAR",
    "date BETWEEN -200d AND -7d",
    "date BETWEEN -500h AND today",
    "date > -36h",
    "date >= first_order_date +7d",
    "date != yesterday",
    "date < -7d",
]
_TIMES = ["30min", "1h", "24h", "1d", "7d", "4w"]
_CIRCLES = [
    "coordinates = '52.52,13.405', distance_km <= 50",
    "coordinates = '52.52, 13.405', distance_mi < 600",
    "coordinates = '-33.9,151.2', distance_km = 12000",
    "coordinates = '34.05,-118.24', distance_km <= 5",
]


class Rules:
    """Writes rules that mean something."""

    def __init__(self, chooser: random.Random, segments: Sequence[str] = ()) -> None:
        self.random = chooser
        self.segments = segments
        self._top = Phrases(chooser, self._other_date, self._other_number)
        self._inner = Phrases(chooser, self._other_date)

    def rule(self, depth: int) -> str:
        pick = self.random.random()
        if depth == 0 or pick < 0.6:
            return self.leaf()
        if pick < 0.7:
            return f"NOT ({self.rule(depth - 1)})"
        word = self.random.choice([" AND ", " and ", " OR "])
        parts = [self.rule(depth - 1) for _ in range(self.random.choice([2, 2, 3]))]
        return word.join(part if self._chance(0.3) else f"({part})" for part in parts)

    def leaf(self) -> str:
        kinds: list[tuple[int, Callable[[], str]]] = [
            (4, self._field),
            (2, self._trait),
            (5, self._matches),
            (4, self._aggregate),
            (2, self._rolling),
            (3, self._sequence),
            (1, self._sample),
            (1, self._circle),
            (1, self._anniversary),
            (1, self._length),
            (1, self._two_texts),
            (3 if self.segments else 0, self._membership),
        ]
        (make,) = self.random.choices([make for _, make in kinds], [weight for weight, _ in kinds])
        leaf = make()
        # a value of the whole store cannot depend on a segment
        relative = "segment(" in leaf and re.search(r"store |in (top|bottom) ", leaf, re.IGNORECASE)
        return self.leaf() if relative else leaf

    def _chance(self, part: float) -> bool:
        return self.random.random() < part

    # the customer

    def _field(self) -> str:
        names = [name for name, field in FIELDS.items() if field.filled]
        name = self.random.choice([*names, *_DATES, self.random.choice(_UNFILLED)])
        return self._top.condition(name, name, FIELDS[name])

    def _trait(self) -> str:
        name = self.random.choice(_TRAITS)
        field = find_field(name)
        assert field
        return self._top.condition(name, name, field)

    def _length(self) -> str:
        subject = f"count OF {self.random.choice(_LISTS)}"
        return self._top.condition(subject, "count", Field(Kind.COUNT, ""))

    def _two_texts(self) -> str:
        operator = self.random.choice(["=", "!="])
        return self.random.choice(
            [
                f"customer_language {operator} last_order_country",
                f"first_country OF orders_placed () {operator} last_order_country",
                f"last_country OF orders_placed () {operator} first_country OF orders_placed ()",
                f"sms_subscription_status {operator} email_subscription_status",
            ]
        )

    def _circle(self) -> str:
        within = self.random.choice(_CIRCLES)
        return f"customer_within_distance {self._top.no()}MATCHES ({within})"

    def _sample(self) -> str:
        share = self.random.choice(["10%", "50%", "33.33%", "25% TO 75%", "0.01% to 100%"])
        return f"SAMPLE({share}, '{self.random.choice(['a', 'winter', ''])}')"

    def _anniversary(self) -> str:
        name = self.random.choice([*_DATES, "metafields.facts.birth_date"])
        open_end = f"{self._top.of('>=', '>', '<', '<=')} {self._top.of('today', '-24h', '+30d')}"
        when = self.random.choice(
            [
                open_end,
                f"{self.random.choice(['=', '!='])} {self.random.choice(['today', '+7d', '-1m'])}",
                "BETWEEN today AND +7d",
                "BETWEEN -1m AND today",
                "NOT BETWEEN -30d AND +30d",
                "IN (today, yesterday, 2024-02-29)",
                "IN THIS MONTH",
                "IN NEXT WEEK",
                "IS NULL",
                "IS NOT NULL",
                "= customer_added_date",
                "BETWEEN -36h AND +12h",
            ]
        )
        return f"anniversary('{name}') {when}"

    def _membership(self) -> str:
        segment = f"segment('{self.random.choice(self.segments)}')"
        moved = f"{self.random.choice(['ENTERED', 'left'])} {segment}"
        return self.random.choice(
            [
                segment,
                f"MEMBER OF {segment}",
                f"MEMBER OF {segment} FOR {self.random.choice(_LENGTHS)}",
                f"WAS MEMBER OF {segment}",
                f"WAS MEMBER OF {segment} SINCE -30d",
                self._top.condition(moved, "date", Field(Kind.DATE, "")),
                self._top.condition(moved, "date", Field(Kind.DATE, "")),
            ]
        )

    def _other_date(self) -> str:
        others = [*_DATES, *_DATES, self._dated()]
        if self.segments:
            others.append(f"ENTERED segment('{self.random.choice(self.segments)}')")
        return self.random.choice(others)

    def _dated(self) -> str:
        name = self.random.choice(["first_date", "last_date"])
        return f"{name} OF {self._events(calm=True)}"

    def _other_number(self, kind: Kind) -> str:
        if kind is Kind.MONEY:
            total = self.random.choice(["sum_amount", "average_amount", "max_discount"])
            return self.random.choice(
                ["amount_spent", "average_order_value", f"{total} OF orders_placed (gap >= 7)"]
            )
        inside = self._events(calm=True)
        return self.random.choice(
            ["number_of_orders", "coupon_share", "refunded_orders", f"count OF {inside}"]
        )

    # events

    def _matches(self) -> str:
        function = self._function()
        filters = self._filters(function)
        totals = [self._total(function) for _ in range(self.random.choice([0, 0, 1, 1, 2]))]
        parameters = [*filters, *totals]
        self.random.shuffle(parameters)
        if function == "products_purchased" and self._chance(0.05):
            return f"products_purchased(id: (11, 12)) {self._top.of('=', '!=')} true"
        return f"{function} {self._top.no()}MATCHES ({', '.join(parameters)})"

    def _aggregate(self) -> str:
        function = self._function()
        name, field = self._aggregate_of(function)
        subject = f"{name} OF {function} ({', '.join(self._filters(function))})"
        return self._top.condition(subject, _property(name), field)

    def _rolling(self) -> str:
        name = self.random.choice(["count", "sum_amount"])
        function = self.random.choice(
            ["orders_placed", "products_purchased", "refunds_received", "events('Viewed Product')"]
        )
        filters = self.random.choices(_SINCE, k=self.random.choice([0, 1, 1, 1, 2]))
        if self._chance(0.3):
            filters.append(self._inner.number("month", "month", Kind.PLACE))
        length = self.random.choice(_LENGTHS)
        subject = f"{name} EVERY {length} OF {function} ({', '.join(filters)})"
        field = FUNCTIONS[function.partition("(")[0]].aggregate(name)
        assert field
        return self._top.condition(subject, name, field)

    def _sequence(self) -> str:
        steps = [self._step() for _ in range(self.random.choice([1, 1, 2]))]
        if self._chance(0.3):
            within = self._within()
            steps.append(f"THEN NOT {self._events(calm=True)}{within}")
        return f"{self._events(calm=True)} {' '.join(steps)}"

    def _step(self) -> str:
        without = f" WITHOUT {self._events(calm=True)}" if self._chance(0.25) else ""
        return f"THEN {self._events(calm=True)}{self._within()}{without}"

    def _within(self) -> str:
        return f" WITHIN {self.random.choice(_TIMES)}" if self._chance(0.5) else ""

    def _function(self) -> str:
        return self.random.choice([*_EVENTS, "orders_placed", "products_purchased"])

    def _events(self, *, calm: bool = False) -> str:
        """``calm``: mostly without filters, so that something is found."""
        often = ["orders_placed", "products_purchased", "checkouts_abandoned"]
        function = self.random.choice(often) if calm and self._chance(0.5) else self._function()
        filters = [] if calm and self._chance(0.6) else self._filters(function)
        return f"{function} ({', '.join(filters)})"

    def _filters(self, function: str) -> list[str]:
        return [self._filter(function) for _ in range(self.random.choice([0, 1, 1, 2]))]

    def _filter(self, function: str, depth: int = 2) -> str:
        if depth and self._chance(0.2):
            parts = [self._filter(function, depth - 1) for _ in range(2)]
            word = self.random.choice([" AND ", " OR "])
            inside = word.join(part if self._chance(0.3) else f"({part})" for part in parts)
            return self.random.choice([inside, f"({inside})", f"NOT ({inside})"])
        known = FUNCTIONS[function.partition("(")[0]]
        names = [*known.properties, "date", "date", *(_OPEN if known.open else [])]
        name = self.random.choice(names)
        field = known.find(name)
        assert field
        return self._inner.condition(name, name, field)

    def _total(self, function: str) -> str:
        name, field = self._aggregate_of(function)
        return self._inner.condition(name, _property(name), field)

    def _aggregate_of(self, function: str) -> tuple[str, Field]:
        known = FUNCTIONS[function.partition("(")[0]]
        often = list(known.totals)
        if "amount" in known.properties:
            often += ["sum_amount", "average_amount"]
        open_ones = _OPEN_TOTALS if known.open else []
        name = self.random.choice([*known.aggregates, *often * 3, *open_ones])
        field = known.aggregate(name)
        assert field
        return name, field


def _property(name: str) -> str:
    """The property that an aggregate's values are of."""
    operation, _, rest = name.partition("_")
    if operation in {"first", "last", "min", "max", "average", "median", "sum"} and rest:
        return rest
    return name
