"""The sides of segmentd: each is run in a process of its own by ``measure.run_side``.

python -m benchmarks.passes KIND URL [ARGUMENT ...]
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from benchmarks.fill import CURRENCY, SOURCE, remote_customer
from benchmarks.measure import measured
from benchmarks.rules import RULES, write_config
from benchmarks.shops import CATEGORIES, END, TAGS
from segmentd.bootstrap import App, open_app
from segmentd.config import load_config
from segmentd.domain.cursor import Cursor
from segmentd.domain.records import Customer, Order, OrderLine, Record
from segmentd.store import Store
from segmentd.store.engine import Database

HOUR = timedelta(hours=1)
BATCH = 250
WARM = 5
"""Cycles that are measured after the first one."""
DUE = 1_000


@contextmanager
def opened(url: str, now: datetime = END, rules: Mapping[str, str] = RULES) -> Iterator[App]:
    """A store with the rules, at an instant."""
    os.environ["BENCH_TOKEN"] = "shpat_bench"
    with tempfile.TemporaryDirectory(prefix="segmentd-bench-") as folder:
        config = load_config(write_config(Path(folder), url, rules))
    app = open_app(config, clock=lambda: now)
    try:
        yield app
    finally:
        app.close()


def first(url: str) -> None:
    """The pass that decides everything for the first time."""
    with opened(url) as app, measured("first pass") as noted:
        summary = app.segment()
        noted["changes"] = summary.entered + summary.left


def full(url: str) -> None:
    """Two full passes: one that repairs what ``spoil`` did, one that finds nothing to do."""
    with opened(url) as app:
        for name in ("full pass", "full pass, nothing to change"):
            with measured(name) as noted:
                summary = app.segment(full=True)
                noted["changes"] = summary.entered + summary.left


def spoil(url: str) -> None:
    """Let every twentieth membership be missing, as if it had never been."""
    database = Database(url)
    try:
        with database.write() as connection:
            for table in ("membership_changes", "memberships"):
                connection.execute(
                    sa.text(
                        f"DELETE FROM {table} WHERE (profile_id * 31 + length(segment)) % 20 = 7"
                    )
                )
    finally:
        database.close()


def cycles(url: str, count: str, what: str) -> None:
    """Cycles after ``count`` customers changed (see CHANGES), in a process that stays."""
    changed = int(count)
    with opened(url) as app:
        accounts = _accounts(url, changed * (WARM + 1))
        for number in range(WARM + 1):
            part = accounts[number * changed : (number + 1) * changed]
            with measured(f"write {number}"):
                CHANGES[what](app.store, part, number)
            with measured(f"cycle {number}") as noted:
                noted["evaluated"] = app.segment().evaluated


def due(url: str) -> None:
    """Ticks with nothing due, and one with about ``DUE`` due, in a process that stays."""
    with opened(url) as app:
        _order(app.store, _accounts(url, 1), 0)
        app.segment()
        for number in range(WARM):
            with measured(f"idle tick {number}") as noted:
                noted["evaluated"] = app.segment().evaluated
        then = _when_due(url)
        app.clock = lambda: then
        with measured("due tick") as noted:
            noted["evaluated"] = app.segment().evaluated


def verify(url: str) -> None:
    """Everything computed anew and compared with what is stored."""
    with opened(url) as app, measured("verify") as noted:
        noted["differences"] = sum(each.count for each in app.verify().differing)


def explain(url: str) -> None:
    """Why one customer is in or out of a hundred segments; the first question, and others."""
    rules = hundred()
    with opened(url, rules=rules) as app:
        for number, customer in enumerate(_accounts(url, WARM + 1)):
            with measured(f"explain {number}"):
                (profile,) = app.store.find(f"{SOURCE}:{customer}")
                app.store.intervals(profile)
                told = list(app.asking("explain").of(*rules).explain(profile, list(rules)))
            assert len(told) == len(rules)


def hundred() -> dict[str, str]:
    """The thirty rules and seventy more of their kinds."""
    more = {
        **{f"spent_{n}": f"amount_spent >= {n * 50}" for n in range(1, 21)},
        **{f"type_{n}": f"products_purchased MATCHES (type = 'Type {n}', date >= -{n * 9 + 9}d)"
           for n in range(CATEGORIES)},
        **{f"orders_{n}": f"orders_placed MATCHES (date >= -{n * 12}d, count >= {n % 4 + 1}) "
           "AND email_subscription_status = 'SUBSCRIBED'" for n in range(1, 21)},
        **{f"quiet_{n}": f"number_of_orders >= 2 AND last_order_date < -{n * 30}d "
           "AND NOT customer_tags CONTAINS 'press'" for n in range(1, 11)},
    }  # fmt: skip
    return {**RULES, **more}


def _accounts(url: str, count: int) -> list[str]:
    """Ids of some accounts, the same ones each time."""
    database = Database(url)
    try:
        with database.read() as connection:
            (last,) = connection.execute(sa.text("SELECT max(row_id) FROM customers")).one()
            drawn = random.Random(1).sample(range(last), min(last, 2 * count + 20))
            statement = sa.text(
                "SELECT customer_id FROM customers "
                f"WHERE source = '{SOURCE}' AND guest = 0 AND customer_id IN :drawn"
            ).bindparams(sa.bindparam("drawn", expanding=True))
            ids = [remote_customer(number) for number in drawn]
            found = connection.execute(statement, {"drawn": ids}).scalars().all()
    finally:
        database.close()
    return random.Random(2).sample(sorted(found), count)


def _order(store: Store, customers: list[str], number: int) -> None:
    """One order of each, an hour ago: what customers are ranked by moves with it."""
    choose = random.Random(number)
    orders = []
    for customer in customers:
        lines = [
            OrderLine(str(line), str(8_000_000_000 + choose.randrange(400)), 1, 2_000)
            for line in range(choose.randint(1, 4))
        ]
        orders.append(
            Order(
                id=f"9{number:02}{customer}",
                placed_at=END - HOUR,
                updated_at=END,
                currency=CURRENCY,
                total=2_000 * len(lines),
                paid=True,
                customer_id=customer,
                status="paid",
                channel="web",
                country="DE",
                lines=lines,
            )
        )
    _save(store, "orders", orders)


def _edit(store: Store, customers: list[str], _number: int) -> None:
    """Each is edited in the shop: nothing moves that customers are ranked by."""
    wanted = set(customers)
    edited = [
        Customer(
            id=each.customer_id,
            updated_at=END,
            created_at=each.created_at,
            email=each.email,
            country=each.country,
            email_consent="SUBSCRIBED",
            tags=[TAGS[0]],
        )
        for each in store.profiles()
        if each.customer_id in wanted
    ]
    _save(store, "customers", edited)


CHANGES = {"edited": _edit, "ordered": _order}


def _save(store: Store, stream: str, records: Sequence[Record]) -> None:
    """In batches, as a pull writes them."""
    lease = store.acquire(f"source:{SOURCE}", "benchmark", timedelta(minutes=10), datetime.now(UTC))
    for start in range(0, len(records), BATCH):
        part = records[start : start + BATCH]
        store.save_batch(lease, SOURCE, stream, part, (), Cursor(watermark=END), END)
    store.release(lease)


def _when_due(url: str) -> datetime:
    """The instant by which ``DUE`` profiles are due, but before the next midnight of the shop."""
    midnight = END + 23 * HOUR
    database = Database(url)
    try:
        with database.read() as connection:
            statement = sa.text(
                "SELECT due_at FROM profiles WHERE due_at IS NOT NULL "
                "ORDER BY due_at LIMIT 1 OFFSET :offset"
            )
            at = connection.execute(statement, {"offset": DUE - 1}).scalar_one()
    finally:
        database.close()
    moment = at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)
    return min(moment, midnight - timedelta(seconds=1))


KINDS = {each.__name__: each for each in (first, full, spoil, cycles, due, verify, explain)}
