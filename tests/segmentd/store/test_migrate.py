"""The schema: made, upgraded, checked, refused."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from segmentd.domain.errors import ConfigError, SchemaError
from segmentd.domain.records import OrderLine, Product
from segmentd.store import migrate, open_store
from segmentd.store.engine import Database, create_file
from segmentd.store.tables import CursorRow
from shop_in_store import NOW, Shop, customer, order, rows


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
    newest = migrate.revisions()[-1]
    broken = _broken_migrations(tmp_path / "migrations", "9999", newest)
    for good in (migrate.MIGRATIONS / "versions").glob("[0-9]*.py"):
        (broken / "versions" / good.name).write_text(good.read_text())
    monkeypatch.setattr(migrate, "MIGRATIONS", broken)
    with pytest.raises(ZeroDivisionError):
        migrate.upgrade(store_url)
    monkeypatch.undo()
    assert migrate.check(store_url) == migrate.revisions()[-1]
    _execute(store_url, "CREATE TABLE half (id INTEGER)")


def test_the_folder_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        migrate.upgrade(f"sqlite:///{tmp_path / 'nowhere' / 'segmentd.db'}")


def test_a_store_of_the_first_version_keeps_its_rows(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make_first_version(store_url, monkeypatch)
    before = _counts(store_url)
    assert migrate.upgrade(store_url) == "0001"
    assert migrate.check(store_url) == migrate.revisions()[-1]
    moved = before.pop("checkouts")
    values = before.pop("relative_values")
    after = {table: count for table, count in _counts(store_url).items() if table in before}
    assert before | {"events": before["events"] + moved} == after
    assert values
    with open_store(store_url) as store:
        assert rows(store, "SELECT discount, amount FROM order_lines") == [(None, 900)]
        ((remote_id, name, amount),) = rows(
            store, "SELECT remote_id, name, amount FROM events WHERE amount IS NOT NULL"
        )
        assert (remote_id, name, amount) == ("checkout:c1", "checkout", 700)
        frames = store.frames([1])
        # what is not there is computed of everybody by the next pass
        assert store.population("amount_spent").count() == 0
        assert store.thresholds() == {"FITTED at_risk_days": "90d"}
        assert len(store.thresholds_at(NOW)) == 2
    assert frames.orders["discount"].tolist() == [100.0]
    assert frames.lines["discount"].isna().all()
    assert frames.memberships["segment"].tolist() == ["vip"]


def test_lists_that_are_too_long_for_the_index_are_cut(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _make_first_version(store_url, monkeypatch)
    long = "\n" + "\n".join(f"größe-{n}" for n in range(200)) + "\n"
    one = "\n" + "ö" * 1000 + "\n"
    with closing(Database(store_url)) as database, database.write() as connection:
        connection.execute(
            text("UPDATE orders SET tags = :tags, discount_codes = :codes"),
            {"tags": long, "codes": one},
        )
    migrate.upgrade(store_url)
    with open_store(store_url) as store:
        ((tags, codes),) = rows(store, "SELECT tags, discount_codes FROM orders")
    assert long.startswith(tags)
    assert tags.endswith("\n")
    assert 900 < len(tags.encode()) <= 960
    assert codes == ""


def test_what_comes_again_after_the_upgrade_is_written_anew(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The hashes are those that the first version gave to these very records."""
    _make_first_version(store_url, monkeypatch)
    for table, content in _FIRST_HASHES.items():
        hex_code = f"x'{content}'" if store_url.startswith("sqlite") else f"'\\x{content}'"
        _execute(store_url, f"UPDATE {table} SET hash = {hex_code}")
    with open_store(store_url) as store:
        shop = Shop(store)
        records = (customer("7"), order("o1", "7", lines=[OrderLine("1", None, 1, 900)]))
        assert shop.save(*records, Product("p1")).written == 3
        assert rows(store, "SELECT discount, amount FROM order_lines") == [(0, 900)]


def _make_first_version(url: str, patch: pytest.MonkeyPatch) -> None:
    """A database as the first version left it, with a row in each table that changes."""
    with patch.context() as context:
        context.setattr(migrate, "revisions", lambda: ["0001"])
        context.setattr(command, "upgrade", partial(_upgrade_to, command.upgrade, "0001"))
        assert migrate.upgrade(url) is None
    for statement in _FIRST_ROWS.split(";"):
        _execute(url, _spell(statement, sqlite=url.startswith("sqlite")))


def _upgrade_to(upgrade: Callable[..., None], revision: str, config: Config, _head: str) -> None:
    upgrade(config, revision)


_FIRST_HASHES = {
    "customers": "e1260aed96aa7700b25101874684d0ef",
    "orders": "9016c7fc56713e6af514a04ad6942613",
    "products": "f4070a03ca3535d52cb3451a438c3a05",
}
_FIRST_ROWS = """
INSERT INTO profiles (profile_id, source, customer_id, tags, touched)
VALUES (1, 'shop', '7', '', 1);
INSERT INTO customers (row_id, source, customer_id, profile_id, guest, tag_keys, hash)
VALUES (1, 'shop', '7', 1, 0, '', HASH);
INSERT INTO orders (order_id, source, remote_id, profile_id, customer_id, placed_at, updated_at,
                    counted, fx_missing, total, currency, discount, paid, test, channel, country,
                    discount_codes, tags, hash)
VALUES (1, 'shop', 'o1', 1, '7', AT, AT, 1, 0, 900, 'EUR', 100, 1, 0, 'web', 'DE', '', '', HASH);
INSERT INTO order_lines (profile_id, order_id, line, placed_at, counted, fx_missing, product_id,
                         quantity, amount)
VALUES (1, 1, 0, AT, 1, 0, -1, 1, 900);
INSERT INTO products (product_id, source, remote_id, tags, categories, hash)
VALUES (1, 'shop', 'p1', '', '', HASH);
INSERT INTO product_history (product_id, since, tags, categories) VALUES (1, AT, '', '');
INSERT INTO events (source, remote_id, profile_id, name, at, properties)
VALUES ('shop', 'c1', 1, 'Viewed Product', AT, '');
INSERT INTO checkouts (source, remote_id, profile_id, created_at, updated_at, total)
VALUES ('shop', 'c1', 1, AT, AT, 700);
INSERT INTO memberships (profile_id, segment, since, cause) VALUES (1, 'vip', AT, 'data');
INSERT INTO membership_changes (change_id, profile_id, segment, entered, at, cause)
VALUES (1, 1, 'vip', 1, AT, 'data');
INSERT INTO thresholds (expression, at, threshold, current)
VALUES ('TOP 10% amount_spent', AT, '9.0', 1), ('FITTED at_risk_days', AT, '90d', 1);
INSERT INTO relative_values (expression, profile_id, value, orders)
VALUES ('TOP 10% amount_spent', 1, 9.0, 1.0)
"""


def _spell(statement: str, *, sqlite: bool) -> str:
    at, content = ("0", "x''") if sqlite else ("'1970-01-01T00:00:00Z'", "''")
    return statement.replace("AT,", f"{at},").replace("HASH", content)


def _counts(url: str) -> dict[str, int]:
    with closing(Database(url)) as database, database.read() as connection:
        return {
            table: int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar() or 0)
            for table in inspect(connection).get_table_names()
        }


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
