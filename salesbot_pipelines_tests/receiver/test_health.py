"""Health, readiness, metrics, the log, and a fuzzer over every route."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
import time
from collections import deque

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.errors import (
    InvalidShop,
    SalesbotError,
    StateUnavailable,
)
from salesbot_pipelines.receiver.journal import _LONGEST_QUEUE, Journal, JournalHandler, where
from salesbot_pipelines.receiver.metrics import Counter
from salesbot_pipelines.receiver.refusals import refusal_for, refusal_with
from salesbot_pipelines_tests.receiver.harness import PAYLOAD, SHOP, sign
from salesbot_pipelines_tests.receiver.wire import talk


def every_error(kind: type = SalesbotError):
    for child in kind.__subclasses__():
        if child.__module__ == "salesbot_pipelines.errors":
            yield child
            yield from every_error(child)


def test_alive_and_ready_and_what_readiness_leaves_behind(door):
    before = door.rows()
    for _ in range(3):
        assert door.http.get("/healthz").json() == {"status": "alive"}
        assert door.http.get("/readyz").json() == {"status": "ready"}
        time.sleep(0.6)
    assert door.rows() == before


def test_asking_often_for_readiness_costs_the_database_little(door, monkeypatch):
    asked = []
    prove = door.door.prove_writable
    monkeypatch.setattr(door.door, "prove_writable", lambda: asked.append(1) or prove())
    for _ in range(50):
        assert door.http.get("/readyz").status_code == 200
    assert len(asked) <= 25


def test_a_broken_receiver_is_neither_alive_nor_ready(door):
    door.door.committer.broken = "the disk failed"
    answers = [door.http.get(path) for path in ("/healthz", "/readyz")]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert "disk" not in "".join(answer.text for answer in answers)
    assert door.post().status_code == 503


def test_metrics_count_without_naming_anybody(door):
    door.connect()
    door.post()
    door.post(webhook_id="twice")
    door.post(webhook_id="twice")
    door.post(shop="never-here.myshopify.com")
    door.post(signature="x")
    door.http.get("/nothing")
    door.http.get(f"/shopify/{SHOP}/login")
    text = door.http.get("/metrics").text
    for line in (
        'salesbot_receiver_webhooks_total{outcome="new"} 2',
        'salesbot_receiver_webhooks_total{outcome="duplicate"} 1',
        'salesbot_receiver_webhooks_total{outcome="unknown_shop"} 1',
        'salesbot_receiver_webhooks_total{outcome="unauthorised"} 1',
        'salesbot_receiver_requests_total{route="webhook",status="200"} 4',
        'salesbot_receiver_requests_total{route="unknown",status="404"} 1',
        'salesbot_receiver_requests_total{route="login",status="302"} 1',
        "salesbot_receiver_queue_depth 0",
        "salesbot_receiver_broken 0",
        "salesbot_receiver_commit_rows_count 4",
    ):
        assert line in text, line
    assert re.search(r'salesbot_receiver_request_seconds_bucket\{route="webhook",le="\+Inf"\} 5', text)
    assert "myshopify" not in text


def test_connections_that_were_cut_are_counted(door):
    talk(door.port, b"nonsense\r\n\r\n")
    assert 'salesbot_receiver_cut_total{status="400"} 1' in door.http.get("/metrics").text


@pytest.mark.parametrize("kind", sorted({*every_error()}, key=lambda kind: kind.__name__))
def test_every_error_has_an_answer(kind):
    error = kind.__new__(kind)
    Exception.__init__(error, "canary text")
    error.status = 400
    refusal = refusal_for(error)
    assert 400 <= refusal.status < 600
    assert "canary" not in refusal.title + refusal.text
    assert refusal.status != 500 or kind.__name__ in ("LeaseLost", "CatalogRefused", "RawMissing", "SettingsError")


def test_errors_that_nobody_foresaw():
    assert refusal_for(ValueError("x")).status == 500
    assert refusal_with(418).status == 400
    assert refusal_with(599).status == 500
    assert refusal_for(StateUnavailable("x")).headers == [(b"retry-after", b"2")]
    assert refusal_for(InvalidShop("x")).headers == []


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_bug_is_a_500_without_its_text(door, monkeypatch, accept):
    def broken(*_arguments, **_more):
        raise ValueError(f"{PAYLOAD} in an exception")

    monkeypatch.setattr(door.door.cookies, "read", broken)
    answer = door.http.get("/shopify/status", headers={"accept": accept})
    assert answer.status_code == 500
    assert PAYLOAD not in answer.text
    assert "ValueError" not in answer.text
    [line] = door.lines()
    assert line["status"] == 500
    assert line["error"].startswith("ValueError at test_health.py:")
    monkeypatch.setattr("salesbot_pipelines.receiver.webhooks.read_head", broken)
    assert door.post().status_code == 500
    assert PAYLOAD not in door.log.getvalue().decode()
    # The next one is served.
    monkeypatch.undo()
    assert door.post().status_code == 200


# ---- the log -----------------------------------------------------------------------------------------------


class StuckPipe(io.RawIOBase):
    """A reader that stopped reading."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()
        self.written = 0

    def write(self, data) -> int:
        self.reached.set()
        self.open.wait(10)
        self.written += len(data)
        return len(data)


