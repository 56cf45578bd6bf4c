"""`shopify_data.json` from finished line files, in one pass and constant memory.

The document is canonical JSON: keys in order, no blanks, UTF-8. Its products are the very bytes of
`products.jsonl` between commas, and the revision is reckoned over the same lines as they pass.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import msgspec

from salesbot_pipelines.catalog.hashing import Revision, canonical_json
from salesbot_pipelines.catalog.model import SCHEMA_VERSION, Generator, Location, Shop, Source

_encode = canonical_json
_text = msgspec.json.encode
_LINES_AT_ONCE = 1 << 20


@dataclass(frozen=True)
class MadeFile:
    """A finished file: its size in bytes and the digest of its bytes."""

    path: Path
    size: int
    sha256: str


def made_file(path: Path) -> MadeFile:
    """Describe a file that is on disk."""
    with path.open("rb") as source:
        digest = hashlib.file_digest(source, "sha256")
    return MadeFile(path, path.stat().st_size, digest.hexdigest())


@dataclass(frozen=True)
class Parts:
    """What the document is put together from."""

    collections: Path
    discounts: Path
    products: Path
    locations: list[Location]
    shop: Shop
    generator: Generator
    generated_at: str


def write_document(path: Path, parts: Parts, source: Source, keep: Callable[[], None]) -> tuple[MadeFile, str]:
    """Write the document; give it and its revision."""
    revision = Revision()
    with path.open("wb") as file:
        out = _Out(file)
        out.write(b'{"collections":[')
        _copy(parts.collections, out, partial(revision.add, "collections"), keep)
        out.write(b'],"discounts":[')
        _copy(parts.discounts, out, partial(revision.add, "discounts"), keep)
        out.write(b'],"generated_at":' + _text(parts.generated_at) + b',"generator":' + _encode(parts.generator))
        out.write(b',"locations":[')
        for index, location in enumerate(parts.locations):
            line = _encode(location)
            out.write(b"," + line if index else line)
            revision.add("locations", line)
        out.write(b'],"products":[')
        _copy(parts.products, out, partial(revision.add, "products"), keep)
        shop = _encode(parts.shop)
        revision.add("shop", shop)
        name = revision.text()
        out.write(b'],"revision":' + _text(name) + b',"schema_version":' + _text(SCHEMA_VERSION))
        out.write(b',"shop":' + shop + b',"source":' + _encode(source) + b"}")
    return MadeFile(path, out.size, out.digest.hexdigest()), name


class _Out:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes) -> None:
        self._file.write(content)
        self.digest.update(content)
        self.size += len(content)


def _copy(lines: Path, out: _Out, note: Callable[[bytes], None], keep: Callable[[], None]) -> None:
    """Write the file's lines with commas between them."""
    first = True
    for batch in _batches(lines):
        joined = b",".join(batch)
        note(joined)
        out.write(joined if first else b"," + joined)
        first = False
        keep()


def _batches(path: Path) -> Iterator[list[bytes]]:
    with path.open("rb") as source:
        while batch := source.readlines(_LINES_AT_ONCE):
            yield [line[:-1] for line in batch]
