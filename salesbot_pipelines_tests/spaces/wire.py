"""What a request to Spaces must look like when it leaves; hooked before every send."""

from __future__ import annotations

import hashlib
import re
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

_SHOP_PREFIX = re.compile(r"users/[0-9a-f-]{36}/shopify/[a-z0-9-]+\.myshopify\.com/")


def assert_wire(request: object, **_: object) -> None:
    headers = {name.lower(): _text(value) for name, value in request.headers.items()}
    parts = urlsplit(request.url)
    _, bucket, key = unquote(parts.path).split("/", 2) if parts.path.count("/") > 1 else ("", parts.path, "")
    assert parts.query.find("X-Amz-") < 0, "no credential in a URL"
    assert request.method in ("PUT", "GET", "HEAD", "DELETE"), "delete_objects would be a POST"
    assert bucket.strip("/") == "salesbot-test", "path addressing"
    if not key:
        assert request.method == "GET", "limited keys may not make buckets"
        assert "list-type" not in parts.query, "version 2 of the listing is not trusted on Spaces"
        return
    assert PurePosixPath(key).parts, key
    assert _SHOP_PREFIX.match(key) or key.startswith("probes/"), key
    assert "acl" not in parts.query, "limited keys may not ask for ACLs"
    if request.method == "PUT":
        _assert_put(headers, parts.scheme, request.body)


def _assert_put(headers: dict[str, str], scheme: str, body: object) -> None:
    assert "x-amz-trailer" not in headers
    assert "transfer-encoding" not in headers
    assert "aws-chunked" not in headers.get("content-encoding", "")
    assert not [name for name in headers if name.startswith("x-amz-checksum-")]
    assert re.fullmatch(r"[0-9a-f]{64}", headers["x-amz-content-sha256"]), "the body is signed"
    assert headers["x-amz-content-sha256"] == headers["x-amz-meta-sha256"]
    assert headers["content-length"].isdigit()
    assert '"' not in headers.get("if-match", ""), "a quoted ETag never matches"
    assert headers.get("if-none-match", "*") == "*"
    assert headers["x-amz-acl"] == "private"
    assert "/" in headers["content-type"]
    if isinstance(body, bytes):
        assert hashlib.sha256(body).hexdigest() == headers["x-amz-content-sha256"]


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
