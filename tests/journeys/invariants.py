"""The invariants of the stories, each checked against the platforms as the oracle.

They open the store afresh and read it with plain SQL, so that they share no code with what they
judge.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeAlias

import sqlalchemy as sa

from journeys.world import World
from segmentd.domain.records import Customer, Order
from segmentd.sdk.testing.sandbox import Request, ShopSandbox

SHOPS = {"shop": "shopify", "woo": "woocommerce"}
TAGS = {"shop_tags": "shopify", "woo_tags": "woocommerce"}
Tags: TypeAlias = Mapping[str, Mapping[str, set[str]]]
"""Platform → customer → tags."""
Rows: TypeAlias = list[tuple[Any, ...]]

_STORY = {
    "customers": """
        SELECT c.source, c.customer_id, c.guest, c.email, c.gone_at IS NULL, p.customer_id
        FROM customers c JOIN profiles p ON p.profile_id = c.profile_id""",
    "profiles": """
        SELECT source, customer_id, email, country, account_state, gone_at IS NULL FROM profiles""",
    "orders": """
        SELECT o.source, o.remote_id, o.total, o.counted, o.cancelled_at IS NULL,
               o.gone_at IS NULL, o.status, p.customer_id
        FROM orders o LEFT JOIN profiles p ON p.profile_id = o.profile_id""",
    "lines": """
        SELECT o.source, o.remote_id, l.line, l.quantity, l.amount, l.counted, p.customer_id
        FROM order_lines l JOIN orders o ON o.order_id = l.order_id
        JOIN profiles p ON p.profile_id = l.profile_id""",
    "refunds": """
        SELECT o.source, o.remote_id, r.amount, r.counted, p.customer_id
        FROM refunds r JOIN orders o ON o.order_id = r.order_id
        JOIN profiles p ON p.profile_id = r.profile_id""",
    "products": "SELECT source, remote_id, title, categories, gone_at IS NULL FROM products",
    "memberships": """
        SELECT p.source, p.customer_id, m.segment
        FROM memberships m JOIN profiles p ON p.profile_id = m.profile_id""",
    "history": """
        SELECT p.source, p.customer_id, h.segment, h.entered, count(*)
        FROM membership_changes h JOIN profiles p ON p.profile_id = h.profile_id
        GROUP BY p.source, p.customer_id, h.segment, h.entered""",
    # what was taken off is remembered until it is read, a cycle sooner or later
    "ledger": """
        SELECT destination, name_key, target, state, segment FROM ledger
        WHERE state <> 'removed'""",
    "rejections": "SELECT origin, kind, id FROM rejections",
    "dirty": "SELECT profile_id FROM dirty",
    "windows": "SELECT source, stream FROM cursors WHERE window_until IS NOT NULL",
    "thresholds": "SELECT expression, threshold FROM thresholds WHERE current = 1",
}


class Facts:
    """What the store says, by plain SQL."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    @classmethod
    @contextmanager
    def of(cls, url: str) -> Iterator[Facts]:
        """Open the store at ``url``."""
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            yield cls(connection)

    def rows(self, sql: str, **values: object) -> Rows:
        """The rows of one query."""
        return [tuple(row) for row in self._connection.execute(sa.text(sql), values)]

    def tell(self) -> list[str]:
        """Everything that must not depend on what was disturbed: no times, no numbers of ours."""
        return sorted(
            f"{name} {json.dumps(row)}" for name, sql in _STORY.items() for row in self.rows(sql)
        )

    def removals(self) -> Rows:
        """What was taken off and is not forgotten."""
        return self.rows("SELECT destination, name, target FROM ledger WHERE state = 'removed'")

    def sweep_is_open(self) -> bool:
        """Whether the list of WooCommerce's customers was read in part."""
        return bool(
            self.rows(
                "SELECT 1 FROM cursors WHERE source = 'woo' AND stream = 'customers' "
                "AND position IS NOT NULL"
            )
        )


