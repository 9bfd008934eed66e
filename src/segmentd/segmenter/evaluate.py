"""Decide who belongs where: frames in, frames out; no clock, no store."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import reduce
from typing import NamedTuple

import numpy as np
import pandas as pd

from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import And, Expression, Not, Or, Variable
from segmentd.segmenter.predicates import Bools
from segmentd.segmenter.ruleset import Ruleset


class Decision(NamedTuple):
    """Who belongs where; all three have the index ``profile_id``."""

    members: pd.DataFrame
    """One boolean column per segment key."""
    due: pd.Series[float]
    """The earliest instant after ``now`` (epoch seconds, NaN for never) at which time alone may
    change a membership."""
    lapsing: pd.DataFrame
    """For each segment with grace the instant (epoch seconds) since which a member fulfils its
    rule no longer; NaN for everybody else."""


def values(ruleset: Ruleset, frames: Frames, now: datetime) -> pd.DataFrame:
    """What store-relative thresholds are computed from.

    Index ``profile_id``; one float64 column per expression of the ruleset, named by it (NaN where
    missing), plus ``orders`` and ``last_order_at`` (epoch seconds, NaN without an order).
    """
    facts = Facts(frames, Clock(ruleset.shop.time_zone, now))
    conditions = Conditions(facts, ruleset.shop, {})
    columns = {name: conditions.ranked(subject) for name, subject in ruleset.relatives.items()}
    columns["orders"] = facts.numbers("number_of_orders")
    columns["last_order_at"] = facts.numbers("last_order_date")
    return pd.DataFrame(columns, index=facts.index)


def evaluate(
    ruleset: Ruleset, frames: Frames, now: datetime, thresholds: Mapping[str, str]
) -> Decision:
    """Decide for every profile of the frames.

    ``now`` counts in whole seconds. A condition whose threshold is absent or ``insufficient`` is
    false. An account created after ``now`` that has not ordered before belongs nowhere.
    """
    facts = Facts(frames, Clock(ruleset.shop.time_zone, now))
    conditions = Conditions(facts, ruleset.shop, thresholds)
    members = {key: facts.exists & holds(rule, conditions) for key, rule in ruleset.rules.items()}
    due = facts.next_event
    for leaf in ruleset.leaves:
        leaf_due = conditions.due(leaf)
        due = due if leaf_due is None else np.fmin(due, leaf_due)
    frame = pd.DataFrame(members, index=facts.index, columns=list(ruleset.keys), dtype=bool)
    return Decision(frame, pd.Series(due, index=facts.index, name="due"), frame.iloc[:, :0])


def holds(expression: Expression, conditions: Conditions) -> Bools:
    """For whom a rule or a part of it holds."""
    match expression:
        case Not(part):
            return ~holds(part, conditions)
        case And(parts):
            return reduce(np.logical_and, [holds(part, conditions) for part in parts])
        case Or(parts):
            return reduce(np.logical_or, [holds(part, conditions) for part in parts])
        case Variable(name):
            raise AssertionError(f"${name} was not bound")
        case _:
            return conditions.truth(expression)
