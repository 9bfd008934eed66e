"""Stores what a pass found: memberships and their history, due instants, rules, thresholds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from segmentd.domain.memberships import Cause
from segmentd.domain.segments import Segment
from segmentd.pipeline.ports import Evaluated, Pass
from segmentd.store.bulk import Bulk, Values
from segmentd.store.content import clean
from segmentd.store.relative import alive, written
from segmentd.store.types import epoch, from_epoch

Ids = npt.NDArray[np.int64]
_Member = tuple[int, str]
"""Profile and segment."""

EVALUATED_AT = "evaluated_at"
"""Counter that holds the ``now`` of the last pass, as epoch seconds."""
FITTED_AT = "fitted_at"
"""The same of the last pass that fitted values to the store."""

_NONE: Ids = np.empty(0, dtype=np.int64)
_CHANGES = ("change_id", "profile_id", "segment", "entered", "at", "cause", "version")


def publish(bulk: Bulk, outcome: Pass, now: datetime) -> tuple[int, int]:
    """Write what differs from the stored; returns (entered, left)."""
    changes = list(_changes(bulk, outcome))
    entered, left = _write_changes(bulk, outcome, changes, now)
    _save_lapsing(bulk, outcome)
    _save_due(bulk, outcome)
    _save_rules(bulk, outcome.segments, now)
    _save_thresholds(bulk, outcome.thresholds, now)
    bulk.execute("DELETE FROM dirty WHERE token <= ?", outcome.token)
    passed = [EVALUATED_AT, FITTED_AT] if outcome.fitted else [EVALUATED_AT]
    bulk.upsert("counters", ("name", "value"), [(counter, epoch(now)) for counter in passed])
    return entered, left


@dataclass(slots=True)
class _Change:
    """Who entered and who left one segment; ascending."""

    segment: str
    entered: Ids
    left: Ids


def _changes(bulk: Bulk, outcome: Pass) -> Iterator[_Change]:
    stored = _memberships(bulk, outcome.asked)
    evaluated = np.sort(np.concatenate([_NONE, *(_index(p.members) for p in outcome.evaluated)]))
    gone = _gone(bulk) if outcome.asked is None else _NONE
    configured = [segment.key for segment in outcome.segments]
    for key in configured:
        inside = np.concatenate(
            [_NONE, *(_index(p.members)[p.members[key].to_numpy()] for p in outcome.evaluated)]
        )
        before = stored.pop(key, _NONE)
        left = np.setdiff1d(before, inside)
        if outcome.asked is None:
            # a profile that is newer than the pass was not evaluated by it: its time comes
            left = left[np.isin(left, evaluated) | np.isin(left, gone)]
        yield _Change(key, _alive(bulk, np.setdiff1d(inside, before)), left)
    for key in _abandoned(bulk, configured):
        yield _Change(key, _NONE, _memberships_of(bulk, key))


def _index(members: Any) -> Ids:
    ids: Ids = members.index.to_numpy(dtype=np.int64)
    return ids


def _memberships(bulk: Bulk, asked: Sequence[int] | None) -> dict[str, Ids]:
    """Segment → stored members, of those asked for."""
    condition, values = ("", ()) if asked is None else ("WHERE profile_id IN (?*) ", (list(asked),))
    rows = bulk.rows(
        f"SELECT segment, {_joined(bulk, 'profile_id')} FROM memberships "  # noqa: S608 - constants
        f"{condition}GROUP BY segment",
        *values,
    )
    return {segment: _split(ids) for segment, ids in rows}


def _memberships_of(bulk: Bulk, segment: str) -> Ids:
    ((ids,),) = bulk.rows(
        f"SELECT {_joined(bulk, 'profile_id')} FROM memberships WHERE segment = ?",  # noqa: S608
        segment,
    )
    return _split(ids)


def _joined(bulk: Bulk, column: str) -> str:
    # one text for a million numbers takes a fifth of the time of a million rows
    return f"group_concat({column})" if bulk.sqlite else f"string_agg({column}::text, ',')"


def _split(numbers: str | None) -> Ids:
    return np.sort(np.fromstring(numbers, dtype=np.int64, sep=",")) if numbers else _NONE


def _gone(bulk: Bulk) -> Ids:
    rows = bulk.rows("SELECT profile_id FROM profiles WHERE gone_at IS NOT NULL")
    return np.array([profile_id for (profile_id,) in rows], dtype=np.int64)


def _alive(bulk: Bulk, ids: Ids) -> Ids:
    """Without those that were merged away or removed since they were evaluated."""
    return np.array(alive(bulk, ids.tolist()), dtype=np.int64) if len(ids) else ids


def _abandoned(bulk: Bulk, configured: Sequence[str]) -> list[str]:
    rows = bulk.rows("SELECT segment FROM segments WHERE current = 1")
    return sorted({row.segment for row in rows} - set(configured))


def _write_changes(
    bulk: Bulk, outcome: Pass, changes: Sequence[_Change], now: datetime
) -> tuple[int, int]:
    at = bulk.instant(now)
    versions = {segment.key: segment.version for segment in outcome.segments}
    history: list[Values] = []
    entries: list[Values] = []
    exits: list[Values] = []
    for change in changes:
        segment, version = change.segment, versions.get(change.segment)
        for ids, entered in ((change.entered, 1), (change.left, 0)):
            for profile_id in ids.tolist():
                cause = _cause(outcome, segment, profile_id, configured=version is not None)
                history.append((profile_id, segment, entered, at, cause.value, version))
                if entered:
                    entries.append((profile_id, segment, at, cause.value))
                else:
                    exits.append((profile_id, segment))
    bulk.execute_many("DELETE FROM memberships WHERE profile_id = ? AND segment = ?", exits)
    bulk.insert("memberships", ("profile_id", "segment", "since", "cause"), entries)
    first = bulk.take("changes", len(history)) if history else 0
    bulk.insert("membership_changes", _CHANGES, [(n, *h) for n, h in enumerate(history, first)])
    touched = sorted({profile_id for profile_id, *_ in history})
    if touched:
        bulk.execute(
            "UPDATE profiles SET touched = ? WHERE profile_id IN (?*)",
            bulk.take("touched", 1),
            touched,
        )
    return len(entries), len(exits)


def _cause(outcome: Pass, segment: str, profile_id: int, *, configured: bool) -> Cause:
    if not configured:
        return Cause.RULE
    if profile_id in outcome.pinned.get(segment, ()):
        return Cause.PIN
    if segment in outcome.edited:
        return Cause.RULE
    return outcome.causes.get(profile_id, outcome.otherwise)


def _save_lapsing(bulk: Bulk, outcome: Pass) -> None:
    """Since when members are ones only by grace, written only where it differs."""
    graced = {key for part in outcome.evaluated for key in part.lapsing.columns}
    # grace that was taken away must not go on from there when it is given back
    bulk.execute_many(
        "UPDATE memberships SET lapsing_at = NULL WHERE segment = ? AND lapsing_at IS NOT NULL",
        [(key,) for key in sorted(outcome.edited - graced)],
    )
    if not graced:
        return
    stored = _stored_lapsing(bulk, outcome.asked, sorted(graced))
    lapsing = {member: at for part in outcome.evaluated for member, at in _lapsing(part)}
    changed = [(_instant(bulk, at), *m) for m, at in lapsing.items() if stored.get(m) != at]
    ended = [(None, *member) for member in stored.keys() - lapsing.keys()]
    bulk.execute_many(
        "UPDATE memberships SET lapsing_at = ? WHERE profile_id = ? AND segment = ?",
        changed + sorted(ended, key=repr),
    )


def _lapsing(part: Evaluated) -> Iterator[tuple[_Member, float]]:
    for key in map(str, part.lapsing.columns):
        known = part.lapsing[key].dropna()
        members = ((profile_id, key) for profile_id in known.index.tolist())
        yield from zip(members, known.tolist(), strict=True)


def _stored_lapsing(
    bulk: Bulk, asked: Sequence[int] | None, segments: list[str]
) -> dict[_Member, float]:
    lapsing = "lapsing_at" if bulk.sqlite else "CAST(EXTRACT(EPOCH FROM lapsing_at) AS BIGINT)"
    condition, values = ("", ()) if asked is None else ("AND profile_id IN (?*)", (list(asked),))
    rows = bulk.rows(
        f"SELECT profile_id, segment, {lapsing} FROM memberships "  # noqa: S608
        f"WHERE lapsing_at IS NOT NULL AND segment IN (?*) {condition}",
        segments,
        *values,
    )
    return {(profile_id, segment): float(at) for profile_id, segment, at in rows}


def _save_due(bulk: Bulk, outcome: Pass) -> None:
    stored = _stored_due(bulk, outcome.asked)
    changed: list[Values] = []
    for part in outcome.evaluated:
        # whole seconds, and never early
        new = np.ceil(part.due.to_numpy(dtype=np.float64))
        ids = part.due.index.to_numpy(dtype=np.int64)
        old = np.array([stored.get(p, np.nan) for p in ids.tolist()], dtype=np.float64)
        differs = ~((new == old) | (np.isnan(new) & np.isnan(old)))
        changed += [
            (None if np.isnan(due) else _instant(bulk, due), profile_id)
            for profile_id, due in zip(ids[differs].tolist(), new[differs].tolist(), strict=True)
        ]
    bulk.update_due(changed)


def _stored_due(bulk: Bulk, asked: Sequence[int] | None) -> dict[int, float]:
    due = "due_at" if bulk.sqlite else "CAST(EXTRACT(EPOCH FROM due_at) AS BIGINT)"
    condition, values = ("", ()) if asked is None else ("AND profile_id IN (?*)", (list(asked),))
    rows = bulk.rows(
        f"SELECT profile_id, {due} FROM profiles WHERE due_at IS NOT NULL {condition}",  # noqa: S608
        *values,
    )
    return {profile_id: float(at) for profile_id, at in rows}


def _instant(bulk: Bulk, seconds: float) -> Any:
    return int(seconds) if bulk.sqlite else from_epoch(seconds)


def _save_rules(bulk: Bulk, segments: Sequence[Segment], now: datetime) -> None:
    rows = bulk.rows("SELECT segment, version, title FROM segments WHERE current = 1")
    stored = {row.segment: (row.version, row.title) for row in rows}
    current = {s.key: (s.version, clean(s.title)) for s in segments}
    bulk.execute_many(
        "UPDATE segments SET current = 0 WHERE segment = ? AND current = 1",
        [(key,) for key, state in stored.items() if current.get(key) != state],
    )
    bulk.upsert(
        "segments",
        ("segment", "version", "title", "rule", "since", "current"),
        [
            (s.key, s.version, clean(s.title), clean(s.where), bulk.instant(now), 1)
            for s in segments
            if stored.get(s.key) != current[s.key]
        ],
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
    unused = stored.keys() - thresholds.keys()
    if unused:
        written(bulk)
    bulk.execute_many(
        "DELETE FROM relative_values WHERE expression = ?", [(name,) for name in unused]
    )
