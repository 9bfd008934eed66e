"""Brings a database to this program's schema; the versions are in ``migrations/versions``."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text
from sqlalchemy.engine import URL

from segmentd.domain.errors import ConfigError, SchemaError
from segmentd.store.engine import Database, create_file, parse_url

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"


def revisions() -> list[str]:
    """All versions of the schema, oldest first: the numbers that the files begin with."""
    return sorted(path.name[:4] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def upgrade(url: str) -> str | None:
    """Create or upgrade the database; returns the version it had (None: it was empty).

    SchemaError, with nothing touched, if it is newer than this program.
    """
    parsed = parse_url(url)
    path = Path(str(parsed.database)) if parsed.drivername == "sqlite" else None
    if path is not None and not path.exists():
        _create(parsed, path)
        return None
    database = Database(parsed)
    try:
        return upgrade_database(database)
    finally:
        database.close()


def check(url: str) -> str:
    """The version of the database's schema; SchemaError if it is not the one of this program."""
    database = Database(url)
    try:
        return check_database(database)
    finally:
        database.close()


def check_database(database: Database) -> str:
    """As ``check``, for an open database."""
    _refuse_missing(database)
    with database.read() as connection:
        found = current(connection)
    newest = revisions()[-1]
    if found != newest:
        raise SchemaError(
            f"{database.place} has {_named(found)}, this program needs version {newest}",
            hint="segmentd db upgrade",
        )
    return newest


def upgrade_database(database: Database) -> str | None:
    """As ``upgrade``, for an open database."""
    _refuse_missing(database)
    with database.read() as connection:
        found = current(connection)
    known = revisions()
    if found is not None and found not in known:
        raise SchemaError(
            f"{database.place} has {_named(found)}, newer than this program ({known[-1]}); "
            "nothing was touched",
            hint="install the newer segmentd",
        )
    if found != known[-1]:
        _migrate(database.url)
    return found


def current(connection: Connection) -> str | None:
    """The version that the database says it has; None for an empty one."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" in tables:
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if tables:
        raise SchemaError(
            "the database holds tables that are not segmentd's; give it a database of its own"
        )
    return None


def _named(version: str | None) -> str:
    return "no tables yet" if version is None else f"schema version {version}"


def _refuse_missing(database: Database) -> None:
    """An empty file was a database once: a new one would hide the loss of the old."""
    path = database.path
    if path is None:
        return
    if not path.exists():
        raise ConfigError(f"there is no database {path}", hint="segmentd db upgrade")
    if not path.is_file():
        raise ConfigError(f"{path} is no file; store.url must name one")
    if path.stat().st_size == 0:
        raise ConfigError(
            f"the database {path} is an empty file: restore a backup, or delete it to begin anew"
        )


def _create(url: URL, path: Path) -> None:
    """Build a new file aside and put it in place whole, so that no crash leaves an empty one."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.new")
    aside.unlink(missing_ok=True)
    create_file(aside)
    try:
        _migrate(url.set(database=str(aside)))
        # fails if another process was faster: its database is as good as ours
        with suppress(FileExistsError):
            path.hardlink_to(aside)
    finally:
        for suffix in ("", "-wal", "-shm"):
            aside.with_name(aside.name + suffix).unlink(missing_ok=True)


def _migrate(url: URL) -> None:
    from alembic import command

    database = Database(url, migrating=True)
    try:
        with database.write() as connection:
            command.upgrade(alembic_config(connection), "head")
            if database.sqlite:
                _check_foreign_keys(connection, database.place)
    finally:
        database.close()


def _check_foreign_keys(connection: Connection, place: str) -> None:
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
    if broken is not None:
        raise SchemaError(f"{place}: table {broken[0]} would point at missing rows; not upgraded")


def alembic_config(connection: Connection) -> Config:
    """Alembic's settings for one connection whose transaction is ours."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
