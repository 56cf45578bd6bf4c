"""From Shopify to raw objects on disk, with what must be known to judge the read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from salesbot_pipelines.refresh.assembly import Reading
from salesbot_pipelines.refresh.outcome import Calls
from salesbot_pipelines.refresh.rawfiles import RawFile, RawFiles
from salesbot_pipelines.shopify.bulk_memory import OperationMemory
from salesbot_pipelines.shopify.client import AdminClient, Stats
from salesbot_pipelines.shopify.snapshot import ENTITIES, Method, Snapshot, read_snapshot
from salesbot_pipelines.workers.sharing import Share

_log = logging.getLogger(__name__)

_GID = {"products": "Product", "collections": "Collection", "discounts": "DiscountNode", "locations": "Location"}


@dataclass(frozen=True)
class Fetched:
    """The raw objects of one read, and the read's own account of itself."""

    raw: dict[str, RawFile]
    snapshot: Snapshot
    reading: Reading
    calls: Calls
    client: AdminClient

    @property
    def adopted(self) -> str:
        """Which bulk operations of an earlier run gave their results, and when that run's reading began."""
        names = ", ".join(sorted(self.snapshot.adopted))
        return f"{names} of {self.snapshot.fetched_at:%Y-%m-%d %H:%M:%S} UTC" if names else ""


def fetch(
    client: AdminClient,
    folder: Path,
    *,
    namespaces: Sequence[str],
    version: str,
    method: Method,
    progress: Callable[[str, int, int | None], None],
    operations: OperationMemory | None = None,
    adopt: bool = False,
    share: Share = map,
) -> Fetched:
    """Read the shop's whole catalogue into raw objects.

    A large shop is read by bulk operations unless they are refused or not whole; both ways give the same objects.
    `operations` remembers those, and `adopt` lets the ones of an earlier run be used.
    Objects that vanished while the shop was read are marked in the file, so that it stands for itself. `version` is
    this program's.
    """
    files = RawFiles(folder)
    try:
        snapshot = read_snapshot(
            client,
            files,
            namespaces=namespaces,
            progress=progress,
            method=method,
            scratch=folder,
            operations=operations,
            adopt=adopt,
            share=share,
        )
        for entity, numbers in snapshot.dropped.items():
            kind = _GID.get(entity, "Node")
            for number in sorted(numbers):
                files.write(entity, {"dropped": True, "id": f"gid://shopify/{kind}/{number}"})
        raw = files.finish(ENTITIES)
    finally:
        files.close()
    if snapshot.bulk_failure:
        reason = snapshot.bulk_failure.removeprefix(f"{client.shop}: ")
        _log.warning("[%s] read page by page, bulk was given up: %s", client.shop, reason)
    fetched = Fetched(
        raw=raw,
        snapshot=snapshot,
        reading=Reading(
            api_version=snapshot.api_version,
            fetched_at=snapshot.fetched_at,
            method="bulk" if snapshot.method == "bulk" else "paged",
            omissions=tuple(snapshot.omissions),
            namespaces=tuple(namespaces),
            read_by=version,
        ),
        calls=calls_of(client.stats),
        client=client,
    )
    if fetched.adopted:
        _log.info("[%s] went on with bulk operations of an earlier run: %s", client.shop, fetched.adopted)
    return fetched


def calls_of(stats: Stats) -> Calls:
    """Say what a client's calls have cost so far."""
    return Calls(
        calls=stats.calls,
        points=stats.points_actual,
        throttled=stats.throttled,
        waited_seconds=stats.waited_seconds,
    )
