"""The database is opened with the promises it must keep."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, inspect, select, text, update

from salesbot_pipelines.errors import SettingsError, StateError, StateOutdated, StateUnavailable
from salesbot_pipelines.settings import load_settings
from salesbot_pipelines.state.engine import check_schema, open_engine, prepare_sqlite, sole_receiver
from salesbot_pipelines.state.tables import counters
from salesbot_pipelines.state.transactions import reading, writing
from salesbot_pipelines_tests.state.conftest import count_once, write


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
            with pytest.raises(StateUnavailable, match="SQLITE_BUSY"):
                count_once(engine)
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
