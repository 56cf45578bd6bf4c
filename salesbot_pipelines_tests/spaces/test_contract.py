"""What every store promises, on all three: the local folder, moto in process, and Ceph over TLS."""

from __future__ import annotations

import hashlib
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from salesbot_pipelines.errors import ObjectMissing, PreconditionFailed, StoreRefused
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.spaces.store import IfAbsent, IfMatch, ObjectStore

JSON = "application/json"
ODD_NAMES = [
    "with blank.json", "plus+and%25percent", "žluťoučký/kůň.json", "e\u0301-decomposed", "quote'and\"double",
    "a=b&c=d;e", "question?mark", "hash#mark", "tilde~star*", "商品.json", "emoji-🛒.json", "at@colon:comma,",
    "x" * 200,
]  # fmt: skip
BAD_KEYS = [
    "", "/", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/..", "./a", ".hidden", "a/.hidden", "a\\b", "a\nb",
    "a\0b", "a/\x7f", "x" * 201, "x/" * 512 + "x", "a\ud800",
]  # fmt: skip
BAD_METADATA = [
    {"Upper": "x"}, {"a_b": "x"}, {"": "x"}, {"a": "ž"}, {"a": "x\ny"}, {"a": " x"}, {"a": "x" * 2048},
    {"sha256": "0" * 64},
]  # fmt: skip


@pytest.mark.parametrize("content", [b"", b"{}", bytes(range(256)) * 300], ids=["empty", "small", "every byte"])
def test_what_is_put_is_read(store: ObjectStore, key: str, content: bytes) -> None:
    put = store.put(key, content, content_type=JSON)
    assert store.read(key) == content
    with store.open(key) as file:
        assert file.read() == content
    assert put.size == len(content)
    assert store.head(key) == put


def test_a_large_file_is_put_from_its_path_and_streamed_back(store: ObjectStore, key: str, tmp_path: Path) -> None:
    source = tmp_path / "products"
    block = hashlib.sha512(b"x").digest() * 1024
    source.write_bytes(b"".join(block + bytes([n % 251]) for n in range(320)))
    assert source.stat().st_size > 20_000_000
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    put = store.put(key, source, content_type=JSON, metadata={"sha256": digest})
    assert (put.size, put.sha256) == (source.stat().st_size, digest)
    with store.open(key) as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == digest
        file.seek(0)
        assert file.read(64) == block[:64]


def test_head_tells_size_etag_and_metadata(store: ObjectStore, key: str) -> None:
    assert store.head(key) is None
    store.put(key, b"[1]", content_type=JSON, metadata={"fetched-at": "2026-11-01T02:00:00Z", "run": "a b"})
    seen = store.head(key)
    assert seen is not None
    assert (seen.key, seen.size, seen.sha256) == (key, 3, hashlib.sha256(b"[1]").hexdigest())
    assert seen.metadata == {"fetched-at": "2026-11-01T02:00:00Z", "run": "a b", "sha256": seen.sha256}
    assert seen.etag
    assert '"' not in seen.etag


def test_content_and_metadata_are_replaced_together(store: ObjectStore, key: str) -> None:
    first = store.put(key, b"1", content_type=JSON, metadata={"a": "1", "b": "1"})
    second = store.put(key, b"2", content_type=JSON, metadata={"a": "2"})
    assert store.head(key) == second
    assert second.metadata == {"a": "2", "sha256": hashlib.sha256(b"2").hexdigest()}
    assert first.etag != second.etag


def test_metadata_change_while_the_bytes_stay(store: ObjectStore, key: str) -> None:
    first = store.put(key, b"same", content_type=JSON, metadata={"fetched-at": "1"})
    second = store.put(key, b"same", content_type=JSON, metadata={"fetched-at": "2"})
    assert first.etag == second.etag
    assert store.head(key) == second


def test_an_absent_object_is_named(store: ObjectStore, key: str) -> None:
    with pytest.raises(ObjectMissing) as caught:
        store.read(key)
    assert caught.value.key == key
    with pytest.raises(ObjectMissing), store.open(key):
        pytest.fail("nothing can be open")


