"""Windows over single events: rolling ones, those tied to the customer's own dates, and when time
moves them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from segmentd.segmenter.conditions import Conditions
from segmentd.segmenter.facts import Facts
from segmentd.segmenter.instants import Clock
from segmentd.segmenter.language import Condition, leaves
from segmentd.segmenter.parser import parse
from segmentd.segmenter.ruleset import Shop
from segmenter_oracle.asking import NOW, ask, buyer, holds, instant
from segmenter_oracle.histories import PRODUCTS, Event, Line, Order, Person, frames

TODAY = date(2026, 7, 15)
DAY = 86_400


def ago(days: int, hour: int = 10) -> int:
    return instant(f"{TODAY - timedelta(days)}T{hour:02}:00:00")


def buyer_ago(*days: int) -> Person:
    """Orders of 10, 20, 30 … so many days ago."""
    orders = [Order(n, ago(back), 1000 * n) for n, back in enumerate(days, start=1)]
    return Person(1, orders=orders)


# every window of a length


def value(subject: str, person: Person, now: int | None = None) -> float:
    parsed = parse(f"{subject} = 0")
    assert isinstance(parsed, Condition)
    clock = Clock("UTC", datetime.fromtimestamp(now or instant(NOW), UTC))
    facts = Facts(frames([person], PRODUCTS), clock)
    return float(Conditions(facts, Shop("UTC", "EUR"), {}).numbers(parsed.subject)[0])


@pytest.mark.parametrize(
    ("subject", "days", "expected"),
    [
        # 15 April to 13 July, 16 April to 14 July and 17 April to 15 July
        ("count EVERY 90d OF orders_placed (date >= -91d)", [91, 89, 0], 1),
        ("count EVERY 90d OF orders_placed (date >= -91d)", [89, 2, 1], 2),
        ("sum_amount EVERY 90d OF orders_placed (date >= -91d)", [89, 1], 1000),
        ("count EVERY 30d OF orders_placed (date >= -90d)", [80, 55, 30, 5], 1),
        ("count EVERY 30d OF orders_placed (date >= -90d)", [80, 45, 5], 0),
        ("count EVERY 30d OF orders_placed (date >= -90d)", [91, 90, 60, 30, 0], 1),
        # without a limit from the first order on
        ("count EVERY 30d OF orders_placed ()", [80, 55, 30, 5], 1),
        ("count EVERY 30d OF orders_placed ()", [80, 5], 0),
        ("count EVERY 30d OF orders_placed ()", [29], 1),
        ("count EVERY 2w OF orders_placed (date > -30d)", [28, 15, 14, 1], 1),
        # 16 June to 15 July, the only month since 16 June
        ("count EVERY 1m OF orders_placed (date >= -29d)", [29], 1),
        ("count EVERY 1y OF orders_placed (date >= 2025-07-16)", [364, 0], 2),
    ],
)
def test_the_least_of_all_windows(subject: str, days: list[int], expected: float) -> None:
    assert value(subject, buyer_ago(*days)) == expected


def test_no_window_is_complete_yet() -> None:
    assert holds("count EVERY 30d OF orders_placed () IS NULL", buyer_ago(28))
    assert holds("count EVERY 30d OF orders_placed (date >= -28d) IS NULL", buyer_ago(3))
    assert not holds("count EVERY 30d OF orders_placed () >= 0", buyer_ago(28))
    assert holds("count EVERY 30d OF orders_placed (date >= -28d) = 0", Person(1))


def test_windows_count_orders_and_not_their_lines_or_refunds() -> None:
    person = buyer_ago(40, 20, 1)
    person.orders[0].refunds = [(ago(35), 10), (ago(12), 10)]
    person.orders[1].refunds = [(ago(12), 10)]
    for order in person.orders:
        order.lines = [Line(None, 2, 5), Line(None, 1, 5)]
    assert value("count EVERY 41d OF products_purchased ()", person) == 3
    assert value("quantity OF products_purchased ()", person) == 9
    assert value("sum_quantity EVERY 41d OF products_purchased ()", person) == 9
    # of the first order both refunds, then the later one alone
    assert value("count EVERY 35d OF refunds_received ()", person) == 2
    assert value("count EVERY 23d OF refunds_received ()", person) == 1


def plainly(
    days: dict[int, float], length: Callable[[date], date], first: date, last: date
) -> float | None:
    """The least sum of all windows, looked at one by one; ``length``: the day after a window →
    its first day."""
    sums = []
    for back in range((last - first).days + 1):
        end = last - timedelta(back)
        begin = length(end + timedelta(1))
        if begin >= first:
            sums.append(
                sum(v for d, v in days.items() if begin.toordinal() <= d <= end.toordinal())
            )
    return min(sums, default=None)


def month_before(day: date) -> date:
    before = day.replace(day=1) - timedelta(1)
    return before.replace(day=min(day.day, before.day))


def days_before(amount: int) -> Callable[[date], date]:
    return lambda day: day - timedelta(amount)


@pytest.mark.parametrize("seed", range(8))
def test_against_all_windows_one_by_one(seed: int) -> None:
    chooser = random.Random(seed)
    for _ in range(10):
        orders = [
            Order(n, ago(chooser.randrange(120)), chooser.choice([0, 500, 1000, 7]))
            for n in range(1, chooser.randrange(2, 9))
        ]
        person = Person(1, orders=orders)
        back = chooser.choice([30, 60, 100])
        first = TODAY - timedelta(back)
        days: dict[int, float] = {}
        for order in orders:
            day = datetime.fromtimestamp(order.placed_at, UTC).date()
            if day >= first:
                days[day.toordinal()] = days.get(day.toordinal(), 0) + (order.total or 0)
        amount = chooser.choice([1, 7, 31, 45])
        for written in (f"{amount}d", "1m"):
            length = month_before if written == "1m" else days_before(amount)
            expected = plainly(days, length, first, TODAY) if days else 0
            got = value(f"sum_amount EVERY {written} OF orders_placed (date >= -{back}d)", person)
            assert got == expected or (got != got and expected is None), (written, back, days)


# tied to the customer's own dates


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("orders_placed MATCHES (date <= first_order_date + 7d, count >= 2)", True),
        ("orders_placed MATCHES (date <= first_order_date + 6d, count >= 2)", False),
        ("orders_placed MATCHES (date > first_order_date + 7d, count = 2)", True),
        ("orders_placed MATCHES (date = last_order_date, count = 1)", True),
        ("orders_placed MATCHES (date = last_order_date - 1m, count = 1)", True),
        ("orders_placed MATCHES (date BETWEEN first_order_date AND -30d, count = 3)", True),
        ("orders_placed MATCHES (date <= first_order_date + 167h, count = 1)", True),
        ("orders_placed MATCHES (date <= first_order_date + 168h, count = 2)", True),
        ("orders_placed MATCHES (date < last_date OF refunds_received (), count = 3)", True),
        ("orders_placed MATCHES (date < metafields.facts.since, count = 2)", True),
        ("orders_placed MATCHES (date < metafields.facts.until)", False),
        ("products_purchased MATCHES (date > customer_added_date + 1d)", False),
        ("last_order_date > first_order_date + 3m", True),
        ("last_order_date >= first_order_date + 4m", True),
        ("last_order_date > first_order_date + 4m", False),
        ("last_order_date BETWEEN first_order_date + 1d AND -14d", True),
    ],
)
def test_windows_tied_to_own_dates(rule: str, expected: bool) -> None:
    person = buyer(
        "2026-03-01T10:00:00", "2026-03-08T10:00:00", "2026-06-01T10:00:00", "2026-07-01T10:00:00"
    )
    person.orders[0].refunds = [(instant("2026-06-20T10:00:00"), 5)]
    person.traits = {"metafields.facts.since": "2026-06-01"}
    assert holds(rule, person) is expected


# filters in filters


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        ("amount = 10 OR amount = 30", 2),
        ("NOT (amount = 10 OR amount = 30)", 2),
        ("amount >= 20 AND date >= -60d", 1),
        ("(date >= -60d OR amount = 20) AND NOT nth = -1", 2),
        ("amount IN (10, 20), date < -60d OR nth = 4", 2),
        ("nth IN (1, -1)", 2),
        ("nth NOT IN (1, -1)", 2),
        ("nth = -2", 1),
        ("nth != -2", 3),
        ("nth > 2", 2),
        ("nth <= -1", 0),
        ("nth BETWEEN 2 AND 3", 2),
        ("nth = 9 OR nth = -9", 0),
    ],
)
def test_filters_joined_in_any_way(filters: str, count: int) -> None:
    person = buyer_ago(100, 80, 40, 3)
    person.orders[3].total = 500
    assert value(f"count OF orders_placed ({filters})", person) == count


# what time moves


def looks(days: int) -> Iterator[int]:
    """The midnights of Berlin, the times of day of what has happened, and the seconds beside."""
    for day in range(days):
        for time in ("22:00:00", "12:00:00", "12:29:30", "14:00:00"):
            at = instant(f"{TODAY + timedelta(day)}T{time}")
            yield from (at - 1, at, at + 1)


MOVED = [
    "orders_placed MATCHES (date >= -5d, count >= 2)",
    "orders_placed MATCHES (NOT date >= -5d, count >= 2)",
    "orders_placed MATCHES (date >= -48h OR amount = 20, count = 2)",
    "orders_placed MATCHES (date BETWEEN -3d AND -1d)",
    "orders_placed MATCHES (date = -2d)",
    "sum_amount OF orders_placed (date >= -4d) > sum_amount OF orders_placed (date < -4d)",
    "last_date OF orders_placed (date < -2d) >= -4d",
    "last_amount OF orders_placed (date < -3d) = 20",
    "days_since OF orders_placed (amount < 30) >= 4",
    "days_since OF orders_placed (date < -2d) BETWEEN 3 AND 4",
    "days_since_last_order IN (1, 3)",
    "days_since_last_order > 2.5",
    "days_since_last_order > average_days_between_orders",
    "number_of_orders < days_since_last_order",
    "count EVERY 4d OF orders_placed () >= 1",
    "sum_amount EVERY 3d OF orders_placed (date >= -6d) >= 10",
    "count EVERY 3d OF orders_placed (date >= -4d, amount = 30) >= 1",
    "count EVERY 5d OF orders_placed (date >= -50h) IS NULL",
    "orders_placed MATCHES (date >= last_date OF orders_placed (date <= -3d), count = 1)",
    "events('Planned') MATCHES (properties.until >= +1d)",
    "checkouts_abandoned MATCHES (date BETWEEN -24h AND -30min)",
    "traits.until BETWEEN today AND +2d",
    "share OF orders_placed (date >= -3d) > 40%",
]


def mover() -> Person:
    return Person(
        1,
        orders=[Order(n, ago(back, 12), 1000 * n) for n, back in enumerate((6, 3, 1), start=1)],
        events=[
            Event(1, "Planned", ago(1), properties={"until": "2026-07-18T12:00:00"}),
            Event(2, "checkout", instant("2026-07-15T11:59:30"), 100),
        ],
        traits={"traits.until": "2026-07-19"},
    )


@pytest.fixture(scope="module")
def looked() -> dict[str, list[tuple[int, bool, float]]]:
    """For every rule and instant its truth, and when it is due again."""
    known, shop = frames([mover()], PRODUCTS), Shop("Europe/Berlin", "EUR")
    found: dict[str, list[tuple[int, bool, float]]] = {rule: [] for rule in MOVED}
    for at in sorted(looks(8)):
        clock = Clock(shop.time_zone, datetime.fromtimestamp(at, UTC))
        conditions = Conditions(Facts(known, clock), shop, {})
        for rule in MOVED:
            [leaf] = leaves(parse(rule))
            due = conditions.due(leaf)
            again = np.nan if due is None else float(due[0])
            found[rule].append((at, bool(conditions.truth(leaf)[0]), again))
    return found


@pytest.mark.parametrize("rule", MOVED)
def test_nothing_changes_before_it_is_due(
    rule: str, looked: dict[str, list[tuple[int, bool, float]]]
) -> None:
    """Whoever looks again when told so misses no change."""
    (_, before, due), *later = looked[rule]
    changed = 0
    for at, truth, again in later:
        assert not again <= at
        if truth != before:
            changed += 1
            assert due <= at, datetime.fromtimestamp(at, UTC)
        if truth != before or due <= at:
            due = again
        before = truth
    assert changed > 0


@pytest.mark.parametrize(
    ("rule", "due"),
    [
        ("days_since_last_order >= 90", "2026-10-12T00:00:00"),
        ("days_since_last_order > 90", "2026-10-13T00:00:00"),
        ("days_since_last_order < 1.5", "2026-07-16T00:00:00"),
        ("days_since_last_order = 30", "2026-08-13T00:00:00"),
        ("days_since_last_order BETWEEN 1 AND 9", "2026-07-24T00:00:00"),
        ("days_since OF orders_placed () >= 90", "2026-10-12T00:00:00"),
        ("count EVERY 30d OF orders_placed () >= 1", "2026-08-07T00:00:00"),
        ("count EVERY 4d OF orders_placed (date >= 2026-07-01) >= 1", "2026-07-16T00:00:00"),
        ("orders_placed MATCHES (date >= -30d OR amount = 1)", "2026-08-09T00:00:00"),
        ("sum_amount OF orders_placed (date >= -1h) > 0", None),
        ("days_since_last_order >= 1", None),
        ("days_since_last_order >= 1000000000000", None),
        ("days_since_last_order IS NULL", None),
        ("days_between OF orders_placed () > 3", None),
        ("average_days_between_orders > 3", None),
        ("last_order_date > first_order_date + 7d", None),
        ("orders_placed MATCHES (date <= first_order_date + 7d)", None),
        ("orders_placed MATCHES (date >= -2d, channel = 'pos')", None),
        ("count EVERY 2d OF orders_placed (channel = 'pos') >= 1", None),
        ("traits.until > 2026-07-01", None),
        ("last_order_date = END OF THIS MONTH", None),
    ],
)
def test_due(rule: str, due: str | None) -> None:
    _, got = ask(rule, [mover()])
    expected = [] if due is None else [instant(due)]
    assert got.dropna().to_list() == expected
