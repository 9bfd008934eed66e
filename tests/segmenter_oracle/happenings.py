"""What happened to one customer, event by event, and what is added up of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from segmentd.segmenter.fields import FUNCTIONS, Kind
from segmentd.segmenter.language import Events
from segmenter_oracle.comparing import written_number
from segmenter_oracle.days import World
from segmenter_oracle.histories import Event, Line, Order, Person, Product


@dataclass
class Happening:
    """An order, a line of it, a refund or an event."""

    at: int
    order: Order | None = None
    line: Line | None = None
    refund: int | None = None
    event: Event | None = None

    @property
    def happened(self) -> Event:
        assert self.event
        return self.event

    @property
    def ordered(self) -> Order:
        assert self.order
        return self.order


def counted_orders(person: Person, world: World) -> list[Order]:
    """In the order of time."""
    found = [order for order in person.orders if order.counted and order.placed_at <= world.now]
    standing = [o for o in found if o.cancelled_at is None or o.cancelled_at > world.now]
    return sorted(standing, key=lambda order: (order.placed_at, order.id))


def refunds_of(order: Order, world: World) -> int:
    """Money given back until now."""
    return sum(amount for at, amount in order.refunds if at <= world.now)


def happenings(events: Events, person: Person, world: World) -> list[Happening]:
    """All that a function is about, whatever its parameters, in the order of time."""
    orders = counted_orders(person, world)
    match events.function:
        case "orders_placed":
            found = [Happening(o.placed_at, o) for o in orders]
        case "products_purchased":
            found = [Happening(o.placed_at, o, line) for o in orders for line in o.lines]
        case "refunds_received":
            refunds = [(o, refund) for o in orders for refund in o.refunds]
            found = [Happening(at, o, refund=n) for o, (at, n) in refunds if at <= world.now]
        case "checkouts_abandoned":
            open_ones = _named("checkout", person, world)
            found = [one for one in open_ones if _is_abandoned(one, orders, world)]
        case "events":
            found = _named(events.argument or "", person, world)
        case name:
            name = name.replace("storefront_event.", "storefront.")
            found = _named(name, person, world) if "." in name else []
    return sorted(found, key=_when)


def _named(name: str, person: Person, world: World) -> list[Happening]:
    found = [e for e in person.events if e.name == name and e.at <= world.now]
    return [Happening(event.at, event=event) for event in found]


def _is_abandoned(checkout: Happening, orders: Sequence[Order], world: World) -> bool:
    ended = checkout.happened.ended_at
    if ended is not None and ended <= world.now:
        return False
    return not any(order.placed_at > checkout.at for order in orders)


def _when(one: Happening) -> tuple[int, int, int]:
    """Lines of one order are told apart by product, unknown ones first."""
    if one.order:
        product = one.line.product.id if one.line and one.line.product else -1
        return one.at, one.order.id, product
    return one.at, one.happened.id, 0


# properties


def property_of(name: str, one: Happening, person: Person, world: World) -> Any:
    """A number, an instant, a text, a list of texts, a truth, or None where it is missing."""
    local = world.clock(one.at)
    times = {
        "date": one.at,
        "month": local.month,
        "weekday": local.isoweekday(),
        "hour": local.hour,
    }
    if name in times:
        return times[name]
    if one.line:
        return _line_property(name, one.ordered, one.line, world)
    if one.refund is not None:
        total = one.ordered.total
        full = total is not None and refunds_of(one.ordered, world) >= total
        return {"amount": one.refund, "full": full}.get(name)
    if one.event:
        key = name.removeprefix("properties.")
        return one.event.amount if name == "amount" else one.event.properties.get(key)
    return _order_property(name, one.ordered, person, world)


def _order_property(name: str, order: Order, person: Person, world: World) -> Any:
    total = order.total
    discount = None if total is None else order.discount
    known = {
        "amount": total,
        "net_amount": None if total is None else total - refunds_of(order, world),
        "discount": discount,
        "discounted": bool(order.codes) or (discount or 0) > 0,
        "items": sum(line.quantity for line in order.lines),
        "nth": places_of(order, person, world)[0],
        "gap": _gap(order, person, world),
        "channel": order.channel,
        "app_id": order.channel,
        "country": order.country,
        "discount_code": order.codes,
        "tag": order.tags,
    }
    return known.get(name)


def places_of(order: Order, person: Person, world: World) -> tuple[int, int]:
    """Which of the orders it is, from the first (1) and from the last (-1)."""
    orders = counted_orders(person, world)
    index = [each.id for each in orders].index(order.id)
    return index + 1, index - len(orders)


def _gap(order: Order, person: Person, world: World) -> int | None:
    place = places_of(order, person, world)[0]
    if place == 1:
        return None
    before = counted_orders(person, world)[place - 2]
    return days_apart(before.placed_at, order.placed_at, world)


def days_apart(first: int, second: int, world: World) -> int:
    """Whole days of the shop's calendar."""
    return (world.day(second) - world.day(first)).days


