"""Dagster's event log on SQLite, with its connections kept open.

Dagster's own opens each file anew for every event and has SQLAlchemy compile every statement anew: that is most of
what Dagster costs a fleet on SQLite. Files, tables and what is stored in them are Dagster's: a home goes back to the
log it had when `event_log_storage` is left out of its dagster.yaml.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from dagster._core.storage.event_log import SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._serdes import ConfigurableClassData

_MOST_OPEN = 8
"""Files kept open: each run has one of its own, and a webserver looks into many."""


class PooledEventLogStorage(SqliteEventLogStorage):
    """What `SqliteEventLogStorage` is, but for one open connection a file."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines: OrderedDict[str, sqlalchemy.Engine] = OrderedDict()
        self._tables: set[str] = set()
        super().__init__(base_dir, inst_data)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> PooledEventLogStorage:
        """Build it from dagster.yaml."""
        return cls(inst_data=inst_data, **config_value)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[sqlalchemy.Connection]:
        """Give a connection to one file in a transaction, to one thread at a time, as Dagster's own does."""
        with self._db_lock:
            engine = self._engine_of(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def _engine_of(self, shard: str) -> sqlalchemy.Engine:
        if shard in self._engines:
            self._engines.move_to_end(shard)
            return self._engines[shard]
        if len(self._engines) >= _MOST_OPEN:
            self._engines.popitem(last=False)[1].dispose()
        self._engines[shard] = sqlalchemy.create_engine(
            self.conn_string_for_shard(shard),
            # Making a file's tables takes a second connection for a moment.
            pool_size=1,
            max_overflow=-1,
            connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS, "check_same_thread": False},
        )
        return self._engines[shard]

    def has_table(self, table_name: str) -> bool:
        """Say whether there is such a table: asked with each event, and what is there stays."""
        if table_name not in self._tables and super().has_table(table_name):
            self._tables.add(table_name)
        return table_name in self._tables

    def wipe(self) -> None:
        """Remove all events, and the files of runs."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Stop watching, and close the files."""
        super().dispose()
        self._close()

    def _close(self) -> None:
        with self._db_lock:
            while self._engines:
                self._engines.popitem()[1].dispose()
