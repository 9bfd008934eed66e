"""Questions that change nothing: how large would a segment be, and why is somebody in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Protocol, TypeVar

from segmentd.pipeline.ports import FactsPort
from segmentd.pipeline.segment import RANGE, each_range
from segmentd.segmenter.explain import Explainer, Explanation
from segmentd.segmenter.figures import of_all
from segmentd.segmenter.fitted import (
    HABITS,
    bound,
    fit,
    fitted_before,
    fitted_name,
    habits,
    outdated,
)
from segmentd.segmenter.frames import ALL_COLUMNS, Frames
from segmentd.segmenter.preview import (
    EVERYBODY,
    NEEDS,
    Ids,
    Preview,
    Values,
    Worth,
    candidates_at,
    cuts,
    instants,
    summarised,
    survey,
    values_at,
    worths,
)
from segmentd.segmenter.render import words
from segmentd.segmenter.ruleset import Ruleset
from segmentd.segmenter.scenes import nothing_later
from segmentd.segmenter.spelling import text
from segmentd.segmenter.thresholds import INSUFFICIENT

T = TypeVar("T")

Progress = Callable[[int, int], None]
"""Called with the ranges that are read and all that are to be read, once more for each step."""


class AskPort(FactsPort, Protocol):
    """What questions read."""

    def member_ids(self) -> dict[str, Ids]:
        """Segment → profile ids of its members, ascending."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Questions about some segments at one instant."""

    store: AskPort
    ruleset: Ruleset
    now: datetime
    progress: Progress = lambda _done, _total: None
    given: Mapping[str, str] = field(default_factory=dict)
    """Thresholds that are not to be computed."""

    def of(self, *keys: str) -> Asking:
        """About these segments and what they depend on: nothing else is computed."""
        return replace(self, ruleset=self.ruleset.restricted(keys))

    def preview(self, key: str, beside: Iterable[str] = ()) -> tuple[Preview, dict[str, str]]:
        """What a segment selects now, and would have selected in the last 90 days; and the
        thresholds of now. ``beside``: the segments that it is compared with, as they are stored."""
        at = instants(self.now)
        ruleset, thresholds = self.settled(at)
        work = partial(survey, ruleset, key=key, at=at, thresholds=thresholds)
        surveys = list(self.each_range(ruleset.needs | NEEDS, work))
        others = of_all(self.store.member_ids(), (other for other in beside if other != key))
        return summarised(ruleset.rules[key], surveys, at, others), thresholds[-1]

    def worths(self, keys: Sequence[str]) -> tuple[dict[str, Worth], dict[str, str]]:
        """How large segments would be now, and what their members spent; EVERYBODY too. And the
        thresholds by which that was decided."""
        ruleset, (thresholds,) = self.of(*keys).settled((self.now,))
        work = partial(worths, ruleset, keys=keys, now=self.now, thresholds=thresholds)
        found = dict.fromkeys((*keys, EVERYBODY), Worth())
        for part in self.each_range(ruleset.needs | NEEDS, work):
            found = {key: worth + part[key] for key, worth in found.items()}
        return found, thresholds

    def explain(
        self,
        profile_id: int,
        keys: Sequence[str],
        thresholds: Mapping[str, str] | None = None,
        *,
        past: bool = False,
    ) -> Iterator[tuple[str, Explanation]]:
        """For one profile, each segment with the reasons for and against membership.

        Orders are named as in the shop. ``thresholds``: those that hold ``now``; None: the latest.
        ``past``: what happened after ``now`` was not known then, and counts for no due instant.
        """
        known = self.store.thresholds() if thresholds is None else thresholds
        ruleset = bound(self._pinned(), known)
        frames = self.store.frames([profile_id], ruleset.needs | ALL_COLUMNS)
        frames = nothing_later(frames, self.now) if past else frames
        explainer = Explainer(ruleset, frames, self.now, known)
        told = {key: self._unfitted(key, known) or explainer.segment(key) for key in keys}
        used = set().union(*(why.used_orders() for why in told.values()))
        names = self.store.remote_orders(used)
        for key, why in told.items():
            yield key, why.renamed(names)

    def _unfitted(self, key: str, thresholds: Mapping[str, str]) -> Explanation | None:
        """What is said of a rule whose values could not be fitted to the store."""
        for variable in sorted(self.ruleset.fitted):
            missing = thresholds.get(fitted_name(variable), INSUFFICIENT) == INSUFFICIENT
            if missing and variable in self.ruleset.restricted([key]).fitted:
                rule = self.ruleset.rules[key]
                phrase = words(rule, self.ruleset.shop.currency)
                note = f"${variable} is not fitted yet"
                return Explanation(text(rule), phrase, False, member=False, notes=(note,))
        return None

    def _pinned(self) -> Ruleset:
        return self.ruleset.pinning(self.store.known(self.ruleset.customers))

    def settled(self, at: Sequence[datetime]) -> tuple[Ruleset, list[dict[str, str]]]:
        """The rules with their fitted values and pins, and all thresholds at each instant."""
        pinned = self._pinned()
        fitted = self._fitted(pinned)
        ruleset = bound(pinned, fitted)
        thresholds = [dict(fitted) for _ in at]
        if ruleset.expressions:
            values = partial(values_at, ruleset, at=at)
            self._cut(ruleset, ruleset.expressions, values, thresholds)
        if ruleset.limits:
            ranked = partial(candidates_at, ruleset, at=at, thresholds=thresholds)
            self._cut(ruleset, tuple(ruleset.limits), ranked, thresholds)
        return ruleset, thresholds

    def _cut(
        self,
        ruleset: Ruleset,
        names: Sequence[str],
        work: Callable[[Frames], Values],
        thresholds: Sequence[dict[str, str]],
    ) -> None:
        given = {name: self.given[name] for name in names if name in self.given}
        parts = list(self.each_range(ruleset.needs, work))
        for known, found in zip(thresholds, cuts(names, parts), strict=False):
            known.update(found | given)

    def _fitted(self, ruleset: Ruleset) -> dict[str, str]:
        """As stored; what is not stored is fitted now."""
        stored = self.store.thresholds() | dict(self.given)
        missing = outdated(ruleset, stored, self.now, self.now)
        if not missing:
            return fitted_before(ruleset, stored)
        shop = ruleset.shop
        parts = self.each_range(HABITS, partial(habits, shop, now=self.now))
        found = fit(missing, parts, self.store.prices(), shop.currency, stored)
        return fitted_before(ruleset, stored) | found

    def each_range(self, needs: frozenset[str], work: Callable[[Frames], T]) -> Iterator[T]:
        """Do some work on the facts of everybody, range by range."""
        ranges = self.store.ranges(RANGE)
        parts = each_range(self.store, ranges, needs, work)
        for done, part in enumerate(parts, 1):
            yield part
            self.progress(done, len(ranges))
