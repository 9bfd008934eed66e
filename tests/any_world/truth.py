"""What must be true of a store at rest, found without any code of what wrote it."""

from __future__ import annotations

import dataclasses
import math
import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from any_world.pool import Rules
from any_world.shop import ZONE, WorldShop
from segmentd.domain import records
from segmentd.domain.segments import Pin, Segment
from segmentd.segmenter.language import Condition, Subject
from segmenter_oracle.days import World
from segmenter_oracle.deciding import Decided, parsed
from segmenter_oracle.facts import is_known
from segmenter_oracle.happenings import counted_orders
from segmenter_oracle.histories import Line, Membership, Order, Product
from segmenter_oracle.reading import Stored
from segmenter_oracle.statistics import Ranked, chosen, statistic, within

Connection = sqlite3.Connection

STATE = (
    "SELECT profile_id, segment, since, cause, lapsing_at FROM memberships ORDER BY 1, 2",
    "SELECT * FROM membership_changes ORDER BY change_id",
    """SELECT s.name, -v.earlier, v.value, v.orders, v.last_order_at FROM relative_values v
    JOIN relative_subjects s ON s.subject_id = v.subject_id ORDER BY 1, 2""",
    """SELECT s.name, s.profiles, s.total, s.squares FROM relative_subjects s
    WHERE s.profiles > 0 ORDER BY 1""",
    "SELECT expression, threshold FROM thresholds WHERE current = 1 ORDER BY 1",
    "SELECT * FROM dirty",
)


def state(connection: Connection) -> list[object]:
    """All that a pass decides, but for the due instants."""
    return [connection.execute(query).fetchall() for query in STATE]


def due(connection: Connection) -> dict[int, float]:
    """Profile → when it is looked at next."""
    rows = connection.execute("SELECT profile_id, due_at FROM profiles WHERE gone_at IS NULL")
    return {who: math.inf if at is None else at for who, at in rows}


def people(connection: Connection) -> list[Stored]:
    """Everybody in the store."""
    found = {row[0]: _person(*row) for row in connection.execute(_PEOPLE)}
    products = {row[0]: Product(*row) for row in connection.execute(_PRODUCTS)}
    orders = {}
    for owner, number, placed, total, cancelled, counted in connection.execute(_ORDERS):
        orders[number] = Order(number, placed, total, cancelled, bool(counted))
        found[owner].orders.append(orders[number])
    for number, product, quantity, amount, discount in connection.execute(_LINES):
        orders[number].lines.append(Line(products.get(product), quantity, amount, discount))
    for number, at, amount in connection.execute(_REFUNDS):
        orders[number].refunds.append((at, amount))
    for owner, name, value in connection.execute("SELECT profile_id, name, value FROM traits"):
        found[owner].traits[name] = value
    lapsing = {(who, key): at for who, key, at in connection.execute(_LAPSING)}
    for who, key, entered, at in connection.execute(_CHANGES):
        if who in found:
            _remember(found[who].memberships, key, at, lapsing.get((who, key)), bool(entered))
    return list(found.values())


_PEOPLE = """SELECT profile_id, created_at, email, country, region, city, language, account_state,
email_consent, sms_consent, tags, source, customer_id FROM profiles WHERE gone_at IS NULL"""
_PRODUCTS = "SELECT product_id, remote_id, title, product_type FROM products"
_ORDERS = """SELECT profile_id, order_id, placed_at, total, cancelled_at, paid AND NOT test
FROM orders WHERE gone_at IS NULL AND profile_id IN
(SELECT profile_id FROM profiles WHERE gone_at IS NULL)"""
_LINES = """SELECT l.order_id, product_id, quantity, amount, l.discount FROM order_lines l
JOIN orders o ON o.order_id = l.order_id AND o.profile_id = l.profile_id
WHERE o.gone_at IS NULL AND l.profile_id IN (SELECT profile_id FROM profiles WHERE gone_at IS NULL)
"""
_REFUNDS = """SELECT r.order_id, r.created_at, r.amount FROM refunds r
JOIN orders o ON o.order_id = r.order_id AND o.profile_id = r.profile_id
WHERE o.gone_at IS NULL AND r.profile_id IN (SELECT profile_id FROM profiles WHERE gone_at IS NULL)
"""
_MEANT = """SELECT p.source, p.customer_id FROM customers c JOIN profiles p
ON p.profile_id = c.profile_id WHERE c.gone_at IS NULL AND lower(c.email) = ?"""
_LAPSING = "SELECT profile_id, segment, lapsing_at FROM memberships"
_CHANGES = "SELECT profile_id, segment, entered, at FROM membership_changes ORDER BY change_id"


