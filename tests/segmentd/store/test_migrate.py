"""The schema: made, upgraded, checked, refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from segmentd.domain.errors import ConfigError, SchemaError
from segmentd.store import migrate
from segmentd.store.engine import Database, create_file
from segmentd.store.tables import CursorRow


def test_upgrade_makes_a_database_that_is_current(store_url: str) -> None:
    assert migrate.upgrade(store_url) is None
    assert migrate.check(store_url) == migrate.revisions()[-1]
    assert migrate.upgrade(store_url) == migrate.revisions()[-1]


def test_the_migrations_make_what_the_tables_say(store_url: str) -> None:
    migrate.upgrade(store_url)
    database = Database(store_url)
    with database.read() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, CursorRow.metadata) == []
    database.close()


def test_the_migrations_write_the_same_schema_as_the_tables(tmp_path: Path) -> None:
    """Beyond what alembic compares: primary keys, partial indexes, tables without row ids."""
    migrated, direct = tmp_path / "migrated.db", tmp_path / "direct.db"
    migrate.upgrade(f"sqlite:///{migrated}")
    engine = create_engine(f"sqlite:///{direct}")
    CursorRow.metadata.create_all(engine)
    engine.dispose()
    assert _schema(migrated) == _schema(direct)


def test_the_included_columns_are_the_same_on_postgresql(postgres_url: str) -> None:
    migrate.upgrade(postgres_url)
    database = Database(postgres_url)
    query = text("SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'")
    with database.read() as connection:
        migrated = {row.indexname: row.indexdef for row in connection.execute(query)}
    with database.write() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
        CursorRow.metadata.create_all(connection)
        direct = {row.indexname: row.indexdef for row in connection.execute(query)}
    database.close()
    assert {k: v for k, v in migrated.items() if k != "alembic_version_pkc"} == direct


def test_the_file_is_for_us_alone(tmp_path: Path) -> None:
    previous = os.umask(0)
    try:
        migrate.upgrade(f"sqlite:///{tmp_path / 'segmentd.db'}")
    finally:
        os.umask(previous)
    assert [path.name for path in tmp_path.iterdir()] == ["segmentd.db"]
    assert stat.S_IMODE((tmp_path / "segmentd.db").stat().st_mode) == 0o600


def test_a_newer_database_is_refused_untouched(store_url: str) -> None:
    migrate.upgrade(store_url)
    _execute(store_url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaError, match="9999, newer"):
        migrate.upgrade(store_url)
    with pytest.raises(SchemaError, match="9999"):
        migrate.check(store_url)


def test_somebody_elses_database_is_refused(store_url: str) -> None:
    if store_url.startswith("sqlite"):
        create_file(Path(store_url.removeprefix("sqlite:///")))
    _execute(store_url, "CREATE TABLE theirs (id INTEGER)")
    with pytest.raises(SchemaError, match="not segmentd's"):
        migrate.upgrade(store_url)


def test_an_empty_file_hides_no_loss(tmp_path: Path) -> None:
    path = tmp_path / "segmentd.db"
    path.touch()
    with pytest.raises(ConfigError, match="empty file"):
        migrate.upgrade(f"sqlite:///{path}")
    assert path.stat().st_size == 0


def test_a_migration_that_fails_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "segmentd.db"
    monkeypatch.setattr(migrate, "MIGRATIONS", _broken_migrations(tmp_path / "migrations"))
    with pytest.raises(ZeroDivisionError):
        migrate.upgrade(f"sqlite:///{path}")
    assert not path.exists()


def test_an_upgrade_that_fails_changes_nothing(
    store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate.upgrade(store_url)
    broken = _broken_migrations(tmp_path / "migrations", "0002", "0001")
    first = next((migrate.MIGRATIONS / "versions").glob("0001*.py"))
    (broken / "versions" / first.name).write_text(first.read_text())
    monkeypatch.setattr(migrate, "MIGRATIONS", broken)
    with pytest.raises(ZeroDivisionError):
        migrate.upgrade(store_url)
    monkeypatch.undo()
    assert migrate.check(store_url) == migrate.revisions()[-1]
    _execute(store_url, "CREATE TABLE half (id INTEGER)")


def test_the_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        migrate.upgrade(f"sqlite:///{tmp_path / 'nowhere' / 'segmentd.db'}")


def _broken_migrations(folder: Path, revision: str = "0001", below: str | None = None) -> Path:
    (folder / "versions").mkdir(parents=True)
    (folder / "env.py").write_text((migrate.MIGRATIONS / "env.py").read_text())
    (folder / "versions" / f"{revision}_broken.py").write_text(
        f"from alembic import op\nrevision = {revision!r}\ndown_revision = {below!r}\n"
        "def upgrade():\n    op.execute('CREATE TABLE half (id INTEGER)')\n    1 / 0\n"
    )
    return folder


def _execute(url: str, statement: str) -> None:
    database = Database(url)
    with database.write() as connection:
        connection.execute(text(statement))
    database.close()


def _parts(sql: str) -> tuple[str, ...]:
    head, _, body = " ".join(sql.split()).partition("(")
    body, _, tail = body.rpartition(")")
    return (head, *sorted(part.strip() for part in body.split(", ")), tail)


def _schema(path: Path) -> set[tuple[str, ...]]:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
        # alembic writes the constraints of a table in another order
        found = {_parts(row.sql) for row in rows if "alembic_version" not in row.sql}
    engine.dispose()
    return found