def check_all(made: World, facts: Facts, foreign: Tags, poisoned: Mapping[str, str]) -> None:
    """What must hold after every complete cycle."""
    i1_store_equals_remote(made, facts)
    i3_tags_equal_memberships(made, facts)
    i3_lists_equal_memberships(made, facts)
    i4_foreign_tags_are_intact(made, foreign)
    i4_no_request_could_harm_others(made, foreign)
    i5_history_alternates(facts)
    i6_cursors_are_not_ahead_of_rows(made, facts)
    i16_what_is_unreadable_is_put_aside(facts, poisoned)


def i1_store_equals_remote(made: World, facts: Facts) -> None:
    """Customers and orders are exactly those of the shops."""
    for source, platform in SHOPS.items():
        customers, orders = _shop(made, platform).projection()
        assert _stored_customers(facts, source) == _customers(customers), f"I1 {source}"
        assert _stored_orders(facts, source) == _orders(orders), f"I1 {source}"


def i3_tags_equal_memberships(made: World, facts: Facts) -> None:
    """What is at the shops under our names is what the memberships say, no more and no less."""
    for destination, platform in TAGS.items():
        source = next(name for name, kind in SHOPS.items() if kind == platform)
        names = {key: name.casefold() for key, name in made.names[destination].items()}
        wanted = defaultdict(set)
        for customer, segment in facts.rows(
            "SELECT c.customer_id, m.segment FROM memberships m "
            "JOIN customers c ON c.profile_id = m.profile_id "
            "WHERE c.guest = 0 AND c.gone_at IS NULL AND c.source = :source",
            source=source,
        ):
            if segment in names:
                wanted[customer].add(names[segment])
        found = {
            customer: ours
            for customer, tags in _shop(made, platform).tags().items()
            if (ours := {tag.casefold() for tag in tags} & set(names.values()))
        }
        assert found == dict(wanted), f"I3 {destination}"


def i3_lists_equal_memberships(made: World, facts: Facts) -> None:
    """Each list holds the e-mail addresses of its segment's members."""
    for segment, name in made.names["newsletter"].items():
        wanted = facts.rows(
            "SELECT DISTINCT p.email FROM memberships m JOIN profiles p "
            "ON p.profile_id = m.profile_id WHERE m.segment = :segment AND p.email IS NOT NULL",
            segment=segment,
        )
        found = made.klaviyo.members().get(name, set())
        assert found == {email for (email,) in wanted}, f"I3 {name}"


def i4_foreign_tags_are_intact(made: World, foreign: Tags) -> None:
    """Tags that a merchant gave are still there, to the letter."""
    for destination, platform in TAGS.items():
        ours = {name.casefold() for name in made.names[destination].values()}
        tags = _shop(made, platform).tags()
        for customer, names in foreign[platform].items():
            others = {tag for tag in tags[customer] if tag.casefold() not in ours}
            assert others == names, f"I4 {platform} {customer}"


def i4_no_request_could_harm_others(made: World, foreign: Tags) -> None:
    """Not one write, applied alone, names a tag that is not ours, or leaves one of theirs out."""
    ours = {name.casefold() for name in made.names["shop_tags"].values()}
    for request in made.written("shopify"):
        variables = json.loads(request.body)["variables"]
        sent = {
            tag.casefold()
            for key, tags in variables.items()
            if key.startswith("tags")
            for tag in tags
        }
        assert sent <= ours, f"I4 {sent - ours}"
    for request in made.written("woocommerce"):
        for item in _woo_items(request):
            (meta,) = item["meta_data"]
            assert (set(item), meta["key"]) == ({"id", "meta_data"}, "segmentd_tags"), "I4"
            kept = set((meta["value"] or "").split(","))
            assert foreign["woocommerce"].get(str(item["id"]), set()) <= kept, f"I4 {item}"


def i5_history_alternates(facts: Facts) -> None:
    """Every entry is followed by an exit or nothing; nobody enters twice."""
    state: dict[tuple[object, object], bool] = {}
    for profile, segment, entered in facts.rows(
        "SELECT profile_id, segment, entered FROM membership_changes ORDER BY change_id"
    ):
        assert state.get((profile, segment), False) is not bool(entered), f"I5 {profile} {segment}"
        state[profile, segment] = bool(entered)
    now = {key for key, inside in state.items() if inside}
    assert now == set(facts.rows("SELECT profile_id, segment FROM memberships")), "I5"


