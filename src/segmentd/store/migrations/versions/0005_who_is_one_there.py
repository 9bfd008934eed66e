"""Ledger entries by the id at the destination: two of ours may be one there."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Tags have no such id, and cost nothing."""
    op.create_index(
        "ledger_remote",
        "ledger",
        ["remote_id"],
        sqlite_where=sa.text("remote_id IS NOT NULL"),
        postgresql_where=sa.text("remote_id IS NOT NULL"),
    )
