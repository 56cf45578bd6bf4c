"""`manifest.json`: what was published last, written after everything it names.

Readers poll it; the next refresh compares itself with it; normalising again trusts only raw objects whose
digests stand in it.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec

from salesbot_pipelines.catalog.model import Generator, Omission, Source

MANIFEST_SCHEMA = "urn:salesbot:manifest:1"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One object beside the manifest."""

    bytes: int
    key: str
    sha256: str


class RawEntry(Entry, frozen=True, kw_only=True):
    """One raw object: its digest is over the gzip file."""

    lines: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file. `sha256` and `bytes` are the document's own."""

    bytes: int
    counts: dict[str, int]
    fetched_at: str
    generated_at: str
    generator: Generator
    objects: dict[str, Entry]
    raw: dict[str, RawEntry]
    read_omissions: list[Omission]
    """What the read itself could not get; normalising again starts from it."""
    revision: str
    schema: str
    schema_version: str
    sha256: str
    source: Source
    namespaces: list[str] | None = None
    """The namespaces of the metafields that were asked for; None in a manifest of a version that did not say."""
    read_by: str | None = None
    """The version of this program that read the raw objects; normalising them again is no reading."""


# Made here, by one thread: msgspec looks at a struct's types when it is first decoded, and threads that do so at the
# same time can crash the process. Every decoder of ours is therefore made with its module.
_decode = msgspec.json.Decoder(Manifest).decode


def encode_manifest(manifest: Manifest) -> bytes:
    """Give the file's bytes: indented, for people look at it too."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode_manifest(content: bytes) -> Manifest | None:
    """Read a manifest; None when it is not one that this version wrote, so that it is written anew."""
    try:
        manifest = _decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return manifest if manifest.schema == MANIFEST_SCHEMA else None


def timestamp(moment: datetime) -> str:
    """Write a moment as the contract does: RFC 3339, UTC, `Z`."""
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    return f"{text}Z"


def parse_time(text: str) -> datetime:
    """Read such a moment."""
    return datetime.fromisoformat(text)
