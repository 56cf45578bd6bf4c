"""The receiver as a process: killed, stopped, locked out, out of disk, and its database taken away."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time

import httpx
import pytest

from salesbot_pipelines.errors import SettingsError, StateUnavailable
from salesbot_pipelines.receiver.limits import READ_SECONDS
from salesbot_pipelines.receiver.server import serve
from salesbot_pipelines_tests.receiver.harness import (
    delivery,
    settings_for,
)
from salesbot_pipelines_tests.receiver.load import Clients, Process
from salesbot_pipelines_tests.receiver.place import SHOPS
from salesbot_pipelines_tests.receiver.wire import talk

ROUNDS = 20


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
        assert process.wait(10) == 0
    assert clients.seen.kept
    assert set(clients.seen.refused.values()) <= {503}
    site.assert_consistent(clients.seen.kept)
    assert site.lines("stopped")[-1]["drained"] is True


def test_a_stop_does_not_wait_for_a_client_that_never_ends(site):
    with site.running() as process, socket.create_connection(("127.0.0.1", site.port)) as client:
        client.sendall(b"POST /shopify/webhook HTTP/1.1\r\nHost: a\r\n")
        time.sleep(0.2)
        assert process.terminate(10) == 0


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


@pytest.fixture
def ends_by_itself():
    """Stop a receiver in this process that should never have begun to serve."""
    watchdog = threading.Timer(30, lambda: os.kill(os.getpid(), signal.SIGTERM))
    watchdog.start()
    yield
    watchdog.cancel()


@pytest.mark.usefixtures("ends_by_itself")
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
@pytest.mark.usefixtures("ends_by_itself")
def test_it_does_not_start_without_its_secret_or_with_an_address_in_the_clear(tmp_path, change, name):
    with pytest.raises(SettingsError, match=name):
        serve(settings_for(tmp_path / "home", **change), port=0)


@pytest.mark.usefixtures("ends_by_itself")
def test_a_port_that_is_taken(site):
    with site.running(), pytest.raises(SettingsError, match=rf"cannot listen on 127.0.0.1:{site.port}"):
        serve(site.settings, port=site.port)


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
