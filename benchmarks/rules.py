"""Thirty segments: nested logic, windows, products bought, cuts, RFM fifths, tags.

    python -m benchmarks.rules sqlite:////tmp/shop.db > bench.toml

They are what ``peers`` decides again in other ways, so each stands here in words as well.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.fill import CONNECTOR, CURRENCY, SOURCE, TIME_ZONE

RULES: Mapping[str, str] = {
    "big_spenders": "amount_spent >= 500",
    "regulars": "number_of_orders >= 5",
    "single": "number_of_orders = 1",
    "never": "number_of_orders = 0",
    "high_average": "average_order_value > 120",
    "lapsed_90": "number_of_orders >= 1 AND last_order_date < -90d",
    "lapsed_365": "number_of_orders >= 1 AND last_order_date < -365d",
    "newcomers": "first_order_date >= -30d",
    "active_30": "orders_placed MATCHES (date >= -720h)",
    "frequent_90": "orders_placed MATCHES (date >= -90d, count >= 2)",
    "spend_90": "orders_placed MATCHES (date >= -90d, sum_amount >= 250)",
    "spend_year": "sum_amount OF orders_placed (date >= -365d) >= 400",
    "top_tenth": "amount_spent IN TOP 10%",
    "bottom_fifth": "amount_spent IN BOTTOM 20%",
    "above_average": "amount_spent > STORE AVERAGE",
    "recent_fifth": "days_since_last_order IN BOTTOM 20%",
    "loyal_fifth": "number_of_orders IN TOP 20%",
    "champions": "days_since_last_order IN BOTTOM 20% AND number_of_orders IN TOP 20% "
    "AND amount_spent IN TOP 20%",
    "sleeping_best": "days_since_last_order IN TOP 40% AND amount_spent IN TOP 20%",
    "coupon_lovers": "number_of_orders >= 2 AND coupon_share >= 60%",
    "full_price": "number_of_orders >= 2 AND full_price_share >= 90%",
    "refunders": "refunded_orders >= 1 AND refund_rate > 20%",
    "bought_thing": "products_purchased MATCHES (id = 8000000003)",
    "bought_type": "products_purchased MATCHES (type = 'Type 3', date >= -180d, count >= 2)",
    "cross_sell": "products_purchased MATCHES (type = 'Type 1') "
    "AND products_purchased NOT MATCHES (type = 'Type 2')",
    "many_things": "distinct_products >= 10",
    "wholesale": "customer_tags CONTAINS 'wholesale'",
    "reachable_west": "email_subscription_status = 'SUBSCRIBED' "
    "AND last_order_country IN ('DE', 'FR', 'NL')",
    "win_back": "(number_of_orders >= 3 OR amount_spent >= 300) AND last_order_date < -180d "
    "AND NOT (customer_tags CONTAINS ANY ('press', 'blogger'))",
    "winter": "orders_placed MATCHES (month IN (11, 12), share >= 50%) AND number_of_orders >= 2",
}
"""Segment → rule."""


def config(url: str, rules: Mapping[str, str] = RULES) -> str:
    """A configuration for a filled store."""
    tables = [
        f'[store]\nurl = "{url}"\n',
        f'[shop]\ntime_zone = "{TIME_ZONE}"\ncurrency = "{CURRENCY}"\n',
        f'[sources.{SOURCE}]\nconnector = "{CONNECTOR}"\nshop = "bench.myshopify.com"\n'
        'token_env = "BENCH_TOKEN"\n',
        *(f'[segments.{key}]\nwhere = """{rule}"""\npush = []\n' for key, rule in rules.items()),
    ]
    return "\n".join(tables)


def write_config(folder: Path, url: str, rules: Mapping[str, str] = RULES) -> Path:
    """As ``config``, in a file."""
    path = folder / "segmentd.toml"
    path.write_text(config(url, rules))
    return path


if __name__ == "__main__":
    print(config(sys.argv[1]))
