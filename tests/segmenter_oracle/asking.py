"""Short ways to ask the segmenter about a few people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pandas as pd

from compiled_rules import compile_rules
from segmentd.segmenter.evaluate import evaluate, values
from segmentd.segmenter.frames import Frames
from segmentd.segmenter.ruleset import Ruleset, Shop
from segmentd.segmenter.thresholds import PopulationTable, threshold, value_name
from segmenter_oracle.histories import PRODUCTS, Order, Person, frames, needed

NOW = "2026-07-15T12:00:00"


def instant(local: str, zone: str = "UTC") -> int:
    """Epoch seconds of a reading of the shop's clock."""
    return int(datetime.fromisoformat(local).replace(tzinfo=ZoneInfo(zone)).timestamp())


def ask(
    rule: str,
    people: Sequence[Person],
    now: str = NOW,
    zone: str = "UTC",
    currency: str = "EUR",
    thresholds: Mapping[str, str] | None = None,
) -> tuple[list[int], pd.Series[float]]:
    """Ids of the members, and the due instants; ``now`` is a reading of the shop's clock."""
    ruleset = compile_rules({"asked": rule}, Shop(zone, currency))
    at = datetime.fromtimestamp(instant(now, zone), UTC)
    known = needed(frames(people, PRODUCTS), ruleset.needs)
    members, due, *_ = evaluate(ruleset, known, at, thresholds or {})
    return members.index[members["asked"]].to_list(), due


def holds(rule: str, person: Person, now: str = NOW, zone: str = "UTC") -> bool:
    """Whether one person belongs."""
    return bool(ask(rule, [person], now, zone)[0])


def cuts(ruleset: Ruleset, known: Frames, now: datetime) -> dict[str, str]:
    """The store-relative values of a shop that has these customers alone."""
    table = values(ruleset, needed(known, ruleset.value_needs), now)
    buyers = table[table["orders"] > 0].reset_index()
    return {
        name: threshold(name, PopulationTable(buyers.rename(columns={value_name(name): "value"})))
        for name in ruleset.expressions
    }


def ranked(rule: str, people: Sequence[Person]) -> list[int]:
    """Ids of the members of a rule that compares them with the whole store."""
    ruleset = compile_rules({"asked": rule}, Shop("UTC", "EUR"))
    at = datetime.fromtimestamp(instant(NOW), UTC)
    return ask(rule, people, thresholds=cuts(ruleset, frames(people), at))[0]


def buyer(*placed: str, zone: str = "UTC", total: int | None = 1000) -> Person:
    """Somebody with orders at readings of the shop's clock."""
    orders = [Order(n, instant(at, zone), total) for n, at in enumerate(placed, start=1)]
    return Person(1, orders=orders)
