"""Methods, paths, sizes, headers and markup from somebody who is not Shopify; see `test_attacks`."""

from __future__ import annotations

import gzip

import httpx
import pytest

from salesbot_pipelines.receiver.limits import BODY_BYTES
from salesbot_pipelines_tests.receiver.harness import (
    PAYLOAD,
    SHOP,
    delivery,
)
from salesbot_pipelines_tests.receiver.wire import talk

pytestmark = pytest.mark.usefixtures("nothing_is_left")


def refused(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert PAYLOAD not in answer.text


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
