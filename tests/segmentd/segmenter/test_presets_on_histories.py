"""Presets that belong together, on real purchase histories: what they share out and leave out.

The second history may not be copied: with ``SEGMENTD_DATA`` set to the folder that holds it, its
tests exist; without, they do not.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from compiled_rules import compile_rules
from segmentd.segmenter.evaluate import evaluate, values
from segmentd.segmenter.presets import PRESETS
from segmentd.segmenter.ruleset import Shop
from segmenter_oracle.asking import cuts
from segmenter_oracle.purchases import Purchases

CDNOW = Path(str(resources.files("segmentd.demo").joinpath("cdnow")))
MOMENTS = [(CDNOW, "1997-04-01"), (CDNOW, "1997-10-01"), (CDNOW, "1998-07-01")]
if "SEGMENTD_DATA" in os.environ:
    RETAIL = Path(os.environ["SEGMENTD_DATA"]) / "online_retail_a"
    MOMENTS += [(RETAIL, "2011-03-01"), (RETAIL, "2011-09-01"), (RETAIL, "2011-12-10")]
REFERENCE = {
    "cdnow-1997-10-01": {"one_timers": 1398, "three_plus": 520, "lapsed": 1948, "above": 611},
    "cdnow-1998-07-01": {"one_timers": 1205, "three_plus": 746, "lapsed": 2058, "above": 593},
    "online_retail_a-2011-09-01": {
        "one_timers": 676, "three_plus": 661, "lapsed": 693, "above": 370,
    },
    "online_retail_a-2011-12-10": {
        "one_timers": 756, "three_plus": 1028, "lapsed": 727, "above": 473,
    },
}  # fmt: skip
"""Numbers of members, computed elsewhere (DuckDB and Polars agreed)."""
LIMITS = {"at_risk_days": 90, "dormant_days": 180, "lost_days": 365, "low_price": 1}
SHOP = Shop("UTC", "USD")

Members = dict[str, set[int]]


@cache
def purchases(history: Path) -> Purchases:
    return Purchases(history)


def select(moment: tuple[Path, str], rules: dict[str, str], **limits: int) -> Members:
    """Profiles by rule."""
    history, date = moment
    known, now = purchases(history).frames, datetime.fromisoformat(date).replace(tzinfo=UTC)
    ruleset = compile_rules(rules, SHOP, variables={**LIMITS, **limits})
    found = evaluate(ruleset, known, now, cuts(ruleset, known, now)).members
    return {key: set(found.index[found[key]]) for key in rules}


def presets(moment: tuple[Path, str], *keys: str, **limits: int) -> Members:
    return select(moment, {key: PRESETS[key].where({}) for key in keys}, **limits)


def those(moment: tuple[Path, str], rule: str) -> set[int]:
    return select(moment, {"asked": rule})["asked"]


def shares_out(parts: Members, whole: set[int]) -> bool:
    """Everybody of the whole is in exactly one part, and nobody else in any."""
    counts = Counter(profile for part in parts.values() for profile in part)
    return counts == Counter(whole)


def named(moment: tuple[Path, str]) -> str:
    return f"{moment[0].name}-{moment[1]}"


each_moment = pytest.mark.parametrize("moment", MOMENTS, ids=named)


@each_moment
@pytest.mark.parametrize("days", [1, 30, 90])
def test_first_time_buyers_and_one_timers(moment: tuple[Path, str], days: int) -> None:
    given = {"days": days}
    keys = ("first_time_buyers", "one_timers")
    parts = select(moment, {key: PRESETS[key].where(given) for key in keys})
    once = those(moment, "number_of_orders = 1")
    assert shares_out(parts, once)
    assert those(moment, PRESETS["one_timers"].where({"days": 0})) == once


@each_moment
def test_thirds_of_order_values(moment: tuple[Path, str]) -> None:
    parts = presets(moment, "aov_high", "aov_mid", "aov_low")
    buyers = those(moment, "number_of_orders > 0")
    assert shares_out(parts, buyers)
    assert all(0.3 < len(part) / len(buyers) < 0.37 for part in parts.values())


@each_moment
def test_frequent_and_occasional_buyers(moment: tuple[Path, str]) -> None:
    parts = presets(moment, "frequent_buyers", "occasional_buyers")
    assert shares_out(parts, those(moment, "orders_placed MATCHES (date >= -365d)"))
    assert min(len(part) for part in parts.values()) > 0


@each_moment
@pytest.mark.parametrize("at_risk_days", [20, 90])
def test_lifecycle(moment: tuple[Path, str], at_risk_days: int) -> None:
    keys = [key for key, preset in PRESETS.items() if preset.set == "lifecycle"]
    parts = presets(moment, *keys, at_risk_days=at_risk_days)
    assert shares_out(parts, those(moment, "number_of_orders >= 0"))


@each_moment
def test_recency(moment: tuple[Path, str]) -> None:
    rules = {key: PRESETS[key].where({}) for key in ("active", "dormant", "lost")}
    rules["at_risk"] = PRESETS["at_risk"].where({"orders": 1})
    assert shares_out(select(moment, rules), those(moment, "number_of_orders > 0"))


@each_moment
def test_tiers(moment: tuple[Path, str]) -> None:
    keys = [key for key, preset in PRESETS.items() if preset.set == "spend_tier"]
    whole = those(moment, "number_of_orders > 0 AND amount_spent >= 0")
    assert shares_out(presets(moment, *keys), whole)


@each_moment
def test_full_price_and_promotions(moment: tuple[Path, str]) -> None:
    parts = presets(moment, "full_price", "promo_buyers")
    assert not parts["full_price"] & parts["promo_buyers"]


@each_moment
def test_best_customers(moment: tuple[Path, str]) -> None:
    found = presets(moment, "vip", "high_value", "high_spenders")
    vip = PRESETS["vip"]
    staying = those(moment, vip.stays({}))
    buyers = those(moment, "number_of_orders > 0")
    assert found["vip"] < staying
    assert found["vip"] | found["high_spenders"] == found["high_value"]
    # 10 % and 12 %, and as many as spent the same as the last of them
    assert 0 <= len(found["vip"]) - len(buyers) * 0.10 < 4
    assert 0 <= len(staying) - len(buyers) * 0.12 < 4


@pytest.mark.parametrize("moment", [m for m in MOMENTS if named(m) in REFERENCE], ids=named)
def test_reference(moment: tuple[Path, str]) -> None:
    found = presets(moment, "three_plus", "lapsed")
    assert {
        "one_timers": len(those(moment, PRESETS["one_timers"].where({"days": 0}))),
        "three_plus": len(found["three_plus"]),
        "lapsed": len(found["lapsed"]),
        "above": len(those(moment, PRESETS["high_spenders"].where({}))),
    } == REFERENCE[named(moment)]


NAMES = """
new           potential_loyalist potential_loyalist champion champion
promising     potential_loyalist potential_loyalist loyal    loyal
about_to_sleep about_to_sleep    needs_attention    loyal    loyal
hibernating   hibernating        at_risk            at_risk  at_risk
lost          lost               at_risk            at_risk  cant_lose
"""
"""RFM groups by recency (the latest fifth above) and by frequency and money together."""


def rfm(table: pd.DataFrame) -> list[str]:
    """The group of every buyer, by scores made the usual way."""
    lines = [line.split() for line in NAMES.split("\n") if line]

    def fifth(column: str) -> list[int]:
        found = table[column].to_numpy()
        return [int((value > np.percentile(found, (20, 40, 60, 80))).sum()) for value in found]

    groups = []
    for recency, orders, money in zip(fifth("days"), table["orders"], fifth("spent"), strict=True):
        frequency = sum(orders >= least for least in (1, 2, 3, 4, 7))
        both = (frequency + money + 1 + 1) // 2
        groups.append(f"rfm_{lines[recency][both - 1]}")
    return groups


@each_moment
def test_rfm(moment: tuple[Path, str]) -> None:
    keys = [key for key, preset in PRESETS.items() if preset.set == "rfm"]
    parts = presets(moment, *keys)
    history, date = moment
    now = datetime.fromisoformat(date).replace(tzinfo=UTC)
    asked = "days_since_last_order > STORE MEDIAN OR amount_spent > STORE MEDIAN"
    table = values(compile_rules({"asked": asked}, SHOP), purchases(history).frames, now)
    table = table[table["orders"] > 0].rename(
        columns={"days_since_last_order": "days", "amount_spent": "spent"}
    )
    groups = pd.Series(rfm(table), index=table.index)
    assert shares_out(parts, set(table.index))
    assert {key: set(groups.index[groups == key]) for key in keys} == parts
