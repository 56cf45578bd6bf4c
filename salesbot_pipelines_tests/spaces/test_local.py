"""The local folder: what other programs see in it, who may read it, and any sequence of calls on it."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from salesbot_pipelines.errors import ObjectMissing, PreconditionFailed, StoreRefused
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.spaces.local import LocalStore
from salesbot_pipelines.spaces.store import IfAbsent, IfMatch
from salesbot_pipelines_tests.spaces.conftest import names_in

JSON = "application/json"


def test_any_tool_sees_the_plain_document(local: LocalStore, keys: ShopKeys) -> None:
    local.put(keys.document, b'{"shop":{}}', content_type=JSON, metadata={"fetched-at": "2026"})
    path = local.root / "users" / keys.owner / "shopify" / keys.shop / "shopify_data.json"
    assert json.loads(path.read_bytes()) == {"shop": {}}
    assert local.uri(keys.document) == path.as_uri()
    assert [each.name for each in path.parent.iterdir() if not each.name.startswith(".")] == ["shopify_data.json"]


@pytest.mark.parametrize("mask", [0o000, 0o022])
def test_files_and_folders_are_private_whatever_the_umask(local: LocalStore, keys: ShopKeys, mask: int) -> None:
    before = os.umask(mask)
    try:
        local.put(keys.raw("products"), b"1", content_type=JSON)
        local.put(keys.raw("products"), b"2", content_type=JSON)
    finally:
        os.umask(before)
    for path in (local.root, *local.root.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_file_changed_by_hand_has_an_etag_of_its_own_and_no_metadata(local: LocalStore, key: str) -> None:
    put = local.put(key, b"1", content_type=JSON, metadata={"n": "1"})
    (local.root / key).write_bytes(b"2")
    seen = local.head(key)
    assert seen.etag == hashlib.sha256(b"2").hexdigest()
    assert dict(seen.metadata) == {}
    with pytest.raises(PreconditionFailed):
        local.put(key, b"3", content_type=JSON, condition=IfMatch(put.etag))
    assert local.put(key, b"3", content_type=JSON, condition=IfMatch(seen.etag)).metadata["sha256"]


@pytest.mark.parametrize("damage", [b"", b"not json", b"[]", b'{"x": 1}'])
def test_a_damaged_sidecar_costs_the_metadata_and_no_more(local: LocalStore, key: str, damage: bytes) -> None:
    put = local.put(key, b"1", content_type=JSON, metadata={"n": "1"})
    next((local.root / key).parent.glob(".*.meta")).write_bytes(damage)
    assert local.read(key) == b"1"
    assert dict(local.head(key).metadata) == {}
    local.put(key, b"1", content_type=JSON, metadata={"n": "1"}, condition=IfMatch(put.etag))
    assert local.head(key) == put


def test_a_crash_between_metadata_and_content_changes_nothing(local: LocalStore, key: str) -> None:
    old = local.put(key, b"old", content_type=JSON, metadata={"n": "old"})
    content = (local.root / key).read_bytes()
    local.put(key, b"new", content_type=JSON, metadata={"n": "new"})
    (local.root / key).write_bytes(content)  # as if the second rename had not happened
    assert local.head(key) == old


def test_a_reader_that_was_overtaken_twice_looks_again(
    local: LocalStore, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two puts after it opened the file, that file's record is gone: that is no change by hand."""
    local.put(key, b"1", content_type=JSON, metadata={"n": "1"})
    digest_of = hashlib.file_digest

    def overtaken(file: object, name: str) -> object:
        monkeypatch.setattr(hashlib, "file_digest", digest_of)
        digest = digest_of(file, name)
        for content in (b"2", b"3"):
            local.put(key, content, content_type=JSON, metadata={"n": content.decode()})
        return digest

    monkeypatch.setattr(hashlib, "file_digest", overtaken)
    seen = local.head(key)
    assert (seen.etag, seen.metadata["n"]) == (hashlib.sha256(b"3").hexdigest(), "3")


