"""The database is locked, full, broken, restarted, hung: 503 within two seconds, and back again without a hand."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import shutil
import sqlite3
import subprocess
import threading
import time

import httpx
import pytest
from sqlalchemy import text

from salesbot_pipelines.cli.processes import free_port
from salesbot_pipelines.state.key_file import new_key
from salesbot_pipelines_tests import needs
from salesbot_pipelines_tests.needs import do_without
from salesbot_pipelines_tests.postgres import missing_programs, postgres_server
from salesbot_pipelines_tests.receiver.harness import SHOP
from salesbot_pipelines_tests.receiver.load import Clients, receiver_process
from salesbot_pipelines_tests.receiver.place import SHOPS, Site


def test_a_locked_database_is_told_within_two_seconds_and_recovered_from(site):
    with site.running():
        assert site.post()[0] == 200
        with contextlib.closing(sqlite3.connect(site.settings.home / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            results = [site.post() for _ in range(2)]
            ready = httpx.get(f"http://127.0.0.1:{site.port}/readyz", trust_env=False, verify=False)
            alive = httpx.get(f"http://127.0.0.1:{site.port}/healthz", trust_env=False, verify=False)
            login = httpx.get(f"http://127.0.0.1:{site.port}/shopify/{SHOP}/login", trust_env=False, verify=False)
            other.execute("ROLLBACK")
        assert [status for status, _ in results] == [503, 503]
        assert max(seconds for _, seconds in results) < 2.0
        assert (ready.status_code, alive.status_code, login.status_code) == (503, 200, 503)
        assert "retry-after" in login.headers
        assert site.post()[0] == 200
    assert len(site.stored()) == 2


def test_many_at_once_behind_a_lock_all_learn_it_within_two_seconds(site):
    with site.running():
        with contextlib.closing(sqlite3.connect(site.settings.home / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            clients = site.send_for(2.5, "locked", connections=32)
            other.execute("ROLLBACK")
        assert clients.seen.kept == set()
        assert set(clients.seen.refused.values()) == {503}
        assert clients.seen.slowest_seconds < 2.0
        assert site.post()[0] == 200


@pytest.fixture
def small_disk(tmp_path):
    with needs.small_disk(tmp_path / "disk", 3) as folder:
        yield folder


def wait_for_readiness(site: Site, status: int) -> None:
    """An answer about readiness is given again for half a second; then it must be the new one."""
    deadline = time.monotonic() + 20.0
    while httpx.get(f"http://127.0.0.1:{site.port}/readyz", trust_env=False, verify=False).status_code != status:
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_full_disk_is_told_and_recovered_from(small_disk, tmp_path):
    site = Site(small_disk / "home", tmp_path / "log")
    with site.running():
        assert site.post()[0] == 200
        filler = small_disk / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 4096)
        results = [site.post(webhook_id=f"full-{number}") for number in range(200)]
        statuses = {status for status, _ in results}
        assert 503 in statuses
        assert statuses <= {200, 503}
        assert max(seconds for _, seconds in results) < 2.0
        kept = {f"full-{number}" for number, (status, _) in enumerate(results) if status == 200}
        wait_for_readiness(site, 503)
        filler.unlink()
        assert site.post()[0] == 200
        wait_for_readiness(site, 200)
    site.assert_consistent(kept)
    site.engine.dispose()


def test_a_disk_that_fails_stops_the_receiver_for_good(site):
    with site.running() as process:
        assert site.post()[0] == 200
        size = (site.settings.home / "state.db-wal").stat().st_size
        # From here on the kernel refuses to let its files grow: SQLite meets a write that fails.
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (size, size))
        clients = site.send_for(3, "failing", connections=4)
        assert clients.seen.kept == set()
        assert process.wait(12) == 1
    assert site.lines("broken")
    # A new process finds everything that was acknowledged, and goes on.
    with site.running():
        assert site.post()[0] == 200
    assert len(site.stored()) == 2


def test_the_answer_follows_the_sync(site, tmp_path):
    if shutil.which("strace") is None:
        do_without("the order of sync and answer is seen by strace, which is not installed (Debian: strace)")
    trace = tmp_path / "trace"
    with site.running() as process:
        site.post()
        strace = subprocess.Popen(
            [
                "strace",
                "-f",
                "-qq",
                "-tt",
                "-e",
                "trace=fdatasync,fsync,sendto,write,writev,sendmsg",
                "-o",
                trace,
                "-p",
                str(process.pid),
            ],
            stderr=subprocess.DEVNULL,
        )
        time.sleep(1)
        try:
            status, _ = site.post(webhook_id="traced")
        finally:
            strace.terminate()
            strace.wait(10)
    if not trace.exists() or not trace.stat().st_size:
        do_without("strace shows the order of sync and answer, and was not let: allow ptrace (SYS_PTRACE)")
    assert status == 200
    calls = trace.read_text().splitlines()
    answer = next(number for number, call in enumerate(calls) if "HTTP/1.1 200" in call)
    assert any("sync(" in call for call in calls[:answer])


# ---- PostgreSQL --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres():
    if why := missing_programs():
        do_without(why)
    with postgres_server() as server:
        yield server


@pytest.fixture
def postgres_site(postgres, tmp_path):
    import psycopg2

    name = f"receiver_{free_port()}"
    connection = psycopg2.connect(host="127.0.0.1", port=postgres.port, user="salesbot", dbname="postgres")
    connection.autocommit = True
    connection.cursor().execute(f"CREATE DATABASE {name}")
    connection.close()
    site = Site(
        tmp_path / "home",
        tmp_path / "log",
        SALESBOT_DATABASE_URL=postgres.url(name),
        SALESBOT_ENCRYPTION_KEYS=new_key(),
    )
    yield site
    site.engine.dispose()


@pytest.mark.postgres
def test_two_receivers_on_postgres_lose_and_double_nothing(postgres_site):
    site, other = postgres_site, free_port()
    with site.running() as first, receiver_process(site.environ, other, site.log):
        clients = [Clients(port, f"from-{port}", shops=SHOPS) for port in (site.port, other)]

        async def both() -> None:
            await asyncio.gather(*(client.send_for(1.5) for client in clients))

        threading.Timer(0.7, first.kill).start()
        asyncio.run(both())
        assert all(client.seen.kept for client in clients)
        site.assert_consistent(clients[0].seen.kept | clients[1].seen.kept)


@pytest.mark.postgres
def test_postgres_restarted_under_load(postgres, postgres_site):
    site = postgres_site
    with site.running():
        assert site.post()[0] == 200
        postgres.stop()
        results = [site.post() for _ in range(3)]
        postgres.start()
        assert [status for status, _ in results] == [503] * 3
        assert max(seconds for _, seconds in results) < 2.0
        deadline = time.monotonic() + 10
        while site.post()[0] != 200:
            assert time.monotonic() < deadline
        assert httpx.get(f"http://127.0.0.1:{site.port}/readyz", trust_env=False, verify=False).status_code == 200
    site.engine.dispose()
    assert len(site.stored()) == 2


@pytest.mark.postgres
def test_a_postgres_that_hangs(postgres_site):
    site = postgres_site
    with site.running():
        assert site.post()[0] == 200
        with site.engine.begin() as connection:
            connection.execute(text("LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE"))
            results = [site.post() for _ in range(3)]
        assert [status for status, _ in results] == [503] * 3
        assert max(seconds for _, seconds in results) < 2.0
        assert site.post()[0] == 200
