"""What a client may send: how much, and for how long.

uvicorn limits neither the time in which a request must arrive nor the size of its head (a half-sent header
was still open after 25 s), so its protocol is extended here. Every connection carries the moment since which
a request has been arriving; one sweep over all of them cuts those that take too long, which costs a request
nothing. A proxy in front may be stricter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from salesbot_pipelines.errors import RequestRefused

READ_SECONDS = 5.0
"""How long a whole request, head and body, may take to arrive. Shopify itself waits 5 s for the answer."""

HEAD_BYTES = 32 * 1024
HEAD_FIELDS = 100
URL_BYTES = 8 * 1024

BODY_BYTES = 8 * 1024 * 1024
"""The largest webhook body. Real ones may exceed 1 MB: a product with 2,048 variants is sent whole."""

BODIES_BYTES = 128 * 1024 * 1024
"""What all bodies being read at once may hold in memory."""

_SWEEP_SECONDS = 0.25

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class ClientGone(Exception):
    """The client closed the connection, or was cut, before its request was whole."""


class BodyBudget:
    """Reads bodies without holding more of them in memory than `BODIES_BYTES` in all."""

    def __init__(self, limit: int = BODIES_BYTES) -> None:
        self._left = limit

    async def read(self, receive: Receive, *, declared: int | None, limit: int = BODY_BYTES) -> bytes:
        """Return the request's body.

        Raises `RequestRefused` with 413 as soon as it is larger than `limit` bytes, declared or not, with 503
        when the memory for bodies is used up, and `ClientGone` when it does not come whole.
        """
        if declared is not None and declared > limit:
            raise RequestRefused("the body is declared larger than allowed", status=413)
        message = await receive()
        if message["type"] != "http.request":
            raise ClientGone
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            if len(body) > limit:
                raise RequestRefused("the body is larger than allowed", status=413)
            return body
        return await self._read_on(receive, body, limit)

    async def _read_on(self, receive: Receive, first: bytes, limit: int) -> bytes:
        parts, size, more = [first], len(first), True
        self._left -= size
        try:
            while True:
                if size > limit:
                    raise RequestRefused("the body is larger than allowed", status=413)
                if self._left < 0:
                    raise RequestRefused("too many bodies are being read", status=503)
                if not more:
                    return b"".join(parts)
                message = await receive()
                if message["type"] != "http.request":
                    raise ClientGone
                part: bytes = message.get("body", b"")
                parts.append(part)
                size += len(part)
                self._left -= len(part)
                more = message.get("more_body", False)
        finally:
            self._left += size


class DoorConfig(Config):
    """uvicorn's configuration, and whom to tell when a connection is ended before it reaches a route."""

    on_cut: Callable[[int], None]


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 protocol with limits on the size of the head and the time of the whole request."""

    reading_since: float | None = None
    _head_bytes = 0
    _in_head = True
    _ended = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock: a connection that says nothing is a slow request."""
        self.reading_since = self.loop.time()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and end the connection when the head grows too large."""
        if self.reading_since is None:
            self.reading_since = self.loop.time()
        self._ended = False
        super().data_received(data)
        # A packet that ended a request held its body, too; what it holds of the next head is little.
        if self._in_head and not self._ended:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self.cut(431)

    def on_message_begin(self) -> None:
        """Start the clock for a request that follows another in the same packet."""
        if self.reading_since is None:
            self.reading_since = self.loop.time()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that the head is whole."""
        self._in_head = False
        self._head_bytes = 0
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Stop the clock: the request is whole."""
        self.reading_since = None
        self._in_head = self._ended = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP, unless an answer is already under way."""
        del msg
        self.cut(400)

    def cut(self, status: int) -> None:
        """End the connection; say why if nothing was answered yet."""
        self.reading_since = None
        if self.transport.is_closing():
            return
        answering = self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete
        if not answering:
            self.transport.write(STATUS_LINE[status] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        config = self.config
        if isinstance(config, DoorConfig):
            config.on_cut(status)
        self.transport.close()


async def cut_slow_clients(connections: Iterable[object], *, seconds: float = READ_SECONDS) -> None:
    """Watch the connections for ever and cut each whose request has been arriving for longer than `seconds`."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        oldest = loop.time() - (seconds - _SWEEP_SECONDS)
        for connection in list(connections):
            if isinstance(connection, BoundedHttp):
                since = connection.reading_since
                if since is not None and since < oldest:
                    connection.cut(408)
