"""The two ways into the database, and the edge where its errors become ours.

`reading` sees one moment; `writing` holds SQLite's write lock from its first statement, or commits as
PostgreSQL does. Both turn every error of SQLAlchemy, sqlite3 and psycopg2 into the tree of
`errors.py`. The text of an error names a code and never a statement's values: a driver's own text
may quote a whole row.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from salesbot_pipelines.errors import StateError, StateOutdated, StateUnavailable

READ_ONLY = "salesbot_read_only"
"""The execution option by which SQLite's BEGIN is told apart; see `engine.py`."""

# https://www.sqlite.org/rescode.html
_SQLITE_UNAVAILABLE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        # A full disk meets the shared memory of the log before it meets the log.
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMMAP,
        sqlite3.SQLITE_IOERR_SHMOPEN,
    }
)
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRES_UNAVAILABLE_CLASSES = ("08", "40", "53", "57")
_POSTGRES_UNAVAILABLE = frozenset({"55P03", "25006", "25P03"})
_POSTGRES_OUTDATED = frozenset({"42P01", "42703"})


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads. Raises `StateError` and its kinds."""
    with translated(engine), engine.connect() as connection:
        quiet = connection.execution_options(**{READ_ONLY: True})
        with quiet.begin():
            yield quiet


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that may write, and commit it at the end. Raises `StateError` and its kinds."""
    with translated(engine), engine.begin() as connection:
        yield connection


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Turn the database's errors into ours.

    The cause is cut off (`from None`), for a traceback would print the driver's text.
    """
    driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
    try:
        yield
    except PoolTimeout:
        raise StateUnavailable("the database is unavailable: every connection is in use") from None
    except DBAPIError as error:
        raise translate(error.orig, lost=error.connection_invalidated, engine=engine) from None
    except SQLAlchemyError as error:
        raise StateError(f"the database refused: {type(error).__name__}") from None
    except driver_error as error:
        raise translate(error, lost=False, engine=engine) from None


def translate(error: BaseException | None, *, lost: bool, engine: Engine) -> StateError:
    """Return the error of our tree that says what a driver's error means."""
    if isinstance(error, sqlite3.Error):
        return _from_sqlite(error)
    return _from_postgres(error, lost=lost, engine=engine)


def _from_sqlite(error: sqlite3.Error) -> StateError:
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    name: str = getattr(error, "sqlite_errorname", type(error).__name__)
    if code in _SQLITE_UNAVAILABLE or (code & 0xFF in _SQLITE_UNAVAILABLE):
        return StateUnavailable(f"the database is unavailable: {name}")
    if code == sqlite3.SQLITE_ERROR and str(error).startswith(("no such table", "no such column")):
        return StateOutdated("the database lacks a table or column that this version needs")
    if code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return StateError(f"the database file is damaged: {name}", advice="restore state.db from a backup")
    if code & 0xFF in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY):
        return StateError(f"the disk failed: {name}", advice="stop; check the disk below SALESBOT_HOME")
    return StateError(f"the database refused: {name}")


def _from_postgres(error: Any, *, lost: bool, engine: Engine) -> StateError:
    code: str | None = getattr(error, "pgcode", None)
    name = type(error).__name__
    if code is None:
        if lost or name in ("OperationalError", "InterfaceError"):
            return StateUnavailable(f"the database is unavailable: {_first_line(error, engine)}")
        return StateError(f"the database refused: {name}")
    if code in _POSTGRES_UNAVAILABLE or code.startswith(_POSTGRES_UNAVAILABLE_CLASSES):
        return StateUnavailable(f"the database is unavailable: {name} ({code})")
    if code in _POSTGRES_OUTDATED:
        return StateOutdated("the database lacks a table or column that this version needs")
    return StateError(f"the database refused: {name} ({code})")


def _first_line(error: Any, engine: Engine) -> str:
    """What libpq says of a connection it could not open or keep: host, port and user, no statement."""
    text = str(error).strip().partition("\n")[0]
    password = engine.url.password
    return text.replace(password, "***") if password else text
