"""Are two documents of one shop the same, and did a refresh leave anything lying about?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from salesbot_pipelines.refresh.manifest import decode_manifest
from salesbot_pipelines_tests.rig import Rig

_OF_THE_RUN = ("generated_at", "generator", "source", "updated_at", "revision", "content_hash")


def without_times(value: Any) -> Any:
    """Give a document without what a run or a clock wrote into it."""
    if isinstance(value, dict):
        return {key: without_times(entry) for key, entry in value.items() if key not in _OF_THE_RUN}
    if isinstance(value, list):
        return [without_times(entry) for entry in value]
    return value


def differences(right: Any, found: Any, where: tuple[str, ...] = ()) -> Iterator[str]:
    """Give the places in which two documents differ, with ids in place of indices."""
    if isinstance(right, dict) and isinstance(found, dict):
        for key in sorted(right.keys() | found.keys()):
            yield from differences(right.get(key), found.get(key), (*where, key))
    elif isinstance(right, list) and isinstance(found, list):
        ours, theirs = _by_id(right), _by_id(found)
        if ours is None or theirs is None or ours.keys() != theirs.keys() or list(ours) != list(theirs):
            if right != found:
                yield "/".join(where)
            return
        for name, entry in ours.items():
            yield from differences(entry, theirs[name], (*where, name))
    elif right != found:
        yield "/".join(where)


def _by_id(entries: list[Any]) -> dict[str, Any] | None:
    for name in ("legacy_id", "location_id"):
        if all(isinstance(entry, dict) and name in entry for entry in entries):
            return {entry[name]: entry for entry in entries}
    return None


def left_behind(rig: Rig, shop: str) -> str:
    """Name what a refresh should have taken away: a lease, a work folder, half an object. Nothing: empty."""
    work = rig.settings.home / "work"
    if work.exists() and list(work.iterdir()):
        return "a work folder is left"
    if rig.program.work.status(shop).lease_owner is not None:
        return "a lease is left"
    if list(rig.program.store.root.rglob("*.tmp")):
        return "half an object is left"
    return ""


def torn(rig: Rig, shop: str) -> str:
    """Name an object that is not the one its manifest names; empty when all are."""
    keys = rig.keys(shop)
    manifest = decode_manifest(rig.program.store.read(keys.manifest))
    if manifest is None:
        return "the manifest cannot be read"
    for entry in (*manifest.objects.values(), *manifest.raw.values()):
        content = rig.program.store.read(entry.key)
        if (len(content), hashlib.sha256(content).hexdigest()) != (entry.bytes, entry.sha256):
            return f"{entry.key} is not what the manifest names"
    extra = set(rig.program.store.list(keys.prefix)) - {
        keys.manifest,
        *(entry.key for entry in (*manifest.objects.values(), *manifest.raw.values())),
    }
    return f"nobody names {sorted(extra)}" if extra else ""
