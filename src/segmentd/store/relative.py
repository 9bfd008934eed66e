"""Store-relative values: what percentile cuts, means and the cuts of limits are computed from.

A pass over a few changed profiles needs the values of everybody to place the cuts. They are kept
in memory between passes, brought up to date with every write of ours, and read anew only when the
counter ``relative`` says that somebody else wrote: else every small pass would read a whole shop.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from segmentd.segmenter.thresholds import LIMIT
from segmentd.store.bulk import Bulk
from segmentd.store.engine import Database

_COLUMNS = ("expression", "profile_id", "value", "orders", "last_order_at")
_FACTS = ["value", "orders", "last_order_at"]
_NOBODY = pd.DataFrame(
    {name: np.empty(0) for name in _FACTS}, index=pd.Index([], dtype="int64", name="profile_id")
)


@dataclass(slots=True)
class _Population:
    """All values of one expression as of one state of the counter; index ``profile_id``."""

    version: int
    values: pd.DataFrame


@dataclass(slots=True)
class _Change:
    expression: str
    vanished: npt.NDArray[np.int64]
    changed: pd.DataFrame


class Populations:
    """The values of one database. Used under the lease ``segment``, by one thread at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[str, _Population] = {}

    def save(self, bulk: Bulk, values: pd.DataFrame) -> None:
        """Write what differs; who is not ranked is not in the population."""
        if values.empty:
            return
        profiles = values.index.tolist()
        # a row of who was merged away or removed since they were read would be counted for ever
        values = values.loc[alive(bulk, profiles)]
        changes = []
        for expression in map(str, values.columns.difference(["orders", "last_order_at"])):
            ranked = values[_ranked(expression, values)]
            new = ranked[[expression, "orders", "last_order_at"]].set_axis(_FACTS, axis=1)
            old = _read(bulk, expression, "AND profile_id IN (?*)", profiles)
            change = _difference(expression, old, new)
            if len(change.vanished) or len(change.changed):
                changes.append(change)
        if changes:
            self._keep(changes, written(bulk))
            for change in changes:
                _write(bulk, change)

    def of(self, expression: str) -> pd.DataFrame:
        """``profile_id, value, orders, last_order_at`` of everybody."""
        with self._database.read() as connection:
            bulk = Bulk(connection, sqlite=self._database.sqlite)
            rows = bulk.rows("SELECT value FROM counters WHERE name = 'relative'")
            version = rows[0].value if rows else 0
            known = self._known.get(expression)
            if known is None or known.version != version:
                known = _Population(version, _read(bulk, expression))
                self._known[expression] = known
        return known.values.reset_index()

    def _keep(self, changes: list[_Change], version: int) -> None:
        """Follow our own write, the ``version``-th; what others wrote before it is not known."""
        changed = {change.expression: change for change in changes}
        for expression, known in list(self._known.items()):
            if known.version != version - 1:
                del self._known[expression]
                continue
            if expression in changed:
                known.values = _applied(known.values, changed[expression])
            known.version = version

    def forget(self) -> None:
        """After a write that was rolled back, or at the end."""
        self._known.clear()


def alive(bulk: Bulk, profile_ids: list[int]) -> list[int]:
    """Without those that were merged away or removed since they were read; ascending."""
    rows = bulk.tuples(
        "SELECT profile_id FROM profiles WHERE gone_at IS NULL AND profile_id IN (?*) "
        "ORDER BY profile_id",
        profile_ids,
    )
    return [profile_id for (profile_id,) in rows]


def written(bulk: Bulk) -> int:
    """Say that stored values change in this transaction; returns the number of this change."""
    return bulk.take("relative", 1)


def _ranked(expression: str, values: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Who counts: for a limited segment all who have a value, else all who have ordered."""
    if expression.startswith(LIMIT):
        return values[expression].notna().to_numpy()
    ordered: npt.NDArray[np.bool_] = values["orders"].to_numpy() > 0
    return ordered


def _difference(expression: str, old: pd.DataFrame, new: pd.DataFrame) -> _Change:
    before = old.reindex(new.index).to_numpy()
    after = new.to_numpy(dtype=np.float64)
    # a stored row has a number of orders: one that is missing throughout is not stored
    same = ((before == after) | (np.isnan(before) & np.isnan(after))).all(axis=1)
    vanished = np.setdiff1d(old.index.to_numpy(), new.index.to_numpy())
    return _Change(expression, vanished, new[~same])


def _applied(values: pd.DataFrame, change: _Change) -> pd.DataFrame:
    replaced = np.union1d(change.vanished, change.changed.index.to_numpy())
    kept = values[~np.isin(values.index.to_numpy(), replaced)]
    return pd.concat([kept, change.changed]).sort_index() if len(kept) else change.changed


def _write(bulk: Bulk, change: _Change) -> None:
    bulk.execute_many(
        "DELETE FROM relative_values WHERE expression = ? AND profile_id = ?",
        [(change.expression, profile_id) for profile_id in change.vanished.tolist()],
    )
    facts = (
        [None if np.isnan(value) else float(value) for value in row]
        for row in change.changed.to_numpy(dtype=np.float64)
    )
    ids = change.changed.index.tolist()
    rows = [(change.expression, profile, *row) for profile, row in zip(ids, facts, strict=True)]
    bulk.upsert("relative_values", _COLUMNS, rows)


def _read(bulk: Bulk, expression: str, condition: str = "", *values: object) -> pd.DataFrame:
    rows = bulk.tuples(
        "SELECT profile_id, value, orders, last_order_at FROM relative_values "  # noqa: S608
        f"WHERE expression = ? {condition} ORDER BY profile_id",
        expression,
        *values,
    )
    if not rows:
        return _NOBODY
    ids, *facts = zip(*rows, strict=True)
    index = pd.Index(np.array(ids, dtype=np.int64), name="profile_id")
    columns = (np.array(column, dtype=np.float64) for column in facts)
    return pd.DataFrame(dict(zip(_FACTS, columns, strict=True)), index=index)
