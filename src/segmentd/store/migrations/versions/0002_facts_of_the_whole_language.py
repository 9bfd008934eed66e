"""Places, discounts of lines, prices, and what rules ask of memberships."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from segmentd.store.types import Instant

revision = "0002"
down_revision = "0001"

_LONGEST = 960
"""Bytes of a list in the index ``orders_profile``; what could be longer before is cut."""

_ORDERS = sa.table("orders", sa.column("order_id"), sa.column("tags"), sa.column("discount_codes"))


def upgrade() -> None:
    """Add columns; what is stored already has nothing in them until it is read again."""
    op.add_column("profiles", sa.Column("postcode", sa.String(), nullable=True))
    op.add_column("profiles", sa.Column("latitude", sa.Float(), nullable=True))
    op.add_column("profiles", sa.Column("longitude", sa.Float(), nullable=True))
    op.add_column("products", sa.Column("published_at", Instant(), nullable=True))
    op.add_column("products", sa.Column("price", sa.BigInteger(), nullable=True))
    op.add_column("product_history", sa.Column("price", sa.BigInteger(), nullable=True))
    op.add_column("memberships", sa.Column("lapsing_at", Instant(), nullable=True))
    _index_history()
    _join_checkouts_to_events()
    _index_orders()
    _add_discount_to_lines()


def _index_history() -> None:
    op.drop_index("membership_changes_profile", "membership_changes")
    op.create_index(
        "membership_changes_profile",
        "membership_changes",
        ["profile_id", "segment", "change_id", "entered", "at"],
    )


def _join_checkouts_to_events() -> None:
    op.add_column("events", sa.Column("ended_at", Instant(), nullable=True))
    op.execute(
        "INSERT INTO events "
        "(source, remote_id, profile_id, name, at, amount, ended_at, properties) "
        "SELECT source, 'checkout:' || remote_id, profile_id, 'checkout', created_at, total, "
        "completed_at, '' FROM checkouts"
    )
    op.drop_table("checkouts")


def _index_orders() -> None:
    op.drop_index("orders_profile", "orders")
    _shorten("tags")
    _shorten("discount_codes")
    op.create_index(
        "orders_profile",
        "orders",
        ["profile_id", "order_id", "placed_at", "cancelled_at", "counted", "fx_missing", "total",
         "discount", "channel", "country", "discount_codes", "tags"],
    )  # fmt: skip


def _shorten(name: str) -> None:
    """An entry of an index has at most 2,704 bytes on PostgreSQL."""
    connection, columns = op.get_bind(), _ORDERS.c
    # a character has up to four bytes
    long = sa.select(columns.order_id, columns[name]).where(
        sa.func.length(columns[name]) > _LONGEST // 4
    )
    for order_id, text in connection.execute(long).all():
        data = text.encode()
        if len(data) > _LONGEST:
            this = sa.update(_ORDERS).where(columns.order_id == order_id)
            connection.execute(this.values({name: _cut(data)}))


def _cut(data: bytes) -> str:
    end = data.rfind(b"\n", 0, _LONGEST)
    return data[: end + 1].decode() if end else ""


def _add_discount_to_lines() -> None:
    op.add_column("order_lines", sa.Column("discount", sa.BigInteger(), nullable=True))
    if op.get_bind().dialect.name == "postgresql":
        # a table of SQLite is its own index
        op.execute("ALTER TABLE order_lines DROP CONSTRAINT order_lines_pkey")
        op.execute(
            "ALTER TABLE order_lines ADD PRIMARY KEY (profile_id, order_id, line) INCLUDE "
            "(placed_at, cancelled_at, counted, fx_missing, product_id, quantity, amount, discount)"
        )
