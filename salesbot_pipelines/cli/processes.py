"""Child processes of the demo: started with a log file each, waited for, and ended by their own pid."""

from __future__ import annotations

import contextlib
import math
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

import httpx

from salesbot_pipelines.errors import SalesbotError

_END_SECONDS = 5.0
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_QUIET_PORTS = range(20_000, 32_000)
"""Systems take higher ones for connections that go out: one of those may be gone again before a server listens."""


class ChildEnded(SalesbotError):
    """A process that the demo needs has ended by itself."""


class Children:
    """The demo's processes. Leaving the block ends all of them, in the opposite order."""

    def __init__(self, logs: Path, environ: Mapping[str, str]) -> None:
        self._logs = logs
        self._environ = dict(environ)
        self._running: list[tuple[str, subprocess.Popen[bytes]]] = []
        logs.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *exc: object) -> None:
        for _, process in reversed(self._running):
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + _END_SECONDS
        for _, process in reversed(self._running):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, deadline - time.monotonic()))
            # Dagster's servers leave workers behind when asked politely; the group is ours alone.
            _signal_group(process, signal.SIGKILL)
            process.wait()

    def start(self, name: str, command: Sequence[str]) -> None:
        """Start a process in a group of its own; its output goes to `<logs>/<name>.log`."""
        with (self._logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                command,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append((name, process))

    def run(self, name: str, command: Sequence[str]) -> None:
        """Start a process and wait for its end; raises `ChildEnded` unless that is a good one."""
        self.start(name, command)
        _, process = self._running[-1]
        if process.wait() != 0:
            raise self._ended(name, process)
        self._running.pop()

    def check(self) -> None:
        """Raise `ChildEnded` with the end of its log when a process is gone."""
        for name, process in self._running:
            if process.poll() is not None:
                raise self._ended(name, process)

    def _ended(self, name: str, process: subprocess.Popen[bytes]) -> ChildEnded:
        log = self._logs / f"{name}.log"
        tail = " / ".join(log.read_text(errors="replace").strip().splitlines()[-3:])
        return ChildEnded(f"{name} ended with {process.returncode}: {tail}", advice=f"see {log}")

    def wait_for_port(self, name: str, port: int, *, seconds: float) -> None:
        """Wait until something listens on the port of 127.0.0.1; raises `ChildEnded` as `wait_for` does."""
        self._wait(name, f"port {port}", lambda: _listens(port), seconds)

    def wait_for(self, name: str, url: str, *, seconds: float) -> None:
        """Wait until the URL answers.

        Raises `ChildEnded` when a process ends first or the time is over.
        """
        with httpx.Client(trust_env=False, timeout=2.0) as client:
            self._wait(name, url, lambda: _answers(client, url), seconds)

    def _wait(self, name: str, place: str, is_ready: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.check()
            if is_ready():
                return
            time.sleep(0.1)
        log = self._logs / f"{name}.log"
        raise ChildEnded(f"{name} did not answer at {place} in {seconds:.0f} s", advice=f"see {log}")


def _answers(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).status_code < 500
    except httpx.HTTPError:
        return False


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def python(*arguments: str) -> list[str]:
    """Give a command that runs one of our modules or Dagster's with this very interpreter."""
    return [sys.executable, "-m", *arguments]


def free_port(wanted: int = 0) -> int:
    """Give the wanted port on loopback, or a free one when it is taken or 0."""
    for port in filter(None, (wanted, *random.sample(_QUIET_PORTS, 100))):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise ChildEnded("no free port on 127.0.0.1")


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM and a closed terminal end the block as Ctrl-C does, so that what it started is ended too.

    Once it is ending, another signal is not heard: it would leave half of the processes behind.
    """
    heard = -math.inf

    def end(_number: int, _frame: FrameType | None) -> None:
        nonlocal heard
        now = time.monotonic()
        if now - heard > 2 * _END_SECONDS:
            heard = now
            raise KeyboardInterrupt

    previous = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
