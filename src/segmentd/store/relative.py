"""Store-relative values: what percentile cuts, means and medians are computed from."""

from __future__ import annotations

import numpy as np
import pandas as pd

from segmentd.store.bulk import Bulk

_COLUMNS = ("expression", "profile_id", "value", "orders", "last_order_at")
_FACTS = ["value", "orders", "last_order_at"]


def save_values(bulk: Bulk, values: pd.DataFrame) -> None:
    """Write what differs; who has no counted order is not in the population."""
    if values.empty:
        return
    profiles = values.index.tolist()
    buyers = values[values["orders"].to_numpy() > 0]
    for expression in values.columns.difference(["orders", "last_order_at"]):
        new = buyers[[expression, "orders", "last_order_at"]].set_axis(_FACTS, axis=1)
        old = _read(bulk, str(expression), "AND profile_id IN (?*)", profiles)
        _write(bulk, str(expression), old, new)


def stored_values(bulk: Bulk, expression: str) -> pd.DataFrame:
    """``profile_id, value, orders, last_order_at`` of everybody."""
    return _read(bulk, expression).reset_index()


def _read(bulk: Bulk, expression: str, condition: str = "", *values: object) -> pd.DataFrame:
    rows = bulk.tuples(
        "SELECT profile_id, value, orders, last_order_at FROM relative_values "  # noqa: S608
        f"WHERE expression = ? {condition} ORDER BY profile_id",
        expression,
        *values,
    )
    ids, *facts = zip(*rows, strict=True) if rows else ((), (), (), ())
    index = pd.Index(np.array(ids, dtype=np.int64), name="profile_id")
    columns = {
        name: np.array(column, dtype=np.float64) for name, column in zip(_FACTS, facts, strict=True)
    }
    return pd.DataFrame(columns, index=index)


def _write(bulk: Bulk, expression: str, old: pd.DataFrame, new: pd.DataFrame) -> None:
    vanished = old.index.difference(new.index)
    bulk.execute_many(
        "DELETE FROM relative_values WHERE expression = ? AND profile_id = ?",
        [(expression, int(profile_id)) for profile_id in vanished],
    )
    before = old.reindex(new.index).to_numpy()
    after = new.to_numpy(dtype=np.float64)
    same = ((before == after) | (np.isnan(before) & np.isnan(after))).all(axis=1)
    # a row that is stored has orders: one that is all missing is not stored yet
    changed = new[~same]
    ids = [int(profile_id) for profile_id in changed.index]
    facts = (
        [None if np.isnan(value) else float(value) for value in row]
        for row in changed.to_numpy(dtype=np.float64)
    )
    bulk.upsert(
        "relative_values",
        _COLUMNS,
        [(expression, profile_id, *row) for profile_id, row in zip(ids, facts, strict=True)],
    )
