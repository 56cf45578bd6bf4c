"""How many webhooks a second the receiver makes durable, beside what this machine can do at all.

In one run and one minute, because a shared machine is another one an hour later: a Starlette application that
only says hello (the ceiling of the server under us), a file that is only written and synced (the disk's), and
the receiver itself with signatures, duplicates and commits. Closed loop: each of N connections sends its next
event when the last one was answered. Open loop: events leave by the clock, whatever the answers do, and their
latency counts from the moment at which they should have left.

    python benchmarks/bench_receiver.py [--seconds 4] [--open-seconds 10] [--rate 1000] [--home FOLDER]

Only loopback is used and everything is stopped at the end. At most 64 connections are open at once.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

SECRET = "benchmark-secret"
SHOPS = [f"bench-{number}.myshopify.com" for number in range(20)]
BODY_BYTES = 3000
CONNECTIONS = (1, 16, 64)
OPEN_CONNECTIONS = 64


# ---- the load, in a process of its own ----------------------------------------------------------------


class Requests:
    """Makes requests that differ in their webhook id alone, so that making them costs little."""

    def __init__(self, kind: str, run: str) -> None:
        self._number = 0
        if kind == "hello":
            self._head, self._tail = b"GET / HTTP/1.1\r\nHost: bench\r\nX-Id: ", b"\r\n\r\n"
            self._shops = [b""]
        else:
            body = json.dumps({"id": 1, "body_html": "x" * BODY_BYTES, "title": "Lamp"}).encode()
            digest = base64.b64encode(hmac.digest(SECRET.encode(), body, hashlib.sha256))
            self._head = (
                b"POST /shopify/webhook HTTP/1.1\r\nHost: bench\r\nUser-Agent: Shopify-Captain-Hook\r\n"
                b"Accept: */*\r\nContent-Type: application/json\r\nX-Shopify-API-Version: 2026-10\r\n"
                b"X-Shopify-Topic: products/update\r\nX-Shopify-Hmac-Sha256: " + digest + b"\r\n"
                b"X-Shopify-Triggered-At: 2026-11-25T09:10:11.123456789Z\r\n"
                b"Content-Length: " + str(len(body)).encode() + b"\r\nX-Shopify-Webhook-Id: " + run.encode() + b"-"
            )
            self._tail = b"\r\n\r\n" + body
            self._shops = [b"\r\nX-Shopify-Shop-Domain: " + shop.encode() for shop in SHOPS]

    def next(self) -> bytes:
        self._number += 1
        return b"%b%d%b%b" % (self._head, self._number, self._shops[self._number % len(self._shops)], self._tail)


class Connection(asyncio.Protocol):
    """One keep-alive connection; whoever owns it is told of each whole answer."""

    def __init__(self, answered) -> None:
        self._answered = answered
        self._buffer = b""
        self.transport: asyncio.Transport
        self.sent_at = 0.0

    def connection_made(self, transport) -> None:
        self.transport = transport

    def send(self, request: bytes, at: float) -> None:
        self.sent_at = at
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        start = head.lower().find(b"content-length: ") + 16
        if len(body) >= int(head[start:].partition(b"\r\n")[0]):
            self._buffer = b""
            self._answered(self, int(head[9:12]))

    def connection_lost(self, exc) -> None:
        self._answered(self, 0)


async def connect(port: int, answered, connections: int) -> list[Connection]:
    loop = asyncio.get_running_loop()
    return [
        (await loop.create_connection(lambda: Connection(answered), "127.0.0.1", port))[1] for _ in range(connections)
    ]


async def closed_loop(port: int, requests: Requests, connections: int, seconds: float) -> dict:
    loop = asyncio.get_running_loop()
    took: list[float] = []
    wrong = 0
    until = loop.time() + seconds
    done = asyncio.Event()
    left = connections

    def answered(connection: Connection, status: int) -> None:
        nonlocal wrong, left
        now = loop.time()
        took.append(now - connection.sent_at)
        wrong += status != 200
        if now < until and status:
            connection.send(requests.next(), now)
        else:
            left -= 1
            if left == 0:
                done.set()

    opened = await connect(port, answered, connections)
    started = loop.time()
    for connection in opened:
        connection.send(requests.next(), loop.time())
    await done.wait()
    return summary(took, wrong, loop.time() - started)


async def open_loop(port: int, requests: Requests, rate: float, seconds: float) -> dict:
    loop = asyncio.get_running_loop()
    took: list[float] = []
    wrong = 0
    idle: list[Connection] = []
    waiting: list[float] = []

    def answered(connection: Connection, status: int) -> None:
        nonlocal wrong
        took.append(loop.time() - connection.sent_at)
        wrong += status != 200
        if waiting:
            connection.send(requests.next(), waiting.pop(0))
        elif status:
            idle.append(connection)

    idle.extend(await connect(port, answered, OPEN_CONNECTIONS))
    started, sent, total = loop.time(), 0, int(rate * seconds)
    while sent < total:
        due = min(total, int((loop.time() - started) * rate) + 1)
        for number in range(sent, due):
            at = started + number / rate
            if idle:
                idle.pop().send(requests.next(), at)
            else:
                waiting.append(at)
        sent = due
        await asyncio.sleep(0.001)
    deadline = loop.time() + 5
    while len(took) < total and loop.time() < deadline:
        await asyncio.sleep(0.01)
    return summary(took, wrong + total - len(took), loop.time() - started)


def summary(took: list[float], wrong: int, seconds: float) -> dict:
    ordered = sorted(took) or [0.0]

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)

    return {
        "rate": round((len(took) - wrong) / seconds, 1), "count": len(took), "wrong": wrong,
        "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": at(1.0),
    }  # fmt: skip


def generate_load(arguments: argparse.Namespace) -> None:
    import uvloop

    requests = Requests(arguments.kind, f"{os.getpid()}-{time.time_ns()}")
    if arguments.load == "closed":
        work = closed_loop(arguments.port, requests, arguments.connections, arguments.seconds)
    else:
        work = open_loop(arguments.port, requests, arguments.rate, arguments.seconds)
    print(json.dumps(uvloop.run(work)))


# ---- the servers ----------------------------------------------------------------------------------------


def serve_hello(port: int) -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route

    async def hello(_request):
        return PlainTextResponse("hello")

    app = Starlette(routes=[Route("/", hello)])
    uvicorn.run(app, port=port, http="httptools", log_level="warning", access_log=False, lifespan="off", ws="none")


def environment(home: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "SALESBOT_HOME": str(home),
        "SHOPIFY_API_KEY": "benchmark",
        "SHOPIFY_API_SECRET": SECRET,
        "SHOPIFY_REDIRECT_URI": "http://127.0.0.1/shopify/callback",
        "SHOPIFY_WEBHOOK_ADDRESS": "http://127.0.0.1/shopify/webhook",
    }


def prepare(home: Path) -> None:
    """Make a database with some connected shops."""
    from salesbot_pipelines.settings import load_settings
    from salesbot_pipelines.state.credentials import Credential
    from salesbot_pipelines.state.encryption import Keyring
    from salesbot_pipelines.state.engine import open_engine
    from salesbot_pipelines.state.installs import Installs

    settings = load_settings(environment(home))
    engine = open_engine(settings, create=True)
    keyring = Keyring.from_settings(settings)
    keyring.ensure_key_check(engine)
    for shop in SHOPS:
        Installs(engine, keyring).connect(shop, Credential(kind="static", access_token="unused"))
    engine.dispose()


def serve_receiver(port: int) -> None:
    from salesbot_pipelines.receiver.server import serve
    from salesbot_pipelines.settings import load_settings

    serve(load_settings(), host="127.0.0.1", port=port)


# ---- the run --------------------------------------------------------------------------------------------


def fsyncs(folder: Path, *, rows: int, seconds: float) -> float:
    """How many 3 KB rows a second a bare file takes, synced after every `rows`."""
    path = folder / "fsync"
    chunk = os.urandom(BODY_BYTES) * rows
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        started, count = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            os.write(descriptor, chunk)
            os.fdatasync(descriptor)
            count += rows
        return count / (time.perf_counter() - started)
    finally:
        os.close(descriptor)
        path.unlink()


def start(kind: str, port: int, home: Path) -> subprocess.Popen:
    path = "/readyz" if kind == "receiver" else "/"
    process = subprocess.Popen(
        [sys.executable, __file__, "--serve", kind, "--port", str(port)],
        env={**os.environ, **environment(home)},
        stdout=subprocess.DEVNULL,
        stderr=(home / f"{kind}.log").open("wb"),
    )
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2):
                return process
        except OSError:
            if process.poll() is not None:
                sys.exit(f"{kind} ended: {(home / f'{kind}.log').read_text()[-2000:]}")
            time.sleep(0.05)
    process.kill()
    sys.exit(f"{kind} does not answer")


def load(kind: str, port: int, **options: float | str) -> dict:
    command = [sys.executable, __file__, "--kind", kind, "--port", str(port)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, timeout=300).stdout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def stored_events(home: Path) -> int:
    import sqlite3

    with sqlite3.connect(f"file:{home}/state.db?mode=ro", uri=True) as connection:
        return connection.execute("SELECT count(*) FROM inbox").fetchone()[0]


def main(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(dir=arguments.home) as folder:
        home = Path(folder)
        prepare(home)
        ports = {"hello": free_port(), "receiver": free_port()}
        processes = {kind: start(kind, port, home) for kind, port in ports.items()}
        try:
            run(arguments, home, ports)
        finally:
            for process in processes.values():
                process.send_signal(signal.SIGTERM)
            for process in processes.values():
                process.wait(15)


def run(arguments: argparse.Namespace, home: Path, ports: dict[str, int]) -> None:
    print(f"load average {os.getloadavg()[0]:.2f}, {os.cpu_count()} processors, Python {sys.version.split()[0]}\n")
    print("a bare file on the same disk, 3 KB rows")
    for rows in (1, 16, 64):
        print(f"  {rows:>3} rows a sync {fsyncs(home, rows=rows, seconds=1.0):>10,.0f} rows/s")
    print("\nclosed loop        hello/s  p99 ms |  acknowledged/s   p50 ms   p99 ms  wrong | share of hello")
    acknowledged = 0
    for connections in CONNECTIONS:
        common = {"load": "closed", "connections": connections}
        half = arguments.seconds / 2
        first = load("hello", ports["hello"], seconds=half, **common)
        ours = load("receiver", ports["receiver"], seconds=arguments.seconds, **common)
        second = load("hello", ports["hello"], seconds=half, **common)
        hello = (first["rate"] + second["rate"]) / 2
        acknowledged += ours["count"] - ours["wrong"]
        print(
            f"{connections:>3} connections {hello:>10,.0f} {max(first['p99'], second['p99']):>7.2f} | "
            f"{ours['rate']:>15,.0f} {ours['p50']:>8.2f} {ours['p99']:>8.2f} {ours['wrong']:>6} | "
            f"{ours['rate'] / hello:>6.2f}"
        )
    if arguments.open_seconds > 0:
        ours = load("receiver", ports["receiver"], load="open", rate=arguments.rate, seconds=arguments.open_seconds)
        acknowledged += ours["count"] - ours["wrong"]
        print(
            f"\nopen loop {arguments.rate:,.0f}/s, {arguments.open_seconds:.0f} s: {ours['rate']:,.0f} acknowledged, "
            f"p50 {ours['p50']} p99 {ours['p99']} p99.9 {ours['p999']} max {ours['max']} ms, {ours['wrong']} wrong"
        )
    stored = stored_events(home)
    print(f"\nacknowledged {acknowledged:,}, stored {stored:,}: {'none lost' if stored >= acknowledged else 'LOST'}")
    if stored < acknowledged:
        sys.exit(1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each closed loop")
    parser.add_argument("--open-seconds", type=float, default=10.0, help="of the open loop; 0 leaves it out")
    parser.add_argument("--rate", type=float, default=1000.0, help="events a second in the open loop")
    parser.add_argument("--home", default=None, help="folder on the disk to measure")
    for name in ("serve", "kind", "load"):
        parser.add_argument(f"--{name}", help=argparse.SUPPRESS)
    for name in ("port", "connections"):
        parser.add_argument(f"--{name}", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        (serve_hello if given.serve == "hello" else serve_receiver)(given.port)
    elif given.load:
        generate_load(given)
    else:
        main(given)
