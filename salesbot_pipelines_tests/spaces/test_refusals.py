"""What a store's refusals become: the typed error, the variable to mend, and the way without conditions."""

from __future__ import annotations

import hashlib
import logging
import traceback
from collections.abc import Callable

import pytest

from salesbot_pipelines.errors import (
    ObjectMissing,
    PreconditionFailed,
    StoreError,
    StoreRefused,
    StoreUnavailable,
)
from salesbot_pipelines.spaces.s3 import SpacesStore
from salesbot_pipelines.spaces.store import IfAbsent, IfMatch
from salesbot_pipelines_tests.spaces.conftest import SECRET
from salesbot_pipelines_tests.spaces.stub_s3 import Answer, StubS3

JSON = "application/json"
SLOW_DOWN = Answer("PUT", 503, "SlowDown")
StubStore = Callable[..., SpacesStore]


@pytest.mark.parametrize("message", [None, "Access Denied."])
@pytest.mark.parametrize(
    ("status", "code", "named"),
    [
        (403, "AccessDenied", "SPACES_KEY"),
        (403, "InvalidAccessKeyId", "SPACES_KEY"),
        (403, "SignatureDoesNotMatch", "SPACES_SECRET"),
        (403, "RequestTimeTooSkewed", "clock"),
        (404, "NoSuchBucket", "SPACES_BUCKET"),
        (301, "PermanentRedirect", "SPACES_REGION"),
        (307, "TemporaryRedirect", "SPACES_REGION"),
        (400, "AuthorizationHeaderMalformed", "SPACES_REGION"),
        (411, "MissingContentLength", "when_required"),
        (400, "MissingContentMD5", "when_required"),
        (400, "XAmzContentSHA256Mismatch", "AWS_REQUEST_CHECKSUM_CALCULATION"),
        (501, "NotImplemented", "does not know"),
        (418, "Teapot", "salesbot doctor"),
    ],
)
def test_a_refusal_names_what_to_mend(
    stub: StubS3, stub_store: StubStore, key: str, status: int, code: str, named: str, message: str | None
) -> None:
    stub.always = [Answer(verb, status, code, message) for verb in ("PUT", "GET")]
    store = stub_store(attempts=1)
    with pytest.raises(StoreRefused) as caught:
        store.put(key, b"{}", content_type=JSON)
    assert named in caught.value.public_text
    assert code in str(caught.value)
    assert not caught.value.retryable
    with pytest.raises(StoreRefused):
        store.read(key)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (500, "InternalError"), (502, ""), (503, "ServiceUnavailable"), (504, ""), (429, "TooManyRequests"),
        (408, ""), (400, "RequestTimeout"), (400, "IncompleteBody"), (400, "BadDigest"),
    ],
)  # fmt: skip
def test_what_passes_is_retryable(stub: StubS3, stub_store: StubStore, key: str, status: int, code: str) -> None:
    store = stub_store(attempts=1)
    stub.always = [Answer(verb, status, code) for verb in ("PUT", "GET", "HEAD", "DELETE", "LIST")]
    for call in (
        lambda: store.put(key, b"{}", content_type=JSON),
        lambda: store.read(key),
        lambda: store.delete(key),
        lambda: list(store.list(key)),
        *([lambda: store.head(key)] if status != 400 else []),  # its code would stand in the body
    ):
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert caught.value.retryable


def test_a_bare_403_to_a_head_is_no_absent_object(stub: StubS3, stub_store: StubStore, key: str) -> None:
    stub.always = [Answer("HEAD", 403)]
    with pytest.raises(StoreRefused):
        stub_store(attempts=1).head(key)


def test_a_missing_bucket_is_no_missing_object(stub: StubS3, stub_store: StubStore, key: str) -> None:
    stub.always = [Answer("GET", 404, "NoSuchBucket")]
    with pytest.raises(StoreRefused):
        stub_store().read(key)
    stub.always, stub.seen = [], []
    with pytest.raises(ObjectMissing):
        stub_store().read(key)
    assert stub.verbs() == ["GET"], "asking again would not bring it"


