"""The local folder under crashes, full disks and several writers: whole objects, nothing left behind."""

from __future__ import annotations

import os
import random
import resource
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from salesbot_pipelines.errors import StoreRefused, StoreUnavailable
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.spaces.local import LocalStore
from salesbot_pipelines.spaces.store import IfAbsent, IfMatch
from salesbot_pipelines_tests import needs
from salesbot_pipelines_tests.spaces.conftest import names_in

JSON = "application/json"
_SOMEBODY = 65534


def test_leftovers_of_dead_writers_go_and_those_of_live_ones_stay(local: LocalStore, key: str) -> None:
    put = local.put(key, b"1", content_type=JSON)
    folder = (local.root / key).parent
    dead = folder / f".{Path(key).name}.0123456789abcdef.tmp"
    dead.write_bytes(b"half")
    assert list(local.list("")) == [key]
    fifo = folder.parent / "source"
    os.mkfifo(fifo)

    def slow_put() -> None:
        local.put(key, fifo, content_type=JSON, condition=IfAbsent())

    with ThreadPoolExecutor(1) as threads:
        live = threads.submit(slow_put)
        with fifo.open("wb") as pipe:
            pipe.write(b"slow")
            pipe.flush()
            while len(list(folder.glob(".*.tmp"))) < 2:
                time.sleep(0.01)
            local.put(key, b"2", content_type=JSON, condition=IfMatch(put.etag))
            assert not dead.exists()
            assert len(list(folder.glob(".*.tmp"))) == 1
            local.delete(key)
            assert folder.exists(), "a writer is at work in it"
        live.result()
    assert local.read(key) == b"slow"
    assert list(folder.glob(".*.tmp")) == []


