"""The catalogue of what rules may ask for, with Shopify's names where Shopify has one.

Shopify's own list stands in its segment query language reference. What no source fills yet is
known here all the same, so that a rule which asks for it is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """The type of a field; the value is the word for it in errors."""

    MONEY = "an amount of money"
    COUNT = "a number"
    RATIO = "a share between 0 and 1"
    DATE = "a date"
    TEXT = "a text"
    CHOICE = "one of a few words"
    ID = "an id"
    LIST = "a list"
    TERMS = "a list of product words"
    TRUTH = "true or false"
    ANY = "of any type"


NUMERIC = frozenset({Kind.MONEY, Kind.COUNT, Kind.RATIO})


@dataclass(frozen=True, slots=True)
class Field:
    """A fact of a customer, or a parameter of a function."""

    kind: Kind
    words: str
    """How it is called in a sentence."""
    choices: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Frames that it is computed from, beside the profiles."""
    exact: bool = False
    """Texts are compared with regard to case (Shopify does so for some)."""


@dataclass(frozen=True, slots=True)
class Function:
    """Something that happened, with the parameters that narrow it down or add it up."""

    words: str
    filters: Mapping[str, Field]
    """Asked of every single order or line."""
    aggregates: Mapping[str, Field] = field(default_factory=dict)
    """Asked of all that are left together."""
    needs: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, Field]:
        """All of them by name."""
        return {**self.filters, **self.aggregates}


_ORDERS = ("orders",)
_REFUNDS = ("orders", "refunds")
_CONSENT = ("SUBSCRIBED", "NOT_SUBSCRIBED", "PENDING", "UNSUBSCRIBED", "INVALID", "REDACTED")

FIELDS: Mapping[str, Field] = {
    "amount_spent": Field(Kind.MONEY, "amount spent", needs=_REFUNDS),
    "average_order_value": Field(Kind.MONEY, "average order value", needs=_ORDERS),
    "coupon_share": Field(Kind.RATIO, "share of orders with a discount code", needs=_ORDERS),
    "customer_account_status": Field(
        Kind.CHOICE, "account status", ("ENABLED", "DISABLED", "INVITED", "DECLINED")
    ),
    "customer_added_date": Field(Kind.DATE, "date added as a customer"),
    "customer_cities": Field(Kind.LIST, "city"),
    "customer_countries": Field(Kind.LIST, "country"),
    "customer_email_domain": Field(Kind.TEXT, "e-mail domain", exact=True),
    "customer_language": Field(Kind.TEXT, "language", exact=True),
    "customer_regions": Field(Kind.LIST, "region"),
    "customer_tags": Field(Kind.LIST, "tag list"),
    "email_subscription_status": Field(Kind.CHOICE, "e-mail subscription", _CONSENT),
    "first_order_date": Field(Kind.DATE, "first order", needs=_ORDERS),
    "last_order_country": Field(Kind.TEXT, "country of the last order", needs=_ORDERS),
    "last_order_date": Field(Kind.DATE, "last order", needs=_ORDERS),
    "number_of_orders": Field(Kind.COUNT, "number of orders", needs=_ORDERS),
    "refund_rate": Field(Kind.RATIO, "refunded share of the money", needs=_REFUNDS),
    "refunded_orders": Field(Kind.COUNT, "number of refunded orders", needs=_REFUNDS),
    "sms_subscription_status": Field(Kind.CHOICE, "SMS subscription", _CONSENT),
    # known to Shopify, filled by no source yet
    "abandoned_checkout_date": Field(Kind.DATE, "last abandoned checkout"),
    "companies": Field(Kind.LIST, "company list"),
    "created_by_app_id": Field(Kind.ID, "app that created the customer"),
    "predicted_spend_tier": Field(Kind.CHOICE, "predicted spend", ("HIGH", "MEDIUM", "LOW")),
    "product_subscription_status": Field(
        Kind.CHOICE,
        "product subscription",
        ("ACTIVE", "CANCELLED", "EXPIRED", "FAILED", "NEVER_SUBSCRIBED", "PAUSED"),
    ),
    "rfm_group": Field(
        Kind.CHOICE,
        "RFM group",
        (
            "CHAMPIONS",
            "LOYAL",
            "ACTIVE",
            "NEW",
            "PROMISING",
            "NEEDS_ATTENTION",
            "AT_RISK",
            "PREVIOUSLY_LOYAL",
            "ALMOST_LOST",
            "DORMANT",
            "PROSPECTS",
        ),
    ),
}

