"""With Polars over Arrow: lazy frames, grouped by customer and joined."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from benchmarks.peers.reading import days_ago, hours_ago, midnights, months

_WEST = ["DE", "FR", "NL"]


def decide(tables: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """The profiles, and for each segment who of them is a member."""
    people = _people({name: pl.from_arrow(table).lazy() for name, table in tables.items()})
    found = people.select("profile_id", **_rules(people))
    members = {name: found[name].fill_null(value=False).to_numpy() for name in found.columns[1:]}
    return found["profile_id"].to_numpy(), members


def _people(tables: Mapping[str, Any]) -> Any:
    profiles = tables["profiles"].sort("profile_id")
    for known in (
        _of_orders(tables["orders"]),
        _of_refunds(tables["refunds"]),
        _of_lines(tables["lines"], tables["products"]),
    ):
        profiles = profiles.join(known, on="profile_id", how="left")
    kept = ("profile_id", "tags", "email_consent", "country", "first", "last")
    today = pl.LazyFrame({"last": midnights()}).with_row_index("day")
    return (
        profiles.with_columns(
            pl.exclude(*kept).fill_null(0),
            spent=pl.col("total").fill_null(0) - pl.col("refunded").fill_null(0),
        )
        .sort("last")
        .join_asof(today.with_columns(-pl.col("day").cast(pl.Int64)), on="last")
        .collect()
    )


def _of_orders(orders: Any) -> Any:
    begins, numbers = months()
    calendar = pl.LazyFrame({"placed_at": begins, "month": numbers})
    placed, total = pl.col("placed_at"), pl.col("total")
    in_90 = placed >= days_ago(90)
    return (
        orders.sort("placed_at")
        .join_asof(calendar, on="placed_at")
        .group_by("profile_id")
        .agg(
            orders=pl.len(),
            total=total.sum(),
            first=placed.min(),
            last=placed.max(),
            country=pl.col("country").last(),
            coupons=(pl.col("discount_codes") != "").sum(),
            in_720h=(placed >= hours_ago(720)).sum(),
            in_90=in_90.sum(),
            total_90=total.filter(in_90).sum(),
            total_365=total.filter(placed >= days_ago(365)).sum(),
            winter=pl.col("month").is_in([11, 12]).sum(),
        )
    )


def _of_refunds(refunds: Any) -> Any:
    return refunds.group_by("profile_id").agg(
        refunded=pl.col("amount").sum(), refunded_orders=pl.col("order_id").n_unique()
    )


def _of_lines(lines: Any, products: Any) -> Any:
    kind, amount = pl.col("product_type"), pl.col("amount")
    recent = (kind == "Type 3") & (pl.col("placed_at") >= days_ago(180))
    return (
        lines.join(products, on="product_id")
        .group_by("profile_id")
        .agg(
            of_lines=amount.sum(),
            full_price=amount.filter(pl.col("discount") == 0).sum(),
            thing=(pl.col("remote_id") == "8000000003").sum(),
            type_1=(kind == "Type 1").sum(),
            type_2=(kind == "Type 2").sum(),
            type_3=pl.col("order_id").filter(recent).n_unique(),
            products=pl.col("product_id").n_unique(),
        )
    )


def _rules(people: Any) -> Mapping[str, Any]:
    spent, orders, last = pl.col("spent"), pl.col("orders"), pl.col("last")
    average = people.filter(orders > 0)["spent"].mean()
    top_fifth = _cut(people, "spent", 0.20, top=True)
    recent = _cut(people, "day", 0.20, top=False)
    loyal = _cut(people, "orders", 0.20, top=True)
    tags = {t: _has(t) for t in ("wholesale", "press", "blogger")}
    return {
        "big_spenders": spent >= 50_000,
        "regulars": orders >= 5,
        "single": orders == 1,
        "never": orders == 0,
        "high_average": (orders > 0) & (pl.col("total") / orders > 12_000),
        "lapsed_90": last < days_ago(90),
        "lapsed_365": last < days_ago(365),
        "newcomers": pl.col("first") >= days_ago(30),
        "active_30": pl.col("in_720h") > 0,
        "frequent_90": pl.col("in_90") >= 2,
        "spend_90": pl.col("total_90") >= 25_000,
        "spend_year": pl.col("total_365") >= 40_000,
        "top_tenth": _cut(people, "spent", 0.10, top=True),
        "bottom_fifth": _cut(people, "spent", 0.20, top=False),
        "above_average": (orders > 0) & (spent > average),
        "recent_fifth": recent,
        "loyal_fifth": loyal,
        "champions": recent & loyal & top_fifth,
        "sleeping_best": _cut(people, "day", 0.40, top=True) & top_fifth,
        "coupon_lovers": (orders >= 2) & (pl.col("coupons") / orders >= 0.6),
        "full_price": (orders >= 2) & (pl.col("full_price") / pl.col("of_lines") >= 0.9),
        "refunders": (pl.col("refunded_orders") >= 1)
        & (pl.col("refunded") / pl.col("total") > 0.2),
        "bought_thing": pl.col("thing") > 0,
        "bought_type": pl.col("type_3") >= 2,
        "cross_sell": (pl.col("type_1") > 0) & (pl.col("type_2") == 0),
        "many_things": pl.col("products") >= 10,
        "wholesale": tags["wholesale"],
        "reachable_west": (pl.col("email_consent") == "SUBSCRIBED")
        & pl.col("country").is_in(_WEST),
        "win_back": ((orders >= 3) | (spent >= 30_000))
        & (last < days_ago(180))
        & ~(tags["press"] | tags["blogger"]),
        "winter": (orders >= 2) & (pl.col("winter") / orders >= 0.5),
    }


def _has(tag: str) -> Any:
    return pl.col("tags").str.contains(f"\n{tag}\n", literal=True)


def _cut(people: Any, name: str, share: float, *, top: bool) -> Any:
    """The condition of being among the highest or lowest of those who ordered."""
    columns = [pl.col(name), pl.col("orders"), pl.col("last"), -pl.col("profile_id")]
    bought = pl.col("orders") > 0
    ranked = people.filter(bought).select(
        column.alias(str(number)) for number, column in enumerate(columns)
    )
    wanted = math.ceil(round(share * len(ranked), 6))
    at = ranked.sort(ranked.columns, descending=top).row(wanted - 1)
    sign = 1 if top else -1
    if len(ranked.filter(sign * pl.col("0") >= sign * at[0])) <= 1.5 * wanted:
        return bought & (sign * pl.col(name) >= sign * at[0])
    inside = pl.lit(value=True)
    for column, bound in reversed(list(zip(columns, at, strict=True))):
        inside = (sign * column > sign * bound) | ((column == bound) & inside)
    return bought & inside
