"""The columns that conditions ask for, made from the frames as they are needed.

Groups are sums over row positions (``bincount``): money in whole minor units stays exact in
float64. Texts are looked at once per distinct text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentd.segmenter.frames import Frames, unpack
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.predicates import Bools, Floats, Terms

Ints = npt.NDArray[np.int64]


class TermColumn:
    """A column of texts or lists of texts: for each row the number of its distinct value."""

    def __init__(self, codes: Ints, distinct: list[Terms]) -> None:
        self.codes = codes
        self.distinct = distinct

    def test(self, fulfils: Callable[[Terms], bool]) -> Bools:
        """Which rows fulfil a test."""
        verdicts = np.fromiter((fulfils(terms) for terms in self.distinct), bool)
        return verdicts[self.codes]

    def same(self, other: TermColumn) -> Bools:
        """Which rows have the same known text in both columns."""
        numbers: dict[Terms, int] = {}
        for terms in (*self.distinct, *other.distinct):
            numbers.setdefault(terms, len(numbers) if terms else -1)
        mine = np.array([numbers[terms] for terms in self.distinct])[self.codes]
        theirs = np.array([numbers[terms] for terms in other.distinct])[other.codes]
        same: Bools = (mine == theirs) & (mine >= 0)
        return same


def texts(column: pd.Series[Any]) -> TermColumn:
    """Single texts; missing and empty ones have no term."""
    return _terms(column, lambda text: (text,) if text else ())


def lists(column: pd.Series[Any]) -> TermColumn:
    """Packed lists (see ``frames.pack``)."""
    return _terms(column, lambda text: tuple(unpack(text)))


def _terms(column: pd.Series[Any], split: Callable[[str], Terms]) -> TermColumn:
    codes, distinct = pd.factorize(column)
    known: list[Terms] = [split(text) for text in distinct.tolist()]
    missing = len(known)
    return TermColumn(np.where(codes < 0, missing, codes), [*known, ()])


def floats(frame: pd.DataFrame, name: str) -> Floats:
    """A column as float64, NaN where missing."""
    return frame[name].to_numpy(np.float64, na_value=np.nan)


def positions_of(index: pd.Index[Any], ids: pd.Series[Any]) -> Ints:
    """Where each id stands in the index; -1 for one that is not in it."""
    return index.get_indexer(pd.Index(ids.to_numpy(np.int64)))


def earliest(positions: Ints, instants: Floats, size: int) -> Floats:
    """The least instant at each position; NaN for none."""
    result = np.full(size, np.inf)
    np.minimum.at(result, positions, instants)
    result[np.isinf(result)] = np.nan
    return result


class Events:
    """Rows of a frame that count now, with the position of their profile."""

    def __init__(self, frame: pd.DataFrame, profiles: pd.Index[Any], clock: Clock) -> None:
        self._frame = frame
        placed = floats(frame, "placed_at")
        live = (floats(frame, "counted") == 1) & (placed <= clock.now)
        live &= ~(floats(frame, "cancelled_at") <= clock.now)
        if "created_at" in frame:
            live &= floats(frame, "created_at") <= clock.now
        positions = positions_of(profiles, frame["profile_id"])
        live &= positions >= 0
        self.rows = np.flatnonzero(live)
        self.profile: Ints = positions[self.rows]
        self.size = len(profiles)

    def floats(self, name: str) -> Floats:
        """A number column of these rows."""
        return floats(self._frame, name)[self.rows]

    def ints(self, name: str) -> Ints:
        """An integer column of these rows."""
        return self._frame[name].to_numpy(np.int64)[self.rows]

    def terms(self, name: str, *, packed: bool = False) -> TermColumn:
        """A text column of these rows."""
        column = self._frame[name].iloc[self.rows]
        return lists(column) if packed else texts(column)

    @cached_property
    def placed(self) -> Floats:
        """When the order was placed."""
        return self.floats("placed_at")

    @cached_property
    def _orders(self) -> tuple[Ints, Ints]:
        """For each row the number of its order, and for each number the order's profile."""
        codes, distinct = pd.factorize(self.ints("order_id"))
        profile = np.zeros(len(distinct), np.int64)
        profile[codes] = self.profile
        return codes, profile

    def count(self, rows: Bools | slice = slice(None)) -> Floats:
        """Rows of each profile."""
        return np.bincount(self.profile[rows], minlength=self.size).astype(np.float64)

    def count_orders(self, rows: Bools | slice = slice(None)) -> Floats:
        """Distinct orders of each profile."""
        codes, profile = self._orders
        seen = np.zeros(len(profile), bool)
        seen[codes[rows]] = True
        return np.bincount(profile[seen], minlength=self.size).astype(np.float64)

    def sum(self, name: str, rows: Bools | slice = slice(None)) -> Floats:
        """Sum of a column per profile; missing values add nothing."""
        weights = np.nan_to_num(self.floats(name)[rows])
        return np.bincount(self.profile[rows], weights, minlength=self.size).astype(np.float64)

    def earliest(self, instants: Floats, rows: Bools | slice = slice(None)) -> Floats:
        """The least of the rows' instants per profile; NaN for none."""
        return earliest(self.profile[rows], instants[rows], self.size)


