"""Truth and due instant of single conditions, one value per profile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

import numpy as np
import pandas as pd

from segmentd.sdk.values import exponent
from segmentd.segmenter.facts import Events, Facts, Ints, TermColumn, lists, positions_of, texts
from segmentd.segmenter.fields import FUNCTIONS, NUMERIC, Field, Kind, find_field
from segmentd.segmenter.instants import Edge, local_months, spans
from segmentd.segmenter.language import (
    Condition,
    Leaf,
    Matches,
    Name,
    Share,
    Statistic,
    expression_of,
)
from segmentd.segmenter.predicates import Bools, Floats, compare, number, term_test
from segmentd.segmenter.thresholds import INSUFFICIENT, within

_ORDER_TERMS = {"app_id": "channel", "channel": "channel", "country": "country"}
_PRODUCT_TEXTS = {"title": "title", "type": "product_type", "vendor": "vendor", "id": "remote_id"}
_EDGED = frozenset({"=", ">", ">=", "<", "<=", "BETWEEN", "IN"})


class Conditions:
    """Evaluates conditions over one partition of profiles; each is computed once."""

    def __init__(self, facts: Facts, currency: str, thresholds: Mapping[str, str]) -> None:
        self.facts = facts
        self._clock = facts.clock
        self._scale = exponent(currency)
        self._thresholds = thresholds
        self._truths: dict[Leaf, Bools] = {}

    def truth(self, leaf: Leaf) -> Bools:
        """For whom the condition holds."""
        if leaf not in self._truths:
            positive = self._matches(leaf) if isinstance(leaf, Matches) else self._condition(leaf)
            self._truths[leaf] = ~positive if leaf.negated else positive
        return self._truths[leaf]

    def due(self, leaf: Leaf) -> Floats | None:
        """When time alone may change it, if it depends on the time."""
        if isinstance(leaf, Matches):
            return self._matches_due(leaf)
        field = find_field(leaf.field)
        if field is None or field.kind is not Kind.DATE:
            return None
        values = self.facts.numbers(leaf.field)
        leaving = [self._clock.leaves(edge, values) for edge in _edges(leaf)]
        return _soonest(leaving)

    def rows(self, leaf: Matches) -> Bools:
        """Which rows of ``events(leaf)`` fulfil every filter of a function."""
        return self._filtered(leaf, with_dates=True)

    def events(self, leaf: Matches) -> Events | None:
        """The events of a function; None where nothing fills them."""
        if leaf.function == "orders_placed":
            return self.facts.orders
        return self.facts.lines if leaf.function == "products_purchased" else None

    # fields

    def _condition(self, condition: Condition) -> Bools:
        field = find_field(condition.field)
        assert field is not None  # noqa: S101 - rules are checked before
        if any(isinstance(operand, Name) for operand in condition.operands):
            return self._two_fields(condition, field)
        if isinstance(condition.operands[0] if condition.operands else None, Share | Statistic):
            return self._relative(condition)
        if field.kind is Kind.DATE:
            return self._dates(condition, self.facts.numbers(condition.field))
        if field.kind in NUMERIC:
            return self._numbers(condition, field, self.facts.numbers(condition.field))
        return self.facts.terms(condition.field).test(term_test(condition, field))

    def _numbers(self, condition: Condition, field: Field, values: Floats) -> Bools:
        scale = self._scale if field.kind is Kind.MONEY else 0
        bounds = [number(operand, scale) for operand in condition.operands]
        return compare(values, condition.operator, bounds)

    def _dates(self, condition: Condition, values: Floats) -> Bools:
        if condition.operator == "IS NULL":
            return np.isnan(values)
        inside = np.zeros(len(values), bool)
        for span in spans(condition):
            low = values >= self._clock.at(span.low) if span.low else ~np.isnan(values)
            inside |= low & (values < self._clock.at(span.high)) if span.high else low
        return inside

    def _two_fields(self, condition: Condition, field: Field) -> Bools:
        other = condition.operands[0]
        assert isinstance(other, Name)  # noqa: S101 - the grammar's only place for names
        if field.kind not in NUMERIC and field.kind is not Kind.DATE:
            return self.facts.terms(condition.field).same(self.facts.terms(other.value))
        left, right = (self.facts.numbers(name) for name in (condition.field, other.value))
        if field.kind is Kind.DATE:
            left, right = self._clock.days(left), self._clock.days(right)
        order = np.sign(left - right)
        return compare(order, condition.operator, [0.0])

    def _relative(self, condition: Condition) -> Bools:
        expression = expression_of(condition)
        cut = self._thresholds.get(expression) if expression else None
        ordered = self.facts.numbers("number_of_orders") > 0
        values = self.facts.numbers(condition.field)
        if isinstance(condition.operands[0], Statistic):
            known = cut is not None and cut != INSUFFICIENT
            bound = float(cut) if cut is not None and known else np.nan
            return ordered & compare(values, condition.operator, [bound])
        return ordered & within(expression or "", cut, self.population(values))

    def population(self, values: Floats) -> pd.DataFrame:
        """Everybody with a value and what breaks ties, as ``thresholds`` want it."""
        return pd.DataFrame(
            {
                "profile_id": self.facts.profile_ids,
                "value": values,
                "orders": self.facts.numbers("number_of_orders"),
                "last_order_at": self.facts.numbers("last_order_date"),
            }
        )

    # functions

    def _matches(self, leaf: Matches) -> Bools:
        known = FUNCTIONS[leaf.function].aggregates
        asked = [parameter for parameter in leaf.parameters if parameter.field in known]
        holds = np.ones(self.facts.size, bool)
        for parameter in asked:
            values = self.aggregate(leaf, parameter.field)
            positive = self._numbers(parameter, known[parameter.field], values)
            holds &= ~positive if parameter.negated else positive
        return holds if asked else self.aggregate(leaf, "count") > 0

    def aggregate(self, leaf: Matches, name: str) -> Floats:
        """An aggregate parameter over the matching events of each profile; 0 for no event."""
        events = self.events(leaf)
        if events is None:
            return np.zeros(self.facts.size)
        rows = self.rows(leaf)
        match name:
            case "sum_amount":
                return events.sum("total" if events is self.facts.orders else "amount", rows)
            case "quantity" | "sum_quantity":
                return events.sum("quantity", rows)
            case "share":
                counted = self.facts.numbers("number_of_orders")
                return events.count(rows) / np.where(counted > 0, counted, np.nan)
            case _:
                return (
                    events.count(rows) if events is self.facts.orders else events.count_orders(rows)
                )

    def _filtered(self, leaf: Matches, *, with_dates: bool) -> Bools:
        events = self.events(leaf)
        filters = FUNCTIONS[leaf.function].filters
        fulfilled = np.ones(len(events.rows) if events else 0, bool)
        for parameter in leaf.parameters:
            is_date = parameter.field == "date"
            if events and parameter.field in filters and (with_dates or not is_date):
                positive = self._row_test(leaf, parameter, filters[parameter.field], events)
                fulfilled &= ~positive if parameter.negated else positive
        return fulfilled

    def _row_test(self, leaf: Matches, parameter: Condition, field: Field, events: Events) -> Bools:
        match parameter.field:
            case "date":
                return self._dates(parameter, events.placed)
            case "month":
                months = local_months(self._clock.zone, events.ints("placed_at"))
                return self._numbers(parameter, field, months.astype(np.float64))
            case "amount":
                return self._numbers(parameter, field, events.floats("total"))
        fulfils = term_test(parameter, field)
        if leaf.function == "products_purchased":
            # the last verdict is that of the unknown product, whose position is -1
            verdicts = self._product_terms(parameter.field).test(fulfils)
            known: Bools = np.append(verdicts, fulfils(()))
            return known[self._product_positions]
        return self._order_terms(parameter.field, events).test(fulfils)

    def _order_terms(self, name: str, events: Events) -> TermColumn:
        if name == "discount_code":
            return events.terms("discount_codes", packed=True)
        if name in _ORDER_TERMS:
            return events.terms(_ORDER_TERMS[name])
        return TermColumn(np.zeros(len(events.rows), np.int64), [()])

    def _product_terms(self, name: str) -> TermColumn:
        products = self.facts.frames.products
        if name in _PRODUCT_TEXTS:
            return texts(products[_PRODUCT_TEXTS[name]])
        return lists(products["tags"]) if name == "tag" else _categories(products)

    @cached_property
    def _product_positions(self) -> Ints:
        index = pd.Index(self.facts.frames.products["product_id"].to_numpy(np.int64))
        return positions_of(index, pd.Series(self.facts.lines.ints("product_id")))

    def _matches_due(self, leaf: Matches) -> Floats | None:
        events = self.events(leaf)
        dates = [parameter for parameter in leaf.parameters if parameter.field == "date"]
        if events is None or not dates:
            return None
        rows = self._filtered(leaf, with_dates=False)
        leaving = []
        for edge in (edge for parameter in dates for edge in _edges(parameter)):
            ahead = rows & (events.placed >= self._clock.at(edge))
            leaving.append(self._clock.leaves(edge, events.earliest(events.placed, ahead)))
        return _soonest(leaving)


def _categories(products: pd.DataFrame) -> TermColumn:
    """Categories, and the product type: Shopify has the one, WooCommerce the other."""
    categories, types = lists(products["categories"]), texts(products["product_type"])
    width = len(types.distinct)
    pairs, codes = np.unique(categories.codes * width + types.codes, return_inverse=True)
    both = [categories.distinct[pair // width] + types.distinct[pair % width] for pair in pairs]
    return TermColumn(codes, both)


def _edges(condition: Condition) -> Iterator[Edge]:
    if condition.operator not in _EDGED or isinstance(condition.operands[0], Name):
        return
    for span in spans(condition):
        yield from (edge for edge in (span.low, span.high) if edge is not None)


def _soonest(instants: list[Floats]) -> Floats | None:
    result = None
    for candidate in instants:
        result = candidate if result is None else np.fmin(result, candidate)
    return result
