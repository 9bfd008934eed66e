"""The catalogue of what rules may ask for, with Shopify's names where Shopify has one.

Shopify's own list stands in its segment query language reference. What no source fills yet is
known here all the same, so that a rule which asks for it is refused by name.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from segmentd.segmenter.language import Aggregate, Call, Events, Name, Subject


class Kind(StrEnum):
    """The type of a field; the value is the word for it in errors."""

    MONEY = "an amount of money"
    COUNT = "a number"
    PLACE = "a whole number"
    """A month, an hour, a place in a row: compared, never added up."""
    RATIO = "a share between 0 and 1"
    DATE = "a date"
    TEXT = "a text"
    CHOICE = "one of a few words"
    ID = "an id"
    LIST = "a list"
    TERMS = "a list of product words"
    TRUTH = "true or false"
    ANY = "of any type"


NUMERIC = frozenset({Kind.MONEY, Kind.COUNT, Kind.PLACE, Kind.RATIO})


@dataclass(frozen=True, slots=True)
class Field:
    """A fact of a customer, a property of single events, or an aggregate over events."""

    kind: Kind
    words: str
    """How it is called in a sentence."""
    choices: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    """Frames that it is computed from, beside the profiles, and columns of ``frames.RARE``."""
    exact: bool = False
    """Texts are compared with regard to case (Shopify does so for some)."""
    filled: bool = True
    """False: no frame carries it yet; known, so that a rule which asks for it is told so."""


@dataclass(frozen=True, slots=True)
class Function:
    """Something that happened, with the properties that narrow it down or are aggregated."""

    words: str
    properties: Mapping[str, Field]
    """Asked of every single order, line or event."""
    totals: Mapping[str, Field] = field(default_factory=dict)
    """Aggregates beside those that every property has; see ``aggregate``."""
    needs: tuple[str, ...] = ()
    argument: bool = False
    """A name stands in parentheses behind it: ``events('Viewed Product')``."""
    open: bool = False
    """Further properties are called ``properties.NAME``."""

    def find(self, name: str) -> Field | None:
        """The property of a name."""
        if self.open and name.startswith("properties.") and name.count(".") == 1:
            return Field(Kind.ANY, name.removeprefix("properties."))
        return self.properties.get(name)

    def aggregate(self, name: str) -> Field | None:
        """The aggregate of a name: one of ``totals``, or AGGREGATES joined to a property."""
        return self.totals.get(name) or self._made(name)

    @property
    def aggregates(self) -> dict[str, Field]:
        """All aggregates by name."""
        made = {
            f"{operation}_{name}": aggregate
            for name in self.properties
            for operation in AGGREGATES
            if (aggregate := self._made(f"{operation}_{name}")) is not None
        }
        return {**made, **self.totals}

    def split(self, name: str) -> tuple[str, str] | None:
        """``average_amount`` -> ``("average", "amount")``; None if it is no such aggregate."""
        for operation, kinds in AGGREGATES.items():
            prefix, _, rest = name.partition(f"{operation}_")
            found = None if prefix else self.find(rest)
            if found is not None and found.kind in kinds:
                return operation, rest
        return None

    def _made(self, name: str) -> Field | None:
        parts = self.split(name)
        if parts is None:
            return None
        operation, of = parts
        source = self.find(of)
        assert source is not None  # noqa: S101 - split has found it
        kind = _MADE.get(operation, source.kind)
        if kind is Kind.ANY and operation in _COMPUTED:
            kind = Kind.COUNT
        words = "total" if name == "sum_amount" else _WORDS[operation].format(source.words)
        return dataclasses.replace(source, kind=kind, words=words)


_NUMBERS = frozenset({Kind.MONEY, Kind.COUNT, Kind.RATIO, Kind.ANY})
_ADDED = frozenset({Kind.MONEY, Kind.COUNT})
_NAMED = frozenset({Kind.TEXT, Kind.CHOICE, Kind.ID, Kind.TERMS, Kind.PLACE})
AGGREGATES: Mapping[str, frozenset[Kind]] = {
    "sum": _NUMBERS,
    "average": _NUMBERS,
    "min": _NUMBERS,
    "max": _NUMBERS,
    "median": _NUMBERS,
    "first": _NUMBERS | _NAMED | {Kind.DATE},
    "last": _NUMBERS | _NAMED | {Kind.DATE},
    "share": _ADDED,
    "distinct": _NAMED,
    "top_share": _NAMED,
}
"""Operation -> kinds of properties that it can be taken of.

