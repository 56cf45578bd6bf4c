"""A store that fails: the call still succeeds rightly, or raises the right error and leaves the old object.

The unknown outcome is the heart of it: a PUT that was stored although its answer never came.
"""

from __future__ import annotations

import hashlib
import resource
import socket
from collections.abc import Callable

import pytest

from salesbot_pipelines.errors import (
    PreconditionFailed,
    StoreUnavailable,
)
from salesbot_pipelines.settings import SpacesSettings
from salesbot_pipelines.spaces.s3 import SpacesStore, make_client
from salesbot_pipelines.spaces.store import IfAbsent, IfMatch
from salesbot_pipelines_tests.spaces.conftest import SECRET
from salesbot_pipelines_tests.spaces.stub_s3 import Answer, Cut, Damage, Late, Lost, StubS3

JSON = "application/json"
SLOW_DOWN = Answer("PUT", 503, "SlowDown")
StubStore = Callable[..., SpacesStore]


def test_slow_down_is_waited_out(stub: StubS3, stub_store: StubStore, key: str) -> None:
    stub.faults = [SLOW_DOWN, SLOW_DOWN]
    stub_store().put(key, b"{}", content_type=JSON, condition=IfAbsent())
    assert stub.verbs() == ["PUT", "PUT", "PUT"]
    assert stub.objects[key].content == b"{}"


def test_slow_down_without_end_is_retryable(stub: StubS3, stub_store: StubStore, key: str) -> None:
    stub.always = [SLOW_DOWN]
    with pytest.raises(StoreUnavailable) as caught:
        stub_store(attempts=2).put(key, b"{}", content_type=JSON)
    assert caught.value.retryable
    assert caught.value.key == key
    assert "SlowDown" in str(caught.value)
    assert stub.objects == {}


@pytest.mark.parametrize("status", [500, 502, 503, None], ids=["500", "502", "503", "reset"])
def test_a_create_whose_answer_was_lost_is_known_again(
    stub: StubS3, stub_store: StubStore, key: str, status: int | None
) -> None:
    """boto3 repeats the PUT, the store answers 412 to the repetition: that is our own object."""
    stub.faults = [Lost("PUT", status)]
    put = stub_store().put(key, b"{}", content_type=JSON, metadata={"n": "1"}, condition=IfAbsent())
    assert stub.verbs() == ["PUT", "PUT", "HEAD"]
    assert put == stub_store().head(key)
    assert put.metadata == {"n": "1", "sha256": hashlib.sha256(b"{}").hexdigest()}


def test_a_compare_and_set_whose_answer_never_came_is_known_again(
    stub: StubS3, stub_store: StubStore, key: str
) -> None:
    store = stub_store(read_timeout_seconds=0.5)
    first = store.put(key, b"1", content_type=JSON)
    stub.faults = [Late("PUT", 1.5)]
    second = store.put(key, b"2", content_type=JSON, condition=IfMatch(first.etag))
    assert second.etag == hashlib.md5(b"2").hexdigest()
    assert store.read(key) == b"2"


@pytest.mark.parametrize("condition", [None, IfAbsent()], ids=["plain", "create"])
def test_a_put_stored_at_the_last_attempt_counts(
    stub: StubS3, stub_store: StubStore, key: str, condition: IfAbsent | None
) -> None:
    stub.always = [Lost("PUT", 500)]
    put = stub_store(attempts=1).put(key, b"{}", content_type=JSON, condition=condition)
    assert stub.verbs() == ["PUT", "HEAD"]
    assert put.size == 2


def test_a_put_that_was_never_stored_leaves_the_old_object(stub: StubS3, stub_store: StubStore, key: str) -> None:
    store = stub_store(attempts=2)
    first = store.put(key, b"1", content_type=JSON)
    stub.always = [Answer("PUT", 500, "InternalError")]
    with pytest.raises(StoreUnavailable):
        store.put(key, b"2", content_type=JSON, condition=IfMatch(first.etag))
    assert store.read(key) == b"1"


def test_a_put_that_somebody_else_overwrote_is_not_ours(stub: StubS3, stub_store: StubStore, key: str) -> None:
    store = stub_store()

    def overwrite(stub: StubS3) -> None:
        with stub.lock:
            stub.objects[key].content = b"theirs"
            stub.objects[key].headers = {"content-type": JSON, "x-amz-meta-put-id": "another"}

    stub.faults = [Lost("PUT", 500, then=overwrite)]
    with pytest.raises(PreconditionFailed):
        store.put(key, b"ours", content_type=JSON, condition=IfAbsent())
    assert store.read(key) == b"theirs"


def test_when_the_look_back_fails_too_the_outcome_stays_unknown(
    stub: StubS3, stub_store: StubStore, key: str
) -> None:
    stub.always = [Lost("PUT", 500), Answer("HEAD", 500)]
    with pytest.raises(StoreUnavailable):
        stub_store(attempts=1).put(key, b"{}", content_type=JSON)


