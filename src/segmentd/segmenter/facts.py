"""The fields of customers, made from the frames as they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

import numpy as np
import pandas as pd

from segmentd.segmenter.columns import (
    Ints,
    TermColumn,
    divide,
    floats,
    least,
    lists,
    positions_of,
    texts,
)
from segmentd.segmenter.events import Tables
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.predicates import Bools, Floats, Terms


class Facts(Tables):
    """Every field of a partition of profiles at one instant."""

    def __init__(self, frames: Frames, clock: Clock) -> None:
        super().__init__(frames, clock)
        self._numbers: dict[str, Floats] = {}
        self._terms: dict[str, TermColumn] = {}

    def numbers(self, field: str) -> Floats:
        """A field of numbers, minor units or instants, one per profile; NaN where missing."""
        if field not in self._numbers:
            make = _NUMBERS.get(field)
            self._numbers[field] = make(self) if make else np.full(self.size, np.nan)
        return self._numbers[field]

    def terms(self, field: str) -> TermColumn:
        """A field of texts, one value per profile; traits are texts too."""
        if field not in self._terms:
            make = _TERMS.get(field)
            self._terms[field] = make(self) if make else self._trait(field)
        return self._terms[field]

    @cached_property
    def exists(self) -> Bools:
        """Who is known by now: an account of the future is not, unless it has ordered before."""
        created = floats(self.frames.profiles, "created_at")
        ordered = floats(self.frames.orders, "placed_at") <= self.clock.now
        profile_ids = self.frames.orders["profile_id"].to_numpy(np.int64)[ordered]
        return ~(created > self.clock.now) | np.isin(self.profile_ids, profile_ids)

    @cached_property
    def next_event(self) -> Floats:
        """When the next future-dated fact of each profile comes true; NaN for none."""
        created = floats(self.frames.profiles, "created_at")
        result: Floats = np.where(created > self.clock.now, created, np.nan)
        for frame, name in self._dated():
            if len(frame):
                result = np.fmin(result, self._next(frame, floats(frame, name)))
        return result

    def _dated(self) -> Iterable[tuple[pd.DataFrame, str]]:
        yield self.frames.orders, "placed_at"
        yield self.frames.orders, "cancelled_at"
        yield self.frames.refunds, "created_at"
        yield self.frames.events, "at"
        yield self.frames.events, "ended_at"
        yield self.frames.memberships, "entered_at"
        yield self.frames.memberships, "left_at"

    def _next(self, frame: pd.DataFrame, instants: Floats) -> Floats:
        later = instants > self.clock.now
        if not later.any():
            return np.full(self.size, np.nan)
        positions = positions_of(self.index, frame["profile_id"])
        later &= positions >= 0
        return least(positions[later], instants[later], self.size)

    def _trait(self, name: str) -> TermColumn:
        codes, names = self._trait_names
        rows = np.flatnonzero(codes == names.get(name, -2))
        positions = positions_of(self.index, self.frames.traits["profile_id"].iloc[rows])
        column = texts(self.frames.traits["value"].iloc[rows])
        known = positions >= 0
        result = np.full(self.size, len(column.distinct), np.int64)
        result[positions[known]] = column.codes[known]
        return TermColumn(result, [*column.distinct, ()])

    @cached_property
    def _trait_names(self) -> tuple[Ints, dict[str, int]]:
        codes, names = pd.factorize(self.frames.traits["name"])
        return codes, {name: code for code, name in enumerate(names.tolist())}


def _average(facts: Facts) -> Floats:
    # an order whose currency could not be converted is left out of all that is about money
    priced = ~np.isnan(facts.orders.floats("total"))
    return divide(facts.numbers("gross"), facts.orders.count(priced))


def _coupon_share(facts: Facts) -> Floats:
    coupons = facts.orders.terms("discount_codes", packed=True).test(bool)
    return divide(facts.orders.count(coupons), facts.numbers("number_of_orders"))


def _days_between_orders(facts: Facts) -> Floats:
    first, last = (
        facts.clock.days(facts.numbers(name)) for name in ("first_order_date", "last_order_date")
    )
    return divide(last - first, facts.numbers("number_of_orders") - 1)


def _distinct_products(facts: Facts) -> Floats:
    products = facts.lines.ints("product_id")
    known = products >= 0
    codes, distinct = pd.factorize(products[known])
    bought = pd.unique(facts.lines.profile[known] * len(distinct) + codes)
    counts = np.bincount(bought // max(len(distinct), 1), minlength=facts.size)
    return counts.astype(np.float64)


def _full_price_share(facts: Facts) -> Floats:
    lines = facts.lines
    amounts = lines.floats("amount")
    full = np.nan_to_num(lines.floats("discount")) == 0
    return divide(lines.sum(amounts, full), lines.sum(amounts))


_NUMBERS: dict[str, Callable[[Facts], Floats]] = {
    "abandoned_checkout_date": lambda facts: facts.checkouts.latest(),
    "amount_spent": lambda facts: facts.numbers("gross") - facts.numbers("refunded"),
    "average_days_between_orders": _days_between_orders,
    "average_order_value": _average,
    "coupon_share": _coupon_share,
    "customer_added_date": lambda facts: floats(facts.frames.profiles, "created_at"),
    "days_since_last_order": lambda facts: (
        facts.clock.today - facts.clock.days(facts.numbers("last_order_date"))
    ),
    "distinct_products": _distinct_products,
    "first_order_date": lambda facts: facts.orders.least(facts.orders.placed),
    "full_price_share": _full_price_share,
    "gross": lambda facts: facts.orders.sum(facts.orders.floats("total")),
    "last_order_date": lambda facts: facts.orders.latest(),
    "number_of_orders": lambda facts: facts.orders.count(),
    "refund_rate": lambda facts: divide(facts.numbers("refunded"), facts.numbers("gross")),
    "refunded": lambda facts: facts.refunds.sum(facts.refunds.floats("amount")),
    "refunded_orders": lambda facts: facts.refunds.count_orders(),
}
"""``gross`` and ``refunded`` are steps on the way, no fields of the language."""


def _profile_texts(name: str) -> Callable[[Facts], TermColumn]:
    return lambda facts: texts(facts.frames.profiles[name])


def _email_domain(facts: Facts) -> TermColumn:
    emails = facts.frames.profiles["email"].tolist()
    domains = [e.rpartition("@")[2] if isinstance(e, str) else None for e in emails]
    column = texts(pd.Series(domains, dtype=object))
    return column.map(lambda terms: tuple(text.lower() for text in terms))


def _place(*names: str) -> Callable[[Facts], TermColumn]:
    """Shopify's codes: CA, US-CA, US-CA-LosAngeles; unknown parts are left out."""

    def make(facts: Facts) -> TermColumn:
        parts = [texts(facts.frames.profiles[name]) for name in names]
        combined = pd.DataFrame({name: part.codes for name, part in zip(names, parts, strict=True)})
        groups = combined.groupby(list(names), sort=False)
        codes = groups.ngroup().to_numpy().astype(np.int64)
        places = combined.drop_duplicates().itertuples(index=False)
        distinct = [
            _code([part.distinct[c] for part, c in zip(parts, row, strict=True)]) for row in places
        ]
        return TermColumn(codes, distinct)

    return make


