"""Opens the sandbox on loopback: in a thread for tests, in the foreground for the command line."""

from __future__ import annotations

import gc
import signal
import socket
import sys
import threading
import time
from types import TracebackType
from typing import Self

import uvicorn

from .sandbox import Sandbox
from .world import World


def _config(sandbox: Sandbox) -> uvicorn.Config:
    return uvicorn.Config(
        sandbox.app,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        timeout_keep_alive=30,
        backlog=2048,
    )


def _socket(host: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


class SandboxServer:
    """A sandbox on 127.0.0.1 at a free port, as long as the `with` block lasts."""

    def __init__(self, sandbox: Sandbox | World, *, port: int = 0) -> None:
        self.sandbox = sandbox if isinstance(sandbox, Sandbox) else Sandbox(sandbox)
        self._socket = _socket("127.0.0.1", port)
        self._server = uvicorn.Server(_config(self.sandbox))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="sandbox", daemon=True)

    @property
    def url(self) -> str:
        """The sandbox's address, without a slash at the end."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    @property
    def shop_url(self) -> str:
        """The template of a shop's address, with `{shop}` to fill in."""
        return f"{self.url}/shops/{{shop}}"

    def __enter__(self) -> Self:
        self._thread.start()
        deadline = time.monotonic() + 10
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the sandbox did not start")
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()


def serve(sandbox: Sandbox, host: str = "127.0.0.1", port: int = 0) -> None:
    """Serve until interrupted; prints the address first. Refuses to bind anything but loopback."""
    if host not in ("127.0.0.1", "localhost"):
        raise ValueError("the sandbox has published tokens; it listens on loopback only")
    # A process that does nothing else: the worlds built so far stay, and pages are many small objects.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    # uvicorn raises the signal that stopped it once more; by default that ends the process before it has cleaned up.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    listener = _socket(host, port)
    print(f"sandbox on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)  # noqa: T201 - its one line of output
    uvicorn.Server(_config(sandbox)).run([listener])
