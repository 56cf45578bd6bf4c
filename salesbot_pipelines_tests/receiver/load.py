"""Many clients at once that remember what was acknowledged, and a receiver in a process that can be killed."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from pathlib import Path

import httpx

from salesbot_pipelines_tests.receiver.harness import SHOP, delivery

MODULE = "salesbot_pipelines.receiver.server"


@dataclass
class Acknowledged:
    """Webhook ids by what came back: 200, another status, or nothing."""

    kept: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=dict)
    unanswered: set[str] = field(default_factory=set)
    slowest_seconds: float = 0.0
    first_at: float | None = None


class Clients:
    """Connections that send one event after another until they are told to stop or the server is gone."""

    def __init__(self, port: int, run: str, *, connections: int = 16, shops: tuple[str, ...] = (SHOP,)) -> None:
        self.seen = Acknowledged()
        self._port, self._run, self._connections, self._shops = port, run, connections, shops
        self._number = 0
        self._stopping = False

    async def send_for(self, seconds: float) -> Acknowledged:
        """Send for a while."""
        work = asyncio.gather(*(self._client() for _ in range(self._connections)))
        _, pending = await asyncio.wait([work], timeout=seconds)
        self._stopping = True
        if pending:
            await asyncio.wait_for(work, 10)
        return self.seen

    async def _client(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                while not self._stopping:
                    await self._send_one(reader, writer)
            finally:
                writer.close()

    async def _send_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._number += 1
        webhook_id = f"{self._run}-{self._number}"
        content, headers = delivery(webhook_id=webhook_id, shop=self._shops[self._number % len(self._shops)])
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        started = time.monotonic()
        self.seen.unanswered.add(webhook_id)
        writer.write(
            f"POST /shopify/webhook HTTP/1.1\r\nHost: a\r\n{head}Content-Length: {len(content)}\r\n\r\n".encode()
            + content
        )
        answer = await reader.readuntil(b"\r\n\r\n")
        self.seen.unanswered.discard(webhook_id)
        self.seen.slowest_seconds = max(self.seen.slowest_seconds, time.monotonic() - started)
        status = int(answer[9:12])
        if status == 200:
            self.seen.kept.add(webhook_id)
            self.seen.first_at = self.seen.first_at or time.monotonic()
        else:
            self.seen.refused[webhook_id] = status
            if b"connection: close" in answer.lower():
                raise EOFError


def _serve(environ: dict[str, str], port: int, log: str) -> None:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    from salesbot_pipelines.errors import SalesbotError
    from salesbot_pipelines.receiver.server import serve
    from salesbot_pipelines.settings import load_settings

    try:
        serve(load_settings(environ), host="127.0.0.1", port=port)
    except SalesbotError:
        sys.exit(1)


@dataclass
class Process:
    """A receiver in a process of its own. It is forked from one that has imported everything, to start at once."""

    environ: dict[str, str] = field(repr=False)
    port: int
    log: Path
    _process: multiprocessing.process.BaseProcess | None = None

    def start(self, *, wait: bool = True) -> None:
        self._process = _context().Process(target=_serve, args=(self.environ, self.port, str(self.log)), daemon=True)
        self._process.start()
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self, seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(httpx.TransportError):
                # Loading the system's certificates for each look would cost more than the start itself.
                if httpx.get(f"http://127.0.0.1:{self.port}/readyz", trust_env=False, verify=False).is_success:
                    return
            assert self._process is not None
            assert self._process.is_alive(), self.log.read_text()[-2000:]
            assert time.monotonic() < deadline, self.log.read_text()[-2000:]
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        assert self._process is not None
        assert self._process.pid is not None
        return self._process.pid

    def kill(self) -> None:
        """End it as a power cut would."""
        assert self._process is not None
        self._process.kill()
        self._process.join(10)

    def terminate(self, seconds: float = 15.0) -> int | None:
        """Ask it to stop; return its exit code, or None when it did not."""
        assert self._process is not None
        self._process.terminate()
        return self.wait(seconds)

    def wait(self, seconds: float = 15.0) -> int | None:
        assert self._process is not None
        self._process.join(seconds)
        return self._process.exitcode


@contextlib.contextmanager
def receiver_process(environ: dict[str, str], port: int, log: Path) -> Iterator[Process]:
    process = Process(environ, port, log)
    process.start()
    try:
        yield process
    finally:
        process.kill()


def _context() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([MODULE])
    return context
