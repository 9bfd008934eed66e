"""With DuckDB over Arrow: one statement of columns for each customer, one of rules."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa

from benchmarks.peers.reading import days_ago, hours_ago, midnights, months

_COLUMNS = """
CREATE TEMP TABLE people AS
WITH o AS (
  SELECT profile_id, count(*) AS orders, sum(total)::BIGINT AS total,
    min(placed_at) AS first, max(placed_at) AS last, arg_max(country, placed_at) AS country,
    count(*) FILTER (discount_codes <> '') AS coupons,
    count(*) FILTER (placed_at >= {in_720h}) AS in_720h,
    count(*) FILTER (placed_at >= {in_90}) AS in_90,
    coalesce(sum(total) FILTER (placed_at >= {in_90}), 0)::BIGINT AS total_90,
    coalesce(sum(total) FILTER (placed_at >= {in_365}), 0)::BIGINT AS total_365,
    count(*) FILTER (b.month IN (11, 12)) AS winter
  FROM orders ASOF JOIN months b ON orders.placed_at >= b.begin GROUP BY profile_id
), r AS (
  SELECT profile_id, sum(amount)::BIGINT AS refunded, count(DISTINCT order_id) AS refunded_orders
  FROM refunds GROUP BY profile_id
), l AS (
  SELECT profile_id, sum(amount)::BIGINT AS of_lines,
    coalesce(sum(amount) FILTER (discount = 0), 0)::BIGINT AS full_price,
    count(*) FILTER (remote_id = '8000000003') AS thing,
    count(*) FILTER (product_type = 'Type 1') AS type_1,
    count(*) FILTER (product_type = 'Type 2') AS type_2,
    count(DISTINCT order_id) FILTER (product_type = 'Type 3' AND placed_at >= {in_180}) AS type_3,
    count(DISTINCT product_id) AS products
  FROM lines JOIN products USING (product_id) GROUP BY profile_id
)
SELECT p.profile_id, p.email_consent, p.tags, first, last, country,
  coalesce(orders, 0) AS orders, coalesce(total, 0) AS total,
  coalesce(total, 0) - coalesce(refunded, 0) AS spent, coalesce(coupons, 0) AS coupons,
  coalesce(in_720h, 0) AS in_720h, coalesce(in_90, 0) AS in_90,
  coalesce(total_90, 0) AS total_90, coalesce(total_365, 0) AS total_365,
  coalesce(winter, 0) AS winter, coalesce(refunded, 0) AS refunded,
  coalesce(refunded_orders, 0) AS refunded_orders, coalesce(of_lines, 0) AS of_lines,
  coalesce(full_price, 0) AS full_price, coalesce(thing, 0) AS thing,
  coalesce(type_1, 0) AS type_1, coalesce(type_2, 0) AS type_2, coalesce(type_3, 0) AS type_3,
  coalesce(products, 0) AS products, d.day AS day
