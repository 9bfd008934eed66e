"""The schema's versions, applied by Alembic (``store.migrate``)."""
