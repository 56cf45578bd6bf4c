"""Refreshes in processes of their own, which tests kill, freeze and let go on.

They are forked from a server that has imported everything, so that one costs some milliseconds. Their clock is the
machine's; the test's own program, on a turned clock, lets their leases run out without waiting.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import event

from salesbot_pipelines.errors import SalesbotError
from salesbot_pipelines.refresh.batch import Batch
from salesbot_pipelines.refresh.credentials import InstallTokens
from salesbot_pipelines.refresh.program import Program, open_program
from salesbot_pipelines.settings import load_settings

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([__name__])


@dataclass(frozen=True)
class At:
    """A moment of a refresh: before its `nth` call to Shopify, request to the store, write to it, or commit.

    A "token" is the moment at which the answer to a request for tokens has come and nothing of it is stored.
    """

    what: str  # "call", "token", "request", "put" or "commit"
    nth: int

    def __str__(self) -> str:
        return f"{self.what} {self.nth}"


class Child:
    """One refresh in a process; `said` holds what it told so far."""

    def __init__(self, environ: Mapping[str, str], shop: str, **how: Any) -> None:
        self._told, far = _context.Pipe(duplex=True)
        self.process: BaseProcess = _context.Process(
            target=_refresh, args=(dict(environ), shop, far), kwargs=how, daemon=True
        )
        self.process.start()
        far.close()
        assert self.hear() == "ready"

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def go(self) -> None:
        self._told.send("go")

    def hear(self, seconds: float = 60.0) -> Any:
        """Give the next thing it tells; None when it ended without a word."""
        if not self._told.poll(seconds):
            raise AssertionError(f"the refresh has told nothing for {seconds} s")
        try:
            return self._told.recv()
        except (EOFError, ConnectionResetError):
            return None

    def ends(self, seconds: float = 60.0) -> bool:
        """Wait until it ends; False when it still runs."""
        self.process.join(seconds)
        return not self.process.is_alive()

    def kill(self) -> None:
        with suppress(ProcessLookupError):  # it was done before its moment came
            os.kill(self.pid, signal.SIGKILL)
        self.process.join()

    def wait_until_frozen(self, seconds: float = 30.0) -> None:
        deadline = time.monotonic() + seconds
        while Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            if time.monotonic() > deadline:
                raise AssertionError("the refresh did not freeze")
            time.sleep(0.005)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


@contextmanager
def child(environ: Mapping[str, str], shop: str, **how: Any) -> Iterator[Child]:
    """Run a refresh of the shop in a process; it is dead when the block ends."""
    started = Child(environ, shop, **how)
    try:
        yield started
    finally:
        if started.process.is_alive():
            started.kill()
        started.process.close()


@contextmanager
def renewing(environ: Mapping[str, str], shop: str, rejected: str) -> Iterator[Callable[[], str]]:
    """Open a process that renews the shop's refused token when the block calls for it, and gives what it got."""
    near, far = _context.Pipe(duplex=True)
    process = _context.Process(target=_renew, args=(dict(environ), shop, rejected, far), daemon=True)
    process.start()
    far.close()
    assert near.recv() == "ready"
    try:
        yield lambda: (near.send("go"), near.recv())[1]
    finally:
        process.join(30)
        process.close()


def _renew(environ: dict[str, str], shop: str, rejected: str, told: Connection) -> None:
    program = open_program(load_settings(environ))
    tokens = InstallTokens(
        shop,
        installs=program.installs,
        http=program.http,
        settings=program.settings.shopify,
        clock=program.clock,
        holder=f"process {os.getpid()}",
    )
    told.send("ready")
    assert told.recv() == "go"
    try:
        told.send(tokens.renew(rejected))
    except SalesbotError as error:
        told.send(type(error).__name__)
    program.close()


def _refresh(
    environ: dict[str, str],
    shop: str,
    told: Connection,
    *,
    at: At | None = None,
    sign: int = signal.SIGKILL,
    tell: bool = False,
    clock: Any = None,
    lease_seconds: float | None = None,
    batch: Mapping[str, Any] | None = None,
) -> None:
    """Refresh once and tell how it ended; give itself `sign` at a moment, after telling of it with `tell`."""

    def reached() -> None:
        if tell:
            told.send(("at", str(at)))
        os.kill(os.getpid(), sign)

    # The server from which this was forked may have begun before the test set its certificates.
    os.environ.update({name: value for name, value in environ.items() if name.startswith("AWS_")})
    counts = _Counts(at, reached)
    program = open_program(load_settings(environ), clock=clock, on_request=counts.request)
    counts.listen(program)
    told.send("ready")
    assert told.recv() == "go"
    wanted = Batch(shops=(shop,), trigger="manual", run_id=f"child-{os.getpid()}", **(batch or {}))
    try:
        refresh = program.refresh
        if lease_seconds is not None:
            refresh = dataclasses.replace(refresh, lease_seconds=lease_seconds)
        outcome = refresh.run(shop, wanted, lambda *_: None, threading.Event())
    except SalesbotError as error:
        told.send(("failed", type(error).__name__, error.public_text))
    else:
        told.send((outcome.status.value, outcome.revision, dict(counts.seen)))
    program.close()


class _Counts:
    """Counts what a refresh does, and calls `reached` at one moment of it."""

    def __init__(self, at: At | None, reached: Callable[[], None]) -> None:
        self.seen = dict.fromkeys(("call", "token", "request", "put", "commit"), 0)
        self._at = at
        self._reached = reached
        self._on = False

    def listen(self, program: Program) -> None:
        self._on = True
        program.http.event_hooks = {"request": [lambda _request: self._count("call")], "response": [self._answered]}
        event.listen(program.engine, "commit", lambda _connection: self._count("commit"))

    def request(self, verb: str, _key: str) -> None:
        self._count("request")
        if verb == "PUT":
            self._count("put")

    def _answered(self, response: httpx.Response) -> None:
        if response.request.url.path.endswith("/access_token"):
            response.read()
            self._count("token")

    def _count(self, what: str) -> None:
        if self._on:
            self.seen[what] += 1
            if self._at is not None and self._at.what == what and self._at.nth == self.seen[what]:
                self._reached()
