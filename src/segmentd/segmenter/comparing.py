"""What is stored of some profiles against what a fresh computation finds: frames in, ids out.

Who waits for the next pass (dirty or due) is left out everywhere: what is stored of them is of the
pass before, and of store-relative values it is what the present thresholds were made from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import pandas as pd

from segmentd.segmenter.columns import NO_ROWS, Ints
from segmentd.segmenter.evaluate import Decision, Values
from segmentd.segmenter.predicates import Floats
from segmentd.segmenter.thresholds import PopulationTable, facts_of, has_value, threshold


class Kind(StrEnum):
    """In what a profile differs."""

    MISSING = "missing"
    """Belongs to the segment and is not stored as a member."""
    EXTRA = "extra"
    """Is stored as a member and does not belong to the segment."""
    GRACE = "grace"
    """Is a member by grace by one of the two only, or since another instant."""
    LATE = "late"
    """Is stored to be due later than it is, or never: a membership would change too late."""
    EARLY = "early"
    """Is stored to be due earlier: looked at once for nothing."""


Found = dict[tuple[Kind, str], Ints]
"""In what, and of which segment (``""`` for due instants) → profile ids, ascending."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What the last pass left of some profiles."""

    members: Mapping[str, Ints]
    """Segment → profile ids, ascending."""
    lapsing: Mapping[str, pd.Series[float]]
    """Segment → since when (epoch seconds) who is a member only by grace; index ``profile_id``."""
    due: pd.Series[float]
    """Epoch seconds, of who is ever due; index ``profile_id``."""

    @classmethod
    def of(
        cls,
        members: Sequence[tuple[Any, ...]],
        lapsing: Sequence[tuple[Any, ...]],
        due: Sequence[tuple[Any, ...]],
    ) -> Stored:
        """From rows: (segment, profile) by profile, (segment, profile, since), (profile, due)."""
        inside: dict[str, list[int]] = {}
        for segment, profile_id in members:
            inside.setdefault(segment, []).append(profile_id)
        graced: dict[str, dict[int, float]] = {}
        for segment, profile_id, since in lapsing:
            graced.setdefault(segment, {})[profile_id] = since
        return cls(
            {segment: np.array(ids, np.int64) for segment, ids in inside.items()},
            {segment: _series(since) for segment, since in graced.items()},
            _series(dict(due)),
        )


def differences(
    decision: Decision, stored: Stored, waiting: Iterable[int], skipped: frozenset[str]
) -> Found:
    """Where memberships, grace and due instants differ; ``skipped``: segments left out.

    With segments left out due instants say nothing, as they are one for all segments, and are left
    out too.
    """
    ids = decision.members.index.to_numpy(np.int64)
    found: Found = {}
    for key in sorted({*map(str, decision.members.columns), *stored.members} - skipped):
        members = stored.members.get(key, NO_ROWS)
        inside = ids[decision.members[key].to_numpy(bool)] if key in decision.members else NO_ROWS
        found[Kind.MISSING, key] = np.setdiff1d(inside, members)
        found[Kind.EXTRA, key] = np.setdiff1d(members, inside)
        if key in decision.lapsing:
            grace = _unlike(decision.lapsing[key], stored.lapsing.get(key))
            found[Kind.GRACE, key] = np.intersect1d(grace, np.intersect1d(members, inside))
    if not skipped:
        found[Kind.LATE, ""], found[Kind.EARLY, ""] = _dues(decision.due, stored.due)
    return _without(found, waiting)


def ranked(values: Values, name: str) -> pd.DataFrame:
    """Who is ranked by one of the values, and how: index ``profile_id``, columns FACTS."""
    chosen = facts_of(values, name)
    return chosen[has_value(chosen["value"])].astype(np.float64)


def value_differences(fresh: pd.DataFrame, stored: pd.DataFrame, waiting: Iterable[int]) -> Ints:
    """Profiles that are ranked in another way (both as ``ranked`` gives them)."""
    index = fresh.index.union(stored.index)
    one, other = (frame.reindex(index).to_numpy(np.float64) for frame in (fresh, stored))
    same = ((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1)
    differing: Ints = index.to_numpy(np.int64)[~same]
    return np.setdiff1d(differing, _ids(waiting))


def cut(expression: str, fresh: pd.DataFrame, stored: pd.DataFrame, waiting: Iterable[int]) -> str:
    """The threshold that ought to be stored: of who waits, what is stored counts."""
    late = _ids(waiting)
    parts = [fresh[~fresh.index.isin(late)], stored[stored.index.isin(late)]]
    people = pd.concat([part for part in parts if len(part)] or parts[:1])
    return threshold(expression, PopulationTable(people.rename_axis("profile_id").reset_index()))


def renewed(values: Values, ids: Iterable[int], again: Values) -> Values:
    """The values with those of some profiles read again; who has none any more is not in it."""
    kept = values[~values.index.isin(_ids(ids))]
    return pd.concat([kept, again]) if len(again) else kept


def _dues(fresh: pd.Series[float], stored: pd.Series[float]) -> tuple[Ints, Ints]:
    """Who is stored to be due too late, and who too early."""
    index = fresh.index.union(stored.index)
    # stored instants are whole seconds, and never early; who is never due is so at infinity
    due = np.ceil(fresh.reindex(index).to_numpy(np.float64))
    new, old = (np.nan_to_num(e, nan=np.inf) for e in (due, _aligned(stored, index)))
    ids = index.to_numpy(np.int64)
    return ids[old > new], ids[old < new]


def _series(values: Mapping[int, float]) -> pd.Series[float]:
    index = pd.Index(np.fromiter(values, np.int64), name="profile_id")
    return pd.Series(np.fromiter(values.values(), np.float64), index=index)


def _unlike(fresh: pd.Series[float], stored: pd.Series[float] | None) -> Ints:
    new = fresh.to_numpy(np.float64)
    old = np.full(len(new), np.nan) if stored is None else _aligned(stored, fresh.index)
    same = (new == old) | (np.isnan(new) & np.isnan(old))
    differing: Ints = fresh.index.to_numpy(np.int64)[~same]
    return differing


def _aligned(series: pd.Series[float], index: pd.Index[int]) -> Floats:
    return np.asarray(series.reindex(index), np.float64)


def _without(found: Found, waiting: Iterable[int]) -> Found:
    late = _ids(waiting)
    kept = {what: np.setdiff1d(ids, late) for what, ids in found.items()}
    return {what: ids for what, ids in kept.items() if len(ids)}


def _ids(ids: Iterable[int]) -> Ints:
    return np.fromiter(ids, np.int64)