def _code(parts: list[Terms]) -> Terms:
    if not parts[-1]:
        return ()
    return ("-".join(text.replace(" ", "") for part in parts for text in part),)


def _last_country(facts: Facts) -> TermColumn:
    orders = facts.orders
    last = np.flatnonzero(orders.placed == facts.numbers("last_order_date")[orders.profile])
    last = last[np.argsort(orders.ints("order_id")[last], kind="stable")]
    countries = orders.terms("country")
    missing = len(countries.distinct) - 1
    codes = np.full(facts.size, missing, np.int64)
    codes[orders.profile[last]] = countries.codes[last]
    return TermColumn(codes, countries.distinct)


_TERMS: dict[str, Callable[[Facts], TermColumn]] = {
    "customer_account_status": _profile_texts("account_state"),
    "customer_cities": _place("country", "region", "city"),
    "customer_countries": _place("country"),
    "customer_email_domain": _email_domain,
    "customer_language": _profile_texts("language"),
    "customer_postal_code": _profile_texts("postcode"),
    "customer_regions": _place("country", "region"),
    "customer_tags": lambda facts: lists(facts.frames.profiles["tags"]),
    "email_subscription_status": _profile_texts("email_consent"),
    "last_order_country": _last_country,
    "sms_subscription_status": _profile_texts("sms_consent"),
}
