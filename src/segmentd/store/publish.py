"""Stores what a pass found: memberships and their history, due instants, rules, thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np

from segmentd.domain.memberships import Cause
from segmentd.domain.segments import Segment
from segmentd.pipeline.ports import Part, Pass
from segmentd.segmenter.columns import NO_ROWS, Ints
from segmentd.segmenter.thresholds import value_name
from segmentd.segmenter.unstored import due_instants, unlike
from segmentd.store.bulk import Bulk, Values
from segmentd.store.content import clean
from segmentd.store.facts import among
from segmentd.store.relative import alive, keep_values
from segmentd.store.types import epoch, from_epoch

_Member = tuple[int, str]
"""Profile and segment."""

EVALUATED_AT = "evaluated_at"
"""Counter that holds the ``now`` of the last pass, as epoch seconds."""
FITTED_AT = "fitted_at"
"""The same of the last pass that fitted values to the store."""


def publish(bulk: Bulk, outcome: Pass, now: datetime) -> tuple[int, int]:
    """Write what differs from the stored; returns (entered, left)."""
    writing = _Writing(bulk, outcome, now)
    for part in outcome.parts:
        writing.save(part)
    for key in _abandoned(bulk, [segment.key for segment in outcome.segments]):
        writing.write([_Change(key, NO_ROWS, _memberships_of(bulk, key))])
    _forget_grace(bulk, outcome)
    _save_rules(bulk, outcome.segments, now)
    _save_thresholds(bulk, outcome.thresholds, now)
    bulk.execute("DELETE FROM dirty WHERE token <= ?", outcome.token)
    passed = [EVALUATED_AT, FITTED_AT] if outcome.fitted else [EVALUATED_AT]
    bulk.upsert("counters", ("name", "value"), [(counter, epoch(now)) for counter in passed])
    return writing.entered, writing.left


@dataclass(slots=True)
class _Change:
    """Who entered and who left one segment; ascending."""

    segment: str
    entered: Ints
    left: Ints


@dataclass
class _Writing:
    """The outcome of one pass on its way into the store, part by part."""

    bulk: Bulk
    outcome: Pass
    now: datetime
    entered: int = 0
    left: int = 0

    def save(self, part: Part) -> None:
        """Write one part where it differs from what is stored."""
        self.write(_changes(self.bulk, part))
        _save_lapsing(self.bulk, part)
        _save_due(self.bulk, part, every=len(self.outcome.segments))

    def write(self, changes: Sequence[_Change]) -> None:
        """Change memberships, and keep the history of it."""
        bulk, at = self.bulk, self.bulk.instant(self.now)
        history = [row for change in changes for row in self._history(change)]
        if not history:
            return
        entries = [(profile_id, segment, at, cause)
                   for profile_id, segment, entered, cause, _ in history if entered]  # fmt: skip
        exits = [(profile_id, segment) for profile_id, segment, entered, *_ in history
                 if not entered]  # fmt: skip
        bulk.execute_many("DELETE FROM memberships WHERE profile_id = ? AND segment = ?", exits)
        bulk.insert("memberships", ("profile_id", "segment", "since", "cause"), entries)
        first = bulk.take("changes", len(history))
        bulk.insert(
            "membership_changes",
            ("change_id", "profile_id", "segment", "entered", "cause", "version", "at"),
            [(number, *row, at) for number, row in enumerate(history, first)],
        )
        touched = sorted({profile_id for profile_id, *_ in history})
        bulk.execute(
            "UPDATE profiles SET touched = ? WHERE profile_id IN (?*)", self._touch, touched
        )
        self.entered += len(entries)
        self.left += len(exits)

    @cached_property
    def _touch(self) -> int:
        return self.bulk.take("touched", 1)

    @cached_property
    def _versions(self) -> Mapping[str, str]:
        return {segment.key: segment.version for segment in self.outcome.segments}

    def _history(self, change: _Change) -> Iterator[Values]:
        segment, version = change.segment, self._versions.get(change.segment)
        for ids, entered in ((change.entered, 1), (change.left, 0)):
            for profile_id in ids.tolist():
                cause = self._cause(segment, profile_id)
                yield profile_id, segment, entered, cause.value, version

    def _cause(self, segment: str, profile_id: int) -> Cause:
        outcome = self.outcome
        if segment not in self._versions:
            return Cause.RULE
        if profile_id in outcome.pinned.get(segment, ()):
            return Cause.PIN
        if segment in outcome.edited:
            return Cause.RULE
        return outcome.causes.get(profile_id, outcome.otherwise)


def _changes(bulk: Bulk, part: Part) -> list[_Change]:
    members = part.decision.members
    index, keys = _index(members), list(map(str, members.columns))
    stored = _memberships(bulk, part.asked)
    found = {key: index[members[key].to_numpy()] for key in keys}
    entered = {key: _without(found[key], stored.get(key, NO_ROWS)) for key in keys}
    # some were merged away or removed since they were decided
    there = np.array(alive(bulk, _together(entered.values()).tolist()), dtype=np.int64)
    return [
        _Change(
            key,
            entered[key][np.isin(entered[key], there)],
            _without(stored.get(key, NO_ROWS), found[key]),
        )
        for key in keys
    ]


def _without(some: Ints, others: Ints) -> Ints:
    """Both have nobody twice, and stay in their order."""
    return np.setdiff1d(some, others, assume_unique=True)


def _together(parts: Iterable[Ints]) -> Ints:
    return np.unique(np.concatenate([NO_ROWS, *parts]))


def _index(members: Any) -> Ints:
    ids: Ints = members.index.to_numpy(dtype=np.int64)
    return ids


def _memberships(bulk: Bulk, asked: Sequence[int]) -> dict[str, Ints]:
    """Segment → stored members, of those asked for."""
    chosen, values = among(asked)
    joined = bulk.joined("profile_id")
    rows = bulk.rows(
        f"SELECT segment, {joined} FROM memberships WHERE {chosen} GROUP BY segment",  # noqa: S608
        *values,
    )
    return {segment: _split(ids) for segment, ids in rows}


def _memberships_of(bulk: Bulk, segment: str) -> Ints:
    ((ids,),) = bulk.rows(
        f"SELECT {bulk.joined('profile_id')} FROM memberships WHERE segment = ?",  # noqa: S608
        segment,
    )
    return _split(ids)


def _split(numbers: str | None) -> Ints:
    return np.sort(np.fromstring(numbers, dtype=np.int64, sep=",")) if numbers else NO_ROWS


def _abandoned(bulk: Bulk, configured: Sequence[str]) -> list[str]:
    rows = bulk.rows("SELECT segment FROM segments WHERE current = 1")
    return sorted({row.segment for row in rows} - set(configured))


def _forget_grace(bulk: Bulk, outcome: Pass) -> None:
    """Grace that was taken away must not go on from there when it is given back."""
    graced = {key for part in outcome.parts for key in part.decision.lapsing.columns}
    bulk.execute_many(
        "UPDATE memberships SET lapsing_at = NULL WHERE segment = ? AND lapsing_at IS NOT NULL",
        [(key,) for key in sorted(outcome.edited - graced)],
    )


def _save_lapsing(bulk: Bulk, part: Part) -> None:
    """Since when members are ones only by grace, written only where it differs."""
    graced = sorted(map(str, part.decision.lapsing.columns))
    if not graced:
        return
    stored = _stored_lapsing(bulk, part.asked, graced)
    lapsing = dict(_lapsing(part))
    changed = [(_instant(bulk, at), *m) for m, at in lapsing.items() if stored.get(m) != at]
    ended = [(None, *member) for member in stored.keys() - lapsing.keys()]
    bulk.execute_many(
        "UPDATE memberships SET lapsing_at = ? WHERE profile_id = ? AND segment = ?",
        changed + sorted(ended, key=repr),
    )


def _lapsing(part: Part) -> Iterator[tuple[_Member, float]]:
    lapsing = part.decision.lapsing
    for key in map(str, lapsing.columns):
        known = lapsing[key].dropna()
        members = ((profile_id, key) for profile_id in known.index.tolist())
        yield from zip(members, known.tolist(), strict=True)


def _stored_lapsing(bulk: Bulk, asked: Sequence[int], segments: list[str]) -> dict[_Member, float]:
    chosen, values = among(asked)
    rows = bulk.rows(
        f"SELECT profile_id, segment, {bulk.seconds('lapsing_at')} FROM memberships "  # noqa: S608
        f"WHERE lapsing_at IS NOT NULL AND segment IN (?*) AND {chosen}",
        segments,
        *values,
    )
    return {(profile_id, segment): float(at) for profile_id, segment, at in rows}


def _save_due(bulk: Bulk, part: Part, *, every: int) -> None:
    """When time alone may change something; ``every``: the number of all segments."""
    stored = stored_due(bulk, part.asked)
    ids = _index(part.decision.due)
    old = np.array([stored.get(p, np.nan) for p in ids.tolist()], dtype=np.float64)
    whole = len(part.decision.members.columns) == every
    new = due_instants(part.decision.due, old, whole=whole)
    differs = unlike(new, old)
    bulk.update_due(
        [
            (None if np.isnan(due) else _instant(bulk, due), profile_id)
            for profile_id, due in zip(ids[differs].tolist(), new[differs].tolist(), strict=True)
        ]
    )


def stored_due(bulk: Bulk, asked: Sequence[int]) -> dict[int, float]:
    """When those of some profiles are due (epoch seconds) who ever are."""
    chosen, values = among(asked)
    # asked for those that are due only, PostgreSQL goes by the index of due instants and looks
    # through the whole list of profiles for each
    rows = bulk.tuples(
        f"SELECT profile_id, {bulk.seconds('due_at')} FROM profiles WHERE {chosen}",  # noqa: S608
        *values,
    )
    return {profile_id: float(at) for profile_id, at in rows if at is not None}


def _instant(bulk: Bulk, seconds: float) -> Any:
    return int(seconds) if bulk.sqlite else from_epoch(seconds)


def _save_rules(bulk: Bulk, segments: Sequence[Segment], now: datetime) -> None:
    rows = bulk.rows("SELECT segment, version, title FROM segments WHERE current = 1")
    stored = {row.segment: row.version for row in rows}
    titles = {row.segment: row.title for row in rows}
    current = {s.key: s.version for s in segments}
    bulk.execute_many(
        "UPDATE segments SET current = 0 WHERE segment = ? AND current = 1",
        [(key,) for key, version in stored.items() if current.get(key) != version],
    )
    bulk.upsert(
        "segments",
        ("segment", "version", "title", "rule", "since", "current"),
        [
            (s.key, s.version, clean(s.title), clean(s.where), bulk.instant(now), 1)
            for s in segments
            if stored.get(s.key) != s.version
        ],
    )
    # another title is no other rule: since when it is in force stays
    bulk.execute_many(
        "UPDATE segments SET title = ? WHERE segment = ? AND current = 1",
        [(clean(s.title), s.key) for s in segments if titles.get(s.key) != clean(s.title)],
    )


def _save_thresholds(bulk: Bulk, thresholds: Mapping[str, str], now: datetime) -> None:
    rows = bulk.rows("SELECT expression, threshold FROM thresholds WHERE current = 1")
    stored = {row.expression: row.threshold for row in rows}
    bulk.execute_many(
        "UPDATE thresholds SET current = 0 WHERE expression = ? AND current = 1",
        [(expression,) for expression, t in stored.items() if thresholds.get(expression) != t],
    )
    bulk.execute_many(
        "INSERT INTO thresholds (expression, threshold, at, current) VALUES (?, ?, ?, 1)",
        [
            (expression, threshold, bulk.instant(now))
            for expression, threshold in thresholds.items()
            if stored.get(expression) != threshold
        ],
    )
    keep_values(bulk, {value_name(expression) for expression in thresholds})