``share``: of the property's sum over all of the customer's events. ``top_share``: the share of
events that have the most frequent value of the property.
"""
_MADE = {"distinct": Kind.COUNT, "share": Kind.RATIO, "top_share": Kind.RATIO}
_COMPUTED = frozenset({"sum", "average", "min", "max", "median"})
_COUNTED = ("count", "quantity", "sum_", "distinct_")
_WORDS = {
    "sum": "sum of the {}",
    "average": "average {}",
    "min": "lowest {}",
    "max": "highest {}",
    "median": "median {}",
    "first": "first {}",
    "last": "latest {}",
    "share": "share of all in {}",
    "distinct": "number of different values of {}",
    "top_share": "share of the most frequent {}",
}

_ORDERS = ("orders",)
_REFUNDS = ("orders", "refunds")
_LINES = ("orders", "lines")
_PIECES = (*_LINES, "lines.quantity")
_HOME = ("profiles.country", "profiles.region")
_LATITUDE = (*_HOME, "profiles.latitude")
_CONSENT = ("SUBSCRIBED", "NOT_SUBSCRIBED", "PENDING", "UNSUBSCRIBED", "INVALID", "REDACTED")
_SEASONS = ("SPRING", "SUMMER", "AUTUMN", "WINTER")
_CLIMATES = ("TROPICAL", "DRY", "TEMPERATE", "CONTINENTAL", "POLAR")
"""The main groups of Koeppen and Geiger."""

FIELDS: Mapping[str, Field] = {
    "abandoned_checkout_date": Field(
        Kind.DATE, "last abandoned checkout", needs=("orders", "events")
    ),
    "amount_spent": Field(Kind.MONEY, "amount spent", needs=_REFUNDS),
    "average_days_between_orders": Field(
        Kind.COUNT, "average number of days between orders", needs=_ORDERS
    ),
    "average_order_value": Field(Kind.MONEY, "average order value", needs=_ORDERS),
    "coupon_share": Field(
        Kind.RATIO,
        "share of orders with a discount code",
        needs=(*_ORDERS, "orders.discount_codes"),
    ),
    "customer_account_status": Field(
        Kind.CHOICE,
        "account status",
        ("ENABLED", "DISABLED", "INVITED", "DECLINED"),
        needs=("profiles.account_state",),
    ),
    "customer_added_date": Field(Kind.DATE, "date added as a customer"),
    "customer_areas": Field(Kind.LIST, "part of the world", needs=_HOME),
    "customer_cities": Field(Kind.LIST, "city", needs=(*_HOME, "profiles.city")),
    "customer_climate": Field(Kind.CHOICE, "climate", _CLIMATES, needs=_HOME),
    "customer_countries": Field(Kind.LIST, "country", needs=("profiles.country",)),
    "customer_email_domain": Field(
        Kind.TEXT, "e-mail domain", exact=True, needs=("profiles.email",)
    ),
    "customer_hemisphere": Field(
        Kind.CHOICE, "hemisphere", ("NORTHERN", "SOUTHERN"), needs=_LATITUDE
    ),
    "customer_language": Field(Kind.TEXT, "language", exact=True, needs=("profiles.language",)),
    "customer_postal_code": Field(Kind.TEXT, "postal code", needs=("profiles.postcode",)),
    "customer_regions": Field(Kind.LIST, "region", needs=_HOME),
    "customer_season": Field(
        Kind.CHOICE, "season where the customer lives", _SEASONS, needs=_LATITUDE
    ),
    "customer_tags": Field(Kind.LIST, "tag list", needs=("profiles.tags",)),
    "days_since_last_order": Field(
        Kind.COUNT, "number of days since the last order", needs=_ORDERS
    ),
    "distinct_products": Field(Kind.COUNT, "number of different products", needs=_LINES),
    "email_subscription_status": Field(
        Kind.CHOICE, "e-mail subscription", _CONSENT, needs=("profiles.email_consent",)
    ),
    "first_order_date": Field(Kind.DATE, "first order", needs=_ORDERS),
    "full_price_share": Field(
        Kind.RATIO,
        "share of the money spent on lines without a discount",
        needs=(*_LINES, "lines.discount"),
    ),
    "last_order_country": Field(
        Kind.TEXT, "country of the last order", needs=(*_ORDERS, "orders.country")
    ),
    "last_order_date": Field(Kind.DATE, "last order", needs=_ORDERS),
    "number_of_orders": Field(Kind.COUNT, "number of orders", needs=_ORDERS),
    "refund_rate": Field(Kind.RATIO, "refunded share of the money", needs=_REFUNDS),
    "refunded_orders": Field(Kind.COUNT, "number of refunded orders", needs=_REFUNDS),
    "sms_subscription_status": Field(
        Kind.CHOICE, "SMS subscription", _CONSENT, needs=("profiles.sms_consent",)
    ),
    # known to Shopify, WooCommerce or e-mail platforms, filled by no source yet
    "churn_probability": Field(Kind.RATIO, "probability of no further order", filled=False),
    "companies": Field(Kind.LIST, "company list", filled=False),
    "created_by_app_id": Field(Kind.ID, "app that created the customer", filled=False),
    "customer_cluster": Field(Kind.TEXT, "cluster", filled=False),
    "customer_memberships": Field(Kind.LIST, "membership list", filled=False),
    "customer_role": Field(Kind.TEXT, "role", filled=False),
    "expected_next_order_date": Field(Kind.DATE, "expected next order", filled=False),
    "first_source": Field(Kind.TEXT, "source of the first order", filled=False),
    "last_source": Field(Kind.TEXT, "source of the last order", filled=False),
    "predicted_clv": Field(Kind.MONEY, "predicted spend of the next year", filled=False),
    "predicted_orders": Field(Kind.COUNT, "predicted orders of the next year", filled=False),
    "predicted_spend_tier": Field(
        Kind.CHOICE, "predicted spend", ("HIGH", "MEDIUM", "LOW"), filled=False
    ),
    "total_clv": Field(Kind.MONEY, "spend until now and predicted", filled=False),
    "product_subscription_status": Field(
        Kind.CHOICE,
        "product subscription",
        ("ACTIVE", "CANCELLED", "EXPIRED", "FAILED", "NEVER_SUBSCRIBED", "PAUSED"),
        filled=False,
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
        filled=False,
    ),
}

_TIME = {
    "date": Field(Kind.DATE, "date"),
    "month": Field(Kind.PLACE, "calendar month"),
    "weekday": Field(Kind.PLACE, "weekday (1 is Monday)"),
    "hour": Field(Kind.PLACE, "hour of the day"),
}
_SPAN = {
    "days_since": Field(Kind.COUNT, "number of days since the latest"),
    "days_between": Field(Kind.COUNT, "number of days between the first and the latest"),
}
"""In whole days of the shop."""
_CHANNEL = Field(Kind.ID, "channel", needs=("orders.channel",))
_QUANTITY = Field(Kind.COUNT, "quantity", needs=("lines.quantity",))
_EVENT = {**_TIME, "amount": Field(Kind.MONEY, "amount")}
_UNPAID = {**_TIME, "amount": Field(Kind.MONEY, "order total")}
_TIMES = {"count": Field(Kind.COUNT, "number of times"), **_SPAN}


def _mailed(event: str) -> Function:
    named = {"activity_id": Field(Kind.ID, "activity"), **_TIME}
    return Function(f"e-mails {event.replace('_', ' ')}", named, _TIMES, ("events",))


def _visited(event: str) -> Function:
    named = {"id": Field(Kind.ID, "id"), **_TIME}
    words = event.removesuffix("ed").replace("_", " ") + "s"
    return Function(words, named, _TIMES, ("events",))


FUNCTIONS: Mapping[str, Function] = {
    "orders_placed": Function(
        "orders",
        {
            **_TIME,
            "amount": Field(Kind.MONEY, "order total"),
            "net_amount": Field(Kind.MONEY, "order total after refunds", needs=_REFUNDS),
            "discount": Field(Kind.MONEY, "discount", needs=("orders.discount",)),
            "discounted": Field(
                Kind.TRUTH, "discount given", needs=("orders.discount", "orders.discount_codes")
            ),
            "items": Field(Kind.COUNT, "number of pieces", needs=_PIECES),
            "nth": Field(Kind.PLACE, "place among all orders"),
            "gap": Field(Kind.COUNT, "number of days since the order before"),
            "app_id": _CHANNEL,
            "channel": _CHANNEL,
            "country": Field(Kind.TEXT, "country of the order", needs=("orders.country",)),
            "discount_code": Field(Kind.TERMS, "discount code", needs=("orders.discount_codes",)),
            "tag": Field(Kind.TERMS, "order tag", needs=("orders.tags",)),
            "location_id": Field(Kind.ID, "location", filled=False),
            "payment_method": Field(Kind.TEXT, "payment method", filled=False),
            "shipping_method": Field(Kind.TEXT, "shipping method", filled=False),
            "staff_id": Field(Kind.ID, "member of staff", filled=False),
            "utm_source": Field(Kind.TEXT, "UTM source", filled=False),
            "utm_medium": Field(Kind.TEXT, "UTM medium", filled=False),
            "utm_campaign": Field(Kind.TEXT, "UTM campaign", filled=False),
        },
        {
            "count": Field(Kind.COUNT, "number of orders"),
            "share": Field(Kind.RATIO, "share of all orders"),
            **_SPAN,
        },
        _ORDERS,
    ),
    "products_purchased": Function(
        "products",
        {
            **_TIME,
            "id": Field(Kind.ID, "product id"),
            "title": Field(Kind.TEXT, "title"),
            "type": Field(Kind.TEXT, "product type"),
            "vendor": Field(Kind.TEXT, "vendor"),
            "tag": Field(Kind.TERMS, "product tag"),
            "category": Field(Kind.TERMS, "category"),
            "amount": Field(Kind.MONEY, "money for the line"),
            "discount": Field(Kind.MONEY, "discount", needs=("lines.discount",)),
            "discounted": Field(Kind.TRUTH, "discount given", needs=("lines.discount",)),
            "unit_price": Field(
                Kind.MONEY,
                "price of one piece before discounts",
                needs=("lines.discount", "lines.quantity"),
            ),
            "launch_age": Field(Kind.COUNT, "number of days that the product had been on sale"),
            "variant_id": Field(Kind.ID, "variant", filled=False),
            "sku": Field(Kind.TEXT, "SKU", filled=False),
            "collection": Field(Kind.TERMS, "collection", filled=False),
            "attribute": Field(Kind.TERMS, "attribute", filled=False),
        },
        {
            "count": Field(Kind.COUNT, "number of orders"),
            "quantity": _QUANTITY,
            "sum_quantity": _QUANTITY,
            "share": Field(Kind.RATIO, "share of all pieces", needs=("lines.quantity",)),
            **_SPAN,
        },
        _LINES,
    ),
    "refunds_received": Function(
        "refunds",
        {**_TIME, "amount": Field(Kind.MONEY, "refund"), "full": Field(Kind.TRUTH, "full refund")},
        {
            "count": Field(Kind.COUNT, "number of refunded orders"),
            "share": Field(Kind.RATIO, "share of all orders"),
            **_SPAN,
        },
        _REFUNDS,
    ),
    "checkouts_abandoned": Function(
        "checkouts left open", {**_EVENT}, _TIMES, ("orders", "events"), open=True
    ),
    "events": Function("events", _EVENT, _TIMES, ("events",), argument=True, open=True),
    "customer_within_distance": Function(
        "place",
        {
            "coordinates": Field(Kind.TEXT, "coordinates"),
            "distance_km": Field(Kind.COUNT, "distance in km"),
            "distance_mi": Field(Kind.COUNT, "distance in miles"),
        },
        needs=("profiles.latitude", "profiles.longitude"),
    ),
    "store_credit_accounts": Function(
        "store credit",
        {
            "balance": Field(Kind.MONEY, "balance", filled=False),
            "currency": Field(Kind.TEXT, "currency", filled=False),
            "next_expiry_date": Field(Kind.DATE, "next expiry", filled=False),
            "last_credit_date": Field(Kind.DATE, "last credit", filled=False),
        },
        {"count": Field(Kind.COUNT, "number of accounts")},
    ),
    "orders_unpaid": Function("unpaid orders", _UNPAID, _TIMES),
    "draft_orders": Function("draft orders", _UNPAID, _TIMES),
    "product_reviews": Function(
        "reviews",
        {**_TIME, "rating": Field(Kind.COUNT, "rating", filled=False)},
        _TIMES,
    ),
    **{
        f"shopify_email.{event}": _mailed(event)
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
        f"{prefix}.{event}": _visited(event)
        for prefix in ("storefront", "storefront_event")
        for event in ("product_viewed", "collection_viewed")
    },
}

FITTED: Mapping[str, str] = {
    "at_risk_days": "80 % of repeat orders come within so many days",
    "dormant_days": "90 % of repeat orders come within so many days",
    "lost_days": "twice the days within which 90 % of repeat orders come",
    "large_order": "95 % of orders are smaller, in major units of the currency",
    "high_price": "90 % of products cost less, in major units of the currency",
    "low_price": "10 % of products cost less, in major units of the currency",
}
"""Variables that are fitted to the store, unless the configuration sets them."""

_OPEN = {
    "metafields.": Field(Kind.ANY, "metafield", needs=("traits",)),
    "meta.": Field(Kind.ANY, "customer meta", needs=("traits",)),
    "traits.": Field(Kind.ANY, "trait", needs=("traits",)),
}
"""Fields known by how their names begin."""


def is_zero_of_nothing(aggregate: str) -> bool:
    """Whether the aggregate of that name is 0 over no event; all others are missing then."""
    return aggregate.startswith(_COUNTED)


def find_field(name: str) -> Field | None:
    """The field of a name; metafields, meta and traits are known by their form."""
    for prefix, found in _OPEN.items():
        if name.startswith(prefix):
            whole = name.count(".") == (2 if prefix == "metafields." else 1)
            return found if whole else None
    return FIELDS.get(name)


def subject_field(subject: Subject, function: Function | None = None) -> Field | None:
    """The field that a condition is about; None for a name that nobody knows.

    ``function``: the condition stands inside of its parentheses, where names are its properties and
    its aggregates.
    """
    match subject:
        case Name(value):
            if function is None:
                return find_field(value)
            return function.find(value) or function.aggregate(value)
        case Call(name):
            return _CALLS.get(name)
        case Aggregate(name, of):
            return _aggregate(name, of)


def _aggregate(name: str, of: Name | Events) -> Field | None:
    if isinstance(of, Name):
        found = find_field(of.value)
        return _LENGTH if name == "count" and found and found.kind is Kind.LIST else None
    function = FUNCTIONS.get(of.function)
    return function.aggregate(name) if function else None


_CALLS = {
    "anniversary": Field(Kind.DATE, "anniversary"),
    "ENTERED": Field(Kind.DATE, "entered"),
    "LEFT": Field(Kind.DATE, "left"),
}
_LENGTH = Field(Kind.COUNT, "number of entries")
