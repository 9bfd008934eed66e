"""The first schema."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from segmentd.store.types import Instant, RowId

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create all tables."""
    op.create_table(
        "counters",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "cursors",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("stream", sa.String(), nullable=False),
        sa.Column("watermark", Instant(), nullable=True),
        sa.Column("window_since", Instant(), nullable=True),
        sa.Column("window_until", Instant(), nullable=True),
        sa.Column("position", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("source", "stream"),
    )
    op.create_table(
        "destination_names",
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("destination", "name"),
    )
    op.create_table(
        "dirty",
        sa.Column("profile_id", RowId(), autoincrement=False, nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("profile_id"),
    )
    op.create_table(
        "discounts",
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", "code"),
    )
    op.create_table(
        "event_outbox",
        sa.Column("event_id", RowId(), nullable=False),
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("entered", sa.SmallInteger(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("delivered_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("event_id"),
    )
    op.create_index("event_outbox_pending", "event_outbox", ["destination", "delivered_at"])

    op.create_table(
        "leases",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("acquired_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "ledger",
        sa.Column("destination", sa.String(), nullable=False),
        sa.Column("name_key", sa.String(), nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=True),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=True),
        sa.Column("remote_updated_at", Instant(), nullable=True),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("detail", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("destination", "name_key", "target"),
        sqlite_with_rowid=False,
    )
    op.create_index("ledger_profile", "ledger", ["profile_id"])

    op.create_table(
        "membership_changes",
        sa.Column("change_id", RowId(), autoincrement=False, nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("entered", sa.SmallInteger(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("change_id"),
    )
    op.create_index("membership_changes_at", "membership_changes", ["at"])
    op.create_index(
        "membership_changes_profile", "membership_changes", ["profile_id", "segment", "change_id"]
    )

    op.create_table(
        "order_lines",
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("placed_at", Instant(), nullable=False),
        sa.Column("cancelled_at", Instant(), nullable=True),
        sa.Column("counted", sa.SmallInteger(), nullable=False),
        sa.Column("fx_missing", sa.SmallInteger(), nullable=False),
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "profile_id",
            "order_id",
            "line",
            postgresql_include=[
                "placed_at",
                "cancelled_at",
                "counted",
                "fx_missing",
                "product_id",
                "quantity",
                "amount",
            ],
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("order_lines_product", "order_lines", ["product_id", "profile_id"])

    op.create_table(
        "product_history",
        sa.Column("product_id", sa.BigInteger(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("product_type", sa.String(), nullable=True),
        sa.Column("vendor", sa.String(), nullable=True),
        sa.Column("tags", sa.String(), nullable=False),
        sa.Column("categories", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("product_id", "since"),
    )
    op.create_table(
        "products",
        sa.Column("product_id", RowId(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=True),
        sa.Column("product_type", sa.String(), nullable=True),
        sa.Column("vendor", sa.String(), nullable=True),
        sa.Column("tags", sa.String(), nullable=False),
        sa.Column("categories", sa.String(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=True),
        sa.Column("gone_at", Instant(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("product_id"),
        sa.UniqueConstraint("source", "remote_id"),
    )
    op.create_table(
        "profiles",
        sa.Column("profile_id", RowId(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("email_key", sa.String(), nullable=True),
        sa.Column("created_at", Instant(), nullable=True),
        sa.Column("country", sa.String(), nullable=True),
        sa.Column("region", sa.String(), nullable=True),
        sa.Column("city", sa.String(), nullable=True),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("account_state", sa.String(), nullable=True),
        sa.Column("email_consent", sa.String(), nullable=True),
        sa.Column("sms_consent", sa.String(), nullable=True),
        sa.Column("tags", sa.String(), nullable=False),
        sa.Column("gone_at", Instant(), nullable=True),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("touched", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("profile_id"),
    )
    op.create_index(
        "profiles_due",
        "profiles",
        ["due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("profiles_email", "profiles", ["email_key"])
    op.create_index(
        "profiles_gone",
        "profiles",
        ["profile_id"],
        sqlite_where=sa.text("gone_at IS NOT NULL"),
        postgresql_where=sa.text("gone_at IS NOT NULL"),
    )
    op.create_index("profiles_touched", "profiles", ["touched"])

    op.create_table(
        "refunds",
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("refund", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("placed_at", Instant(), nullable=False),
        sa.Column("cancelled_at", Instant(), nullable=True),
        sa.Column("counted", sa.SmallInteger(), nullable=False),
        sa.Column("fx_missing", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "profile_id",
            "order_id",
            "refund",
            postgresql_include=[
                "created_at",
                "amount",
                "placed_at",
                "cancelled_at",
                "counted",
                "fx_missing",
            ],
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rejections",
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("first_at", Instant(), nullable=False),
        sa.Column("last_at", Instant(), nullable=False),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("origin", "kind", "id"),
    )
    op.create_table(
        "relative_values",
        sa.Column("expression", sa.String(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.Column("orders", sa.Float(), nullable=False),
        sa.Column("last_order_at", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("expression", "profile_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("relative_values_profile", "relative_values", ["profile_id"])

    op.create_table(
        "runs",
        sa.Column("run_id", RowId(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("started_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("summary", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("run_id"),
    )
    op.create_table(
        "segments",
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("rule", sa.String(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("current", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("segment", "version"),
    )
    op.create_table(
        "shops",
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("seen_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("source"),
    )
    op.create_table(
        "thresholds",
        sa.Column("threshold_id", RowId(), nullable=False),
        sa.Column("expression", sa.String(), nullable=False),
        sa.Column("threshold", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("current", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("threshold_id"),
    )
    op.create_index("thresholds_expression", "thresholds", ["expression", "threshold_id"])

    op.create_table(
        "checkouts",
        sa.Column("checkout_id", RowId(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("completed_at", Instant(), nullable=True),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profiles.profile_id"],
        ),
        sa.PrimaryKeyConstraint("checkout_id"),
        sa.UniqueConstraint("source", "remote_id"),
    )
    op.create_index("checkouts_profile", "checkouts", ["profile_id"])

    op.create_table(
        "consents",
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("since", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profiles.profile_id"],
        ),
        sa.PrimaryKeyConstraint("profile_id", "channel"),
    )
    op.create_table(
        "customers",
        sa.Column("row_id", RowId(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("guest", sa.SmallInteger(), nullable=False),
        sa.Column("email", sa.String(), nullable=True),
        sa.Column("email_key", sa.String(), nullable=True),
        sa.Column("tag_keys", sa.String(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=True),
        sa.Column("gone_at", Instant(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profiles.profile_id"],
        ),
        sa.PrimaryKeyConstraint("row_id"),
        sa.UniqueConstraint("source", "customer_id"),
    )
    op.create_index("customers_email", "customers", ["source", "email_key"])
    op.create_index("customers_profile", "customers", ["profile_id"])

    op.create_table(
        "events",
        sa.Column("event_id", RowId(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=True),
        sa.Column("properties", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profiles.profile_id"],
        ),
        sa.PrimaryKeyConstraint("event_id"),
        sa.UniqueConstraint("source", "remote_id"),
    )
    op.create_index("events_profile", "events", ["profile_id", "name", "at"])

    op.create_table(
        "memberships",
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("segment", sa.String(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profiles.profile_id"],
        ),
        sa.PrimaryKeyConstraint("profile_id", "segment"),
        sqlite_with_rowid=False,
    )
    op.create_index("memberships_segment", "memberships", ["segment", "profile_id"])

    op.create_table(
        "orders",
        sa.Column("order_id", RowId(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("remote_id", sa.String(), nullable=False),
        sa.Column("profile_id", sa.BigInteger(), nullable=True),
        sa.Column("customer_id", sa.String(), nullable=True),
        sa.Column("email_key", sa.String(), nullable=True),
        sa.Column("placed_at", Instant(), nullable=False),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("cancelled_at", Instant(), nullable=True),
        sa.Column("counted", sa.SmallInteger(), nullable=False),
        sa.Column("fx_missing", sa.SmallInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(), nullable=False),
        sa.Column("discount", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.SmallInteger(), nullable=False),
        sa.Column("test", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.String(), nullable=True),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("country", sa.String(), nullable=False),
        sa.Column("discount_codes", sa.String(), nullable=False),
        sa.Column("region", sa.String(), nullable=True),
        sa.Column("city", sa.String(), nullable=True),
        sa.Column("tags", sa.String(), nullable=False),
        sa.Column("gone_at", Instant(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profiles.profile_id"],
        ),
        sa.PrimaryKeyConstraint("order_id"),
        sa.UniqueConstraint("source", "remote_id"),
    )
    op.create_index(
        "orders_profile",
        "orders",
        [
            "profile_id",
            "order_id",
            "placed_at",
            "cancelled_at",
            "counted",
            "fx_missing",
            "total",
            "channel",
            "country",
            "discount_codes",
        ],
    )

    op.create_table(
        "scores",
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("score", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profiles.profile_id"],
        ),
        sa.PrimaryKeyConstraint("profile_id", "score"),
    )
    op.create_table(
        "traits",
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["profile_id"],
            ["profiles.profile_id"],
        ),
        sa.PrimaryKeyConstraint("profile_id", "name"),
    )
