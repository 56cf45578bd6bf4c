"""Opening the database: SQLite in SALESBOT_HOME, or PostgreSQL by URL.

What the rest of the room relies on is set here and, on SQLite, read back: a commit is on the disk
before it returns, nothing waits without end, and nobody else can read the files. The schema is
brought up by `migrate`, one process at a time; `check_schema` refuses to work on another one.
"""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import ArgumentError

from salesbot_pipelines.errors import SettingsError, StateError, StateOutdated
from salesbot_pipelines.settings import Settings
from salesbot_pipelines.state.files import exclusive_lock, private_file, private_folder
from salesbot_pipelines.state.tables import SCHEMA_REVISION
from salesbot_pipelines.state.transactions import READ_ONLY, reading, translated

BUSY_TIMEOUT_MILLISECONDS = 1000
"""SQLite's own wait for a lock. The default of five seconds would break Shopify's limit of five for an answer."""

MIGRATION_WAIT_SECONDS = 60.0
_MIGRATION_LOCK = 0x53414C4553424F54
_OLDEST_SQLITE = (3, 35, 0)  # the first with RETURNING
_PRAGMAS: tuple[tuple[str, str, object], ...] = (
    ("busy_timeout", str(BUSY_TIMEOUT_MILLISECONDS), BUSY_TIMEOUT_MILLISECONDS),
    ("journal_mode", "WAL", "wal"),
    ("synchronous", "FULL", 2),
    ("foreign_keys", "ON", 1),
    ("temp_store", "MEMORY", 2),  # a temporary file would have the umask's mode
)


def open_engine(
    database: Settings | str, home: Path | None = None, *, create: bool = False, wait_seconds: float = 10.0
) -> Engine:
    """Return an engine for the settings' database, or for a URL; an empty URL is SQLite in `home`.

    `create` lets a missing SQLite database be made and migrated; an existing one, and PostgreSQL, are
    left to `migrate`. No single call waits for a lock or a statement longer than `wait_seconds` (the
    receiver asks for less than two). Raises `StateOutdated` when there is no database, `StateError`
    when its files are open to others or SQLite does not keep the promises asked of it.
    """
    if isinstance(database, Settings):
        home, database = home or database.home, database.database_url
    url = _url_of(database, home)
    if url.get_backend_name() == "sqlite":
        return _open_sqlite(url, create=create, wait_seconds=wait_seconds)
    return _open_postgres(url, wait_seconds=wait_seconds)


def check_schema(engine: Engine) -> None:
    """Raise `StateOutdated` unless the schema is the one of this version; changes nothing."""
    with reading(engine) as connection:
        present = _revision(connection)
    if present is None:
        raise StateOutdated("the database is empty")
    if present != SCHEMA_REVISION:
        raise StateOutdated(f"the database's schema is {present}, this version needs {SCHEMA_REVISION}")


