"""The values of what conditions are about: fields, aggregates over events, dates of segments."""

from __future__ import annotations

import numpy as np

from segmentd.segmenter import memories
from segmentd.segmenter.aggregates import Chosen, of_numbers, of_texts, outermost_texts
from segmentd.segmenter.columns import TermColumn, divide, unknown
from segmentd.segmenter.evaluation import Evaluation
from segmentd.segmenter.fields import FUNCTIONS, Kind, is_zero_of_nothing, subject_field
from segmentd.segmenter.language import Aggregate, Call, Events, Name, Subject
from segmentd.segmenter.predicates import Floats, prepared
from segmentd.segmenter.properties import Properties
from segmentd.segmenter.readings import read
from segmentd.segmenter.rolling import Windows, windows_of

TEXTUAL = frozenset({Kind.TEXT, Kind.CHOICE, Kind.ID, Kind.LIST, Kind.TERMS, Kind.ANY})
_OF_ORDERS = frozenset({"products_purchased", "refunds_received"})
"""Functions whose ``count`` is that of the orders that their rows belong to."""


class Subjects:
    """Every subject has one value per profile; each is computed once."""

    def __init__(self, evaluation: Evaluation) -> None:
        self._evaluation = evaluation
        self._facts = evaluation.facts
        self._properties = Properties(evaluation.facts)
        self._numbers: dict[tuple[Subject, Kind | None], Floats] = {}
        self._terms: dict[Subject, TermColumn] = {}

    def numbers(self, subject: Subject, kind: Kind | None = None) -> Floats:
        """See ``Evaluation.numbers``."""
        field = subject_field(subject)
        textual = field is not None and field.kind in TEXTUAL
        key = (subject, (kind or Kind.COUNT) if textual else None)
        if key not in self._numbers:
            self._numbers[key] = self._read(*key) if textual else self._number(subject)
        return self._numbers[key]

    def _read(self, subject: Subject, kind: Kind | None) -> Floats:
        return read(self.terms(subject), kind or Kind.COUNT, self._facts.clock.zone)

    def terms(self, subject: Subject) -> TermColumn:
        """See ``Evaluation.terms``."""
        if subject not in self._terms:
            self._terms[subject] = self._text(subject)
        return self._terms[subject]

    def property_numbers(self, events: Events, name: str, kind: Kind) -> Floats:
        """A property of every row of the table, read as numbers of a kind."""
        found = FUNCTIONS[events.function].find(name)
        if found is not None and found.kind in TEXTUAL:
            return read(self._properties.terms(events, name), kind, self._facts.clock.zone)
        return self._properties.numbers(events, name)

    def property_terms(self, events: Events, name: str) -> TermColumn:
        """A property of every row of the table, as texts."""
        return self._properties.terms(events, name)

    def _number(self, subject: Subject) -> Floats:
        match subject:
            case Name(value):
                return self._facts.numbers(value)
            case Call("ENTERED", segment):
                return memories.entered(segment, self._evaluation)
            case Call("LEFT", segment):
                return memories.left(segment, self._evaluation)
            case Aggregate(_, Name() as name):
                return self.terms(name).numbers(len)
            case Aggregate(_, Events() as events):
                return self._aggregate(subject, events)
            case _:
                raise TypeError(subject)

    def _text(self, subject: Subject) -> TermColumn:
        match subject:
            case Name(value):
                return self._facts.terms(value)
            case Aggregate(name, Events() as events):
                chosen = self._chosen(events)
                split = FUNCTIONS[events.function].split(name)
                if chosen is None or split is None:
                    return unknown(self._facts.size)
                return outermost_texts(split[0], self._properties.terms(events, split[1]), chosen)
            case _:
                raise TypeError(subject)

    # aggregates over events

    def _chosen(self, events: Events) -> Chosen | None:
        table = self._evaluation.table(events)
        return Chosen(table, self._evaluation.rows(events)) if table else None

    def _aggregate(self, aggregate: Aggregate, events: Events) -> Floats:
        chosen = self._chosen(events)
        if chosen is None:
            nothing = 0.0 if is_zero_of_nothing(aggregate.name) else np.nan
            return np.full(self._facts.size, nothing)
        windows = windows_of(aggregate, self._evaluation)
        if windows is not None:
            return self._rolling(aggregate, events, windows)
        if aggregate.name in FUNCTIONS[events.function].totals:
            return self._total(aggregate.name, events.function, chosen)
        operation, name, kind = _parts(aggregate.name, events)
        if kind in TEXTUAL and operation in {"distinct", "top_share"}:
            return of_texts(operation, self._equal(events, name), chosen)
        return of_numbers(operation, self.property_numbers(events, name, Kind.COUNT), chosen)

    def _total(self, name: str, function: str, chosen: Chosen) -> Floats:
        table, rows = chosen.table, chosen.rows
        match name:
            case "count":
                return table.count_orders(rows) if function in _OF_ORDERS else chosen.count
            case "quantity" | "sum_quantity":
                return table.sum(table.floats("quantity"), rows)
            case "share" if function == "products_purchased":
                return of_numbers("share", table.floats("quantity"), chosen)
            case "share":
                return divide(table.count_orders(rows), self._facts.numbers("number_of_orders"))
            case "days_since":
                return self._facts.clock.today - self._facts.clock.days(table.latest(rows))
            case _:
                last = self._facts.clock.days(table.latest(rows))
                return last - self._facts.clock.days(table.least(table.placed, rows))

    def _rolling(self, aggregate: Aggregate, events: Events, windows: Windows) -> Floats:
        if aggregate.name == "count":
            return windows.least_count(of_orders=events.function in _OF_ORDERS)
        name = aggregate.name.removeprefix("sum_")
        return windows.least_sum(self.property_numbers(events, name, Kind.COUNT))

    def _equal(self, events: Events, name: str) -> TermColumn:
        """The texts of a property, written equally where the language takes them for equal."""
        field = FUNCTIONS[events.function].find(name)
        assert field is not None  # noqa: S101 - rules are checked before
        fold = prepared(field)
        return self._properties.terms(events, name).map(lambda terms: tuple(map(fold, terms)))


def _parts(name: str, events: Events) -> tuple[str, str, Kind]:
    """The operation of an aggregate, and name and kind of the property that it is taken of."""
    function = FUNCTIONS[events.function]
    split = function.split(name)
    found = function.find(split[1]) if split else None
    assert split is not None  # noqa: S101 - rules are checked before
    assert found is not None  # noqa: S101
    return *split, found.kind