def test_create_only(store: ObjectStore, key: str) -> None:
    put = store.put(key, b"first", content_type=JSON, condition=IfAbsent())
    with pytest.raises(PreconditionFailed) as caught:
        store.put(key, b"second", content_type=JSON, condition=IfAbsent())
    assert caught.value.key == key
    assert store.read(key) == b"first"
    assert store.head(key) == put


def test_compare_and_set(store: ObjectStore, key: str) -> None:
    first = store.put(key, b"1", content_type=JSON)
    second = store.put(key, b"2", content_type=JSON, condition=IfMatch(first.etag))
    with pytest.raises(PreconditionFailed):
        store.put(key, b"3", content_type=JSON, condition=IfMatch(first.etag))
    assert store.head(key) == second
    assert store.read(key) == b"2"
    store.put(key, b"4", content_type=JSON, condition=IfMatch(f'"{second.etag}"'))
    assert store.read(key) == b"4"


def test_compare_and_set_of_an_absent_object_fails(store: ObjectStore, key: str) -> None:
    seen = store.put(key, b"1", content_type=JSON)
    store.delete(key)
    with pytest.raises(PreconditionFailed):
        store.put(key, b"2", content_type=JSON, condition=IfMatch(seen.etag))
    assert store.head(key) is None


def test_delete(store: ObjectStore, keys: ShopKeys) -> None:
    store.put(keys.document, b"1", content_type=JSON)
    store.put(keys.manifest, b"2", content_type=JSON)
    store.delete(keys.document)
    store.delete(keys.document)
    assert store.head(keys.document) is None
    assert store.read(keys.manifest) == b"2"
    store.put(keys.document, b"3", content_type=JSON, condition=IfAbsent())
    assert store.read(keys.document) == b"3"


def test_list_is_complete_and_ordered(store: ObjectStore, keys: ShopKeys) -> None:
    # The order of UTF-8 bytes: "-" and "." before "/", "Z" before "a", two-byte letters last.
    names = ["Z", "a-1", "a.1", "a/1", "a/2/x", "a0", "b", "é", "raw/products.jsonl.gz", "商"]
    for name in reversed(names):
        store.put(keys.prefix + name, b"x", content_type=JSON)
    expected = sorted((keys.prefix + name for name in names), key=str.encode)
    assert list(store.list(keys.prefix)) == expected
    assert list(store.list(keys.prefix + "a")) == [each for each in expected if each.startswith(keys.prefix + "a")]
    assert list(store.list(keys.prefix + "a/")) == [keys.prefix + "a/1", keys.prefix + "a/2/x"]
    assert list(store.list(keys.prefix + "none/")) == []
    assert list(store.list(keys.prefix + "b/")) == []


def test_list_goes_past_one_page(store: ObjectStore, keys: ShopKeys) -> None:
    names = [f"{keys.prefix}{n:02}" for n in range(10)]
    for name in names:
        store.put(name, b"x", content_type=JSON)

    def three_a_page(params: dict[str, object], **_: object) -> None:
        params["MaxKeys"] = 3

    requests: list[str] = []
    store._on_request = lambda verb, _: requests.append(verb)
    client = getattr(store, "client", None)
    if client is None:
        assert list(store.list(keys.prefix)) == names
        return
    client.meta.events.register("before-parameter-build.s3.ListObjects", three_a_page)
    try:
        assert list(store.list(keys.prefix)) == names
    finally:
        client.meta.events.unregister("before-parameter-build.s3.ListObjects", three_a_page)
    assert requests == ["LIST"] * 4


def test_odd_keys(store: ObjectStore, keys: ShopKeys) -> None:
    for name in ODD_NAMES:
        store.put(keys.prefix + name, name.encode(), content_type="text/plain", metadata={"n": "1"})
    for name in ODD_NAMES:
        assert store.read(keys.prefix + name) == name.encode()
    assert set(store.list(keys.prefix)) == {keys.prefix + name for name in ODD_NAMES}
    for name in ODD_NAMES:
        store.delete(keys.prefix + name)
    assert list(store.list(keys.prefix)) == []


def test_a_bad_key_is_refused_before_any_request(store: ObjectStore) -> None:
    asked: list[str] = []
    store._on_request = lambda verb, key: asked.append(verb)
    for bad in BAD_KEYS:
        for call in (store.head, store.read, store.delete, store.uri):
            with pytest.raises(StoreRefused):
                call(bad)
        with pytest.raises(StoreRefused):
            store.put(bad, b"", content_type=JSON)
        with pytest.raises(StoreRefused), store.open(bad):
            pytest.fail("nothing can be open")
    assert asked == []