def migrate(engine: Engine) -> None:
    """Bring the schema to this version's; do nothing when it is. Safe to call from several processes.

    Raises `StateUnavailable` when another process is still migrating after a minute.
    """
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    with _alone(engine), translated(engine), engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            _wait_for_turn(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def sole_receiver(engine: Engine) -> Iterator[None]:
    """Hold the place of the one receiver on a SQLite database; on PostgreSQL many may run.

    Two receivers on one file reached a third of one's rate and broke connections. Raises
    `StateUnavailable` when another one runs.
    """
    if engine.dialect.name == "postgresql":
        yield
        return
    with exclusive_lock(_beside(engine, ".receiver"), wait_seconds=0.0, what="receives events for this database"):
        yield


def _url_of(database: str, home: Path | None) -> URL:
    if not database:
        if home is None:
            raise SettingsError("neither SALESBOT_DATABASE_URL nor SALESBOT_HOME is given")
        return URL.create("sqlite", database=str(home.absolute() / "state.db"))
    try:
        url = make_url(database)
    except (ArgumentError, ValueError):
        # The text of the cause quotes the URL, and with it the password.
        raise SettingsError("SALESBOT_DATABASE_URL cannot be read as a URL") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise SettingsError("SALESBOT_DATABASE_URL names neither sqlite nor postgresql")
    if url.get_backend_name() == "sqlite" and (url.database or ":").startswith((":", "file:")):
        raise SettingsError("SALESBOT_DATABASE_URL names no plain file for SQLite")
    return url


def _open_sqlite(url: URL, *, create: bool, wait_seconds: float) -> Engine:
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise StateError(f"SQLite {sqlite3.sqlite_version} is too old; 3.35 is needed")
    path = Path(str(url.database)).absolute()
    if not create and not path.exists():
        raise StateOutdated(f"there is no database at {path}")
    private_folder(path.parent)
    private_file(path)
    engine = create_engine(
        url.set(database=str(path)),
        hide_parameters=True,
        pool_timeout=wait_seconds,
        connect_args={"timeout": BUSY_TIMEOUT_MILLISECONDS / 1000},
    )
    event.listen(engine, "connect", prepare_sqlite)
    event.listen(engine, "begin", _begin_within(wait_seconds))
    if create:
        with exclusive_lock(_beside(engine, ".migration"), wait_seconds=MIGRATION_WAIT_SECONDS, what="migrates"):
            fresh = _is_empty(engine)
        if fresh:
            migrate(engine)
    else:
        _is_empty(engine)  # opens a connection, which checks the pragmas
    return engine


def _is_empty(engine: Engine) -> bool:
    with reading(engine) as connection:
        return not inspect(connection).get_table_names()


def prepare_sqlite(dbapi_connection: sqlite3.Connection, _record: object) -> None:
    """Set what the promises need, and read it back: SQLite ignores a pragma it does not like."""
    # The driver's own BEGIN comes too late (at the first write) and not at all before DDL.
    # https://docs.sqlalchemy.org/en/20/dialects/sqlite.html#pysqlite-serializable
    dbapi_connection.isolation_level = None
    for name, value, expected in _PRAGMAS:
        dbapi_connection.execute(f"PRAGMA {name}={value}").close()
        found = dbapi_connection.execute(f"PRAGMA {name}").fetchone()[0]
        if found != expected:
            raise StateError(f"SQLite does not accept {name}={value}: it stays {found}")


def _begin_within(wait_seconds: float) -> Callable[[Connection], None]:
    """Make the listener that opens SQLite's transactions.

    IMMEDIATE unless the transaction only reads: one that reads first and writes later would fail at
    once, without any wait, when another writer came between. Only BEGIN can meet a lock, so only
    BEGIN is repeated, for callers that may wait longer than SQLite's own second.
    """

    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(READ_ONLY):
            connection.exec_driver_sql("BEGIN")
            return
        raw: Any = connection.connection.dbapi_connection
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                raw.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                    raise

    return begin


def _open_postgres(url: URL, *, wait_seconds: float) -> Engine:
    connect_args: dict[str, object] = {
        "application_name": "salesbot",
        # libpq knows no shorter one than two seconds.
        "connect_timeout": max(2, math.ceil(wait_seconds)),
        # A server that vanished without a word is noticed by the kernel.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": max(2000, int(wait_seconds * 1000)),
    }
    try:
        engine = create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_timeout=wait_seconds / 2,
            pool_use_lifo=True,
            connect_args={name: value for name, value in connect_args.items() if name not in url.query},
        )
    except ModuleNotFoundError:
        raise SettingsError(
            "SALESBOT_DATABASE_URL names PostgreSQL, whose driver is not installed",
            advice='pip install "salesbot-pipelines[postgres]"',
        ) from None
    settings = (
        f"SET statement_timeout = {int(wait_seconds * 750)};"
        f"SET lock_timeout = {int(wait_seconds * 500)};"
        # A process that hangs in the middle of a transaction must not hold its locks for ever.
        f"SET idle_in_transaction_session_timeout = {int(wait_seconds * 10_000)};"
        # An acknowledged event is on the disk, whatever the server's default says.
        "SET synchronous_commit = on;"
        "SET TIME ZONE 'UTC'"
    )

    # SET and not the connection's options: a pooler in front of PostgreSQL refuses those.
    def prepare(dbapi_connection: Any, _record: object) -> None:
        with dbapi_connection.cursor() as cursor:
            cursor.execute(settings)
        dbapi_connection.commit()

    event.listen(engine, "connect", prepare)
    return engine


@contextmanager
def _alone(engine: Engine) -> Iterator[None]:
    if engine.dialect.name == "postgresql":
        yield
        return
    with exclusive_lock(_beside(engine, ".migration"), wait_seconds=MIGRATION_WAIT_SECONDS, what="migrates"):
        yield


def _wait_for_turn(connection: Connection) -> None:
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text(f"SET LOCAL lock_timeout = {int(MIGRATION_WAIT_SECONDS * 1000)}"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK})


def _beside(engine: Engine, suffix: str) -> Path:
    path = Path(str(engine.url.database))
    return path.with_name(path.name + suffix)


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision
