"""Store-relative values once for each subject, ranked and counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from segmentd.store.types import RowId

revision = "0004"
down_revision = "0003"

_KINDS = ("TOP ", "BOTTOM ", "AVERAGE ", "MEDIAN ", "PERCENTILE ", "LIMIT ")


def upgrade() -> None:
    """Empty, and without the thresholds that were made from it: what is not there is computed of
    everybody by the next pass."""
    op.drop_table("relative_values")
    for kind in _KINDS:
        op.execute(f"UPDATE thresholds SET current = 0 WHERE expression LIKE '{kind}%'")  # noqa: S608
    op.create_table(
        "relative_subjects",
        sa.Column("subject_id", RowId(), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("profiles", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.String(), nullable=False),
        sa.Column("squares", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id"),
        sa.UniqueConstraint("name"),
    )
    places = ("value", "orders", "last_order_at", "earlier")
    op.create_table(
        "relative_values",
        sa.Column("profile_id", sa.BigInteger(), nullable=False),
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=False) for name in places),
        sa.PrimaryKeyConstraint("profile_id", "subject_id"),
        sqlite_with_rowid=False,
    )
    op.create_index("relative_values_ranked", "relative_values", ["subject_id", *places])
    op.create_table(
        "relative_steps",
        sa.Column("subject_id", sa.BigInteger(), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=False) for name in places),
        sa.Column("profiles", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("subject_id", *places),
        sqlite_with_rowid=False,
    )
