"""Kill the receiver under load, again and again: is anything lost, doubled, or slow to come back?

Each round starts a receiver from nothing, sends events over 16 connections, and ends the process with SIGKILL
up to a second after its first answer. Afterwards every acknowledged event must be stored once and must have
marked its shop. Prints the time from the start of the process to its first 200.

    python benchmarks/kill_receiver.py [--rounds 100] [--seed 1] [--chart FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import chart
from bench_receiver import environment, prepare
from machine import tell_load
from receiver_load import SHOPS, Connection, Requests

from salesbot_pipelines.cli.processes import free_port


async def load_until_killed(
    port: int, requests: Requests, process: subprocess.Popen, answering: threading.Event
) -> tuple[set[str], float]:
    """Send until the server is gone; return the acknowledged ids and when the first one was."""
    loop = asyncio.get_running_loop()
    kept: set[str] = set()
    first_at = 0.0
    gone = asyncio.Event()
    sent: dict[Connection, str] = {}

    def send(connection: Connection) -> None:
        request = requests.next()
        sent[connection] = requests.latest_id
        connection.send(request, loop.time())

    def answered(connection: Connection, status: int) -> None:
        nonlocal first_at
        if status == 200:
            first_at = first_at or time.monotonic()
            answering.set()
            kept.add(sent[connection])
        if status:
            send(connection)
        else:
            gone.set()

    while process.poll() is None and not sent:
        with contextlib.suppress(OSError):
            for _ in range(16):
                _, connection = await loop.create_connection(lambda: Connection(answered), "127.0.0.1", port)
                send(connection)
        await asyncio.sleep(0.01)
    if sent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(gone.wait(), 20)
    return kept, first_at


def one_round(home: Path, number: int, chance: random.Random) -> tuple[set[str], float | None]:
    port = free_port()
    started = time.monotonic()
    process = subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).with_name("bench_receiver.py")),
            "--serve",
            "receiver",
            "--port",
            str(port),
        ],
        env={**os.environ, **environment(home)},
        stdout=subprocess.DEVNULL,
        stderr=(home / "receiver.log").open("ab"),
    )
    result: list[tuple[set[str], float]] = []
    requests = Requests("receiver", f"round-{number}-{os.getpid()}")
    answering = threading.Event()
    load = load_until_killed(port, requests, process, answering)
    client = threading.Thread(target=lambda: result.append(asyncio.run(load)))
    client.start()
    answering.wait(30)
    time.sleep(chance.uniform(0.0, 1.0))
    process.kill()
    process.wait()
    client.join()
    kept, first_at = result[0]
    return kept, first_at - started if first_at else None


def judge(home: Path, kept: set[str]) -> tuple[bool, str]:
    """Compare the acknowledged ids with the stored ones; say whether all is well, and the finding."""
    with sqlite3.connect(f"file:{home}/state.db?mode=ro", uri=True) as connection:
        stored = [row[0] for row in connection.execute("SELECT webhook_id FROM inbox")]
        marks = connection.execute("SELECT sum(wanted - 1) FROM shop_work").fetchone()[0]
    lost, doubled = len(kept - set(stored)), len(stored) - len(set(stored))
    finding = f"acknowledged {len(kept):,}, stored {len(stored):,}, lost {lost}, doubled {doubled}"
    print(f"{finding}, marks {marks:,}")
    return lost == doubled == 0 and marks == len(stored), finding


def draw(times: list[float], finding: str, note: str, path: Path) -> None:
    """Draw after how many seconds which share of the restarts had answered."""
    figure, (axes,) = chart.new("Is anything lost when the receiver is killed, and when is it back?", note)
    chart.shares(axes, times, color=chart.OURS, label=f"{len(times)} restarts; {finding}")
    axes.set(xlabel="seconds from the start of the process to its first 200", ylabel="% of the restarts")
    axes.set_xlim(0, 1.15 * max(times))
    chart.legend(axes)
    chart.save(figure, path)


def main(arguments: argparse.Namespace) -> None:
    note = tell_load()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(dir=arguments.home) as folder:
        home = Path(folder)
        prepare(home)
        kept: set[str] = set()
        times: list[float] = []
        for number in range(arguments.rounds):
            of_round, seconds = one_round(home, number, chance)
            kept |= of_round
            if seconds is not None:
                times.append(seconds)
        whole, finding = judge(home, kept)
    times.sort()
    print(
        f"{arguments.rounds} kills over {len(SHOPS)} shops; from start to first 200: "
        f"median {times[len(times) // 2]:.2f} s, longest {times[-1]:.2f} s"
    )
    if arguments.chart:
        draw(times, finding, note, arguments.chart)
    sys.exit(0 if whole else 1)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--home", default=None, help="folder on the disk to use")
    chart.add_option(parser)
    main(parser.parse_args())
