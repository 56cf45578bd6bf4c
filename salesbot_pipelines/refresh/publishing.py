"""Putting a finished catalogue where SalesBot reads it.

Raw objects first, then the line files, then the document, the manifest last: whoever finds a manifest
finds everything it names. A reader of the document sees the old one or the new one, never a mixture, and a
refresh that ends anywhere in between leaves the old document or a whole new one. Each write carries the
condition that the object is still the one this run saw, and is preceded by a look at the lease; together
they keep a slow old run from overwriting a newer document.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from salesbot_pipelines.catalog.model import Generator
from salesbot_pipelines.errors import LeaseLost, ObjectMissing, PreconditionFailed, RawMissing
from salesbot_pipelines.refresh.assembly import Assembled, Reading
from salesbot_pipelines.refresh.guard import LeaseGuard
from salesbot_pipelines.refresh.manifest import (
    MANIFEST_SCHEMA,
    Entry,
    Manifest,
    RawEntry,
    decode_manifest,
    encode_manifest,
    timestamp,
)
from salesbot_pipelines.refresh.rawfiles import RawFile, stored_raw_file
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.spaces.store import IfAbsent, IfMatch, ObjectInfo, ObjectStore

JSON = "application/json"
JSON_LINES = "application/x-ndjson"
GZIP = "application/gzip"

_LOOKS_AT_ONCE = 2
"""A Space takes tens of milliseconds to describe an object, and a refresh looks at ten. Two for each of eight shops
are as many connections as the client keeps.

Writes stay one after the other: each asks the database first, and a process that is frozen with one thread at a write
would keep SQLite's lock with another.
"""


@dataclass(frozen=True)
class Standing:
    """What lies in the store before this run writes: the manifest and each object's head, by key."""

    manifest: Manifest | None
    heads: Mapping[str, ObjectInfo | None]

    def is_intact(self) -> bool:
        """Are the objects those that the manifest names?

        A refresh that was killed between two writes leaves some that are not.
        """
        if self.manifest is None:
            return False
        entries = [*self.manifest.objects.values(), *self.manifest.raw.values()]
        return all(map(self.holds, entries))

    def holds(self, entry: Entry) -> bool:
        """Is the stored object the one that the entry names?"""
        return _digest(self.heads.get(entry.key)) == entry.sha256


