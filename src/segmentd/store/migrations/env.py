"""Run by Alembic: migrates over the connection, and inside of the transaction, that it is given."""

from __future__ import annotations

from alembic import context

from segmentd.store.tables import CursorRow

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=CursorRow.metadata,
    # SQLite cannot alter a column: the table is written anew
    render_as_batch=True,
)
context.run_migrations()
