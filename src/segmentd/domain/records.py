"""What a source yields: the shop's customers, orders and products in our words.

Instants are aware UTC datetimes of whole seconds. Money is an integer in minor units (cents)
of ``currency``, never a float. Ids are the platform's own, as text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(slots=True)
class Customer:
    """A customer account of the shop."""

    id: str
    updated_at: datetime | None = None
    """When the platform last changed it; None where the platform does not say."""
    created_at: datetime | None = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    country: str | None = None
    """ISO 3166-1 alpha-2 of the default (else billing) address."""
    region: str | None = None
    """The platform's province code without the country, e.g. ``CA``."""
    city: str | None = None
    postcode: str | None = None
    latitude: float | None = None
    """Degrees, north positive, where the platform tells; ``longitude`` east positive."""
    longitude: float | None = None
    language: str | None = None
    account_state: str | None = None
    """ENABLED, DISABLED, INVITED or DECLINED."""
    email_consent: str | None = None
    """SUBSCRIBED, NOT_SUBSCRIBED, PENDING, UNSUBSCRIBED or INVALID."""
    sms_consent: str | None = None
    tags: list[str] = field(default_factory=list)
    """As the platform spells them; for WooCommerce the tags that we keep in customer meta."""
    traits: dict[str, str] = field(default_factory=dict)
    """What else the platform keeps of a customer, by the name that rules use:
    ``metafields.NAMESPACE.KEY`` (Shopify), ``meta.KEY`` (WooCommerce)."""


@dataclass(slots=True)
class OrderLine:
    """One line of an order; ``amount`` is what was charged for it after discounts."""

    id: str
    product_id: str | None
    quantity: int
    amount: int
    discount: int = 0
    """What discounts took off: the price before them is ``amount + discount``."""
    title: str | None = None
    """With ``vendor`` all that is known of a product that the shop has deleted."""
    vendor: str | None = None


@dataclass(slots=True)
class Refund:
    """Money given back; ``amount`` is positive."""

    id: str
    created_at: datetime
    amount: int


@dataclass(slots=True)
class Order:
    """An order with everything that belongs to it."""

    id: str
    placed_at: datetime
    """Business time: Shopify ``processedAt``; WooCommerce ``date_paid_gmt``, else created."""
    updated_at: datetime
    currency: str
    total: int
    """Gross: taxes and shipping in, discounts off, refunds not subtracted."""
    paid: bool
    """Money was received at some time, in part or in full, refunded since or not."""
    customer_id: str | None = None
    email: str | None = None
    """Of the order; the only link to a person for a guest."""
    cancelled_at: datetime | None = None
    test: bool = False
    status: str | None = None
    """The platform's own payment status, lower case."""
    channel: str | None = None
    discount: int = 0
    discount_codes: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    country: str | None = None
    region: str | None = None
    city: str | None = None
    lines: list[OrderLine] = field(default_factory=list)
    refunds: list[Refund] = field(default_factory=list)


@dataclass(slots=True)
class Product:
    """A product as the shop describes it now."""

    id: str
    title: str | None = None
    product_type: str | None = None
    vendor: str | None = None
    tags: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    updated_at: datetime | None = None
    published_at: datetime | None = None
    """When the shop began to sell it."""
    price: int | None = None
    """Regular price of its cheapest variant, in minor units of the store's currency."""


@dataclass(slots=True)
class Gone:
    """The platform says that this record exists no longer (deleted, trashed, merged away)."""

    stream: str
    id: str


Record = Customer | Order | Product | Gone
