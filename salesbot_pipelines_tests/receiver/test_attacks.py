"""Whoever is not Shopify: the right status, no stack trace, no payload in the log, no trace in the database."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import json
import re

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.receiver.control import CONTROL_TOPICS
from salesbot_pipelines.receiver.limits import BODY_BYTES
from salesbot_pipelines_tests.receiver.harness import (
    API_SECRET,
    OTHER,
    PAYLOAD,
    SHOP,
    callback_query,
    delivery,
    sign,
)
from salesbot_pipelines_tests.receiver.wire import talk

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def _nothing_is_left(quiet_door):
    """Every test here ends with the rows it began with, without a call outward, and with a log that is silent
    about what came."""
    before, written = quiet_door.rows(), len(quiet_door.log.getvalue())
    outward: list[str] = []
    http = quiet_door.door.program.http
    http.event_hooks = {"request": [lambda request: outward.append(str(request.url))]}
    yield
    http.event_hooks = {}
    assert outward == []
    assert quiet_door.rows() == before
    quiet_door.door.journal.flush()
    log = quiet_door.log.getvalue()[written:].decode()
    assert PAYLOAD not in log
    assert API_SECRET not in log
    assert "Traceback" not in log
    assert '"status":500' not in log


def refused(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert PAYLOAD not in answer.text


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "x",
        sign(b"another body"),
        sign(b"another body")[:-2] + "==",
        hmac.new(API_SECRET.encode(), b"{}", hashlib.sha256).hexdigest(),
        base64.b64encode(b"x" * 31).decode(),
        base64.b64encode(b"x" * 33).decode(),
        "ü" * 22,
        b"\xff\xfe" * 22,
        "\u0430" * 22,
        sign(b"{}", "another secret"),
    ],
)
def test_a_forged_signature(quiet_door, signature):
    if isinstance(signature, str):
        signature = signature.encode()
    refused(quiet_door.post(b"{}", signature=signature), 401)


def test_a_missing_signature(quiet_door):
    content, headers = delivery()
    del headers["X-Shopify-Hmac-Sha256"]
    refused(quiet_door.http.post("/shopify/webhook", content=content, headers=headers), 401)


@FEW
@given(st.binary(max_size=60))
def test_any_bytes_in_the_signature(quiet_door, signature):
    wire = bytes(byte for byte in signature if byte not in b"\0\r\n")
    content = b'{"a": 1}'
    reply = talk(
        quiet_door.port,
        b"POST /shopify/webhook HTTP/1.1\r\nHost: a\r\nX-Shopify-Topic: products/update\r\nX-Shopify-Hmac-Sha256: "
        + wire
        + b"\r\nX-Shopify-Shop-Domain: a.myshopify.com\r\nX-Shopify-Webhook-Id: 1\r\nContent-Length: 8\r\n\r\n"
        + content,
    )
    assert reply.status in (400, 401)  # 400: bytes that HTTP itself forbids


@FEW
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_any_changed_byte_of_a_body(quiet_door, position, change):
    content, headers = delivery()
    position %= len(content)
    changed = content[:position] + bytes([content[position] ^ change]) + content[position + 1 :]
    refused(quiet_door.http.post("/shopify/webhook", content=changed, headers=headers), 401)


def test_a_body_written_again_by_a_proxy(quiet_door):
    content, headers = delivery()
    again = json.dumps(json.loads(content), indent=1).encode()
    refused(quiet_door.http.post("/shopify/webhook", content=again, headers=headers), 401)


@pytest.mark.parametrize("topic", ["products/update", *sorted(CONTROL_TOPICS)])
def test_the_callbacks_own_signature_posted_as_a_webhook(quiet_door, topic):
    # A merchant sees (message, digest) in his own address bar; base64 of the digest passes the usual check.
    query = callback_query(shop=SHOP, code="c", state="s", timestamp="1764000000")
    message = re.sub(r"&hmac=.*", "", query).encode()
    digest = base64.b64encode(bytes.fromhex(query.rpartition("hmac=")[2])).decode()
    assert digest == sign(message)
    refused(quiet_door.post(message, topic=topic, signature=digest), 400)


@pytest.mark.parametrize("topic", sorted(CONTROL_TOPICS))
@pytest.mark.parametrize(
    "body",
    [
        {},
        {"shop_domain": OTHER},
        {"myshopify_domain": OTHER},
        {"shop_domain": SHOP, "myshopify_domain": OTHER},
        {"shop_domain": None},
        {"shop_domain": [SHOP]},
        {"shop_domain": SHOP + "\n"},
        {"domain": SHOP},
    ],
)
def test_a_destructive_topic_whose_body_does_not_name_the_headers_shop(quiet_door, topic, body):
    refused(quiet_door.post(body, topic=topic), 400)


def test_another_shops_header_on_a_body_that_names_its_shop(quiet_door):
    refused(quiet_door.post({"myshopify_domain": OTHER}, topic="shop/update"), 400)


BAD_SHOPS = [
    "evil.com",
    "evil.com/.myshopify.com",
    "evil.com#.myshopify.com",
    "evil.com?.myshopify.com",
    "a.myshopify.com.evil.com",
    "a.myshopify.com\n",
    "a.myshopify.com%0a",
    "a.b.myshopify.com",
    "-a.myshopify.com",
    "a@b.myshopify.com",
    "a_b.myshopify.com",
    "\u0430lpha.myshopify.com",
    "ａlpha.myshopify.com",
    "K.myshopify.com".replace("K", "\u212a"),
    "alpha。myshopify。com",
    "x" * 61 + ".myshopify.com",
    ".myshopify.com",
    "myshopify.com",
    "a.myshopify.com:443",
    "a.myshopify.com/",
    "https://a.myshopify.com",
    "a.myshopify.com\0",
    "<script>alert(1)</script>",
    "",
    "..",
]


@pytest.mark.parametrize("shop", BAD_SHOPS)
def test_a_shop_that_is_none_in_a_webhook(quiet_door, shop):
    if "\n" in shop or "\0" in shop:
        pytest.skip("no HTTP header can hold it")
    refused(quiet_door.post(shop=shop.encode()), 400)


@pytest.mark.parametrize("shop", BAD_SHOPS)
def test_a_shop_that_is_none_at_login(quiet_door, shop):
    from urllib.parse import quote

    answer = quiet_door.http.get(f"/shopify/{quote(shop, safe='')}/login")
    assert answer.status_code in (400, 404)
    assert "location" not in answer.headers
    assert "<script>alert" not in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("shop", BAD_SHOPS)
def test_a_shop_that_is_none_in_a_callback(quiet_door, shop):
    query = callback_query(shop=shop, code="c", state="s", timestamp="1764000000")
    refused(quiet_door.http.get(f"/shopify/callback?{query}"), 400)


@pytest.mark.parametrize(
    "topic", ["orders/create", "customers/create", "products/explode", "x", "", "products/update/../x", "é/ü"]
)
def test_an_unknown_topic(quiet_door, topic):
    assert quiet_door.post(topic=topic.encode()).status_code in (400, 404)


@pytest.mark.parametrize("webhook_id", ["", "x" * 5000, "a b", "'; DROP TABLE inbox; --"])
def test_an_id_that_is_none(quiet_door, webhook_id):
    content, headers = delivery()
    headers["X-Shopify-Webhook-Id"] = webhook_id
    refused(quiet_door.http.post("/shopify/webhook", content=content, headers=headers), 400)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_on_the_webhook(quiet_door, method):
    content, headers = delivery()
    answer = quiet_door.http.request(method, "/shopify/webhook", content=content, headers=headers)
    assert answer.status_code in (400, 405)  # 400: a method that the parser does not know
    if answer.status_code == 405:
        assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("path", [f"/shopify/{SHOP}/login", "/shopify/callback"])
@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_on_the_install_routes(quiet_door, path, method):
    answer = quiet_door.http.request(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "//",
        "/shopify",
        "/shopify/",
        "/shopify//login",
        "/shopify/../shopify/webhook",
        "/shopify/webhook/",
        "/shopify//webhook",
        "/shopify/webhook%00",
        "/shopify/webhook%0a",
        "/shopify/webhook;x",
        "/shopify/%2e%2e/metrics",
        f"/shopify/{SHOP}%2f..%2f/login",
        f"/shopify/{SHOP}/login/",
        f"/shopify/x/{SHOP}/login",
        "/shopify/%252e/login/x",
        "/metrics/",
        "/.env",
        "/static/../../etc/passwd",
        "/shopify/..%5c..%5cstate.db",
        "/shopify/%ff%fe/x",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_path_tricks(quiet_door, path, method):
    line = f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode()
    reply = talk(quiet_door.port, line)
    assert reply.status in (400, 404, 405)
    assert reply.header("location") is None


def test_a_hundred_megabytes(quiet_door):
    _, headers = delivery()
    head = b"POST /shopify/webhook HTTP/1.1\r\nHost: a\r\n" + b"".join(
        f"{name}: {value}\r\n".encode() for name, value in headers.items()
    )
    declared = talk(quiet_door.port, head + b"Content-Length: 104857600\r\n\r\n", b"x" * 1000)
    assert (declared.status, declared.body) == (413, b"")
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"
    chunked = talk(
        quiet_door.port,
        head + b"Transfer-Encoding: chunked\r\n\r\n",
        *[chunk] * (BODY_BYTES // 0x100000),
        0.2,
        chunk,
        0.2,
    )
    assert chunked.status in (413, 0)  # 0: the answer was overtaken by the end of the connection
    assert [line["status"] for line in quiet_door.lines()].count(413) >= 1


def test_a_lie_about_the_length(quiet_door):
    content, headers = delivery()
    fields = b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
    shorter = b"POST /shopify/webhook HTTP/1.1\r\nHost: a\r\n" + fields + b"Content-Length: 10\r\n\r\n" + content
    assert talk(quiet_door.port, shorter).status in (400, 401)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "identity", "x"])
def test_a_compressed_body(quiet_door, encoding):
    content = gzip.compress(b'{"a": "' + b"x" * 1_000_000 + b'"}')
    content, headers = delivery(content)
    headers["Content-Encoding"] = encoding
    refused(quiet_door.http.post("/shopify/webhook", content=content, headers=headers), 415)


@pytest.mark.parametrize("name", ["X-Shopify-Hmac-Sha256", "X-Shopify-Topic", "X-Shopify-Shop-Domain", "Host"])
def test_doubled_headers(quiet_door, name):
    content, headers = delivery()
    pairs = [*headers.items(), ("Host", "a"), ("Content-Length", str(len(content)))]
    doubled = [*pairs, next((key, value) for key, value in pairs if key == name)]
    fields = b"".join(f"{key}: {value}\r\n".encode() for key, value in doubled)
    reply = talk(quiet_door.port, b"POST /shopify/webhook HTTP/1.1\r\n" + fields + b"\r\n" + content)
    assert reply.status == 400


def test_a_second_request_hidden_in_the_body_of_a_refused_one(quiet_door):
    content, headers = delivery()
    fields = b"".join(f"{name}: {value}\r\n".encode() for name, value in headers.items())
    hidden = b"POST /shopify/webhook HTTP/1.1\r\nHost: a\r\n" + fields + b"Content-Length: %d\r\n\r\n" % len(content)
    hidden += content
    outer = b"POST /shopify/webhook HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(hidden)
    reply = talk(quiet_door.port, outer + hidden)
    assert reply.status == 401
    assert reply.raw.count(b"HTTP/1.1 ") == 1


def test_many_headers_and_a_long_address(quiet_door):
    many = {f"X-{number}": "y" for number in range(150)}
    refused(quiet_door.http.get("/healthz", headers=many), 431)
    refused(quiet_door.http.get("/shopify/status?" + "x" * 20_000), 431)


@pytest.mark.parametrize("accept", ["text/html", "application/json"])
@pytest.mark.parametrize(
    "markup", ['"><script>alert(1)</script>', "javascript:alert(1)", "//evil.example", "%0d%0aSet-Cookie:x=1"]
)
@pytest.mark.parametrize("name", ["shop", "state", "hmac", "host", "return_to", "error", "notice"])
def test_markup_and_foreign_addresses_in_parameters(quiet_door, name, markup, accept):
    for path in ("/shopify/callback", "/shopify/status"):
        answer = quiet_door.http.get(path, params={name: markup}, headers={"accept": accept})
        assert answer.status_code in (400, 401)
        assert "<script" not in answer.text
        assert "evil.example" not in answer.text + str(answer.headers)
        assert "location" not in answer.headers
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