@pytest.mark.parametrize("status", [409, 412])
def test_a_refused_condition_without_a_message(stub: StubS3, stub_store: StubStore, key: str, status: int) -> None:
    stub.always = [Answer("PUT", status, "PreconditionFailed", message=None)]
    with pytest.raises(PreconditionFailed) as caught:
        stub_store().put(key, b"{}", content_type=JSON, condition=IfAbsent())
    assert caught.value.key == key
    assert stub.objects == {}


def test_404_to_a_compare_and_set_means_it_is_gone(stub: StubS3, stub_store: StubStore, key: str) -> None:
    stub.behaviour.absent_is_404 = True
    with pytest.raises(PreconditionFailed):
        stub_store().put(key, b"{}", content_type=JSON, condition=IfMatch("0" * 32))


@pytest.mark.parametrize(
    "fault", [Cut(honest=False), Cut(honest=True), Cut(honest=False, length=0), Damage()], ids=str
)
def test_a_body_that_was_cut_or_damaged_is_fetched_again(
    stub: StubS3, stub_store: StubStore, key: str, fault: object
) -> None:
    store = stub_store()
    store.put(key, b"x" * 100_000, content_type=JSON)
    stub.faults = [fault]
    assert store.read(key) == b"x" * 100_000
    stub.faults = [fault]
    with store.open(key) as file:
        assert file.read() == b"x" * 100_000


@pytest.mark.parametrize("fault", [Cut(honest=False), Cut(honest=True), Damage()], ids=str)
def test_a_body_that_is_always_cut_or_damaged_is_never_seen(
    stub: StubS3, stub_store: StubStore, key: str, fault: object
) -> None:
    store = stub_store()
    store.put(key, b"x" * 100_000, content_type=JSON)
    stub.always = [fault]
    with pytest.raises(StoreUnavailable):
        store.read(key)
    with pytest.raises(StoreUnavailable), store.open(key):
        pytest.fail("not one byte may be seen")
    assert stub.verbs().count("GET") == 6


@pytest.mark.parametrize("limit", [1_200_000, 2_097_200], ids=["in the middle", "at the last byte"])
def test_a_full_temporary_folder_is_retryable(stub: StubS3, stub_store: StubStore, key: str, limit: int) -> None:
    """A limit on the size of files stands in for the full disk that `open` keeps the object on."""
    store = stub_store()
    store.put(key, b"x" * 2_097_252, content_type=JSON)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        with pytest.raises(StoreUnavailable), store.open(key):
            pytest.fail("it cannot be kept")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with store.open(key) as file:
        assert len(file.read()) == 2_097_252


def test_an_object_of_another_program_is_checked_by_its_length(stub: StubS3, stub_store: StubStore, key: str) -> None:
    store = stub_store()
    store.put(key, b"x" * 1000, content_type=JSON)
    stub.objects[key].headers = {"content-type": "text/plain"}
    assert store.read(key) == b"x" * 1000
    assert store.head(key).sha256 == ""
    stub.always = [Cut(honest=False)]
    with pytest.raises(StoreUnavailable):
        store.read(key)


def test_metadata_names_that_come_back_capitalised(stub: StubS3, stub_store: StubStore, key: str) -> None:
    store = stub_store()
    put = store.put(key, b"1", content_type=JSON, metadata={"fetched-at": "2026"})
    stub.behaviour.capitalise = True
    assert store.head(key) == put
    stub.faults = [Lost("PUT", 500)]
    assert store.put(key, b"2", content_type=JSON, condition=IfMatch(put.etag)).metadata["sha256"]


def test_slow_answers(stub: StubS3, stub_store: StubStore, key: str) -> None:
    stub.always = [Late(verb, 0.1) for verb in ("PUT", "GET", "HEAD", "DELETE")]
    stub_store(attempts=1).put(key, b"1", content_type=JSON)
    assert stub_store(attempts=1).read(key) == b"1"
    store = stub_store(attempts=1, read_timeout_seconds=0.3)
    stub.always = [Late(verb, 1.0) for verb in ("PUT", "GET", "HEAD", "DELETE", "LIST")]
    for call in (
        lambda: store.put(key, b"2", content_type=JSON),
        lambda: store.head(key),
        lambda: store.delete(key),
        lambda: list(store.list(key)),
    ):
        with pytest.raises(StoreUnavailable):
            call()


def test_nobody_listens(key: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    settings = SpacesSettings("fra1", f"http://127.0.0.1:{port}", "salesbot-test", "DO00TEST", SECRET)
    store = SpacesStore(make_client(settings, attempts=1), "salesbot-test")
    with pytest.raises(StoreUnavailable):
        store.put(key, b"{}", content_type=JSON)
    store.client.close()
