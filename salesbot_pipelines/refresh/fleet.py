"""All connected shops side by side: how old, how large, what is missing, what fails."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from salesbot_pipelines.catalog.model import Omission
from salesbot_pipelines.errors import StoreError
from salesbot_pipelines.refresh.manifest import Manifest, decode_manifest
from salesbot_pipelines.spaces.keys import ShopKeys
from salesbot_pipelines.spaces.store import ObjectStore
from salesbot_pipelines.state.installs import Install, Installs
from salesbot_pipelines.state.work import ShopWork
from salesbot_pipelines.state.work_status import WorkStatus

FRESH_HOURS = 26
"""A day and two hours: a daily refresh that began late is not yet an alarm."""

_READERS = 8


@dataclass(frozen=True)
class ShopRow:
    """One shop: its install, its work and its manifest. Ages are in hours."""

    COLUMNS: ClassVar[list[str]] = [
        "shop", "status", "published", "hours", "products", "variants", "collections", "discounts", "bytes",
        "omissions", "attempts", "parked", "last_error",
    ]  # fmt: skip

    shop: str
    owner: str
    status: str
    reauth_reason: str
    hours: float | None
    manifest: Manifest | None
    wanted: int
    done: int
    attempts: int
    parked: bool
    last_error: str

    @property
    def published(self) -> bool:
        """Does a document lie in the store?"""
        return self.manifest is not None

    @property
    def lacking(self) -> list[Omission]:
        """What the document should have and has not; optional things that were not asked for are no lack."""
        omissions = self.manifest.source.omissions if self.manifest else []
        return [omission for omission in omissions if omission.reason != "not_requested"]

    @property
    def omissions(self) -> int:
        """How many things that are."""
        return len(self.lacking)

    @property
    def omitted(self) -> str:
        """Name the first few of them."""
        return ", ".join(f"{omission.section} ({omission.reason})" for omission in self.lacking[:5])

    @property
    def is_fresh(self) -> bool:
        """Was it read whole lately?"""
        return self.hours is not None and self.hours <= FRESH_HOURS

    @property
    def age_text(self) -> str:
        """Say how old it is."""
        return "never read" if self.hours is None else f"last read {self.hours:.1f} hours ago"

    def shown(self) -> list[object]:
        """Give the row's values in the order of COLUMNS."""
        counts = self.manifest.counts if self.manifest else {}
        return [
            self.shop,
            self.status,
            self.published,
            None if self.hours is None else round(self.hours, 2),
            *(counts.get(name, 0) for name in ("products", "variants", "collections", "discounts")),
            self.manifest.bytes if self.manifest else 0,
            self.omissions,
            self.attempts,
            self.parked,
            self.last_error[:120],
        ]


def fleet_rows(
    installs: Installs, work: ShopWork, store: ObjectStore, *, now: datetime, only: str | None = None
) -> list[ShopRow]:
    """Give one row a connected shop (or `only` this one), in the order of connecting.

    Manifests are read several at once.
    """
    connected = [install for install in installs.connected() if only in (None, install.shop)]
    statuses = {status.shop: status for status in work.statuses()}
    with ThreadPoolExecutor(max_workers=_READERS) as pool:
        manifests = list(pool.map(lambda install: read_manifest(store, install), connected))
    return [
        _row(install, statuses.get(install.shop), manifest, now)
        for install, manifest in zip(connected, manifests, strict=True)
    ]


def read_manifest(store: ObjectStore, install: Install) -> Manifest | None:
    """Read the shop's manifest; None when there is none that can be read."""
    try:
        return decode_manifest(store.read(ShopKeys(install.owner, install.shop).manifest))
    except StoreError:
        return None


def _row(install: Install, status: WorkStatus | None, manifest: Manifest | None, now: datetime) -> ShopRow:
    fetched = status.last_fetched_at if status else None
    return ShopRow(
        shop=install.shop,
        owner=install.owner,
        status=install.status,
        reauth_reason=install.reauth_reason or "",
        hours=None if fetched is None else max(0.0, (now - fetched).total_seconds() / 3600),
        manifest=manifest,
        wanted=status.wanted if status else 0,
        done=status.done if status else 0,
        attempts=status.attempts if status else 0,
        parked=bool(status and status.parked),
        last_error=(status.last_error or "") if status else "",
    )
