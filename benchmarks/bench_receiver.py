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

from receiver_load import BODY_BYTES, SECRET, SHOPS

CONNECTIONS = (1, 16, 64)
LOAD = Path(__file__).with_name("receiver_load.py")


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
    command = [sys.executable, str(LOAD), "--kind", kind, "--port", str(port)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, timeout=300).stdout)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far. Of a busy machine it tells more than the clock."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


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
            run(arguments, home, ports, {kind: process.pid for kind, process in processes.items()})
        finally:
            for process in processes.values():
                process.send_signal(signal.SIGTERM)
            for process in processes.values():
                process.wait(15)


def measure(kind: str, ports: dict[str, int], pids: dict[str, int], **options: float | str) -> dict:
    """Put a load on a server; its own processor time an answer is added, in microseconds."""
    before = cpu_seconds(pids[kind])
    result = load(kind, ports[kind], **options)
    return {**result, "cpu": (cpu_seconds(pids[kind]) - before) / max(1, result["count"]) * 1e6}


def run(arguments: argparse.Namespace, home: Path, ports: dict[str, int], pids: dict[str, int]) -> None:
    print(f"load average {os.getloadavg()[0]:.2f}, {os.cpu_count()} processors, Python {sys.version.split()[0]}\n")
    print("a bare file on the same disk, 3 KB rows")
    for rows in (1, 16, 64):
        print(f"  {rows:>3} rows a sync {fsyncs(home, rows=rows, seconds=1.0):>10,.0f} rows/s")
    print("\n                hello/s  cpu us | acknowledged/s  cpu us   p50 ms   p99 ms  wrong | share: rate, cpu")
    acknowledged = 0
    for connections in CONNECTIONS:
        common = {"load": "closed", "connections": connections}
        first = measure("hello", ports, pids, seconds=arguments.seconds / 2, **common)
        ours = measure("receiver", ports, pids, seconds=arguments.seconds, **common)
        second = measure("hello", ports, pids, seconds=arguments.seconds / 2, **common)
        rate, cpu = (first["rate"] + second["rate"]) / 2, (first["cpu"] + second["cpu"]) / 2
        acknowledged += ours["count"] - ours["wrong"]
        print(
            f"{connections:>3} connections {rate:>8,.0f} {cpu:>7.0f} | {ours['rate']:>14,.0f} {ours['cpu']:>7.0f} "
            f"{ours['p50']:>8.2f} {ours['p99']:>8.2f} {ours['wrong']:>6} | "
            f"{ours['rate'] / rate:>13.2f} {cpu / ours['cpu']:>5.2f}"
        )
    if arguments.open_seconds > 0:
        options = {"load": "open", "rate": arguments.rate, "seconds": arguments.open_seconds}
        ours = measure("receiver", ports, pids, **options)
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
    parser.add_argument("--serve", choices=("hello", "receiver"), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        (serve_hello if given.serve == "hello" else serve_receiver)(given.port)
    else:
        main(given)