def test_metadata_that_would_not_come_back_are_refused(store: ObjectStore, key: str) -> None:
    for metadata in BAD_METADATA:
        with pytest.raises(ValueError):
            store.put(key, b"x", content_type=JSON, metadata=metadata)
    assert store.head(key) is None


def test_a_source_that_is_gone_stores_nothing(store: ObjectStore, key: str, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.put(key, tmp_path / "gone", content_type=JSON)
    assert store.head(key) is None


def test_an_open_reader_keeps_what_it_opened(store: ObjectStore, key: str) -> None:
    old = b"old" * 1_000_000
    store.put(key, old, content_type=JSON)
    with store.open(key) as file:
        start = file.read(3)
        store.put(key, b"new" * 1_000_000, content_type=JSON)
        store.delete(key)
        assert start + file.read() == old


def test_requests_are_told(store: ObjectStore, key: str) -> None:
    told: list[tuple[str, str]] = []
    assert store.conditional is True
    store._on_request = lambda verb, key: told.append((verb, key))
    store.put(key, b"1", content_type=JSON, condition=IfAbsent())
    store.head(key)
    store.read(key)
    list(store.list(key))
    store.delete(key)
    assert told == [("PUT", key), ("HEAD", key), ("GET", key), ("LIST", key), ("DELETE", key)]


def test_of_24_creators_one_wins(store: ObjectStore, key: str) -> None:
    assert store.conditional
    gate = threading.Barrier(24)

    def create(number: int) -> int | None:
        gate.wait()
        try:
            store.put(
                key, b"writer %d" % number, content_type=JSON, metadata={"n": str(number)}, condition=IfAbsent()
            )
        except PreconditionFailed:
            return None
        return number

    with ThreadPoolExecutor(24) as threads:
        winners = [n for n in threads.map(create, range(24)) if n is not None]
    assert len(winners) == 1
    assert store.read(key) == b"writer %d" % winners[0]
    assert store.head(key).metadata["n"] == str(winners[0])


def test_a_counter_by_compare_and_set_loses_nothing(store: ObjectStore, key: str) -> None:
    store.put(key, b"0", content_type=JSON)
    assert store.conditional

    def add_one() -> None:
        while True:
            seen = store.head(key)
            value = int(store.read(key))
            try:
                store.put(key, b"%d" % (value + 1), content_type=JSON, condition=IfMatch(seen.etag))
            except PreconditionFailed:
                continue
            return

    with ThreadPoolExecutor(6) as threads:
        for done in [threads.submit(add_one) for _ in range(36)]:
            done.result()
    assert store.read(key) == b"36"


def test_no_reader_ever_meets_a_torn_document(store: ObjectStore, key: str) -> None:
    """200 publishes of changing size; readers check bytes against the number inside and the metadata."""

    documents = [json.dumps([number] * (2000 + 997 * (number % 7))).encode() for number in range(201)]
    digests = {hashlib.sha256(document).hexdigest(): number for number, document in enumerate(documents)}
    store.put(key, documents[0], content_type=JSON, metadata={"number": "0"})
    done = threading.Event()

    def keep_reading() -> int:
        reads, last = 0, 0
        while not done.is_set():
            number = digests[hashlib.sha256(store.read(key)).hexdigest()]
            assert number >= last
            with store.open(key) as file:
                later = digests[hashlib.sha256(file.read()).hexdigest()]
            seen = store.head(key)
            assert digests[seen.sha256] == int(seen.metadata["number"]) >= later >= number
            assert seen.size == len(documents[int(seen.metadata["number"])])
            last = int(seen.metadata["number"])
            reads += 1
            done.wait(0.005)
        return reads

    with ThreadPoolExecutor(2) as threads:
        readers = [threads.submit(keep_reading) for _ in range(2)]
        try:
            for number in range(1, 201):
                store.put(key, documents[number], content_type=JSON, metadata={"number": str(number)})
        finally:
            done.set()
        assert sum(reader.result() for reader in readers) > 10
    assert digests[store.head(key).sha256] == 200
