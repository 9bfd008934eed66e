"""The rules whose members on real purchase histories were computed elsewhere, in our words."""

from __future__ import annotations

RULES = {
    "one_timer": "number_of_orders = 1",
    "repeat_3plus": "number_of_orders >= 3",
    "lapsed_90": "last_order_date < -90d",
    "active_30": "last_order_date >= -30d",
    "above_avg_spend": "amount_spent > STORE AVERAGE",
    "new_last_month": "first_order_date IN LAST MONTH",
    "seasonal_novdec": "number_of_orders >= 2"
    " AND orders_placed MATCHES (month IN (11, 12), share >= 50%)",
    "stage_active": "NOT (number_of_orders = 1 AND first_order_date >= -30d)"
    " AND last_order_date >= -60d",
    "category_2x_90d": "products_purchased MATCHES (type = 'kitchen', date >= -90d, count >= 2)",
    "country_any_of": "number_of_orders > 0"
    " AND (customer_countries CONTAINS 'DE' OR customer_countries CONTAINS 'FR')",
    "refund_prone": "refunded_orders >= 2 AND refund_rate >= 10%",
}
CDNOW_RULES = {
    **RULES,
    "aov_mid": "average_order_value >= 20 AND average_order_value < 50",
    "spend_90d": "orders_placed MATCHES (date >= -90d, sum_amount >= 100)",
}
RETAIL_RULES = {
    **RULES,
    "aov_mid": "average_order_value >= 150 AND average_order_value < 400",
    "spend_90d": "orders_placed MATCHES (date >= -90d, sum_amount >= 1000)",
}
