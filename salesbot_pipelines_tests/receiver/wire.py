"""Raw sockets for clients that do not behave, and a server in a thread for them to misbehave with."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Reply:
    """What came back on a raw socket: a status, headers, a body, and how long it took."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes
    seconds: float
    raw: bytes = field(repr=False)

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)


def listening_socket() -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    return listener


@contextlib.contextmanager
def running(server, listener: socket.socket) -> Iterator[int]:
    """Run a uvicorn server on the listener in a thread; give its port."""
    thread = threading.Thread(target=lambda: server.run([listener]), daemon=True)
    thread.start()
    deadline = time.monotonic() + 10
    while not server.started:
        assert thread.is_alive()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(15)
        assert not thread.is_alive()


def talk(port: int, *parts: bytes | float, wait: float = 10.0) -> Reply:
    """Send the parts one after another (a number is a pause in seconds) and read until the server closes."""
    started = time.monotonic()
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=wait) as client:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                if isinstance(part, bytes):
                    client.sendall(part)
                else:
                    time.sleep(part)
        with contextlib.suppress(ConnectionResetError):
            while chunk := client.recv(65536):
                received += chunk
                if _is_whole(received):
                    break
    return _reply(received, time.monotonic() - started)


def _is_whole(received: bytes) -> bool:
    head, found, body = received.partition(b"\r\n\r\n")
    if not found:
        return False
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(lengths) and len(body) >= int(lengths[0])


def _reply(received: bytes, seconds: float) -> Reply:
    if not received:
        return Reply(0, [], b"", seconds, b"")
    head, _, body = received.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = [(name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines[1:])]
    return Reply(int(lines[0].split()[1]), headers, body, seconds, received)
