"""Names of the facts that rules may ask for, as a source declares which of them it fills."""

from __future__ import annotations

ORDER_FIELDS = frozenset(
    {
        "amount_spent",
        "average_days_between_orders",
        "average_order_value",
        "coupon_share",
        "days_since_last_order",
        "distinct_products",
        "first_order_date",
        "full_price_share",
        "last_order_country",
        "last_order_date",
        "number_of_orders",
        "orders_placed",
        "products_purchased",
        "refund_rate",
        "refunded_orders",
        "refunds_received",
    }
)
"""Filled by every source whose orders carry lines, refunds, discounts and discount codes."""

ADDRESS_FIELDS = frozenset(
    {
        "customer_areas",
        "customer_cities",
        "customer_climate",
        "customer_countries",
        "customer_hemisphere",
        "customer_postal_code",
        "customer_regions",
        "customer_season",
    }
)
COORDINATE_FIELDS = frozenset({"customer_within_distance"})
"""Filled by sources whose addresses have a latitude and a longitude."""
METAFIELDS = frozenset({"metafields"})
"""Stands for every ``metafields.NAMESPACE.KEY``: which ones are read is a setting."""
META_FIELDS = frozenset({"meta"})
"""Stands for every ``meta.KEY``: which ones are read is a setting."""
CONSENT_FIELDS = frozenset({"email_subscription_status", "sms_subscription_status"})
ACCOUNT_FIELDS = frozenset({"customer_added_date", "customer_email_domain", "customer_tags"})
PROFILE_FIELDS = frozenset({"customer_account_status", "customer_language"})
