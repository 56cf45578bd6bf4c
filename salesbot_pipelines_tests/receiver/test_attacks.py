"""Whoever is not Shopify: the right status, no stack trace, no payload in the log, no trace in the database."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from salesbot_pipelines.receiver.control import CONTROL_TOPICS
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

pytestmark = pytest.mark.usefixtures("nothing_is_left")

FEW = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


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


# A line's end or a NUL cannot be sent in a header: HTTP ends there.
@pytest.mark.parametrize("shop", [shop for shop in BAD_SHOPS if not {"\n", "\0"} & set(shop)])
def test_a_shop_that_is_none_in_a_webhook(quiet_door, shop):
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
