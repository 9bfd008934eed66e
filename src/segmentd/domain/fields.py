"""Names of the facts that rules may ask for, as a source declares which of them it fills."""

from __future__ import annotations

ORDER_FIELDS = frozenset(
    {
        "amount_spent",
        "average_order_value",
        "coupon_share",
        "first_order_date",
        "last_order_country",
        "last_order_date",
        "number_of_orders",
        "orders_placed",
        "products_purchased",
        "refund_rate",
        "refunded_orders",
    }
)
"""Filled by every source whose orders carry lines, refunds and discount codes."""

ADDRESS_FIELDS = frozenset({"customer_cities", "customer_countries", "customer_regions"})
CONSENT_FIELDS = frozenset({"email_subscription_status", "sms_subscription_status"})
ACCOUNT_FIELDS = frozenset({"customer_added_date", "customer_email_domain", "customer_tags"})
PROFILE_FIELDS = frozenset({"customer_account_status", "customer_language"})
