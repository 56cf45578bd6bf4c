"""Size and time of what comes in, on real sockets, below any route."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager

import pytest
import uvicorn

from salesbot_pipelines.errors import RequestRefused
from salesbot_pipelines.receiver.limits import (
    HEAD_BYTES,
    READ_SECONDS,
    BodyBudget,
    BoundedHttp,
    ClientGone,
    DoorConfig,
    cut_slow_clients,
)
from salesbot_pipelines_tests.receiver.wire import listening_socket, running, talk

SECONDS = 1.0


class Echo:
    """Answers with the length of the body."""

    def __init__(self) -> None:
        self.requests = 0
        self.gone = 0
        self.budget = BodyBudget()

    async def __call__(self, scope, receive, send):
        self.requests += 1
        try:
            body = await self.budget.read(receive, declared=None, limit=1_000_000)
        except ClientGone:
            self.gone += 1
            return
        text = str(len(body)).encode()
        headers = [(b"content-length", str(len(text)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": text})


class SweepingServer(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        self.sweep = asyncio.ensure_future(cut_slow_clients(self.server_state.connections, seconds=SECONDS))

    async def shutdown(self, sockets=None):
        self.sweep.cancel()
        await super().shutdown(sockets)


@contextmanager
def echo_server():
    app, cuts = Echo(), []
    config = DoorConfig(app, http=BoundedHttp, ws="none", lifespan="off", log_config=None, access_log=False)
    config.on_cut = cuts.append
    config.timeout_graceful_shutdown = 1
    with running(SweepingServer(config), listening_socket()) as port:
        yield port, app, cuts


def post(length: int, *, close: bool = True) -> bytes:
    end = b"Connection: close\r\n" if close else b""
    return b"POST / HTTP/1.1\r\nHost: a\r\n" + end + b"Content-Length: " + str(length).encode() + b"\r\n\r\n"


def test_the_limit_is_below_shopifys_own():
    assert READ_SECONDS <= 5.0


def test_an_ordinary_request_passes():
    with echo_server() as (port, _, cuts):
        assert talk(port, post(3), b"abc").body == b"3"
        assert talk(port, post(500_000), b"x" * 500_000).body == b"500000"
        assert cuts == []


@pytest.mark.parametrize(
    "parts",
    [
        [],
        [b"POST / HTTP/1.1\r\nHost: a\r\nX-Sl"],
        [b"POST / HTTP/1.1\r\n", *([0.3, b"X-A: b\r\n"] * 8)],
        [b"\r\n", *([0.3, b"\r\n"] * 8)],
        [post(100), b"half"],
        [post(100), *([0.3, b"x"] * 8)],
        [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", *([0.3, b"1\r\nx\r\n"] * 8)],
    ],
    ids=["silent", "half-head", "dripped-head", "dripped-lines", "half-body", "dripped-body", "dripped-chunks"],
)
def test_a_slow_client_is_cut(parts):
    with echo_server() as (port, app, cuts):
        reply = talk(port, *parts)
        assert reply.status == 408
        assert SECONDS * 0.7 <= reply.seconds < SECONDS + 2.5
        assert cuts == [408]
        deadline = time.monotonic() + 5
        while app.requests != app.gone:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_slow_client_does_not_hold_up_the_others():
    with echo_server() as (port, _, _cuts):
        slow = [threading.Thread(target=talk, args=(port, post(10), b"x")) for _ in range(20)]
        for thread in slow:
            thread.start()
        time.sleep(0.2)
        assert talk(port, post(3), b"abc").seconds < 0.5
        for thread in slow:
            thread.join()


def test_a_second_request_on_a_connection_has_its_own_time():
    with echo_server() as (port, _, cuts):
        pause = SECONDS * 0.8
        whole = post(1, close=False) + b"x"
        reply = talk(port, whole, pause, whole, pause, post(1) + b"x")
        assert reply.raw.count(b"200 OK") >= 1
        assert cuts == []


def test_a_second_request_that_begins_with_the_first_is_timed_as_well():
    with echo_server() as (port, _, cuts):
        talk(port, post(1, close=False) + b"xPOST / HTTP/1.1\r\nHo", SECONDS + 1.0)
        assert cuts == [408]


def test_a_head_that_never_ends_is_cut_by_its_size():
    with echo_server() as (port, app, cuts):
        lines = b"".join(b"X-%d: %s\r\n" % (number, b"y" * 1000) for number in range(HEAD_BYTES // 1000))
        parts = [lines[start : start + 4096] for start in range(0, len(lines), 4096)]
        reply = talk(
            port, b"GET / HTTP/1.1\r\nHost: a\r\n", *[p for part in parts for p in (part, 0.005)], b"Z: z\r\n" * 900
        )
        assert reply.status == 431
        assert cuts == [431]
        assert app.requests == 0


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nabcdef",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nabcdef",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nx\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost : a\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\n continued: x\r\n\r\n",
        b"POST /\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST / HTTP/1.1\nHost: a\nContent-Length: 1\n\nx",
    ],
)
def test_what_is_not_http_is_400(request_bytes):
    with echo_server() as (port, _, cuts):
        reply = talk(port, request_bytes)
        assert reply.status == 400
        assert reply.body == b""
        assert cuts == [400]


def test_a_client_that_hangs_up_leaves_nothing_behind():
    with echo_server() as (port, app, _cuts):
        import socket

        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(post(100) + b"half")
            time.sleep(0.2)
        deadline = time.monotonic() + 3
        while not app.gone:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def chunks(*bodies: bytes, end: bool = True):
    messages = [{"type": "http.request", "body": body, "more_body": True} for body in bodies]
    if end:
        messages[-1]["more_body"] = False
    messages.append({"type": "http.disconnect"})

    async def receive():
        return messages.pop(0)

    return receive


def read(budget, receive, **options):
    return asyncio.run(budget.read(receive, declared=options.pop("declared", None), **options))


def test_bodies_are_joined_and_limited_while_they_come():
    budget = BodyBudget(limit=1000)
    assert read(budget, chunks(b"ab", b"", b"cd"), limit=10) == b"abcd"
    assert read(budget, chunks(b""), limit=10) == b""
    for receive, status in ((chunks(b"x" * 11), 413), (chunks(b"x" * 6, b"y" * 6, b"z" * 1000), 413)):
        with pytest.raises(RequestRefused) as refused:
            read(budget, receive, limit=10)
        assert refused.value.status == status
    with pytest.raises(RequestRefused) as refused:
        read(budget, chunks(b"x"), declared=11, limit=10)
    assert refused.value.status == 413
    with pytest.raises(ClientGone):
        read(budget, chunks(b"x", end=False))


def test_all_bodies_together_are_limited_and_the_memory_comes_back():
    budget = BodyBudget(limit=1000)

    async def main():
        gate = asyncio.Event()

        async def held():
            await gate.wait()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def receive_first():
            receives.pop()
            return {"type": "http.request", "body": b"x" * 900, "more_body": True}

        receives = [1]

        async def receive():
            return await (receive_first() if receives else held())

        first = asyncio.ensure_future(budget.read(receive, declared=None))
        await asyncio.sleep(0)
        with pytest.raises(RequestRefused) as refused:
            await budget.read(chunks(b"y" * 200, b"y"), declared=None)
        assert refused.value.status == 503
        gate.set()
        assert len(await first) == 900
        assert await budget.read(chunks(b"y" * 200, b"y"), declared=None)

    asyncio.run(main())
