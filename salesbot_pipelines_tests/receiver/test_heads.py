"""A webhook's headers: both families, one value each, nothing that is not in form."""

from __future__ import annotations

import base64
import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from salesbot_pipelines.errors import RequestRefused
from salesbot_pipelines.receiver.heads import parse_moment, read_head, require_form

SIGNATURE = base64.b64encode(bytes(range(32)))
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def headers(prefix=b"x-shopify-", **changes):
    fields = {
        "hmac-sha256": SIGNATURE,
        "topic": b"products/update",
        "shop-domain": b"alpha.myshopify.com",
        "webhook-id": b"b54557e4-bdd9-4b37-8a5f-bf7d70bcd043",
        "event-id": b"e1",
        "triggered-at": b"2026-11-25T09:10:11.123456789Z",
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return [(prefix + name.encode(), value) for name, value in fields.items() if value is not None]


def status_of(fields) -> int:
    with pytest.raises(RequestRefused) as refused:
        require_form(read_head(fields).headers)
    return refused.value.status


@pytest.mark.parametrize("prefix", [b"x-shopify-", b"shopify-"])
def test_both_families(prefix):
    head = read_head(headers(prefix)).headers
    require_form(head)
    assert (head.topic, head.shop, head.event_id) == ("products/update", "alpha.myshopify.com", "e1")
    assert head.signature.encode() == SIGNATURE


def test_the_newer_family_counts_when_both_are_there():
    both = headers() + headers(b"shopify-", topic=b"orders/create")
    assert read_head(both).headers.topic == "orders/create"


@pytest.mark.parametrize(
    "signature",
    [
        None,
        b"",
        b"x",
        SIGNATURE[:-1],
        SIGNATURE + b"=",
        bytes(range(32)).hex().encode(),
        "ü".encode() * 22,
        b"\xff" * 44,
        b"=" * 44,
    ],
)
def test_a_signature_without_its_form_is_401(signature):
    assert status_of(headers(hmac_sha256=signature)) == 401


def test_a_doubled_header_that_decides_something_is_refused():
    for name, value in [*headers()[:4], (b"content-length", b"1"), (b"transfer-encoding", b"chunked")]:
        others = [header for header in headers() if header[0] != name]
        assert status_of([*others, (name, value), (name, value)]) == 400


def test_a_compressed_body_is_refused():
    assert status_of([*headers(), (b"content-encoding", b"gzip")]) == 415


@pytest.mark.parametrize("length", [b"-1", b"abc", b"1e3", b"9" * 30, b"+5", b" 5"])
def test_a_length_that_is_none_is_refused(length):
    assert status_of([*headers(), (b"content-length", length)]) == 413


@pytest.mark.parametrize(
    "changes",
    [
        {"topic": None},
        {"topic": b"products"},
        {"topic": b"a/b/c"},
        {"topic": "prödukte/update".encode()},
        {"webhook_id": None},
        {"webhook_id": b""},
        {"webhook_id": b"x" * 129},
        {"webhook_id": b"a b"},
        {"webhook_id": b"a\0b"},
        {"webhook_id": b"\xff\xfe"},
    ],
)
def test_a_field_without_its_form_is_400(changes):
    assert status_of(headers(**changes)) == 400


@given(st.lists(st.tuples(st.sampled_from([name for name, _ in headers()]), st.binary(max_size=300)), max_size=8))
def test_whatever_comes_is_read_or_refused(fields):
    with contextlib.suppress(RequestRefused):
        require_form(read_head(fields).headers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-25T09:10:11.123456789Z", datetime(2026, 11, 25, 9, 10, 11, 123456, tzinfo=UTC)),
        ("2026-11-25T05:10:11-04:00", datetime(2026, 11, 25, 9, 10, 11, tzinfo=UTC)),
        ("2026-11-25T09:10:11.5Z", datetime(2026, 11, 25, 9, 10, 11, 500000, tzinfo=UTC)),
        ("2026-13-25T09:10:11Z", None),
        ("0001-01-01T00:00:00+23:59", None),
        ("9999-12-31T23:59:59-23:59", None),
        ("1999-01-01T00:00:00Z", None),
        ("2026-11-25", None),
        ("", None),
        ("\0", None),
    ],
)
def test_moments(text, expected):
    assert parse_moment(text, now=NOW) == expected
