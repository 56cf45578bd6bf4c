"""The database is opened with the promises it must keep, and its errors become ours."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import pytest
from sqlalchemy import Engine, Executable, event, inspect, select, text, update

from salesbot_pipelines.errors import SettingsError, StateError, StateOutdated, StateUnavailable
from salesbot_pipelines.settings import load_settings
from salesbot_pipelines.state.engine import check_schema, open_engine, prepare_sqlite, sole_receiver
from salesbot_pipelines.state.tables import audit, counters, installs
from salesbot_pipelines.state.transactions import reading, writing
from salesbot_pipelines_tests.postgres import Server, postgres_server


def count_once(engine: Engine, name: str = "tests") -> None:
    with writing(engine) as connection:
        connection.execute(counters.insert().values(name=name, total=1))


def write(engine: Engine, *statements: Executable) -> None:
    with writing(engine) as connection:
        for statement in statements:
            connection.execute(statement)


def modes(folder: Path) -> dict[str, int]:
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}


class TestFilesOfOurOwn:
    def test_nobody_else_can_read_them_under_any_umask(self, tmp_path: Path) -> None:
        home = tmp_path / "deep" / "home"
        program = (
            "import os, sys, pathlib; os.umask(0);"
            "from salesbot_pipelines.state.engine import open_engine;"
            "engine = open_engine('', pathlib.Path(sys.argv[1]), create=True);"
            "connection = engine.connect(); connection.exec_driver_sql('SELECT 1');"
            "home = pathlib.Path(sys.argv[1]);"
            "print(sorted((p.name, oct(p.stat().st_mode & 0o777)) for p in [home, home.parent, *home.iterdir()]))"
        )
        ran = subprocess.run([sys.executable, "-c", program, str(home)], capture_output=True, text=True, check=True)
        assert eval(ran.stdout) == [
            ("deep", "0o700"),
            ("home", "0o700"),
            ("state.db", "0o600"),
            ("state.db-shm", "0o600"),
            ("state.db-wal", "0o600"),
            ("state.db.migration", "0o600"),
        ]

    def test_modes_that_are_too_open_are_tightened(self, home: Path) -> None:
        home.chmod(0o755)
        (home / "state.db").chmod(0o644)
        open_engine("", home).dispose()
        assert stat.S_IMODE(home.stat().st_mode) == 0o700
        assert modes(home)["state.db"] == 0o600

    @pytest.mark.parametrize("mode", [0o777, 0o1777, 0o770, 0o702])
    def test_a_folder_that_others_may_write_is_refused(self, home: Path, mode: int) -> None:
        home.chmod(mode)
        with pytest.raises(StateError, match="open to others"):
            open_engine("", home)
        assert stat.S_IMODE(home.stat().st_mode) == mode

    def test_a_file_in_the_folders_place_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "home").write_text("")
        with pytest.raises(StateError, match="home"):
            open_engine("", tmp_path / "home", create=True)

    def test_a_folder_that_cannot_be_made_is_refused(self) -> None:
        with pytest.raises(StateError, match="/proc/nothing"):
            open_engine("", Path("/proc/nothing"), create=True)

    def test_a_database_that_cannot_be_opened_is_refused(self, tmp_path: Path) -> None:
        tmp_path.chmod(0o700)
        (tmp_path / "state.db").mkdir()
        with pytest.raises(StateError, match=r"state\.db"):
            open_engine("", tmp_path, create=True)


class TestSqlite:
    def test_a_commit_is_on_the_disk_and_waits_are_short(self, sqlite_engine: Engine) -> None:
        with sqlite_engine.connect() as connection:
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "busy_timeout", "foreign_keys")
            }
        assert found == {"journal_mode": "wal", "synchronous": 2, "busy_timeout": 1000, "foreign_keys": 1}

    def test_a_promise_that_sqlite_does_not_keep_stops_the_start(self) -> None:
        # A database in memory cannot be turned to WAL, and SQLite says so only when asked.
        with contextlib.closing(sqlite3.connect(":memory:")) as raw, pytest.raises(StateError, match="stays memory"):
            prepare_sqlite(raw, None)

    def test_one_too_old_is_refused(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 34, 1))
        with pytest.raises(StateError, match="too old"):
            open_engine("", home)

    def test_a_missing_database_is_made_only_when_that_is_asked(self, tmp_path: Path) -> None:
        home = tmp_path / "home"
        with pytest.raises(StateOutdated, match="no database") as caught:
            open_engine("", home)
        assert "salesbot migrate" in caught.value.advice
        assert not home.exists()
        engine = open_engine("", home, create=True)
        check_schema(engine)
        open_engine("", home, create=True).dispose()

    def test_settings_say_where_it_lies(self, home: Path) -> None:
        settings = load_settings({"SALESBOT_HOME": str(home)})
        engine = open_engine(settings)
        assert engine.url.database == str(home / "state.db")

    def test_a_writer_waits_its_second_and_says_busy(self, home: Path) -> None:
        engine = open_engine("", home, wait_seconds=1.0)
        with contextlib.closing(sqlite3.connect(home / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with pytest.raises(StateUnavailable, match="SQLITE_BUSY"):
                count_once(engine)
            assert time.monotonic() - began < 2
            with reading(engine) as connection:
                connection.execute(select(counters)).all()
            other.execute("ROLLBACK")
        count_once(engine)

    def test_a_patient_writer_outlasts_a_lock_of_more_than_a_second(self, home: Path) -> None:
        engine = open_engine("", home, wait_seconds=10.0)
        other = sqlite3.connect(home / "state.db", isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(1.5, other.execute, ["ROLLBACK"])
        timer.start()
        count_once(engine)
        timer.join()
        other.close()

    def test_a_transaction_that_reads_first_can_still_write(self, home: Path) -> None:
        # With a deferred BEGIN the second of these fails at once, without any wait.
        engine = open_engine("", home)
        failures: list[BaseException] = []

        def read_then_write() -> None:
            try:
                for _ in range(20):
                    with writing(engine) as connection:
                        total = connection.execute(select(counters.c.total)).scalar_one()
                        connection.execute(update(counters).values(total=total + 1))
            except StateError as error:
                failures.append(error)

        count_once(engine)
        threads = [threading.Thread(target=read_then_write) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        with reading(engine) as connection:
            assert connection.execute(select(counters.c.total)).scalar_one() == 61

    def test_ddl_is_rolled_back_too(self, sqlite_engine: Engine) -> None:
        with pytest.raises(StateError):
            write(sqlite_engine, text("CREATE TABLE half (done INTEGER)"), text("SELEKT"))
        with reading(sqlite_engine) as connection:
            assert not inspect(connection).has_table("half")

    def test_a_damaged_file_is_named(self, home: Path) -> None:
        (home / "state.db").write_bytes(b"not a database" * 1000)
        with pytest.raises(StateError, match="damaged"):
            open_engine("", home)

    def test_a_full_disk_is_unavailable_and_heals(self, home: Path) -> None:
        engine = open_engine("", home)

        def limit(pages: int) -> None:
            with engine.connect() as connection:
                connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")

        limit(1)
        many = [counters.insert().values(name=f"{number:060}", total=1) for number in range(5000)]
        with pytest.raises(StateUnavailable, match="SQLITE_FULL"):
            write(engine, *many)
        limit(10**6)
        count_once(engine)
        with reading(engine) as connection:
            assert len(connection.execute(select(counters)).all()) == 1

    def test_one_receiver_at_a_time(self, home: Path) -> None:
        first, second = open_engine("", home), open_engine("", home)
        with (
            sole_receiver(first),
            pytest.raises(StateUnavailable, match="receives events"),
            sole_receiver(second),
        ):
            pass
        with sole_receiver(second):
            pass


class TestUrls:
    @pytest.mark.parametrize(
        "url",
        [
            "sqlite://",
            "sqlite:///:memory:",
            "sqlite:///file:x.db?uri=true",
            "mysql://u:geheim@h/d",
            "geheim",
            "://geheim",
        ],
    )
    def test_one_that_cannot_hold_the_state_is_refused_without_quoting_it(self, url: str) -> None:
        with pytest.raises(SettingsError) as caught:
            open_engine(url)
        assert "geheim" not in caught.value.public_text

    def test_neither_url_nor_home_is_refused(self) -> None:
        with pytest.raises(SettingsError, match="SALESBOT_HOME"):
            open_engine("")

    def test_the_missing_driver_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "psycopg2", None)
        with pytest.raises(SettingsError, match="driver") as caught:
            open_engine("postgresql+psycopg2://u:geheim@127.0.0.1:1/d")
        assert "postgres" in caught.value.advice


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

    def test_a_lock_held_by_another_is_unavailable_within_two_seconds(
        self, postgres_engine: Engine, migrated_url: str
    ) -> None:
        count_once(postgres_engine)
        hasty = open_engine(migrated_url, wait_seconds=1.5)
        with writing(postgres_engine) as holder:
            holder.execute(update(counters).values(total=2))
            began = time.monotonic()
            with pytest.raises(StateUnavailable, match="LockNotAvailable"), writing(hasty) as connection:
                connection.execute(update(counters).values(total=3))
            assert time.monotonic() - began < 2
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


def test_the_driver_is_not_imported_for_sqlite(home: Path) -> None:
    program = (
        "import sys, pathlib;"
        "from salesbot_pipelines.state.engine import open_engine, check_schema;"
        "check_schema(open_engine('', pathlib.Path(sys.argv[1])));"
        "print([name for name in ('psycopg2', 'alembic', 'dagster', 'pandas') if name in sys.modules])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, str(home)], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert ran.stdout.strip() == "[]"