_DATE = Field(Kind.DATE, "date")
_COUNT = Field(Kind.COUNT, "number of orders")
_MONTH = Field(Kind.COUNT, "calendar month")
_SUM = Field(Kind.MONEY, "total")
_SHARE = Field(Kind.RATIO, "share of all orders")
_CHANNEL = Field(Kind.ID, "channel")
_QUANTITY = Field(Kind.COUNT, "quantity")
_EVENT = {"date": _DATE, "activity_id": Field(Kind.ID, "activity"), "id": Field(Kind.ID, "id")}
_TIMES = {"count": Field(Kind.COUNT, "times")}

FUNCTIONS: Mapping[str, Function] = {
    "orders_placed": Function(
        "orders",
        {
            "date": _DATE,
            "month": _MONTH,
            "amount": Field(Kind.MONEY, "order total"),
            "app_id": _CHANNEL,
            "channel": _CHANNEL,
            "country": Field(Kind.TEXT, "country of the order"),
            "discount_code": Field(Kind.TERMS, "discount code"),
            "location_id": Field(Kind.ID, "location"),
        },
        {"count": _COUNT, "sum_amount": _SUM, "share": _SHARE},
        _ORDERS,
    ),
    "products_purchased": Function(
        "products",
        {
            "date": _DATE,
            "month": _MONTH,
            "id": Field(Kind.ID, "product id"),
            "title": Field(Kind.TEXT, "title"),
            "type": Field(Kind.TEXT, "product type"),
            "vendor": Field(Kind.TEXT, "vendor"),
            "tag": Field(Kind.TERMS, "product tag"),
            "category": Field(Kind.TERMS, "category"),
        },
        {"count": _COUNT, "quantity": _QUANTITY, "sum_quantity": _QUANTITY, "sum_amount": _SUM},
        ("orders", "lines"),
    ),
    # known to Shopify, filled by no source yet
    "store_credit_accounts": Function(
        "store credit",
        {
            "balance": Field(Kind.MONEY, "balance"),
            "currency": Field(Kind.TEXT, "currency"),
            "next_expiry_date": _DATE,
            "last_credit_date": _DATE,
        },
    ),
    "customer_within_distance": Function(
        "place",
        {
            "coordinates": Field(Kind.TEXT, "coordinates"),
            "distance_km": Field(Kind.COUNT, "distance in km"),
            "distance_mi": Field(Kind.COUNT, "distance in miles"),
        },
    ),
    **{
        f"shopify_email.{event}": Function(f"e-mails {event.replace('_', ' ')}", _EVENT, _TIMES)
        for event in (
            "opened",
            "clicked",
            "bounced",
            "delivered",
            "marked_as_spam",
            "unsubscribed",
        )
    },
    **{
        f"{prefix}.{event}": Function(event.replace("_", " ") + "s", _EVENT, _TIMES)
        for prefix in ("storefront", "storefront_event")
        for event in ("product_viewed", "collection_viewed")
    },
}

UNFILLED_PARAMETERS = frozenset({("orders_placed", "location_id")})
"""Parameters that no frame carries."""

_METAFIELD = Field(Kind.ANY, "metafield")
_ANNIVERSARY = Field(Kind.DATE, "anniversary")


def find_field(name: str) -> Field | None:
    """The field of a name; metafields and anniversaries are known by their form."""
    if name.startswith("metafields.") and name.count(".") == 2:
        return _METAFIELD
    if name.startswith("anniversary('"):
        return _ANNIVERSARY
    return FIELDS.get(name)