def _person(*row: Any) -> Stored:
    *facts, tags, source, account = row
    listed = [tag for tag in tags.split("\n") if tag]
    return dataclasses.replace(Stored(*facts), tags=listed, source=source, account=account)


def _remember(
    rows: list[Membership], key: str, at: int, lapsing: int | None, entered: bool
) -> None:
    if entered:
        rows.append(Membership(key, at, None, lapsing))
        return
    last = next(row for row in reversed(rows) if row.segment == key)
    last.left_at, last.lapsing_at = at, None


class Judge:
    """Holds a store at rest against plain logic."""

    def __init__(self, connection: Connection, shop: WorldShop, rules: Rules) -> None:
        self.connection = connection
        self.shop = shop
        self.rules = rules
        self.people = people(connection)
        query = "SELECT expression, threshold FROM thresholds WHERE current = 1"
        self.thresholds = dict(connection.execute(query).fetchall())
        self.world = World(int(shop.now.timestamp()), ZoneInfo(ZONE), self.thresholds)
        self.segments = [
            dataclasses.replace(_fitted(each, self.thresholds), pins=tuple(self._pins(each)))
            for each in rules.segments
        ]
        self.decided = {
            one.id: Decided(self.segments, rules.sets, one, self.world) for one in self.people
        }

    def _pins(self, segment: Segment) -> Iterator[Pin]:
        """With ids for addresses: one under which somebody bought before having an account means
        that person for good."""
        for pin in segment.pins:
            yield pin
            for source, account in self.connection.execute(_MEANT, (pin.customer,)):
                yield dataclasses.replace(pin, customer=f"{source}:{account}")

    def wrong(self) -> list[str]:
        """Sentences about all that is not as it must be."""
        return [*self._orders(), *self._rest(), *self._thresholds(), *self._members()]

    def _orders(self) -> Iterator[str]:
        """What the shop holds is in the store, and nothing else."""
        query = "SELECT order_id, remote_id, customer_id FROM orders"
        names = {number: rest for number, *rest in self.connection.execute(query)}
        stored = {}
        for order in (order for one in self.people for order in one.orders):
            number, owner = names[order.id]
            lines = [(line.product and line.product.remote_id, line.amount) for line in order.lines]
            stored[number] = (owner, order.placed_at, order.total, order.cancelled_at,
                              sorted(order.refunds), lines)  # fmt: skip
        remote = {each.id: _as_stored(each) for each in self.shop.orders.values()}
        for number in sorted(stored.keys() | remote.keys()):
            if stored.get(number) != remote.get(number):
                yield f"order {number} is {stored.get(number)} instead of {remote.get(number)}"

    def _rest(self) -> Iterator[str]:
        now = self.world.now
        for (who,) in self.connection.execute("SELECT profile_id FROM dirty"):
            yield f"profile {who} is still dirty"
        for who, at in due(self.connection).items():
            if at <= now:
                yield f"profile {who} is still due"

    def _members(self) -> Iterator[str]:
        stored = set(self.connection.execute("SELECT profile_id, segment FROM memberships"))
        for one in self.people:
            for segment in self.segments:
                inside = self.decided[one.id].member(segment.key)
                if inside != ((one.id, segment.key) in stored):
                    yield f"{one.account} must {'' if inside else 'not '}be in {segment.key}"
        known = {(one.id, each.key) for one in self.people for each in self.segments}
        for who, key in sorted(stored - known):
            yield f"profile {who} is in {key}, which there is not for it"

    # values of the whole store

    def _thresholds(self) -> Iterator[str]:
        ruleset = self.rules.ruleset
        wanted = {*ruleset.expressions, *ruleset.limits, *(f"FITTED {v}" for v in ruleset.fitted)}
        if self.people and wanted != self.thresholds.keys():
            yield f"thresholds {sorted(self.thresholds)} instead of {sorted(wanted)}"
            return
        for name in self.thresholds:
            if name in ruleset.relatives:
                yield from self._relative(name, ruleset.relatives[name])
            elif name in ruleset.limits:
                yield from self._limit(name, ruleset.limits[name])

    def _relative(self, name: str, subject: Subject) -> Iterator[str]:
        ranked = [
            self._ranked(one, value)
            for one in self.people
            if is_known(one, self.world)
            and (value := self.decided[one.id].asked.ranked(subject)) is not None
        ]
        cut = self.thresholds[name]
        kind, number = [*name.split(" "), ""][:2]
        if kind in {"TOP", "BOTTOM"}:
            expected = chosen(kind, Fraction(number.rstrip("%")), ranked)
            if _inside(kind, cut, ranked) != expected:
                yield f"{name} is {cut}, which is not for {sorted(expected)}"
            return
        words = f"{kind} {number}" if re.fullmatch(r"[+-]?[\d.]+", number) else kind
        value = statistic(words, [each.value for each in ranked])
        if not _close(cut, value):
            yield f"{name} is {cut} instead of {value}"

    def _limit(self, name: str, key: str) -> Iterator[str]:
        segment = next(each for each in self.segments if each.key == key)
        assert segment.limit
        subject = _subject(segment.limit.by)
        sign = -1 if segment.limit.least else 1
        ranked = [
            self._ranked(one, sign * value)
            for one in self.people
            if is_known(one, self.world)
            and self.decided[one.id]._graced(segment)
            and (value := self.decided[one.id].asked.value(subject)) is not None
        ]
        best = sorted(ranked, key=lambda r: (r.value, r.orders, r.last_order, -r.id), reverse=True)
        expected = {each.id for each in best[: segment.limit.count]}
        cut = self.thresholds[name]
        if _inside("TOP", cut, ranked) != expected:
            yield f"{name} is {cut}, which is not for {sorted(expected)}"

    def _ranked(self, one: Stored, value: Fraction) -> Ranked:
        orders = counted_orders(one, self.world)
        last = orders[-1].placed_at if orders else -math.inf
        return Ranked(one.id, Fraction(value), len(orders), last)  # type: ignore[arg-type]


