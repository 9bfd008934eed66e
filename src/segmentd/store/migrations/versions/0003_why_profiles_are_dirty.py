"""Why profiles must be evaluated: the cause of the changes that come of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; of the marks that are there it is not known."""
    cause = sa.Column("cause", sa.String(), nullable=False, server_default="data")
    op.add_column("dirty", cause)