def test_deleting_leaves_no_name_behind(local: LocalStore, keys: ShopKeys) -> None:
    """An erased shop's domain may not stay in the name of an empty folder or a sidecar."""
    for key in (keys.document, keys.raw("products"), keys.raw("shop")):
        local.put(key, b"1", content_type=JSON)
    for key in list(local.list(keys.prefix)):
        local.delete(key)
    left = [str(path) for path in local.root.rglob("*") if ".locks" not in path.parts]
    assert left == []
    assert not [path for path in local.root.rglob("*") if keys.shop in str(path.relative_to(local.root))]


def test_a_link_cannot_lead_out(local: LocalStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    local.put("a/b", b"1", content_type=JSON)
    (local.root / "link").symlink_to(outside)
    (local.root / "a" / "file").symlink_to(outside / "secret")
    for call in (local.head, local.read, local.delete):
        with pytest.raises(StoreRefused):
            call("link/secret")
    with pytest.raises(StoreRefused):
        local.put("link/new", b"1", content_type=JSON)
    with pytest.raises(StoreRefused):
        list(local.list("link/"))
    assert list(local.list("")) == ["a/b"]
    for call in (local.head, local.read, lambda key: local.put(key, b"mine", content_type=JSON)):
        with pytest.raises(StoreRefused):
            call("a/file")
    assert (outside / "secret").read_text() == "secret"
    assert [path.name for path in outside.iterdir()] == ["secret"]


def test_a_folder_is_no_object(local: LocalStore) -> None:
    local.put("a/b", b"1", content_type=JSON)
    assert local.head("a") is None
    assert local.head("a/b/c") is None
    with pytest.raises(ObjectMissing):
        local.read("a")
    local.delete("a")
    local.delete("a/b/c")
    for key in ("a", "a/b/c"):
        with pytest.raises(StoreRefused):
            local.put(key, b"2", content_type=JSON)
    assert names_in(local.root) == {"a/b", "a/.b.meta"}


def test_nothing_is_written_before_the_first_put(tmp_path: Path) -> None:
    local = LocalStore(tmp_path / "home" / "objects")
    assert local.head("a") is None
    assert list(local.list("")) == []
    local.delete("a")
    assert not (tmp_path / "home").exists()


class AgainstADictionary(RuleBasedStateMachine):
    """Any sequence of calls on three keys answers as a dictionary would."""

    keys = st.sampled_from(["a/x", "a/y", "b"])
    contents = st.binary(max_size=3)

    def __init__(self) -> None:
        super().__init__()
        import tempfile

        self.folder = tempfile.TemporaryDirectory()
        self.store = LocalStore(Path(self.folder.name) / "objects")
        self.model: dict[str, tuple[bytes, str]] = {}
        self.etags: dict[str, list[str]] = {"a/x": [], "a/y": [], "b": []}
        self.count = 0

    @rule(key=keys, content=contents, condition=st.sampled_from(["none", "absent", "match", "stale"]))
    def put(self, key: str, content: bytes, condition: str) -> None:
        self.count += 1
        there = self.model.get(key)
        now = hashlib.sha256(there[0]).hexdigest() if there else "0" * 64
        asked = {"none": None, "absent": IfAbsent(), "match": IfMatch(now), "stale": IfMatch("f" * 64)}[condition]
        holds = {"none": True, "absent": there is None, "match": there is not None, "stale": False}[condition]
        fields = {"n": str(self.count)}
        try:
            self.store.put(key, content, content_type=JSON, metadata=fields, condition=asked)
        except PreconditionFailed:
            assert not holds
        else:
            assert holds
            self.model[key] = (content, str(self.count))

    @rule(key=keys)
    def delete(self, key: str) -> None:
        self.store.delete(key)
        self.model.pop(key, None)

    @invariant()
    def agrees(self) -> None:
        assert list(self.store.list("")) == sorted(self.model)
        for key in self.etags:
            seen = self.store.head(key)
            if key not in self.model:
                assert seen is None
                continue
            content, number = self.model[key]
            assert self.store.read(key) == content
            assert (seen.size, seen.metadata["n"]) == (len(content), number)

    def teardown(self) -> None:
        self.folder.cleanup()


TestAgainstADictionary = AgainstADictionary.TestCase
TestAgainstADictionary.settings = settings(max_examples=15, stateful_step_count=15, deadline=None)
