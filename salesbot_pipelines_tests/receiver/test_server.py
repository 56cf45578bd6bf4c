"""The receiver as a process: killed, stopped, locked out, out of disk, and its database taken away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy import func, select, text

from salesbot_pipelines.errors import SettingsError, StateUnavailable
from salesbot_pipelines.receiver.limits import READ_SECONDS
from salesbot_pipelines.receiver.server import serve
from salesbot_pipelines.state.credentials import Credential
from salesbot_pipelines.state.encryption import Keyring
from salesbot_pipelines.state.engine import open_engine
from salesbot_pipelines.state.installs import Installs
from salesbot_pipelines.state.key_file import new_key
from salesbot_pipelines.state.tables import inbox, shop_work
from salesbot_pipelines_tests.postgres import missing_programs, postgres_server
from salesbot_pipelines_tests.receiver.harness import (
    API_SECRET,
    OTHER,
    SHOP,
    THIRD,
    delivery,
    make_database,
    settings_for,
)
from salesbot_pipelines_tests.receiver.load import Clients, Process, receiver_process
from salesbot_pipelines_tests.receiver.wire import talk

SHOPS = (SHOP, OTHER, THIRD)
ROUNDS = 20


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Site:
    """A home with a database and three connected shops, and a port for a receiver on it."""

    def __init__(self, home: Path, log: Path, **more: str) -> None:
        self.port = free_port()
        self.settings = settings_for(home, port=self.port, SHOPIFY_SHOP_URL="http://127.0.0.1:9/{shop}", **more)
        self.environ = {
            "SALESBOT_HOME": str(home),
            "SHOPIFY_API_KEY": "key",
            "SHOPIFY_API_SECRET": API_SECRET,
            "SHOPIFY_REDIRECT_URI": f"http://127.0.0.1:{self.port}/shopify/callback",
            "SHOPIFY_WEBHOOK_ADDRESS": f"http://127.0.0.1:{self.port}/shopify/webhook",
            "SHOPIFY_SHOP_URL": "http://127.0.0.1:9/{shop}",
            **more,
        }
        self.log = log
        make_database(self.settings)
        self.engine = open_engine(self.settings)
        keyring = Keyring.from_settings(self.settings)
        keyring.ensure_key_check(self.engine)
        for shop in SHOPS:
            Installs(self.engine, keyring).connect(shop, Credential(kind="static", access_token="unused"))

    def running(self) -> contextlib.AbstractContextManager[Process]:
        return receiver_process(self.environ, self.port, self.log)

    def post(self, **options) -> tuple[int, float]:
        """Deliver one webhook; return the status and how long it took."""
        content, headers = delivery(**options)
        started = time.monotonic()
        answer = httpx.post(
            f"http://127.0.0.1:{self.port}/shopify/webhook",
            content=content,
            headers=headers,
            trust_env=False,
            verify=False,
        )
        if answer.status_code == 503:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.content == b""
        return answer.status_code, time.monotonic() - started

    def send_for(self, seconds: float, run: str, **options) -> Clients:
        clients = Clients(self.port, run, shops=SHOPS, **options)
        asyncio.run(clients.send_for(seconds))
        return clients

    def stored(self) -> list[str]:
        with self.engine.connect() as connection:
            return list(connection.execute(select(inbox.c.webhook_id)).scalars())

    def assert_consistent(self, kept: set[str]) -> None:
        """Every acknowledged event is there once, and every stored event has marked its shop once."""
        stored = self.stored()
        assert kept <= set(stored)
        assert len(stored) == len(set(stored))
        with self.engine.connect() as connection:
            counted = connection.execute(select(inbox.c.shop, func.count()).group_by(inbox.c.shop)).all()
            events = {row[0]: row[1] for row in counted}
            work = connection.execute(select(shop_work.c.shop, shop_work.c.wanted, shop_work.c.done)).all()
        for shop, wanted, done in work:
            assert (wanted, done) == (events.get(shop, 0) + 1, 0)  # 1: the install's own

    def lines(self, event: str) -> list[dict]:
        return [line for line in map(json.loads, self.log.read_text().splitlines()) if line["event"] == event]


@pytest.fixture
def site(tmp_path) -> Site:
    return Site(tmp_path / "home", tmp_path / "log")


# ---- killed ------------------------------------------------------------------------------------------------


def test_nothing_acknowledged_is_lost_when_it_is_killed_under_load(site):
    kept: set[str] = set()
    chance = random.Random(7)
    process = Process(site.environ, site.port, site.log)
    for number in range(ROUNDS):
        process.start()
        clients = Clients(site.port, f"round-{number}", shops=SHOPS)
        killer = threading.Timer(chance.uniform(0.05, 0.35), process.kill)
        killer.start()
        asyncio.run(clients.send_for(10))
        killer.join()
        kept |= clients.seen.kept
    assert len(kept) > ROUNDS
    site.assert_consistent(kept)
    # And it goes on by itself.
    process.start()
    assert site.post()[0] == 200
    process.kill()


# ---- stopped -----------------------------------------------------------------------------------------------


def test_a_stop_under_load_commits_what_waits_and_takes_less_than_ten_seconds(site):
    with site.running() as process:
        clients = Clients(site.port, "stop", shops=SHOPS)
        threading.Timer(0.5, lambda: os.kill(process.pid, signal.SIGTERM)).start()
        asyncio.run(clients.send_for(8))
        started = time.monotonic()
        assert process.wait(10) == 0
        assert time.monotonic() - started < 10
    assert clients.seen.kept
    assert set(clients.seen.refused.values()) <= {503}
    site.assert_consistent(clients.seen.kept)
    assert site.lines("stopped")[-1]["drained"] is True


def test_a_stop_does_not_wait_for_a_client_that_never_ends(site):
    with site.running() as process, socket.create_connection(("127.0.0.1", site.port)) as client:
        client.sendall(b"POST /shopify/webhook HTTP/1.1\r\nHost: a\r\n")
        time.sleep(0.2)
        started = time.monotonic()
        assert process.terminate(12) == 0
        assert time.monotonic() - started < 10


def test_the_process_says_where_it_listens_and_logs_json_alone(site):
    with site.running() as process:
        assert site.post()[0] == 200
        httpx.get(f"http://127.0.0.1:{site.port}/nothing", trust_env=False, verify=False)
        talk(site.port, b"nonsense\r\n\r\n")
        process.terminate()
    assert site.lines("listening")[0]["address"] == f"127.0.0.1:{site.port}"
    routes = [line["route"] for line in site.lines("request")]
    assert "webhook" in routes
    assert "unknown" in routes


# ---- one process a file ------------------------------------------------------------------------------------


def test_a_second_receiver_on_one_sqlite_file_is_refused(site):
    with site.running():
        with pytest.raises(StateUnavailable, match="another process receives events"):
            serve(site.settings, port=0)
        assert site.post()[0] == 200
    # The lock dies with its process.
    with site.running():
        assert site.post()[0] == 200


# ---- settings ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"SHOPIFY_API_SECRET": ""}, "SHOPIFY_API_SECRET"),
        ({"SHOPIFY_API_SECRET": "   "}, "SHOPIFY_API_SECRET"),
        ({"SHOPIFY_API_KEY": ""}, "SHOPIFY_API_KEY"),
        ({"SHOPIFY_WEBHOOK_ADDRESS": ""}, "SHOPIFY_WEBHOOK_ADDRESS"),
        ({"SHOPIFY_REDIRECT_URI": "http://app.example.com/shopify/callback"}, "SHOPIFY_REDIRECT_URI"),
        ({"SHOPIFY_WEBHOOK_ADDRESS": "http://127.0.0.1.example.com/w"}, "SHOPIFY_WEBHOOK_ADDRESS"),
    ],
)
def test_it_does_not_start_without_its_secret_or_with_an_address_in_the_clear(tmp_path, change, name):
    with pytest.raises(SettingsError, match=name):
        serve(settings_for(tmp_path / "home", **change), port=0)


def test_https_addresses_are_fine_and_bring_hsts(tmp_path):
    from salesbot_pipelines_tests.receiver.harness import receiver

    with receiver(tmp_path / "home", SHOPIFY_REDIRECT_URI="https://app.example.com/shopify/callback") as door:
        assert "max-age" in door.http.get("/healthz").headers["strict-transport-security"]


def test_the_room_brings_neither_dagster_nor_pandas():
    program = (
        "import sys; import salesbot_pipelines.receiver.server; "
        "print([name for name in ('dagster', 'pandas', 'salesbot_pipelines.sandbox') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert found.stdout.strip() == "[]"


# ---- slow clients at the real limit ------------------------------------------------------------------------


def test_slow_clients_are_cut_at_five_seconds_and_hold_nobody_up(site):
    content, headers = delivery()
    head = b"POST /shopify/webhook HTTP/1.1\r\nHost: a\r\n" + b"".join(
        f"{name}: {value}\r\n".encode() for name, value in headers.items()
    )
    length = b"Content-Length: %d\r\n\r\n" % len(content)
    slow = {
        "half a head": [head],
        "half a body": [head + length + content[:10]],
        "a dripped body": [head + length, *[piece for byte in content[:30] for piece in (bytes([byte]), 0.3)]],
        "a dripped head": [*[piece for byte in head[:30] for piece in (bytes([byte]), 0.3)]],
        "nothing": [],
    }
    with site.running():
        replies = {}
        threads = [
            threading.Thread(
                target=lambda name=name, parts=parts: replies.update({name: talk(site.port, *parts, wait=15)})
            )
            for name, parts in slow.items()
        ]
        for thread in threads:
            thread.start()
        time.sleep(1)
        status, seconds = site.post()
        assert (status, seconds < 2) == (200, True)
        for thread in threads:
            thread.join()
    for name, reply in replies.items():
        assert reply.status == 408, name
        assert READ_SECONDS - 1 < reply.seconds < READ_SECONDS + 6, name
    assert len(site.stored()) == 1


# ---- the database is locked, full, broken, gone -------------------------------------------------------------


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
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=700", "tmpfs", folder], check=False)
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


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
        assert httpx.get(f"http://127.0.0.1:{site.port}/readyz", trust_env=False, verify=False).status_code == 503
        filler.unlink()
        assert site.post()[0] == 200
        assert httpx.get(
            f"http://127.0.0.1:{site.port}/readyz", trust_env=False, verify=False, timeout=5
        ).status_code in (200, 503)
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
        pytest.skip("strace is not installed")
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
        pytest.skip("strace may not attach here")
    assert status == 200
    calls = trace.read_text().splitlines()
    answer = next(number for number, call in enumerate(calls) if "HTTP/1.1 200" in call)
    assert any("sync(" in call for call in calls[:answer])


# ---- PostgreSQL --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres():
    if why := missing_programs():
        if os.environ.get("CI") == "true":
            pytest.fail(f"PostgreSQL must be tested here, but {why}")
        pytest.skip(why)
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
