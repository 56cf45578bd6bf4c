"""The receiver as a process: opened, guarded, served, stopped.

One process per SQLite file, because two on one file reached a third of one's rate and broke connections;
with PostgreSQL as many as wanted. SIGTERM stops the listening, lets requests under way end, commits what
waits, and is done within ten seconds. A database that failed for good ends the process with an error, so
that whatever supervises it starts a new one, which finds everything that was acknowledged.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import threading
from collections.abc import Generator
from types import FrameType
from urllib.parse import urlsplit

import uvicorn

from salesbot_pipelines.errors import SettingsError, StateError
from salesbot_pipelines.receiver.app import Application
from salesbot_pipelines.receiver.door import Door, open_door
from salesbot_pipelines.receiver.journal import JournalHandler
from salesbot_pipelines.receiver.limits import BoundedHttp, DoorConfig, cut_slow_clients
from salesbot_pipelines.settings import Settings
from salesbot_pipelines.state.engine import sole_receiver

CONNECTIONS = 1024
"""Connections at once; the next ones are answered 503."""

BACKLOG = 1024
KEEP_ALIVE_SECONDS = 5
REQUESTS_SECONDS = 5
"""How long requests under way may take after a stop was asked for."""

DRAIN_SECONDS = 3.0

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def serve(settings: Settings, *, host: str = "127.0.0.1", port: int = 8080) -> None:
    """Serve until a signal asks to stop.

    Raises `SettingsError` without an app's secret or public addresses, or when the port is taken, `StateOutdated`
    without migrations, `StateUnavailable` when another receiver has this SQLite file, and `StateError` when the
    database failed.
    """
    settings.require_app()
    _require_public_https(settings)
    with _listening(host, port) as listener, open_door(settings) as door, sole_receiver(door.engine):
        server = DoorServer(door)
        # What was imported stays for good: the collector need not walk through it again and again.
        gc.collect()
        gc.freeze()
        with _libraries_in(door):
            server.run([listener])
        if door.committer.broken:
            raise StateError(
                f"the receiver has stopped taking events: {door.committer.broken}",
                advice="start it again; if it stops again, check the disk below SALESBOT_HOME",
            )


class DoorServer(uvicorn.Server):
    """uvicorn's server around one door: limits, the sweep over slow clients, and a stop that commits."""

    def __init__(self, door: Door) -> None:
        config = DoorConfig(
            Application(door),
            http=BoundedHttp,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=REQUESTS_SECONDS,
        )
        config.on_cut = lambda status: door.metrics.cut.add(str(status))
        super().__init__(config)
        self._door = door
        self._sweep: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the door's threads, then the port."""
        loop = asyncio.get_running_loop()
        self._door.start(loop, on_broken=self._stop)
        self._sweep = loop.create_task(cut_slow_clients(self.server_state.connections))
        await super().startup(sockets)
        for server in getattr(self, "servers", []):
            for listener in server.sockets:
                self._door.journal.note(
                    "listening", address=f"{listener.getsockname()[0]}:{listener.getsockname()[1]}"
                )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the port, let requests end, then commit what waits."""
        self._door.journal.note("stopping")
        await super().shutdown(sockets)
        if self._sweep is not None:
            self._sweep.cancel()
        drained = await asyncio.to_thread(self._door.stop, DRAIN_SECONDS)
        self._door.journal.note("stopped", drained=drained)

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take the signals that ask to stop; uvicorn's own version raises them again afterwards."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop gracefully; a second signal does not wait for requests under way."""
        del frame
        if self.should_exit and sig in _SIGNALS:
            self.force_exit = True
        self.should_exit = True

    def _stop(self, _reason: str) -> None:
        self.should_exit = True


@contextlib.contextmanager
def _listening(host: str, port: int) -> Generator[socket.socket, None, None]:
    """Open the port. Connections wait in the kernel until the server is up."""
    try:
        listener = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
        )
    except OSError as error:
        raise SettingsError(
            f"cannot listen on {host}:{port}: {error.strerror}", advice="choose another --host or --port"
        ) from None
    with listener:
        yield listener


def _require_public_https(settings: Settings) -> None:
    """Refuse public addresses without TLS: the code and the session travel through them."""
    for name, url in (
        ("SHOPIFY_REDIRECT_URI", settings.shopify.redirect_uri),
        ("SHOPIFY_WEBHOOK_ADDRESS", settings.shopify.webhook_address),
    ):
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise SettingsError(
                f"{name} is not an https:// address", advice="only the sandbox on 127.0.0.1 may use http://"
            )


@contextlib.contextmanager
def _libraries_in(door: Door) -> Generator[None, None, None]:
    """Send what libraries log to the journal, as JSON like every other line."""
    handler = JournalHandler(door.journal)
    root, server = logging.getLogger(), logging.getLogger("uvicorn")
    level = server.level
    root.addHandler(handler)
    # Its warnings are one a request and say what our numbers say: not HTTP, too many connections.
    server.setLevel(logging.ERROR)
    try:
        yield
    finally:
        server.setLevel(level)
        root.removeHandler(handler)
