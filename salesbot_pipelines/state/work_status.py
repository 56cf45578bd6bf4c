"""How the work on a shop stands, for people: the doctor and the fleet's table."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row

from salesbot_pipelines.state.clock import is_live

WorkState = Literal["clean", "dirty", "leased", "waiting", "parked"]


@dataclass(frozen=True)
class WorkStatus:
    """One shop's row, and the state that follows from its numbers.

    `last_fetched_at` is the start of the fetch of the last refresh that succeeded: the document is as
    fresh as that; `last_full_at` is the same of the last one that read everything. `last_checked_at` is
    the last refresh's end, `last_published_at` the last upload.
    """

    shop: str
    install_status: Literal["installed", "needs_reauth", "uninstalled"]
    state: WorkState
    wanted: int
    done: int
    wanted_since: datetime | None
    lease_owner: str | None
    lease_until: datetime | None
    lease_epoch: int
    leased_at: datetime | None
    attempts: int
    next_try_at: datetime | None
    parked: bool
    last_error: str | None
    last_trigger: str | None
    last_fetched_at: datetime | None
    last_full_at: datetime | None
    last_published_at: datetime | None
    last_checked_at: datetime | None
    revision: str | None


def read_status(row: Row[Any], now: datetime, longest_lease: timedelta) -> WorkStatus:
    """Make it from a row of shop_work joined with the install's status."""
    return WorkStatus(
        shop=row.shop,
        install_status=row.status,
        state=_state(row, now, longest_lease),
        wanted=row.wanted,
        done=row.done,
        wanted_since=row.wanted_since,
        lease_owner=row.lease_owner,
        lease_until=row.lease_until,
        lease_epoch=row.lease_epoch,
        leased_at=row.leased_at,
        attempts=row.attempts,
        next_try_at=row.next_try_at,
        parked=row.parked,
        last_error=row.last_error,
        last_trigger=row.last_trigger,
        last_fetched_at=row.last_fetched_at,
        last_full_at=row.last_full_at,
        last_published_at=row.last_published_at,
        last_checked_at=row.last_checked_at,
        revision=row.revision,
    )


def _state(row: Row[Any], now: datetime, longest_lease: timedelta) -> WorkState:
    if is_live(row.lease_until, now, longest_lease):
        return "leased"
    if row.parked:
        return "parked"
    if row.wanted <= row.done:
        return "clean"
    if row.next_try_at is not None and row.next_try_at > now:
        return "waiting"
    return "dirty"
