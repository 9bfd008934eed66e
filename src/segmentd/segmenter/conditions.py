"""Truth and due instant of single conditions, one value per profile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from segmentd.segmenter.columns import TermColumn
from segmentd.segmenter.events import EventTable
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.fields import Kind
from segmentd.segmenter.language import Events, Leaf, Subject
from segmentd.segmenter.predicates import Bools, Floats

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
        self._thresholds = thresholds

    def truth(self, leaf: Leaf) -> Bools:
        """For whom the condition holds."""
        raise NotImplementedError(leaf)

    def due(self, leaf: Leaf) -> Floats | None:
        """When time alone may change it, if it depends on the time."""
        raise NotImplementedError(leaf)

    def kind(self, subject: Subject) -> Kind:
        """Of what type the subject is."""
        raise NotImplementedError(subject)

    def numbers(self, subject: Subject, kind: Kind | None = None) -> Floats:
        """One number per profile; see ``Evaluation.numbers``."""
        raise NotImplementedError(subject, kind)

    def ranked(self, subject: Subject) -> Floats:
        """What store-relative values are taken of."""
        raise NotImplementedError(subject)

    def terms(self, subject: Subject) -> TermColumn:
        """Texts or lists of texts, one value per profile."""
        raise NotImplementedError(subject)

    def table(self, events: Events) -> EventTable | None:
        """The rows that count now; None where nothing fills the function."""
        raise NotImplementedError(events)

    def rows(self, events: Events) -> Bools:
        """Which of these rows fulfil all filters among the parameters."""
        raise NotImplementedError(events)