class Publishing:
    """The publish protocol for one shop in one store."""

    def __init__(self, store: ObjectStore, keys: ShopKeys, guard: LeaseGuard) -> None:
        self._store = store
        self._keys = keys
        self._guard = guard

    def look(self, entities: tuple[str, ...]) -> Standing:
        """Read what is published now."""
        keys = self._keys
        manifest_head = self._store.head(keys.manifest)
        manifest = self._read_manifest() if manifest_head else None
        names = [keys.products, keys.discounts, keys.collections, keys.document, *map(keys.raw, entities)]
        with ThreadPoolExecutor(_LOOKS_AT_ONCE) as threads:
            heads = dict(zip(names, threads.map(self._store.head, names), strict=True))
        heads[keys.manifest] = manifest_head
        return Standing(manifest, heads)

    def _read_manifest(self) -> Manifest | None:
        try:
            return decode_manifest(self._store.read(self._keys.manifest))
        except ObjectMissing:
            return None

    def is_unchanged(self, standing: Standing, assembled: Assembled) -> bool:
        """Would publishing change anything that a reader may rely on?

        After a take-over the answer is no even for the same content: the former holder may be frozen just
        before its write, and only a document written anew makes its condition fail.
        """
        manifest = standing.manifest
        return (
            manifest is not None
            and not self._guard.lease.takeover
            and manifest.revision == assembled.revision
            and manifest.schema_version == assembled.schema_version
            and manifest.source.api_version == assembled.source.api_version
            and manifest.source.omissions == assembled.source.omissions
            and manifest.counts == assembled.counts
            and standing.is_intact()
        )

    def publish(
        self,
        standing: Standing,
        assembled: Assembled,
        raw: Mapping[str, RawFile],
        reading: Reading,
        *,
        generator: Generator,
        generated_at: datetime,
    ) -> Manifest:
        """Write everything in its order and give the manifest.

        Raises `LeaseLost` when another run has the shop or wrote in between; nothing newer is overwritten.
        """
        keys = self._keys
        raw_entries = {
            entity: RawEntry(bytes=file.size, key=keys.raw(entity), sha256=file.sha256, lines=file.lines)
            for entity, file in raw.items()
        }
        objects = {
            "products": Entry(bytes=assembled.products.size, key=keys.products, sha256=assembled.products.sha256),
            "discounts": Entry(bytes=assembled.discounts.size, key=keys.discounts, sha256=assembled.discounts.sha256),
            "collections": Entry(
                bytes=assembled.collections.size, key=keys.collections, sha256=assembled.collections.sha256
            ),
            "shopify_data": Entry(bytes=assembled.document.size, key=keys.document, sha256=assembled.document.sha256),
        }
        for entity, entry in raw_entries.items():
            self._put(standing, entry, raw[entity].path, GZIP)
        self._put(standing, objects["products"], assembled.products.path, JSON_LINES)
        self._put(standing, objects["discounts"], assembled.discounts.path, JSON_LINES)
        self._put(standing, objects["collections"], assembled.collections.path, JSON_LINES)
        self._put(standing, objects["shopify_data"], assembled.document.path, JSON, always=True)
        manifest = Manifest(
            bytes=assembled.document.size,
            counts=assembled.counts,
            fetched_at=assembled.source.fetched_at,
            generated_at=timestamp(generated_at),
            generator=generator,
            objects=objects,
            raw=raw_entries,
            namespaces=None if reading.namespaces is None else list(reading.namespaces),
            read_by=reading.read_by,
            read_omissions=list(reading.omissions),
            revision=assembled.revision,
            schema=MANIFEST_SCHEMA,
            schema_version=assembled.schema_version,
            sha256=assembled.document.sha256,
            source=assembled.source,
        )
        content = encode_manifest(manifest)
        self._write(standing, keys.manifest, content, JSON, {})
        return manifest

    def _put(self, standing: Standing, entry: Entry, path: Path, content_type: str, *, always: bool = False) -> None:
        if not always and standing.holds(entry):
            return
        self._write(standing, entry.key, path, content_type, {"sha256": entry.sha256})

    def _write(
        self, standing: Standing, key: str, source: bytes | Path, content_type: str, metadata: Mapping[str, str]
    ) -> None:
        self._guard.check()
        head = standing.heads.get(key)
        condition = IfMatch(head.etag) if head else IfAbsent()
        marks = {**metadata, "fence": str(self._guard.lease.epoch)}
        try:
            self._store.put(key, source, content_type=content_type, metadata=marks, condition=condition)
        except PreconditionFailed as error:
            raise LeaseLost(
                f"{self._keys.shop}: another run wrote {key.rpartition('/')[2]} first",
                advice="it is tried again by itself",
            ) from error

    def stored_raw(
        self, manifest: Manifest, folder: Path, entities: Collection[str] | None = None
    ) -> dict[str, RawFile]:
        """Bring the raw objects that the manifest names, or those of some entities, into a folder.

        Raises `RawMissing` when one is absent or is of another refresh.
        """
        files = {}
        folder.mkdir(parents=True, exist_ok=True)
        for entity, entry in manifest.raw.items():
            if entities is not None and entity not in entities:
                continue
            path = folder / f"{entity}.jsonl.gz"
            try:
                with self._store.open(entry.key) as source, path.open("wb") as target:
                    while chunk := source.read(1 << 20):
                        self._guard.keep()
                        target.write(chunk)
            except ObjectMissing as error:
                raise RawMissing(f"{self._keys.shop}: raw/{entity}.jsonl.gz is not in the store") from error
            files[entity] = stored_raw_file(entity, path, sha256=entry.sha256, lines=entry.lines)
        return files


def _digest(head: ObjectInfo | None) -> str | None:
    return head.metadata.get("sha256") if head else None
