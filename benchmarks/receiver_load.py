"""The load of `bench_receiver.py`, in a process of its own: closed and open loops over keep-alive connections.

Prints one JSON line: acknowledged a second, how many, how many were not 200, and latencies in milliseconds.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import time
from collections import deque

import uvloop

SECRET = "benchmark-secret"
SHOPS = [f"bench-{number}.myshopify.com" for number in range(20)]
BODY_BYTES = 3000
OPEN_CONNECTIONS = 64


class Requests:
    """Makes requests that differ in their webhook id alone, so that making them costs little."""

    def __init__(self, kind: str, run: str) -> None:
        self._number = 0
        self._run = run
        if kind == "hello":
            self._head, self._tail = b"GET / HTTP/1.1\r\nHost: bench\r\nX-Id: ", b"\r\n\r\n"
            self._shops = [b""]
        else:
            body = json.dumps({"id": 1, "body_html": "x" * BODY_BYTES, "title": "Lamp"}).encode()
            digest = base64.b64encode(hmac.digest(SECRET.encode(), body, hashlib.sha256))
            self._head = (
                b"POST /shopify/webhook HTTP/1.1\r\nHost: bench\r\nUser-Agent: Shopify-Captain-Hook\r\n"
                b"Accept: */*\r\nContent-Type: application/json\r\nX-Shopify-API-Version: 2026-10\r\n"
                b"X-Shopify-Topic: products/update\r\nX-Shopify-Hmac-Sha256: " + digest + b"\r\n"
                b"X-Shopify-Triggered-At: 2026-11-25T09:10:11.123456789Z\r\n"
                b"Content-Length: " + str(len(body)).encode() + b"\r\nX-Shopify-Webhook-Id: " + run.encode() + b"-"
            )
            self._tail = b"\r\n\r\n" + body
            self._shops = [b"\r\nX-Shopify-Shop-Domain: " + shop.encode() for shop in SHOPS]

    @property
    def latest_id(self) -> str:
        return f"{self._run}-{self._number}"

    def next(self) -> bytes:
        self._number += 1
        return b"%b%d%b%b" % (self._head, self._number, self._shops[self._number % len(self._shops)], self._tail)


class Connection(asyncio.Protocol):
    """One keep-alive connection; whoever owns it is told of each whole answer."""

    def __init__(self, answered) -> None:
        self._answered = answered
        self._buffer = b""
        self.transport: asyncio.Transport
        self.sent_at = 0.0

    def connection_made(self, transport) -> None:
        self.transport = transport

    def send(self, request: bytes, at: float) -> None:
        self.sent_at = at
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        start = head.lower().find(b"content-length: ") + 16
        if len(body) >= int(head[start:].partition(b"\r\n")[0]):
            self._buffer = b""
            self._answered(self, int(head[9:12]))

    def connection_lost(self, exc) -> None:
        self._answered(self, 0)


async def connect(port: int, answered, connections: int) -> list[Connection]:
    loop = asyncio.get_running_loop()
    return [
        (await loop.create_connection(lambda: Connection(answered), "127.0.0.1", port))[1] for _ in range(connections)
    ]


async def closed_loop(port: int, requests: Requests, connections: int, seconds: float) -> dict:
    loop = asyncio.get_running_loop()
    took: list[float] = []
    wrong = 0
    until = loop.time() + seconds
    done = asyncio.Event()
    left = connections

    def answered(connection: Connection, status: int) -> None:
        nonlocal wrong, left
        now = loop.time()
        took.append(now - connection.sent_at)
        wrong += status != 200
        if now < until and status:
            connection.send(requests.next(), now)
        else:
            left -= 1
            if left == 0:
                done.set()

    opened = await connect(port, answered, connections)
    started = loop.time()
    for connection in opened:
        connection.send(requests.next(), loop.time())
    await done.wait()
    return summary(took, wrong, loop.time() - started)


async def open_loop(port: int, requests: Requests, rate: float, seconds: float) -> dict:
    loop = asyncio.get_running_loop()
    took: list[float] = []
    wrong = 0
    # The one that rested longest goes first: none rests so long that the server closes it.
    idle: deque[Connection] = deque()
    waiting: deque[float] = deque()

    def answered(connection: Connection, status: int) -> None:
        nonlocal wrong
        took.append(loop.time() - connection.sent_at)
        wrong += status != 200
        if waiting:
            connection.send(requests.next(), waiting.popleft())
        elif status:
            idle.append(connection)

    idle.extend(await connect(port, answered, OPEN_CONNECTIONS))
    started, sent, total = loop.time(), 0, int(rate * seconds)
    while sent < total:
        due = min(total, int((loop.time() - started) * rate) + 1)
        for number in range(sent, due):
            at = started + number / rate
            if idle:
                idle.popleft().send(requests.next(), at)
            else:
                waiting.append(at)
        sent = due
        await asyncio.sleep(0.001)
    deadline = loop.time() + 5
    while len(took) < total and loop.time() < deadline:
        await asyncio.sleep(0.01)
    return summary(took, wrong + total - len(took), loop.time() - started)


def summary(took: list[float], wrong: int, seconds: float) -> dict:
    ordered = sorted(took) or [0.0]

    def at(share: float) -> float:
        return round(ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000, 2)

    return {
        "rate": round((len(took) - wrong) / seconds, 1), "count": len(took), "wrong": wrong,
        "p50": at(0.5), "p99": at(0.99), "p999": at(0.999), "max": at(1.0),
    }  # fmt: skip


def generate_load(arguments: argparse.Namespace) -> None:
    requests = Requests(arguments.kind, f"{os.getpid()}-{time.time_ns()}")
    if arguments.load == "closed":
        work = closed_loop(arguments.port, requests, arguments.connections, arguments.seconds)
    else:
        work = open_loop(arguments.port, requests, arguments.rate, arguments.seconds)
    print(json.dumps(uvloop.run(work)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--kind", choices=("hello", "receiver"), required=True)
    parser.add_argument("--load", choices=("closed", "open"), required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1000.0)
    generate_load(parser.parse_args())