def test_a_reader_that_stops_holds_nobody_up_and_loses_lines_with_a_number():
    pipe, lost = StuckPipe(), Counter("lost", "meaning")
    journal = Journal(pipe, lost=lost)
    journal.start()
    journal.note("first")
    assert pipe.reached.wait(10)
    for number in range(_LONGEST_QUEUE + 5):
        journal.note("x", number=number)
    assert lost.total() == 5
    pipe.open.set()
    journal.close(wait_seconds=10)
    assert pipe.written > _LONGEST_QUEUE


def test_lines_that_come_while_others_are_taken_wait_for_the_next_batch():
    class Refilled(deque):
        def popleft(self):
            line = super().popleft()
            if line["event"] == "first":
                self.append({"event": "another"})
            return line

    written = io.BytesIO()
    journal = Journal(written)
    journal._lines = Refilled([{"event": "first"}])
    journal.flush()
    assert [json.loads(line)["event"] for line in written.getvalue().splitlines()] == ["first"]
    assert list(journal._lines) == [{"event": "another"}]


def test_a_reader_that_is_gone_is_survived():
    class Gone(io.RawIOBase):
        def write(self, data):
            raise BrokenPipeError

    journal = Journal(Gone())
    journal.start()
    for _ in range(3):
        journal.note("x")
        time.sleep(0.25)
    journal.close()
    assert not journal._lines


def test_what_waits_is_written_at_the_end():
    stream = io.BytesIO()
    journal = Journal(stream)
    journal.start()
    for number in range(100):
        journal.note("x", number=number)
    journal.close()
    assert [json.loads(line)["number"] for line in stream.getvalue().splitlines()] == list(range(100))


def test_libraries_write_json_without_their_exceptions_text():
    stream = io.BytesIO()
    journal = Journal(stream)
    logger = logging.Logger("some.library")
    logger.addHandler(JournalHandler(journal))
    logger.info("not worth a line")
    with pytest.raises(ValueError) as raised:
        raise ValueError(PAYLOAD)
    logger.error("Exception in ASGI application\n", exc_info=raised.value)
    assert where(raised.value).startswith("ValueError at test_health.py:")
    journal.flush()
    [line] = map(json.loads, stream.getvalue().splitlines())
    assert (line["level"], line["logger"], line["text"]) == ("error", "some.library", "Exception in ASGI application")
    assert PAYLOAD not in stream.getvalue().decode()


# ---- anything at all -----------------------------------------------------------------------------------------

PATHS = st.sampled_from(
    [
        "/shopify/webhook",
        "/shopify/callback",
        "/shopify/status",
        f"/shopify/{SHOP}/login",
        "/healthz",
        "/metrics",
        "/shopify/style.css",
    ]
) | st.text(max_size=30).map(lambda text: "/" + text)
METHODS = st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "X"])
NAMES = st.sampled_from(
    [
        "accept",
        "cookie",
        "content-type",
        "content-encoding",
        "transfer-encoding",
        "expect",
        "range",
        "if-none-match",
        "upgrade",
        "connection",
        "x-shopify-topic",
        "x-shopify-shop-domain",
        "x-shopify-webhook-id",
        "x-shopify-triggered-at",
        "x-shopify-event-id",
        "shopify-hmac-sha256",
        "x-forwarded-for",
    ]
)
VALUES = st.binary(max_size=40) | st.sampled_from(
    [
        b"products/update",
        SHOP.encode(),
        b"application/json",
        b"chunked",
        b"100-continue",
        b"websocket",
        b"upgrade",
        b"x",
    ]
)


def clean(value: bytes) -> bytes:
    return bytes(byte for byte in value if byte not in b"\r\n\0")


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    method=METHODS,
    path=PATHS,
    query=st.dictionaries(
        st.sampled_from(["shop", "hmac", "state", "code", "timestamp", "notice", "é"]),
        st.text(max_size=20),
        max_size=4,
    ),
    headers=st.dictionaries(NAMES, VALUES, max_size=6),
    body=st.binary(max_size=200) | st.just(b'{"shop_domain": "' + SHOP.encode() + b'"}'),
    signed=st.booleans(),
)
@example("POST", "/shopify/webhook", {}, {"x-shopify-topic": b"shop/redact"}, b"{}", True)
def test_no_request_makes_it_fail(quiet_door, method, path, query, headers, body, signed):
    from urllib.parse import quote, urlencode

    lines = [f"{method} {quote(path)}{'?' + urlencode(query) if query else ''} HTTP/1.1".encode(), b"Host: a"]
    lines += [name.encode() + b": " + clean(value) for name, value in headers.items()]
    if signed:
        lines.append(b"X-Shopify-Hmac-Sha256: " + sign(body).encode())
    if "transfer-encoding" not in headers:
        lines.append(b"Content-Length: %d" % len(body))
    lines.append(b"Connection: close")
    reply = talk(quiet_door.port, b"\r\n".join(lines) + b"\r\n\r\n" + body)
    assert 200 <= reply.status < 500, (reply.status, lines)
    assert b"Traceback" not in reply.body
