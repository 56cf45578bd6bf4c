"""The database's errors become ours, on either kind, and it comes back without a hand."""

from __future__ import annotations

import logging
import signal
import sqlite3
import traceback
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, select, text, update

from salesbot_pipelines.errors import StateError, StateOutdated, StateUnavailable
from salesbot_pipelines.state.engine import check_schema, open_engine, sole_receiver
from salesbot_pipelines.state.tables import audit, counters, installs
from salesbot_pipelines.state.transactions import reading, writing
from salesbot_pipelines_tests.postgres import Server, postgres_server
from salesbot_pipelines_tests.state.conftest import count_once, write


class TestErrors:
    SECRET = "shpat_canary"

    def test_none_quotes_a_value(self, engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        row = {
            "shop": "a.myshopify.com", "owner": "o", "status": "installed", "kind": "static", "scopes": "",
            "installed_at": text("CURRENT_TIMESTAMP"), "updated_at": text("CURRENT_TIMESTAMP"),
            "credential": self.SECRET, "key_id": self.SECRET,
        }  # fmt: skip
        with pytest.raises(StateError) as caught:
            write(engine, installs.insert().values(**row), installs.insert().values(**row))
        text_of_all = "".join(traceback.format_exception(caught.value)) + caplog.text
        assert self.SECRET not in text_of_all
        assert not isinstance(caught.value, StateUnavailable)

    def test_a_missing_table_asks_for_the_migration(self, engine: Engine) -> None:
        with pytest.raises(StateOutdated) as caught, reading(engine) as connection:
            connection.execute(text("SELECT * FROM no_such_thing"))
        assert "migrate" in caught.value.advice

    def test_a_missing_column_asks_for_the_migration(self, engine: Engine) -> None:
        with pytest.raises(StateOutdated), reading(engine) as connection:
            connection.execute(text("SELECT no_such_thing FROM counters"))

    def test_broken_sql_is_ours_to_mend(self, engine: Engine) -> None:
        with pytest.raises(StateError) as caught, reading(engine) as connection:
            connection.execute(text("SELEKT"))
        assert not caught.value.retryable

    def test_a_moment_without_zone_is_refused(self, engine: Engine) -> None:
        import datetime

        naive = datetime.datetime(2026, 1, 1)
        with pytest.raises(StateError, match="StatementError"), writing(engine) as connection:
            connection.execute(audit.insert().values(at=naive, shop="a", act="b", note=""))

    def test_other_misuse_is_a_state_error(self, engine: Engine) -> None:
        with pytest.raises(StateError), reading(engine) as connection:
            connection.execute(select(counters.c.total)).scalar_one()

    def test_no_free_connection_is_unavailable(self, home: Path) -> None:
        engine = open_engine("", home, wait_seconds=0.05)
        held = [engine.connect() for _ in range(15)]
        with pytest.raises(StateUnavailable, match="in use"):
            count_once(engine)
        for connection in held:
            connection.close()

    def test_a_failing_disk_says_stop(self, home: Path) -> None:
        engine = open_engine("", home)

        @event.listens_for(engine, "commit")
        def fail(_connection: object) -> None:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR_FSYNC
            error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
            raise error

        with pytest.raises(StateError, match="disk failed") as caught:
            count_once(engine)
        assert not caught.value.retryable
        assert "stop" in caught.value.advice


@pytest.mark.postgres
class TestPostgres:
    def test_nothing_waits_without_end(self, postgres_engine: Engine) -> None:
        with reading(postgres_engine) as connection:
            found = {
                name: connection.execute(text(f"SHOW {name}")).scalar()
                for name in (
                    "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout", "synchronous_commit",
                    "timezone",
                )
            }  # fmt: skip
        assert found == {
            "statement_timeout": "7500ms",
            "lock_timeout": "5s",
            "idle_in_transaction_session_timeout": "100s",
            "synchronous_commit": "on",
            "timezone": "UTC",
        }

    def test_a_lock_held_by_another_is_waited_for_and_then_unavailable(
        self, postgres_engine: Engine, migrated_url: str
    ) -> None:
        count_once(postgres_engine)
        hasty = open_engine(migrated_url, wait_seconds=1.5)
        with writing(postgres_engine) as holder:
            holder.execute(update(counters).values(total=2))
            with pytest.raises(StateUnavailable, match="LockNotAvailable"), writing(hasty) as connection:
                connection.execute(update(counters).values(total=3))
        hasty.dispose()

    def test_a_long_statement_is_cut(self, migrated_url: str) -> None:
        hasty = open_engine(migrated_url, wait_seconds=0.2)
        with pytest.raises(StateUnavailable, match="QueryCanceled"), reading(hasty) as connection:
            connection.execute(text("SELECT pg_sleep(5)"))
        hasty.dispose()

    def test_an_absent_server_is_unavailable_and_the_password_is_not_told(self) -> None:
        engine = open_engine("postgresql+psycopg2://someone:geheim@127.0.0.1:1/salesbot")
        with pytest.raises(StateUnavailable, match="refused") as caught:
            check_schema(engine)
        assert "geheim" not in caught.value.public_text
        assert "geheim" not in repr(engine)

    def test_a_value_that_the_driver_cannot_send_is_not_quoted(self, postgres_engine: Engine) -> None:
        class Canary:
            def __repr__(self) -> str:
                return "geheim"

        with pytest.raises(StateError, match="ProgrammingError") as caught, reading(postgres_engine) as connection:
            connection.exec_driver_sql("SELECT %s", (Canary(),))
        assert not caught.value.retryable
        assert "geheim" not in "".join(traceback.format_exception(caught.value))

    def test_the_urls_own_options_win(self, server: Server) -> None:
        engine = open_engine(server.url() + "?application_name=mine")
        with reading(engine) as connection:
            assert connection.execute(text("SHOW application_name")).scalar() == "mine"
        engine.dispose()

    def test_many_receivers_may_run(self, postgres_engine: Engine) -> None:
        with sole_receiver(postgres_engine), sole_receiver(postgres_engine):
            pass


@pytest.mark.postgres
def test_postgres_comes_back_without_a_hand(server: Server) -> None:
    with postgres_server() as own:
        engine = open_engine(own.url())
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE counters (name text, total int)"))
        count_once(engine, "before")
        # Restarted between two calls: nobody notices.
        own.stop()
        own.start()
        count_once(engine, "after a restart")

        own.stop(signal.SIGQUIT)
        with pytest.raises(StateUnavailable):
            count_once(engine, "while it is away")
        own.start()
        count_once(engine, "after a crash")

        # And when it goes in the middle of a transaction.
        def lose_it() -> None:
            with writing(engine) as connection:
                connection.execute(select(counters)).all()
                own.stop()
                connection.execute(select(counters)).all()

        with pytest.raises(StateUnavailable):
            lose_it()
        own.start()
        with reading(engine) as connection:
            assert len(connection.execute(select(counters)).all()) == 3
        engine.dispose()
