"""The fields of one customer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from segmentd.segmenter.language import Events
from segmenter_oracle import places
from segmenter_oracle.days import World
from segmenter_oracle.happenings import counted_orders, days_apart, happenings, refunds_of
from segmenter_oracle.histories import Person


def is_known(person: Person, world: World) -> bool:
    """Somebody whose account is opened later is known by an order before."""
    if person.created_at is None or person.created_at <= world.now:
        return True
    return any(order.placed_at <= world.now for order in person.orders)


def fact(name: str, person: Person, world: World) -> Any:
    """A number, an instant, a text, a list of texts, or None where it is missing."""
    if name.startswith(("metafields.", "meta.", "traits.")):
        return person.traits.get(name)
    if name == "customer_season":
        return places.season(person, world)
    known = {**_described(person), **_ordered(person, world), **_bought(person, world)}
    return known.get(name)


def _described(person: Person) -> dict[str, Any]:
    place = [person.country, person.region, person.city]
    return {
        "customer_added_date": person.created_at,
        "customer_tags": person.tags,
        "customer_countries": _codes(place[:1]),
        "customer_regions": _codes(place[:2]),
        "customer_cities": _codes(place),
        "customer_postal_code": person.postcode,
        "customer_email_domain": person.email.split("@")[1].lower() if person.email else None,
        "customer_language": person.language,
        "customer_account_status": person.account_state,
        "email_subscription_status": person.email_consent,
        "sms_subscription_status": person.sms_consent,
        "customer_areas": places.areas(person),
        "customer_climate": places.climate(person),
        "customer_hemisphere": places.hemisphere(person),
        "companies": [],
    }


def _codes(parts: Sequence[str | None]) -> list[str]:
    return ["-".join(part.replace(" ", "") for part in parts if part)] if parts[-1] else []


def _ordered(person: Person, world: World) -> dict[str, Any]:
    orders = counted_orders(person, world)
    times = [order.placed_at for order in orders]
    totals = [order.total for order in orders if order.total is not None]
    refunded = sum(refunds_of(order, world) for order in orders)
    returned = [o for o in orders if any(at <= world.now for at, _ in o.refunds)]
    gaps = [days_apart(a, b, world) for a, b in pairwise(times)]
    coupons = sum(bool(order.codes) for order in orders)
    checkouts = happenings(Events("checkouts_abandoned"), person, world)
    return {
        "number_of_orders": len(orders),
        "amount_spent": sum(totals) - refunded,
        "average_order_value": _mean(sum(totals), len(totals)),
        "refunded_orders": len(returned),
        "refund_rate": _mean(refunded, sum(totals)),
        "coupon_share": _mean(coupons, len(orders)),
        "first_order_date": times[0] if times else None,
        "last_order_date": times[-1] if times else None,
        "last_order_country": orders[-1].country if orders else None,
        "days_since_last_order": days_apart(times[-1], world.now, world) if times else None,
        "average_days_between_orders": _mean(sum(gaps), len(gaps)),
        "abandoned_checkout_date": checkouts[-1].at if checkouts else None,
    }


def _bought(person: Person, world: World) -> dict[str, Any]:
    lines = [line for order in counted_orders(person, world) for line in order.lines]
    full_price = sum(line.amount for line in lines if not line.discount)
    return {
        "distinct_products": len({line.product.id for line in lines if line.product}),
        "full_price_share": _mean(full_price, sum(line.amount for line in lines)),
    }


def _mean(whole: int, parts: int) -> Fraction | None:
    return Fraction(whole, parts) if parts else None


def drawn(person: Person, salt: str) -> Fraction:
    """Where a person stands in a sample, from 0 to 100."""
    identity = f"{salt}\0{person.source}:{person.customer_id}"
    digest = hashlib.blake2b(identity.encode(), digest_size=8).digest()
    return Fraction(int.from_bytes(digest, "big"), 2**64) * 100
