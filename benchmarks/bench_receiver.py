"""How many webhooks a second the receiver makes durable, beside what this machine can do at all.

In one run and one minute, because a shared machine is another one an hour later: a Starlette application that
only says hello (the ceiling of the server under us), a file that is only written and synced (the disk's), and
the receiver itself with signatures, duplicates and commits. Closed loop: each of N connections sends its next
event when the last one was answered. Open loop: events leave by the clock, whatever the answers do, and their
latency counts from the moment at which they should have left.

    python benchmarks/bench_receiver.py [--seconds 4] [--open-seconds 10] [--rate 1000] [--home FOLDER]
        [--chart FILE]

Only loopback is used and everything is stopped at the end. At most 64 connections are open at once.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import chart
from machine import tell_load
from receiver_load import BODY_BYTES, SECRET, SHOPS

from salesbot_pipelines.cli.processes import free_port

CONNECTIONS = (1, 16, 64)
TARGET_SHARE, TARGET_P99_MS = 0.30, 25.0
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
    note = tell_load()
    print("\na bare file on the same disk, 3 KB rows")
    for rows in (1, 16, 64):
        print(f"  {rows:>3} rows a sync {fsyncs(home, rows=rows, seconds=1.0):>10,.0f} rows/s")
    print("\n                hello/s  cpu us | acknowledged/s  cpu us   p50 ms   p99 ms  wrong | share: rate, cpu")
    acknowledged = 0
    hello: list[float] = []
    rates: list[float] = []
    latencies: dict[str, float] | None = None
    for connections in CONNECTIONS:
        common = {"load": "closed", "connections": connections}
        first = measure("hello", ports, pids, seconds=arguments.seconds / 2, **common)
        ours = measure("receiver", ports, pids, seconds=arguments.seconds, **common)
        second = measure("hello", ports, pids, seconds=arguments.seconds / 2, **common)
        rate, cpu = (first["rate"] + second["rate"]) / 2, (first["cpu"] + second["cpu"]) / 2
        acknowledged += ours["count"] - ours["wrong"]
        hello.append(rate)
        rates.append(ours["rate"])
        print(
            f"{connections:>3} connections {rate:>8,.0f} {cpu:>7.0f} | {ours['rate']:>14,.0f} {ours['cpu']:>7.0f} "
            f"{ours['p50']:>8.2f} {ours['p99']:>8.2f} {ours['wrong']:>6} | "
            f"{ours['rate'] / rate:>13.2f} {cpu / ours['cpu']:>5.2f}"
        )
    if arguments.open_seconds > 0:
        options = {"load": "open", "rate": arguments.rate, "seconds": arguments.open_seconds}
        latencies = ours = measure("receiver", ports, pids, **options)
        acknowledged += ours["count"] - ours["wrong"]
        print(
            f"\nopen loop {arguments.rate:,.0f}/s, {arguments.open_seconds:.0f} s: {ours['rate']:,.0f} acknowledged, "
            f"p50 {ours['p50']} p99 {ours['p99']} p99.9 {ours['p999']} max {ours['max']} ms, {ours['wrong']} wrong"
        )
    if arguments.chart:
        draw(hello, rates, latencies, arguments.rate, note, arguments.chart)
    stored = stored_events(home)
    print(f"\nacknowledged {acknowledged:,}, stored {stored:,}: {'none lost' if stored >= acknowledged else 'LOST'}")
    if stored < acknowledged:
        sys.exit(1)


def draw(
    hello: list[float], rates: list[float], latencies: dict[str, float] | None, rate: float, note: str, path: Path
) -> None:
    """Draw rates beside hello world's, their share of it, and the open loop's latencies where there are any."""
    names = [str(connections) for connections in CONNECTIONS]
    question = "How many webhooks a second are made durable, and how fast?"
    figure, panels = chart.new(question, note, panels=3 if latencies else 2)
    series = [("floor: Starlette says hello", chart.FLOOR, hello), ("receiver, durable", chart.OURS, rates)]
    chart.bars(panels[0], names, series, form="{:,.0f}")
    panels[0].set(xlabel="connections, closed loop", ylabel="answers a second")
    chart.legend(panels[0])
    shares = [ours / floor for ours, floor in zip(rates, hello, strict=True)]
    chart.bars(panels[1], names, [("receiver, durable", chart.OURS, shares)])
    panels[1].axhline(1.0, color=chart.FLOOR, linewidth=1.6, label="floor: Starlette says hello", zorder=3)
    chart.target(panels[1], TARGET_SHARE, f"target: at least {TARGET_SHARE:.2f}")
    panels[1].set(xlabel="connections, closed loop", ylabel="share of hello world's rate")
    chart.legend(panels[1])
    if latencies:
        quantiles = {"median": "p50", "99 %": "p99", "99.9 %": "p999", "all": "max"}
        series = [("receiver, durable", chart.OURS, [latencies[name] for name in quantiles.values()])]
        chart.bars(panels[2], list(quantiles), series, form="{:,.1f}")
        chart.target(panels[2], TARGET_P99_MS, f"target for 99 %: at most {TARGET_P99_MS:.0f} ms")
        panels[2].set(xlabel=f"of the answers, open loop at {rate:,.0f}/s", ylabel="milliseconds, at most")
        chart.legend(panels[2])
    chart.save(figure, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="of each closed loop")
    parser.add_argument("--open-seconds", type=float, default=10.0, help="of the open loop; 0 leaves it out")
    parser.add_argument("--rate", type=float, default=1000.0, help="events a second in the open loop")
    parser.add_argument("--home", default=None, help="folder on the disk to measure")
    chart.add_option(parser)
    parser.add_argument("--serve", choices=("hello", "receiver"), help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        (serve_hello if given.serve == "hello" else serve_receiver)(given.port)
    else:
        main(given)
