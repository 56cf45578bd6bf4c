"""What came of one shop's refresh: the values that the command line, Dagster and the fleet show.

Nothing here is secret: shop, counts, sizes, times, reasons.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from salesbot_pipelines.catalog.changes import Changes
from salesbot_pipelines.catalog.model import Omission
from salesbot_pipelines.errors import SalesbotError


class Status(StrEnum):
    """How a refresh ended."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    FRESH = "fresh"
    """Not refreshed: an earlier attempt at the same scheduled run had done it."""
    SKIPPED = "skipped"
    """Not refreshed: the shop is no longer connected."""
    FAILED = "failed"


@dataclass(frozen=True)
class Calls:
    """What a refresh cost at Shopify."""

    calls: int = 0
    points: float = 0
    throttled: int = 0
    waited_seconds: float = 0


@dataclass(frozen=True)
class Outcome:
    """One shop's refresh."""

    shop: str
    status: Status
    trigger: str
    owner: str = ""
    revision: str = ""
    fetched_at: datetime | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    document_bytes: int = 0
    document_uri: str = ""
    omissions: tuple[Omission, ...] = ()
    findings: tuple[Omission, ...] = ()
    changes: Changes | None = None
    drift: int | None = None
    """Products that changed since the last refresh though no event told of it; None where that was not measured."""
    subscriptions: str = ""
    """What the daily look at the webhook subscriptions found."""
    method: str = ""
    """How Shopify was read: paged, bulk, or incremental; empty when it was not."""
    full_because: str = ""
    """Why everything was read though events had named what changed."""
    adopted: str = ""
    """Which bulk operations of a run that did not end were gone on with, and when its reading began."""
    calls: Calls = field(default_factory=Calls)
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Duration by phase: fetch, normalise, publish."""
    error: SalesbotError | None = None

    @property
    def ok(self) -> bool:
        """Is the published document right, as far as this run knows?"""
        return self.error is None

    @property
    def total_seconds(self) -> float:
        """All phases together."""
        return sum(self.seconds.values())
