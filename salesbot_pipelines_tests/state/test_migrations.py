"""The migrations build the schema that the code has in mind, once, whoever runs them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, inspect, text

import salesbot_pipelines.state.migrations as migrations
from salesbot_pipelines.errors import StateOutdated, StateUnavailable
from salesbot_pipelines.state.engine import check_schema, migrate, open_engine
from salesbot_pipelines.state.files import exclusive_lock
from salesbot_pipelines.state.tables import SCHEMA_REVISION, metadata
from salesbot_pipelines.state.transactions import reading, writing
from salesbot_pipelines_tests.postgres import Server
from salesbot_pipelines_tests.state import processes


@pytest.fixture
def fresh_database(server: Server) -> Iterator[str]:
    """The URL of a PostgreSQL database with nothing in it."""
    name = f"fresh_{uuid.uuid4().hex}"
    admin = create_engine(server.url(), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.url(name)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def test_the_code_names_the_newest_migration() -> None:
    scripts = ScriptDirectory(str(Path(migrations.__file__).parent))
    assert scripts.get_heads() == [SCHEMA_REVISION]


def test_alembic_sees_no_difference(engine: Engine) -> None:
    # SQLite has no identity columns, so the default that Alembic compares is not there.
    compared = engine.dialect.name == "postgresql"
    with reading(engine) as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": compared}
        )
        assert compare_metadata(context, metadata) == []


def described(engine: Engine) -> dict[str, object]:
    """What the database itself says of every table, constraints and defaults included."""
    with reading(engine) as connection:
        found = inspect(connection)
        return {
            table: {
                "columns": [{**column, "type": str(column["type"])} for column in found.get_columns(table)],
                "key": found.get_pk_constraint(table),
                "unique": sorted(map(str, found.get_unique_constraints(table))),
                "foreign": sorted(map(str, found.get_foreign_keys(table))),
                "checks": sorted(map(str, found.get_check_constraints(table))),
                "indexes": sorted(map(str, found.get_indexes(table))),
            }
            for table in sorted(found.get_table_names())
            if table != "alembic_version"
        }


def test_the_metadata_and_the_migrations_build_the_same_on_sqlite(sqlite_engine: Engine, tmp_path: Path) -> None:
    other = create_engine(f"sqlite:///{tmp_path}/other.db")
    metadata.create_all(other)
    assert described(sqlite_engine) == described(other)
    other.dispose()


@pytest.mark.postgres
def test_the_metadata_and_the_migrations_build_the_same_on_postgres(
    postgres_engine: Engine, fresh_database: str
) -> None:
    other = create_engine(fresh_database)
    metadata.create_all(other)
    assert described(postgres_engine) == described(other)
    other.dispose()


def test_row_numbers_are_never_used_twice_on_sqlite(sqlite_engine: Engine) -> None:
    with reading(sqlite_engine) as connection:
        numbered = {
            row.name
            for row in connection.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'"))
            if "AUTOINCREMENT" in row.sql
        }
    assert numbered == {"installs", "inbox", "control_events", "audit"}


def test_a_second_run_changes_nothing(engine: Engine) -> None:
    before = described(engine)
    migrate(engine)
    check_schema(engine)
    assert described(engine) == before


@pytest.mark.postgres
def test_an_empty_postgres_is_not_touched_by_opening_it(fresh_database: str) -> None:
    engine = open_engine(fresh_database, create=True)
    with pytest.raises(StateOutdated, match="empty"):
        check_schema(engine)
    migrate(engine)
    check_schema(engine)
    engine.dispose()


def test_another_schema_is_refused(engine: Engine) -> None:
    with writing(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    try:
        with pytest.raises(StateOutdated, match="9999"):
            check_schema(engine)
    finally:
        with writing(engine) as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :new"), {"new": SCHEMA_REVISION})


def test_a_step_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    (home / "state.db").touch(mode=0o600)
    engine = open_engine("", home)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE oauth_states (in_the_way INTEGER)"))
    with pytest.raises(Exception, match="refused"):
        migrate(engine)
    with reading(engine) as connection:
        assert inspect(connection).get_table_names() == ["oauth_states"]


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_two_processes_migrate_one_after_the_other(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    url = f"sqlite:///{tmp_path}/home/state.db" if kind == "sqlite" else request.getfixturevalue("fresh_database")
    with processes.two() as pool:
        assert list(pool.map(processes.open_and_migrate, [url, url])) == ["ok", "ok"]


def test_a_process_that_migrates_too_long_is_reported(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("salesbot_pipelines.state.engine.MIGRATION_WAIT_SECONDS", 0.1)
    engine = open_engine("", home)
    with (
        exclusive_lock(home / "state.db.migration", wait_seconds=0, what="migrates"),
        pytest.raises(StateUnavailable, match="migrates"),
    ):
        migrate(engine)