def _as_stored(order: records.Order) -> tuple[object, ...]:
    refunds = sorted((_stamp(each.created_at), each.amount) for each in order.refunds)
    lines = [(line.product_id, line.amount) for line in order.lines]
    return (order.customer_id, _stamp(order.placed_at), order.total, _stamp(order.cancelled_at),
            refunds, lines)  # fmt: skip


def _inside(side: str, cut: str, ranked: Sequence[Ranked]) -> set[int]:
    if cut == "insufficient":
        return set()
    return {
        each.id
        for each in ranked
        if within(side, cut, each.value, each.orders, each.last_order, each.id)
    }


def _close(cut: str, value: float | None) -> bool:
    if value is None or cut == "insufficient":
        return value is None and cut == "insufficient"
    return math.isclose(float(cut), value, rel_tol=1e-12)


def _subject(by: str) -> Subject:
    ranking = parsed(f"{by} IN TOP 1%")
    assert isinstance(ranking, Condition)
    return ranking.subject


def _stamp(at: datetime | None) -> int | None:
    return None if at is None else int(at.timestamp())


def _fitted(each: Segment, thresholds: Mapping[str, str]) -> Segment:
    """A segment whose rule has the values that were fitted."""
    where = re.sub(r"-\$(\w+)", lambda m: f"-{thresholds.get(f'FITTED {m[1]}', 0)}d", each.where)
    return dataclasses.replace(each, where=where)