def i6_cursors_are_not_ahead_of_rows(made: World, facts: Facts) -> None:
    """What changed until a watermark is stored, and no watermark is ahead of the shop's clock."""
    marks = {
        (source, stream): _epoch(mark)
        for source, stream, mark in facts.rows("SELECT source, stream, watermark FROM cursors")
    }
    for source, platform in SHOPS.items():
        customers, orders = _shop(made, platform).projection()
        # of WooCommerce's customers all are read every time, and their mark says nothing
        if platform == "shopify":
            passed = [c for c in customers if _epoch(c.updated_at) <= marks[source, "customers"]]
            stored = _stored_customers(facts, source)
            assert all(c in stored for c in _customers(passed)), f"I6 {source} customers"
        behind = [o for o in orders if _epoch(o.updated_at) <= marks[source, "orders"]]
        rows = _stored_orders(facts, source)
        assert all(o in rows for o in _orders(behind)), f"I6 {source} orders"
    assert max(marks.values()) <= made.now().timestamp(), "I6 clock"


def i16_what_is_unreadable_is_put_aside(facts: Facts, poisoned: Mapping[str, str]) -> None:
    """One note for each unreadable record, and none for anything else."""
    expected = {
        (f"source:{source}", "orders", poisoned[platform]) for source, platform in SHOPS.items()
    }
    assert set(facts.rows("SELECT origin, kind, id FROM rejections")) == expected, "I16"


def _shop(made: World, platform: str) -> ShopSandbox:
    return made.shopify if platform == "shopify" else made.woo


def _customers(customers: Sequence[Customer]) -> Rows:
    return sorted(
        (c.id, c.email, _epoch(c.created_at), c.country, c.account_state) for c in customers
    )


def _stored_customers(facts: Facts, source: str) -> Rows:
    found = facts.rows(
        "SELECT c.customer_id, c.email, p.created_at, p.country, p.account_state FROM customers c "
        "JOIN profiles p ON p.source = c.source AND p.customer_id = c.customer_id "
        "WHERE c.guest = 0 AND c.gone_at IS NULL AND c.source = :source",
        source=source,
    )
    return sorted((one, mail, _epoch(at), *rest) for one, mail, at, *rest in found)


def _orders(orders: Sequence[Order]) -> Rows:
    return sorted(
        (
            o.id,
            _epoch(o.placed_at),
            o.total,
            o.paid,
            o.cancelled_at is not None,
            o.status,
            o.customer_id,
            sorted((line.quantity, line.amount) for line in o.lines),
            sorted((_epoch(refund.created_at), refund.amount) for refund in o.refunds),
        )
        for o in orders
    )


def _stored_orders(facts: Facts, source: str) -> Rows:
    lines, refunds = defaultdict(list), defaultdict(list)
    for order, quantity, amount in facts.rows("SELECT order_id, quantity, amount FROM order_lines"):
        lines[order].append((quantity, amount))
    for order, at, amount in facts.rows("SELECT order_id, created_at, amount FROM refunds"):
        refunds[order].append((_epoch(at), amount))
    found = facts.rows(
        "SELECT order_id, remote_id, placed_at, total, paid, cancelled_at, status, customer_id "
        "FROM orders WHERE gone_at IS NULL AND source = :source",
        source=source,
    )
    return sorted(
        (
            remote_id,
            _epoch(placed_at),
            total,
            bool(paid),
            cancelled_at is not None,
            status,
            customer_id,
            sorted(lines[order]),
            sorted(refunds[order]),
        )
        for order, remote_id, placed_at, total, paid, cancelled_at, status, customer_id in found
    )


def _woo_items(request: Request) -> list[dict[str, Any]]:
    body = json.loads(request.body)
    if request.path.endswith("/batch"):
        assert set(body) == {"update"}, "I4"
        return list(body["update"])
    return [{"id": request.path.rpartition("/")[2], **body}]


def _epoch(value: object) -> float:
    """SQLite keeps instants as seconds, PostgreSQL as such."""
    if isinstance(value, datetime):
        return value.timestamp()
    return float(str(value)) if value is not None else float("-inf")
