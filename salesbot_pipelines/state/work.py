"""The work on each shop: what is wanted, what is done, who is at it, and when to try again.

No state is stored; it follows from the numbers. `wanted` counts the marks, `done` the marks that a
published refresh covers: those that were there before its first call to Shopify. So an event that
comes during a refresh leaves the shop pending, and one that was acknowledged is never lost.
A lease gives a shop to one run; its epoch is a fencing number that only grows. A run whose lease was
taken over finds `LeaseLost` and can change nothing here.

Each change locks the shop's row, then reads the clock, then judges: see `clock.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, delete, select, update

from salesbot_pipelines.errors import LeaseHeld, LeaseLost, NotInstalled
from salesbot_pipelines.state.clock import Clock, SystemClock, is_live, is_past, read_clock
from salesbot_pipelines.state.lease import LONGEST_LEASE, Lease
from salesbot_pipelines.state.marking import mark_wanted
from salesbot_pipelines.state.retries import LONGEST_WAIT, Jitter, RetryRules, full_jitter
from salesbot_pipelines.state.tables import bulk_operations, installs, shop_work
from salesbot_pipelines.state.texts import clean
from salesbot_pipelines.state.transactions import reading, writing
from salesbot_pipelines.state.work_rows import (
    GIVEN_BACK,
    is_ours,
    lock,
    lock_ours,
    newest_event,
    put,
    require_connected,
    require_length,
)
from salesbot_pipelines.state.work_status import WorkStatus, read_status

__all__ = ["Due", "Lease", "ShopWork"]


@dataclass(frozen=True)
class Due:
    """A shop that should be refreshed now; the four values together name the attempt."""

    shop: str
    wanted: int
    attempts: int
    epoch: int


class ShopWork:
    """The work on every shop."""

    def __init__(
        self,
        engine: Engine,
        clock: Clock | None = None,
        *,
        rules: RetryRules | None = None,
        jitter: Jitter = full_jitter,
    ) -> None:
        self._engine = engine
        self._clock = clock or SystemClock()
        self._rules = rules or RetryRules()
        self._jitter = jitter

    def lease(self, shop: str, holder: str, seconds: float, *, trigger: str = "") -> Lease:
        """Take the shop for `seconds`. Raises `LeaseHeld` with the holder and the end, `NotInstalled`."""
        require_length(seconds)
        with writing(self._engine) as connection:
            row = lock(connection, shop)
            require_connected(connection, shop)
            now = read_clock(connection, self._clock)
            if is_live(row.lease_until, now, LONGEST_LEASE):
                raise LeaseHeld(
                    f"{shop} is held by {row.lease_owner} until {row.lease_until:%Y-%m-%d %H:%M:%S} UTC",
                    holder=row.lease_owner,
                    until=row.lease_until,
                )
            lease = Lease(
                shop=shop,
                holder=clean(holder, 255),
                epoch=row.lease_epoch + 1,
                until=now + timedelta(seconds=seconds),
                wanted=row.wanted,
                # It stays so until something has been published whole, however many runs that takes.
                takeover=row.unclean or row.lease_owner is not None,
                newest_event=newest_event(connection, shop),
                events_read=row.events_read,
                marks_read=row.marks_read,
                last_full_at=row.last_full_at,
            )
            put(
                connection,
                shop,
                lease_owner=lease.holder,
                lease_until=lease.until,
                lease_epoch=lease.epoch,
                leased_at=now,
                unclean=lease.takeover,
                last_trigger=clean(trigger, 255) or None,
            )
        return lease

    def renew(self, lease: Lease, seconds: float) -> Lease:
        """Hold the shop for `seconds` from now, even if the lease has run out and nobody came.

        Do it before publishing too, so that no other run can come in between. Raises `LeaseLost`.
        """
        require_length(seconds)
        with writing(self._engine) as connection:
            if lock_ours(connection, lease) is None:
                raise _lost(lease)
            until = read_clock(connection, self._clock) + timedelta(seconds=seconds)
            put(connection, lease.shop, lease_until=until)
        return replace(lease, until=until)

    def check(self, lease: Lease) -> None:
        """Raise `LeaseLost` unless the lease is still ours and has not run out."""
        with reading(self._engine) as connection:
            row = connection.execute(select(shop_work).where(is_ours(lease))).first()
            now = read_clock(connection, self._clock)
        if row is None or not is_live(row.lease_until, now, LONGEST_LEASE):
            raise _lost(lease)

    def publish_done(
        self, lease: Lease, *, fetched_at: datetime, revision: str, changed: bool = True, full: bool = True
    ) -> None:
        """Note that what was wanted when the lease was given is published, and give the lease back.

        `fetched_at` is the start of the fetch; `changed` is false when the document was the same and
        nothing was uploaded: then the stored raw objects are still the older ones, and so is what they
        cover. `full` says that everything was read, and not only what events named. What bulk operations
        were remembered is forgotten: their results are older than the document now. Raises `LeaseLost`
        and notes nothing: the run that took over publishes.
        """
        with writing(self._engine) as connection:
            row = lock_ours(connection, lease)
            if row is None:
                raise _lost(lease)
            now = read_clock(connection, self._clock)
            done = max(row.done, lease.wanted)
            connection.execute(delete(bulk_operations).where(bulk_operations.c.shop == lease.shop))
            put(
                connection,
                lease.shop,
                **GIVEN_BACK,
                done=done,
                # What is left came after the lease was given, or after an older reading that was gone on with.
                wanted_since=max(row.wanted_since, min(row.leased_at, fetched_at)) if row.wanted > done else None,
                unclean=False,
                attempts=0,
                next_try_at=None,
                parked=False,
                last_error=None,
                last_fetched_at=max(fetched_at, row.last_fetched_at or fetched_at),
                last_published_at=now if changed else row.last_published_at,
                last_checked_at=now,
                revision=revision,
                events_read=lease.newest_event if changed else row.events_read,
                marks_read=lease.wanted if changed else row.marks_read,
                last_full_at=max(fetched_at, row.last_full_at or fetched_at) if full else row.last_full_at,
            )

    def republished(self, lease: Lease, *, revision: str) -> None:
        """Note that the document was made anew from what had been fetched before; give the lease back.

        Nothing that was wanted is done by it. Raises `LeaseLost`.
        """
        with writing(self._engine) as connection:
            if lock_ours(connection, lease) is None:
                raise _lost(lease)
            now = read_clock(connection, self._clock)
            put(connection, lease.shop, **GIVEN_BACK, unclean=False, last_published_at=now, revision=revision)

    def failed(self, lease: Lease, error_text: str, *, retryable: bool, nothing_written: bool = False) -> bool:
        """Note a failure, say when to try again, and give the lease back; False when it was lost already.

        A failure that no repetition heals waits the longest time at once. The shop stays wanted, or
        becomes it: a scheduled run that failed is tried again too. `nothing_written` promises that
        the run had not begun to publish, so that the next one may skip an upload of the same.
        """
        with writing(self._engine) as connection:
            row = lock_ours(connection, lease)
            if row is None:
                return False
            now = read_clock(connection, self._clock)
            if row.wanted <= row.done:
                mark_wanted(connection, {lease.shop: 1}, now)
                # Nothing came since the operations began: the mark asks for what they are to give.
                covered = update(bulk_operations).where(bulk_operations.c.shop == lease.shop)
                connection.execute(covered.values(wanted=row.wanted + 1))
            put(
                connection,
                lease.shop,
                **GIVEN_BACK,
                unclean=row.unclean or not nothing_written,
                attempts=row.attempts + 1,
                next_try_at=now + self._rules.wait(row.attempts, retryable=retryable, jitter=self._jitter),
                parked=row.parked or row.attempts + 1 >= self._rules.park_after,
                last_error=clean(error_text, 2000),
            )
        return True

    def release(self, lease: Lease) -> bool:
        """Give the lease back as if it had never been; False when it was lost already.

        For a run that found nothing to do, or was told to stop before it began to publish.
        """
        with writing(self._engine) as connection:
            if lock_ours(connection, lease) is None:
                return False
            put(connection, lease.shop, **GIVEN_BACK)
        return True

    def due(self, limit: int, *, event_wait_seconds: float = 0.0) -> list[Due]:
        """Return up to `limit` shops to refresh now, those that wait longest first.

        A shop marked less than `event_wait_seconds` ago waits for the rest of its burst.
        """
        event_wait = timedelta(seconds=event_wait_seconds)
        with reading(self._engine) as connection:
            now = read_clock(connection, self._clock)
            found = connection.execute(
                select(shop_work.c.shop, shop_work.c.wanted, shop_work.c.attempts, shop_work.c.lease_epoch)
                .join(installs, installs.c.shop == shop_work.c.shop)
                .where(
                    installs.c.status == "installed",
                    shop_work.c.wanted > shop_work.c.done,
                    shop_work.c.parked.is_(False),
                    is_past(shop_work.c.next_try_at, now, LONGEST_WAIT),
                    is_past(shop_work.c.lease_until, now, LONGEST_LEASE),
                    is_past(shop_work.c.wanted_since, now - event_wait, event_wait),
                )
                .order_by(shop_work.c.wanted_since, shop_work.c.shop)
                .limit(limit)
            ).all()  # fmt: skip
        return [Due(row.shop, row.wanted, row.attempts, row.lease_epoch) for row in found]

    def want(self, shop: str) -> None:
        """Mark the shop as wanted, as an event would. Raises `NotInstalled`."""
        with writing(self._engine) as connection:
            lock(connection, shop)
            require_connected(connection, shop)
            mark_wanted(connection, {shop: 1}, read_clock(connection, self._clock))

    def replay(self, shop: str) -> None:
        """Give a parked or waiting shop its chance now; for a person. Raises `NotInstalled`."""
        with writing(self._engine) as connection:
            lock(connection, shop)
            put(connection, shop, parked=False, attempts=0, next_try_at=None)

    def status(self, shop: str) -> WorkStatus:
        """Return how the work on one shop stands. Raises `NotInstalled`."""
        found = self._statuses(shop_work.c.shop == shop)
        if not found:
            raise NotInstalled(f"{shop} is not installed")
        return found[0]

    def statuses(self) -> list[WorkStatus]:
        """Return how the work stands for every connected shop, in the order in which they first came."""
        return self._statuses(installs.c.status != "uninstalled")

    def _statuses(self, condition: ColumnElement[bool]) -> list[WorkStatus]:
        with reading(self._engine) as connection:
            now = read_clock(connection, self._clock)
            rows = connection.execute(
                select(shop_work, installs.c.status)
                .join(installs, installs.c.shop == shop_work.c.shop)
                .where(condition)
                .order_by(installs.c.seq)
            ).all()  # fmt: skip
        return [read_status(row, now, LONGEST_LEASE) for row in rows]


def _lost(lease: Lease) -> LeaseLost:
    return LeaseLost(f"the lease {lease.epoch} of {lease.holder} on {lease.shop} is lost")
