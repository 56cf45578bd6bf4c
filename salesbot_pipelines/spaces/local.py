"""The local twin of Spaces: a folder whose files are the objects, for the demo, laptops and tests.

Promise: the plain file under `<root>/<key>` is the whole object, old or new, for any program that
opens it, and stays so after a power cut. Its metadata can never be torn from it: they lie in a hidden
sidecar that is keyed by the content's own digest and written *before* the content is replaced, so a
reader finds the record of whichever content it opened. A file edited by hand simply has none.

    users/<uuid>/shopify/<shop>/manifest.json            the object
    users/<uuid>/shopify/<shop>/.manifest.json.meta      {digest: record}, of the last content and the one before
    users/<uuid>/shopify/<shop>/.manifest.json.<x>.tmp   being written; locked while its writer lives
    .locks/<00..ff>                                      what serialises the writers of a key

Needs a POSIX file system with flock; several processes on one machine may share the folder.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from salesbot_pipelines.errors import ObjectMissing, PreconditionFailed, StoreRefused
from salesbot_pipelines.spaces import local_files
from salesbot_pipelines.spaces.keys import check_key
from salesbot_pipelines.spaces.store import (
    NO_METADATA,
    Condition,
    IfAbsent,
    ObjectInfo,
    OnRequest,
    check_metadata,
)

__all__ = ["LocalStore"]

_CHUNK_BYTES = 1 << 20


class _Record(msgspec.Struct):
    """What the sidecar keeps of one content."""

    content_type: str
    metadata: dict[str, str]


_decode_records = msgspec.json.Decoder(dict[str, _Record]).decode


@dataclass(frozen=True)
class _Current:
    """The object as it lies there; `record` is None when another program wrote it."""

    digest: str
    size: int
    record: _Record | None


class LocalStore:
    """An `ObjectStore` in a folder, which is made at the first put (modes 0700 and 0600)."""

    conditional = True

    def __init__(self, root: Path, *, on_request: OnRequest | None = None) -> None:
        self._root = root.expanduser().resolve()
        self._on_request = on_request

    def __repr__(self) -> str:
        return f"LocalStore({str(self._root)!r})"

    @property
    def url(self) -> str:
        return self._root.as_uri()

    @property
    def root(self) -> Path:
        return self._root

    def uri(self, key: str) -> str:
        return self._path(key).as_uri()

    def head(self, key: str) -> ObjectInfo | None:
        """Describe the object. Reads all of it: the digest is the ETag and finds the metadata."""
        path = self._begin("HEAD", key)
        with local_files.errors_as_ours("describe", key):
            current = _find(path)
        return _info(key, current) if current else None

    def read(self, key: str) -> bytes:
        with self.open(key) as file, local_files.errors_as_ours("read", key):
            return file.read()

    @contextmanager
    def open(self, key: str) -> Iterator[BinaryIO]:
        path = self._begin("GET", key)
        with local_files.errors_as_ours("read", key):
            file = local_files.open_regular(path)
        if file is None:
            raise ObjectMissing(f"no object {key}", key=key)
        with file:
            yield file

    def put(
        self,
        key: str,
        source: bytes | Path,
        *,
        content_type: str,
        metadata: Mapping[str, str] = NO_METADATA,
        condition: Condition | None = None,
    ) -> ObjectInfo:
        path = self._begin("PUT", key)
        with (
            _chunks_of(source) as chunks,
            local_files.errors_as_ours("write", key),
            local_files.temporary(path) as content,
        ):
            # The long part, the copy, happens before the lock is taken: writers wait for milliseconds.
            digest, size = _copy(chunks, content.file)
            record = _Record(content_type, check_metadata(metadata, sha256=digest))
            content.make_durable()
            with local_files.locked(self._root, key):
                current = _find(path)
                _require(condition, current, key)
                if current is None and os.path.lexists(path):
                    raise StoreRefused(f"{key} is a folder of other objects", key=key, advice="")
                local_files.sweep(path.parent)
                self._write_records(path, {digest: record}, current)
                content.move_to(path)
        return ObjectInfo(key=key, size=size, etag=digest, metadata=record.metadata)

    def delete(self, key: str) -> None:
        """Remove the object, its sidecar and every folder that this leaves empty: names may be private too."""
        path = self._begin("DELETE", key)
        with local_files.errors_as_ours("delete", key):
            if not path.parent.is_dir():
                return
            with local_files.locked(self._root, key):
                if local_files.is_regular(path):
                    path.unlink()
                _sidecar(path).unlink(missing_ok=True)
                local_files.sweep(path.parent)
                with suppress(FileNotFoundError):
                    local_files.sync_folder(path.parent)
            local_files.remove_empty_folders(path.parent, below=self._root)

    def list(self, prefix: str) -> Iterator[str]:
        folder, _, _ = prefix.rpartition("/")
        if folder:
            self._path(f"{folder}/-")
        if self._on_request:
            self._on_request("LIST", prefix)
        return self._walk(folder, prefix)

    def _walk(self, folder: str, prefix: str) -> Iterator[str]:
        with local_files.errors_as_ours("list", prefix):
            for key in local_files.walk(self._root, folder):
                if key.startswith(prefix):
                    yield key

    def _begin(self, verb: str, key: str) -> Path:
        path = self._path(key)
        if self._on_request:
            self._on_request(verb, key)
        return path

    def _path(self, key: str) -> Path:
        path = self._root / check_key(key)
        # A symbolic link inside the root could still lead out of it.
        if not path.parent.resolve().is_relative_to(self._root):
            raise StoreRefused(f"{key} leads out of the store's folder", key=key, advice="remove the symbolic link")
        return path

    def _write_records(self, path: Path, records: dict[str, _Record], current: _Current | None) -> None:
        # The current content's record stays until that content is gone: a crash between the two
        # renames, or a reader that opened the old file, still finds the right one.
        if current and current.record:
            records.setdefault(current.digest, current.record)
        with local_files.temporary(_sidecar(path)) as sidecar:
            sidecar.file.write(msgspec.json.encode(records))
            sidecar.make_durable()
            sidecar.move_to(_sidecar(path))


def _sidecar(path: Path) -> Path:
    return path.with_name(f".{path.name}.meta")


def _find(path: Path) -> _Current | None:
    """Open the content, digest it, and find its record."""
    while True:
        file = local_files.open_regular(path)
        if file is None:
            return None
        with file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            size = file.tell()
            record = _records(_sidecar(path)).get(digest)
            # Without a record the file was either written by another program, or replaced twice since
            # it was opened. Only then is the path no longer this file; its inode is ours while it is open.
            if record is not None or local_files.is_still(path, file):
                return _Current(digest, size, record)


def _records(sidecar: Path) -> dict[str, _Record]:
    file = local_files.open_regular(sidecar)
    if file is None:
        return {}
    with file:
        try:
            return _decode_records(file.read())
        except msgspec.MsgspecError:
            return {}  # damaged by another program: as good as none, and the next put writes it anew


def _info(key: str, current: _Current) -> ObjectInfo:
    metadata = current.record.metadata if current.record else NO_METADATA
    return ObjectInfo(key=key, size=current.size, etag=current.digest, metadata=metadata)


def _require(condition: Condition | None, current: _Current | None, key: str) -> None:
    if condition is None:
        return
    if isinstance(condition, IfAbsent):
        if current:
            raise PreconditionFailed(f"{key} exists already", key=key)
    elif current is None or current.digest != condition.etag:
        raise PreconditionFailed(f"{key} is no longer the object that was seen", key=key)


@contextmanager
def _chunks_of(source: bytes | Path) -> Iterator[Iterator[bytes]]:
    if isinstance(source, bytes):
        yield iter((source,))
        return
    with source.open("rb") as file:
        yield iter(lambda: file.read(_CHUNK_BYTES), b"")


def _copy(chunks: Iterator[bytes], target: BinaryIO) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        digest.update(chunk)
        size += target.write(chunk)
    return digest.hexdigest(), size