FROM profiles p LEFT JOIN o USING (profile_id) LEFT JOIN r USING (profile_id)
LEFT JOIN l USING (profile_id) ASOF LEFT JOIN days d ON o.last >= d.begin
"""

RULES = {
    "big_spenders": "spent >= 50000",
    "regulars": "orders >= 5",
    "single": "orders = 1",
    "never": "orders = 0",
    "high_average": "orders > 0 AND total / orders > 12000",
    "lapsed_90": "last < {in_90}",
    "lapsed_365": "last < {in_365}",
    "newcomers": "first >= {in_30}",
    "active_30": "in_720h > 0",
    "frequent_90": "in_90 >= 2",
    "spend_90": "total_90 >= 25000",
    "spend_year": "total_365 >= 40000",
    "top_tenth": "{top_tenth}",
    "bottom_fifth": "{bottom_fifth}",
    "above_average": "orders > 0 AND spent > {average}",
    "recent_fifth": "{recent_fifth}",
    "loyal_fifth": "{loyal_fifth}",
    "champions": "{recent_fifth} AND {loyal_fifth} AND {top_fifth}",
    "sleeping_best": "{old} AND {top_fifth}",
    "coupon_lovers": "orders >= 2 AND coupons / orders >= 0.6",
    "full_price": "orders >= 2 AND full_price / of_lines >= 0.9",
    "refunders": "refunded_orders >= 1 AND refunded / total > 0.2",
    "bought_thing": "thing > 0",
    "bought_type": "type_3 >= 2",
    "cross_sell": "type_1 > 0 AND type_2 = 0",
    "many_things": "products >= 10",
    "wholesale": "contains(tags, chr(10) || 'wholesale' || chr(10))",
    "reachable_west": "email_consent = 'SUBSCRIBED' AND country IN ('DE', 'FR', 'NL')",
    "win_back": "(orders >= 3 OR spent >= 30000) AND last < {in_180} AND NOT ("
    "contains(tags, chr(10) || 'press' || chr(10)) "
    "OR contains(tags, chr(10) || 'blogger' || chr(10)))",
    "winter": "orders >= 2 AND winter / orders >= 0.5",
}
"""Segment → rule, over the columns and the cuts."""

_WINDOWS = {f"in_{days}": days_ago(days) for days in (30, 90, 180, 365)}
# more is nearer to being in; where the values are equal, what breaks the tie goes the same way
_CUTS = {
    "top_tenth": ("spent", 0.10, True),
    "top_fifth": ("spent", 0.20, True),
    "bottom_fifth": ("spent", 0.20, False),
    "recent_fifth": ("day", 0.20, False),
    "old": ("day", 0.40, True),
    "loyal_fifth": ("orders", 0.20, True),
}


def decide(tables: Mapping[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    """The profiles, and for each segment who of them is a member."""
    connection = duckdb.connect()
    # as segmentd has two processes
    connection.execute("SET threads = 2")
    for name, table in tables.items():
        connection.register(name, table)
    _calendars(connection)
    connection.execute(_COLUMNS.format(in_720h=hours_ago(720), **_WINDOWS))
    given = {**_WINDOWS, **{name: _cut(connection, *cut) for name, cut in _CUTS.items()}}
    given["average"] = _one(connection, "SELECT avg(spent) FROM people WHERE orders > 0")
    rules = ", ".join(f"coalesce({r.format(**given)}, false) AS {n}" for n, r in RULES.items())
    found = connection.execute(f"SELECT profile_id, {rules} FROM people").fetchnumpy()
    connection.close()
    return found.pop("profile_id"), found


def _calendars(connection: Any) -> None:
    begins, numbers = months()
    today = midnights()
    days = range(len(today) - 1, -1, -1)
    connection.register("months", pa.table({"begin": begins, "month": numbers}))
    connection.register("days", pa.table({"begin": today, "day": list(days)}))


def _cut(connection: Any, column: str, share: float, top: bool) -> str:
    """The condition of being among the highest or lowest of those who ordered."""
    count = _one(connection, "SELECT count(*) FROM people WHERE orders > 0")
    wanted = math.ceil(round(share * count, 6))
    way, beyond = ("DESC", ">=") if top else ("ASC", "<=")
    place = f"({column}, orders, last, -profile_id)"
    at = connection.execute(
        f"SELECT {column}, orders, last, -profile_id FROM people WHERE orders > 0 "
        f"ORDER BY {column} {way}, orders {way}, last {way}, profile_id {'ASC' if top else 'DESC'} "
        f"LIMIT 1 OFFSET {wanted - 1}"
    ).fetchone()
    reached = f"SELECT count(*) FROM people WHERE orders > 0 AND {column} {beyond} {at[0]}"
    if _one(connection, reached) <= 1.5 * wanted:
        return f"(orders > 0 AND {column} {beyond} {at[0]})"
    return f"(orders > 0 AND {place} {beyond} {tuple(at)})"


def _one(connection: Any, statement: str) -> Any:
    return connection.execute(statement).fetchone()[0]
