"""`shopify_data.json` from finished line files, in one pass and constant memory.

The document is canonical JSON: keys in order, no blanks, UTF-8. Its products are the very bytes of
`products.jsonl` between commas, and the revision is reckoned over the same lines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec

from salesbot_pipelines.catalog.hashing import Revision, canonical_json
from salesbot_pipelines.catalog.model import SCHEMA_VERSION, Generator, Location, Shop, Source
from salesbot_pipelines.refresh.newfile import MadeFile, NewFile
from salesbot_pipelines.workers.sharing import Share, beside

_encode = canonical_json
_text = msgspec.json.encode
_BYTES_AT_ONCE = 1 << 20


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


def write_document(
    path: Path, parts: Parts, source: Source, keep: Callable[[], None], share: Share = map
) -> tuple[MadeFile, str]:
    """Write the document; give it and its revision. `keep` is called now and then."""
    with closing(NewFile(path)) as out:
        revision = beside(share, revision_of, parts, lambda: _write_content(out, parts, keep))
        out.write(b'],"revision":' + _text(revision) + b',"schema_version":' + _text(SCHEMA_VERSION))
        out.write(b',"shop":' + _encode(parts.shop) + b',"source":' + _encode(source) + b"}")
        return out.made(), revision


def _write_content(out: NewFile, parts: Parts, keep: Callable[[], None]) -> None:
    """Write what stands before the revision."""
    out.write(b'{"collections":[')
    _copy(parts.collections, out, keep)
    out.write(b'],"discounts":[')
    _copy(parts.discounts, out, keep)
    out.write(b'],"generated_at":' + _text(parts.generated_at) + b',"generator":' + _encode(parts.generator))
    out.write(b',"locations":[' + b",".join(map(_encode, parts.locations)))
    out.write(b'],"products":[')
    _copy(parts.products, out, keep)


def revision_of(parts: Parts) -> str:
    """Reckon the revision of what the document is put together from."""
    revision = Revision()
    for section, path in (("collections", parts.collections), ("discounts", parts.discounts)):
        for joined in _joined(path):
            revision.add(section, joined)
    for location in parts.locations:
        revision.add("locations", _encode(location))
    for joined in _joined(parts.products):
        revision.add("products", joined)
    revision.add("shop", _encode(parts.shop))
    return revision.text()


def _copy(lines: Path, out: NewFile, keep: Callable[[], None]) -> None:
    """Write the file's lines with commas between them."""
    for nth, joined in enumerate(_joined(lines)):
        out.write(b"," + joined if nth else joined)
        keep()


def _joined(path: Path) -> Iterator[bytes]:
    """Give the file's lines with commas between them, about a megabyte at a time."""
    with path.open("rb") as source:
        while lines := source.read(_BYTES_AT_ONCE) + source.readline():
            yield lines[:-1].replace(b"\n", b",")
