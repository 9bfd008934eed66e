"""By hand with pandas and NumPy: read everything, group, decide, in one process."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.peers.reading import days_ago, hours_ago, midnights, months

Bools = Any
Frame = pd.DataFrame


def decide(tables: Mapping[str, Frame]) -> tuple[Any, Mapping[str, Bools]]:
    """The profiles, and for each segment who of them is a member."""
    people = _people(tables)
    return people.index.to_numpy(), _rules(people)


def _people(tables: Mapping[str, Frame]) -> Frame:
    profiles = tables["profiles"].set_index("profile_id")
    people = (
        profiles.join(_of_orders(tables["orders"]))
        .join(_of_refunds(tables["refunds"]))
        .join(_of_lines(tables["lines"], tables["products"]))
    )
    texts = ["tags", "email_consent", "country"]
    numbers = people.columns.difference([*texts, "first", "last"])
    people[numbers] = people[numbers].fillna(0)
    return people


def _of_orders(orders: Frame) -> Frame:
    placed = orders["placed_at"].to_numpy()
    begins, numbers = months()
    month = np.array(numbers)[np.searchsorted(begins, placed, side="right") - 1]
    total = orders["total"].to_numpy()
    in_90 = placed >= days_ago(90)
    columns = pd.DataFrame(
        {
            "profile_id": orders["profile_id"],
            "total": total,
            "coupons": orders["discount_codes"].to_numpy() != "",
            "in_720h": placed >= hours_ago(720),
            "in_90": in_90,
            "total_90": np.where(in_90, total, 0),
            "total_365": np.where(placed >= days_ago(365), total, 0),
            "winter": (month == 11) | (month == 12),
        }
    )
    grouped = columns.groupby("profile_id", sort=False)
    found = grouped.sum()
    found["orders"] = grouped.size()
    times = orders.groupby("profile_id", sort=False)["placed_at"]
    found["first"], found["last"] = times.min(), times.max()
    latest = orders.loc[times.idxmax()].set_index("profile_id")
    found["country"] = latest["country"]
    return found


def _of_refunds(refunds: Frame) -> Frame:
    grouped = refunds.groupby("profile_id", sort=False)
    return pd.DataFrame(
        {"refunded": grouped["amount"].sum(), "refunded_orders": grouped["order_id"].nunique()}
    )


def _of_lines(lines: Frame, products: Frame) -> Frame:
    profile, product = lines["profile_id"].to_numpy(), lines["product_id"].to_numpy()
    amount = lines["amount"].to_numpy()
    kinds = products.set_index("product_id")["product_type"]
    things = products.set_index("product_id")["remote_id"]
    kind = kinds.reindex(range(kinds.index.max() + 1)).to_numpy()
    is_type = {n: kind == f"Type {n}" for n in (1, 2, 3)}
    columns = pd.DataFrame(
        {
            "profile_id": profile,
            "of_lines": amount,
            "full_price": np.where(lines["discount"].to_numpy() == 0, amount, 0),
            "thing": product == things.index[things == "8000000003"][0],
            "type_1": is_type[1][product],
            "type_2": is_type[2][product],
        }
    )
    found = columns.groupby("profile_id", sort=False).sum()
    pairs = np.unique((profile << 20) | product)
    found["products"] = pd.Series(pairs >> 20).value_counts()
    of_type = lines[is_type[3][product] & (lines["placed_at"].to_numpy() >= days_ago(180))]
    found["type_3"] = of_type.groupby("profile_id", sort=False)["order_id"].nunique()
    return found


def _rules(people: Frame) -> Mapping[str, Bools]:
    p = {name: people[name].to_numpy() for name in people.columns}
    p["spent"] = p["total"] - p["refunded"]
    bought = p["orders"] > 0
    with np.errstate(invalid="ignore", divide="ignore"):
        average = p["total"] / p["orders"]
        coupons, winter = p["coupons"] / p["orders"], p["winter"] / p["orders"]
        full_price, refunds = p["full_price"] / p["of_lines"], p["refunded"] / p["total"]
    today = np.array(midnights())
    days = len(today) - np.searchsorted(today, p["last"], side="right")
    best = [_cut(people, p["spent"], bought, share, top=True) for share in (0.10, 0.20)]
    recent = _cut(people, days, bought, 0.20, top=False)
    loyal = _cut(people, p["orders"], bought, 0.20, top=True)
    tagged = {t: _has(people["tags"], t) for t in ("wholesale", "press", "blogger")}
    return {
        "big_spenders": p["spent"] >= 50_000,
        "regulars": p["orders"] >= 5,
        "single": p["orders"] == 1,
        "never": ~bought,
        "high_average": average > 12_000,
        "lapsed_90": bought & (p["last"] < days_ago(90)),
        "lapsed_365": bought & (p["last"] < days_ago(365)),
        "newcomers": p["first"] >= days_ago(30),
        "active_30": p["in_720h"] > 0,
        "frequent_90": p["in_90"] >= 2,
        "spend_90": p["total_90"] >= 25_000,
        "spend_year": p["total_365"] >= 40_000,
        "top_tenth": best[0],
        "bottom_fifth": _cut(people, p["spent"], bought, 0.20, top=False),
        "above_average": bought & (p["spent"] > p["spent"][bought].mean()),
        "recent_fifth": recent,
        "loyal_fifth": loyal,
        "champions": recent & loyal & best[1],
        "sleeping_best": _cut(people, days, bought, 0.40, top=True) & best[1],
        "coupon_lovers": (p["orders"] >= 2) & (coupons >= 0.6),
        "full_price": (p["orders"] >= 2) & (full_price >= 0.9),
        "refunders": (p["refunded_orders"] >= 1) & (refunds > 0.2),
        "bought_thing": p["thing"] > 0,
        "bought_type": p["type_3"] >= 2,
        "cross_sell": (p["type_1"] > 0) & (p["type_2"] == 0),
        "many_things": p["products"] >= 10,
        "wholesale": tagged["wholesale"],
        "reachable_west": (p["email_consent"] == "SUBSCRIBED")
        & np.isin(p["country"].astype(str), ["DE", "FR", "NL"]),
        "win_back": ((p["orders"] >= 3) | (p["spent"] >= 30_000))
        & (p["last"] < days_ago(180))
        & ~(tagged["press"] | tagged["blogger"]),
        "winter": (p["orders"] >= 2) & (winter >= 0.5),
    }


def _has(tags: Any, tag: str) -> Bools:
    """Lists are stored with line ends around each element."""
    found: Bools = tags.str.contains(f"\n{tag}\n", regex=False).to_numpy(bool)
    return found


def _cut(people: Frame, values: Any, bought: Bools, share: float, *, top: bool) -> Bools:
    """Who is among the highest (lowest) of those who ordered, as ``docs/rules.md`` has it."""
    ids = people.index.to_numpy()
    sign = 1 if top else -1
    ranked = [values * sign, people["orders"].to_numpy() * sign, people["last"].to_numpy() * sign]
    rows = np.flatnonzero(bought)
    wanted = math.ceil(round(share * len(rows), 6))
    inside = np.zeros(len(ids), bool)
    last = np.partition(ranked[0][rows], -wanted)[-wanted]
    inside[rows] = ranked[0][rows] >= last
    if inside.sum() > 1.5 * wanted:
        order = np.lexsort([-ids[rows] * sign, *(column[rows] for column in reversed(ranked))])
        inside[:] = False
        inside[rows[order[-wanted:]]] = True
    return inside
