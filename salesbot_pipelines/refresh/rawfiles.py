"""Raw objects on disk: `<entity>.jsonl.gz`, one Shopify node a line, written and read one at a time.

The same bytes are later put under `raw/` in the store, so that normalising again needs no call. The
gzip header carries no clock: the same nodes give the same bytes.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from isal import igzip

from salesbot_pipelines.errors import RawMissing
from salesbot_pipelines.shopify.nodes import line_of, node_of

COMPRESSION_LEVEL = 2
"""ISA-L's usual one: gzip as small as zlib's level 1 makes it, in a sixth of the time."""


_BUFFER_BYTES = 256 * 1024


@dataclass(frozen=True)
class RawFile:
    """One finished raw object: where it lies, its size in bytes, its digest and its lines."""

    entity: str
    path: Path
    size: int
    sha256: str
    lines: int


class RawFiles:
    """The raw objects of one refresh in one folder; what `shopify.snapshot` writes into."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, _Writer] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, entity: str, node: Mapping[str, Any]) -> None:
        """Append one node to the entity's file."""
        self.write_lines(entity, [line_of(node)])

    def write_lines(self, entity: str, lines: Sequence[bytes]) -> None:
        """Append nodes that are lines already, without their newlines."""
        writer = self._open.get(entity)
        if writer is None:
            writer = self._open[entity] = _Writer(self.path(entity))
        writer.write(lines)

    def restart(self, entity: str) -> None:
        """Forget what was written for the entity: it is read again from its beginning."""
        writer = self._open.pop(entity, None)
        if writer is not None:
            writer.close()
        self.path(entity).unlink(missing_ok=True)

    def finish(self, entities: tuple[str, ...]) -> dict[str, RawFile]:
        """Close every file and describe it; an entity without nodes gets an empty file."""
        for entity in entities:
            if entity not in self._open:
                self._open[entity] = _Writer(self.path(entity))
        files = {}
        for entity in entities:
            writer = self._open.pop(entity)
            writer.close()
            files[entity] = _described(entity, self.path(entity), writer.lines)
        return files

    def path(self, entity: str) -> Path:
        """Where the entity's file lies."""
        return self._folder / f"{entity}.jsonl.gz"

    def close(self) -> None:
        """Close what is open; after a failed fetch the folder is thrown away."""
        for writer in self._open.values():
            writer.close()
        self._open.clear()


def stored_raw_file(entity: str, path: Path, *, sha256: str, lines: int) -> RawFile:
    """Describe a raw object that came back from the store.

    Raises `RawMissing` when its bytes are not those that the manifest names.
    """
    described = _described(entity, path, lines)
    if described.sha256 != sha256:
        raise RawMissing(f"raw/{entity}.jsonl.gz is not the one that the manifest names")
    return described


def read_nodes(path: Path) -> Iterator[dict[str, Any]]:
    """Give the nodes of a raw object one at a time; fractions come as `Decimal`."""
    return map(node_of, read_lines(path))


def read_lines(path: Path) -> Iterator[bytes]:
    """Give the lines of a raw object as they are written, without their newlines."""
    # gzip finds lines in Python, the buffer in C.
    with igzip.open(path, "rb") as packed, io.BufferedReader(packed, _BUFFER_BYTES) as lines:
        for line in lines:
            yield line.rstrip(b"\n")


def _described(entity: str, path: Path, lines: int) -> RawFile:
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
    return RawFile(entity, path, path.stat().st_size, digest.hexdigest(), lines)


class _Writer:
    def __init__(self, path: Path) -> None:
        self.lines = 0
        self._file: BinaryIO = path.open("wb")
        packed = igzip.IGzipFile(filename="", mode="wb", compresslevel=COMPRESSION_LEVEL, fileobj=self._file, mtime=0)
        self._packed = packed
        # gzip pays for every call: lines are gathered first.
        self._gathered = io.BufferedWriter(packed, _BUFFER_BYTES)

    def write(self, lines: Sequence[bytes]) -> None:
        self._gathered.write(b"".join([line + b"\n" for line in lines]))
        self.lines += len(lines)

    def close(self) -> None:
        self._gathered.close()
        self._packed.close()
        self._file.close()
