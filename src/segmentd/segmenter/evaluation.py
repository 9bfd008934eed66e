"""What the parts of an evaluation may ask of it; ``conditions.Conditions`` answers."""

from __future__ import annotations

from typing import Protocol

from segmentd.segmenter.columns import TermColumn
from segmentd.segmenter.events import EventTable
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.fields import Kind
from segmentd.segmenter.language import Events, Subject
from segmentd.segmenter.predicates import Bools, Floats


class Evaluation(Protocol):
    """One partition of profiles at one instant: all arrays have one value per profile, or one per
    row of an event table."""

    facts: Facts
    members: dict[str, Bools]
    """Final memberships of the segments that are decided so far in this pass."""

    def numbers(self, subject: Subject, kind: Kind | None = None) -> Floats:
        """Minor units, plain numbers, or epoch seconds of dates; NaN where missing.

        A subject of Kind ANY is read as ``kind`` (``Kind.DATE`` for dates), else as plain numbers.
        """

    def ranked(self, subject: Subject) -> Floats:
        """The same, but NaN where an aggregate has no matching event at all."""

    def terms(self, subject: Subject) -> TermColumn:
        """Texts or lists of texts."""

    def table(self, events: Events) -> EventTable | None:
        """The rows that count now of what the function looks at; None where nothing fills it."""

    def rows(self, events: Events) -> Bools:
        """Which of these rows fulfil all filters among the parameters."""

    def dates(self, events: Events, name: str) -> Floats:
        """A property of these rows, read as dates."""

    def events_due(self, events: Events) -> Floats | None:
        """When time alone may change which of these rows fulfil the filters."""
