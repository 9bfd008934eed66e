"""The fields of customers, made from the frames as they are needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property

import numpy as np
import pandas as pd

from segmentd.segmenter.aggregates import Chosen, of_numbers, outermost_texts
from segmentd.segmenter.columns import (
    NO_ROWS,
    Ints,
    TermColumn,
    combined,
    divide,
    floats,
    least,
    lists,
    positions_of,
    rows_of,
    texts,
)
from segmentd.segmenter.events import EventTable, Tables
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.places import Homes
from segmentd.segmenter.predicates import Bools, Floats, Terms
from segmentd.segmenter.samples import Samples


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

    def population(self, columns: Mapping[str, Floats]) -> pd.DataFrame:
        """Columns with what breaks ties between profiles, as ``thresholds`` want it; index
        ``profile_id``."""
        orders, last = self.numbers("number_of_orders"), self.numbers("last_order_date")
        ties = {"orders": orders, "last_order_at": last}
        return pd.DataFrame({**columns, **ties}, index=self.index)

    @cached_property
    def homes(self) -> Homes:
        """Where everybody lives."""
        return Homes(self.frames.profiles)

    @cached_property
    def samples(self) -> Samples:
        """Stable parts of everybody."""
        return Samples(self.frames.profiles)

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
        rows = self._traits.get(name, NO_ROWS)
        positions = positions_of(self.index, self.frames.traits["profile_id"].iloc[rows])
        column = texts(self.frames.traits["value"].iloc[rows])
        known = positions >= 0
        result = np.full(self.size, len(column.distinct), np.int64)
        result[positions[known]] = column.codes[known]
        return TermColumn(result, [*column.distinct, ()])

    @cached_property
    def _traits(self) -> dict[str, Ints]:
        return rows_of(self.frames.traits["name"])


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
    products = facts.lines.floats("product_id")
    return of_numbers("distinct", np.where(products < 0, np.nan, products), _all(facts.lines))


def _full_price_share(facts: Facts) -> Floats:
    lines = facts.lines
    amounts = lines.floats("amount")
    full = np.nan_to_num(lines.floats("discount")) == 0
    return divide(lines.sum(amounts, full), lines.sum(amounts))


def _all(table: EventTable) -> Chosen:
    return Chosen(table, np.ones(len(table.rows), bool))


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
        codes, found = combined(*(texts(facts.frames.profiles[name]) for name in names))
        return TermColumn(codes, [_code(parts) for parts in found])

    return make


def _code(parts: tuple[Terms, ...]) -> Terms:
    if not parts[-1]:
        return ()
    return ("-".join(text.replace(" ", "") for part in parts for text in part),)


def _last_country(facts: Facts) -> TermColumn:
    return outermost_texts("last", facts.orders.terms("country"), _all(facts.orders))


_TERMS: dict[str, Callable[[Facts], TermColumn]] = {
    "customer_account_status": _profile_texts("account_state"),
    "customer_areas": lambda facts: facts.homes.areas(),
    "customer_cities": _place("country", "region", "city"),
    "customer_climate": lambda facts: facts.homes.climate(),
    "customer_countries": _place("country"),
    "customer_email_domain": _email_domain,
    "customer_hemisphere": lambda facts: facts.homes.hemisphere(),
    "customer_language": _profile_texts("language"),
    "customer_postal_code": _profile_texts("postcode"),
    "customer_regions": _place("country", "region"),
    "customer_season": lambda facts: facts.homes.season(facts.clock),
    "customer_tags": lambda facts: lists(facts.frames.profiles["tags"]),
    "email_subscription_status": _profile_texts("email_consent"),
    "last_order_country": _last_country,
    "sms_subscription_status": _profile_texts("sms_consent"),
}
