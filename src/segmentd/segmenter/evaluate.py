"""Decide who belongs where: frames in, frames out; no clock, no store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import reduce

import numpy as np
import pandas as pd

from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import And, Condition, Expression, Matches, Not, Or, field_of
from segmentd.segmenter.predicates import Bools
from segmentd.segmenter.ruleset import Ruleset


def values(ruleset: Ruleset, frames: Frames, now: datetime) -> pd.DataFrame:
    """What store-relative thresholds are computed from.

    Index ``profile_id``; one float64 column per expression of the ruleset, named by it (NaN where
    missing), plus ``orders`` and ``last_order_at`` (epoch seconds, NaN without an order).
    """
    facts = Facts(frames, Clock(ruleset.shop.time_zone, now))
    columns = {name: facts.numbers(field_of(name)) for name in ruleset.expressions}
    columns["orders"] = facts.numbers("number_of_orders")
    columns["last_order_at"] = facts.numbers("last_order_date")
    return pd.DataFrame(columns, index=facts.index)


def evaluate(
    ruleset: Ruleset, frames: Frames, now: datetime, thresholds: Mapping[str, str]
) -> tuple[pd.DataFrame, pd.Series[float]]:
    """``(members, due)`` for every profile of the frames; index ``profile_id``.

    ``members``: one boolean column per segment key. ``due``: the earliest instant after ``now``
    (epoch seconds, NaN for never) at which time alone may change a membership. ``now`` counts in
    whole seconds. A condition whose threshold is absent or ``insufficient`` is false. An account
    created after ``now`` that has not ordered before belongs nowhere.
    """
    facts = Facts(frames, Clock(ruleset.shop.time_zone, now))
    conditions = Conditions(facts, ruleset.shop.currency, thresholds)
    members = {key: facts.exists & holds(rule, conditions) for key, rule in ruleset.rules.items()}
    due = facts.next_event
    for leaf in ruleset.leaves:
        leaf_due = conditions.due(leaf)
        due = due if leaf_due is None else np.fmin(due, leaf_due)
    frame = pd.DataFrame(members, index=facts.index, columns=list(ruleset.keys), dtype=bool)
    return frame, pd.Series(due, index=facts.index, name="due")


def holds(expression: Expression, conditions: Conditions) -> Bools:
    """For whom a rule or a part of it holds."""
    match expression:
        case Condition() | Matches():
            return conditions.truth(expression)
        case Not(part):
            return ~holds(part, conditions)
        case And(parts):
            return reduce(np.logical_and, [holds(part, conditions) for part in parts])
        case Or(parts):
            return reduce(np.logical_or, [holds(part, conditions) for part in parts])
