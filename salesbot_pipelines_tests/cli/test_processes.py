"""The demo's child processes: waited for, named when they end, and all ended with it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest

from salesbot_pipelines.cli.processes import ChildEnded, Children, free_port

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); print('up', flush=True);"
    "time.sleep(600)",
]


def _until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _is_gone(process):
    # One that nobody has waited for yet is a zombie: it runs no more.
    return not process.is_running() or process.status() == "zombie"


@pytest.fixture
def children(tmp_path):
    with Children(tmp_path / "logs", os.environ) as opened:
        yield opened


def test_leaving_the_block_ends_every_process_and_its_children_even_stubborn_ones(tmp_path, monkeypatch):
    monkeypatch.setattr("salesbot_pipelines.cli.processes._END_SECONDS", 0.5)
    others = set(psutil.Process().children(recursive=True))
    with Children(tmp_path / "logs", os.environ) as children:
        children.start("polite", SLEEP)
        children.start("stubborn", STUBBORN)
        _until(lambda: "up" in (tmp_path / "logs/stubborn.log").read_text())
        started = set(psutil.Process().children(recursive=True)) - others
        assert len(started) >= 3
    _until(lambda: all(map(_is_gone, started)))


def test_a_child_that_ends_is_named_with_the_end_of_its_log(children):
    children.start("sandbox", [sys.executable, "-c", "print('one'); print('two'); raise SystemExit('no port')"])
    with pytest.raises(ChildEnded) as caught:
        children.wait_for("sandbox", "http://127.0.0.1:9/", seconds=60)
    text = caught.value.public_text
    assert "sandbox ended with 1: one / two / no port" in text
    assert "sandbox.log" in text


def test_a_child_that_never_answers_is_named(children):
    children.start("slow", SLEEP)
    with pytest.raises(ChildEnded, match=r"slow did not answer at http://127.0.0.1:9/ in 0 s"):
        children.wait_for("slow", "http://127.0.0.1:9/", seconds=0.2)
    with pytest.raises(ChildEnded, match="slow did not answer at port 9"):
        children.wait_for_port("slow", 9, seconds=0.2)


def test_a_step_that_fails_is_named_and_one_that_ends_well_is_forgotten(children):
    children.run("storage", [sys.executable, "-c", "pass"])
    children.check()
    with pytest.raises(ChildEnded, match="storage ended with 3"):
        children.run("storage", [sys.executable, "-c", "raise SystemExit(3)"])


def test_a_port_that_is_taken_is_replaced():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        wanted = taken.getsockname()[1]
        other = free_port(wanted)
    assert other not in (0, wanted)


def test_a_free_port_is_none_that_a_connection_going_out_may_take():
    assert all(1024 < free_port() < 32_768 for _ in range(50))


HOLDER = """
import os, pathlib, sys, time
from salesbot_pipelines.cli import processes
from salesbot_pipelines.cli.processes import Children, ended_by_signals
processes._END_SECONDS = 1.0
with ended_by_signals(), Children(pathlib.Path(sys.argv[1]), os.environ) as children:
    children.start("child", [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN);"
                                                   "print('up', flush=True); time.sleep(600)"])
    print("started", flush=True)
    try:
        while True:
            time.sleep(1)
    finally:
        print("ending", flush=True)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_no_signal_leaves_a_child_behind_however_often_it_comes(tmp_path, number):
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as holder:
        assert holder.stdout.readline() == "started\n"
        _until(lambda: "up" in (tmp_path / "child.log").read_text())
        [child] = psutil.Process(holder.pid).children()
        holder.send_signal(number)
        assert holder.stdout.readline() == "ending\n"
        holder.send_signal(number)  # while it waits for the stubborn child
        holder.wait(60)
    _until(lambda: _is_gone(child))