def test_a_proxy_that_answers_in_html(stub: StubS3, stub_store: StubStore, key: str) -> None:
    page = b"<html><body>Bad Gateway</body></html>"
    stub.always = [Answer("LIST", 200, body=page[:20]), Answer("PUT", 502, body=page), Answer("GET", 502, body=b"")]
    store = stub_store(attempts=1)
    for call in (
        lambda: list(store.list("users/")),
        lambda: store.put(key, b"", content_type=JSON),
        lambda: store.read(key),
    ):
        with pytest.raises(StoreUnavailable):
            call()


@pytest.mark.parametrize(
    "listing",
    [
        b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        b"<ListBucketResult><IsTruncated>true</IsTruncated><Contents><Key>a</Key></Contents></ListBucketResult>",
    ],
    ids=["nothing", "the same page for ever"],
)
def test_a_listing_that_leads_nowhere_is_an_error(stub: StubS3, stub_store: StubStore, listing: bytes) -> None:
    stub.behaviour.listing = listing
    with pytest.raises(StoreUnavailable):
        list(stub_store().list(""))
    assert len(stub.seen) <= 2


@pytest.mark.parametrize("behaviour", ["ignores", "refuses"])
def test_a_store_without_conditions_is_found_out_and_looked_at_first(
    stub: StubS3, stub_store: StubStore, key: str, caplog: pytest.LogCaptureFixture, behaviour: str
) -> None:
    stub.behaviour.enforce_conditions = False
    stub.behaviour.knows_conditions = behaviour == "ignores"
    store = stub_store(conditional=None)
    with caplog.at_level(logging.WARNING):
        first = store.put(key, b"1", content_type=JSON, condition=IfAbsent())
        second = store.put(key, b"2", content_type=JSON, condition=IfMatch(first.etag))
        assert store.conditional is False
    assert len(caplog.records) == 1
    assert "conditional" in caplog.text
    with pytest.raises(PreconditionFailed):
        store.put(key, b"3", content_type=JSON, condition=IfMatch(first.etag))
    with pytest.raises(PreconditionFailed):
        store.put(key, b"3", content_type=JSON, condition=IfAbsent())
    with pytest.raises(PreconditionFailed):
        store.put(f"{key}2", b"3", content_type=JSON, condition=IfMatch(second.etag))
    assert store.read(key) == b"2"
    assert set(stub.objects) == {key}, "the check cleans up after itself"
    sent = [headers for verb, to, headers in stub.seen if verb == "PUT" and to == key]
    assert not [headers for headers in sent if "if-match" in headers or "if-none-match" in headers]


def test_conditions_are_found_out_once_and_only_when_needed(stub: StubS3, stub_store: StubStore, key: str) -> None:
    store = stub_store(conditional=None)
    store.put(key, b"0", content_type=JSON)
    assert stub.verbs() == ["PUT"]
    seen = store.put(key, b"1", content_type=JSON, condition=IfMatch(hashlib.md5(b"0").hexdigest()))
    assert store.conditional is True
    before = len(stub.seen)
    store.put(key, b"2", content_type=JSON, condition=IfMatch(seen.etag))
    assert len(stub.seen) == before + 1


def test_a_store_that_cannot_be_asked_is_asked_again(stub: StubS3, stub_store: StubStore, key: str) -> None:
    store = stub_store(conditional=None, attempts=1)
    stub.always = [SLOW_DOWN]
    with pytest.raises(StoreUnavailable):
        store.put(key, b"1", content_type=JSON, condition=IfAbsent())
    stub.always = []
    store.put(key, b"1", content_type=JSON, condition=IfAbsent())
    assert store.conditional is True


def test_no_error_shows_the_secret(stub: StubS3, stub_store: StubStore, key: str) -> None:
    store = stub_store(attempts=1)
    for status, code in ((403, "SignatureDoesNotMatch"), (500, "InternalError"), (412, "PreconditionFailed")):
        stub.always = [Answer("PUT", status, code, "text")]
        with pytest.raises(StoreError) as caught:
            store.put(key, b"content-of-the-document", content_type=JSON)
        everything = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(store)
        assert SECRET not in everything
        assert "content-of-the-document" not in str(caught.value)
