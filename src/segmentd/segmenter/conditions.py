"""Truth and due instant of single conditions, one value per profile."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np

from segmentd.segmenter import anniversaries, sequences
from segmentd.segmenter.columns import TermColumn
from segmentd.segmenter.comparisons import Comparisons
from segmentd.segmenter.dues import Dues
from segmentd.segmenter.events import EventTable
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.fields import Kind, subject_field
from segmentd.segmenter.language import (
    Aggregate,
    Call,
    Condition,
    Events,
    Leaf,
    Matches,
    Member,
    Sample,
    Sequence,
    Subject,
)
from segmentd.segmenter.matching import Filters, conditions_of
from segmentd.segmenter.predicates import Bools, Floats
from segmentd.segmenter.subjects import Subjects

if TYPE_CHECKING:
    from segmentd.segmenter.ruleset import Shop


class Conditions:
    """Evaluates conditions over one partition of profiles; each is computed once.

    The interface towards its parts is ``evaluation.Evaluation``.
    """

    def __init__(self, facts: Facts, shop: Shop, thresholds: Mapping[str, str]) -> None:
        self.facts = facts
        self.shop = shop
        self.members: dict[str, Bools] = {}
        self._subjects = Subjects(self)
        self._comparisons = Comparisons(self, shop.currency, thresholds)
        self._filters = Filters(self, self._subjects, self._comparisons)
        self._dues = Dues(self)
        self._truths: dict[Leaf, Bools] = {}
        self._changes: dict[Leaf, Floats | None] = {}

    def truth(self, leaf: Leaf) -> Bools:
        """For whom the condition holds."""
        if leaf not in self._truths:
            negated = isinstance(leaf, Condition | Matches) and leaf.negated
            positive = self._positive(leaf)
            self._truths[leaf] = ~positive if negated else positive
        return self._truths[leaf]

    def due(self, leaf: Leaf) -> Floats | None:
        """When time alone may change it, if it depends on the time."""
        if leaf not in self._changes:
            self._changes[leaf] = self._dues.of(leaf)
        return self._changes[leaf]

    def kind(self, subject: Subject) -> Kind:
        """Of what type the subject is."""
        field = subject_field(subject)
        assert field is not None  # noqa: S101 - rules are checked before
        return field.kind

    def numbers(self, subject: Subject, kind: Kind | None = None) -> Floats:
        """One number per profile; see ``Evaluation.numbers``."""
        return self._subjects.numbers(subject, kind)

    def ranked(self, subject: Subject) -> Floats:
        """What store-relative values are taken of; what is too large for a number is missing."""
        values = self.numbers(subject)
        values = np.where(np.isinf(values), np.nan, values)
        match subject:
            case Aggregate(_, Events() as events):
                table = self.table(events)
                some = table.count(self.rows(events)) > 0 if table else False
                return np.where(some, values, np.nan)
            case _:
                return values

    def terms(self, subject: Subject) -> TermColumn:
        """Texts or lists of texts, one value per profile."""
        return self._subjects.terms(subject)

    def table(self, events: Events) -> EventTable | None:
        """The rows that count now; None where nothing fills the function."""
        return self.facts.table(events)

    def rows(self, events: Events) -> Bools:
        """Which of these rows fulfil all filters among the parameters."""
        return self._filters.rows(events)

    def dates(self, events: Events, name: str) -> Floats:
        """A property of these rows, read as dates."""
        return self._subjects.property_numbers(events, name, Kind.DATE)

    def events_due(self, events: Events) -> Floats | None:
        """When time alone may change which of these rows fulfil the filters."""
        return self._dues.of_events(events)

    def _positive(self, leaf: Leaf) -> Bools:
        match leaf:
            case Condition(Call("anniversary")):
                return anniversaries.truth(leaf, self)
            case Condition():
                return self._comparisons.of_subject(leaf)
            case Matches(Events("customer_within_distance")):
                return self.facts.homes.within_distance(leaf)
            case Matches():
                return self._all(conditions_of(leaf))
            case Sequence():
                return sequences.truth(leaf, self)
            case Member(segment):
                return self.members[segment]
            case Sample():
                return self.facts.samples.sampled(leaf)

    def _all(self, conditions: tuple[Condition, ...]) -> Bools:
        if not conditions:
            return np.zeros(self.facts.size, bool)
        return reduce(np.logical_and, map(self.truth, conditions))
