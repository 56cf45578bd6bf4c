"""One run's hold on a shop, and what it was told when it took it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_LEASE = timedelta(hours=4)
"""A lease is given or renewed for this long at most; a longer one could only be a stepped clock's."""


@dataclass(frozen=True)
class Lease:
    """One run's hold on a shop.

    `wanted` is what was wanted when the lease was given, and so before the fetch. `takeover` is true
    when a run before this one ended without saying how, or failed after it may have written: what
    lies in the store may then be half of something, and the upload must not be skipped.

    `newest_event` is the inbox's newest row of the shop at that moment. `events_read` and `marks_read`
    are such a row and `wanted` as they were when what lies in the store was read; None where nobody
    knows. `last_full_at` is when the last full read began.
    """

    shop: str
    holder: str
    epoch: int
    until: datetime
    wanted: int
    takeover: bool
    newest_event: int = 0
    events_read: int | None = None
    marks_read: int | None = None
    last_full_at: datetime | None = None
