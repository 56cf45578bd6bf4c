"""From the stored raw objects and what events named to the raw objects of now.

The promise: what comes out is what a full read would have brought, or `FullReadNeeded` says why that cannot be
promised. Nothing is published here, and nothing that lies in the store is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from salesbot_pipelines.catalog.model import SCHEMA_VERSION, Omission
from salesbot_pipelines.errors import RawMissing
from salesbot_pipelines.refresh.assembly import Reading
from salesbot_pipelines.refresh.fetching import Fetched, calls_of
from salesbot_pipelines.refresh.fleet import FRESH_HOURS
from salesbot_pipelines.refresh.guard import LeaseGuard
from salesbot_pipelines.refresh.manifest import Manifest
from salesbot_pipelines.refresh.merging import Merged, merge
from salesbot_pipelines.refresh.publishing import Publishing, Standing
from salesbot_pipelines.refresh.rawfiles import RawFile, RawFiles, read_lines
from salesbot_pipelines.refresh.stored import StoredRaw, currency_of, items_in
from salesbot_pipelines.shopify.changed import MOST_CHANGED, Changed, FullReadNeeded, changed_by
from salesbot_pipelines.shopify.client import AdminClient
from salesbot_pipelines.shopify.delta import Delta, agrees, read_delta, settled_count, variants_now
from salesbot_pipelines.shopify.snapshot import ENTITIES, Snapshot
from salesbot_pipelines.state.lease import Lease
from salesbot_pipelines.state.unread import unread_events

SMALL_SHOP = 250
"""Products, up to which a full read costs as little."""

_MERGED = ("products", "inventory", "collections")
_BEARABLE = ("access_denied", "not_requested")
_REREAD_WHOLE = ("shop", "locations", "discounts")


@dataclass(frozen=True)
class Baseline:
    """What lies in the store and may be built upon, and what has changed since."""

    manifest: Manifest
    changed: Changed


def find_baseline(
    engine: Engine,
    standing: Standing,
    lease: Lease,
    *,
    now: datetime,
    namespaces: Sequence[str],
    version: str,
    even_if_small: bool,
) -> Baseline:
    """Say what is built upon. Raises `FullReadNeeded`."""
    manifest = _sound_manifest(standing, lease, namespaces, version)
    if lease.last_full_at is None or now - lease.last_full_at > timedelta(hours=FRESH_HOURS):
        raise FullReadNeeded(f"the last full read began more than {FRESH_HOURS} hours ago")
    products = manifest.raw["products"].lines
    if products <= SMALL_SHOP and not even_if_small:
        raise FullReadNeeded(f"with {products} products it costs as little")
    unread = unread_events(engine, lease, most=4 * MOST_CHANGED)
    if unread is None:
        raise FullReadNeeded("which events the last read covered is not known")
    if unread.unexplained:
        raise FullReadNeeded("somebody else than an event asked for it")
    if unread.cut:
        raise FullReadNeeded("very many events came")
    changed = changed_by(unread.events)
    _add_lacking(changed, manifest)
    if len(changed) > MOST_CHANGED:
        raise FullReadNeeded(f"{len(changed)} objects changed")
    return Baseline(manifest, changed)


def _sound_manifest(standing: Standing, lease: Lease, namespaces: Sequence[str], version: str) -> Manifest:
    manifest = standing.manifest
    if manifest is None:
        raise FullReadNeeded("nothing is published yet")
    if lease.takeover or not standing.is_intact() or not set(ENTITIES) <= manifest.raw.keys():
        raise FullReadNeeded("what lies in the store may be half of something")
    if manifest.schema_version != SCHEMA_VERSION or manifest.read_by != version:
        raise FullReadNeeded("another version of this program read the shop last")
    if manifest.namespaces != list(namespaces):
        raise FullReadNeeded("the metafields' namespaces are set otherwise now")
    if any(omission.reason not in _BEARABLE for omission in manifest.read_omissions):
        raise FullReadNeeded("the last read had gaps")
    return manifest


def _add_lacking(changed: Changed, manifest: Manifest) -> None:
    """Ask again for whatever the document says that it lacks, as a full read would."""
    for omission in manifest.source.omissions:
        if omission in manifest.read_omissions:
            continue
        section, _, number = omission.section.strip("/").partition("/")
        number = number.partition("/")[0]
        if section in ("products", "collections") and number.isdigit():
            getattr(changed, section).add(int(number))
        elif section not in _REREAD_WHOLE:
            raise FullReadNeeded(f"the document lacks {omission.section}")


def fetch_changes(
    client: AdminClient,
    publishing: Publishing,
    baseline: Baseline,
    guard: LeaseGuard,
    folder: Path,
    *,
    progress: Callable[[str, int, int | None], None],
) -> Fetched:
    """Read what changed and put it together with what lies in the store. Raises `FullReadNeeded`."""
    manifest = baseline.manifest
    namespaces = tuple(manifest.namespaces or ())
    try:
        stored = publishing.stored_raw(manifest, folder / "stored", ("shop", *_MERGED))
    except RawMissing as missing:
        raise FullReadNeeded(missing.public_text) from missing
    known = StoredRaw(stored, guard.keep)
    sink = _WholeNodes(folder / "changes")
    try:
        delta = read_delta(client, sink, baseline.changed, known, namespaces=namespaces, progress=progress)
        for number in sorted(delta.dropped["discounts"]):
            sink.write("discounts", {"dropped": True, "id": f"gid://shopify/DiscountNode/{number}"})
        changes = sink.finish(ENTITIES)
    finally:
        sink.close()
    _require_same_reading(manifest, delta, known.currency(), currency_of(changes["shop"]))
    merging = _Merging(stored, changes, delta, guard, folder / "raw")
    merged = merging.merge()
    snapshot = _proved(client, merging, delta, manifest.source.method)
    return Fetched(
        raw={**changes, **merged},
        snapshot=snapshot,
        reading=Reading(
            api_version=delta.api_version,
            fetched_at=delta.fetched_at,
            method=manifest.source.method,
            omissions=delta.omissions,
            namespaces=namespaces,
            read_by=manifest.read_by,
        ),
        calls=calls_of(client.stats),
        client=client,
    )


def _require_same_reading(manifest: Manifest, delta: Delta, currency_before: Any, currency: Any) -> None:
    """Raise unless the two readings are of one kind, so that their objects may stand side by side."""
    if delta.api_version != manifest.source.api_version:
        raise FullReadNeeded(f"version {delta.api_version} of the API answers now")
    if _kinds(delta.omissions) != _kinds(manifest.read_omissions):
        raise FullReadNeeded("what the app may read, or what Shopify tells, is not the same as before")
    if currency != currency_before:
        raise FullReadNeeded("the shop's currency is another one now")


def _kinds(omissions: Sequence[Omission]) -> set[tuple[str, str]]:
    return {(omission.section, omission.reason) for omission in omissions}


class _WholeNodes(RawFiles):
    """Takes what is read by its id, and insists that it is whole: what is not may be so in a full read."""

    def write(self, entity: str, node: Mapping[str, Any]) -> None:
        """Append one node. Raises `FullReadNeeded`."""
        if entity in _MERGED and _is_cut(node):
            raise FullReadNeeded(f"{node.get('id')} did not come whole")
        super().write(entity, node)


def _is_cut(node: Mapping[str, Any]) -> bool:
    return bool(node.get("incomplete")) or any(variant.get("incomplete") for variant in node.get("variants") or ())


class _Merging:
    """Puts the stored and the new raw objects together, entity by entity."""

    def __init__(
        self,
        stored: Mapping[str, RawFile],
        changes: Mapping[str, RawFile],
        delta: Delta,
        guard: LeaseGuard,
        folder: Path,
    ) -> None:
        self._stored = stored
        self._changes = changes
        self._delta = delta
        self._guard = guard
        self._files = RawFiles(folder)
        self._items: set[int] = set()
        self.merged: dict[str, Merged] = {}

    def merge(self) -> dict[str, RawFile]:
        """Give the raw objects of what was not read as a whole."""
        gone = self._delta.gone
        try:
            self._one("products", gone["products"], self._note_items)
            # The stock of variants that are no more went with them; what was read again stands in the changes.
            self._one("inventory", gone["inventory"] | (self._items - self._present_items()))
            self._one("collections", gone["collections"])
            return self._files.finish(_MERGED)
        finally:
            self._files.close()

    def _one(
        self, entity: str, without: frozenset[int] | set[int], look: Callable[[int, bytes], None] | None = None
    ) -> None:
        self.merged[entity] = merge(
            (self._stored[entity].path, self._changes[entity].path),
            lambda line: self._files.write_lines(entity, [line]),
            without=without,
            look=look,
            keep=self._guard.keep,
        )

    def lines(self, entity: str) -> int:
        """Return how many objects there are of an entity."""
        return len(self.merged[entity].numbers) if entity in self.merged else self._changes[entity].lines

    def _note_items(self, number: int, line: bytes) -> None:
        if number in self._delta.products:
            self._items.update(items_in(line))

    def _present_items(self) -> set[int]:
        return {item for line in read_lines(self._changes["products"].path) for item in items_in(line)}


def _proved(client: AdminClient, merging: _Merging, delta: Delta, method: str) -> Snapshot:
    """Compare what came of it with Shopify's own counts, and give the account. Raises `FullReadNeeded`."""
    merged = merging.merged
    read = {
        "shop": 1,
        "products": len(merged["products"].numbers),
        "variants": merged["products"].variants,
        "collections": len(merged["collections"].numbers),
    }
    start, end = dict(delta.counts_start), dict(delta.counts_end)
    for entity in ("products", "collections"):
        end[entity] = settled_count(client, entity, merged[entity].numbers, start.get(entity))
    end["variants"] = variants_now(client)
    for entity in ("products", "variants", "collections"):
        if not agrees(read[entity], start.get(entity), end[entity]):
            raise FullReadNeeded(f"{read[entity]} {entity} are known and Shopify counts {end[entity]}")
    if delta.discounts is not None:
        read["discounts"] = delta.discounts
    for entity in ("inventory", "locations"):
        if entity in delta.read:
            read[entity] = merging.lines(entity)
    return Snapshot(
        api_version=delta.api_version,
        fetched_at=delta.fetched_at,
        method=method,
        omissions=delta.omissions,
        counts_start=start,
        counts_end=end,
        counts_read=read,
        stats=client.stats,
    )