class Facts:
    """Every field of a partition of profiles at one instant."""

    def __init__(self, frames: Frames, clock: Clock) -> None:
        self.frames = frames
        self.clock = clock
        self.profile_ids: Ints = frames.profiles["profile_id"].to_numpy(np.int64)
        self.index = pd.Index(self.profile_ids, name="profile_id")
        self.size = len(self.index)
        self._numbers: dict[str, Floats] = {}
        self._terms: dict[str, TermColumn] = {}

    @cached_property
    def orders(self) -> Events:
        """Orders that count now."""
        return Events(self.frames.orders, self.index, self.clock)

    @cached_property
    def lines(self) -> Events:
        """Lines of orders that count now."""
        return Events(self.frames.lines, self.index, self.clock)

    @cached_property
    def refunds(self) -> Events:
        """Refunds until now of orders that count now."""
        return Events(self.frames.refunds, self.index, self.clock)

    def numbers(self, field: str) -> Floats:
        """A field of numbers, minor units or instants, one per profile; NaN where missing."""
        if field not in self._numbers:
            make = _NUMBERS.get(field)
            self._numbers[field] = make(self) if make else np.full(self.size, np.nan)
        return self._numbers[field]

    def terms(self, field: str) -> TermColumn:
        """A field of texts, one value per profile."""
        if field not in self._terms:
            make = _TERMS.get(field)
            unfilled = TermColumn(np.zeros(self.size, np.int64), [()])
            self._terms[field] = make(self) if make else unfilled
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

    def _next(self, frame: pd.DataFrame, instants: Floats) -> Floats:
        later = instants > self.clock.now
        if not later.any():
            return np.full(self.size, np.nan)
        positions = positions_of(self.index, frame["profile_id"])
        later &= positions >= 0
        return earliest(positions[later], instants[later], self.size)


def _divide(part: Floats, whole: Floats) -> Floats:
    result = np.full(len(part), np.nan)
    np.divide(part, whole, out=result, where=whole != 0)
    return result


def _gross(facts: Facts) -> Floats:
    return facts.orders.sum("total")


def _refunded(facts: Facts) -> Floats:
    return facts.refunds.sum("amount")


def _average(facts: Facts) -> Floats:
    # an order whose currency could not be converted is left out of all that is about money
    priced = ~np.isnan(facts.orders.floats("total"))
    return _divide(facts.numbers("gross"), facts.orders.count(priced))


def _coupon_share(facts: Facts) -> Floats:
    coupons = facts.orders.terms("discount_codes", packed=True).test(bool)
    return _divide(facts.orders.count(coupons), facts.numbers("number_of_orders"))


def _latest(facts: Facts) -> Floats:
    return -facts.orders.earliest(-facts.orders.placed)


_NUMBERS: dict[str, Callable[[Facts], Floats]] = {
    "amount_spent": lambda facts: facts.numbers("gross") - facts.numbers("refunded"),
    "average_order_value": _average,
    "coupon_share": _coupon_share,
    "customer_added_date": lambda facts: floats(facts.frames.profiles, "created_at"),
    "first_order_date": lambda facts: facts.orders.earliest(facts.orders.placed),
    "gross": _gross,
    "last_order_date": _latest,
    "number_of_orders": lambda facts: facts.orders.count(),
    "refund_rate": lambda facts: _divide(facts.numbers("refunded"), facts.numbers("gross")),
    "refunded": _refunded,
    "refunded_orders": lambda facts: facts.refunds.count_orders(),
}
"""``gross`` and ``refunded`` are steps on the way, no fields of the language."""


def _profile_texts(name: str) -> Callable[[Facts], TermColumn]:
    return lambda facts: texts(facts.frames.profiles[name])


def _email_domain(facts: Facts) -> TermColumn:
    emails = facts.frames.profiles["email"].tolist()
    domains = [e.rpartition("@")[2].lower() if isinstance(e, str) else None for e in emails]
    return texts(pd.Series(domains, dtype=object))


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
    "customer_regions": _place("country", "region"),
    "customer_tags": lambda facts: lists(facts.frames.profiles["tags"]),
    "email_subscription_status": _profile_texts("email_consent"),
    "last_order_country": _last_country,
    "sms_subscription_status": _profile_texts("sms_consent"),
}