def test_the_bytes_are_on_the_disk_before_the_name_is(
    local: LocalStore, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """File, rename, folder, twice: first the metadata, then the content."""
    local.put(key, b"1", content_type=JSON)
    steps: list[str] = []
    real_fsync, real_replace = os.fsync, os.replace

    def kind(descriptor: int) -> str:
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        return "folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else name.split(".")[3]

    def fsync(descriptor: int) -> None:
        steps.append(f"sync {kind(descriptor)}")
        real_fsync(descriptor)

    def replace(source: object, target: object) -> None:
        steps.append(f"rename {Path(target).name}")
        real_replace(source, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    local.put(key, b"2", content_type=JSON)
    name = Path(key).name
    content = steps.pop(0)
    assert content.startswith("sync ")
    assert content != "sync meta"
    assert steps == ["sync meta", f"rename .{name}.meta", "sync folder", f"rename {name}", "sync folder"]


def test_a_disk_that_fails_leaves_the_old_object(
    local: LocalStore, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = local.put(key, b"old", content_type=JSON, metadata={"n": "1"})
    before = names_in(local.root)

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreUnavailable) as caught:
        local.put(key, b"new", content_type=JSON)
    monkeypatch.undo()
    assert caught.value.retryable
    assert local.head(key) == old
    assert names_in(local.root) == before


def test_a_full_disk_is_retryable_and_leaves_nothing_half_written(local: LocalStore, key: str) -> None:
    """A limit on the size of files stands in for a full disk: the write stops in the middle."""
    old = local.put(key, b"old", content_type=JSON)
    before = names_in(local.root)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        with pytest.raises(StoreUnavailable):
            local.put(key, b"x" * 1_000_000, content_type=JSON)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert local.head(key) == old
    assert names_in(local.root) == before
    assert local.put(key, b"x" * 1_000_000, content_type=JSON).size == 1_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    with needs.small_disk(tmp_path / "disk", 1) as folder:
        yield folder


def test_a_disk_of_one_megabyte(small_disk: Path, key: str) -> None:
    local = LocalStore(small_disk / "objects")
    old = local.put(key, b"o" * 300_000, content_type=JSON)
    for _ in range(3):
        with pytest.raises(StoreUnavailable) as caught:
            local.put(key, b"x" * 1_000_000, content_type=JSON)
    assert "No space left" in str(caught.value)
    assert local.head(key) == old
    assert list(small_disk.rglob("*.tmp")) == []
    assert local.put(key, b"n" * 300_000, content_type=JSON).size == 300_000


@contextmanager
def as_somebody(folder: Path) -> Iterator[None]:
    """Go on as a user whom a folder may refuse, who owns this one: root goes everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.chown(folder, _SOMEBODY, -1)
    os.seteuid(_SOMEBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_folder_without_rights_is_refused() -> None:
    with TemporaryDirectory() as name:  # pytest's own folders let nobody in but who runs it
        folder = Path(name)
        with as_somebody(folder):
            local = LocalStore(folder / "objects")
            local.put("a/b", b"1", content_type=JSON)
            local.root.chmod(0o500)
            with pytest.raises(StoreRefused, match="Permission denied"):
                local.put("c/d", b"1", content_type=JSON)
            local.root.chmod(0o700)


_WRITER = """
import sys
from pathlib import Path
from salesbot_pipelines.spaces.local import LocalStore
store, key, number = LocalStore(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
while True:
    number += 1
    text = str(number)
    store.put(key, (text * (20000 + number % 7 * 9000)).encode(), content_type="text/plain", metadata={"n": text})
    print(number, flush=True)
"""


def test_a_writer_killed_at_any_moment_leaves_a_whole_object(local: LocalStore, key: str) -> None:
    """What was returned from is there, or a later one; content and metadata are of the same put."""
    pause, number = random.Random(7), 0
    for _ in range(12):
        command = [sys.executable, "-c", _WRITER, str(local.root), key, str(number)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
            try:
                said = int(writer.stdout.readline())
                time.sleep(pause.random() * 0.03)
            finally:
                writer.send_signal(signal.SIGKILL)
            said = [said, *(int(line) for line in writer.stdout.read().splitlines() if line)][-1]
        seen = local.head(key)
        number = int(seen.metadata["n"])
        assert said <= number <= said + 1
        assert local.read(key) == (str(number) * (20000 + number % 7 * 9000)).encode()
        assert list(local.list("")) == [key]
    local.put(key, b"end", content_type=JSON)
    assert names_in(local.root) == {key, str(Path(key).parent / f".{Path(key).name}.meta")}


_COUNTER = """
import sys
from pathlib import Path
from salesbot_pipelines.errors import PreconditionFailed
from salesbot_pipelines.spaces.local import LocalStore
from salesbot_pipelines.spaces.store import IfMatch
store, key = LocalStore(Path(sys.argv[1])), sys.argv[2]
left = 20
while left:
    seen = store.head(key)
    value = int(store.read(key))
    try:
        store.put(key, b"%d" % (value + 1), content_type="text/plain", condition=IfMatch(seen.etag))
    except PreconditionFailed:
        continue
    left -= 1
"""


def test_a_counter_shared_by_processes_loses_nothing(local: LocalStore, key: str) -> None:
    local.put(key, b"0", content_type=JSON)
    command = [sys.executable, "-c", _COUNTER, str(local.root), key]
    workers = [subprocess.Popen(command) for _ in range(3)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    assert local.read(key) == b"60"


def test_puts_survive_deletes_that_remove_their_folder(local: LocalStore, keys: ShopKeys) -> None:
    done = threading.Event()

    def keep_deleting() -> None:
        while not done.wait(0.001):
            local.delete(keys.manifest)

    with ThreadPoolExecutor(1) as threads:
        deleting = threads.submit(keep_deleting)
        try:
            for number in range(80):
                local.put(keys.document, b"%d" % number, content_type=JSON, metadata={"n": str(number)})
                assert local.head(keys.document).metadata["n"] == str(number)
                local.delete(keys.document)
        finally:
            done.set()
        deleting.result()
    assert names_in(local.root) == set()