def _line_property(name: str, order: Order, line: Line, world: World) -> Any:
    product = line.product or Product(-1, "")
    known = {
        "amount": line.amount,
        "discount": line.discount,
        "discounted": (line.discount or 0) > 0,
        "unit_price": _unit_price(line),
        "launch_age": _launch_age(order, product, world),
        "id": product.remote_id or None,
        "title": product.title,
        "type": product.type,
        "vendor": product.vendor,
        "tag": product.tags,
        "category": product.categories + ([product.type] if product.type else []),
    }
    return known.get(name)


def _unit_price(line: Line) -> Fraction | None:
    if line.quantity <= 0 or line.discount is None:
        return None
    return Fraction(line.amount + line.discount, line.quantity)


def _launch_age(order: Order, product: Product, world: World) -> int | None:
    if product.published_at is None:
        return None
    age = days_apart(product.published_at, order.placed_at, world)
    return age if age >= 0 else None


# aggregates


def aggregate(
    events: Events, name: str, found: list[Happening], person: Person, world: World
) -> Any:
    """One aggregate over those that were found; None where it is missing."""
    split = FUNCTIONS[events.function].split(name)
    if split is None:
        return _total(events, name, found, person, world)
    operation, of = split
    values = [property_of(of, one, person, world) for one in found]
    if operation in {"first", "last"}:
        return _outermost(operation, found, values)
    if operation == "share":
        everything = happenings(events, person, world)
        whole = [property_of(of, one, person, world) for one in everything]
        return _part(_added(values), _added(whole))
    field = FUNCTIONS[events.function].find(of)
    assert field
    return summed_up(operation, values, field.kind)


def _outermost(operation: str, found: list[Happening], values: list[Any]) -> Any:
    """What the first or the last has; of equals, whichever row comes first, the least or the
    largest, and what is missing comes after all."""
    ordered = sorted(
        zip(found, values, strict=True),
        key=lambda pair: (*_when(pair[0]), pair[1] is None, pair[1] or 0),
    )
    return ordered[0 if operation == "first" else -1][1] if ordered else None


def summed_up(operation: str, values: list[Any], kind: Kind) -> Any:
    """One value of many."""
    if operation in {"distinct", "top_share"}:
        return _different(operation, values, kind)
    numbers = sorted(_numbers(values))
    if operation == "sum":
        return sum(numbers)
    if not numbers:
        return None
    middle = len(numbers) // 2
    return {
        "average": Fraction(sum(numbers)) / len(numbers),
        "min": numbers[0],
        "max": numbers[-1],
        "median": (Fraction(numbers[middle]) + numbers[-middle - 1]) / 2,
    }[operation]


def _numbers(values: Sequence[Any]) -> list[Any]:
    read = [written_number(value) if isinstance(value, str) else value for value in values]
    return [number for number in read if number is not None]


def _added(values: Sequence[Any]) -> Any:
    return sum(_numbers(values))


def _part(some: Any, whole: Any) -> Fraction | None:
    return Fraction(some) / Fraction(whole) if whole else None


def _different(operation: str, values: list[Any], kind: Kind) -> Any:
    """How many different values there are, or how large a share has the most frequent one."""
    times: dict[Any, int] = {}
    for value in values:
        for term in {_same(each, kind) for each in (value if isinstance(value, list) else [value])}:
            if term is not None:
                times[term] = times.get(term, 0) + 1
    if operation == "distinct":
        return len(times)
    return Fraction(max(times.values()), len(values)) if times else None


def _same(value: Any, kind: Kind) -> Any:
    if not isinstance(value, str):
        return value
    return (value.split("/")[-1] if kind is Kind.ID else value).casefold()


def _total(events: Events, name: str, found: list[Happening], person: Person, world: World) -> Any:
    latest = max((one.at for one in found), default=None)
    match name:
        case "count":
            return _count(found)
        case "quantity" | "sum_quantity":
            return _pieces(found)
        case "share" if events.function == "products_purchased":
            return _part(_pieces(found), _pieces(happenings(events, person, world)))
        case "share":
            return _part(_count(found), len(counted_orders(person, world)))
        case "days_since":
            return None if latest is None else days_apart(latest, world.now, world)
        case "days_between":
            return None if latest is None else days_apart(found[0].at, latest, world)
    raise AssertionError(name)


def _count(found: list[Happening]) -> int:
    """Different orders; of events each."""
    return len({one.order.id if one.order else -one.happened.id for one in found})


def _pieces(found: list[Happening]) -> int:
    return sum(one.line.quantity for one in found if one.line)
