"""The meaning of rules, written down as slowly and plainly as possible: one customer at a time.

It shares the syntax tree with the segmenter and nothing of its evaluation.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from operator import eq, ge, gt, le, lt
from typing import Any
from zoneinfo import ZoneInfo

from segmentd.segmenter.language import (
    And,
    Condition,
    Day,
    Expression,
    Matches,
    Moment,
    Name,
    Not,
    Number,
    Offset,
    Or,
    Period,
    Share,
    Statistic,
    Text,
)
from segmenter_oracle.histories import Line, Order, Person, Product


@dataclass
class World:
    """When and where a rule is asked."""

    now: int
    zone: ZoneInfo
    thresholds: Mapping[str, str]
    cents: int = 100


def member(rule: Expression, person: Person, world: World) -> bool:
    """Whether the person belongs to the segment."""
    created = person.created_at
    ordered = any(order.placed_at <= world.now for order in person.orders)
    if created is not None and created > world.now and not ordered:
        return False
    return truth(rule, person, world)


def truth(rule: Expression, person: Person, world: World) -> bool:
    match rule:
        case And(parts):
            return all(truth(part, person, world) for part in parts)
        case Or(parts):
            return any(truth(part, person, world) for part in parts)
        case Not(part):
            return not truth(part, person, world)
        case Matches():
            return _matches(rule, person, world) != rule.negated
        case Condition():
            return _condition(rule, person, world) != rule.negated


# what is known


def orders_of(person: Person, world: World) -> list[Order]:
    return [
        o for o in person.orders if o.counted and o.placed_at <= world.now and not _off(o, world)
    ]


def _off(order: Order, world: World) -> bool:
    return order.cancelled_at is not None and order.cancelled_at <= world.now


def _refunds(person: Person, world: World) -> list[tuple[Order, int]]:
    orders = orders_of(person, world)
    return [(o, amount) for o in orders for at, amount in o.refunds if at <= world.now]


def field_value(name: str, person: Person, world: World) -> Any:
    """A number, an instant, a text, a list of texts, or None."""
    orders = orders_of(person, world)
    gross = sum(order.total or 0 for order in orders)
    priced = [order for order in orders if order.total is not None]
    refunds = _refunds(person, world)
    refunded = sum(amount for _, amount in refunds)
    last = max(orders, key=lambda order: (order.placed_at, order.id), default=None)
    place = [person.country, person.region, person.city]
    values = {
        "number_of_orders": len(orders),
        "amount_spent": gross - refunded,
        "average_order_value": Fraction(gross, len(priced)) if priced else None,
        "refunded_orders": len({order.id for order, _ in refunds}),
        "refund_rate": Fraction(refunded, gross) if gross else None,
        "coupon_share": Fraction(sum(bool(o.codes) for o in orders), len(orders))
        if orders
        else None,
        "first_order_date": min((o.placed_at for o in orders), default=None),
        "last_order_date": last.placed_at if last else None,
        "last_order_country": last.country if last else None,
        "customer_added_date": person.created_at,
        "customer_tags": person.tags,
        "customer_countries": _codes(place[:1]),
        "customer_regions": _codes(place[:2]),
        "customer_cities": _codes(place),
        "customer_email_domain": person.email.split("@")[1].lower() if person.email else None,
        "customer_language": person.language,
        "customer_account_status": person.account_state,
        "email_subscription_status": person.email_consent,
        "sms_subscription_status": person.sms_consent,
    }
    return values.get(name)


def _codes(parts: Sequence[str | None]) -> list[str]:
    return ["-".join(part.replace(" ", "") for part in parts if part)] if parts[-1] else []


MONEY = {"amount_spent", "average_order_value", "amount", "sum_amount"}
DATES = {
    "first_order_date",
    "last_order_date",
    "customer_added_date",
    "date",
    "abandoned_checkout_date",
}
LISTS = {"customer_tags", "customer_countries", "customer_regions", "customer_cities"}
CASED = {"customer_email_domain", "customer_language"}


# conditions


def _condition(c: Condition, person: Person, world: World) -> bool:
    value = field_value(c.field, person, world)
    first = c.operands[0] if c.operands else None
    if isinstance(first, Statistic | Share):
        return _relative(c, first, value, person, world)
    if isinstance(first, Name):
        other = field_value(first.value, person, world)
        if c.field in DATES:
            value, other = _local_day(value, world), _local_day(other, world)
        return _ordered(c.operator, value, other)
    return holds(c, value, world)


def _relative(c: Condition, first: Any, value: Any, person: Person, world: World) -> bool:
    if isinstance(first, Statistic):
        cut = world.thresholds.get(f"{first.kind} {c.field}", "insufficient")
    else:
        percent = format(first.percent.normalize(), "f")
        cut = world.thresholds.get(f"{first.side} {percent}% {c.field}", "insufficient")
    orders = orders_of(person, world)
    if cut == "insufficient" or value is None or not orders:
        return False
    if isinstance(first, Statistic):
        return _ordered(c.operator, float(value), float(cut))
    last = max(order.placed_at for order in orders)
    rank = [float(value), float(len(orders)), float(last), -float(person.id)]
    bound = [float(part) for part in cut.split()]
    rank = rank[: len(bound)]
    return rank >= bound if first.side == "TOP" else rank <= bound


def _ordered(operator: str, left: Any, right: Any) -> bool:
    if left is None or right is None:
        return False
    compared = {"=": eq, ">": gt, ">=": ge, "<": lt, "<=": le}[operator]
    return bool(compared(left, right))


def holds(c: Condition, value: Any, world: World) -> bool:
    """One comparison with literals."""
    if c.operator == "IS NULL":
        return value is None or value == []
    if value is None:
        return False
    if c.field in DATES:
        return _date_holds(c, value, world)
    if isinstance(value, int | Fraction):
        scale = world.cents if c.field in MONEY else 1
        bounds = [Fraction(o.value) * scale for o in c.operands if isinstance(o, Number)]
        if c.operator == "IN":
            return value in bounds
        if c.operator == "BETWEEN":
            return bounds[0] <= value <= bounds[1]
        return _ordered(c.operator, value, bounds[0])
    return _text_holds(c, value if isinstance(value, list) else [value])


def _text_holds(c: Condition, values: list[str]) -> bool:
    wanted = [o.value if isinstance(o, Text) else str(getattr(o, "value", "")) for o in c.operands]
    if c.field not in CASED:
        values, wanted = [v.casefold() for v in values], [w.casefold() for w in wanted]
    if c.field == "id":
        values = [value.split("/")[-1] for value in values]
    is_list = c.field in LISTS | {"tag", "category", "discount_code"}
    for value in values:
        match c.operator:
            case "=" | "IN":
                found = value in wanted
            case "CONTAINS":
                found = value == wanted[0] if is_list else wanted[0] in value
            case "STARTS WITH":
                found = value.startswith(wanted[0])
            case "ENDS WITH":
                found = value.endswith(wanted[0])
            case _:
                pattern = "".join({"%": ".*", "_": "."}.get(x, re.escape(x)) for x in wanted[0])
                found = re.fullmatch(pattern, value, re.DOTALL) is not None
        if found:
            return True
    return False


# dates


def _local_day(instant: int | None, world: World) -> date | None:
    return None if instant is None else datetime.fromtimestamp(instant, world.zone).date()


def _date_holds(c: Condition, instant: int, world: World) -> bool:
    o = c.operands
    match c.operator:
        case "IN" if isinstance(o[0], Period):
            first, after = _period(o[0], world)
            return first <= _day(instant, world) < after
        case "IN":
            return any(_against(instant, operand, world) == 0 for operand in o)
        case "BETWEEN":
            return _against(instant, o[0], world) >= 0 and _against(instant, o[1], world) <= 0
    return _ordered(c.operator, _against(instant, o[0], world), 0)


def _day(instant: int, world: World) -> date:
    return datetime.fromtimestamp(instant, world.zone).date()


def _against(instant: int, reference: Any, world: World) -> int:
    """Below, on or above what the reference names: -1, 0, 1."""
    match reference:
        case Moment(value):
            left, right = instant, int(value.replace(tzinfo=world.zone).timestamp())
        case Offset(amount, unit) if unit in {"h", "min"}:
            left, right = instant, world.now + amount * (3600 if unit == "h" else 60)
        case _:
            left = _day(instant, world).toordinal()
            right = _reference_day(reference, world).toordinal()
    return (left > right) - (left < right)


def _reference_day(reference: Any, world: World) -> date:
    today = _day(world.now, world)
    match reference:
        case Day(value):
            return value
        case Offset(amount, "d"):
            return today + timedelta(days=amount)
        case Offset(amount, "w"):
            return today + timedelta(weeks=amount)
        case Offset(amount, "m"):
            return _months_later(today, amount)
        case Offset(amount, _):
            return _months_later(today, 12 * amount)
    raise AssertionError(reference)


def _months_later(day: date, months: int) -> date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _period(period: Period, world: World) -> tuple[date, date]:
    today = _day(world.now, world)
    shift = {"LAST": -1, "THIS": 0, "NEXT": 1}[period.which]
    if period.unit in {"DAY", "WEEK"}:
        length = 1 if period.unit == "DAY" else 7
        start = today if length == 1 else today - timedelta(today.weekday())
        start += timedelta(length * shift)
        return start, start + timedelta(length)
    length = {"MONTH": 1, "QUARTER": 3, "YEAR": 12}[period.unit]
    first = date(today.year, today.month - (today.month - 1) % length, 1)
    return _months_later(first, length * shift), _months_later(first, length * (shift + 1))


# functions


def _matches(m: Matches, person: Person, world: World) -> bool:
    orders = orders_of(person, world)
    lines: list[tuple[Order, Line | None]] = [(order, None) for order in orders]
    if m.function == "products_purchased":
        lines = [(order, line) for order in orders for line in order.lines]
    elif m.function != "orders_placed":
        lines = []
    asked = [
        p
        for p in m.parameters
        if p.field in {"count", "quantity", "sum_quantity", "sum_amount", "share"}
    ]
    filters = [p for p in m.parameters if p not in asked]
    found = [
        (order, line)
        for order, line in lines
        if all(
            holds(p, _property(p.field, order, line, world), world) != p.negated for p in filters
        )
    ]
    if not asked:
        return bool(found)
    return all(holds(p, _total(p.field, found, len(orders)), world) != p.negated for p in asked)


def _total(name: str, found: list[tuple[Order, Line | None]], orders: int) -> Any:
    count = len({order.id for order, _ in found})
    match name:
        case "count":
            return count
        case "share":
            return Fraction(count, orders) if orders else None
        case "sum_amount":
            return sum((line.amount if line else order.total) or 0 for order, line in found)
    return sum(line.quantity for _, line in found if line)


def _property(name: str, order: Order, line: Line | None, world: World) -> Any:
    match name:
        case "date":
            return order.placed_at
        case "month":
            return _day(order.placed_at, world).month
    if line is None:
        known = {
            "amount": order.total,
            "channel": order.channel,
            "app_id": order.channel,
            "country": order.country,
            "discount_code": order.codes,
        }
        return known.get(name)
    return _product_property(name, line.product or Product(-1, ""))


def _product_property(name: str, product: Product) -> Any:
    return {
        "id": product.remote_id or None,
        "title": product.title,
        "type": product.type,
        "vendor": product.vendor,
        "tag": product.tags,
        "category": product.categories + ([product.type] if product.type else []),
    }[name]
